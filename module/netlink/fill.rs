// SPDX-License-Identifier: GPL-2.0-only

//! One function for each kind of thing that netlink tells: what a reply, a dump and a notification say of it
//! is written here and nowhere else.

use crate::cluster::context::Cluster;
use crate::cluster::rules::Share;
use crate::cluster::settings::Settings;
use crate::cluster::snapshot::Snapshot;
use crate::datapath::lookup::{imagined, trace};
use crate::kapi::genetlink::Request;
use crate::kapi::netlink::Message;
use crate::kapi::rcu::read_lock;
use crate::l2::vip_watch::is_held;
use crate::netlink::cluster_request::{address, address_bytes};
use crate::netlink::sent::{
    bucket_get as bucket, counter_get as counter, history_get as past, owner_get as own,
};
use crate::nlb_core::auth::Authenticator;
use crate::nlb_core::decide::explain;
use crate::nlb_core::genl::{owner as ask, Stance};
use crate::nlb_core::host::HostId;
use crate::nlb_core::limits::{BUCKETS, BUCKET_WORDS, HOSTS_MAX};
use crate::nlb_core::packet::{Flow, PROTO_TCP};
use crate::nlb_core::rules::Rule;
use crate::nlb_core::time::NS_PER_MS;
use core::net::IpAddr;
use kernel::c_str;
use kernel::prelude::*;

/// Buckets in one message of a dump.
const PART: usize = 1024;

/// Messages that a dump of one slot takes.
pub(crate) const PARTS_PER_SLOT: usize = BUCKETS / PART;

/// Writes a cluster. To count the sessions takes as long as their table is large, so only an administrator is told.
pub(crate) fn cluster(message: &mut Message, cluster: &Cluster, admin: bool) -> Result {
    use crate::netlink::sent::cluster_get as at;
    let description = cluster.description();
    let device = cluster.device();
    let mut buffer = [0u8; 16];
    message.put_u32(at::IFINDEX, device.ifindex())?;
    message.put_text(at::IFNAME, &device.name())?;
    message.put_text(at::NAME, &description.name)?;
    message.put_u8(at::MODE, description.mode as u8)?;
    settings(message, cluster)?;
    if let Some(ifindex) = cluster.vip_device().ifindex() {
        message.put_u32(at::VIP_IFINDEX, ifindex)?;
    }
    if let Some(dedicated) = cluster.dedicated() {
        message.put(at::DEDICATED_IP, address_bytes(dedicated, &mut buffer))?;
    }
    message.put_flag(at::DEDICATED_FOLLOWS, description.dedicated_follows)?;
    cluster.look_at_rules(|_, in_force, _| {
        let rules = in_force.map_or(&[][..], |snapshot| snapshot.rules.rules());
        if let Some(first) = rules.first() {
            message.put_u8(at::AFFINITY, first.affinity as u8)?;
        }
        message.put_u16(at::RULES, rules.len() as u16)
    })?;
    message.put_u8(at::WEIGHT, cluster.weight())?;
    virtual_macs(message, cluster)?;
    message.put_flag(at::NO_KEY, description.no_key)?;
    message.put_flag(
        at::ALLOW_OTHER_INTERFACES,
        description.allow_other_interfaces,
    )?;
    message.put_u32(at::SESSIONS_MAX, cluster.sessions().max())?;
    if admin {
        message.put_u32(at::SESSIONS, cluster.sessions().count())?;
    }
    if let Some((claim, age_ns)) = cluster.conflicts().last() {
        message.put(at::CONFLICT_VIP, address_bytes(claim.vip, &mut buffer))?;
        message.put(at::CONFLICT_MAC, &claim.mac)?;
        message.put_u64(at::CONFLICT_AGE_MS, age_ns / NS_PER_MS)?;
    }
    if let Some(mac) = cluster.askers().last() {
        message.put(at::ASKING_MAC, &mac)?;
    }
    let unanswered = cluster.inquiries().unanswered();
    vips(
        message,
        at::UNANSWERED_VIP,
        cluster.vips_of(&read_lock(), unanswered),
    )?;
    message.put_u8(at::HEALTH, cluster.healths().of(None) as u8)?;
    let starved = cluster.probed().starved();
    if starved != 0 {
        message.put_u8(at::STARVED, starved)?;
    }
    node_of(message, cluster)
}

