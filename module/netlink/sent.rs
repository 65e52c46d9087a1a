// SPDX-License-Identifier: GPL-2.0-only
// Generated from module/specs/nlb.yaml by scripts/generate.py; do not edit.

//! The attributes of each reply and notification: what is not listed cannot be sent, and the compiler refuses a list
//! with an attribute that is sent nowhere.
#![deny(dead_code)]

/// Replies to `cluster-get`.
pub(crate) mod cluster_get {
    use crate::nlb_core::genl::cluster as at;

    pub(crate) const IFINDEX: u16 = at::IFINDEX;
    pub(crate) const IFNAME: u16 = at::IFNAME;
    pub(crate) const NAME: u16 = at::NAME;
    pub(crate) const HOST_ID: u16 = at::HOST_ID;
    pub(crate) const MODE: u16 = at::MODE;
    pub(crate) const VIP: u16 = at::VIP;
    pub(crate) const VIP_IFINDEX: u16 = at::VIP_IFINDEX;
    pub(crate) const DEDICATED_IP: u16 = at::DEDICATED_IP;
    pub(crate) const DEDICATED_FOLLOWS: u16 = at::DEDICATED_FOLLOWS;
    pub(crate) const AFFINITY: u16 = at::AFFINITY;
    pub(crate) const PERIOD_MS: u16 = at::PERIOD_MS;
    pub(crate) const TOLERANCE: u16 = at::TOLERANCE;
    pub(crate) const VIRTUAL_MAC: u16 = at::VIRTUAL_MAC;
    pub(crate) const VIRTUAL_MAC_V6: u16 = at::VIRTUAL_MAC_V6;
    pub(crate) const CONFLICT_VIP: u16 = at::CONFLICT_VIP;
    pub(crate) const CONFLICT_MAC: u16 = at::CONFLICT_MAC;
    pub(crate) const CONFLICT_AGE_MS: u16 = at::CONFLICT_AGE_MS;
    pub(crate) const UNANSWERED_VIP: u16 = at::UNANSWERED_VIP;
    pub(crate) const ASKING_MAC: u16 = at::ASKING_MAC;
    pub(crate) const STARVED: u16 = at::STARVED;
    pub(crate) const ALLOW_OTHER_INTERFACES: u16 = at::ALLOW_OTHER_INTERFACES;
    pub(crate) const ECHO: u16 = at::ECHO;
    pub(crate) const RESPONDER: u16 = at::RESPONDER;
    pub(crate) const SESSIONS_MAX: u16 = at::SESSIONS_MAX;
    pub(crate) const SESSIONS: u16 = at::SESSIONS;
    pub(crate) const STATE: u16 = at::STATE;
    pub(crate) const OUT_REASON: u16 = at::OUT_REASON;
    pub(crate) const GENERATION: u16 = at::GENERATION;
    pub(crate) const DEFAULT_HOST: u16 = at::DEFAULT_HOST;
    pub(crate) const MEMBERS: u16 = at::MEMBERS;
    pub(crate) const KEY_ID: u16 = at::KEY_ID;
    pub(crate) const NO_KEY: u16 = at::NO_KEY;
    pub(crate) const WEIGHT: u16 = at::WEIGHT;
    pub(crate) const BUCKETS_OWNED: u16 = at::BUCKETS_OWNED;
    pub(crate) const CAUSE: u16 = at::CAUSE;
    pub(crate) const PENDING: u16 = at::PENDING;
    pub(crate) const WALK_FOUND: u16 = at::WALK_FOUND;
    pub(crate) const RESIDUE: u16 = at::RESIDUE;
    pub(crate) const WALK_US: u16 = at::WALK_US;
    pub(crate) const WALK_SEEN: u16 = at::WALK_SEEN;
    pub(crate) const RULES: u16 = at::RULES;
    pub(crate) const HEALTH: u16 = at::HEALTH;
    pub(crate) const STAGED_VIP: u16 = at::STAGED_VIP;
    pub(crate) const STAGED_PERIOD_MS: u16 = at::STAGED_PERIOD_MS;
    pub(crate) const STAGED_TOLERANCE: u16 = at::STAGED_TOLERANCE;
    pub(crate) const STAGED_ECHO: u16 = at::STAGED_ECHO;
    pub(crate) const STAGED_RESPONDER: u16 = at::STAGED_RESPONDER;
    pub(crate) const HELD: u16 = at::HELD;
    pub(crate) const FORMER_VIP: u16 = at::FORMER_VIP;
}

