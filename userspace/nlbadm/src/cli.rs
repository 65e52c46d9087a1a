// SPDX-License-Identifier: GPL-2.0-only

//! The verbs and their arguments. Help, manual page and completions come from here as well.

use std::{net::SocketAddr, path::PathBuf, sync::LazyLock, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use nlb_core::{
    genl::{Affinity, Echo, Mode, Responder},
    limits::{
        HOSTS_MAX, NAME_MAX, PERIOD_MS_MAX, PERIOD_MS_MIN, SESSIONS_MAX_MAX, TOLERANCE_DEFAULT,
        TOLERANCE_MAX, TOLERANCE_MIN,
    },
};

use crate::{
    endpoint::{Endpoint, usable_vip},
    rulename::RuleName,
};

/// Exit codes, for people and for `--help`.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  the kernel refused, or something failed
  2  wrong usage: an argument or a key file is not right
  3  the module is not loaded, or this kernel cannot have it
  4  not permitted
  5  no such interface
  6  no such cluster
  7  exists already, or busy";

/// Configures and shows nlb clusters: many hosts, one virtual IP address, no balancer in front.
#[derive(Debug, Parser)]
#[command(name = "nlbadm", version, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    /// Print JSON
    #[arg(short, long, global = true, display_order = 1000)]
    pub(crate) json: bool,

    /// What to do; `show` if left out
    #[command(subcommand)]
    pub(crate) verb: Option<Verb>,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Show the clusters of this host, or that of one interface
    Show(Target),
    /// Make a cluster on an interface, or let this host join one
    Up(Up),
    /// Leave the cluster of an interface and remove it from this host
    Down(Target),
    /// Take part in the cluster
    Start(Target),
    /// Leave the cluster at once; it stays configured
    Stop(Target),
    /// Take no new connections, of one rule or of all, and serve the old ones
    Drain(Drain),
    /// Drain, and stop when the last connection has ended
    Drainstop(Drainstop),
    /// Stop, and be deaf to everything but resume
    Suspend(Target),
    /// End suspension; the host is stopped then
    Resume(Target),
    /// Serve the traffic of a rule again
    Enable(OneRule),
    /// Serve nothing of a rule on this host, old connections included
    Disable(OneRule),
    /// Show, check or replace the port rules of a cluster
    Rules(Rules),
    /// Change a parameter of this host while it serves
    Set(Set),
    /// Tell which host serves a connection, and why
    Owner(Owner),
    /// Print what happens, as it happens
    Monitor(Target),
    /// Print the counters of a cluster
    Counters(Counters),
    /// Print when and why a cluster converged
    History(Target),
    /// Print which host owns how much, and which buckets
    Buckets(Buckets),
    /// Rotate the keys of a cluster: add the new one on every host, use it on every host, delete the old one
    #[command(subcommand)]
    Key(KeyVerb),
    /// Print a new key file
    Genkey,
    /// Print the virtual MACs that belong to an address
    Ip2mac(Ip2mac),
    /// Carry heartbeats over UDP on another network, as a second path
    Relay(Relay),
    /// Print shell completions
    Completions {
        /// For this shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or that of one verb
    Man {
        /// The verb
        verb: Option<String>,
    },
}

/// The cluster that is meant.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Target {
    /// Cluster interface; may be left out if there is only one cluster
    #[arg(value_name = "IFACE", value_hint = ValueHint::Other)]
    pub(crate) interface: Option<String>,
}

