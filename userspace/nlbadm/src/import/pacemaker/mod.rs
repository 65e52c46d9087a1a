// SPDX-License-Identifier: GPL-2.0-only

//! Pacemaker's IPaddr2 resources. Each interface with such addresses is a cluster.
//!
//! A clone with `globally-unique` is what nlb does; an address without one is on one host at a time.

mod cib;
mod crm;
mod parameter;

use std::net::IpAddr;

use nlb_core::{
    genl::Affinity,
    rules::{FilteringMode, Rule},
};

use super::{
    draft::{Draft, DraftHost, DraftRule, Rules, give_ids},
    note::{Kind, Notes},
};

/// What both forms of the configuration tell.
#[derive(Debug, Default)]
struct Resources {
    /// What Pacemaker calls the cluster.
    name: Option<String>,
    nodes: Vec<Node>,
    primitives: Vec<Primitive>,
    clones: Vec<Cloned>,
    groups: Vec<Group>,
    constraints: Vec<Constraint>,
    notes: Notes,
}

/// A machine.
#[derive(Debug)]
struct Node {
    id: Option<u32>,
    name: String,
}

/// A resource.
#[derive(Debug)]
struct Primitive {
    line: usize,
    id: String,
    /// `ocf:heartbeat:IPaddr2`
    agent: String,
    parameters: Vec<Pair>,
}

/// A key with its value.
#[derive(Debug)]
struct Pair {
    line: usize,
    key: String,
    value: String,
}

/// A resource that runs several times.
#[derive(Debug)]
struct Cloned {
    line: usize,
    id: String,
    member: String,
    meta: Vec<Pair>,
}

/// Resources that run together.
#[derive(Debug)]
struct Group {
    id: String,
    members: Vec<String>,
}

/// Where resources may run, and in which order.
#[derive(Debug)]
struct Constraint {
    line: usize,
    id: String,
    /// `location`, `colocation`, `order`
    kind: String,
    /// The names that it has.
    about: Vec<String>,
}

/// An address, as its resource tells it.
#[derive(Debug)]
struct Address<'a> {
    primitive: &'a Primitive,
    clone: Option<&'a Cloned>,
    affinity: Affinity,
}

pub(super) fn read(text: &str) -> Result<Vec<Draft>, String> {
    let resources = if text.trim_start().starts_with('<') {
        cib::parse(text)?
    } else {
        crm::parse(text)
    };
    Ok(resources.drafts())
}

/// Whether an agent keeps an IP address on a host.
fn is_address(agent: &str) -> bool {
    let name = agent.rsplit(':').next().unwrap_or_default();
    matches!(name, "IPaddr2" | "IPaddr" | "IPv6addr")
}

fn value<'a>(pairs: &'a [Pair], key: &str) -> Option<&'a Pair> {
    pairs.iter().find(|pair| pair.key == key)
}

fn is_true(pair: Option<&Pair>) -> bool {
    pair.is_some_and(|it| {
        matches!(
            it.value.to_ascii_lowercase().as_str(),
            "true" | "yes" | "on" | "1"
        )
    })
}

impl Resources {
    fn drafts(&self) -> Vec<Draft> {
        let addresses: Vec<_> = self
            .primitives
            .iter()
            .filter(|it| is_address(&it.agent))
            .map(|it| self.address(it))
            .collect();
        let mut interfaces: Vec<Option<&str>> = Vec::new();
        for address in &addresses {
            let interface = address.interface();
            if !interfaces.contains(&interface) {
                interfaces.push(interface);
            }
        }
        let name = self.name.as_deref().filter(|_| interfaces.len() == 1);
        interfaces
            .into_iter()
            .map(|it| self.draft(it, name, &addresses))
            .collect()
    }

    fn address<'a>(&'a self, primitive: &'a Primitive) -> Address<'a> {
        let group = self
            .groups
            .iter()
            .find(|it| it.members.contains(&primitive.id));
        let name = |clone: &&Cloned| {
            clone.member == primitive.id || group.is_some_and(|group| clone.member == group.id)
        };
        let hash = value(&primitive.parameters, "clusterip_hash");
        Address {
            primitive,
            clone: self.clones.iter().find(name),
            affinity: match hash.map(|pair| pair.value.as_str()) {
                None | Some("sourceip-sourceport" | "sourceip-sourceport-destport") => {
                    Affinity::None
                }
                Some(_) => Affinity::Single,
            },
        }
    }

