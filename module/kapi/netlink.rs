// SPDX-License-Identifier: GPL-2.0-only

//! Netlink attributes: what is allowed, what came, and what is sent.

use super::bindings;
use super::hmac::wipe;
use core::ptr::NonNull;
use kernel::prelude::*;

/// Bytes of an attribute's header; attributes are aligned to the same.
pub(super) const NLA_HDRLEN: usize = 4;

/// The bits of an attribute's type that are its number.
const NLA_TYPE_MASK: u16 = 0x3fff;

/// What the kernel checks of an attribute before a handler sees it.
#[repr(transparent)]
pub(crate) struct Policy(bindings::nla_policy);

// SAFETY: A policy is constant data.
unsafe impl Sync for Policy {}

impl Policy {
    const fn with(kind: u32, len: u16) -> Self {
        // SAFETY: A policy is plain data for which zero means "nothing to check".
        let mut policy: bindings::nla_policy = unsafe { core::mem::zeroed() };
        policy.type_ = kind as u8;
        policy.len = len;
        Self(policy)
    }

    /// Not allowed in a request.
    pub(crate) const REJECT: Self = Self::with(bindings::NLA_REJECT, 0);
    /// No payload: being there is the message.
    pub(crate) const FLAG: Self = Self::with(bindings::NLA_FLAG, 0);
    /// A `u8`.
    pub(crate) const U8: Self = Self::with(bindings::NLA_U8, 0);
    /// A `u16`.
    pub(crate) const U16: Self = Self::with(bindings::NLA_U16, 0);
    /// A `u32`.
    pub(crate) const U32: Self = Self::with(bindings::NLA_U32, 0);

    /// Attributes, for which this policy holds.
    pub(crate) const fn nested(policies: &'static [Policy]) -> Self {
        let mut policy = Self::with(
            bindings::NLA_NESTED,
            policies.len().saturating_sub(1) as u16,
        );
        policy.0.__bindgen_anon_1.nested_policy = Self::as_raw(policies);
        policy
    }

    /// A NUL-terminated string of at most `max` bytes.
    pub(crate) const fn string(max: u16) -> Self {
        Self::with(bindings::NLA_NUL_STRING, max)
    }

    /// Bytes, from `min` to `max` of them.
    pub(crate) const fn bytes(min: i16, max: i16) -> Self {
        let mut policy = Self::with(bindings::NLA_BINARY, 0);
        policy.0.validation_type = bindings::NLB_NLA_VALIDATE_RANGE as u8;
        policy.0.__bindgen_anon_1.__bindgen_anon_1 =
            bindings::nla_policy__bindgen_ty_1__bindgen_ty_1 { min, max };
        policy
    }

    pub(super) const fn as_raw(policies: &'static [Policy]) -> *const bindings::nla_policy {
        policies.as_ptr().cast()
    }
}

/// The policies of a message, attribute by attribute up to `$max`; what is not named is rejected.
macro_rules! policy {
    ($max:expr; $($kind:expr => $policy:expr,)*) => {{
        const ALLOWED: [Policy; $max as usize + 1] = {
            let mut all = [const { Policy::REJECT }; $max as usize + 1];
            $(all[$kind as usize] = $policy;)*
            all
        };
        static STATIC: [Policy; $max as usize + 1] = ALLOWED;
        &STATIC
    }};
}
pub(crate) use policy;

/// `EOPNOTSUPP`, which the kernel crate does not name.
pub(crate) fn not_supported() -> Error {
    Error::from_errno(-(bindings::NLB_EOPNOTSUPP as c_int))
}

/// An attribute of a request.
#[derive(Clone, Copy)]
pub(crate) struct Attribute<'a> {
    /// Its number.
    pub(crate) kind: u16,
    /// Its payload.
    pub(crate) payload: &'a [u8],
}

impl<'a> Attribute<'a> {
    /// The payload as `u8`. Lengths were checked by the policy; what is too short counts as 0.
    pub(crate) fn u8(&self) -> u8 {
        self.payload.first().copied().unwrap_or(0)
    }

    /// The payload as `u16` in host byte order.
    pub(crate) fn u16(&self) -> u16 {
        self.payload
            .first_chunk()
            .map_or(0, |bytes| u16::from_ne_bytes(*bytes))
    }

    /// The payload as `u32` in host byte order.
    pub(crate) fn u32(&self) -> u32 {
        self.payload
            .first_chunk()
            .map_or(0, |bytes| u32::from_ne_bytes(*bytes))
    }

    /// The attributes that are the payload.
    pub(crate) fn nested(&self) -> Attributes<'a> {
        Attributes::new(self.payload)
    }

    /// The payload up to its first NUL.
    pub(crate) fn text(&self) -> &'a [u8] {
        self.payload
            .split(|&byte| byte == 0)
            .next()
            .unwrap_or_default()
    }
}

