// SPDX-License-Identifier: GPL-2.0-only

//! `nlbadm up`: makes a cluster and adds its VIPs to this host, or leaves everything as it was.

use std::time::Duration;
use std::{net::IpAddr, path::Path};

use nlb_core::{genl::Control, limits::VIPS_MAX};
use nlb_netlink::{
    object::{ClusterChange, ClusterKey, NewCluster},
    route::{Address, Interface},
};

use super::vips;
use crate::{
    cli::Up,
    config::InitialState,
    failure::{Exit, Failure},
    host::Host,
    kernel::Kernel,
    keyfile::KeyFile,
    obstacle::{self, Subject},
    rulefile::RuleFile,
    warn,
};

/// Makes the cluster. Everything that can be checked is checked before the first change.
pub(crate) fn run<K: Kernel + Host>(kernel: &mut K, args: &Up) -> Result<(), Failure> {
    check_vips(&args.vips)?;
    if let Some(dedicated) = args.dedicated {
        check_dedicated(dedicated, &args.vips)?;
    }
    let rules = match &args.rules {
        None => None,
        Some(path) => {
            let file = RuleFile::read(path)?;
            file.check_for(&args.vips)?;
            Some(file.for_host(args.host_id))
        }
    };
    let (key, warning) = read_key(args)?;
    let new = NewCluster {
        ifindex: 0,
        name: args.cluster.clone(),
        host_id: args.host_id,
        mode: args.mode.into(),
        vips: args.vips.clone(),
        dedicated_ip: None,
        dedicated_follows: args.dedicated.is_none(),
        affinity: args.affinity.into(),
        period_ms: milliseconds(args.period),
        tolerance: args.tolerance,
        weight: args.weight,
        key,
        rules,
        virtual_mac: args.virtual_mac,
        allow_other_interfaces: args.allow_other_interfaces,
        echo: args.echo.into(),
        responder: args.responder.into(),
        sessions_max: args.sessions_max,
    };
    let cluster = prepare(kernel, new, &args.interface, args.dedicated, None)?;
    warn(warning);
    let state = if args.stopped {
        InitialState::Stopped
    } else {
        InitialState::Started
    };
    build(kernel, &cluster, state)
        .map_err(|failure| failure.context(format!("up {}", args.interface)))
}

/// Looks for the interface of a new cluster, and whether it can have one; changes nothing. The cluster that is `leaving`
/// does not count.
pub(super) fn prepare<K: Kernel + Host>(
    kernel: &mut K,
    new: NewCluster,
    interface: &str,
    dedicated: Option<IpAddr>,
    leaving: Option<u32>,
) -> Result<NewCluster, Failure> {
    let interface = super::interface(kernel, interface)?;
    check_interface(&interface)?;
    if leaving != Some(interface.index) {
        check_free(kernel, &interface)?;
    }
    let addresses = kernel.addresses(interface.index)?;
    let dedicated_ip = match dedicated {
        Some(address) => Some(address),
        None => choose_dedicated(&interface, &addresses, &new.vips)?,
    };
    warn(outside(&interface, &addresses, &new.vips));
    if !interface.up {
        warn(Some(format!(
            "{0} is down: the host takes part when `ip link set {0} up` has been done",
            interface.name
        )));
    }
    name_obstacles(kernel, &interface, &new.vips)?;
    Ok(NewCluster {
        ifindex: interface.index,
        dedicated_ip,
        ..new
    })
}

/// Warns of what on this host may keep clients from being served, and refuses what is known to serve them wrongly.
fn name_obstacles(
    host: &mut dyn Host,
    interface: &Interface,
    vips: &[IpAddr],
) -> Result<(), Failure> {
    // What cannot be looked at is no reason to refuse.
    let Ok(subject) = Subject::new(host, &interface.name, interface.index, vips) else {
        return Ok(());
    };
    for finding in obstacle::beforehand(&subject, host) {
        if finding.check == obstacle::BRIDGE {
            return Err(Failure::new(Exit::Failed, finding.line()));
        }
        warn(Some(finding.line()));
    }
    Ok(())
}

/// Makes the cluster stopped, adds the VIPs, starts it: so the host never takes part without them. If a step fails, the
/// cluster goes, and the VIPs with it.
pub(super) fn build(
    kernel: &mut impl Kernel,
    new: &NewCluster,
    state: InitialState,
) -> Result<(), Failure> {
    kernel.create(new)?;
    let result = complete(kernel, new.ifindex, state);
    if result.is_err() {
        // The first failure is what the user has to know of most.
        if let Err(error) = kernel.remove(new.ifindex) {
            warn(Some(format!("could not remove the cluster again: {error}")));
        }
    }
    result
}

