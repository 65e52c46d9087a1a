// SPDX-License-Identifier: GPL-2.0-only

//! The parts of faults: what happens at a time of its own, how faults end, and how everything heals.

use nlb_core::config::SlotSet;
use nlb_core::node::Command;

use crate::auth::Keyring;
use crate::check::Violation;
use crate::expect::What;
use crate::host::{Role, Wish};
use crate::inject::Act;
use crate::plan::AuthKind;
use crate::world::World;

impl World<'_> {
    /// A part of a fault happens.
    pub(crate) fn act(&mut self, act: Act) -> Result<(), Violation> {
        // What an administrator was refused he tries again, after everything has healed as well.
        if self.healed && !matches!(act, Act::Stage(..)) {
            return Ok(());
        }
        self.note_act();
        match act {
            Act::PowerOn(index) => self.power_on(index),
            Act::PowerOff(index) => self.power_off(index),
            Act::Resume(index) => self.resume(index),
            Act::Cut(links) => {
                self.cut(&links);
                Ok(())
            }
            Act::Mend(links) => {
                for &(way, from, to) in &links {
                    self.network.mend(way, from, to);
                }
                self.segment_changed(&links);
                self.survey();
                Ok(())
            }
            Act::Clear {
                loss,
                duplicate,
                reorder,
            } => {
                self.network.weather.loss -= loss;
                self.network.weather.duplicate -= duplicate;
                self.network.weather.reorder -= reorder;
                if self.network.weather.reorder + self.network.weather.duplicate == 0 {
                    self.network.weather.reorder_ns_max = 0;
                }
                Ok(())
            }
            Act::Return(index) => self.back_to_service(index),
            Act::Carrier(index) => self.carrier_returns(index),
            Act::Vip(index) => self.vip_returns(index),
            Act::KeyAdd(..) | Act::KeyUse(..) | Act::KeyDrop(..) => {
                self.key_step(&act);
                Ok(())
            }
            Act::RotationEnds => {
                self.rotating = false;
                Ok(())
            }
            Act::Dismiss(index) => self.power_off(index),
            Act::Stage(index, digest) => self.stage(index, digest),
        }
    }

    fn key_step(&mut self, act: &Act) {
        let (Act::KeyAdd(index, id) | Act::KeyUse(index, id) | Act::KeyDrop(index, id)) = *act
        else {
            return;
        };
        if self.hosts[index].role == Role::OtherKey || self.plan.auth == AuthKind::Open {
            return;
        }
        let secret = self.secret(id);
        let keys = &mut self.hosts[index].keys;
        match act {
            Act::KeyAdd(..) => keys.add(id, secret),
            Act::KeyUse(..) => keys.use_key(id),
            _ => keys.drop_key(id),
        }
    }

    /// The keys of a host that is set up now, like another one. In the middle of a rotation it gets what it has missed of it.
    pub(crate) fn keys_as_of_now(&self, like: usize) -> Keyring {
        let mut keys = self.hosts[like].keys.clone();
        if self.rotating {
            keys.add(self.key_id, self.secret(self.key_id));
            let mut hosts = self.hosts.iter();
            if hosts.any(|host| host.keys.sends_with(self.key_id)) {
                keys.use_key(self.key_id);
            }
        }
        keys
    }

    fn back_to_service(&mut self, index: usize) -> Result<(), Violation> {
        self.hosts[index].wish = Wish::Serve;
        if std::mem::take(&mut self.hosts[index].suspended) {
            self.command(index, Command::Resume)?;
        }
        self.command(index, Command::Start)?;
        self.expect(What::Join(index));
        self.set_eligible();
        Ok(())
    }

    fn carrier_returns(&mut self, index: usize) -> Result<(), Violation> {
        self.hosts[index].carrier_down -= 1;
        for (way, from, to) in self.cable(index) {
            self.network.mend(way, from, to);
        }
        let now = self.now();
        self.calm.disturb(now, index);
        self.survey();
        if self.hosts[index].carrier_down == 0 {
            self.command(index, Command::Carrier(true))?;
        }
        Ok(())
    }

    fn vip_returns(&mut self, index: usize) -> Result<(), Violation> {
        self.hosts[index].vip_missing -= 1;
        self.set_eligible();
        if self.hosts[index].vip_missing == 0 {
            self.command(index, Command::VipMissing(false))?;
        }
        Ok(())
    }

    fn stage(&mut self, index: usize, digest: u64) -> Result<(), Violation> {
        if digest < self.rules_digest {
            return Ok(());
        }
        let mut rules = self.hosts[index].config.rules;
        rules.digest = digest;
        // Every other rule set gives its slots another meaning: all buckets move, also those that stay.
        rules.kept = if digest % 2 == 0 {
            SlotSet::ALL
        } else {
            SlotSet::EMPTY
        };
        self.owners.rules_in_flux |= digest % 2 == 1;
        self.hosts[index].config.rules = rules;
        self.command(index, Command::Stage(rules))?;
        if !self.has_rules(index, digest) {
            // Others are just coming into force: nlbadm says so, and to try again.
            let again = self.now() + self.plan.period_ns;
            self.later(again, Act::Stage(index, digest));
        }
        Ok(())
    }

    /// Whether the node of a host has these rules, in force or staged; a host without power will start with them.
    fn has_rules(&self, index: usize, digest: u64) -> bool {
        self.hosts[index]
            .node
            .as_ref()
            .is_none_or(|node| node.config().rules.digest == digest || node.pending() == digest)
    }

    /// Everything that is wrong ends: from here on all must converge within the bound.
    pub(crate) fn heal(&mut self) -> Result<(), Violation> {
        self.healed = true;
        self.say(|| "everything heals".to_owned());
        self.network.mend_all();
        for index in 0..self.hosts.len() {
            self.hosts[index].carrier_down = 0;
            self.hosts[index].vip_missing = 0;
            if index >= self.plan.hosts.len() {
                self.power_off(index)?;
            }
        }
        self.survey();
        let newest = self.key_id;
        for index in 0..self.plan.hosts.len() {
            self.key_step(&Act::KeyAdd(index, newest));
            self.key_step(&Act::KeyUse(index, newest));
        }
        for index in 0..self.plan.hosts.len() {
            self.heal_host(index)?;
        }
        Ok(())
    }

    fn heal_host(&mut self, index: usize) -> Result<(), Violation> {
        self.resume(index)?;
        self.power_on(index)?;
        self.command(index, Command::Carrier(true))?;
        self.command(index, Command::VipMissing(false))?;
        let digest = self.rules_digest;
        if self.hosts[index].config.rules.digest != digest || !self.has_rules(index, digest) {
            self.stage(index, digest)?;
        }
        self.back_to_service(index)
    }
}