/// Goes through the attributes in some bytes.
#[derive(Clone)]
pub(crate) struct Attributes<'a> {
    rest: &'a [u8],
}

impl<'a> Attributes<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The bytes before the attribute that comes next are gone: where that is, from the end.
    pub(super) fn remaining(&self) -> usize {
        self.rest.len()
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Attribute<'a>;

    fn next(&mut self) -> Option<Attribute<'a>> {
        let (header, _) = self.rest.split_first_chunk::<NLA_HDRLEN>()?;
        let [len0, len1, kind0, kind1] = *header;
        let len = usize::from(u16::from_ne_bytes([len0, len1]));
        let payload = self.rest.get(NLA_HDRLEN..len)?;
        let aligned = len.checked_next_multiple_of(NLA_HDRLEN)?;
        self.rest = self.rest.get(aligned..).unwrap_or_default();
        Some(Attribute {
            kind: u16::from_ne_bytes([kind0, kind1]) & NLA_TYPE_MASK,
            payload,
        })
    }
}

/// Overwrites the payloads of the attributes that `is_secret` names by their number.
pub(super) fn wipe_attributes(mut bytes: &mut [u8], is_secret: impl Fn(u16) -> bool) {
    while let Some(&[len0, len1, kind0, kind1]) = bytes.first_chunk::<NLA_HDRLEN>() {
        let len = usize::from(u16::from_ne_bytes([len0, len1]));
        let kind = u16::from_ne_bytes([kind0, kind1]) & NLA_TYPE_MASK;
        if let Some(payload) = bytes.get_mut(NLA_HDRLEN..len).filter(|_| is_secret(kind)) {
            wipe(payload);
        }
        // What is shorter than its header is no attribute, and nothing comes after it.
        let next = len.max(NLA_HDRLEN).checked_next_multiple_of(NLA_HDRLEN);
        bytes = next
            .and_then(|next| bytes.get_mut(next..))
            .unwrap_or_default();
    }
}

/// A message that is being written: a reply, one of a dump, or a notification.
///
/// # Invariants
///
/// `skb` is a valid netlink buffer, `header` the place in it that `genlmsg_put` returned.
pub(crate) struct Message {
    pub(super) skb: NonNull<bindings::sk_buff>,
    pub(super) header: NonNull<c_void>,
}

impl Message {
    /// Writes an attribute. Errors: `EMSGSIZE` if it does not fit.
    pub(crate) fn put(&mut self, kind: u16, payload: &[u8]) -> Result {
        let len = c_int::try_from(payload.len()).map_err(|_| EMSGSIZE)?;
        // SAFETY: The buffer is valid by the type invariant, the payload is valid for its length.
        let result = unsafe {
            bindings::nla_put(
                self.skb.as_ptr(),
                c_int::from(kind),
                len,
                payload.as_ptr().cast(),
            )
        };
        // It has no other error. `to_result()` would print a number that is none, and that can end in a panic.
        if result == 0 {
            Ok(())
        } else {
            Err(EMSGSIZE)
        }
    }

    /// Writes a flag if `set`.
    pub(crate) fn put_flag(&mut self, kind: u16, set: bool) -> Result {
        if set {
            self.put(kind, &[])
        } else {
            Ok(())
        }
    }

    /// Writes a `u8`.
    pub(crate) fn put_u8(&mut self, kind: u16, value: u8) -> Result {
        self.put(kind, &[value])
    }

    /// Writes a `u16`.
    pub(crate) fn put_u16(&mut self, kind: u16, value: u16) -> Result {
        self.put(kind, &value.to_ne_bytes())
    }

    /// Writes a `u32`.
    pub(crate) fn put_u32(&mut self, kind: u16, value: u32) -> Result {
        self.put(kind, &value.to_ne_bytes())
    }

    /// Writes a `u64`.
    pub(crate) fn put_u64(&mut self, kind: u16, value: u64) -> Result {
        self.put(kind, &value.to_ne_bytes())
    }

    /// Writes a string with its NUL; at most 64 bytes of it.
    pub(crate) fn put_text(&mut self, kind: u16, text: &[u8]) -> Result {
        let mut buffer = [0u8; 65];
        let text = text.split(|&byte| byte == 0).next().unwrap_or_default();
        let len = text.len().min(64);
        for (to, from) in buffer.iter_mut().zip(text.iter().take(len)) {
            *to = *from;
        }
        self.put(kind, buffer.get(..=len).unwrap_or_default())
    }

    /// Ends the message: its length is written.
    pub(super) fn end(&mut self) {
        // SAFETY: By the type invariant.
        unsafe { bindings::nlb_helper_genlmsg_end(self.skb.as_ptr(), self.header.as_ptr()) };
    }

    /// Takes the message back out of the buffer.
    pub(super) fn cancel(&mut self) {
        // SAFETY: By the type invariant.
        unsafe { bindings::nlb_helper_genlmsg_cancel(self.skb.as_ptr(), self.header.as_ptr()) };
    }
}