/// Notifications `event-ntf`.
pub(crate) mod event_ntf {
    use crate::nlb_core::genl::event as at;

    pub(crate) const IFINDEX: u16 = at::IFINDEX;
    pub(crate) const IFNAME: u16 = at::IFNAME;
    pub(crate) const KIND: u16 = at::KIND;
    pub(crate) const HOST_ID: u16 = at::HOST_ID;
    pub(crate) const STATE: u16 = at::STATE;
    pub(crate) const OUT_REASON: u16 = at::OUT_REASON;
    pub(crate) const GENERATION: u16 = at::GENERATION;
    pub(crate) const MEMBERS: u16 = at::MEMBERS;
    pub(crate) const CAUSE: u16 = at::CAUSE;
    pub(crate) const DEFAULT_HOST: u16 = at::DEFAULT_HOST;
    pub(crate) const VIP: u16 = at::VIP;
    pub(crate) const MAC: u16 = at::MAC;
    pub(crate) const SESSIONS: u16 = at::SESSIONS;
    pub(crate) const RULE: u16 = at::RULE;
    pub(crate) const HEALTH: u16 = at::HEALTH;
    pub(crate) const STANCE: u16 = at::STANCE;
}

/// Replies to `member-get`.
pub(crate) mod member_get {
    use crate::nlb_core::genl::member as at;

    pub(crate) const IFINDEX: u16 = at::IFINDEX;
    pub(crate) const HOST_ID: u16 = at::HOST_ID;
    pub(crate) const STATE: u16 = at::STATE;
    pub(crate) const OUT_REASON: u16 = at::OUT_REASON;
    pub(crate) const LAST_HEARD_MS: u16 = at::LAST_HEARD_MS;
    pub(crate) const INCARNATION: u16 = at::INCARNATION;
    pub(crate) const BUCKETS_OWNED: u16 = at::BUCKETS_OWNED;
    pub(crate) const SELF: u16 = at::SELF;
    pub(crate) const DEFAULT: u16 = at::DEFAULT;
    pub(crate) const PATHS: u16 = at::PATHS;
    pub(crate) const LOSS_PERMILLE: u16 = at::LOSS_PERMILLE;
    pub(crate) const DEDICATED_IP: u16 = at::DEDICATED_IP;
    pub(crate) const WEIGHT: u16 = at::WEIGHT;
    pub(crate) const MEMBER: u16 = at::MEMBER;
    pub(crate) const PENDING: u16 = at::PENDING;
    pub(crate) const RESIDUE: u16 = at::RESIDUE;
    pub(crate) const RESIDUE_MS: u16 = at::RESIDUE_MS;
    pub(crate) const RULES_GIVEN_UP: u16 = at::RULES_GIVEN_UP;
}

/// Replies to `owner-get`.
pub(crate) mod owner_get {
    use crate::nlb_core::genl::owner as at;

    pub(crate) const IFINDEX: u16 = at::IFINDEX;
    pub(crate) const CLIENT: u16 = at::CLIENT;
    pub(crate) const CLIENT_PORT: u16 = at::CLIENT_PORT;
    pub(crate) const VIP: u16 = at::VIP;
    pub(crate) const VIP_PORT: u16 = at::VIP_PORT;
    pub(crate) const PROTOCOL: u16 = at::PROTOCOL;
    pub(crate) const OWNER: u16 = at::OWNER;
    pub(crate) const REASON: u16 = at::REASON;
    pub(crate) const RULE: u16 = at::RULE;
    pub(crate) const AFFINITY: u16 = at::AFFINITY;
    pub(crate) const HASH: u16 = at::HASH;
    pub(crate) const BUCKET: u16 = at::BUCKET;
    pub(crate) const SELF: u16 = at::SELF;
    pub(crate) const GENERATION: u16 = at::GENERATION;
    pub(crate) const HOLDERS: u16 = at::HOLDERS;
    pub(crate) const HOLDERS_UNKNOWN: u16 = at::HOLDERS_UNKNOWN;
    pub(crate) const TRACE: u16 = at::TRACE;
    pub(crate) const FIRST: u16 = at::FIRST;
    pub(crate) const LATER: u16 = at::LATER;
}