/// Writes the settings in force, and of those that wait what is other.
fn settings(message: &mut Message, cluster: &Cluster) -> Result {
    use crate::netlink::sent::cluster_get as at;
    cluster.look_at_rules(|pending, in_force, _| {
        let Some(now) = in_force.map(|snapshot| &snapshot.settings) else {
            return Ok(());
        };
        vips(message, at::VIP, now.vips().iter().copied())?;
        message.put_u32(at::PERIOD_MS, now.period_ms)?;
        message.put_u32(at::TOLERANCE, now.tolerance)?;
        message.put_u8(at::ECHO, now.echo as u8)?;
        message.put_u8(at::RESPONDER, now.responder as u8)?;
        vips(message, at::FORMER_VIP, now.former().iter().copied())?;
        match pending {
            Some(pending) => staged(message, &pending.settings, now),
            None => Ok(()),
        }
    })?;
    message.put_flag(at::HELD, is_held(cluster))
}

fn vips(message: &mut Message, kind: u16, mut vips: impl Iterator<Item = IpAddr>) -> Result {
    let mut buffer = [0u8; 16];
    vips.try_for_each(|vip| message.put(kind, address_bytes(vip, &mut buffer)))
}

fn staged(message: &mut Message, next: &Settings, now: &Settings) -> Result {
    use crate::netlink::sent::cluster_get as at;
    if next.vips() != now.vips() {
        vips(message, at::STAGED_VIP, next.vips().iter().copied())?;
    }
    if next.period_ms != now.period_ms {
        message.put_u32(at::STAGED_PERIOD_MS, next.period_ms)?;
    }
    if next.tolerance != now.tolerance {
        message.put_u32(at::STAGED_TOLERANCE, next.tolerance)?;
    }
    if next.echo != now.echo {
        message.put_u8(at::STAGED_ECHO, next.echo as u8)?;
    }
    if next.responder != now.responder {
        message.put_u8(at::STAGED_RESPONDER, next.responder as u8)?;
    }
    Ok(())
}

/// Writes what the VIPs resolve to: one MAC for each family that they are of, once if it is the same.
fn virtual_macs(message: &mut Message, cluster: &Cluster) -> Result {
    use crate::netlink::sent::cluster_get as at;
    let macs = cluster
        .snapshot(&read_lock())
        .map(|snapshot| (snapshot.filter.mac_v4(), snapshot.filter.mac_v6()));
    let Some((v4, v6)) = macs else {
        return Ok(());
    };
    let side = read_lock();
    let has = |family: fn(&IpAddr) -> bool| cluster.vips(&side).iter().any(family);
    if !has(IpAddr::is_ipv4) {
        return message.put(at::VIRTUAL_MAC, &v6);
    }
    message.put(at::VIRTUAL_MAC, &v4)?;
    if has(IpAddr::is_ipv6) && v4 != v6 {
        message.put(at::VIRTUAL_MAC_V6, &v6)?;
    }
    Ok(())
}

/// Writes what the node says of itself.
fn node_of(message: &mut Message, cluster: &Cluster) -> Result {
    use crate::netlink::sent::cluster_get as at;
    cluster.look(|node, keys, _| {
        let host = node.config().host;
        message.put_u8(at::HOST_ID, host.get())?;
        message.put_u8(at::STATE, node.state() as u8)?;
        message.put_u8(at::OUT_REASON, node.out_reason() as u8)?;
        message.put_u64(at::GENERATION, node.generation().number)?;
        message.put_u8(at::DEFAULT_HOST, node.default_host().map_or(0, HostId::get))?;
        message.put_u64(at::MEMBERS, node.view_members().0)?;
        message.put_u64(at::PENDING, node.staged())?;
        if keys.authenticated() {
            message.put_u8(at::KEY_ID, keys.key_id())?;
        }
        if let Some(own) = node.member(host) {
            message.put_u32(at::BUCKETS_OWNED, u32::from(own.buckets))?;
        }
        if let Some(last) = node.history().last() {
            message.put_u8(at::CAUSE, last.cause as u8)?;
        }
        if let Some(sessions) = node.sessions() {
            message.put_u64(at::WALK_FOUND, sessions)?;
        }
        message.put_u32(at::RESIDUE, node.residue_count())
    })?;
    if let Some(walked) = cluster.walked() {
        message.put_u32(at::WALK_US, walked.took_us)?;
        message.put_u32(at::WALK_SEEN, walked.seen)?;
    }
    Ok(())
}

