// SPDX-License-Identifier: GPL-2.0-only

//! The states of a host, why a host is kept out, and why a cluster converged anew.
//!
//! The numbers are part of the netlink interface: they are never changed, only added to.

/// Declares an enum whose values and names are shared by the wire, the netlink interface and all output.
macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $value:literal $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum $name {
            $($(#[$vdoc])* $variant = $value,)*
        }

        impl $name {
            /// All values, in order of their numbers.
            pub const ALL: &'static [$name] = &[$($name::$variant,)*];

            /// The name that people read: lower case, words joined by hyphens.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $($name::$variant => $text,)*
                }
            }

            /// The value with this number, if there is one.
            #[must_use]
            pub const fn from_u8(value: u8) -> Option<$name> {
                match value {
                    $($value => Some($name::$variant),)*
                    _ => None,
                }
            }

            /// The value with this name, if there is one.
            #[must_use]
            pub fn from_name(name: &str) -> Option<$name> {
                $name::ALL.iter().copied().find(|value| value.name() == name)
            }
        }
    };
}
pub(super) use named;

named! {
    /// What a host is doing, as it says of itself.
    HostState {
        /// Takes no part: sends nothing, serves nothing.
        Stopped = 0 "stopped",
        /// Sends heartbeats and waits to be taken in.
        Joining = 1 "joining",
        /// A member that serves its share.
        Converged = 2 "converged",
        /// A member that takes no new connections and serves the old ones.
        Draining = 3 "draining",
        /// Stopped, and deaf to everything but resume.
        Suspended = 4 "suspended",
    }
}

named! {
    /// Why a host is not a member, or owns nothing although it is one.
    OutReason {
        /// It is a member and may own buckets.
        None = 0 "none",
        /// Nothing has been heard of it for tolerance × period.
        Dead = 1 "dead",
        /// It said that it leaves.
        Left = 2 "left",
        /// Another live host has the same host id.
        DuplicateId = 3 "duplicate-id",
        /// Its port rules differ from the cluster's.
        RulesDiffer = 4 "rules-differ",
        /// Its cluster settings (mode, VIPs, hash seed, timing) differ from the cluster's.
        SettingsDiffer = 5 "settings-differ",
        /// It speaks a protocol version that is not understood here.
        Version = 6 "version",
        /// Its frames are signed with a key that is not known here, or wrongly.
        Key = 7 "key",
        /// It has not yet shown that its frames are fresh (echoed a nonce).
        NotFresh = 8 "not-fresh",
        /// It came and went too often and has to wait.
        Flapping = 9 "flapping",
        /// It and the leader do not hear each other both ways.
        NoLink = 10 "no-link",
        /// Its cluster interface is cut: no carrier, or nothing of the segment reaches it.
        InterfaceCut = 11 "interface-cut",
        /// A VIP is missing from its interface.
        VipMissing = 12 "vip-missing",
        /// It listens before it joins.
        Listening = 13 "listening",
        /// It refused a map that the leader had proposed, and is not asked again for a while.
        MapRefused = 14 "map-refused",
    }
}

named! {
    /// Why the cluster converged anew.
    Cause {
        /// The first convergence of a cluster.
        ColdStart = 0 "cold-start",
        /// A host joined.
        Joined = 1 "joined",
        /// A host died.
        Died = 2 "died",
        /// A host left as it said it would.
        Left = 3 "left",
        /// A host drains.
        Draining = 4 "draining",
        /// A load weight or handling priority changed.
        Weight = 5 "weight",
        /// The port rules changed.
        Rules = 6 "rules",
        /// Two parts of a partition met.
        Merged = 7 "merged",
        /// A member's interface was cut or came back.
        Interface = 8 "interface",
        /// A member restarted under its old id.
        Restarted = 9 "restarted",
        /// A member had let go of buckets under a change that was abandoned, or after a pause.
        Recovered = 10 "recovered",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_lead_back_to_the_value() {
        for &reason in OutReason::ALL {
            assert_eq!(OutReason::from_u8(reason as u8), Some(reason));
            assert_eq!(OutReason::from_name(reason.name()), Some(reason));
        }
        assert_eq!(HostState::from_u8(200), None);
        assert_eq!(Cause::from_name("no such cause"), None);
    }
}