/// Replies to `bucket-get`.
pub(crate) mod bucket_get {
    use crate::nlb_core::genl::bucket as at;

    pub(crate) const IFINDEX: u16 = at::IFINDEX;
    pub(crate) const SLOT: u16 = at::SLOT;
    pub(crate) const FIRST: u16 = at::FIRST;
    pub(crate) const OWNERS: u16 = at::OWNERS;
    pub(crate) const GENERATION: u16 = at::GENERATION;
    pub(crate) const HOLDER: u16 = at::HOLDER;
    pub(crate) const RESIDUE: u16 = at::RESIDUE;
}

/// Replies to `counter-get`.
pub(crate) mod counter_get {
    use crate::nlb_core::genl::counter as at;

    pub(crate) const IFINDEX: u16 = at::IFINDEX;
    pub(crate) const NAME: u16 = at::NAME;
    pub(crate) const VALUE: u16 = at::VALUE;
    pub(crate) const RULE: u16 = at::RULE;
}

/// Replies to `history-get`.
pub(crate) mod history_get {
    use crate::nlb_core::genl::history as at;

    pub(crate) const IFINDEX: u16 = at::IFINDEX;
    pub(crate) const GENERATION: u16 = at::GENERATION;
    pub(crate) const MEMBERS: u16 = at::MEMBERS;
    pub(crate) const CAUSE: u16 = at::CAUSE;
    pub(crate) const HOST_ID: u16 = at::HOST_ID;
    pub(crate) const AGE_MS: u16 = at::AGE_MS;
    pub(crate) const TOOK_US: u16 = at::TOOK_US;
    pub(crate) const MOVED: u16 = at::MOVED;
}

/// Replies to `key-get`.
pub(crate) mod key_get {
    use crate::nlb_core::genl::key as at;

    pub(crate) const IFINDEX: u16 = at::IFINDEX;
    pub(crate) const ID: u16 = at::ID;
    pub(crate) const SEND: u16 = at::SEND;
}

/// Notifications `heartbeat-ntf`.
pub(crate) mod heartbeat_ntf {
    use crate::nlb_core::genl::heartbeat as at;

    pub(crate) const IFINDEX: u16 = at::IFINDEX;
    pub(crate) const FRAME: u16 = at::FRAME;
}

/// Replies to `rule-get`.
pub(crate) mod rule_get {
    use crate::nlb_core::genl::rule as at;

    pub(crate) const IFINDEX: u16 = at::IFINDEX;
    pub(crate) const NUMBER: u16 = at::NUMBER;
    pub(crate) const VIP: u16 = at::VIP;
    pub(crate) const PROTOCOLS: u16 = at::PROTOCOLS;
    pub(crate) const FIRST_PORT: u16 = at::FIRST_PORT;
    pub(crate) const LAST_PORT: u16 = at::LAST_PORT;
    pub(crate) const MODE: u16 = at::MODE;
    pub(crate) const AFFINITY: u16 = at::AFFINITY;
    pub(crate) const PREFIX_V4: u16 = at::PREFIX_V4;
    pub(crate) const PREFIX_V6: u16 = at::PREFIX_V6;
    pub(crate) const TRACK: u16 = at::TRACK;
    pub(crate) const WEIGHT: u16 = at::WEIGHT;
    pub(crate) const PRIORITY: u16 = at::PRIORITY;
    pub(crate) const STATE: u16 = at::STATE;
    pub(crate) const PENDING: u16 = at::PENDING;
    pub(crate) const BUCKETS_OWNED: u16 = at::BUCKETS_OWNED;
    pub(crate) const ACCEPTED: u16 = at::ACCEPTED;
    pub(crate) const DROPPED: u16 = at::DROPPED;
    pub(crate) const HEALTH: u16 = at::HEALTH;
    pub(crate) const HEALTH_ACTION: u16 = at::HEALTH_ACTION;
    pub(crate) const STANCE: u16 = at::STANCE;
}