/// The first place from `index` on where there is a host. A host's place is its id, less one.
pub(crate) fn member_from(cluster: &Cluster, index: usize) -> Option<usize> {
    let mut places = index..HOSTS_MAX;
    cluster.look(|node, _, _| {
        places.find(|place| host_at(*place).is_some_and(|host| node.member(host).is_some()))
    })
}

fn host_at(place: usize) -> Option<HostId> {
    HostId::new(u8::try_from(place).ok()?.checked_add(1)?)
}

/// Writes the host at a place.
pub(crate) fn member(message: &mut Message, cluster: &Cluster, place: usize) -> Result {
    use crate::netlink::sent::member_get as at;
    let ifindex = cluster.device().ifindex();
    let host = host_at(place).ok_or(ENOENT)?;
    let (info, now) = cluster.look(|node, _, now| (node.member(host), now));
    let info = info.ok_or(ENOENT)?;
    message.put_u32(at::IFINDEX, ifindex)?;
    message.put_u8(at::HOST_ID, info.host.get())?;
    message.put_u8(at::STATE, info.state as u8)?;
    message.put_u8(at::OUT_REASON, info.out as u8)?;
    if let Some(heard) = info.heard {
        let ms = now.since(heard) / NS_PER_MS;
        message.put_u32(at::LAST_HEARD_MS, u32::try_from(ms).unwrap_or(u32::MAX))?;
    }
    message.put_u64(at::INCARNATION, info.incarnation)?;
    message.put_u32(at::BUCKETS_OWNED, u32::from(info.buckets))?;
    message.put_flag(at::SELF, info.is_self)?;
    message.put_flag(at::DEFAULT, info.is_default)?;
    message.put_u8(
        at::PATHS,
        u8::from(info.on_segment)
            | u8::from(info.on_relay) << 1
            | u8::from(info.on_segment && cluster.is_only_wrapped(host)) << 2,
    )?;
    message.put_u32(at::LOSS_PERMILLE, u32::from(info.loss_permille))?;
    if !info.dedicated.as_bytes().is_empty() {
        message.put(at::DEDICATED_IP, info.dedicated.as_bytes())?;
    }
    message.put_u8(at::WEIGHT, info.weight)?;
    message.put_flag(at::MEMBER, info.member)?;
    if let Some(residue) = info.residue {
        message.put_u32(at::RESIDUE, residue)?;
    }
    if let Some(since) = info.residue_since {
        message.put_u64(at::RESIDUE_MS, now.since(since) / NS_PER_MS)?;
    }
    if info.rules_given_up != 0 {
        message.put_u16(at::RULES_GIVEN_UP, info.rules_given_up)?;
    }
    message.put_u64(at::PENDING, info.pending)
}

/// A rule, and what this host has to do with it.
pub(crate) struct RuleAt {
    number: u16,
    waits: bool,
    rule: Rule,
    share: Share,
    owned: u32,
    stance: Stance,
}

/// How many rules there are: those in force, and those that wait for the other hosts.
pub(crate) fn rules(cluster: &Cluster) -> usize {
    cluster.look_at_rules(|waiting, in_force, _| {
        let len = |it: &Snapshot| it.rules.rules().len();
        in_force.map_or(0, |it| len(it).saturating_add(waiting.map_or(0, len)))
    })
}

