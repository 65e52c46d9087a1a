// SPDX-License-Identifier: GPL-2.0-only

//! Hosts with and without power, and what their packet paths would see.

use nlb_core::node::{Command, Node};
use nlb_core::store::Sizes;
use nlb_tables::Tables;

use crate::check::agreement::View;
use crate::check::calm::{Set, each, one};
use crate::check::{Property, Violation};
use crate::expect::What;
use crate::host::Role;
use crate::world::World;

impl World<'_> {
    pub(crate) fn apply_ownership(&mut self, index: usize) -> Result<(), Violation> {
        let host = &mut self.hosts[index];
        let Some(node) = &host.node else {
            return Ok(());
        };
        let seen = (node.ownership_changes(), node.generation());
        if seen == host.seen {
            return Ok(());
        }
        self.sessions.moved = true;
        let view_before = std::mem::replace(&mut host.seen, seen).1;
        let words = self.plan.buckets.div_ceil(64);
        let slots = self.plan.slots.len();
        for slot in 0..slots {
            for word in 0..words {
                let bits = node.owned_word(slot as u16, word as u16);
                let before = std::mem::replace(&mut host.bits[slot * words + word], bits);
                if bits != before && host.role != Role::OtherKey {
                    self.owners.enter(index, slot, word, before, bits);
                }
            }
        }
        let default = if node.is_default() { u64::MAX } else { 0 };
        let before = std::mem::replace(&mut host.bits[slots * words], default);
        if default != before && host.role != Role::OtherKey {
            for word in 0..words {
                self.owners.enter(index, slots, word, before, default);
            }
        }
        let owned = |slot: usize| -> u32 {
            host.bits[slot * words..(slot + 1) * words]
                .iter()
                .map(|bits| bits.count_ones())
                .sum()
        };
        let owned: Vec<u32> = if self.trace.wants_lines() {
            (0..slots).map(owned).collect()
        } else {
            Vec::new()
        };
        self.say(|| format!("#{index} owns {owned:?} of generation {}", seen.1.number));
        if view_before != seen.1 {
            self.note_view(index, view_before.is_none());
            self.set_eligible();
        }
        self.generation(index)
    }

    /// Enters what a host shows of its generation.
    fn generation(&mut self, index: usize) -> Result<(), Violation> {
        let host = &self.hosts[index];
        let Some(node) = &host.node else {
            return Ok(());
        };
        let id = node.generation();
        if host.role == Role::OtherKey {
            return Ok(());
        }
        if id.is_none() {
            // Whoever gives a view up has let go of everything before anyone can hear of it.
            if host.bits.iter().all(|bits| *bits == 0) {
                return Ok(());
            }
            let text = format!("host #{index} serves buckets and is in no view");
            return Err(self.violation(Property::Agreement, text));
        }
        let key = (id.number, id.leader, id.incarnation);
        let maps: Vec<Vec<u8>> = (0..self.plan.slots.len())
            .map(|slot| match node.map(slot as u16) {
                [] => vec![0; self.plan.buckets],
                map => map.to_vec(),
            })
            .collect();
        let words = self.plan.buckets.div_ceil(64);
        let beyond = maps.iter().enumerate().find_map(|(slot, map)| {
            let own = &host.bits[slot * words..(slot + 1) * words];
            let buckets = own.iter().zip(map.chunks(64)).enumerate();
            let mut foreign = buckets.filter_map(|(word, (bits, owners))| {
                let bit = each(Set::from(*bits)).find(|bit| owners[*bit] != host.id.get())?;
                Some((slot, word * 64 + bit, owners[bit]))
            });
            foreign.next()
        });
        if let Some((slot, bucket, owner)) = beyond {
            let text = format!(
                "host #{index} serves bucket {bucket} of slot {slot}, which its own map gives to {owner}"
            );
            return Err(self.violation(Property::Agreement, text));
        }
        let view = View {
            members: node.view_members().0,
            rules: node.config().rules.digest,
            maps,
        };
        self.agreement.show(self.queue.now(), index, key, view)
    }

    /// Takes the bits of a host out of the packet path, or puts them back.
    pub(crate) fn show_bits(&mut self, index: usize, shown: bool) {
        let words = self.plan.buckets.div_ceil(64);
        let slots = self.plan.slots.len();
        let host = &self.hosts[index];
        if host.role == Role::OtherKey {
            return;
        }
        for slot in 0..=slots {
            for word in 0..words {
                let bits = if slot == slots {
                    host.bits[slots * words]
                } else {
                    host.bits[slot * words + word]
                };
                let (before, after) = if shown { (0, bits) } else { (bits, 0) };
                self.owners.enter(index, slot, word, before, after);
            }
        }
    }

    /// The highest host id that is known in this run.
    pub(crate) fn ids(&self) -> usize {
        let highest = self
            .plan
            .hosts
            .iter()
            .map(|host| usize::from(host.id))
            .max()
            .unwrap_or(1);
        highest.max(8)
    }

    /// Whether all hosts of the plan that have power have the same rules in force, and no others staged.
    pub(crate) fn rules_agree(&self) -> bool {
        let powered = self.hosts[..self.plan.hosts.len()]
            .iter()
            .filter_map(|host| host.node.as_ref());
        let mut rules = powered.map(|node| (node.config().rules.digest, node.pending()));
        let first = rules.next();
        first
            .is_none_or(|(digest, pending)| pending == 0 && rules.all(|other| other == (digest, 0)))
    }

    /// Powers a host on and starts its node.
    pub(crate) fn power_on(&mut self, index: usize) -> Result<(), Violation> {
        let now = self.now();
        let peers = self.ids();
        let host = &mut self.hosts[index];
        if host.node.is_some() {
            return Ok(());
        }
        let sizes = Sizes::new(peers, self.plan.slots.len(), self.plan.buckets);
        let node = match Node::new(&host.config, Tables::new(sizes)) {
            Ok(node) => node,
            Err(error) => {
                return Err(
                    self.violation(Property::Panic, format!("a node cannot be made: {error:?}"))
                );
            }
        };
        host.seen = (node.ownership_changes(), node.generation());
        host.node = Some(node);
        host.wake = u64::MAX;
        host.power_on_at = now;
        host.suspended = false;
        let (no_carrier, vip_missing, wish) =
            (host.carrier_down > 0, host.vip_missing > 0, host.wish);
        self.say(|| format!("#{index} power on"));
        if no_carrier {
            self.command(index, Command::Carrier(false))?;
        }
        if vip_missing {
            self.command(index, Command::VipMissing(true))?;
        }
        if wish != crate::host::Wish::Rest {
            self.command(index, Command::Start)?;
            if self.hosts[index].role == Role::Member {
                self.expect(What::Join(index));
            }
        }
        if wish == crate::host::Wish::Drain {
            self.command(index, Command::Drain)?;
        }
        Ok(())
    }

    /// Takes the power of a host away.
    pub(crate) fn power_off(&mut self, index: usize) -> Result<(), Violation> {
        let now = self.now();
        if self.hosts[index].node.is_none() {
            return Ok(());
        }
        self.say(|| format!("#{index} power off"));
        if self.hosts[index].role == Role::OtherKey {
            self.calm.foreign(now);
        }
        if self.calm.running & one(index) != 0 {
            self.calm.disturb(now, index);
        }
        if self.hosts[index].paused.is_none() {
            self.show_bits(index, false);
        }
        let host = &mut self.hosts[index];
        host.bits.fill(0);
        host.node = None;
        host.paused = None;
        host.leaving_since = None;
        host.backlog.clear();
        host.unheard.clear();
        host.wake = u64::MAX;
        self.owners.set_beside(index, 0);
        self.survey_without(index);
        self.owners.step(now, &self.calm, &self.limits)
    }
}
