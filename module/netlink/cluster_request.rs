// SPDX-License-Identifier: GPL-2.0-only

//! What a request to make a cluster says, checked attribute by attribute.
//!
//! Nothing is changed here: a request that is wrong is refused with a text that says why, before anything of
//! it has had an effect.

use crate::cluster::context::{Cluster, Description};
use crate::cluster::keyring::Keyring;
use crate::cluster::rules::{RuleList, Share};
use crate::cluster::settings::Settings;
use crate::cluster::snapshot::{Base, Snapshot};
use crate::kapi::genetlink::Request;
use crate::kapi::netdevice::{Device, Rtnl};
use crate::kapi::netlink::not_supported;
use crate::netlink::rule_request;
use crate::nlb_core::config::{cluster_id, Config, Dedicated, Rules, SlotKind, SlotSet};
use crate::nlb_core::filter::FilterError;
use crate::nlb_core::genl::{cluster, Affinity, Echo, Mode, Responder};
use crate::nlb_core::host::HostId;
use crate::nlb_core::limits::{
    BUCKETS, KEY_LEN, MTU_MIN, NAME_MAX, PERIOD_MS_DEFAULT, PERIOD_MS_MAX, PERIOD_MS_MIN,
    PUBLIC_SEED, SEED_LEN, SESSIONS_MAX_DEFAULT, SESSIONS_MAX_MAX, TOLERANCE_DEFAULT,
    TOLERANCE_MAX, TOLERANCE_MIN, VIPS_MAX, WEIGHT_DEFAULT,
};
use crate::nlb_core::mac::{is_of_mode, virtual_mac};
use crate::nlb_core::rules::Rule;
use crate::nlb_core::wire::VERSIONS;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use kernel::c_str;
use kernel::prelude::*;

/// A cluster that is to be made.
pub(crate) struct NewCluster {
    pub(crate) description: Description,
    /// In memory of its own, as it is large for a kernel stack.
    pub(crate) config: KBox<Config>,
    pub(crate) snapshot: KBox<Snapshot>,
    pub(crate) base: Base,
    /// Load weight of this host for rules that do not name one.
    pub(crate) weight: u8,
    pub(crate) keys: Keyring,
    pub(crate) start: bool,
}

/// Secrets of a request, where they stand in it: it is wiped when it has been answered, so nothing is copied.
struct Secrets<'a> {
    key: Option<(u8, &'a [u8; KEY_LEN])>,
    seed: &'a [u8; SEED_LEN],
}

/// An address of 4 or 16 bytes.
pub(crate) fn address(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => {
            let bytes: &[u8; 4] = bytes.first_chunk()?;
            Some(IpAddr::V4(Ipv4Addr::from(*bytes)))
        }
        16 => {
            let bytes: &[u8; 16] = bytes.first_chunk()?;
            Some(IpAddr::V6(Ipv6Addr::from(*bytes)))
        }
        _ => None,
    }
}

/// The bytes of an address, in `buffer`.
pub(crate) fn address_bytes(address: IpAddr, buffer: &mut [u8; 16]) -> &[u8] {
    match address {
        IpAddr::V4(address) => {
            for (to, from) in buffer.iter_mut().zip(address.octets()) {
                *to = from;
            }
            buffer.get(..4).unwrap_or_default()
        }
        IpAddr::V6(address) => {
            *buffer = address.octets();
            buffer
        }
    }
}