/// Arguments of `up`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Up {
    /// Interface on the segment of the cluster
    #[arg(value_name = "IFACE")]
    pub(crate) interface: String,

    /// Name of the cluster, the same on every host: 1 to 32 bytes
    #[arg(long, value_name = "NAME", value_parser = cluster_name)]
    pub(crate) cluster: String,

    /// Id of this host, 1 to 64, unique in the cluster; the lowest is of highest priority
    #[arg(long, value_name = "N", value_parser = host_id)]
    pub(crate) host_id: u8,

    /// A virtual IP address, the same on every host; repeat for more, the first is the primary
    #[arg(long = "vip", value_name = "ADDR", required = true, value_parser = usable_vip)]
    pub(crate) vips: Vec<std::net::IpAddr>,

    /// File with the key and the hash seed of the cluster, as `nlbadm genkey` prints it; or else --no-key
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) key_file: Option<PathBuf>,

    /// Id of the key in the file, 1 to 255
    #[arg(long, value_name = "ID", default_value_t = 1, value_parser = key_id)]
    pub(crate) key_id: u8,

    /// Make a cluster without a key: anyone on the segment can take part
    #[arg(long, conflicts_with = "key_file")]
    pub(crate) no_key: bool,

    /// This host's own address on the interface [default: its first global IPv4 address]
    #[arg(long, value_name = "ADDR")]
    pub(crate) dedicated: Option<std::net::IpAddr>,

    /// How the virtual IP address resolves
    #[arg(long, value_enum, default_value_t = ModeArg::Multicast)]
    pub(crate) mode: ModeArg,

    /// The virtual MAC, the same on every host [default: made of the mode and the primary VIP, see ip2mac]
    #[arg(long, value_name = "MAC", value_parser = mac)]
    pub(crate) virtual_mac: Option<[u8; 6]>,

    /// Serve packets for a VIP whichever interface they arrive on; else those on others are dropped
    #[arg(long)]
    pub(crate) allow_other_interfaces: bool,

    /// Who answers echo requests to a VIP, the same on every host
    #[arg(long, value_enum, default_value_t = EchoArg::DefaultHost)]
    pub(crate) echo: EchoArg,

    /// Who answers ARP and neighbour discovery for a VIP, the same on every host
    #[arg(long, value_enum, default_value_t = ResponderArg::DefaultHost)]
    pub(crate) responder: ResponderArg,
    /// Sessions without a socket that are remembered at most: tracked UDP, tunnels, SCTP [default: 262144]
    #[arg(long, value_name = "N", value_parser = sessions_max)]
    pub(crate) sessions_max: Option<u32>,

    /// What of a client decides its host, for the default rule
    #[arg(long, value_enum, default_value_t = AffinityArg::Single)]
    pub(crate) affinity: AffinityArg,

    /// File of port rules, in place of the default rule: TOML, see `nlbadm help rules`
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "affinity")]
    pub(crate) rules: Option<PathBuf>,

    /// Time between two heartbeats, with a unit: 10ms to 10s
    #[arg(long, value_name = "TIME", default_value = "200ms", value_parser = period)]
    pub(crate) period: Duration,

    /// Heartbeats that may be missed, 3 to 100
    #[arg(long, value_name = "N", default_value_t = TOLERANCE_DEFAULT, value_parser = tolerance)]
    pub(crate) tolerance: u32,

    /// Load weight of this host, 0 to 100 [default: equal shares]
    #[arg(long, value_name = "N", value_parser = weight)]
    pub(crate) weight: Option<u8>,

    /// Do not take part yet; `nlbadm start` does
    #[arg(long)]
    pub(crate) stopped: bool,
}

/// Arguments of `drainstop`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Drainstop {
    #[command(flatten)]
    pub(crate) target: Target,

    /// Stop after this time though connections are left: seconds, or 90s, 10m, 2h; without it, wait for the last one
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    pub(crate) timeout: Option<u32>,
}

/// A time as a number of seconds, or with its unit.
fn seconds(text: &str) -> Result<u32, String> {
    let (number, unit) = match text.chars().last() {
        Some('s') => (&text[..text.len() - 1], 1),
        Some('m') => (&text[..text.len() - 1], 60),
        Some('h') => (&text[..text.len() - 1], 3600),
        _ => (text, 1),
    };
    number
        .parse::<u32>()
        .ok()
        .and_then(|number| number.checked_mul(unit))
        .ok_or_else(|| "a time is a number of seconds, or one with s, m or h after it".to_owned())
}

/// Arguments of `drain`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Drain {
    /// A rule: its number, or a port that it covers (192.0.2.10:443, all:443); or else the cluster interface
    #[arg(value_name = "RULE|IFACE", value_hint = ValueHint::Other)]
    what: Option<String>,

    /// Cluster interface; may be left out if there is only one cluster
    #[arg(value_name = "IFACE", value_hint = ValueHint::Other)]
    interface: Option<String>,
}

impl Drain {
    /// The rule, if one is named, and the cluster that is meant.
    pub(crate) fn split(self) -> (Option<RuleName>, Target) {
        let Drain { what, interface } = self;
        match what.as_deref().map(str::parse) {
            Some(Ok(rule)) => (Some(rule), Target { interface }),
            _ => (None, Target { interface: what }),
        }
    }
}

