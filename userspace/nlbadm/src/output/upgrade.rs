// SPDX-License-Identifier: GPL-2.0-only

//! `nlbadm upgrade`

use nlb_netlink::object::Cluster;
use serde::Serialize;

use super::Report;
use crate::module::Standing;

/// How the module in the kernel stands to the installed one, and what was done about it.
#[derive(Debug, Serialize)]
pub(crate) struct Upgraded {
    /// How it stood: `same`, `other`, `not-loaded`, `not-installed`.
    pub(crate) module: &'static str,
    /// The file of the installed one, where it is another one.
    pub(crate) installed: Option<String>,
    /// The clusters of this host.
    pub(crate) clusters: Vec<ClusterName>,
    /// Whether it was replaced.
    pub(crate) replaced: bool,
}

/// A cluster of this host.
#[derive(Debug, Serialize)]
pub(crate) struct ClusterName {
    pub(crate) cluster: String,
    pub(crate) interface: String,
}

impl Upgraded {
    pub(crate) fn new(standing: &Standing, clusters: &[Cluster], replaced: bool) -> Self {
        let (module, installed) = match standing {
            Standing::NotLoaded => ("not-loaded", None),
            Standing::NotInstalled => ("not-installed", None),
            Standing::Same => ("same", None),
            Standing::Other(installed) => ("other", Some(installed.clone())),
        };
        let name = |cluster: &Cluster| ClusterName {
            cluster: cluster.name.clone(),
            interface: cluster.ifname.clone(),
        };
        Upgraded {
            module,
            installed,
            clusters: clusters.iter().map(name).collect(),
            replaced,
        }
    }

    /// What the clusters do.
    fn clusters(&self) -> String {
        let names: Vec<_> = self
            .clusters
            .iter()
            .map(|it| format!("{} on {}", it.cluster, it.interface))
            .collect();
        match names.as_slice() {
            [] => "no cluster uses it".to_owned(),
            [one] => format!("cluster {one} goes on with it"),
            names => format!("clusters {} go on with it", names.join(", ")),
        }
    }
}

impl Report for Upgraded {
    fn human(&self) -> String {
        let installed = self.installed.as_deref().unwrap_or_default();
        let text = match self.module {
            "same" => "nothing to do: the module in the kernel is the installed one".into(),
            "not-loaded" => "nothing to do: no module is loaded".into(),
            "not-installed" => {
                "nothing to do: no module is installed that could be loaded instead".into()
            }
            _ if self.replaced => format!(
                "the module in the kernel is the installed one now ({installed}): {}",
                self.clusters()
            ),
            _ => format!(
                "the module in the kernel is not the installed one ({installed}): {}. `systemctl start nlb-upgrade` \
                 replaces it, and so does a reboot",
                self.clusters()
            ),
        };
        format!("{text}\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::cluster;

    #[test]
    fn clusters_are_named_with_the_command_that_helps() {
        let other = Standing::Other("/lib/modules/7.3.4/updates/nlb.ko".into());
        let said = |count: usize, replaced| {
            let clusters = [cluster(2, "eth0"), cluster(3, "eth1")];
            Upgraded::new(&other, &clusters[..count], replaced).human()
        };
        assert_eq!(
            said(1, false),
            "the module in the kernel is not the installed one (/lib/modules/7.3.4/updates/nlb.ko): cluster web on eth0 \
             goes on with it. `systemctl start nlb-upgrade` replaces it, and so does a reboot\n"
        );
        assert!(said(2, true).contains(
            "now (/lib/modules/7.3.4/updates/nlb.ko): clusters web on eth0, web on eth1 go on"
        ));
        assert!(said(0, true).contains("no cluster uses it"));
        let same = Upgraded::new(&Standing::Same, &[], false);
        assert!(
            same.human().starts_with("nothing to do"),
            "nlbadm's package relies on it"
        );
    }
}
