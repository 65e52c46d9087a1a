// SPDX-License-Identifier: GPL-2.0-only

//! The objects of the family as plain structures, made from attributes.
//!
//! An attribute that an older module does not send leaves its field at the default; one that identifies the object
//! has to be there.

mod bucket;
mod cluster;
mod counter;
mod event;
mod heartbeat;
mod history;
mod key;
mod member;
mod owner;
mod rule;
mod settings;

pub use bucket::{BucketMap, Residue};
pub use cluster::{Claim, Cluster, ClusterChange, ClusterKey, NewCluster, host_ids};
pub use counter::Counter;
pub use event::Event;
pub use heartbeat::Heartbeat;
pub use history::Convergence;
pub use key::Key;
pub use member::Member;
pub use owner::{Answer, Question};
pub use rule::{NewRule, PortRule, RuleChange};
pub use settings::{SettingsChange, Staged};

use netlink_packet_core::DecodeError;

/// The value of an attribute that has to be there.
fn required<T>(value: Option<T>, name: &str) -> Result<T, DecodeError> {
    value.ok_or_else(|| format!("the module sent no {name}").into())
}
