// SPDX-License-Identifier: GPL-2.0-only

//! `nlbadm set`

use nlb_netlink::object::ClusterChange;

use crate::{cli::Set, failure::Failure, kernel::Kernel};

/// Changes the load weight of this host; the cluster moves buckets accordingly and breaks no connection.
pub(crate) fn run(kernel: &mut impl Kernel, args: &Set) -> Result<(), Failure> {
    let cluster = super::cluster(kernel, &args.target)?;
    kernel
        .change(cluster.ifindex, ClusterChange::Weight(args.weight))
        .map_err(|error| Failure::from(error).context(format!("set {}", cluster.ifname)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{cli::Target, failure::Exit, fake::Fake};

    #[test]
    fn the_weight_is_asked_for_and_a_refusal_reported() {
        let args = Set {
            target: Target::default(),
            weight: 30,
        };
        let mut kernel = Fake::in_cluster();
        run(&mut kernel, &args).unwrap();
        assert_eq!(kernel.changes, ["weight 30 on 2"]);
        kernel.refuse.push(("weight", 16));
        assert_eq!(run(&mut kernel, &args).unwrap_err().exit, Exit::Exists);
    }
}
