// SPDX-License-Identifier: GPL-2.0-only

//! The VIPs of a cluster as addresses of this host. They belong on the device that the module makes for them, which network
//! managers leave alone and which goes with the cluster, and nowhere else.

use std::net::IpAddr;

use nlb_netlink::{Error, object::Cluster};

use crate::{
    failure::{Exit, Failure},
    host::Host,
    kernel::Kernel,
};

/// `EEXIST`: the device has the address already.
const EEXIST: i32 = 17;

/// Puts the VIPs that are missing on the device, and sets that up, in the VRF of the cluster interface.
pub(super) fn put(kernel: &mut impl Kernel, cluster: &Cluster) -> Result<(), Failure> {
    // Those that wait are to be here before they are in force.
    let waiting = cluster.staged.vips.iter();
    let waiting = waiting.filter(|vip| !cluster.vips.contains(vip));
    let vips: Vec<_> = cluster.vips.iter().chain(waiting).copied().collect();
    put_all(kernel, cluster, &vips)
}

/// The same for these addresses, which are VIPs or shall be some.
pub(super) fn put_all(
    kernel: &mut impl Kernel,
    cluster: &Cluster,
    vips: &[IpAddr],
) -> Result<(), Failure> {
    let Some(device) = cluster.vip_ifindex else {
        return Err(Failure::new(
            Exit::Failed,
            "the module has no device for the VIPs: it is another version than nlbadm",
        ));
    };
    kernel
        .set_up_beside(device, cluster.ifindex)
        .map_err(|error| failed(error, "the device of the VIPs could not be set up"))?;
    for &vip in vips {
        match kernel.add_address(device, vip) {
            Ok(()) => {}
            Err(error) if error.errno() == Some(EEXIST) => {}
            Err(error) => {
                return Err(failed(error, &format!("the VIP {vip} could not be added")));
            }
        }
    }
    Ok(())
}

/// `EADDRNOTAVAIL`: the device does not have the address.
const EADDRNOTAVAIL: i32 = 99;

/// Takes addresses off the device that are VIPs no more, and ends what connections they have, for nobody serves them. One
/// that another interface has as well is left alone: it is an address of its own, or the VIP of another cluster.
pub(super) fn tidy<K: Kernel + Host>(kernel: &mut K, ifindex: u32) -> Result<(), Failure> {
    let Some(cluster) = super::as_it_is(kernel, ifindex)? else {
        return Ok(());
    };
    let Some(device) = cluster
        .vip_ifindex
        .filter(|_| !cluster.former_vips.is_empty())
    else {
        return Ok(());
    };
    for &vip in &cluster.former_vips {
        match kernel.remove_address(device, vip) {
            Ok(()) => {}
            Err(error) if error.errno() == Some(EADDRNOTAVAIL) => {}
            Err(error) => {
                return Err(failed(error, &format!("{vip} could not be taken off")));
            }
        }
    }
    let left = kernel.all_addresses()?;
    let has = |vip: &IpAddr| left.iter().any(|it| it.address == *vip);
    let gone = cluster.former_vips.iter().filter(|vip| !has(vip));
    let gone = Cluster {
        vips: gone.copied().collect(),
        ..cluster
    };
    super::connections::end(kernel, &gone);
    Ok(())
}

/// Refuses addresses as new VIPs that this host has already, but for those on a loopback device or on that of the VIPs of a
/// cluster: they are addresses of its own, whose traffic would be dropped until the VIP is in force on all hosts.
pub(super) fn check_new<K: Kernel + Host>(
    kernel: &mut K,
    cluster: &Cluster,
    wanted: &[IpAddr],
) -> Result<(), Failure> {
    let clusters = kernel.clusters()?;
    let devices: Vec<_> = clusters.iter().filter_map(|it| it.vip_ifindex).collect();
    for address in kernel.all_addresses()? {
        let new = wanted.contains(&address.address) && !cluster.vips.contains(&address.address);
        if !new || devices.contains(&address.ifindex) {
            continue;
        }
        if let Some(interface) = kernel.interface_at(address.ifindex)? {
            if !interface.loopback {
                return Err(Failure::new(
                    Exit::Exists,
                    format!(
                        "{} is an address of {}: nothing was changed; take it off there first, if it shall be a VIP",
                        address.address, interface.name
                    ),
                ));
            }
        }
    }
    Ok(())
}

