// SPDX-License-Identifier: GPL-2.0-only

//! What became of a received frame: one counter for each.

use super::state::named;

named! {
    /// What became of a received frame.
    Received {
        /// A heartbeat was accepted.
        Heartbeat = 0 "heartbeat",
        /// A step of a change was accepted.
        Change = 1 "change",
        /// A request for parts of a map was accepted.
        MapRequest = 2 "map-request",
        /// A part of a map was accepted.
        MapPart = 3 "map-part",
        /// Weights of members were accepted.
        Inputs = 4 "inputs",
        /// Residue of a host was accepted.
        Residue = 5 "residue",
        /// A request to tell residue was accepted.
        ResidueRequest = 6 "residue-request",
        /// The same frame, heard on the other path too.
        OtherPath = 7 "other-path",
        /// A valid frame that concerns others, or that came too late to matter.
        NotForUs = 8 "not-for-us",
        /// A valid frame of an incarnation that has not yet proved that it is fresh.
        NotFresh = 9 "not-fresh",
        /// A valid frame of another host that uses the id of a live host.
        DuplicateId = 10 "duplicate-id",
        /// This host takes no part.
        Stopped = 11 "stopped",
        /// Too short, or its length field is wrong.
        Length = 12 "malformed-frame-length",
        /// Not a frame of nlb: it is left to others.
        Magic = 13 "malformed-magic",
        /// Its host id, incarnation or sequence is out of range.
        HostId = 14 "malformed-host-id",
        /// Of another cluster.
        OtherCluster = 15 "other-cluster",
        /// Of this very host: something reflects its frames, or they are replayed.
        OwnEcho = 16 "own-echo",
        /// Its sequence was seen before: replayed, or overtaken.
        Stale = 17 "stale",
        /// Its key is not known here.
        UnknownKey = 18 "unknown-key",
        /// Its stamp is wrong: forged.
        BadStamp = 19 "bad-stamp",
        /// There are too many frames that might be forged.
        OverBudget = 20 "over-budget",
        /// Its tag is wrong: forged or altered.
        BadTag = 21 "bad-tag",
        /// Its version is not spoken here.
        Version = 22 "version",
        /// Its body cannot be understood although its tag is right.
        Body = 23 "malformed-body",
    }
}

impl Received {
    /// How many there are: the length of a table of counters.
    pub const COUNT: usize = Received::ALL.len();

    /// Whether the frame changed, or could have changed, something here.
    #[must_use]
    pub const fn accepted(self) -> bool {
        (self as u8) <= (Received::ResidueRequest as u8)
    }
}

/// What a received frame leaves to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    /// What became of it.
    pub received: Received,
    /// Nothing: there is no frame to be sent and no event because of it, nothing has changed in the ownership, and no
    /// deadline is sooner than it was before.
    pub quiet: bool,
}

impl Heard {
    pub(super) const fn quiet(received: Received) -> Heard {
        Heard {
            received,
            quiet: true,
        }
    }

    pub(super) const fn news(received: Received) -> Heard {
        Heard {
            received,
            quiet: false,
        }
    }
}
