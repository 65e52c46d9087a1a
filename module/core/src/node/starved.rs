// SPDX-License-Identifier: GPL-2.0-only

//! A host that gets no frames to the virtual MAC gives its buckets up to hosts that get them.
//!
//! Its heartbeats pass, so it stays a member; its clients' packets do not, and would reach nobody if it kept its buckets.
//! Where no host gets any, the switch is at fault and not a port: then nothing changes, for nobody would serve better.
//! What a host says of itself is authenticated, so a station without the key can bring nobody to step back.

use super::super::host::HostSet;
use super::super::store::Storage;
use super::super::wire::Flags;
use super::stance::weight_in;
use super::{Node, Urgency};

impl<S: Storage> Node<S> {
    /// Whether frames to the virtual MAC reach this host, as the caller has found.
    pub(super) fn note_starved(&mut self, starved: bool) {
        if self.starved != starved {
            self.starved = starved;
            self.agreed = self.now;
            if self.takes_part() {
                self.hurry(Urgency::Now);
            }
        }
    }

    /// Steps back, or takes buckets again, when the reason for it has stood for the silence that counts as death: by then all
    /// hosts have said whether they are starved as well, and a frame that gets through now and then moves nothing.
    pub(super) fn weigh_starvation(&mut self) {
        if !self.starved && !self.stepped_back {
            return;
        }
        let fed = self.others_are_fed();
        let wanted = self.starved && fed;
        if wanted == self.stepped_back {
            self.agreed = self.now;
        } else if !fed || self.now.since(self.agreed) >= self.silence_ns() {
            self.agreed = self.now;
            self.stepped_back = wanted;
            self.inputs_changed(true);
        }
    }

    /// Whether other members would serve in this host's place, each of its slots.
    fn others_are_fed(&self) -> bool {
        let fed = self.fit_others();
        !fed.is_empty()
            && (0..self.slots()).all(|slot| {
                let own = self.config.rules.weights.get(slot).copied().unwrap_or(0);
                // One that gave the slot up serves it all the same if it is the last that may.
                let has = |host| {
                    self.peer(host)
                        .weights
                        .get(slot)
                        .is_some_and(|told| weight_in(*told) > 0)
                };
                own == 0 || fed.iter().any(has)
            })
    }

    /// Other members that get frames to the virtual MAC, and may own buckets.
    fn fit_others(&self) -> HostSet {
        let unfit = [
            Flags::STARVED,
            Flags::IDLE,
            Flags::LEAVING,
            Flags::DUPLICATE,
        ];
        let others = self.view.members.without(self.config.host);
        let fit = others.iter().filter(|host| {
            let flags = self.peer(*host).said.flags;
            self.two_way(*host) && !unfit.iter().any(|flag| flags.has(*flag))
        });
        fit.fold(HostSet::EMPTY, HostSet::with)
    }
}
