// SPDX-License-Identifier: GPL-2.0-only

//! The verbs and their arguments. Help, manual page and completions come from here as well.

mod choice;
mod elsewhere;
mod everywhere;
mod hosts;
#[cfg(test)]
mod pages;
pub(crate) mod value;

use std::{net::SocketAddr, path::PathBuf, sync::LazyLock, time::Duration};

use clap::{Args, Parser, Subcommand, ValueHint};
use nlb_core::limits::TOLERANCE_DEFAULT;

pub(crate) use self::choice::{AffinityArg, EchoArg, ModeArg, Protocol, ResponderArg};
pub(crate) use self::elsewhere::{Controlled, Elsewhere, RuleControl};
pub(crate) use self::everywhere::{Everywhere, Rollback, Versions};
pub(crate) use self::hosts::Hosts;
pub(crate) use self::value::{Addresses, seconds};
use self::value::{
    addresses, cluster_name, host_id, key_id, mac, new_vips, period, priority, sessions_max,
    tolerance, weight,
};
use crate::{
    endpoint::{Endpoint, usable_vip},
    import::Format,
    rulename::RuleName,
};

/// Exit codes, for people and for `--help`.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  the kernel refused, or something failed
  2  wrong usage: an argument or a key file is not right
  3  the module is not loaded, of another version, or this kernel cannot have it
  4  not permitted
  5  no such interface
  6  no such cluster
  7  exists already, or busy
  8  doctor has found a problem, or import has words that it does not understand
  9  apply needs --restart
 10  somebody else's change of the file came first";

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
    #[command(visible_alias = "query")]
    Show(Target),
    /// Print all about a cluster: what show, rules, history and counters print
    Display(Target),
    /// Make a cluster on an interface, or let this host join one
    Up(Up),
    /// Make this host what the file of a cluster says, by the smallest change, and print that as a diff
    #[command(after_help = APPLY_HELP)]
    Apply(Apply),
    /// Show the versions of a cluster's file that were applied on all hosts, and which version each host has
    Versions(Versions),
    /// Bring an earlier version of the file back, on all hosts
    Rollback(Rollback),
    /// Apply the file of a cluster that exists, /etc/nlb/NAME.toml, again
    Reload(Target),
    /// Replace the module in the kernel by the one that is installed: drain this host, and let it join again
    #[command(after_help = UPGRADE_HELP)]
    Upgrade(Upgrade),
    /// Check the file of a cluster, without the kernel and without privileges
    #[command(after_help = CHECK_HELP.as_str())]
    Check(Check),
    /// Print the running state of a cluster as a file, which changes nothing when it is applied
    #[command(visible_alias = "params")]
    Export(Export),
    /// Make the file of a cluster from a configuration of Pacemaker, keepalived or Windows
    #[command(after_help = IMPORT_HELP)]
    Import(Import),
    /// Leave the cluster of an interface, or all clusters, and remove it from this host
    Down(Down),
    /// Take part in the cluster
    Start(Controlled),
    /// Leave the cluster at once; it stays configured
    Stop(Controlled),
    /// Take no new connections, of one rule or of all, and serve the old ones
    Drain(Drain),
    /// Drain, and stop when the last connection has ended
    Drainstop(Drainstop),
    /// Stop, and be deaf to everything but resume
    Suspend(Controlled),
    /// End suspension; the host is stopped then
    Resume(Controlled),
    /// Tell routers and switches again which MAC the VIPs have
    Announce(Controlled),
    /// Serve the traffic of a rule again
    Enable(RuleControl),
    /// Serve nothing of a rule on this host, old connections included
    Disable(RuleControl),
    /// Show the state of one rule on this host, and its packets
    Queryport(OneRule),
    /// Show, check or replace the port rules of a cluster
    Rules(Rules),
    /// Change parameters of this host, or settings that all hosts share, while the cluster serves
    #[command(after_help = SET_HELP)]
    Set(Set),
    /// Add VIPs or take them away, while the cluster serves
    #[command(subcommand, after_help = SET_HELP)]
    Vip(VipVerb),
    /// Tell which host serves a connection, and why
    Owner(Owner),
    /// Check what on this host keeps clients from being served; of an interface without a cluster too
    #[command(after_help = DOCTOR_HELP)]
    Doctor(Target),
    /// Print what happens, as it happens
    Monitor(Target),
    /// Print the counters of a cluster
    Counters(Counters),
    /// Print the TCP connections to the VIPs that this host has: what a drain waits for
    Connections(Target),
    /// Print how the health checks of this host stand, which nlbd makes
    Checks(Checks),
    /// Print what there is to be measured on this host, as OpenMetrics
    Metrics,
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
        /// Write all pages to files in this directory, which exists
        #[arg(long, value_name = "DIR", conflicts_with = "verb", value_hint = ValueHint::DirPath)]
        directory: Option<PathBuf>,
    },
}