impl NewCluster {
    /// Reads a request. Context: process. Errors: as refused, or `ENOMEM`.
    #[inline(never)]
    pub(crate) fn read(request: &Request<'_>, rtnl: &Rtnl, device: &Device) -> Result<Self> {
        check_device(request, rtnl, device)?;
        let name = name(request)?;
        let host = host_id(request)?;
        let mode = mode(request, rtnl, device)?;
        let vips = vips(request)?;
        let dedicated = dedicated(request, &vips)?;
        let (period_ms, tolerance) = timing(request)?;
        let weight = weight(request)?;
        let sessions_max = sessions_max(request)?;
        let secrets = secrets(request)?;
        let virtual_mac = given_mac(request, mode, device)?;

        let list = rules(request)?;
        let base = Base {
            seed: *secrets.seed,
            virtual_mac,
        };
        let mut settings = Settings::new(
            period_ms.unwrap_or(PERIOD_MS_DEFAULT),
            tolerance.unwrap_or(TOLERANCE_DEFAULT),
            echo(request)?.unwrap_or(Echo::DefaultHost),
            responder(request)?.unwrap_or(Responder::DefaultHost),
        )?;
        settings.set_vips(&vips)?;
        let snapshot = match Snapshot::new(&base, settings, mode, list)? {
            Ok(snapshot) => snapshot,
            Err(error) => return Err(refuse_filter(request, error)),
        };
        let for_node = Rules {
            terms: None,
            ..snapshot.for_node(host, weight, SlotSet::EMPTY)
        };
        let primary = vips.first().copied().ok_or(EINVAL)?;
        let mut buffer = [0u8; 16];
        let config = KBox::new(
            Config {
                cluster_id: cluster_id(text(&name)),
                host,
                buckets: BUCKETS as u16,
                terms: snapshot.terms,
                rules: for_node,
                // One of IPv4 is looked for on the interface, when the cluster is attached to it.
                dedicated: dedicated
                    .filter(IpAddr::is_ipv6)
                    .and_then(|address| Dedicated::new(address_bytes(address, &mut buffer)))
                    .unwrap_or(Dedicated::NONE),
                versions: VERSIONS,
            },
            GFP_KERNEL,
        )?;
        let keys = match secrets.key {
            Some((id, raw)) => Keyring::with_key(id, raw)?,
            None => Keyring::without_key(),
        };
        let no_key = secrets.key.is_none();
        Ok(Self {
            description: Description {
                name,
                mode,
                dedicated,
                dedicated_follows: request.has(cluster::DEDICATED_FOLLOWS),
                // Heartbeats go to the multicast MAC of the primary VIP in every mode: in unicast mode the
                // virtual MAC would do, but then every bystander's NIC would have to look at them too.
                heartbeat_mac: virtual_mac_multicast(primary),
                no_key,
                allow_other_interfaces: request.has(cluster::ALLOW_OTHER_INTERFACES),
                sessions_max,
            },
            config,
            snapshot,
            base,
            weight,
            keys,
            start: request.has(cluster::START),
        })
    }
}

/// A name up to its padding.
pub(crate) fn text(name: &[u8; NAME_MAX]) -> &[u8] {
    name.split(|&byte| byte == 0).next().unwrap_or_default()
}

fn virtual_mac_multicast(primary: IpAddr) -> [u8; 6] {
    virtual_mac(Mode::Multicast, primary)
}

/// Says why an interface that has a cluster does not get another: who asks for another mode wants to change it.
pub(crate) fn refuse_second(request: &Request<'_>, present: &Cluster) -> Error {
    let same_mode = request
        .get(cluster::MODE)
        .is_none_or(|mode| mode.u8() == present.description().mode as u8);
    if same_mode {
        let text = c_str!("the interface has a cluster already");
        return request.refuse_at(cluster::IFINDEX, EBUSY, text);
    }
    let text = c_str!(
        "the interface has a cluster of another mode, which cannot change: take it down first"
    );
    request.refuse_at(cluster::MODE, EBUSY, text)
}

fn check_device(request: &Request<'_>, rtnl: &Rtnl, device: &Device) -> Result {
    if device.is_loopback() {
        return Err(request.refuse_at(
            cluster::IFINDEX,
            not_supported(),
            c_str!("a cluster cannot be on a loopback interface"),
        ));
    }
    if !device.is_ethernet() {
        return Err(request.refuse_at(
            cluster::IFINDEX,
            not_supported(),
            c_str!("a cluster needs an Ethernet interface with ARP"),
        ));
    }
    if !device.takes_multicast() {
        return Err(request.refuse_at(
            cluster::IFINDEX,
            not_supported(),
            c_str!("the interface has no multicast, which heartbeats need"),
        ));
    }
    if device.is_port(rtnl) {
        return Err(request.refuse_at(
            cluster::IFINDEX,
            not_supported(),
            c_str!("the interface is a port of a bridge, bond or team: name that one"),
        ));
    }
    if device.mtu() < MTU_MIN {
        return Err(request.refuse_at(
            cluster::IFINDEX,
            EINVAL,
            c_str!("the interface needs an MTU of 1280 or more"),
        ));
    }
    Ok(())
}

fn name(request: &Request<'_>) -> Result<[u8; NAME_MAX]> {
    let mut name = [0u8; NAME_MAX];
    let given = request.get(cluster::NAME).map_or(&[][..], |a| a.text());
    if given.is_empty() || given.len() > NAME_MAX {
        return Err(request.refuse_at(
            cluster::NAME,
            EINVAL,
            c_str!("the name of the cluster must have 1 to 32 bytes"),
        ));
    }
    for (to, from) in name.iter_mut().zip(given) {
        *to = *from;
    }
    Ok(name)
}

fn host_id(request: &Request<'_>) -> Result<HostId> {
    request
        .get(cluster::HOST_ID)
        .and_then(|a| HostId::new(a.u8()))
        .ok_or_else(|| {
            request.refuse_at(
                cluster::HOST_ID,
                EINVAL,
                c_str!("the host id must be 1 to 64"),
            )
        })
}