/// The rule at a place: those in force by number, then those that wait for the other hosts.
fn rule_at(cluster: &Cluster, index: usize) -> Option<RuleAt> {
    cluster.look_at_rules(|waiting, in_force, node| {
        let in_force = &in_force?.rules;
        let (number, list) = match index.checked_sub(in_force.rules().len()) {
            None => (index, in_force),
            Some(rest) => (rest, &waiting?.rules),
        };
        let (rule, share) = list.get(number)?;
        let number = u16::try_from(number).ok()?;
        let waits = !core::ptr::eq(list, in_force);
        let words = (0..BUCKET_WORDS as u16).filter(|_| !waits);
        Some(RuleAt {
            number,
            waits,
            rule: *rule,
            share: *share,
            stance: *node.stances().get(usize::from(number))?,
            owned: words
                .map(|word| node.owned_word(number, word).count_ones())
                .fold(0, u32::wrapping_add),
        })
    })
}

/// Writes the rule at a place.
pub(crate) fn rule(message: &mut Message, cluster: &Cluster, index: usize) -> Result {
    use crate::netlink::sent::rule_get as at;
    let it = rule_at(cluster, index).ok_or(ENOENT)?;
    let rule = &it.rule;
    message.put_u32(at::IFINDEX, cluster.device().ifindex())?;
    message.put_u16(at::NUMBER, it.number)?;
    if let Some(vip) = rule.vip {
        message.put(at::VIP, address_bytes(vip, &mut [0u8; 16]))?;
    }
    message.put_u8(at::PROTOCOLS, rule.protocols as u8)?;
    message.put_u16(at::FIRST_PORT, rule.first_port)?;
    message.put_u16(at::LAST_PORT, rule.last_port)?;
    message.put_u8(at::MODE, rule.mode as u8)?;
    message.put_u8(at::AFFINITY, rule.affinity as u8)?;
    message.put_u8(at::PREFIX_V4, rule.prefix_v4)?;
    message.put_u8(at::PREFIX_V6, rule.prefix_v6)?;
    message.put_u8(at::TRACK, rule.track as u8)?;
    message.put_u8(at::HEALTH_ACTION, rule.health as u8)?;
    if let Some(weight) = it.share.weight {
        message.put_u8(at::WEIGHT, weight)?;
    }
    if let Some(priority) = it.share.priority {
        message.put_u8(at::PRIORITY, priority)?;
    }
    message.put_u8(at::STATE, rule.state as u8)?;
    if it.waits {
        return message.put_flag(at::PENDING, true);
    }
    message.put_u32(at::BUCKETS_OWNED, it.owned)?;
    let (accepted, dropped) = cluster.stats().of_rule(it.number);
    message.put_u64(at::ACCEPTED, accepted)?;
    message.put_u64(at::DROPPED, dropped)?;
    message.put_u8(at::HEALTH, cluster.healths().of(Some(it.number)) as u8)?;
    message.put_u8(at::STANCE, it.stance as u8)
}

/// Writes one part of the bucket maps.
pub(crate) fn buckets(message: &mut Message, cluster: &Cluster, index: usize) -> Result {
    let slot = (index / PARTS_PER_SLOT) as u16;
    let first = (index % PARTS_PER_SLOT * PART) as u16;
    let mut owners = KVec::from_elem(0u8, PART, GFP_KERNEL)?;
    let generation = cluster.look(|node, _, _| {
        for (to, bucket) in owners.iter_mut().zip(first..) {
            *to = node.owner_of(slot, bucket).map_or(0, HostId::get);
        }
        node.generation().number
    });
    message.put_u32(bucket::IFINDEX, cluster.device().ifindex())?;
    message.put_u16(bucket::SLOT, slot)?;
    message.put_u16(bucket::FIRST, first)?;
    message.put(bucket::OWNERS, &owners)?;
    message.put_u64(bucket::GENERATION, generation)
}

/// Places of [`residue`]: one for each host in each slot.
pub(crate) const HOLDERS_PER_SLOT: usize = HOSTS_MAX;

