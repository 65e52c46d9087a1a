// SPDX-License-Identifier: GPL-2.0-only
//! What an administrator asks of the module, chosen by a seed, and its text
//! form: one line each.
//!
//! ```text
//! n5 d7 up test 9 multicast 46 started | down | remove
//! n5 d7 control drain | drainstop 2 | weight 30 | sessions-max 4096
//! n5 d7 rules 77 | rule 0 weight 5 | rule 0 disable | rule 0 enable
//! n5 d7 key add 3 | key use 3 | key del 3
//! n5 d7 show members | monitor
//! ```

use std::fmt;
use std::str::FromStr;

use anyhow::{Context, Result, bail};
use fastrand::Rng;
use nlb_core::genl::{Control, Mode};
use nlb_core::rules::RuleState;

use super::world::World;

/// The two clusters that hosts take part in.
pub(super) const CLUSTERS: [&str; 2] = ["test", "other"];

/// Cluster modes with their names.
const MODES: [(Mode, &str); 3] = [
    (Mode::Unicast, "unicast"),
    (Mode::Multicast, "multicast"),
    (Mode::Igmp, "igmp"),
];

/// What a host can be told, with its name.
const CONTROLS: [(Control, &str); 5] = [
    (Control::Start, "start"),
    (Control::Stop, "stop"),
    (Control::Drain, "drain"),
    (Control::Suspend, "suspend"),
    (Control::Resume, "resume"),
];

/// Lists that can be read.
const LISTS: [&str; 8] = [
    "clusters", "members", "buckets", "counters", "history", "keys", "rules", "owner",
];

/// A request about a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    Up {
        /// Place in [`CLUSTERS`].
        cluster: usize,
        host: u8,
        mode: Mode,
        /// With an IPv6 VIP, too.
        both: bool,
        started: bool,
    },
    Down,
    /// Without a stop before, and the VIPs stay.
    Remove,
    Control(Control),
    Drainstop(u32),
    Weight(u8),
    SessionsMax(u32),
    /// Rules that follow from this number.
    Rules(u64),
    RuleWeight(u16, u8),
    RuleState(u16, RuleState),
    KeyAdd(u8),
    KeyUse(u8),
    KeyDel(u8),
    Show(String),
    Monitor,
}

/// A request, and where it is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) place: String,
    pub(super) name: String,
    pub(super) what: What,
}

impl Request {
    /// The word under which it is counted.
    pub(super) fn word(&self) -> &'static str {
        match self.what {
            What::Up { .. } => "up",
            What::Down => "down",
            What::Remove => "remove",
            What::Control(_) | What::Drainstop(_) => "control",
            What::Weight(_) | What::SessionsMax(_) => "set",
            What::Rules(_) | What::RuleWeight(..) | What::RuleState(..) => "rules",
            What::KeyAdd(_) | What::KeyUse(_) | What::KeyDel(_) => "key",
            What::Show(_) => "show",
            What::Monitor => "monitor",
        }
    }

    /// A request about a device that is there, as far as the model knows.
    pub(super) fn choose(rng: &mut Rng, world: &World) -> Option<Self> {
        let devices: Vec<_> = world.devices.iter().collect();
        let (&id, device) = rng.choice(devices)?;
        Some(Self {
            place: device.place.clone(),
            name: device.name.clone(),
            what: Self::what(rng, id),
        })
    }

    fn what(rng: &mut Rng, id: u32) -> What {
        match rng.u8(..100) {
            0..30 => What::Up {
                cluster: rng.usize(..CLUSTERS.len()),
                // Host 1 is the one that stays.
                host: (id % 62) as u8 + 2,
                mode: MODES[rng.usize(..MODES.len())].0,
                both: rng.u8(..3) != 0,
                started: rng.u8(..8) != 0,
            },
            30..38 => What::Down,
            38..42 => What::Remove,
            42..50 => What::Control(CONTROLS[rng.usize(..CONTROLS.len())].0),
            50..52 => What::Drainstop(rng.u32(1..4)),
            52..57 => What::Weight(rng.u8(..=100)),
            57..60 => What::SessionsMax(rng.u32(..20_000)),
            60..65 => What::Rules(rng.u64(..1000)),
            65..67 => What::RuleWeight(rng.u16(..3), rng.u8(..=100)),
            67..69 => What::RuleState(
                rng.u16(..3),
                if rng.bool() {
                    RuleState::Disabled
                } else {
                    RuleState::Enabled
                },
            ),
            69..73 => What::KeyAdd(rng.u8(2..5)),
            73..75 => What::KeyUse(rng.u8(1..5)),
            75..77 => What::KeyDel(rng.u8(1..5)),
            77..96 => What::Show(LISTS[rng.usize(..LISTS.len())].to_owned()),
            _ => What::Monitor,
        }
    }
}