/// The cluster mode, if the interface can do it.
fn mode(request: &Request<'_>, rtnl: &Rtnl, device: &Device) -> Result<Mode> {
    let mode = request.named(
        request.get(cluster::MODE),
        Mode::Multicast,
        Mode::from_u8,
        c_str!("no such cluster mode"),
    )?;
    if mode == Mode::Unicast && !device.takes_unicast(rtnl) {
        return Err(request.refuse_at(
            cluster::MODE,
            not_supported(),
            c_str!("the interface receives its own MAC only: take multicast mode, or a passthru macvlan"),
        ));
    }
    Ok(mode)
}

/// The VIPs that are told.
pub(crate) fn vips(request: &Request<'_>) -> Result<KVec<IpAddr>> {
    let mut vips = KVec::with_capacity(VIPS_MAX, GFP_KERNEL_ACCOUNT)?;
    for attribute in request.attributes().filter(|a| a.kind == cluster::VIP) {
        let vip = match address(attribute.payload) {
            Some(vip) => vip,
            None => {
                return Err(request.refuse_at(
                    cluster::VIP,
                    EINVAL,
                    c_str!("a VIP must have 4 or 16 bytes"),
                ))
            }
        };
        if vips.len() >= VIPS_MAX {
            return Err(refuse_filter(request, FilterError::TooManyVips));
        }
        vips.push_within_capacity(vip).map_err(|_| ENOMEM)?;
    }
    Ok(vips)
}

fn dedicated(request: &Request<'_>, vips: &[IpAddr]) -> Result<Option<IpAddr>> {
    let Some(attribute) = request.get(cluster::DEDICATED_IP) else {
        return Ok(None);
    };
    let Some(dedicated) = address(attribute.payload) else {
        return Err(request.refuse_at(
            cluster::DEDICATED_IP,
            EINVAL,
            c_str!("the dedicated IP must have 4 or 16 bytes"),
        ));
    };
    if vips.contains(&dedicated) {
        return Err(request.refuse_at(
            cluster::DEDICATED_IP,
            EINVAL,
            c_str!("the dedicated IP must not be a VIP"),
        ));
    }
    Ok(Some(dedicated))
}

/// The rules of a new cluster; the default rule if the request says nothing of any, with the affinity that it names.
fn rules(request: &Request<'_>) -> Result<RuleList> {
    let affinity = request.get(cluster::AFFINITY);
    if affinity.is_some() && request.has(cluster::NO_RULES) {
        return Err(rule_request::refuse_both(request));
    }
    if affinity.is_some() && request.has(cluster::RULE) {
        return Err(request.refuse_at(
            cluster::AFFINITY,
            EINVAL,
            c_str!("this affinity is that of the default rule, but other rules are given"),
        ));
    }
    if let Some(told) = rule_request::of_cluster(request)? {
        return Ok(told.list);
    }
    let affinity = request.named(
        affinity,
        Affinity::Single,
        Affinity::from_u8,
        c_str!("no such affinity"),
    )?;
    let mut list = RuleList::new()?;
    // There is room for one.
    let _ = list.push(Rule::all(affinity), Share::default());
    Ok(list)
}

/// Period and tolerance, as far as they are told.
pub(crate) fn timing(request: &Request<'_>) -> Result<(Option<u32>, Option<u32>)> {
    let period_ms = request.get(cluster::PERIOD_MS).map(|a| a.u32());
    let periods = PERIOD_MS_MIN..=PERIOD_MS_MAX;
    if period_ms.is_some_and(|period_ms| !periods.contains(&period_ms)) {
        return Err(request.refuse_at(
            cluster::PERIOD_MS,
            EINVAL,
            c_str!("the heartbeat period must be 10 to 10000 ms"),
        ));
    }
    let tolerance = request.get(cluster::TOLERANCE).map(|a| a.u32());
    let tolerances = TOLERANCE_MIN..=TOLERANCE_MAX;
    if tolerance.is_some_and(|tolerance| !tolerances.contains(&tolerance)) {
        return Err(request.refuse_at(
            cluster::TOLERANCE,
            EINVAL,
            c_str!("the tolerance must be 3 to 100 heartbeats"),
        ));
    }
    Ok((period_ms, tolerance))
}

/// What becomes of echo requests, if that is told.
pub(crate) fn echo(request: &Request<'_>) -> Result<Option<Echo>> {
    let text = c_str!("no such way with echo requests");
    let told = request.get(cluster::ECHO);
    told.map(|it| request.named(Some(it), Echo::DefaultHost, Echo::from_u8, text))
        .transpose()
}

/// Who answers questions for a VIP, if that is told.
pub(crate) fn responder(request: &Request<'_>) -> Result<Option<Responder>> {
    let text = c_str!("nobody of that number answers questions for a VIP");
    let told = request.get(cluster::RESPONDER);
    told.map(|it| request.named(Some(it), Responder::DefaultHost, Responder::from_u8, text))
        .transpose()
}

