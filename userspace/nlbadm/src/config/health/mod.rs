// SPDX-License-Identifier: GPL-2.0-only

//! `[rule.check]`: how a host finds out whether the service of a rule is well, and what it does when it is not.

#[cfg(test)]
mod tests;
mod value;

use std::{
    net::{IpAddr, SocketAddr},
    ops::{Range, RangeInclusive},
    path::{Path, PathBuf},
    time::Duration,
};

use nlb_core::rules::{FilteringMode, Protocols, Rule};
use serde::Deserialize;
use toml::Spanned;

#[cfg(test)]
pub(super) use self::value::words;
use self::value::{Choice, Kind, Phrase, Status, Time, Token, Unit, name};
use super::{
    contents::{Optional, get},
    place,
    value::{Text, Within},
};
use crate::{failure::Failure, source::Source};

const INTERVAL_DEFAULT: Duration = Duration::from_secs(2);
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(1);

/// Bounds of `rise` and `fall`.
pub(super) const RUN_MAX: u32 = 100;
const RISE_DEFAULT: u32 = 2;
const FALL_DEFAULT: u32 = 3;

/// Answers that are good, unless the file says others.
const STATUS_DEFAULT: RangeInclusive<u16> = 200..=399;

/// Most words of a command.
const WORDS_MAX: usize = 64;

/// The check of a rule, as a host makes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    /// What is asked.
    pub probe: Probe,
    /// From the beginning of one check to that of the next.
    pub interval: Duration,
    /// How long an answer may take; not longer than the interval.
    pub timeout: Duration,
    /// Good answers in a row after which a service that was not well counts as well.
    pub rise: u32,
    /// Bad answers in a row after which a service counts as not well.
    pub fall: u32,
    /// What the host does then.
    pub action: Action,
    /// Whether it does so too where no other host takes the rule.
    pub last: bool,
}

/// What a check asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probe {
    /// Whether a connection is accepted.
    Tcp(SocketAddr),
    /// Whether a request is answered as it should be.
    Http(HttpProbe),
    /// How a program ends: 0 and 1 are good, 2 is bad, and everything else tells nothing, as with monitoring plugins.
    Command {
        /// The program, with its whole path.
        program: PathBuf,
        /// Its arguments.
        arguments: Vec<String>,
    },
    /// Whether this unit of systemd is active.
    Systemd(String),
}

/// A request by HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpProbe {
    /// Where it goes.
    pub address: SocketAddr,
    /// Whether by TLS. Certificates are not verified: the service is on this host.
    pub tls: bool,
    /// The path, which begins with a slash.
    pub path: String,
    /// The host that is asked for, by name or address; with a port if that is none that goes without saying.
    pub host: String,
    /// Which answers are good.
    pub status: RangeInclusive<u16>,
    /// What stands in a good answer.
    pub body: Option<String>,
}

/// What a host does when a service is not well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It takes no new connections of the rule.
    GiveUp,
    /// It takes no new connections at all.
    Drain,
    /// The same as [`Action::GiveUp`]; and as long as the service is well, its answers say the load weight in the rule.
    Weight,
}

impl Action {
    /// The word for it in the file.
    #[must_use]
    pub fn name(self) -> &'static str {
        name(self)
    }
}

/// `[rule.check]` as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct FileCheck {
    r#type: Optional<Text<Choice<Kind>>>,
    interval: Optional<Text<Time>>,
    timeout: Optional<Text<Time>>,
    rise: Optional<Within<1, RUN_MAX>>,
    fall: Optional<Within<1, RUN_MAX>>,
    action: Optional<Text<Choice<Action>>>,
    last: Optional<bool>,
    port: Optional<Within<1, 65535>>,
    path: Optional<Text<Token>>,
    host: Optional<Text<Token>>,
    status: Optional<Status>,
    body: Optional<Text<Phrase>>,
    command: Optional<Vec<String>>,
    unit: Optional<Text<Unit>>,
}