/// The first place from `index` on where there is residue.
pub(crate) fn residue_from(cluster: &Cluster, index: usize, slots: usize) -> Option<usize> {
    let places = index..slots.saturating_mul(HOLDERS_PER_SLOT);
    places.into_iter().find(|place| {
        let (slot, Some(host)) = holder_at(*place) else {
            return false;
        };
        cluster.look(|node, _, _| node.has_residue(host))
            && residue_words(cluster, slot, host).any(|word| word != 0)
    })
}

fn holder_at(place: usize) -> (u16, Option<HostId>) {
    let host = HostId::new((place % HOLDERS_PER_SLOT) as u8 + 1);
    ((place / HOLDERS_PER_SLOT) as u16, host)
}

/// What a host may hold of a slot. The lock is taken for each word: a packet of the protocol does not wait for all.
fn residue_words(
    cluster: &Cluster,
    slot: u16,
    host: HostId,
) -> impl Iterator<Item = u64> + use<'_> {
    (0..BUCKET_WORDS as u16)
        .map(move |word| cluster.look(|node, _, _| node.held_word(slot, word, host)))
}

/// Writes the residue at a place.
pub(crate) fn residue(message: &mut Message, cluster: &Cluster, place: usize) -> Result {
    let (slot, host) = holder_at(place);
    let host = host.ok_or(ENOENT)?;
    let mut bytes = KVec::from_elem(0u8, BUCKETS / 8, GFP_KERNEL)?;
    let words = residue_words(cluster, slot, host);
    for (to, word) in bytes.chunks_exact_mut(size_of::<u64>()).zip(words) {
        for (to, from) in to.iter_mut().zip(word.to_ne_bytes()) {
            *to = from;
        }
    }
    let generation = cluster.look(|node, _, _| node.generation().number);
    message.put_u32(bucket::IFINDEX, cluster.device().ifindex())?;
    message.put_u16(bucket::SLOT, slot)?;
    message.put_u8(bucket::HOLDER, host.get())?;
    message.put(bucket::RESIDUE, &bytes)?;
    message.put_u64(bucket::GENERATION, generation)
}

/// Name and value of the counter at a place, of a rule's packets or of all.
fn counter_at(cluster: &Cluster, rule: Option<u16>, index: usize) -> Option<(&'static str, u64)> {
    match rule {
        Some(rule) => cluster.stats().get_of_rule(rule, index),
        None => cluster.stats().get(index),
    }
}

/// Writes one counter.
pub(crate) fn counter(
    message: &mut Message,
    cluster: &Cluster,
    rule: Option<u16>,
    index: usize,
) -> Result {
    let (name, value) = counter_at(cluster, rule, index).ok_or(ENOENT)?;
    message.put_u32(counter::IFINDEX, cluster.device().ifindex())?;
    if let Some(rule) = rule {
        message.put_u16(counter::RULE, rule)?;
    }
    message.put_text(counter::NAME, name.as_bytes())?;
    message.put_u64(counter::VALUE, value)
}

/// Writes one entry of the history.
pub(crate) fn history(message: &mut Message, cluster: &Cluster, index: usize) -> Result {
    let (entry, now) = cluster.look(|node, _, now| (node.history().nth(index), now));
    let entry = entry.ok_or(ENOENT)?;
    message.put_u32(past::IFINDEX, cluster.device().ifindex())?;
    message.put_u64(past::GENERATION, entry.generation)?;
    message.put_u64(past::MEMBERS, entry.members.0)?;
    message.put_u8(past::CAUSE, entry.cause as u8)?;
    message.put_u8(past::HOST_ID, entry.host.map_or(0, HostId::get))?;
    message.put_u64(past::AGE_MS, now.since(entry.at) / NS_PER_MS)?;
    message.put_u32(
        past::TOOK_US,
        u32::try_from(entry.took_ns / 1000).unwrap_or(u32::MAX),
    )?;
    message.put_u32(past::MOVED, entry.moved)
}

