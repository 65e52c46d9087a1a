// SPDX-License-Identifier: GPL-2.0-only
// Generated from module/specs/nlb.yaml by scripts/generate.py; do not edit.

//! The table of operations with the policies of their requests, and the multicast groups.
//!
//! The kernel checks what is in a request, and the lengths of it. Numbers out of range are refused by the handlers,
//! which say what is in range.

use crate::kapi::genetlink::Operation;
use crate::kapi::netlink::{policy, Policy};
use crate::netlink::operations::{
    bucket_dump, cluster_del, cluster_dump, cluster_get, cluster_new, cluster_set, counter_dump,
    heartbeat_in, history_dump, key_del, key_dump, key_set, member_dump, owner_get, rule_control,
    rule_dump, rule_set, settings_set,
};
use crate::nlb_core::genl::{
    self, bucket, cluster, counter, heartbeat, history, key, member, owner, rule, Command,
};
use crate::nlb_core::limits::{FRAME_MAX, KEY_LEN, NAME_MAX, SEED_LEN};
use crate::registry::Registry;

/// Names of the multicast groups, each with whether joining needs CAP_NET_ADMIN.
pub(crate) const GROUPS: &[(&str, bool)] =
    &[(genl::GROUP_EVENTS, false), (genl::GROUP_RELAY, true)];

/// Place of the group `events` in [`GROUPS`].
pub(crate) const GROUP_EVENTS: usize = 0;

/// Place of the group `relay` in [`GROUPS`].
pub(crate) const GROUP_RELAY: usize = 1;

