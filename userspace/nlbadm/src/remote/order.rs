// SPDX-License-Identifier: GPL-2.0-only

//! What one host asks another to do: one of nlbadm's verbs, without the interface, which may be another there.

use std::{fmt, net::IpAddr, time::Duration};

use nlb_core::{genl::Control, rules::RuleState};
use nlb_netlink::Named;
use serde::{Deserialize, Serialize, Serializer};

use crate::{
    cli::{EchoArg, Elsewhere, ResponderArg, RulesVerb, Set, Target, Verb, VipVerb},
    failure::Failure,
    rulefile::{self, RuleFile},
    rulename::RuleName,
};

/// What is asked of a host, as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Request {
    /// The host that is meant, by its id: no other does it.
    pub(crate) host: u8,
    /// What it shall do.
    pub(crate) order: Order,
}

/// What a host says of it, as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Reply {
    /// Exit code of the verb; 0: it was done.
    pub(crate) exit: u8,
    /// Why it was not done.
    #[serde(default)]
    pub(crate) message: Option<String>,
    /// The hosts that what was handed over waits for.
    #[serde(default)]
    pub(crate) waits_for: Vec<u8>,
    /// The state of the host, where it was asked for.
    #[serde(default)]
    pub(crate) state: Option<String>,
}

impl Reply {
    /// What became of a verb.
    pub(crate) fn of(done: Result<Done, Failure>) -> Self {
        match done {
            Ok(done) => Reply {
                exit: 0,
                message: None,
                waits_for: done.waits_for,
                state: done.state,
            },
            Err(failure) => Reply {
                exit: failure.exit as u8,
                message: Some(failure.message),
                waits_for: Vec::new(),
                state: None,
            },
        }
    }
}

/// What there is to tell of a verb that was done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Done {
    /// The hosts that what was handed over waits for.
    pub(crate) waits_for: Vec<u8>,
    /// The state of the host, where it was asked for.
    pub(crate) state: Option<String>,
}

/// A verb with its arguments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Order {
    /// `start`, `stop`, `drain`, `suspend`, `resume`, `announce`
    #[serde(serialize_with = "name", deserialize_with = "rulefile::named")]
    Control(Control),
    /// `drainstop`. Who wants to wait asks for the state again and again: nothing waits at the host that is asked.
    Drainstop {
        /// Stop after so many seconds in any case.
        timeout_s: Option<u32>,
    },
    /// What state the host is in. It changes nothing.
    State,
    /// `enable`, `disable` and `drain` of one rule
    Rule {
        /// As people name it.
        rule: RuleName,
        /// What the host shall do about it.
        #[serde(serialize_with = "name", deserialize_with = "rulefile::named")]
        state: RuleState,
    },
    /// `set`
    Set(Change),
    /// `vip add`
    VipAdd(Vec<IpAddr>),
    /// `vip del`
    VipDel(Vec<IpAddr>),
    /// `rules apply`, with the text of the file
    Rules(String),
}

/// What `set` changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Change {
    pub(crate) weight: Option<u8>,
    // Not written where there is none: a host of an older version refuses what it does not know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rule: Option<RuleName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) priority: Option<u8>,
    pub(crate) sessions_max: Option<u32>,
    pub(crate) period: Option<Duration>,
    pub(crate) tolerance: Option<u32>,
    pub(crate) echo: Option<EchoArg>,
    pub(crate) responder: Option<ResponderArg>,
    pub(crate) withdraw: bool,
}

/// Writes a value of the specification by its name.
fn name<T: Named, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(value.name())
}

/// For logs: what is asked for, in few words.
impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Order::Control(control) => f.write_str(control.name()),
            Order::Drainstop { .. } => f.write_str("drainstop"),
            Order::State => f.write_str("state"),
            Order::Rule { rule, state } => {
                let verb = match state {
                    RuleState::Enabled => "enable",
                    RuleState::Disabled => "disable",
                    RuleState::Draining => "drain",
                };
                write!(f, "{verb} {rule}")
            }
            Order::Set(_) => f.write_str("set"),
            Order::VipAdd(_) => f.write_str("vip add"),
            Order::VipDel(_) => f.write_str("vip del"),
            Order::Rules(_) => f.write_str("rules apply"),
        }
    }
}