fn name_of<T: Copy + PartialEq>(table: &[(T, &'static str)], value: T) -> &'static str {
    let row = table.iter().find(|row| row.0 == value);
    row.map_or("?", |row| row.1)
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ", self.place, self.name)?;
        match &self.what {
            What::Up {
                cluster,
                host,
                mode,
                both,
                started,
            } => {
                let mode = name_of(&MODES, *mode);
                let families = if *both { "46" } else { "4" };
                let state = if *started { "started" } else { "stopped" };
                write!(
                    f,
                    "up {} {host} {mode} {families} {state}",
                    CLUSTERS[*cluster]
                )
            }
            What::Down => f.write_str("down"),
            What::Remove => f.write_str("remove"),
            What::Control(control) => write!(f, "control {}", name_of(&CONTROLS, *control)),
            What::Drainstop(seconds) => write!(f, "drainstop {seconds}"),
            What::Weight(weight) => write!(f, "weight {weight}"),
            What::SessionsMax(max) => write!(f, "sessions-max {max}"),
            What::Rules(number) => write!(f, "rules {number}"),
            What::RuleWeight(rule, weight) => write!(f, "rule {rule} weight {weight}"),
            What::RuleState(rule, RuleState::Enabled) => write!(f, "rule {rule} enable"),
            What::RuleState(rule, _) => write!(f, "rule {rule} disable"),
            What::KeyAdd(id) => write!(f, "key add {id}"),
            What::KeyUse(id) => write!(f, "key use {id}"),
            What::KeyDel(id) => write!(f, "key del {id}"),
            What::Show(list) => write!(f, "show {list}"),
            What::Monitor => f.write_str("monitor"),
        }
    }
}

fn what(words: &[&str]) -> Result<What> {
    Ok(match words {
        ["up", cluster, host, mode, families, state] => What::Up {
            cluster: CLUSTERS
                .iter()
                .position(|name| name == cluster)
                .context("no such cluster")?,
            host: host.parse()?,
            mode: MODES
                .iter()
                .find(|row| row.1 == *mode)
                .context("no such mode")?
                .0,
            both: *families == "46",
            started: *state == "started",
        },
        ["down"] => What::Down,
        ["remove"] => What::Remove,
        ["control", name] => {
            let row = CONTROLS.iter().find(|row| row.1 == *name);
            What::Control(row.context("no such command")?.0)
        }
        ["drainstop", seconds] => What::Drainstop(seconds.parse()?),
        ["weight", weight] => What::Weight(weight.parse()?),
        ["sessions-max", max] => What::SessionsMax(max.parse()?),
        ["rules", number] => What::Rules(number.parse()?),
        ["rule", rule, "weight", weight] => What::RuleWeight(rule.parse()?, weight.parse()?),
        ["rule", rule, "enable"] => What::RuleState(rule.parse()?, RuleState::Enabled),
        ["rule", rule, "disable"] => What::RuleState(rule.parse()?, RuleState::Disabled),
        ["key", "add", id] => What::KeyAdd(id.parse()?),
        ["key", "use", id] => What::KeyUse(id.parse()?),
        ["key", "del", id] => What::KeyDel(id.parse()?),
        ["show", list] if LISTS.contains(list) => What::Show((*list).to_owned()),
        ["monitor"] => What::Monitor,
        _ => bail!("no such request"),
    })
}

impl FromStr for Request {
    type Err = anyhow::Error;

    fn from_str(line: &str) -> Result<Self> {
        let words: Vec<_> = line.split_whitespace().collect();
        let [place, name, rest @ ..] = &words[..] else {
            bail!("no such request: {line}");
        };
        Ok(Self {
            place: (*place).to_owned(),
            name: (*name).to_owned(),
            what: what(rest).with_context(|| line.to_owned())?,
        })
    }
}

#[cfg(test)]
mod tests {
    use fastrand::Rng;

    use super::{Request, World};

    #[test]
    fn lines_lead_back_to_themselves() {
        let mut world = World::default();
        for line in ["netns add n1", "n1 add d2 dummy"] {
            world.apply(&line.parse().unwrap());
        }
        let mut rng = Rng::with_seed(1);
        for _ in 0..1000 {
            let request = Request::choose(&mut rng, &world).unwrap();
            assert_eq!(request.to_string().parse::<Request>().unwrap(), request);
        }
        assert_eq!(Request::choose(&mut rng, &World::default()), None);
        for line in ["", "n1", "n1 d2", "n1 d2 up test", "n1 d2 show everything"] {
            assert!(line.parse::<Request>().is_err(), "{line}");
        }
    }
}
