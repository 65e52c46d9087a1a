// SPDX-License-Identifier: GPL-2.0-only

//! A packet on its way through the chains of nft. What a rule asks is true, false, or not known: then it is neither dropped nor
//! certain to be accepted, and what drops it later does so only if nothing before has accepted it.

use std::fmt;

use serde_json::Value;

use super::{
    compare::{So, compare},
    packet::{Packet, What},
    ruleset::{Chain, Name, Rule, Ruleset},
};

/// Chains that jump to each other end here; nft allows 16.
const DEPTH_MAX: usize = 16;

/// Rules that a packet is led through at most.
const RULES_MAX: u32 = 100_000;

/// What drops a packet: a rule of a chain, by its handle, or the chain's policy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) chain: Name,
    pub(super) rule: Option<u64>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.rule.is_some() {
            "a rule"
        } else {
            "the policy"
        };
        let (family, table, chain) = &self.chain;
        write!(f, "{what} of the nft chain {family} {table} {chain}")
    }
}

impl Place {
    /// What helps.
    pub(super) fn remedy(&self) -> String {
        let (family, table, chain) = &self.chain;
        let name = format!("{family} {table} {chain}");
        match self.rule {
            Some(handle) => format!(
                "`nft -a list chain {name}` shows it, as handle {handle}; accept them before it"
            ),
            None => format!("`nft list chain {name}` shows it; add a rule that accepts them"),
        }
    }
}

/// What drops a packet, of all chains that it comes through on its way in, and whether that is certain.
pub(super) fn dropped(ruleset: &Ruleset, packet: &Packet) -> Option<(Place, bool)> {
    let mut redirected = false;
    let mut places = Vec::new();
    for chain in ruleset.base_chains() {
        let Some(hook) = concerned(chain, packet) else {
            continue;
        };
        let mut walk = Walk {
            ruleset,
            packet,
            unsure: false,
            redirected: false,
            left: RULES_MAX,
        };
        let fate = walk.chain(chain, So::Certain, false, 0);
        redirected |= walk.redirected;
        let place = match fate {
            Fate::Accepted => None,
            Fate::Dropped(place) => Some(place),
            Fate::Undecided => chain.drops.then(|| Place {
                chain: chain.name.clone(),
                rule: None,
            }),
        };
        if let Some(place) = place {
            places.push((hook, place, !walk.unsure));
        }
    }
    // What is for a container from now on does not come through the input.
    places.retain(|(hook, ..)| !(redirected && *hook == Hook::Input));
    let certain = places.iter().find(|(_, _, certain)| *certain);
    let found = certain.or(places.first())?;
    Some((found.1.clone(), found.2))
}

/// Where a chain is, as far as it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hook {
    Before,
    Input,
}

/// Whether a packet comes through a base chain.
fn concerned(chain: &Chain, packet: &Packet) -> Option<Hook> {
    let family = chain.name.0.as_str();
    let hook = match chain.hook.as_deref() {
        Some("ingress" | "prerouting") => Hook::Before,
        Some("input") => Hook::Input,
        // Heartbeats leave as well.
        Some("egress") if packet.what == What::Heartbeat => Hook::Before,
        _ => return None,
    };
    let of_device = chain
        .devices
        .iter()
        .any(|device| packet.beneath.contains(device));
    let comes = match (family, packet.what) {
        ("netdev", _) => of_device,
        ("bridge", _) => packet.bridge,
        (_, What::Heartbeat) if chain.devices.is_empty() => false,
        ("inet", _) => chain.devices.is_empty() || of_device,
        ("ip", What::Service { vip, .. }) => vip.is_ipv4(),
        ("ip6", What::Service { vip, .. }) => vip.is_ipv6(),
        _ => false,
    };
    comes.then_some(hook)
}

/// What becomes of a packet in a chain.
enum Fate {
    Accepted,
    Dropped(Place),
    /// It comes to the end of the chain, or returns from it.
    Undecided,
}

struct Walk<'a> {
    ruleset: &'a Ruleset,
    packet: &'a Packet,
    /// Something that is not known may have accepted it.
    unsure: bool,
    /// It may get another destination.
    redirected: bool,
    /// How many rules it may still come to.
    left: u32,
}

