// SPDX-License-Identifier: GPL-2.0-only

//! What the kernel's drop monitor is told of a packet that nlb drops.
//!
//! The kernel has a list of drop reasons for each of its subsystems, and the list of subsystems is fixed when it is
//! built (`enum skb_drop_reason_subsys`; `drop_reasons_register_subsys` refuses others). So a module has to do with
//! the reasons of the kernel's own. What a packet is counted as tells more: `nlbadm counters`.
//!
//! Packets of the two or three reasons that nearly all have (another host's bucket, in the fast path) are left to
//! netfilter, which tells `NETFILTER_DROP` at `nf_hook_slow`: to tell more would cost each of them. All others
//! are freed by the module, so that the monitor shows a place in it, `nlb_helper_drop`.

use crate::kapi::netfilter::{DropReason, Verdict};
use crate::nlb_core::reason::Reason;

/// A packet is dropped for this reason, which was counted.
#[cold]
pub(crate) fn dropped(reason: Reason) -> Verdict {
    Verdict::Drop(told(reason))
}

/// The same for a packet that this host sent, whose sender is to think that it left.
#[cold]
pub(crate) fn swallowed(reason: Reason) -> Verdict {
    Verdict::Swallow(told(reason))
}

/// What comes closest among the reasons that the kernel's own stack has; a decision of nlb alone is a filter's.
fn told(reason: Reason) -> DropReason {
    match reason {
        Reason::SilentMidFlow | Reason::SilentSynAck => DropReason::NoSocket,
        Reason::MalformedTruncated | Reason::MalformedTransport => DropReason::HeaderTruncated,
        Reason::MalformedVersion | Reason::MalformedHeaderLength | Reason::MalformedFragment => {
            DropReason::BadHeader
        }
        Reason::MalformedLength => DropReason::TooSmall,
        // Of an ICMP error it is the inner packet whose source cannot be.
        Reason::MalformedSource | Reason::MalformedIcmp => DropReason::InvalidSource,
        Reason::MalformedExtension => DropReason::BadExtension,
        Reason::MalformedJumbogram => DropReason::TooBig,
        Reason::NdMalformed => DropReason::BadNeighbourMessage,
        Reason::DroppedVirtualSource => DropReason::InvalidSourceMac,
        _ => DropReason::Filtered,
    }
}