/// A rule of a cluster.
#[derive(Args, Clone, Debug)]
pub(crate) struct OneRule {
    /// Its number, or a port that it covers: 192.0.2.10:443, all:443
    #[arg(value_name = "RULE")]
    pub(crate) rule: RuleName,

    #[command(flatten)]
    pub(crate) target: Target,
}

/// Arguments of `rules`.
#[derive(Args, Clone, Debug)]
#[command(args_conflicts_with_subcommands = true, after_help = RULES_HELP.as_str())]
pub(crate) struct Rules {
    #[command(subcommand)]
    pub(crate) verb: Option<RulesVerb>,

    #[command(flatten)]
    pub(crate) target: Target,
}

/// What can be done with rules.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum RulesVerb {
    /// Show the rules in force, and those that wait for the other hosts
    Show(Target),
    /// Replace all rules by those of a file; with other hosts they wait until all have the same
    Apply {
        /// TOML file, the same for all hosts; - for standard input
        #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
        file: PathBuf,
        /// Leave all checks to the kernel
        #[arg(long, hide = true)]
        unchecked: bool,
        #[command(flatten)]
        target: Target,
    },
    /// Check a file of rules, without the kernel
    Check {
        /// TOML file; - for standard input
        #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
        file: PathBuf,
    },
}

static RULES_HELP: LazyLock<String> =
    LazyLock::new(|| format!("A file of rules:\n\n{}", crate::rulefile::EXAMPLE));

/// Arguments of `set`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Set {
    #[command(flatten)]
    pub(crate) target: Target,

    /// Load weight of this host, 0 to 100; with 0 it takes no new connections
    #[arg(long, value_name = "N", value_parser = weight, required_unless_present = "sessions_max")]
    pub(crate) weight: Option<u8>,

    /// Sessions without a socket that are remembered at most, 0 to 1048576: tracked UDP, tunnels, SCTP
    #[arg(long, value_name = "N", value_parser = sessions_max)]
    pub(crate) sessions_max: Option<u32>,
}

/// Arguments of `owner`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Owner {
    /// Address of the client, with a port or without: 198.51.100.7:40000, [2001:db8::7]:40000
    #[arg(value_name = "CLIENT[:PORT]", required_unless_present = "batch")]
    pub(crate) client: Option<Endpoint>,

    /// Virtual IP address, with a port or without
    #[arg(value_name = "VIP[:PORT]", required_unless_present = "batch")]
    pub(crate) vip: Option<Endpoint>,

    /// Take many questions from standard input instead, each a line "CLIENT[:PORT] VIP[:PORT]"
    #[arg(long, conflicts_with_all = ["client", "vip"])]
    pub(crate) batch: bool,

    /// Protocol
    #[arg(long, value_enum, default_value_t = Protocol::Tcp)]
    pub(crate) proto: Protocol,

    /// Cluster interface; may be left out if only one cluster has this VIP
    #[arg(value_name = "IFACE")]
    pub(crate) interface: Option<String>,
}

/// Arguments of `counters`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Counters {
    #[command(flatten)]
    pub(crate) target: Target,

    /// Print those that are zero as well
    #[arg(short, long)]
    pub(crate) all: bool,

    /// Count the packets of this rule alone, by its number in `nlbadm rules`
    #[arg(long, value_name = "NUMBER")]
    pub(crate) rule: Option<u16>,
}

/// Arguments of `buckets`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Buckets {
    #[command(flatten)]
    pub(crate) target: Target,

    /// Print every range of buckets, not only the shares (JSON has them always)
    #[arg(short, long)]
    pub(crate) all: bool,
}

/// What can be done with keys.
#[derive(Debug, Subcommand)]
pub(crate) enum KeyVerb {
    /// Step 1, on every host: accept frames signed with a new key
    Add {
        /// Id of the new key, 1 to 255
        #[arg(value_name = "ID", value_parser = key_id)]
        id: u8,
        /// File with the key, as `nlbadm genkey` prints it; a seed in it is not used
        #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
        key_file: PathBuf,
        #[command(flatten)]
        target: Target,
    },
    /// Step 2, on every host, when all have done step 1: sign frames with the new key
    Use {
        /// Id of the key
        #[arg(value_name = "ID", value_parser = key_id)]
        id: u8,
        #[command(flatten)]
        target: Target,
    },
    /// Step 3, on every host, when all have done step 2: forget the old key
    Del {
        /// Id of the key
        #[arg(value_name = "ID", value_parser = key_id)]
        id: u8,
        #[command(flatten)]
        target: Target,
    },
    /// Print the ids of the keys that this host knows
    List(Target),
}

