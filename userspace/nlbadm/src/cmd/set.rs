// SPDX-License-Identifier: GPL-2.0-only

//! `nlbadm set`

use nlb_netlink::object::ClusterChange;

use crate::{cli::Set, failure::Failure, kernel::Kernel};

/// Changes the load weight of this host, by which the cluster moves buckets and breaks no connection, or how many
/// sessions it remembers.
pub(crate) fn run(kernel: &mut impl Kernel, args: &Set) -> Result<(), Failure> {
    let cluster = super::cluster(kernel, &args.target)?;
    let changes = [
        args.weight.map(ClusterChange::Weight),
        args.sessions_max.map(ClusterChange::SessionsMax),
    ];
    for change in changes.into_iter().flatten() {
        kernel
            .change(cluster.ifindex, change)
            .map_err(|error| Failure::from(error).context(format!("set {}", cluster.ifname)))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{cli::Target, failure::Exit, fake::Fake};

    #[test]
    fn the_weight_is_asked_for_and_a_refusal_reported() {
        let args = Set {
            target: Target::default(),
            weight: Some(30),
            sessions_max: None,
        };
        let mut kernel = Fake::in_cluster();
        run(&mut kernel, &args).unwrap();
        assert_eq!(kernel.changes, ["weight 30 on 2"]);
        let both = Set {
            sessions_max: Some(1000),
            ..args.clone()
        };
        run(&mut kernel, &both).unwrap();
        assert_eq!(
            kernel.changes[1..],
            ["weight 30 on 2", "sessions-max 1000 on 2"]
        );
        kernel.refuse.push(("weight", 16));
        assert_eq!(run(&mut kernel, &args).unwrap_err().exit, Exit::Exists);
    }
}
