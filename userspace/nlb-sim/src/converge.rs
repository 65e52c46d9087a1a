// SPDX-License-Identifier: GPL-2.0-only

//! Whether all hosts serve in one generation, after the healing and at the end.

use nlb_core::node::Node;
use nlb_core::state::{HostState, OutReason};

use crate::check::{Property, Violation};
use crate::world::World;

impl World<'_> {
    /// After the healing: notes when all serve in one generation, and how long they took.
    pub(crate) fn look_for_convergence(&mut self) -> Result<(), Violation> {
        match self.unconverged() {
            None => {
                self.converged_at = Some(self.now());
                self.say(|| "all have converged".to_owned());
                Ok(())
            }
            Some(why) if self.now() > self.plan.heal_at + self.heal_bound() + self.held_out() => {
                Err(self.violation(Property::Heals, why))
            }
            Some(_) => Ok(()),
        }
    }

    /// How much longer the healing may take, in nanoseconds, because a host is held out by name for having come too
    /// often: at most 32 times the silence.
    fn held_out(&self) -> u64 {
        let held = self
            .hosts
            .iter()
            .filter_map(|host| host.node.as_ref())
            .any(|node| node.out_reason() == OutReason::Flapping);
        if held {
            33 * self.plan.period_ns * u64::from(self.plan.tolerance)
        } else {
            0
        }
    }

    /// Why not all hosts of the plan serve in one generation, if they do not.
    pub(crate) fn unconverged(&self) -> Option<String> {
        let n = self.plan.hosts.len();
        let all = self.hosts[..n]
            .iter()
            .fold(0u64, |set, host| set | (1 << host.id.index()));
        let first = self.hosts[0]
            .node
            .as_ref()
            .map(Node::generation)
            .unwrap_or(nlb_core::wire::GenId::NONE);
        for (index, host) in self.hosts[..n].iter().enumerate() {
            let Some(node) = &host.node else {
                return Some(format!("host #{index} has no power"));
            };
            if node.state() != HostState::Converged {
                return Some(format!(
                    "host #{index} is {} ({})",
                    node.state().name(),
                    node.out_reason().name()
                ));
            }
            if node.generation() != first {
                return Some(format!(
                    "host #{index} has generation {:?}, host #0 {first:?}",
                    node.generation()
                ));
            }
            if node.view_members().0 != all {
                return Some(format!(
                    "generation {first:?} has members {:#x} of {all:#x}",
                    node.view_members().0
                ));
            }
        }
        self.unserved()
    }

    /// A bucket that has not one owner, if there is one.
    fn unserved(&self) -> Option<String> {
        let slots = self.plan.slots.len();
        (0..=slots).find_map(|slot| {
            let right = u32::from(self.owners.somebody_eligible(slot));
            (0..self.plan.buckets)
                .map(|bucket| (bucket, self.owners.of(slot, bucket).count_ones()))
                .find(|(_, count)| *count != right)
                .map(|(bucket, count)| format!("bucket {bucket} of slot {slot} has {count} owners"))
        })
    }

    /// The end of the run: everything has to be as it was when all had converged.
    pub(crate) fn finally(&mut self) -> Result<(), Violation> {
        if self.converged_at.is_none() {
            let why = self
                .unconverged()
                .unwrap_or_else(|| "the run ended before".to_owned());
            return Err(self.violation(Property::Heals, why));
        }
        match self.unconverged() {
            Some(why) => Err(self.violation(Property::Stable, format!("after convergence: {why}"))),
            None => match self.residue_left() {
                Some(why) => Err(self.violation(Property::Residue, why)),
                None => Ok(()),
            },
        }
    }
}