/// Arguments of `ip2mac`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Ip2mac {
    /// A virtual IP address
    #[arg(value_name = "ADDR", value_parser = usable_vip)]
    pub(crate) address: std::net::IpAddr,
}

/// Arguments of `relay`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Relay {
    /// Cluster interface
    #[arg(value_name = "IFACE")]
    pub(crate) interface: String,

    /// Address and port of this host on the other network
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) listen: SocketAddr,

    /// Address and port of another host's relay; repeat for each host
    #[arg(long = "peer", value_name = "ADDR:PORT", required = true)]
    pub(crate) peers: Vec<SocketAddr>,
}

/// [`Mode`] as an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ModeArg {
    /// Virtual MAC 02-bf-…, beside the interface's own
    Unicast,
    /// Virtual MAC 03-bf-…
    Multicast,
    /// Virtual MAC 01-00-5e-7f-…, joined by IGMP
    Igmp,
}

impl From<ModeArg> for Mode {
    fn from(mode: ModeArg) -> Self {
        match mode {
            ModeArg::Unicast => Mode::Unicast,
            ModeArg::Multicast => Mode::Multicast,
            ModeArg::Igmp => Mode::Igmp,
        }
    }
}

/// [`Affinity`] as an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum AffinityArg {
    /// Its address and port: each connection for itself
    None,
    /// Its address: all connections of a client
    Single,
    /// Its network: IPv4 /24, IPv6 /64
    Network,
}

impl From<AffinityArg> for Affinity {
    fn from(affinity: AffinityArg) -> Self {
        match affinity {
            AffinityArg::None => Affinity::None,
            AffinityArg::Single => Affinity::Single,
            AffinityArg::Network => Affinity::Network,
        }
    }
}

/// Who answers echo requests to a VIP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum EchoArg {
    /// The default host
    DefaultHost,
    /// Every host
    All,
    /// The host that the client's address hashes to, if a rule covers all ports
    Hash,
    /// Nobody
    Drop,
}

impl From<EchoArg> for Echo {
    fn from(echo: EchoArg) -> Self {
        match echo {
            EchoArg::DefaultHost => Echo::DefaultHost,
            EchoArg::All => Echo::All,
            EchoArg::Hash => Echo::Hash,
            EchoArg::Drop => Echo::Drop,
        }
    }
}

/// Who answers ARP and neighbour discovery for a VIP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ResponderArg {
    /// The default host: one answer for each question
    DefaultHost,
    /// Every host
    All,
}

impl From<ResponderArg> for Responder {
    fn from(responder: ResponderArg) -> Self {
        match responder {
            ResponderArg::DefaultHost => Responder::DefaultHost,
            ResponderArg::All => Responder::All,
        }
    }
}

/// A protocol that the packet decision tells from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Protocol {
    /// TCP
    Tcp,
    /// UDP
    Udp,
    /// SCTP
    Sctp,
    /// Echo requests, of ICMP or ICMPv6
    Icmp,
    /// GRE
    Gre,
    /// ESP, the data of IPsec
    Esp,
    /// AH, of IPsec too
    Ah,
}

impl Protocol {
    /// The IP protocol number.
    pub(crate) const fn number(self, v6: bool) -> u8 {
        match self {
            Protocol::Tcp => 6,
            Protocol::Udp => 17,
            Protocol::Sctp => 132,
            Protocol::Icmp if v6 => 58,
            Protocol::Icmp => 1,
            Protocol::Gre => 47,
            Protocol::Esp => 50,
            Protocol::Ah => 51,
        }
    }

    /// Whether its packets have ports.
    pub(crate) const fn has_ports(self) -> bool {
        matches!(self, Protocol::Tcp | Protocol::Udp | Protocol::Sctp)
    }

    /// The name that people read.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
            Protocol::Sctp => "sctp",
            Protocol::Icmp => "icmp",
            Protocol::Gre => "gre",
            Protocol::Esp => "esp",
            Protocol::Ah => "ah",
        }
    }
}

