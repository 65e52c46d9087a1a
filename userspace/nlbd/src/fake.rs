// SPDX-License-Identifier: GPL-2.0-only

//! A kernel for tests: one cluster, "web", of which this is host 2.

use std::{cell::RefCell, rc::Rc};

use nlb_core::{
    genl::Control,
    rules::{Rule, RuleState},
    state::HostState,
};
use nlb_netlink::{
    Error,
    attribute::{ClusterAttribute, MemberAttribute, RuleAttribute},
    object::{BucketMap, Cluster, ClusterChange, Member, PortRule, RuleChange},
};

use crate::kernel::Kernel;

const IFINDEX: u32 = 3;

/// What there is; tests and the code under test share it.
#[derive(Clone, Debug)]
pub(crate) struct Fake(pub(crate) Rc<RefCell<World>>);

#[derive(Debug)]
pub(crate) struct World {
    /// State of this host.
    pub(crate) state: HostState,
    /// The rules in force, and what this host does about them.
    pub(crate) rules: Vec<(Rule, RuleState)>,
    /// Whether host 1 is there and takes all rules but these.
    pub(crate) other: bool,
    pub(crate) only_here: Vec<u16>,
    pub(crate) incarnation: u64,
    /// Load weight of this host.
    pub(crate) weight: u8,
    /// Whether changes fail.
    pub(crate) refuses: bool,
    /// What was changed.
    pub(crate) changes: Vec<String>,
    /// How often it was asked for anything.
    pub(crate) asked: usize,
}

impl Fake {
    /// This host serves these rules with host 1.
    pub(crate) fn new(rules: Vec<Rule>) -> Self {
        let enabled = rules.into_iter().map(|rule| (rule, RuleState::Enabled));
        Fake(Rc::new(RefCell::new(World {
            state: HostState::Converged,
            rules: enabled.collect(),
            other: true,
            only_here: Vec::new(),
            incarnation: 7,
            weight: 50,
            refuses: false,
            changes: Vec::new(),
            asked: 0,
        })))
    }
}

impl World {
    fn change(&mut self, text: String) -> Result<(), Error> {
        if self.refuses {
            return Err(Error::Lost);
        }
        self.changes.push(text);
        Ok(())
    }
}

impl Kernel for Fake {
    fn clusters(&mut self) -> Result<Vec<Cluster>, Error> {
        let mut world = self.0.borrow_mut();
        world.asked += 1;
        Ok(vec![Cluster::from_attributes(vec![
            ClusterAttribute::Ifindex(IFINDEX),
            ClusterAttribute::Ifname("eth0".into()),
            ClusterAttribute::Name("web".into()),
            ClusterAttribute::HostId(2),
            ClusterAttribute::State(world.state.into()),
            ClusterAttribute::Weight(world.weight),
        ])?])
    }

    fn members(&mut self, _ifindex: u32) -> Result<Vec<Member>, Error> {
        let world = self.0.borrow();
        let member = |id: u8, state: HostState| {
            let mut attributes = vec![
                MemberAttribute::HostId(id),
                MemberAttribute::State(state.into()),
                MemberAttribute::Incarnation(world.incarnation),
                MemberAttribute::Member(()),
            ];
            attributes.extend((id == 2).then_some(MemberAttribute::This(())));
            Member::from_attributes(attributes)
        };
        let mut members = vec![member(2, world.state)?];
        if world.other {
            members.push(member(1, HostState::Converged)?);
        }
        Ok(members)
    }

    fn rules(&mut self, _ifindex: u32) -> Result<Vec<PortRule>, Error> {
        let world = self.0.borrow();
        let rule = |(number, (rule, state)): (u16, &(Rule, RuleState))| {
            let mut attributes = vec![
                RuleAttribute::Number(number),
                RuleAttribute::Protocols(rule.protocols.into()),
                RuleAttribute::FirstPort(rule.first_port),
                RuleAttribute::LastPort(rule.last_port),
                RuleAttribute::Mode(rule.mode.into()),
                RuleAttribute::State((*state).into()),
            ];
            attributes.extend(rule.vip.map(RuleAttribute::Vip));
            Ok(PortRule::from_attributes(attributes)?)
        };
        (0..).zip(&world.rules).map(rule).collect()
    }

    fn buckets(&mut self, _ifindex: u32) -> Result<Vec<BucketMap>, Error> {
        let world = self.0.borrow();
        let serves = world.state == HostState::Converged;
        let map = |(slot, (_, state)): (u16, &(Rule, RuleState))| {
            let own = serves && *state == RuleState::Enabled;
            let other = world.other && !world.only_here.contains(&slot);
            let owners = match (own, other) {
                (true, true) => vec![1, 2],
                (true, false) => vec![2, 2],
                (false, true) => vec![1, 1],
                (false, false) => vec![0, 0],
            };
            BucketMap {
                slot,
                generation: 1,
                owners,
                residue: Vec::new(),
            }
        };
        Ok((0..).zip(&world.rules).map(map).collect())
    }

    fn change(&mut self, _ifindex: u32, change: ClusterChange) -> Result<(), Error> {
        let mut world = self.0.borrow_mut();
        world.change(format!("{change:?}"))?;
        world.state = match change {
            ClusterChange::Control(Control::Drain) => HostState::Draining,
            _ => HostState::Converged,
        };
        Ok(())
    }

    fn change_rule(&mut self, _ifindex: u32, number: u16, change: RuleChange) -> Result<(), Error> {
        let mut world = self.0.borrow_mut();
        let state = match change {
            RuleChange::State(state) => state,
            RuleChange::Weight(weight) => {
                world.change(format!("rule {number} weight {weight}"))?;
                world.weight = weight;
                return Ok(());
            }
            RuleChange::Priority(_) => panic!("{change:?}"),
        };
        world.change(format!("rule {number} {}", state.name()))?;
        world.rules[usize::from(number)].1 = state;
        Ok(())
    }
}
