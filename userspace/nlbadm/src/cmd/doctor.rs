// SPDX-License-Identifier: GPL-2.0-only

//! `nlbadm doctor`

use std::net::IpAddr;

use nlb_netlink::{
    object::{Cluster, Member, PortRule},
    route::Interface,
};

use crate::{
    cli::Target,
    failure::{Exit, Failure},
    host::Host,
    kernel::Kernel,
    obstacle::{self, Finding, Subject, Verdict},
    output::doctor::Checkup,
};

/// Every check of each cluster, or of one interface, which needs no cluster yet. The second answer is the failure to end
/// with: there is no module, or nothing to look at, or a problem was found.
pub(crate) fn run<K: Kernel + Host>(
    kernel: &mut K,
    target: &Target,
) -> Result<(Checkup, Result<(), Failure>), Failure> {
    let clusters = kernel.clusters().map_err(Failure::from);
    let mut findings = vec![obstacle::module(clusters.as_ref().map(Vec::len))];
    findings.extend(obstacle::replaced(kernel));
    let missing = clusters.as_ref().err().cloned();
    let clusters = clusters.unwrap_or_default();
    match &target.interface {
        Some(name) => {
            let interface = super::interface(kernel, name)?;
            let cluster = clusters
                .iter()
                .find(|cluster| cluster.ifindex == interface.index);
            match cluster {
                Some(cluster) => findings.extend(of_cluster(kernel, cluster)),
                None => findings.extend(of_interface(kernel, &interface)),
            }
        }
        None => {
            for cluster in &clusters {
                findings.extend(of_cluster(kernel, cluster));
            }
        }
    }
    let release = kernel
        .read("/proc/sys/kernel/osrelease")
        .unwrap_or_default();
    let checkup = Checkup::new(release.trim(), findings);
    let end = match (missing, checkup.problems) {
        // The line about the module says more, and stands above.
        (Some(failure), _) if failure.exit == Exit::NoModule => {
            Err(Failure::new(Exit::NoModule, "the module is not there"))
        }
        (Some(failure), _) => Err(failure),
        (None, 1) => Err(Failure::new(Exit::Unwell, "1 problem was found")),
        (None, count @ 2..) => Err(Failure::new(
            Exit::Unwell,
            format!("{count} problems were found"),
        )),
        (None, 0) if clusters.is_empty() && target.interface.is_none() => Err(Failure::new(
            Exit::NoCluster,
            "there is no cluster on this host; name an interface to have it checked for one",
        )),
        (None, 0) => Ok(()),
    };
    Ok((checkup, end))
}

/// All that can be checked of a cluster.
fn of_cluster<K: Kernel + Host>(kernel: &mut K, cluster: &Cluster) -> Vec<Finding> {
    let name = &cluster.ifname;
    let subject = match Subject::new(kernel, name, cluster.ifindex, &cluster.vips) {
        Ok(subject) => subject,
        Err(error) => return vec![unreadable(name, &error.to_string())],
    };
    let members: Result<Vec<Member>, _> = kernel.members(cluster.ifindex);
    let rules: Result<Vec<PortRule>, _> = kernel.rules(cluster.ifindex);
    let mut findings = match members {
        Ok(members) => obstacle::member(&subject, cluster, &members),
        Err(error) => vec![unreadable(name, &error.to_string())],
    };
    findings.extend(obstacle::all(&subject, kernel));
    match rules {
        Ok(rules) => {
            findings.extend(obstacle::service(&subject, cluster, &rules));
            findings.extend(obstacle::firewall(&subject, &rules, kernel));
        }
        Err(error) => findings.push(unreadable(name, &error.to_string())),
    }
    findings
}

/// What can be checked of an interface before a cluster is made on it.
fn of_interface<K: Kernel + Host>(kernel: &mut K, interface: &Interface) -> Vec<Finding> {
    const NO_VIPS: &[IpAddr] = &[];
    let name = &interface.name;
    let subject = match Subject::new(kernel, name, interface.index, NO_VIPS) {
        Ok(subject) => subject,
        Err(error) => return vec![unreadable(name, &error.to_string())],
    };
    let text = "no cluster here yet: what concerns its VIPs, ports and members is not checked";
    let mut findings = vec![Finding {
        interface: Some(name.clone()),
        ..Finding::new("member", Verdict::NotChecked, text)
    }];
    findings.extend(obstacle::all(&subject, kernel));
    findings.extend(obstacle::firewall(&subject, &[], kernel));
    findings
}

fn unreadable(interface: &str, error: &str) -> Finding {
    Finding {
        interface: Some(interface.to_owned()),
        ..Finding::new("cluster", Verdict::NotChecked, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{Fake, link};

    fn target(name: Option<&str>) -> Target {
        Target {
            interface: name.map(str::to_owned),
        }
    }

    fn ended(kernel: &mut Fake, name: Option<&str>) -> (Checkup, Option<Exit>) {
        let (checkup, end) = run(kernel, &target(name)).unwrap();
        (checkup, end.err().map(|failure| failure.exit))
    }

    #[test]
    fn a_healthy_host_ends_with_0() {
        let mut kernel = Fake::in_cluster();
        kernel.healthy();
        kernel.members.pop();
        let (checkup, exit) = ended(&mut kernel, None);
        assert_eq!(
            (checkup.problems, checkup.warnings, exit),
            (0, 0, None),
            "{checkup:?}"
        );
    }

    #[test]
    fn a_problem_has_an_exit_code_and_a_warning_has_none() {
        let mut kernel = Fake::in_cluster();
        kernel.healthy();
        // Host 3 of the fake cluster is dead.
        let (checkup, exit) = ended(&mut kernel, Some("eth0"));
        assert_eq!(
            (checkup.problems, checkup.warnings, exit),
            (0, 1, None),
            "{checkup:?}"
        );
        kernel.links[1].mtu = 1200;
        let (checkup, exit) = ended(&mut kernel, Some("eth0"));
        assert_eq!((checkup.problems, exit), (1, Some(Exit::Unwell)));
    }

    #[test]
    fn an_interface_is_checked_before_it_has_a_cluster() {
        let mut kernel = Fake::host();
        kernel.healthy();
        assert_eq!(ended(&mut kernel, None).1, Some(Exit::NoCluster));
        let (checkup, exit) = ended(&mut kernel, Some("eth0"));
        assert_eq!((checkup.warnings, exit), (0, None));
        kernel.links[1] = link(2, "eth0", 1279);
        assert_eq!(ended(&mut kernel, Some("eth0")).1, Some(Exit::Unwell));
        let failure = run(&mut kernel, &target(Some("eth9"))).unwrap_err();
        assert_eq!(failure.exit, Exit::NoInterface);
    }

    #[test]
    fn without_the_module_the_interface_is_checked_all_the_same() {
        let mut kernel = Fake::host();
        kernel.healthy();
        kernel.no_module = true;
        let (checkup, exit) = ended(&mut kernel, Some("eth0"));
        assert_eq!((checkup.problems, exit), (1, Some(Exit::NoModule)));
        assert!(checkup.checks.len() > 5, "{checkup:?}");
    }
}