impl Verb {
    /// Whether it only shows how clusters stand, or takes this host out of them: what has to work with the module of
    /// another version too, from an upgrade of this program until the module is replaced.
    pub(crate) fn leaves(&self) -> bool {
        matches!(
            self,
            Verb::Show(_)
                | Verb::Doctor(_)
                | Verb::Drainstop(_)
                | Verb::Stop(_)
                | Verb::Suspend(_)
                | Verb::Down(_)
                | Verb::Upgrade(_)
        )
    }
}

const DOCTOR_HELP: &str = "\
Without IFACE all clusters are checked. Run it as root: some checks need to read what others may not, and are listed as
not checked otherwise. Firewall rules are read by nft, tcx programs by bpftool, where these are installed. Nothing is
changed. The exit code is 8 if there is a problem, and 0 if there are none, or warnings only.";

/// The cluster that is meant.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Target {
    /// Cluster interface, or name of the cluster; may be left out if there is only one cluster
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

    /// File of port rules, in place of the default rule: TOML, see `nlbadm help rules`. With an empty file one host serves
    /// everything, and another one if it fails
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

/// Arguments of `apply`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Apply {
    /// TOML file, the same on every host; - for standard input
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,

    /// Print what differs, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// The section of the file that is for this host [default: the one of its machine id or host name]
    #[arg(long, value_name = "NAME")]
    pub(crate) host: Option<String>,

    /// Where it must be, let the host leave and join again
    #[arg(long)]
    pub(crate) restart: bool,

    /// With --restart, how long connections may take to end: seconds, or 90s, 10m, 2h
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = seconds)]
    pub(crate) drain_timeout: u32,

    /// Leave a host stopped whose cluster is made, though the file starts it
    #[arg(long, conflicts_with = "start")]
    pub(crate) no_start: bool,

    /// Start a host that is stopped, if the file starts it
    #[arg(long)]
    pub(crate) start: bool,

    /// Wait so long for the interface to appear, as at boot
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    pub(crate) wait: Option<u32>,

    #[command(flatten)]
    pub(crate) everywhere: Everywhere,
}

impl Apply {
    /// That of a file, without options.
    pub(crate) fn of(file: PathBuf) -> Self {
        // Time that connections would get if the host had to leave.
        const DRAIN_TIMEOUT: u32 = 60;
        Apply {
            file,
            dry_run: false,
            host: None,
            restart: false,
            drain_timeout: DRAIN_TIMEOUT,
            no_start: false,
            start: false,
            wait: None,
            everywhere: Everywhere::default(),
        }
    }
}

const APPLY_HELP: &str = "\
With --on all, nlbd brings the file to all hosts of the cluster, or to none: it becomes /etc/nlb/NAME.toml on each, and each host
is made what it says, without a restart. That needs nlbd on each host and `replicate = true` in the file. A host that cannot
have it is named; --without leaves hosts out. `nlbadm versions` shows what was applied so, `nlbadm rollback` takes it back.

