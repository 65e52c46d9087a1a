// SPDX-License-Identifier: GPL-2.0-only

//! A port rule of Windows, of a row of `nlb params` or an object of `Get-NlbClusterPortRule`.

use nlb_core::{
    genl::Affinity,
    rules::{FilteringMode, Protocols, Rule},
};

use super::lines::Object;

/// Load weight of a host that takes an equal share.
const EQUAL: u8 = 50;

/// Sets what a text says.
type Setter = fn(&mut WindowsRule, &str) -> Result<(), String>;

/// A port rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct WindowsRule {
    pub(super) line: usize,
    /// The address that it is for, as it is written; none: all.
    pub(super) vip: Option<String>,
    /// Its VIP is left out.
    pub(super) rule: Rule,
    /// Load weight of the host that was asked, of a rule of mode multiple.
    pub(super) weight: Option<u8>,
    /// Its handling priority, of a rule of mode single.
    pub(super) priority: Option<u8>,
    /// Minutes of extended affinity.
    pub(super) timeout: Option<u32>,
    /// The host that was asked.
    pub(super) host: Option<String>,
}

impl WindowsRule {
    fn new(line: usize) -> Self {
        WindowsRule {
            line,
            vip: None,
            rule: Rule::all(Affinity::Single),
            weight: None,
            priority: None,
            timeout: None,
            host: None,
        }
    }

    /// `All 80 80 TCP Multiple Eql Single`: what follows the mode depends on it.
    pub(super) fn of_row(line: usize, words: &[&str]) -> Result<Self, String> {
        let mut it = WindowsRule::new(line);
        let (vip, words) = match words {
            // Windows 2000 has no column for the address.
            [first, ..] if first.parse::<u16>().is_ok() => ("all", words),
            [vip, rest @ ..] => (*vip, rest),
            [] => return Err("it is empty".into()),
        };
        let [start, end, protocol, mode, rest @ ..] = words else {
            return Err("it has fewer than five columns".into());
        };
        it.set_vip(vip);
        it.set_ports(start, end)?;
        it.set_protocol(protocol)?;
        it.set_mode(mode)?;
        it.set_rest(rest)?;
        Ok(it)
    }

    fn set_rest(&mut self, rest: &[&str]) -> Result<(), String> {
        let mut rest = rest
            .iter()
            .copied()
            .filter(|word| !matches!(*word, "-" | "N/A"));
        match self.rule.mode {
            FilteringMode::Disabled => Ok(()),
            FilteringMode::Single => self.set_priority(rest.next().unwrap_or_default()),
            FilteringMode::Multiple => {
                self.set_load(rest.next().unwrap_or_default())?;
                let mut affinity = rest.next().unwrap_or_default().to_owned();
                let mut next = rest.next();
                if affinity.eq_ignore_ascii_case("class") {
                    affinity.push_str(next.unwrap_or_default());
                    next = rest.next();
                }
                self.set_affinity(&affinity)?;
                next.map_or(Ok(()), |timeout| self.set_timeout(timeout))
            }
        }
    }

    /// An object with a first port is a rule.
    pub(super) fn of_object(object: &Object) -> Result<Self, (usize, String)> {
        let begin = object.properties.first().map_or(0, |it| it.line);
        let mut it = WindowsRule::new(begin);
        let text = |keys: &[&str]| object.get(keys).map(|it| (it.line, it.value.as_str()));
        let ports = [["startport", "start"], ["endport", "end"]].map(|keys| text(&keys));
        let [Some((line, start)), Some((_, end))] = ports else {
            return Err((begin, "the port rule has no EndPort".into()));
        };
        it.set_ports(start, end).map_err(|why| (line, why))?;
        if let Some((_, vip)) = text(&["virtualipaddress", "vip", "ipaddress", "clusterip", "ip"]) {
            it.set_vip(vip);
        }
        let setters: [(&[&str], Setter); 6] = [
            (&["protocol", "prot"], Self::set_protocol),
            (&["mode", "filteringmode"], Self::set_mode),
            (&["affinity"], Self::set_affinity),
            (&["loadweight", "load"], Self::set_load),
            (&["handlingpriority", "priority", "pri"], Self::set_priority),
            (&["timeout", "clientstickinesstimeout"], Self::set_timeout),
        ];
        for (keys, set) in setters {
            match text(keys) {
                None | Some((_, "" | "-" | "N/A")) => {}
                Some((line, value)) => set(&mut it, value).map_err(|why| (line, why))?,
            }
        }
        if text(&["equalload"]).is_some_and(|(_, value)| value.eq_ignore_ascii_case("true")) {
            it.weight = Some(EQUAL);
        }
        match it.rule.mode {
            FilteringMode::Multiple => it.priority = None,
            FilteringMode::Single => it.weight = None,
            FilteringMode::Disabled => (it.weight, it.priority) = (None, None),
        }
        it.host = text(&["nodename", "hostname", "node", "host", "computername"])
            .map(|(_, name)| name.to_owned());
        Ok(it)
    }

