// SPDX-License-Identifier: GPL-2.0-only

//! A cluster that goes and is made again as it was, when the module is replaced.

use std::path::Path;

use nlb_core::{genl::Control, rules::RuleState};
use nlb_netlink::object::{Cluster, ClusterChange, PortRule, RuleChange};

use super::{Goal, find, prepare, read_key, restart::state_after};
use crate::{
    cmd::up,
    config::{Config, Difference, InitialState, Machine},
    failure::{Exit, Failure},
    host::Host,
    kernel::Kernel,
};

/// What a running cluster is made again of.
pub(in crate::cmd) struct Again {
    goal: Goal,
    /// The rules that an operator, or nlbd, has drained or disabled on this host.
    rules: Vec<(u16, RuleState)>,
}

impl Again {
    /// What a cluster is made again of: its file in this directory, with the key. Nothing is changed.
    ///
    /// # Errors
    ///
    /// If there is no such file, or it says otherwise than what runs.
    pub(in crate::cmd) fn of<K: Kernel + Host>(
        kernel: &mut K,
        cluster: &Cluster,
        directory: &Path,
    ) -> Result<Self, Failure> {
        let path = directory.join(format!("{}.toml", cluster.name));
        let config = Config::read(&path)?;
        let section = config.section(&Machine::read(kernel), None)?;
        let settings = config.settings(section);
        let running = find(kernel, &settings)?
            .filter(|running| running.cluster.ifindex == cluster.ifindex)
            .ok_or_else(|| {
                let text = format!("{} is about another cluster or interface", path.display());
                Failure::new(Exit::Failed, text)
            })?;
        if !Difference::new(Some(&running.settings), &settings).is_empty() {
            let text = format!(
                "it differs from {0}, of which it would be made again: `nlbadm apply --dry-run {0}` tells in what",
                path.display()
            );
            return Err(Failure::new(Exit::NeedsRestart, text));
        }
        let rules = kernel.rules(cluster.ifindex)?;
        Ok(Again {
            goal: Goal {
                key: read_key(&config, &settings)?,
                settings,
                state: state_after(cluster),
            },
            rules: rules.iter().filter_map(held).collect(),
        })
    }

    /// What the host does afterwards.
    pub(in crate::cmd) fn state(&self) -> InitialState {
        self.goal.state
    }

    /// Makes the cluster, as it was.
    pub(in crate::cmd) fn make<K: Kernel + Host>(&self, kernel: &mut K) -> Result<(), Failure> {
        let new = prepare(kernel, &self.goal, None)?;
        // A rule that was given up takes no connection in between.
        let state = match self.goal.state {
            InitialState::Started => InitialState::Stopped,
            other => other,
        };
        up::build(kernel, &new, state)?;
        for &(number, state) in &self.rules {
            kernel.change_rule(new.ifindex, number, RuleChange::State(state))?;
        }
        if self.goal.state == InitialState::Started {
            kernel.change(new.ifindex, ClusterChange::Control(Control::Start))?;
        }
        Ok(())
    }
}

/// A rule in force that this host does not serve as the file has it.
fn held(rule: &PortRule) -> Option<(u16, RuleState)> {
    let state = rule.state.known()?;
    (!rule.pending && state != RuleState::Enabled).then_some((rule.number, state))
}