Nothing is done where nothing differs. Rules, load weight, the number of sessions, VIPs but for the first, the timing of
heartbeats, echo and responder change while the host serves. All else needs --restart, or the exit code is 9. The state of a
host in the file counts when its cluster is made, and with --start.";

/// Arguments of `upgrade`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Upgrade {
    /// Tell which module runs and what would be done, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// How long connections may take to end: seconds, or 90s, 10m, 2h [default: NLB_DRAIN of nlb-serve@NAME]
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    pub(crate) drain_timeout: Option<u32>,

    /// How long to wait until the other hosts can do without this one
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = seconds)]
    pub(crate) turn_timeout: u32,
}

const UPGRADE_HELP: &str = "\
`systemctl start nlb-upgrade` runs it so that it goes on when the terminal ends; packages do so where /etc/default/nlb has
UPGRADE=reload. Nothing is done where the module in the kernel is the installed one. Each cluster of this host needs its
file, /etc/nlb/NAME.toml, and must not differ from it, for it is made again of it. The host waits until another host of the
cluster serves and none is about to leave or to come. One that was stopped or suspended is so afterwards. If the new
module is refused, the old one is loaded again where packages have kept it.";

static CHECK_HELP: LazyLock<String> = LazyLock::new(|| {
    format!(
        "The file of a cluster, /etc/nlb/NAME.toml:\n\n{}",
        crate::config::EXAMPLE
    )
});

/// Arguments of `check`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Check {
    /// TOML file, the same on every host; - for standard input
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,

    /// A host that has to have a section [default: this machine, and a warning if it has none]
    #[arg(long, value_name = "NAME")]
    pub(crate) host: Option<String>,
}

/// Arguments of `export`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Export {
    #[command(flatten)]
    pub(crate) target: Target,

    /// The name of this host's section [default: its host name]
    #[arg(long, value_name = "NAME")]
    pub(crate) host: Option<String>,
}

/// Arguments of `import`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Import {
    /// What the other system has or prints; - for standard input
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,

    /// The system that it is of [default: guessed]
    #[arg(long, value_name = "SYSTEM", value_enum)]
    pub(crate) from: Option<Format>,

    /// The cluster to write, where there are several: one for each interface
    #[arg(long, value_name = "NAME", conflicts_with = "directory")]
    pub(crate) cluster: Option<String>,

    /// Write each cluster to a file NAME.toml in this directory, which exists; none that is there is changed
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) directory: Option<PathBuf>,
}

const IMPORT_HELP: &str = "\
Nothing is changed on this host. Comments at the head of the file tell, by line of the input, what was not understood,
what is to be decided, what is different under nlb, and what has no counterpart; warnings tell the first two as well.
The exit code is 8 if there were words that were not understood. `nlbadm check` tells what is still to be filled in.

    crm configure show | nlbadm import - >web.toml
    pcs cluster cib | nlbadm import - >web.toml
    nlbadm import /etc/keepalived/keepalived.conf >web.toml

Of Windows: the output of `nlb params` of each host, one after the other in a file.";

/// Arguments of `down`.
#[derive(Args, Clone, Debug)]
#[command(after_help = DOWN_HELP)]
pub(crate) struct Down {
    #[command(flatten)]
    pub(crate) target: Target,

    /// Take all clusters of this network namespace down; it is no error if there are none
    #[arg(long, conflicts_with = "interface")]
    pub(crate) all: bool,
}

const DOWN_HELP: &str = "\
To unload the module: the kernel refuses that while a cluster exists in any network namespace.

    nlbadm down --all && rmmod nlb";

/// Arguments of `drainstop`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Drainstop {
    #[command(flatten)]
    pub(crate) target: Target,

    /// Stop after this time though connections are left: seconds, or 90s, 10m, 2h; without it, wait for the last one
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    pub(crate) timeout: Option<u32>,

    /// Return only when the host has stopped
    #[arg(long)]
    pub(crate) wait: bool,

    #[command(flatten)]
    pub(crate) elsewhere: Elsewhere,
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

    #[command(flatten)]
    pub(crate) elsewhere: Elsewhere,
}