    /// The cluster of an interface; without a name it has that of its first address.
    fn draft(
        &self,
        interface: Option<&str>,
        name: Option<&str>,
        addresses: &[Address<'_>],
    ) -> Draft {
        let own: Vec<_> = addresses
            .iter()
            .filter(|it| it.interface() == interface)
            .collect();
        let first = own.first().map_or("imported", |it| it.name());
        let mut draft = Draft::new(name.unwrap_or(first));
        draft.interface = interface.map(str::to_owned);
        draft.notes.extend(&self.notes);
        let mut rules = Vec::new();
        for address in &own {
            if let Some(vip) = address.tell(&mut draft) {
                rules.push(address.rule(vip));
            }
        }
        draft.rules = shortest(rules);
        self.hosts(&mut draft);
        self.tell_others(&mut draft, addresses);
        draft
    }

    fn hosts(&self, draft: &mut Draft) {
        let wanted: Vec<_> = self.nodes.iter().map(|node| node.id).collect();
        let ids = give_ids(&wanted);
        draft.hosts = self
            .nodes
            .iter()
            .zip(&ids)
            .map(|(node, id)| DraftHost {
                name: Some(node.name.clone()),
                ..DraftHost::new(*id)
            })
            .collect();
    }

    /// What else the cluster manager does.
    fn tell_others(&self, draft: &mut Draft, addresses: &[Address<'_>]) {
        for other in self.primitives.iter().filter(|it| !is_address(&it.agent)) {
            let text = match other.agent.starts_with("stonith:") {
                true => "fencing: a host that is gone serves nothing, and the others take its clients over".into(),
                false => format!(
                    "{} ({}): nlb starts and watches no service; let systemd start it on every host, and see \
                     `health = \"passive\"` of rules",
                    other.id, other.agent
                ),
            };
            draft.notes.at(Kind::NoCounterpart, other.line, text);
        }
        let mut names: Vec<&str> = Vec::new();
        for address in addresses {
            names.push(&address.primitive.id);
            names.extend(address.clone.map(|clone| clone.id.as_str()));
            let group = self
                .groups
                .iter()
                .find(|it| it.members.contains(&address.primitive.id));
            names.extend(group.map(|group| group.id.as_str()));
        }
        for constraint in &self.constraints {
            if constraint
                .about
                .iter()
                .any(|name| names.contains(&name.as_str()))
            {
                let text = format!(
                    "the {} constraint {}: every host of the file takes part; `weight` of a host and `mode = \"single\"` with \
                     `priorities` of a rule say who serves how much",
                    constraint.kind, constraint.id
                );
                draft.notes.at(Kind::NoCounterpart, constraint.line, text);
            }
        }
    }
}

impl Address<'_> {
    /// The name that people know it by.
    fn name(&self) -> &str {
        &self.primitive.id
    }

    /// The interface, without the label of an alias.
    fn interface(&self) -> Option<&str> {
        let nic = value(&self.primitive.parameters, "nic")?;
        nic.value.split(':').next().filter(|name| !name.is_empty())
    }

    /// Adds the VIP to a draft, and says what of its resource becomes what.
    fn tell(&self, draft: &mut Draft) -> Option<IpAddr> {
        let Primitive {
            line,
            id,
            parameters,
            ..
        } = self.primitive;
        let address = value(parameters, "ip").or(value(parameters, "ipv6addr"));
        let Some(address) = address else {
            draft.notes.at(
                Kind::NotUnderstood,
                *line,
                format!("{id} has no parameter ip"),
            );
            return None;
        };
        let text = address.value.split('/').next().unwrap_or_default();
        let vip = draft.add_vip(address.line, text)?;
        for pair in parameters {
            parameter::tell(draft, pair);
        }
        match self.clone {
            None => draft.notes.at(
                Kind::Differs,
                *line,
                format!(
                    "{id} is no clone: one host serves {vip}, as now. To share its clients among all hosts, leave out the rule \
                     with mode single, or `rule = []`"
                ),
            ),
            Some(clone) => self.tell_clone(draft, clone, vip),
        }
        Some(vip)
    }

    fn tell_clone(&self, draft: &mut Draft, clone: &Cloned, vip: IpAddr) {
        if !is_true(value(&clone.meta, "globally-unique")) {
            let text = format!(
                "the clone {} is not globally-unique: each host has {vip} for itself now, and shares its clients under nlb",
                clone.id
            );
            draft.notes.at(Kind::Decide, clone.line, text);
        }
        let text = format!(
            "the clone {}: its instances were the shares; with nlb a host that comes or goes moves only what must move, and \
             `weight` of a host says how much it takes",
            clone.id
        );
        draft.notes.at(Kind::Differs, clone.line, text);
        for pair in &clone.meta {
            if !parameter::META.contains(&pair.key.as_str()) {
                let text = format!("the meta attribute {}", pair.key);
                draft.notes.at(Kind::NoCounterpart, pair.line, text);
            }
        }
    }

    fn rule(&self, vip: IpAddr) -> DraftRule {
        let rule = Rule {
            vip: Some(vip),
            mode: match self.clone {
                Some(_) => FilteringMode::Multiple,
                None => FilteringMode::Single,
            },
            ..Rule::all(match self.clone {
                Some(_) => self.affinity,
                None => Affinity::Single,
            })
        };
        DraftRule::new(self.primitive.line, rule)
    }
}

/// The shortest way to say rules of one for each VIP.
fn shortest(rules: Vec<DraftRule>) -> Rules {
    let same = |mode: FilteringMode, affinity: Affinity| {
        let like = |it: &DraftRule| it.rule.mode == mode && it.rule.affinity == affinity;
        rules.iter().all(like)
    };
    if same(FilteringMode::Single, Affinity::Single) {
        Rules::OneHost
    } else if same(FilteringMode::Multiple, Affinity::Single) {
        Rules::Default(Affinity::Single)
    } else if same(FilteringMode::Multiple, Affinity::None) {
        Rules::Default(Affinity::None)
    } else {
        Rules::List(rules)
    }
}