/// The operations.
pub(crate) const OPERATIONS: &[Operation<Registry>] = &[
    Operation {
        command: Command::ClusterGet as u8,
        admin: false,
        policy: policy!(cluster::MAX; cluster::IFINDEX => Policy::U32,),
        answer: Some(cluster_get),
        dump: Some(cluster_dump),
    },
    Operation {
        command: Command::ClusterNew as u8,
        admin: true,
        policy: policy!(cluster::MAX;
            cluster::IFINDEX => Policy::U32,
            cluster::NAME => Policy::string(NAME_MAX as u16),
            cluster::HOST_ID => Policy::U8,
            cluster::MODE => Policy::U8,
            cluster::VIP => Policy::bytes(4, 16),
            cluster::DEDICATED_IP => Policy::bytes(4, 16),
            cluster::DEDICATED_FOLLOWS => Policy::FLAG,
            cluster::AFFINITY => Policy::U8,
            cluster::PERIOD_MS => Policy::U32,
            cluster::TOLERANCE => Policy::U32,
            cluster::KEY => Policy::bytes(KEY_LEN as i16, KEY_LEN as i16),
            cluster::KEY_ID => Policy::U8,
            cluster::HASH_SEED => Policy::bytes(SEED_LEN as i16, SEED_LEN as i16),
            cluster::NO_KEY => Policy::FLAG,
            cluster::WEIGHT => Policy::U8,
            cluster::RULE => Policy::nested(NEW_RULE),
            cluster::NO_RULES => Policy::FLAG,
            cluster::VIRTUAL_MAC => Policy::bytes(6, 6),
            cluster::ALLOW_OTHER_INTERFACES => Policy::FLAG,
            cluster::ECHO => Policy::U8,
            cluster::RESPONDER => Policy::U8,
            cluster::SESSIONS_MAX => Policy::U32,
            cluster::START => Policy::FLAG,
        ),
        answer: Some(cluster_new),
        dump: None,
    },
    Operation {
        command: Command::ClusterDel as u8,
        admin: true,
        policy: policy!(cluster::MAX; cluster::IFINDEX => Policy::U32,),
        answer: Some(cluster_del),
        dump: None,
    },
    Operation {
        command: Command::ClusterSet as u8,
        admin: true,
        policy: policy!(cluster::MAX;
            cluster::IFINDEX => Policy::U32,
            cluster::CONTROL => Policy::U8,
            cluster::WEIGHT => Policy::U8,
            cluster::DRAIN_TIMEOUT_S => Policy::U32,
            cluster::SESSIONS_MAX => Policy::U32,
        ),
        answer: Some(cluster_set),
        dump: None,
    },
    Operation {
        command: Command::MemberGet as u8,
        admin: false,
        policy: policy!(member::MAX; member::IFINDEX => Policy::U32,),
        answer: None,
        dump: Some(member_dump),
    },
    Operation {
        command: Command::OwnerGet as u8,
        admin: true,
        policy: policy!(owner::MAX;
            owner::IFINDEX => Policy::U32,
            owner::CLIENT => Policy::bytes(4, 16),
            owner::CLIENT_PORT => Policy::U16,
            owner::VIP => Policy::bytes(4, 16),
            owner::VIP_PORT => Policy::U16,
            owner::PROTOCOL => Policy::U8,
        ),
        answer: Some(owner_get),
        dump: None,
    },
    Operation {
        command: Command::BucketGet as u8,
        admin: true,
        policy: policy!(bucket::MAX; bucket::IFINDEX => Policy::U32,),
        answer: None,
        dump: Some(bucket_dump),
    },
    Operation {
        command: Command::CounterGet as u8,
        admin: false,
        policy: policy!(counter::MAX;
            counter::IFINDEX => Policy::U32,
            counter::RULE => Policy::U16,
        ),
        answer: None,
        dump: Some(counter_dump),
    },
    Operation {
        command: Command::HistoryGet as u8,
        admin: false,
        policy: policy!(history::MAX; history::IFINDEX => Policy::U32,),
        answer: None,
        dump: Some(history_dump),
    },
    Operation {
        command: Command::KeySet as u8,
        admin: true,
        policy: policy!(key::MAX;
            key::IFINDEX => Policy::U32,
            key::ID => Policy::U8,
            key::KEY => Policy::bytes(KEY_LEN as i16, KEY_LEN as i16),
            key::SEND => Policy::FLAG,
        ),
        answer: Some(key_set),
        dump: None,
    },
    Operation {
        command: Command::KeyDel as u8,
        admin: true,
        policy: policy!(key::MAX;
            key::IFINDEX => Policy::U32,
            key::ID => Policy::U8,
        ),
        answer: Some(key_del),
        dump: None,
    },
    Operation {
        command: Command::KeyGet as u8,
        admin: true,
        policy: policy!(key::MAX; key::IFINDEX => Policy::U32,),
        answer: None,
        dump: Some(key_dump),
    },
    Operation {
        command: Command::HeartbeatIn as u8,
        admin: true,
        policy: policy!(heartbeat::MAX;
            heartbeat::IFINDEX => Policy::U32,
            heartbeat::FRAME => Policy::bytes(1, FRAME_MAX as i16),
        ),
        answer: Some(heartbeat_in),
        dump: None,
    },
    Operation {
        command: Command::RuleGet as u8,
        admin: false,
        policy: policy!(rule::MAX; rule::IFINDEX => Policy::U32,),
        answer: None,
        dump: Some(rule_dump),
    },
    Operation {
        command: Command::RuleSet as u8,
        admin: true,
        policy: policy!(rule::MAX;
            rule::IFINDEX => Policy::U32,
            rule::RULE => Policy::nested(NEW_RULE),
        ),
        answer: Some(rule_set),
        dump: None,
    },
    Operation {
        command: Command::RuleControl as u8,
        admin: true,
        policy: policy!(rule::MAX;
            rule::IFINDEX => Policy::U32,
            rule::NUMBER => Policy::U16,
            rule::WEIGHT => Policy::U8,
            rule::PRIORITY => Policy::U8,
            rule::STATE => Policy::U8,
        ),
        answer: Some(rule_control),
        dump: None,
    },
    Operation {
        command: Command::SettingsSet as u8,
        admin: true,
        policy: policy!(cluster::MAX;
            cluster::IFINDEX => Policy::U32,
            cluster::VIP => Policy::bytes(4, 16),
            cluster::PERIOD_MS => Policy::U32,
            cluster::TOLERANCE => Policy::U32,
            cluster::ECHO => Policy::U8,
            cluster::RESPONDER => Policy::U8,
            cluster::RULE => Policy::nested(NEW_RULE),
            cluster::NO_RULES => Policy::FLAG,
        ),
        answer: Some(settings_set),
        dump: None,
    },
];

/// The attributes of a port rule within a request.
const NEW_RULE: &[Policy] = policy!(rule::MAX;
    rule::VIP => Policy::bytes(4, 16),
    rule::PROTOCOLS => Policy::U8,
    rule::FIRST_PORT => Policy::U16,
    rule::LAST_PORT => Policy::U16,
    rule::MODE => Policy::U8,
    rule::AFFINITY => Policy::U8,
    rule::PREFIX_V4 => Policy::U8,
    rule::PREFIX_V6 => Policy::U8,
    rule::TRACK => Policy::U8,
    rule::WEIGHT => Policy::U8,
    rule::PRIORITY => Policy::U8,
    rule::HEALTH_ACTION => Policy::U8,
    rule::STATE => Policy::U8,
);