impl Drain {
    /// The rule, if one is named, and the cluster that is meant.
    pub(crate) fn split(self) -> (Option<RuleName>, Target) {
        let Drain {
            what, interface, ..
        } = self;
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
        #[command(flatten)]
        elsewhere: Elsewhere,
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
    #[arg(long, value_name = "N", value_parser = weight, conflicts_with_all = SHARED)]
    #[arg(required_unless_present_any = [
        "priority", "sessions_max", "withdraw", "period", "tolerance", "echo", "responder",
    ])]
    pub(crate) weight: Option<u8>,

    /// Change --weight or --priority in this rule alone: the rule's number, or a port that it covers (192.0.2.10:443, all:443)
    #[arg(long, value_name = "RULE", conflicts_with_all = SHARED, conflicts_with_all = ["sessions_max", "withdraw"])]
    pub(crate) rule: Option<RuleName>,

    /// With --rule: handling priority of this host in a rule of mode single, 1 to 64, the lowest first; with 0 it never serves it
    #[arg(long, value_name = "N", value_parser = priority, requires = "rule", conflicts_with = "weight")]
    pub(crate) priority: Option<u8>,

    /// Sessions without a socket that are remembered at most, 0 to 1048576: tracked UDP, tunnels, SCTP
    #[arg(long, value_name = "N", value_parser = sessions_max, conflicts_with_all = SHARED)]
    pub(crate) sessions_max: Option<u32>,

    /// Of the cluster: time between two heartbeats, with a unit: 10ms to 10s
    #[arg(long, value_name = "TIME", value_parser = period)]
    pub(crate) period: Option<Duration>,

    /// Of the cluster: heartbeats that may be missed, 3 to 100
    #[arg(long, value_name = "N", value_parser = tolerance)]
    pub(crate) tolerance: Option<u32>,

    /// Of the cluster: who answers echo requests to a VIP
    #[arg(long, value_enum)]
    pub(crate) echo: Option<EchoArg>,

    /// Of the cluster: who answers ARP and neighbour discovery for a VIP
    #[arg(long, value_enum)]
    pub(crate) responder: Option<ResponderArg>,

    /// Of the cluster: forget the rules and settings that wait for other hosts
    #[arg(long, conflicts_with_all = SHARED)]
    pub(crate) withdraw: bool,

    #[command(flatten)]
    pub(crate) elsewhere: Elsewhere,
}

/// What of `set` all hosts share.
const SHARED: [&str; 4] = ["period", "tolerance", "echo", "responder"];

const SET_HELP: &str = "\
What all hosts share waits until every member has been told the same, and comes into force as one change: run the command
on each of them, or with --on all where remote control is on. No connection breaks. Until then `show` says what waits, and for which hosts, and `set --withdraw` forgets
it. The primary VIP, the mode and the virtual MAC cannot change while the cluster serves.";

/// Verbs of `vip`.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum VipVerb {
    /// Add VIPs: they are addresses of this host at once, and served when all hosts have them
    Add {
        /// Addresses, with commas between them
        #[arg(value_name = "ADDR[,ADDR...]", value_parser = new_vips)]
        vips: Addresses,
        #[command(flatten)]
        target: Target,
        #[command(flatten)]
        elsewhere: Elsewhere,
    },
    /// Take VIPs away; what connections they have end
    Del {
        /// Addresses, with commas between them
        #[arg(value_name = "ADDR[,ADDR...]", value_parser = addresses)]
        vips: Addresses,
        #[command(flatten)]
        target: Target,
        #[command(flatten)]
        elsewhere: Elsewhere,
    },
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

/// Arguments of `checks`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Checks {
    /// Name of a cluster; all if left out
    #[arg(value_name = "CLUSTER")]
    pub(crate) cluster: Option<String>,

    /// Where nlbd listens
    #[arg(long, value_name = "FILE", default_value = crate::daemon::SOCKET, value_hint = ValueHint::FilePath)]
    pub(crate) socket: PathBuf,
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

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }
}