fn number(text: &str, range: std::ops::RangeInclusive<u32>, what: &str) -> Result<u32, String> {
    text.parse()
        .ok()
        .filter(|value| range.contains(value))
        .ok_or_else(|| {
            format!(
                "{what} is a number from {} to {}",
                range.start(),
                range.end()
            )
        })
}

fn small(text: &str, range: std::ops::RangeInclusive<u8>, what: &str) -> Result<u8, String> {
    let wide = u32::from(*range.start())..=u32::from(*range.end());
    number(text, wide, what).and_then(|value| u8::try_from(value).map_err(|e| e.to_string()))
}

fn host_id(text: &str) -> Result<u8, String> {
    #[expect(clippy::cast_possible_truncation, reason = "the limit is 64")]
    small(text, 1..=HOSTS_MAX as u8, "a host id")
}

fn key_id(text: &str) -> Result<u8, String> {
    small(text, 1..=255, "a key id")
}

fn weight(text: &str) -> Result<u8, String> {
    small(text, 0..=100, "a load weight")
}

fn mac(text: &str) -> Result<[u8; 6], String> {
    let byte = |part: &str| {
        let value = u8::from_str_radix(part, 16).ok()?;
        // A sign is a part of a number for the parser, but not of a MAC.
        part.chars()
            .all(|digit| digit.is_ascii_hexdigit())
            .then_some(value)
            .filter(|_| part.len() == 2)
    };
    let bytes: Option<Vec<u8>> = text.split([':', '-']).map(byte).collect();
    bytes
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| "a MAC is six bytes in hexadecimal, such as 03:bf:c0:00:02:0a".into())
}

fn sessions_max(text: &str) -> Result<u32, String> {
    number(text, 0..=SESSIONS_MAX_MAX, "the number of sessions")
}

fn tolerance(text: &str) -> Result<u32, String> {
    number(
        text,
        TOLERANCE_MIN..=TOLERANCE_MAX,
        "the number of heartbeats that may be missed",
    )
}

fn cluster_name(text: &str) -> Result<String, String> {
    if text.is_empty() || text.len() > NAME_MAX {
        Err(format!(
            "a cluster name has 1 to {NAME_MAX} bytes, this one has {}",
            text.len()
        ))
    } else if text.chars().any(char::is_control) {
        Err("a cluster name has no control characters".into())
    } else {
        Ok(text.into())
    }
}

fn period(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text)
        .map_err(|error| format!("{error}; write the time with a unit, such as 200ms"))?;
    let range =
        Duration::from_millis(PERIOD_MS_MIN.into())..=Duration::from_millis(PERIOD_MS_MAX.into());
    if !range.contains(&duration) {
        Err(format!(
            "a period is from {PERIOD_MS_MIN}ms to {PERIOD_MS_MAX}ms"
        ))
    } else if duration.subsec_nanos() % 1_000_000 != 0 {
        Err("a period is a whole number of milliseconds".into())
    } else {
        Ok(duration)
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn periods_have_units_and_bounds() {
        assert_eq!(period("200ms"), Ok(Duration::from_millis(200)));
        assert_eq!(period("10s"), Ok(Duration::from_secs(10)));
        for wrong in ["200", "9ms", "11s", "200500us", "", "soon"] {
            assert!(period(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn macs_have_six_bytes() {
        assert_eq!(mac("03:bf:C0:00:02:0a"), Ok([3, 0xbf, 0xc0, 0, 2, 10]));
        assert_eq!(mac("03-bf-c0-00-02-0a"), Ok([3, 0xbf, 0xc0, 0, 2, 10]));
        for wrong in [
            "",
            "03:bf",
            "3:bf:c0:0:2:a",
            "03:bf:c0:00:02:0a:00",
            "+3:bf:c0:00:02:0a",
            "03:bf:c0:00:02:zz",
        ] {
            assert!(mac(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn host_ids_are_from_1_to_64() {
        assert_eq!(host_id("1"), Ok(1));
        assert_eq!(host_id("64"), Ok(64));
        for wrong in ["0", "65", "-1", "one", "256", ""] {
            assert!(host_id(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn names_fit_the_wire() {
        assert!(cluster_name(&"n".repeat(NAME_MAX)).is_ok());
        for wrong in [String::new(), "n".repeat(NAME_MAX + 1), "a\nb".into()] {
            assert!(cluster_name(&wrong).is_err(), "{wrong:?}");
        }
    }
}
