// SPDX-License-Identifier: GPL-2.0-only

//! A cluster as it was understood, before it is written.

use std::{collections::BTreeMap, net::IpAddr};

use nlb_core::{
    genl::{Affinity, Echo, Mode},
    limits::{HOSTS_MAX, NAME_MAX, RULES_MAX, VIPS_MAX},
    mac::Mac,
    rules::{FilteringMode, Rule, is_tunnel_port},
};

use super::note::{Kind, Notes};
use crate::{config::InitialState, endpoint::usable_vip};

/// A cluster as another system's configuration tells it.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) name: String,
    /// The first is the primary.
    pub(crate) vips: Vec<IpAddr>,
    /// Of all hosts that do not name another.
    pub(crate) interface: Option<String>,
    pub(crate) mode: Option<Mode>,
    pub(crate) virtual_mac: Option<Mac>,
    pub(crate) period_ms: Option<u32>,
    pub(crate) tolerance: Option<u32>,
    pub(crate) echo: Option<Echo>,
    pub(crate) rules: Rules,
    pub(crate) hosts: Vec<DraftHost>,
    pub(crate) notes: Notes,
}

/// The port rules.
#[derive(Clone, Debug)]
pub(crate) enum Rules {
    /// The default rule: all ports of all VIPs, by this affinity.
    Default(Affinity),
    /// One host serves everything, and another one if it fails.
    OneHost,
    /// These.
    List(Vec<DraftRule>),
}

/// A port rule, and what differs between hosts, by host id.
#[derive(Clone, Debug)]
pub(crate) struct DraftRule {
    pub(crate) line: usize,
    pub(crate) rule: Rule,
    pub(crate) weights: BTreeMap<u8, u8>,
    pub(crate) priorities: BTreeMap<u8, u8>,
}

impl DraftRule {
    /// A rule without numbers of hosts.
    pub(crate) fn new(line: usize, rule: Rule) -> Self {
        DraftRule {
            line,
            rule,
            weights: BTreeMap::new(),
            priorities: BTreeMap::new(),
        }
    }
}

/// A host.
#[derive(Clone, Debug, Default)]
pub(crate) struct DraftHost {
    pub(crate) id: u8,
    /// None where the source does not tell it.
    pub(crate) name: Option<String>,
    pub(crate) dedicated: Option<IpAddr>,
    pub(crate) weight: Option<u8>,
    pub(crate) state: InitialState,
}

impl DraftHost {
    /// A host of which nothing but its id is known.
    pub(crate) fn new(id: u8) -> Self {
        DraftHost {
            id,
            ..DraftHost::default()
        }
    }
}

impl Draft {
    /// A cluster of which nothing but its name is known.
    pub(crate) fn new(name: &str) -> Self {
        Draft {
            name: tame_name(name),
            vips: Vec::new(),
            interface: None,
            mode: None,
            virtual_mac: None,
            period_ms: None,
            tolerance: None,
            echo: None,
            rules: Rules::Default(Affinity::Single),
            hosts: Vec::new(),
            notes: Notes::default(),
        }
    }

    /// Gives it another name.
    pub(crate) fn rename(&mut self, name: &str) {
        self.name = tame_name(name);
    }

    /// Adds a VIP, if it can be one; tells where it cannot.
    pub(crate) fn add_vip(&mut self, line: usize, text: &str) -> Option<IpAddr> {
        match usable_vip(text) {
            Ok(vip) => {
                if !self.vips.contains(&vip) {
                    self.vips.push(vip);
                }
                Some(vip)
            }
            Err(why) => {
                let text = format!("the address {text:?}: {why}");
                self.notes.at(Kind::NotUnderstood, line, text);
                None
            }
        }
    }

    /// Brings the draft within the limits of nlb, and tells what that changed.
    pub(super) fn settle(&mut self) {
        if self.vips.len() > VIPS_MAX {
            let text = format!(
                "there are {} addresses, and a cluster has at most {VIPS_MAX} VIPs: the others are left out",
                self.vips.len()
            );
            self.notes.whole(Kind::Decide, text);
            self.vips.truncate(VIPS_MAX);
        }
        if self.hosts.len() > HOSTS_MAX {
            let text = format!(
                "there are {} hosts, and a cluster has at most {HOSTS_MAX}: the others are left out",
                self.hosts.len()
            );
            self.notes.whole(Kind::Decide, text);
            self.hosts.truncate(HOSTS_MAX);
        }
        if self.hosts.is_empty() {
            self.hosts.push(DraftHost::new(1));
            let text = "the hosts are not told: write a section for each, with an id of its own";
            self.notes.whole(Kind::Decide, text);
        }
        self.settle_names();
        self.settle_rules();
        self.tell_gaps();
    }