/// Codes of the cluster would mislead here: this is about an address.
fn failed(error: Error, what: &str) -> Failure {
    let failure = Failure::from(error);
    let exit = match failure.exit {
        Exit::NotPermitted => Exit::NotPermitted,
        _ => Exit::Failed,
    };
    Failure { exit, ..failure }.context(what)
}

/// A VIP that another interface has too, from the host's own configuration.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Elsewhere {
    vip: IpAddr,
    prefix: u8,
    ifname: String,
}

impl Elsewhere {
    /// What to say of it after `down`.
    pub(super) fn left_behind(&self) -> String {
        let Self {
            vip,
            prefix,
            ifname,
        } = self;
        format!(
            "the VIP {vip} is still an address of {ifname}: this host answers for it now, with its own MAC; take it out of \
             the host's configuration, and `ip addr del {vip}/{prefix} dev {ifname}`"
        )
    }
}

/// Which VIPs other interfaces have, once the device of a cluster has gone.
pub(super) fn left<K: Kernel + Host>(
    kernel: &mut K,
    vips: &[IpAddr],
) -> Result<Vec<Elsewhere>, Error> {
    let mut found = Vec::new();
    for address in kernel.all_addresses()? {
        if !vips.contains(&address.address) {
            continue;
        }
        // One that goes meanwhile has no addresses any more.
        if let Some(interface) = kernel.interface_at(address.ifindex)? {
            found.push(Elsewhere {
                vip: address.address,
                prefix: address.prefix,
                ifname: interface.name,
            });
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{Fake, address, cluster, vip_address};

    #[test]
    fn the_device_is_set_up_before_it_gets_the_vips() {
        let mut kernel = Fake::host();
        put(&mut kernel, &cluster(2, "eth0")).unwrap();
        assert_eq!(
            kernel.changes,
            [
                "set up 9 beside 2",
                "add 192.0.2.10 to 9",
                "add 2001:db8::10 to 9"
            ]
        );
    }

    #[test]
    fn what_is_there_is_no_failure() {
        let mut kernel = Fake::host();
        kernel.addresses = vec![vip_address("192.0.2.10", 32)];
        put(&mut kernel, &cluster(2, "eth0")).unwrap();
        assert!(kernel.changes.contains(&"add 2001:db8::10 to 9".into()));
    }

    #[test]
    fn a_failure_is_about_the_address() {
        let mut kernel = Fake::host();
        kernel.refuse.push(("add 2001", 22));
        let failure = put(&mut kernel, &cluster(2, "eth0")).unwrap_err();
        assert_eq!(failure.exit, Exit::Failed);
        assert!(
            failure.message.contains("the VIP 2001:db8::10"),
            "{failure}"
        );
        let mut old = cluster(2, "eth0");
        old.vip_ifindex = None;
        let failure = put(&mut Fake::host(), &old).unwrap_err();
        assert!(failure.message.contains("another version"), "{failure}");
    }

    #[test]
    fn vips_of_other_interfaces_are_named() {
        let mut kernel = Fake::host();
        kernel.devices_addresses = vec![
            (2, address("192.0.2.1", 24, false)),
            (2, address("192.0.2.10", 24, false)),
        ];
        let found = left(&mut kernel, &cluster(2, "eth0").vips).unwrap();
        let [one] = found.as_slice() else {
            panic!("{found:?}");
        };
        let text = one.left_behind();
        assert!(text.contains("192.0.2.10/24 dev eth0"), "{text}");
    }
}