    fn set_vip(&mut self, text: &str) {
        let all =
            text.eq_ignore_ascii_case("all") || matches!(text, "" | "255.255.255.255" | "0.0.0.0");
        self.vip = (!all).then(|| text.to_owned());
    }

    fn set_ports(&mut self, start: &str, end: &str) -> Result<(), String> {
        let port = |text: &str| text.parse().map_err(|_| format!("{text:?} is no port"));
        (self.rule.first_port, self.rule.last_port) = (port(start)?, port(end)?);
        match self.rule.first_port <= self.rule.last_port {
            true => Ok(()),
            false => Err("the range of ports ends before it begins".into()),
        }
    }

    fn set_protocol(&mut self, text: &str) -> Result<(), String> {
        self.rule.protocols = match text.to_ascii_lowercase().as_str() {
            "tcp" | "1" => Protocols::Tcp,
            "udp" | "2" => Protocols::Udp,
            "both" | "3" => Protocols::Both,
            _ => return Err(format!("{text:?} is none of TCP, UDP, Both")),
        };
        Ok(())
    }

    fn set_mode(&mut self, text: &str) -> Result<(), String> {
        self.rule.mode = match text.to_ascii_lowercase().as_str() {
            "multiple" | "multiplehost" | "2" => FilteringMode::Multiple,
            "single" | "singlehost" | "1" => FilteringMode::Single,
            "disabled" | "3" => FilteringMode::Disabled,
            _ => return Err(format!("{text:?} is none of Multiple, Single, Disabled")),
        };
        Ok(())
    }

    fn set_affinity(&mut self, text: &str) -> Result<(), String> {
        self.rule.affinity = match text.to_ascii_lowercase().replace(' ', "").as_str() {
            "none" | "0" => Affinity::None,
            "single" | "1" => Affinity::Single,
            "network" | "classc" | "2" => Affinity::Network,
            _ => return Err(format!("{text:?} is none of None, Single, Network")),
        };
        Ok(())
    }

    fn set_load(&mut self, text: &str) -> Result<(), String> {
        self.weight = Some(match text.to_ascii_lowercase().as_str() {
            "eql" | "equal" => EQUAL,
            text => in_range(text, 0..=100)
                .ok_or_else(|| format!("{text:?} is no load weight from 0 to 100"))?,
        });
        Ok(())
    }

    fn set_priority(&mut self, text: &str) -> Result<(), String> {
        let priority = in_range(text, 1..=64);
        self.priority =
            Some(priority.ok_or_else(|| format!("{text:?} is no handling priority from 1 to 32"))?);
        Ok(())
    }

    fn set_timeout(&mut self, text: &str) -> Result<(), String> {
        self.timeout = Some(
            text.parse()
                .map_err(|_| format!("{text:?} is no timeout in minutes"))?,
        );
        Ok(())
    }

    /// Whether both cover the same packets in the same way, whatever the numbers of hosts.
    pub(super) fn is_same(&self, other: &WindowsRule) -> bool {
        (self.rule, &self.vip) == (other.rule, &other.vip)
    }

    /// Whether the host takes an equal share, which needs no word.
    pub(super) fn is_equal_share(&self) -> bool {
        self.weight == Some(EQUAL)
    }
}

fn in_range(text: &str, range: std::ops::RangeInclusive<u8>) -> Option<u8> {
    text.parse().ok().filter(|number| range.contains(number))
}