/// The check of a rule of a cluster with these VIPs.
///
/// # Errors
///
/// What is not right with it, with the place.
pub(super) fn check(
    source: &Source,
    rule: &Rule,
    vips: &[IpAddr],
    written: &Spanned<FileCheck>,
) -> Result<HealthCheck, Failure> {
    let reader = Reader {
        source,
        rule,
        vips,
        at: written.span(),
        file: written.get_ref(),
    };
    reader.check()
}

/// What is needed to tell what is wrong with a check, and where.
struct Reader<'a> {
    source: &'a Source,
    rule: &'a Rule,
    vips: &'a [IpAddr],
    at: Range<usize>,
    file: &'a FileCheck,
}

impl Reader<'_> {
    fn refuse(&self, at: Option<Range<usize>>, why: &str) -> Failure {
        self.source.refuse(Some(at.unwrap_or(self.at.clone())), why)
    }

    fn check(&self) -> Result<HealthCheck, Failure> {
        let file = self.file;
        let Some(Text(Choice(kind))) = get(&file.r#type) else {
            return Err(self.refuse(
                None,
                "the check has no type: write `type = \"tcp\"`, http, https, command or systemd",
            ));
        };
        if self.rule.mode == FilteringMode::Disabled {
            let why = "no host serves this rule, for its mode is disabled: leave out its check";
            return Err(self.refuse(None, why));
        }
        self.only_its_keys(*kind)?;
        self.weight(*kind)?;
        let (interval, timeout) = self.times()?;
        Ok(HealthCheck {
            probe: self.probe(*kind)?,
            interval,
            timeout,
            rise: get(&file.rise).map_or(RISE_DEFAULT, |it| it.0),
            fall: get(&file.fall).map_or(FALL_DEFAULT, |it| it.0),
            action: get(&file.action).map_or(Action::GiveUp, |it| it.0.0),
            last: get(&file.last).is_some_and(|&last| last),
        })
    }

    /// Refuses a key that a check of this kind does not look at.
    fn only_its_keys(&self, kind: Kind) -> Result<(), Failure> {
        const SOCKET: &[Kind] = &[Kind::Tcp, Kind::Http, Kind::Https];
        const HTTP: &[Kind] = &[Kind::Http, Kind::Https];
        let file = self.file;
        for (key, at, kinds) in [
            ("port", place(&file.port), SOCKET),
            ("path", place(&file.path), HTTP),
            ("host", place(&file.host), HTTP),
            ("status", place(&file.status), HTTP),
            ("body", place(&file.body), HTTP),
            ("command", place(&file.command), &[Kind::Command][..]),
            ("unit", place(&file.unit), &[Kind::Systemd][..]),
        ] {
            if at.is_some() && !kinds.contains(&kind) {
                let kinds: Vec<_> = kinds.iter().map(|kind| name(*kind)).collect();
                let why = format!(
                    "`{key}` is for checks of type {}, and this one is {}: leave it out",
                    kinds.join(", "),
                    name(kind)
                );
                return Err(self.refuse(at, &why));
            }
        }
        Ok(())
    }

    /// Refuses a load weight where no answer could say one, or where it would mean nothing.
    fn weight(&self, kind: Kind) -> Result<(), Failure> {
        let Some(action) = &self.file.action else {
            return Ok(());
        };
        if action.get_ref().0.0 != Action::Weight {
            return Ok(());
        }
        let why = if matches!(kind, Kind::Tcp | Kind::Systemd) {
            "the answers of such a check say no load weight: use type command, http or https"
        } else if self.rule.mode == FilteringMode::Single {
            "in mode single there are no load weights: use give-up"
        } else {
            return Ok(());
        };
        Err(self.refuse(Some(action.span()), why))
    }

    fn times(&self) -> Result<(Duration, Duration), Failure> {
        let file = self.file;
        let interval = get(&file.interval).map_or(INTERVAL_DEFAULT, |it| it.0.0);
        let Some(timeout) = &file.timeout else {
            return Ok((interval, TIMEOUT_DEFAULT.min(interval)));
        };
        let Text(Time(time)) = *timeout.get_ref();
        if time > interval {
            let why = format!(
                "the timeout is longer than the interval, {}: one check ends before the next begins",
                humantime::format_duration(interval)
            );
            return Err(self.refuse(Some(timeout.span()), &why));
        }
        Ok((interval, time))
    }

    fn probe(&self, kind: Kind) -> Result<Probe, Failure> {
        match kind {
            Kind::Tcp => Ok(Probe::Tcp(self.address()?)),
            Kind::Http | Kind::Https => self.http(kind == Kind::Https).map(Probe::Http),
            Kind::Command => self.command(),
            Kind::Systemd => match get(&self.file.unit) {
                Some(Text(Unit(unit))) => Ok(Probe::Systemd(unit.clone())),
                None => Err(self.refuse(
                    None,
                    "the check has no unit: write `unit = \"nginx.service\"`",
                )),
            },
        }
    }

    /// Where a client would connect to.
    fn address(&self) -> Result<SocketAddr, Failure> {
        let rule = self.rule;
        let Some(vip) = rule.vip.or(self.vips.first().copied()) else {
            return Err(self.refuse(None, "the cluster has no VIP that could be checked"));
        };
        if rule.protocols == Protocols::Udp {
            let why =
                "the rule is for UDP, and the check connects by TCP: use type command or systemd";
            return Err(self.refuse(None, why));
        }
        if let Some(port) = &self.file.port {
            let number = u16::try_from(port.get_ref().0).unwrap_or_default();
            if rule.has_port(number) {
                return Ok(SocketAddr::new(vip, number));
            }
            let why = format!("the rule does not cover port {number}, which is checked");
            return Err(self.refuse(Some(port.span()), &why));
        }
        if rule.first_port == rule.last_port {
            return Ok(SocketAddr::new(vip, rule.first_port));
        }
        let why =
            "the rule covers more than one port: say which one is checked, such as `port = 8000`";
        Err(self.refuse(None, why))
    }

    fn http(&self, tls: bool) -> Result<HttpProbe, Failure> {
        let (file, address) = (self.file, self.address()?);
        let path = get(&file.path).map_or("/", |Text(Token(path))| path);
        if !path.starts_with('/') {
            return Err(self.refuse(place(&file.path), "a path begins with a slash"));
        }
        let plain = if tls { 443 } else { 80 };
        let host = match (get(&file.host), address) {
            (Some(Text(Token(host))), _) => host.clone(),
            (None, SocketAddr::V6(v6)) if v6.port() == plain => format!("[{}]", v6.ip()),
            (None, SocketAddr::V4(v4)) if v4.port() == plain => v4.ip().to_string(),
            (None, other) => other.to_string(),
        };
        Ok(HttpProbe {
            address,
            tls,
            path: path.into(),
            host,
            status: get(&file.status).map_or(STATUS_DEFAULT, |it| it.0.clone()),
            body: get(&file.body).map(|it| it.0.0.clone()),
        })
    }

    fn command(&self) -> Result<Probe, Failure> {
        let words = get(&self.file.command).map_or(&[][..], Vec::as_slice);
        let refuse = |why: &str| Err(self.refuse(place(&self.file.command), why));
        let Some((program, arguments)) = words.split_first() else {
            return refuse(
                "the check has no command: write the program and its arguments, `command = [\"/usr/lib/nagios/plugins/check_http\", \"-H\", \"192.0.2.10\"]`",
            );
        };
        if !Path::new(program).is_absolute() {
            return refuse("a program of a check is written with its whole path");
        }
        if words.len() > WORDS_MAX || words.iter().any(|word| word.contains('\0')) {
            return refuse("a command has 64 words at most, and no zero bytes");
        }
        Ok(Probe::Command {
            program: program.into(),
            arguments: arguments.to_vec(),
        })
    }
}
