// SPDX-License-Identifier: GPL-2.0-only

//! Clusters from the objects that Windows' tools print.

use super::{
    expand::expand,
    field,
    lines::{Object, Read},
    rule::WindowsRule,
};
use crate::import::{
    draft::{Draft, DraftHost, DraftRule, Rules, give_ids},
    note::{Kind, Notes},
};

/// A host as objects tell it.
#[derive(Debug, Default)]
struct Node {
    priority: Option<u32>,
    host: DraftHost,
}

/// A cluster that is put together.
struct Cluster {
    draft: Draft,
    nodes: Vec<Node>,
    rules: Vec<(Option<usize>, WindowsRule)>,
    /// Whether rules were told at all, of which there may be none.
    told_rules: bool,
}

const PRIMARY: [&str; 3] = ["clusteripaddress", "clusterprimaryip", "ipaddress"];

pub(super) fn drafts(read: Read) -> Vec<Draft> {
    let mut clusters: Vec<Cluster> = Vec::new();
    let mut notes = read.notes;
    // Those of a cluster come first, whatever the order of the commands was.
    let (heads, rest): (Vec<_>, Vec<_>) = read.objects.iter().partition(|it| is_cluster(it));
    for object in heads {
        add_cluster(&mut clusters, object);
    }
    for object in rest {
        let told = match &mut clusters[..] {
            [cluster] => cluster.add(object),
            [] => Some(
                "it belongs to no cluster: print that too, with `Get-NlbCluster | Format-List *` or `nlb params`",
            ),
            _ => Some(
                "there are several clusters, and it does not say to which it belongs: import one after the other",
            ),
        };
        let line = object.properties.first().map(|it| it.line);
        if let (Some(text), Some(line)) = (told, line) {
            notes.at(Kind::NotUnderstood, line, text);
        }
    }
    clusters.into_iter().map(|it| it.draft(&notes)).collect()
}

/// Whether an object tells of a whole cluster.
fn is_cluster(object: &Object) -> bool {
    let head = [
        "clusteripaddress",
        "operationmode",
        "clustername",
        "clusternetworkaddress",
    ];
    object.of_params
        || (object.get(&head).is_some() && object.get(&["startport"]).is_none() && !is_node(object))
        || (object.get(&["mode"]).is_some() && object.get(&["subnetmask"]).is_some())
}

fn is_node(object: &Object) -> bool {
    object.get(&["hostid", "hostpriority"]).is_some() && !object.of_params
}

fn add_cluster(clusters: &mut Vec<Cluster>, object: &Object) {
    let address = object.get(&PRIMARY);
    let name = object
        .get(&["clustername", "name"])
        .map(|it| it.value.as_str());
    let vip = address.and_then(|it| it.value.parse().ok());
    let known = clusters
        .iter()
        .position(|it| vip.is_some() && it.draft.vips.first() == vip.as_ref());
    let index = known.unwrap_or_else(|| {
        let mut draft = Draft::new(name.filter(|name| !name.is_empty()).unwrap_or("imported"));
        if let Some(address) = address {
            draft.add_vip(address.line, &address.value);
        }
        clusters.push(Cluster {
            draft,
            nodes: Vec::new(),
            rules: Vec::new(),
            told_rules: false,
        });
        clusters.len() - 1
    });
    let cluster = &mut clusters[index];
    field::tell(&mut cluster.draft, object);
    if object.of_params {
        cluster.add_params(object);
    }
}

impl Cluster {
    /// What `nlb params` tells of the host that it was run on.
    fn add_params(&mut self, object: &Object) {
        let number = |key: &str| object.get(&[key]).and_then(|it| it.value.parse().ok());
        let priority = number("hostpriority");
        let name = object.get(&["hostname"]).map(|it| &it.value);
        let name = object
            .hostname
            .as_ref()
            .or(name)
            .filter(|name| !name.is_empty());
        let name = name.map(|name| name.to_ascii_lowercase());
        let address = object
            .get(&["dedicatedipaddress"])
            .and_then(|it| it.value.parse().ok());
        let index = self.node(priority);
        let host = &mut self.nodes[index].host;
        host.name = name.or(host.name.take());
        host.dedicated = address.filter(|it: &std::net::IpAddr| !it.is_unspecified());
        host.state = field::initial_state(object);
        for id in &object.members {
            self.node(Some(*id));
        }
        self.told_rules = true;
        for rule in &object.rules {
            self.rules.push((Some(index), rule.clone()));
        }
    }

    /// The number of the host with a priority; it is new if it was not known.
    fn node(&mut self, priority: Option<u32>) -> usize {
        let known = |node: &Node| priority.is_some() && node.priority == priority;
        self.nodes.iter().position(known).unwrap_or_else(|| {
            self.nodes.push(Node {
                priority,
                ..Node::default()
            });
            self.nodes.len() - 1
        })
    }