impl Order {
    /// What a verb asks of other hosts, of which cluster, and of which hosts; none if it is about this host.
    ///
    /// # Errors
    ///
    /// If a file of rules cannot be read or is not right, or a drain would be waited for without end.
    pub(crate) fn of(verb: &Verb) -> Result<Option<(Self, Target, Elsewhere)>, Failure> {
        let (target, elsewhere) = match verb {
            Verb::Start(it)
            | Verb::Stop(it)
            | Verb::Suspend(it)
            | Verb::Resume(it)
            | Verb::Announce(it) => (it.target.clone(), &it.elsewhere),
            Verb::Drain(it) => (it.clone().split().1, &it.elsewhere),
            Verb::Enable(it) | Verb::Disable(it) => (it.target.clone(), &it.elsewhere),
            Verb::Drainstop(it) => (it.target.clone(), &it.elsewhere),
            Verb::Set(it) => (it.target.clone(), &it.elsewhere),
            Verb::Vip(
                VipVerb::Add {
                    target, elsewhere, ..
                }
                | VipVerb::Del {
                    target, elsewhere, ..
                },
            ) => (target.clone(), elsewhere),
            Verb::Rules(it) => match &it.verb {
                Some(RulesVerb::Apply {
                    target, elsewhere, ..
                }) => (target.clone(), elsewhere),
                _ => return Ok(None),
            },
            _ => return Ok(None),
        };
        if elsewhere.on.is_none() {
            return Ok(None);
        }
        let order = Self::alone(verb)?;
        Ok(order.map(|order| (order, target, elsewhere.clone())))
    }

    /// A verb without the cluster and the hosts.
    fn alone(verb: &Verb) -> Result<Option<Self>, Failure> {
        let rule = |rule, state| Order::Rule { rule, state };
        Ok(Some(match verb {
            Verb::Start(_) => Order::Control(Control::Start),
            Verb::Stop(_) => Order::Control(Control::Stop),
            Verb::Suspend(_) => Order::Control(Control::Suspend),
            Verb::Resume(_) => Order::Control(Control::Resume),
            Verb::Announce(_) => Order::Control(Control::Announce),
            Verb::Drain(it) => match it.clone().split().0 {
                Some(name) => rule(name, RuleState::Draining),
                None => Order::Control(Control::Drain),
            },
            Verb::Enable(it) => rule(it.rule, RuleState::Enabled),
            Verb::Disable(it) => rule(it.rule, RuleState::Disabled),
            Verb::Drainstop(it) if it.wait && it.timeout.is_none() => {
                return Err(Failure::usage(
                    "to wait for other hosts, say how long they may drain: --wait --timeout 10m",
                ));
            }
            Verb::Drainstop(it) => Order::Drainstop {
                timeout_s: it.timeout,
            },
            Verb::Set(it) => Order::Set(Change::of(it)),
            Verb::Vip(VipVerb::Add { vips, .. }) => Order::VipAdd(vips.0.clone()),
            Verb::Vip(VipVerb::Del { vips, .. }) => Order::VipDel(vips.0.clone()),
            Verb::Rules(it) => match &it.verb {
                Some(RulesVerb::Apply {
                    unchecked: true, ..
                }) => {
                    return Err(Failure::usage("other hosts check what they are given"));
                }
                Some(RulesVerb::Apply { file, .. }) => {
                    Order::Rules(RuleFile::read(file)?.text().into())
                }
                _ => return Ok(None),
            },
            _ => return Ok(None),
        }))
    }

    /// Whether all hosts have to be told the same for it to come into force.
    pub(crate) fn is_shared(&self) -> bool {
        match self {
            Order::Set(change) => change.is_shared(),
            Order::VipAdd(_) | Order::VipDel(_) | Order::Rules(_) => true,
            _ => false,
        }
    }
}

impl Change {
    /// Whether it is about what all hosts share.
    fn is_shared(&self) -> bool {
        self.period.is_some()
            || self.tolerance.is_some()
            || self.echo.is_some()
            || self.responder.is_some()
    }

    /// Whether it is what the arguments of one `set` can be: of the host, of all, or a withdrawal.
    pub(crate) fn is_one(&self) -> bool {
        let own = self.rule.is_none() && (self.weight.is_some() || self.sessions_max.is_some());
        let of_rule =
            self.weight.is_some() != self.priority.is_some() && self.sessions_max.is_none();
        let names_rule = self.rule.is_some() || self.priority.is_some();
        [own, names_rule, self.is_shared(), self.withdraw]
            .into_iter()
            .filter(|&kind| kind)
            .count()
            == 1
            && (!names_rule || self.rule.is_some() && of_rule)
    }

    fn of(set: &Set) -> Self {
        Change {
            weight: set.weight,
            rule: set.rule,
            priority: set.priority,
            sessions_max: set.sessions_max,
            period: set.period,
            tolerance: set.tolerance,
            echo: set.echo,
            responder: set.responder,
            withdraw: set.withdraw,
        }
    }
}