/// How many sessions are remembered at most. Errors: as refused.
pub(crate) fn sessions_max(request: &Request<'_>) -> Result<u32> {
    let max = request
        .get(cluster::SESSIONS_MAX)
        .map_or(SESSIONS_MAX_DEFAULT, |a| a.u32());
    if max > SESSIONS_MAX_MAX {
        return Err(request.refuse_at(
            cluster::SESSIONS_MAX,
            EINVAL,
            c_str!("the number of sessions must be 0 to 1048576"),
        ));
    }
    Ok(max)
}

fn weight(request: &Request<'_>) -> Result<u8> {
    let weight = request
        .get(cluster::WEIGHT)
        .map_or(WEIGHT_DEFAULT, |a| a.u8());
    if weight > SlotKind::Weighted.weight_max() {
        return Err(request.refuse_at(
            cluster::WEIGHT,
            EINVAL,
            c_str!("the load weight must be 0 to 100"),
        ));
    }
    Ok(weight)
}

fn given_mac(request: &Request<'_>, mode: Mode, device: &Device) -> Result<Option<[u8; 6]>> {
    let Some(attribute) = request.get(cluster::VIRTUAL_MAC) else {
        return Ok(None);
    };
    let refuse = |text| Err(request.refuse_at(cluster::VIRTUAL_MAC, EINVAL, text));
    let Some(mac) = attribute.payload.first_chunk::<6>() else {
        return refuse(c_str!("the virtual MAC must have 6 bytes"));
    };
    if *mac == device.mac() {
        return refuse(c_str!("the virtual MAC must not be the interface's own"));
    }
    if !is_of_mode(*mac, mode) {
        return refuse(match mode {
            Mode::Unicast => c_str!("in unicast mode the virtual MAC must be that of a single station"),
            Mode::Multicast => c_str!("in multicast mode the virtual MAC must be a group address, but none of IP multicast"),
            Mode::Igmp => c_str!("in IGMP mode the virtual MAC must begin with 01:00:5e or 33:33"),
        });
    }
    Ok(Some(*mac))
}

/// Key and seed: both, or the word that there shall be none.
fn secrets<'a>(request: &Request<'a>) -> Result<Secrets<'a>> {
    let key = request.get(cluster::KEY);
    let seed = request.get(cluster::HASH_SEED);
    if request.has(cluster::NO_KEY) {
        if key.is_some() || seed.is_some() {
            return Err(request.refuse_at(
                cluster::NO_KEY,
                EINVAL,
                c_str!("a cluster has a key and a hash seed, or none of them"),
            ));
        }
        return Ok(Secrets {
            key: None,
            seed: &PUBLIC_SEED,
        });
    }
    let Some(key) = key.and_then(|a| a.payload.first_chunk::<KEY_LEN>()) else {
        return Err(request.refuse_at(
            cluster::KEY,
            EINVAL,
            c_str!("a key of 32 bytes is needed; a cluster without one must be asked for"),
        ));
    };
    let Some(seed) = seed.and_then(|a| a.payload.first_chunk::<SEED_LEN>()) else {
        return Err(request.refuse_at(
            cluster::HASH_SEED,
            EINVAL,
            c_str!("a hash seed of 16 bytes is needed with a key"),
        ));
    };
    let id = request.get(cluster::KEY_ID).map_or(1, |a| a.u8());
    if id == 0 {
        return Err(request.refuse_at(
            cluster::KEY_ID,
            EINVAL,
            c_str!("the key id must be 1 to 255"),
        ));
    }
    Ok(Secrets {
        key: Some((id, key)),
        seed,
    })
}

/// What the core found wrong with VIPs, rules or virtual MAC.
pub(crate) fn refuse_filter(request: &Request<'_>, error: FilterError) -> Error {
    if let FilterError::Rule(error) = error {
        return rule_request::refuse(request, cluster::RULE, error);
    }
    let (kind, text) = match error {
        FilterError::NoVip => (cluster::VIP, c_str!("a cluster needs a VIP")),
        FilterError::TooManyVips => (
            cluster::VIP,
            c_str!("a cluster has at most 64 VIPs, with those that wait and those that are on their way out"),
        ),
        FilterError::DuplicateVip(_) => (cluster::VIP, c_str!("a VIP is given twice")),
        FilterError::BadVip(_) => (
            cluster::VIP,
            c_str!("a VIP must be a unicast address that clients can reach"),
        ),
        FilterError::VirtualMac => (
            cluster::VIRTUAL_MAC,
            c_str!("the virtual MAC is not of the kind of the cluster mode"),
        ),
        FilterError::Rule(_) | FilterError::Storage | FilterError::VipHash => (
            cluster::VIP,
            c_str!("the lookup tables for these VIPs cannot be built"),
        ),
    };
    request.refuse_at(kind, EINVAL, text)
}
