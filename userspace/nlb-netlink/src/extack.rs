// SPDX-License-Identifier: GPL-2.0-only

//! Extended acknowledgements: what the kernel says about a refusal (`Documentation/userspace-api/netlink/intro.rst`).

use netlink_packet_core::{
    NLA_TYPE_MASK, NLM_F_ACK_TLVS, NLM_F_CAPPED, NlasIterator, parse_string, parse_u16, parse_u32,
};

use crate::error::Refusal;

/// Bytes of a netlink header.
const HEADER_LEN: usize = 16;

/// Where the attributes of a generic netlink message begin. In messages of other protocols, whose headers are longer,
/// none is nested in what a name is asked for.
const FIRST_ATTRIBUTE: usize = HEADER_LEN + 4;

/// The kernel's words.
const ATTR_MSG: u16 = 1;
/// Offset of the wrong attribute in the request.
const ATTR_OFFS: u16 = 2;
/// Type of the missing attribute.
const ATTR_MISS_TYPE: u16 = 5;

/// Names the attributes of a request, for refusals.
pub trait AttributeNames {
    /// The name of an attribute of this message, if it is known.
    fn attribute_name(&self, kind: u16) -> Option<String>;

    /// The name of an attribute within the attribute `outer` of this message, if it is known.
    fn nested_name(&self, outer: u16, kind: u16) -> Option<String> {
        let _ = (outer, kind);
        None
    }
}

/// The refusal in an `NLMSG_ERROR`: `rest` is what follows the error number.
pub(crate) fn from_error(
    errno: i32,
    flags: u16,
    rest: &[u8],
    request: &[u8],
    names: &dyn AttributeNames,
) -> Refusal {
    let extack = if flags & NLM_F_ACK_TLVS == 0 {
        None
    } else if flags & NLM_F_CAPPED != 0 {
        rest.get(HEADER_LEN..)
    } else {
        // The whole request comes back first; its length is in its header.
        rest.get(..4)
            .and_then(|length| parse_u32(length).ok())
            .and_then(|length| rest.get((length as usize).next_multiple_of(4)..))
    };
    from_attributes(errno, extack.unwrap_or_default(), request, names)
}

/// The refusal from the attributes of an extended acknowledgement. What cannot be read is left out: the error number
/// is worth reporting in any case.
pub(crate) fn from_attributes(
    errno: i32,
    extack: &[u8],
    request: &[u8],
    names: &dyn AttributeNames,
) -> Refusal {
    let mut refusal = Refusal {
        errno,
        text: None,
        attribute: None,
        missing: None,
    };
    let name = |kind: u16| {
        names
            .attribute_name(kind)
            .unwrap_or_else(|| format!("number {kind}"))
    };
    for nla in NlasIterator::new(extack).flatten() {
        match nla.kind() {
            ATTR_MSG => refusal.text = parse_string(nla.value()).ok(),
            ATTR_OFFS => {
                refusal.attribute = parse_u32(nla.value())
                    .ok()
                    .and_then(|offset| place_at(request, offset as usize))
                    .map(|place| match place {
                        Place::Top(kind) => name(kind),
                        Place::Nested { outer, nth, kind } => {
                            let inner = names.nested_name(outer, kind);
                            let inner = inner.unwrap_or_else(|| format!("number {kind}"));
                            format!("{inner}, of {} {nth}", name(outer))
                        }
                    });
            }
            ATTR_MISS_TYPE => {
                refusal.missing = parse_u32(nla.value())
                    .ok()
                    .and_then(|kind| u16::try_from(kind).ok())
                    .map(name);
            }
            _ => {}
        }
    }
    refusal
}

/// Where an attribute is.
enum Place {
    /// In the message itself.
    Top(u16),
    /// Within another attribute, the nth of its kind from 0.
    Nested { outer: u16, nth: usize, kind: u16 },
}

/// The attribute at an offset of the request.
fn place_at(request: &[u8], offset: usize) -> Option<Place> {
    let kind = kind_at(request, offset)?;
    let mut start = FIRST_ATTRIBUTE;
    let mut before = Vec::new();
    while start < offset {
        let length = request.get(start..start.checked_add(2)?)?;
        let length = usize::from(parse_u16(length).ok()?);
        let outer = kind_at(request, start)?;
        if offset < start.checked_add(length)? {
            let nth = before.iter().filter(|&&other| other == outer).count();
            return Some(Place::Nested { outer, nth, kind });
        }
        before.push(outer);
        start = start.checked_add(length.max(1))?.next_multiple_of(4);
    }
    Some(Place::Top(kind))
}

/// The type of the attribute at an offset of the request.
fn kind_at(request: &[u8], offset: usize) -> Option<u16> {
    let kind = request.get(offset.checked_add(2)?..offset.checked_add(4)?)?;
    Some(parse_u16(kind).ok()? & NLA_TYPE_MASK)
}