fn complete(kernel: &mut impl Kernel, ifindex: u32, state: InitialState) -> Result<(), Failure> {
    let made = super::as_it_is(kernel, ifindex)?;
    let made = made.ok_or_else(|| Failure::new(Exit::NoCluster, "the cluster has gone again"))?;
    vips::put(kernel, &made)?;
    let (control, what) = match state {
        InitialState::Stopped => return Ok(()),
        InitialState::Started => (Control::Start, "started"),
        InitialState::Suspended => (Control::Suspend, "suspended"),
    };
    kernel
        .change(ifindex, ClusterChange::Control(control))
        .map_err(|error| Failure::from(error).context(format!("the host could not be {what}")))
}

/// A time in milliseconds, as netlink tells it.
pub(super) fn milliseconds(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}

/// The key that the arguments name, and a warning if others may read its file.
fn read_key(args: &Up) -> Result<(ClusterKey, Option<String>), Failure> {
    let Some(path) = &args.key_file else {
        // Without authentication only when asked for in so many words.
        return if args.no_key {
            Ok((ClusterKey::NoKey, None))
        } else {
            Err(Failure::usage(
                "a cluster needs a key: give --key-file (`nlbadm genkey` makes one, every host gets the same), or \
                 --no-key if anyone on the segment may take part",
            ))
        };
    };
    key_of(path, args.key_id)
}

/// The key and the seed of a file, and a warning if others may read it.
pub(super) fn key_of(path: &Path, id: u8) -> Result<(ClusterKey, Option<String>), Failure> {
    let (file, warning) = KeyFile::read(path)?;
    let seed = file.seed.ok_or_else(|| {
        Failure::usage(format!(
            "the key file {} has no line `seed`; a cluster needs one: `nlbadm genkey` prints it",
            path.display()
        ))
    })?;
    let key = ClusterKey::Key {
        id,
        key: file.key,
        seed,
    };
    Ok((key, warning))
}

fn check_vips(vips: &[IpAddr]) -> Result<(), Failure> {
    if vips.len() > VIPS_MAX {
        return Err(Failure::usage(format!(
            "a cluster has at most {VIPS_MAX} VIPs, not {}",
            vips.len()
        )));
    }
    for (index, vip) in vips.iter().enumerate() {
        if vips.iter().take(index).any(|other| other == vip) {
            return Err(Failure::usage(format!("the VIP {vip} is given twice")));
        }
    }
    Ok(())
}

/// A warning if nobody on the segment would look for a VIP there: it is in no subnet of the interface.
fn outside(interface: &Interface, addresses: &[Address], vips: &[IpAddr]) -> Option<String> {
    let inside = |vip: &IpAddr| {
        addresses
            .iter()
            .any(|address| !vips.contains(&address.address) && same_subnet(address, *vip))
    };
    let vip = vips.iter().find(|vip| !inside(vip))?;
    Some(format!(
        "the VIP {vip} is in no subnet of {}: stations of the segment will not look for it there, unless a router \
         has a route to it through this segment",
        interface.name
    ))
}

fn same_subnet(address: &Address, vip: IpAddr) -> bool {
    let prefix = u32::from(address.prefix);
    match (address.address, vip) {
        (IpAddr::V4(own), IpAddr::V4(vip)) => {
            (own.to_bits() ^ vip.to_bits()).leading_zeros() >= prefix
        }
        (IpAddr::V6(own), IpAddr::V6(vip)) => {
            (own.to_bits() ^ vip.to_bits()).leading_zeros() >= prefix
        }
        _ => false,
    }
}

/// Refuses what can be no dedicated IP.
pub(crate) fn check_dedicated(dedicated: IpAddr, vips: &[IpAddr]) -> Result<(), Failure> {
    if vips.contains(&dedicated) {
        return Err(Failure::usage(format!(
            "{dedicated} cannot be both a VIP and the dedicated IP: the dedicated IP is this host's own address"
        )));
    }
    if dedicated.is_unspecified() || dedicated.is_multicast() || dedicated.is_loopback() {
        return Err(Failure::usage(format!(
            "{dedicated} cannot be a dedicated IP"
        )));
    }
    Ok(())
}

