// SPDX-License-Identifier: GPL-2.0-only

//! Digests of the rules and of the settings: what the hosts of a cluster compare in their heartbeats.
//!
//! They are authenticated by the heartbeat that carries them; a digest only has to tell different settings
//! apart. None is ever 0, so that 0 can stand for "none".

use super::filter::Settings;
use super::rules::{HealthAction, Rule};
use super::siphash::{Digest, SipKey};
use core::net::IpAddr;

/// Key of the digest of the rules. It is public: the rules are no secret.
const RULES_KEY: [u8; 16] = *b"nlb rules digest";

/// Digest of a list of rules: of all that must be the same on every host.
///
/// The order counts, because the number of a rule names its bucket map. What one host does about a rule
/// ([`Rule::state`]) does not.
#[must_use]
pub fn rules_digest(rules: &[Rule]) -> u64 {
    let mut digest = Digest::new(&SipKey::new(&RULES_KEY));
    digest.word(rules.len() as u64);
    for rule in rules {
        match rule.vip {
            Some(vip) => add_address(&mut digest, vip),
            None => digest.word(0),
        }
        digest.word((u64::from(rule.first_port) << 16) | u64::from(rule.last_port));
        digest.bytes(&[
            rule.protocols as u8,
            rule.mode as u8,
            rule.affinity as u8,
            rule.prefix_v4,
            rule.prefix_v6,
            rule.track as u8,
        ]);
        // Hosts that do not know of health actions have the same digest for rules that do without.
        if rule.health != HealthAction::Report {
            digest.word(u64::from(rule.health as u8));
        }
    }
    digest.finish().max(1)
}

/// Digest of the settings that must be the same on every host, the rules (and the slots, which follow from them) and
/// the timing left out.
///
/// It is keyed with the hash seed: hosts with different seeds have different digests, and heartbeats, which
/// are not encrypted, tell nothing of the seed.
#[must_use]
pub fn settings_digest(settings: &Settings<'_>) -> u64 {
    let mut digest = Digest::new(&SipKey::new(settings.seed));
    digest.word(settings.vips.len() as u64);
    for &vip in settings.vips {
        add_address(&mut digest, vip);
    }
    digest.bytes(&settings.virtual_mac.unwrap_or_default());
    digest.bytes(&[
        settings.mode as u8,
        settings.echo as u8,
        settings.responder as u8,
    ]);
    digest.finish().max(1)
}

/// Digest of the rules and the settings that come into force together; `settings` is the digest of all settings, the
/// timing included.
#[must_use]
pub fn digest_together(rules: u64, settings: u64) -> u64 {
    let mut digest = Digest::new(&SipKey::new(&RULES_KEY));
    digest.word(rules);
    digest.word(settings);
    digest.finish().max(1)
}

fn add_address(digest: &mut Digest, address: IpAddr) {
    match address {
        IpAddr::V4(address) => digest.bytes(&address.octets()),
        IpAddr::V6(address) => digest.bytes(&address.octets()),
    }
}