impl Walk<'_> {
    /// Leads the packet through a chain that it comes to if `so`; `named`: a rule on its way names its port.
    fn chain(&mut self, chain: &Chain, so: So, named: bool, depth: usize) -> Fate {
        if depth > DEPTH_MAX {
            self.unsure = true;
            return Fate::Undecided;
        }
        for rule in &chain.rules {
            let Some(left) = self.left.checked_sub(1) else {
                self.unsure = true;
                break;
            };
            self.left = left;
            match self.rule(chain, rule, so, named, depth) {
                Step::Next => {}
                Step::Leave => break,
                Step::End(fate) => return fate,
            }
        }
        Fate::Undecided
    }

    fn rule(&mut self, chain: &Chain, rule: &Rule, so: So, named: bool, depth: usize) -> Step {
        let (mut so, mut named) = (so, named);
        for statement in &rule.statements {
            let Some((kind, inner)) = statement
                .as_object()
                .and_then(|object| object.iter().next())
            else {
                // What nft itself does not understand.
                self.unsure = true;
                so = so.and(So::Perhaps);
                continue;
            };
            match kind.as_str() {
                "match" => {
                    so = so.and(self.comparison(chain, inner));
                    named |= is_port(inner.get("left"));
                }
                "vmap" => {
                    match self.map(chain, rule, inner, so, named, depth) {
                        Step::Next => {}
                        step => return step,
                    }
                    continue;
                }
                "limit" | "quota" | "ct count" | "connlimit" => so = so.and(So::Perhaps),
                // Older versions of nft do not tell its name.
                "xt" if inner.is_null() => {
                    self.unsure = true;
                    so = so.and(So::Perhaps);
                }
                "xt" if is_match(inner) => so = so.and(iptables_match(inner)),
                _ => match self.verdict(chain, rule, (kind, inner), so, named, depth) {
                    Step::Next => {}
                    step => return step,
                },
            }
            if so == So::Not {
                return Step::Next;
            }
        }
        Step::Next
    }

    /// What a statement does with a packet that comes to it if `so`.
    fn verdict(
        &mut self,
        chain: &Chain,
        rule: &Rule,
        (kind, inner): (&str, &Value),
        so: So,
        named: bool,
        depth: usize,
    ) -> Step {
        let certain = so == So::Certain;
        match kind {
            "accept" if certain => Step::End(Fate::Accepted),
            "accept" => {
                // What is for some clients, without a word about the port, is not for those of the service.
                self.unsure |= so == So::Perhaps || named;
                Step::Next
            }
            "drop" | "reject" if certain => Step::End(Fate::Dropped(Place {
                chain: chain.name.clone(),
                rule: Some(rule.handle),
            })),
            "return" if certain => Step::Leave,
            "jump" | "goto" => {
                let target = inner
                    .get("target")
                    .and_then(Value::as_str)
                    .unwrap_or_default();
                let Some(target) = self.ruleset.chain(&chain.name, target) else {
                    self.unsure = true;
                    return Step::Next;
                };
                match self.chain(target, so, named, depth + 1) {
                    Fate::Undecided if kind == "goto" && certain => Step::Leave,
                    Fate::Undecided => Step::Next,
                    fate => Step::End(fate),
                }
            }
            "dnat" | "redirect" => {
                self.redirected = true;
                if certain {
                    Step::End(Fate::Accepted)
                } else {
                    Step::Next
                }
            }
            "xt" => match inner.get("name").and_then(Value::as_str) {
                Some("REJECT" | "DROP") => {
                    self.verdict(chain, rule, ("drop", inner), so, named, depth)
                }
                Some("DNAT" | "REDIRECT") => {
                    self.verdict(chain, rule, ("dnat", inner), so, named, depth)
                }
                Some("LOG" | "NFLOG" | "MARK" | "CONNMARK" | "TCPMSS" | "CT" | "NOTRACK") => {
                    Step::Next
                }
                _ => {
                    self.unsure = true;
                    Step::Next
                }
            },
            "return" | "queue" | "tproxy" | "synproxy" | "fwd" => {
                self.unsure = true;
                Step::Next
            }
            _ => Step::Next,
        }
    }

    /// Does what a map of verdicts has for the packet.
    fn map(
        &mut self,
        chain: &Chain,
        rule: &Rule,
        inner: &Value,
        so: So,
        named: bool,
        depth: usize,
    ) -> Step {
        let key = inner.get("key").unwrap_or(&Value::Null);
        let field = self.packet.field(&chain.name.0, key);
        let Some(Value::Array(entries)) = inner.get("data").and_then(|data| data.get("set")) else {
            self.unsure = true;
            return Step::Next;
        };
        for entry in entries {
            let (Some(value), Some(verdict)) = (entry.get(0), entry.get(1)) else {
                continue;
            };
            let here = so.and(compare(self.ruleset, &chain.name, &field, "==", value));
            let verdict = verdict.as_object().and_then(|object| object.iter().next());
            let (Some((kind, inner)), false) = (verdict, here == So::Not) else {
                continue;
            };
            let named = named || is_port(Some(key));
            match self.verdict(chain, rule, (kind, inner), here, named, depth) {
                Step::Next => {}
                step => return step,
            }
        }
        Step::Next
    }

    fn comparison(&self, chain: &Chain, inner: &Value) -> So {
        let side = |key: &str| inner.get(key).unwrap_or(&Value::Null);
        let operator = inner.get("op").and_then(Value::as_str).unwrap_or_default();
        let field = self.packet.field(&chain.name.0, side("left"));
        compare(self.ruleset, &chain.name, &field, operator, side("right"))
    }
}

/// How it goes on after a rule.
enum Step {
    Next,
    /// Back to the chain that this one was jumped to from.
    Leave,
    End(Fate),
}

fn is_match(inner: &Value) -> bool {
    inner.get("type").and_then(Value::as_str) == Some("match")
}

/// What a match of iptables asks, of which nft tells the name alone.
fn iptables_match(inner: &Value) -> So {
    match inner.get("name").and_then(Value::as_str) {
        Some("comment") => So::Certain,
        // Nearly always that a connection is known, which a new one is not.
        Some("conntrack" | "state") => So::Some,
        _ => So::Perhaps,
    }
}

/// Whether an expression is the port of a service.
fn is_port(expression: Option<&Value>) -> bool {
    let field = expression.and_then(|expression| expression.get("payload")?.get("field"));
    field.and_then(Value::as_str) == Some("dport")
}