fn check_interface(interface: &Interface) -> Result<(), Failure> {
    let why = if interface.loopback {
        "is the loopback interface"
    } else if !interface.ethernet {
        "is not an Ethernet interface"
    } else {
        return Ok(());
    };
    Err(Failure::new(
        Exit::Failed,
        format!(
            "{} {why}: a cluster needs an Ethernet interface on the segment of its hosts",
            interface.name
        ),
    ))
}

/// One interface has one cluster.
fn check_free(kernel: &mut impl Kernel, interface: &Interface) -> Result<(), Failure> {
    let clusters = kernel.clusters()?;
    match clusters
        .iter()
        .find(|cluster| cluster.ifindex == interface.index)
    {
        None => Ok(()),
        Some(cluster) => Err(Failure::new(
            Exit::Exists,
            format!(
                "{0} is in the cluster {1} already, as host {2}; `nlbadm down {0}` leaves it",
                interface.name, cluster.name, cluster.host_id
            ),
        )),
    }
}

/// The interface's first global IPv4 address that is not a VIP. None is fine, unless the VIP is evidently the address
/// that the host was given as its own.
fn choose_dedicated(
    interface: &Interface,
    addresses: &[Address],
    vips: &[IpAddr],
) -> Result<Option<IpAddr>, Failure> {
    let own = |address: &&Address| {
        address.global && address.address.is_ipv4() && !vips.contains(&address.address)
    };
    if let Some(address) = addresses.iter().find(own) {
        return Ok(Some(address.address));
    }
    let taken = addresses.iter().find(|address| {
        vips.contains(&address.address) && address.address.is_ipv4() && address.prefix < 32
    });
    match taken {
        None => Ok(None),
        Some(address) => Err(Failure::usage(format!(
            "the VIP {0} is the only IPv4 address of {1}, {0}/{2}: give the host an address of its own first, or name \
             it with --dedicated",
            address.address, interface.name, address.prefix
        ))),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::{
        cli::{Cli, Verb},
        fake::{Fake, address, cluster, interface},
    };

    /// Parses the arguments of `up`, and runs it.
    fn up(kernel: &mut Fake, arguments: &str) -> Result<(), Failure> {
        let words = ["nlbadm", "up"]
            .into_iter()
            .chain(arguments.split_whitespace());
        match Cli::try_parse_from(words).unwrap().verb {
            Some(Verb::Up(args)) => run(kernel, &args),
            other => panic!("not up but {other:?}"),
        }
    }

    const RIGHT: &str =
        "eth0 --cluster web --host-id 1 --vip 192.0.2.10 --vip 2001:db8::10 --no-key";

    /// What is refused before the first change.
    fn refused(kernel: &mut Fake, arguments: &str, exit: Exit, words: &str) {
        let failure = up(kernel, arguments).unwrap_err();
        assert_eq!(failure.exit, exit, "{failure}");
        assert!(failure.message.contains(words), "{failure}");
        assert_eq!(kernel.changes, [""; 0], "{arguments}");
    }

    #[test]
    fn the_host_starts_when_its_vips_are_there() {
        let mut kernel = Fake::host();
        up(&mut kernel, RIGHT).unwrap();
        assert_eq!(
            kernel.changes,
            [
                "create on 2",
                "set up 9 beside 2",
                "add 192.0.2.10 to 9",
                "add 2001:db8::10 to 9",
                "start on 2"
            ]
        );
        let created = kernel.created.unwrap();
        assert_eq!(created.dedicated_ip, Some("192.0.2.1".parse().unwrap()));
        assert_eq!((created.period_ms, created.tolerance), (200, 5));
        assert_eq!(created.key, ClusterKey::NoKey);
    }

    #[test]
    fn a_vip_outside_all_subnets_is_warned_of() {
        let eth0 = interface(2, "eth0", false, true);
        let addresses = [
            address("192.0.2.1", 24, false),
            address("2001:db8::1", 64, false),
        ];
        let warning = |vip: &str| outside(&eth0, &addresses, &[vip.parse().unwrap()]);
        assert_eq!(warning("192.0.2.10"), None);
        assert_eq!(warning("2001:db8::10"), None);
        for vip in ["192.0.3.10", "2001:db8:1::10"] {
            assert!(warning(vip).is_some_and(|text| text.contains(vip)), "{vip}");
        }
        // A VIP that is there already, as a single address, is no subnet of its own.
        let alone = [address("192.0.3.10", 32, false)];
        assert!(outside(&eth0, &alone, &["192.0.3.10".parse().unwrap()]).is_some());
    }

    #[test]
    fn stopped_means_not_started() {
        let mut kernel = Fake::host();
        up(&mut kernel, &format!("{RIGHT} --stopped")).unwrap();
        assert!(
            !kernel
                .changes
                .iter()
                .any(|change| change.starts_with("start"))
        );
    }

    #[test]
    fn a_failed_step_undoes_those_before() {
        for (step, errno) in [("set up", 1), ("add 2001", 13), ("start", 16)] {
            let mut kernel = Fake::host();
            kernel.refuse.push((step, errno));
            up(&mut kernel, RIGHT).unwrap_err();
            assert_eq!(kernel.changes.last().unwrap(), "remove from 2");
        }
    }

    #[test]
    fn a_refused_cluster_leaves_nothing_to_undo() {
        for (errno, exit) in [
            (1, Exit::NotPermitted),
            (16, Exit::Exists),
            (22, Exit::Failed),
        ] {
            let mut kernel = Fake::host();
            kernel.refuse.push(("create", errno));
            assert_eq!(up(&mut kernel, RIGHT).unwrap_err().exit, exit);
            assert_eq!(kernel.changes, ["create on 2"]);
        }
    }

    #[test]
    fn wrong_interfaces_are_refused_by_name() {
        let rest = "--cluster web --host-id 1 --vip 192.0.2.10 --no-key";
        let mut kernel = Fake::host();
        kernel.interfaces.push(interface(3, "tun0", false, false));
        refused(
            &mut kernel,
            &format!("nosuch {rest}"),
            Exit::NoInterface,
            "no interface nosuch",
        );
        refused(&mut kernel, &format!("lo {rest}"), Exit::Failed, "loopback");
        refused(
            &mut kernel,
            &format!("tun0 {rest}"),
            Exit::Failed,
            "not an Ethernet",
        );
        kernel.clusters.push(cluster(2, "eth0"));
        refused(
            &mut kernel,
            &format!("eth0 {rest}"),
            Exit::Exists,
            "in the cluster web already",
        );
    }

    #[test]
    fn wrong_addresses_are_refused() {
        let rest = "eth0 --cluster web --host-id 1 --no-key";
        let mut kernel = Fake::host();
        for (arguments, words) in [
            (
                "--vip 192.0.2.10 --dedicated 192.0.2.10",
                "both a VIP and the dedicated IP",
            ),
            ("--vip 192.0.2.10 --vip 192.0.2.10", "given twice"),
            (
                "--vip 192.0.2.10 --dedicated 224.0.0.1",
                "cannot be a dedicated IP",
            ),
            ("--vip 192.0.2.1", "the only IPv4 address of eth0"),
        ] {
            refused(
                &mut kernel,
                &format!("{rest} {arguments}"),
                Exit::Usage,
                words,
            );
        }
    }

    #[test]
    fn the_dedicated_ip_is_no_vip_and_may_be_missing() {
        let eth0 = interface(2, "eth0", false, true);
        let vips = ["192.0.2.10".parse().unwrap()];
        let both = [
            address("192.0.2.10", 32, false),
            address("192.0.2.1", 24, false),
        ];
        let chosen = choose_dedicated(&eth0, &both, &vips).unwrap();
        assert_eq!(chosen, Some("192.0.2.1".parse().unwrap()));
        let six = [address("2001:db8::1", 64, false)];
        assert_eq!(choose_dedicated(&eth0, &six, &vips), Ok(None));
    }

    #[test]
    fn without_a_key_only_in_so_many_words() {
        let arguments = "eth0 --cluster web --host-id 1 --vip 192.0.2.10";
        let mut kernel = Fake::host();
        refused(&mut kernel, arguments, Exit::Usage, "needs a key");
        refused(
            &mut kernel,
            &format!("{arguments} --key-file /nonexistent/key"),
            Exit::Usage,
            "cannot be read",
        );
    }

    #[test]
    fn a_key_file_without_seed_is_not_enough() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        let text = crate::output::Report::human(&crate::cmd::genkey::run().unwrap());
        let arguments = format!(
            "eth0 --cluster web --host-id 1 --vip 192.0.2.10 --key-file {}",
            path.display()
        );
        std::fs::write(&path, text.lines().next().unwrap()).unwrap();
        refused(&mut Fake::host(), &arguments, Exit::Usage, "no line `seed`");
        std::fs::write(&path, &text).unwrap();
        let mut kernel = Fake::host();
        up(&mut kernel, &format!("{arguments} --key-id 3")).unwrap();
        assert!(matches!(
            kernel.created.unwrap().key,
            ClusterKey::Key { id: 3, .. }
        ));
    }
}