    /// Adds an object of PowerShell that is a part of the cluster; why not, if it cannot be.
    fn add(&mut self, object: &Object) -> Option<&'static str> {
        if object.get(&["startport", "start"]).is_some() {
            self.told_rules = true;
            match WindowsRule::of_object(object) {
                Ok(rule) => {
                    let name = rule.host.clone();
                    let same = |node: &Node| {
                        let own = node.host.name.as_ref();
                        own.zip(name.as_ref())
                            .is_some_and(|(a, b)| a.eq_ignore_ascii_case(b))
                    };
                    self.rules.push((self.nodes.iter().position(same), rule));
                }
                Err((line, why)) => self.draft.notes.at(Kind::NotUnderstood, line, why),
            }
            return None;
        }
        if is_node(object) {
            let number = object
                .get(&["hostid", "hostpriority"])
                .and_then(|it| it.value.parse().ok());
            let index = self.node(number);
            let host = &mut self.nodes[index].host;
            let name = object.get(&["name", "host", "hostname", "nodename"]);
            host.name = name
                .map(|it| it.value.to_ascii_lowercase())
                .or(host.name.take());
            host.state = field::initial_state(object);
            field::tell(&mut self.draft, object);
            return None;
        }
        let address = object.get(&["ipaddress", "ip"])?;
        let known = self
            .draft
            .vips
            .iter()
            .any(|vip| vip.to_string() == address.value);
        if !known && self.draft.add_vip(address.line, &address.value).is_some() {
            let text = format!(
                "{} is taken for a VIP; if it is a host's own address (Get-NlbClusterNodeDip), it belongs into the section of the host \
                 as `dedicated`",
                address.value
            );
            self.draft.notes.at(Kind::Decide, address.line, text);
        }
        None
    }

    fn draft(mut self, notes: &Notes) -> Draft {
        self.draft.notes.extend(notes);
        let wanted: Vec<_> = self.nodes.iter().map(|node| node.priority).collect();
        let ids = give_ids(&wanted);
        for (node, id) in self.nodes.iter_mut().zip(&ids) {
            node.host.id = *id;
        }
        self.rules(&ids);
        let mut hosts: Vec<_> = self.nodes.into_iter().map(|node| node.host).collect();
        hosts.sort_by_key(|host| host.id);
        self.draft.hosts = hosts;
        let text = "further VIPs: Windows has them in the settings of TCP/IP as well; `Get-NlbClusterVip` lists them";
        if self.draft.vips.len() == 1 {
            self.draft.notes.whole(Kind::Decide, text);
        }
        self.draft
    }

    /// The rules of all hosts as one list, with the numbers of each host by its id.
    fn rules(&mut self, ids: &[u8]) {
        if !self.told_rules {
            let text =
                "no port rules were told: the default rule is taken, which is that of Windows too";
            self.draft.notes.whole(Kind::Decide, text);
            return;
        }
        let mut merged: Vec<(WindowsRule, DraftRule)> = Vec::new();
        let given = std::mem::take(&mut self.rules);
        for (host, rule) in &given {
            let index = match merged.iter().position(|(other, _)| other.is_same(rule)) {
                Some(index) => index,
                None => {
                    let draft = self.translate(rule);
                    merged.push((rule.clone(), draft));
                    merged.len() - 1
                }
            };
            let (_, draft) = &mut merged[index];
            match host.and_then(|host| ids.get(host)) {
                Some(id) => {
                    draft
                        .weights
                        .extend(rule.weight.map(|weight| (*id, weight)));
                    draft.priorities.extend(rule.priority.map(|it| (*id, it)));
                }
                None if rule.priority.is_some()
                    || (rule.weight.is_some() && !rule.is_equal_share()) =>
                {
                    let text = "its load weight or handling priority is of a host that is not named: write it into the rule";
                    self.draft.notes.at(Kind::Decide, rule.line, text);
                }
                None => {}
            }
        }
        for (rule, draft) in &mut merged {
            // What all share equally needs no numbers.
            if draft.weights.values().all(|weight| *weight == 50) {
                draft.weights.clear();
            }
            self.tell_missing(rule, draft, &given);
        }
        let list = merged.into_iter().map(|(_, draft)| draft).collect();
        let (list, lines) = expand(list, &self.draft.vips);
        for line in lines {
            let text = "the rule for all addresses is written for each, without what the rules of an address cover";
            self.draft.notes.at(Kind::Differs, line, text);
        }
        self.draft.rules = match &list[..] {
            [] => Rules::OneHost,
            [only]
                if only.weights.is_empty()
                    && only.rule == nlb_core::rules::Rule::all(only.rule.affinity) =>
            {
                Rules::Default(only.rule.affinity)
            }
            _ => Rules::List(list),
        };
    }

    fn translate(&mut self, rule: &WindowsRule) -> DraftRule {
        let mut draft = DraftRule::new(rule.line, rule.rule);
        if let Some(vip) = &rule.vip {
            draft.rule.vip = self.draft.add_vip(rule.line, vip);
            if draft.rule.vip.is_none() {
                let text = "the rule is written for all VIPs, for its address is none";
                self.draft.notes.at(Kind::Decide, rule.line, text);
            }
        }
        if rule.timeout.is_some_and(|minutes| minutes > 0) {
            let text = "extended affinity: a client keeps its host for as long as that host takes part and its share does not move";
            self.draft.notes.at(Kind::NoCounterpart, rule.line, text);
        }
        draft
    }

    /// Rules that some hosts were not asked for, or do not have.
    fn tell_missing(
        &mut self,
        rule: &WindowsRule,
        draft: &DraftRule,
        given: &[(Option<usize>, WindowsRule)],
    ) {
        let asked: Vec<_> = given.iter().filter_map(|(host, _)| *host).collect();
        let with: Vec<_> = given
            .iter()
            .filter(|(_, it)| it.is_same(rule))
            .filter_map(|(host, _)| *host)
            .collect();
        if !with.is_empty() && asked.iter().any(|host| !with.contains(host)) {
            let text = "not all hosts have this rule: compare them, for it is written for all";
            self.draft.notes.at(Kind::Decide, rule.line, text);
        }
        let numbered = draft.weights.len().max(draft.priorities.len());
        if numbered > 0 && numbered < self.nodes.len() {
            let text = "the load weights or handling priorities of the other hosts: `nlb params` of each host tells its own";
            self.draft.notes.at(Kind::Decide, rule.line, text);
        }
    }
}
