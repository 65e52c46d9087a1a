// SPDX-License-Identifier: GPL-2.0-only

//! `nlbadm display`: all about a cluster, as `nlb display` of Windows prints it.

use super::{counters, history, rules, show};
use crate::{
    cli::{Counters, Target},
    failure::Failure,
    host::Host,
    kernel::Kernel,
    output::display::DisplayShape,
};

/// What the other verbs tell of one cluster.
pub(crate) fn run<K: Kernel + Host>(
    kernel: &mut K,
    target: &Target,
) -> Result<DisplayShape, Failure> {
    let interface = super::cluster(kernel, target)?.ifname;
    let target = Target {
        interface: Some(interface),
    };
    Ok(DisplayShape {
        show: show::run(kernel, &target)?,
        rules: rules::show(kernel, &target)?,
        history: history::run(kernel, &target)?,
        counters: counters::run(
            kernel,
            &Counters {
                target: target.clone(),
                all: false,
                rule: None,
            },
        )?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        failure::Exit,
        fake::{Fake, cluster},
        output::Report,
    };

    #[test]
    fn one_cluster_is_displayed_whole() {
        let mut kernel = Fake::in_cluster();
        let text = run(&mut kernel, &Target::default()).unwrap().human();
        for part in ["cluster: web", "rule", "generation"] {
            assert!(text.contains(part), "{text}");
        }
        kernel.clusters.push(cluster(3, "eth1"));
        let failure = run(&mut kernel, &Target::default()).unwrap_err();
        assert_eq!(failure.exit, Exit::Usage);
    }
}