/// Writes which key stands at a place of the list; never the key.
pub(crate) fn key(message: &mut Message, cluster: &Cluster, index: usize) -> Result {
    use crate::netlink::sent::key_get as at;
    let (id, sending) = cluster.look(|_, keys, _| (keys.nth(index), keys.key_id()));
    let id = id.ok_or(ENOENT)?;
    message.put_u32(at::IFINDEX, cluster.device().ifindex())?;
    message.put_u8(at::ID, id)?;
    message.put_flag(at::SEND, id == sending)
}

/// The flow that a request asks about.
pub(crate) struct Question {
    flow: Flow,
}

impl Question {
    /// Reads the request. Errors: `EINVAL`, with a text.
    pub(crate) fn read(request: &Request<'_>) -> Result<Self> {
        let client = request.get(ask::CLIENT).and_then(|a| address(a.payload));
        let Some(client) = client else {
            return Err(request.refuse_at(
                ask::CLIENT,
                EINVAL,
                c_str!("the client's address must have 4 or 16 bytes"),
            ));
        };
        let vip = request.get(ask::VIP).and_then(|a| address(a.payload));
        let Some(vip) = vip else {
            return Err(request.refuse_at(
                ask::VIP,
                EINVAL,
                c_str!("the VIP must have 4 or 16 bytes"),
            ));
        };
        Ok(Self {
            flow: Flow {
                protocol: request.get(ask::PROTOCOL).map_or(PROTO_TCP, |a| a.u8()),
                client,
                client_port: request.get(ask::CLIENT_PORT).map_or(0, |a| a.u16()),
                vip,
                vip_port: request.get(ask::VIP_PORT).map_or(0, |a| a.u16()),
            },
        })
    }
}

/// Writes who owns a flow, and why.
pub(crate) fn owner(message: &mut Message, cluster: &Cluster, question: &Question) -> Result {
    let flow = &question.flow;
    let mut buffer = [0u8; 16];
    message.put_u32(own::IFINDEX, cluster.device().ifindex())?;
    message.put(own::CLIENT, address_bytes(flow.client, &mut buffer))?;
    message.put_u16(own::CLIENT_PORT, flow.client_port)?;
    message.put(own::VIP, address_bytes(flow.vip, &mut buffer))?;
    message.put_u16(own::VIP_PORT, flow.vip_port)?;
    message.put_u8(own::PROTOCOL, flow.protocol)?;
    let side = read_lock();
    let Some(snapshot) = cluster.snapshot(&side) else {
        return Err(ENOENT);
    };
    let explanation = explain(&snapshot.filter, flow);
    let (host, this, generation, holders, unknown) = cluster.look(|node, _, _| {
        let place = explanation.place;
        (
            place.and_then(|place| node.owner_of(place.slot, place.bucket)),
            node.config().host,
            node.generation().number,
            place.map(|place| node.holders(place.slot, place.bucket)),
            node.residue_unknown(),
        )
    });
    message.put_u8(own::OWNER, host.map_or(0, HostId::get))?;
    message.put_text(own::REASON, explanation.why.as_bytes())?;
    if let Some(rule) = explanation.rule {
        message.put_u16(own::RULE, u16::from(rule))?;
    }
    message.put_u8(own::AFFINITY, explanation.affinity as u8)?;
    if let Some(place) = explanation.place {
        message.put_u64(own::HASH, place.hash)?;
        message.put_u16(own::BUCKET, place.bucket)?;
    }
    if let Some(holders) = holders {
        message.put_u64(own::HOLDERS, holders.0)?;
        message.put_u64(own::HOLDERS_UNKNOWN, unknown.0)?;
    }
    message.put_flag(own::SELF, host == Some(this))?;
    message.put_u8(own::TRACE, trace(cluster, &side, flow) as u8)?;
    for (kind, first) in [(own::FIRST, true), (own::LATER, false)] {
        if let Some(reason) = imagined(cluster, &side, snapshot, flow, first) {
            message.put_text(kind, reason.name().as_bytes())?;
        }
    }
    message.put_u64(own::GENERATION, generation)
}