    /// Leaves out names that no section can have, and those that two hosts have.
    fn settle_names(&mut self) {
        let mut seen: Vec<String> = Vec::new();
        for host in &mut self.hosts {
            let Some(name) = host.name.take() else {
                continue;
            };
            let odd =
                name.is_empty() || name.contains(|c: char| c.is_control() || c.is_whitespace());
            if odd || seen.contains(&name) {
                let text = format!(
                    "the host name {name:?} cannot be used for host id {}",
                    host.id
                );
                self.notes.whole(Kind::Decide, text);
                continue;
            }
            seen.push(name.clone());
            host.name = Some(name);
        }
    }

    /// Changes rules that nlb would refuse, and leaves out those that cannot be.
    fn settle_rules(&mut self) {
        let Rules::List(rules) = &mut self.rules else {
            return;
        };
        let mut kept: Vec<DraftRule> = Vec::new();
        for mut draft in std::mem::take(rules) {
            let line = draft.line;
            let rule = &mut draft.rule;
            if rule.first_port == 0 && !rule.has_all_ports() {
                if rule.last_port == 0 {
                    let text = "port 0 is used by nobody: the rule is left out";
                    self.notes.at(Kind::Differs, line, text);
                    continue;
                }
                rule.first_port = 1;
                let text = "port 0 is used by nobody: the range begins with 1";
                self.notes.at(Kind::Differs, line, text);
            }
            let by_port = rule.mode == FilteringMode::Multiple && rule.affinity == Affinity::None;
            let tunnel = rule.first_port == rule.last_port
                && is_tunnel_port(rule.protocols, rule.first_port);
            if by_port && tunnel {
                rule.affinity = Affinity::Single;
                let text = "a tunnel's data has no ports: its control gets affinity single in place of none";
                self.notes.at(Kind::Differs, line, text);
            }
            let text = if let Some(other) = kept.iter().find(|it| it.rule.overlaps(&draft.rule)) {
                format!(
                    "the rule covers packets that the rule of line {} covers; it is left out",
                    other.line
                )
            } else if draft.rule.vip.is_some_and(|vip| !self.vips.contains(&vip)) {
                "the rule is for an address that is left out, and so is the rule".into()
            } else if kept.len() == RULES_MAX {
                format!("there are more than {RULES_MAX} rules; this one is left out")
            } else {
                kept.push(draft);
                continue;
            };
            self.notes.at(Kind::Decide, line, text);
        }
        let known = |id: &u8| self.hosts.iter().any(|host| host.id == *id);
        for rule in &mut kept {
            rule.weights.retain(|id, _| known(id));
            rule.priorities.retain(|id, _| known(id));
        }
        *rules = kept;
    }

    /// What a file needs and the source did not tell.
    fn tell_gaps(&mut self) {
        if self.interface.is_none() {
            let text = "the interface on the cluster's segment, in place of eth0";
            self.notes.whole(Kind::Decide, text);
        }
        if self.hosts.iter().any(|host| host.name.is_none()) {
            let text = "the names of the hosts that are called host-N here: write each as `hostname` prints it there";
            self.notes.whole(Kind::Decide, text);
        }
        let text = "the key: `nlbadm genkey` makes one, once for the cluster; it goes to /etc/nlb/NAME.key on each host";
        self.notes.whole(Kind::Decide, text);
    }
}

/// A name that a cluster and its file can have: of another one, what can be kept of it.
fn tame_name(name: &str) -> String {
    let odd = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    let name: String = name.replace(odd, "-");
    let name = name.trim_matches(['-', '.']);
    match name.get(..name.len().min(NAME_MAX)) {
        None | Some("") => "imported".into(),
        Some(name) => name.into(),
    }
}

/// An id of its own for each of some hosts: the wanted one where it can be, else the lowest that is free.
pub(crate) fn give_ids(wanted: &[Option<u32>]) -> Vec<u8> {
    #[expect(clippy::cast_possible_truncation, reason = "the limit is 64")]
    let fit = |id: u32| (1..=HOSTS_MAX as u32).contains(&id).then_some(id as u8);
    let mut ids: Vec<u8> = Vec::new();
    let mut free = (1..=u8::MAX).filter(|id| !wanted.contains(&Some(u32::from(*id))));
    for (index, id) in wanted.iter().enumerate() {
        let own = id.and_then(fit).filter(|id| !ids[..index].contains(id));
        ids.push(own.or_else(|| free.next()).unwrap_or(u8::MAX));
    }
    ids
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_kept_where_they_can_be() {
        assert_eq!(give_ids(&[Some(2), None, Some(1)]), [2, 3, 1]);
        assert_eq!(give_ids(&[Some(7), Some(7), Some(0)]), [7, 1, 2]);
        assert_eq!(give_ids(&[Some(1_084_752_129), Some(65)]), [1, 2]);
    }

    #[test]
    fn names_are_those_of_files() {
        assert_eq!(tame_name("web.example.com"), "web.example.com");
        assert_eq!(tame_name("../ü b"), "b");
        assert_eq!(tame_name(".."), "imported");
        assert_eq!(tame_name(&"n".repeat(99)).len(), NAME_MAX);
    }
}
