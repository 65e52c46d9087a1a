// SPDX-License-Identifier: GPL-2.0-only

//! Socket buffers, as hooks see them and as they are sent.

use super::bindings;
use super::netdevice::Device;
use core::ptr::NonNull;
use kernel::prelude::*;
use kernel::types::Opaque;

/// Bytes of an Ethernet header.
pub(crate) const ETH_HLEN: usize = 14;

/// The bits of a VLAN tag that are the VLAN id; id 0 is a mere priority tag.
const VLAN_VID_MASK: u16 = 0x0fff;

/// Whom a frame is for (`pkt_type`).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    /// The device's own MAC, or made so.
    Host,
    /// All stations.
    Broadcast,
    /// A group.
    Multicast,
    /// Another station's MAC.
    OtherHost,
}

/// A socket buffer lent to a hook by the kernel.
///
/// # Invariants
///
/// The buffer is valid and belongs to the caller of the hook for as long as it is borrowed. It may be shared
/// with readers, so data is never written through it but by [`Skb::writable`].
#[repr(transparent)]
pub(crate) struct Skb(Opaque<bindings::sk_buff>);

impl Skb {
    /// # Safety
    ///
    /// `skb` is valid, and handled by nobody else in other ways than reading for the lifetime chosen.
    pub(super) unsafe fn from_raw<'a>(skb: *mut bindings::sk_buff) -> &'a mut Skb {
        // SAFETY: By the contract of this function; `Skb` is transparent.
        unsafe { &mut *skb.cast::<Skb>() }
    }

    /// Reads a field of which only the offset is known.
    #[inline(always)]
    fn field<T: Copy>(&self, offset: u32) -> T {
        // SAFETY: The offset is that of a field of this type within the buffer's structure, by the callers.
        unsafe { self.0.get().byte_add(offset as usize).cast::<T>().read() }
    }

    /// The protocol (EtherType), in host byte order.
    #[inline(always)]
    pub(crate) fn protocol(&self) -> u16 {
        u16::from_be(self.field::<u16>(bindings::NLB_SKB_PROTOCOL))
    }

    /// Whether it is of this protocol (EtherType in host byte order).
    #[inline(always)]
    pub(crate) fn is_protocol(&self, ethertype: u16) -> bool {
        self.field::<u16>(bindings::NLB_SKB_PROTOCOL) == ethertype.to_be()
    }

    /// Whether the buffer carries a VLAN id beside its data: the frame belongs to a VLAN sub-interface.
    #[inline(always)]
    pub(crate) fn has_vlan_id(&self) -> bool {
        self.field::<u16>(bindings::NLB_SKB_VLAN_TCI) & VLAN_VID_MASK != 0
    }

    /// Whom the frame is for, as the driver saw it.
    #[inline(always)]
    pub(crate) fn target(&self) -> Target {
        let kind = u32::from(self.field::<u8>(bindings::NLB_SKB_PKT_TYPE))
            & bindings::NLB_SKB_PKT_TYPE_MASK;
        // On big-endian machines the bits are the upper ones of the byte.
        match kind >> bindings::NLB_SKB_PKT_TYPE_MASK.trailing_zeros() {
            bindings::PACKET_HOST => Target::Host,
            bindings::PACKET_BROADCAST => Target::Broadcast,
            bindings::PACKET_MULTICAST => Target::Multicast,
            _ => Target::OtherHost,
        }
    }

    /// All bytes from the data pointer on, linear or not.
    #[inline(always)]
    pub(crate) fn len(&self) -> usize {
        // SAFETY: Valid by the type invariant.
        unsafe { (*self.0.get()).len as usize }
    }

    /// The linear bytes from the data pointer on: at ingress those after the MAC header, at egress the frame.
    #[inline(always)]
    pub(crate) fn head(&self) -> &[u8] {
        let skb = self.0.get();
        // SAFETY: Valid by the type invariant; the linear part is `len - data_len` bytes from `data` on.
        unsafe {
            let linear = (*skb).len.wrapping_sub((*skb).data_len) as usize;
            core::slice::from_raw_parts((*skb).data, linear)
        }
    }

    /// As [`Skb::head`], read from memory once more: for what is rarely needed late, so that nothing of it takes up a
    /// register until then.
    #[inline(always)]
    pub(crate) fn head_again(&self) -> &[u8] {
        let skb = self.0.get();
        // SAFETY: As in `head`; the fields are valid for reads.
        unsafe {
            let len = (&raw const (*skb).len).read_volatile();
            let paged = (&raw const (*skb).data_len).read_volatile();
            let data = (&raw const (*skb).data).read_volatile();
            core::slice::from_raw_parts(data, len.wrapping_sub(paged) as usize)
        }
    }

    /// Copies bytes from `offset` of the data on, linear or not; false if there are not as many.
    pub(crate) fn copy(&self, offset: usize, to: &mut [u8]) -> bool {
        let (Ok(offset), Ok(len)) = (c_int::try_from(offset), c_int::try_from(to.len())) else {
            return false;
        };
        // SAFETY: The buffer is valid, `to` is valid for writes of `len` bytes; the call checks the range.
        unsafe { bindings::skb_copy_bits(self.0.get(), offset, to.as_mut_ptr().cast(), len) == 0 }
    }

    /// The Ethernet header of a buffer at ingress, if it stands directly before the data.
    #[inline(always)]
    pub(crate) fn ethernet(&self) -> Option<&[u8; ETH_HLEN]> {
        let skb = self.0.get();
        let mac = usize::from(self.field::<u16>(bindings::NLB_SKB_MAC_HEADER));
        // SAFETY: Valid by the type invariant; `head` and `data` point into one allocation.
        let (head, data) = unsafe { ((*skb).head, (*skb).data) };
        let offset = (data.addr()).wrapping_sub(head.addr());
        if mac.wrapping_add(ETH_HLEN) != offset {
            return None;
        }
        // SAFETY: The 14 bytes before `data` are within the allocation, for `head + mac + 14 == data`.
        unsafe { data.sub(ETH_HLEN).cast::<[u8; ETH_HLEN]>().as_ref() }
    }

    /// The source MAC of a buffer at ingress, if its Ethernet header stands directly before the data.
    pub(crate) fn source_mac(&self) -> Option<[u8; 6]> {
        let [.., a, b, c, d, e, f, _, _] = *self.ethernet()?;
        Some([a, b, c, d, e, f])
    }

    /// Makes the packet one for this host, whatever its destination MAC was.
    ///
    /// The field is written on shared buffers too, as nft's `meta pkttype set` does: it says how *this* host
    /// sees the frame, and all that share the buffer are on this host.
    #[inline(always)]
    pub(crate) fn set_for_host(&mut self) {
        const {
            assert!(bindings::PACKET_HOST == 0 && bindings::NLB_SKB_PKT_TYPE_MASK <= u8::MAX as u32)
        };
        let field = bindings::NLB_SKB_PKT_TYPE as usize;
        // SAFETY: The offset is that of the byte whose bits `NLB_SKB_PKT_TYPE_MASK` are the field; its other bits stay,
        // as with an assignment in C.
        unsafe {
            let byte = self.0.get().byte_add(field).cast::<u8>();
            *byte &= !(bindings::NLB_SKB_PKT_TYPE_MASK as u8);
        }
    }

    /// Frees the buffer as one that has served its purpose. The hook must say that it took it.
    pub(super) fn consume(&mut self) {
        // SAFETY: Valid by the type invariant; the only caller tells netfilter that the buffer is gone.
        unsafe { bindings::nlb_helper_consume_skb(self.0.get()) };
    }

    /// Frees the buffer and tells the drop monitor why; returns what the hook must say then, with an error for who
    /// sent it if `refused`. `reason` is one of `enum skb_drop_reason`.
    pub(super) fn drop_for(&mut self, reason: u32, refused: bool) -> c_uint {
        // SAFETY: Valid by the type invariant; the only callers tell netfilter what the call returns, which says that
        // the buffer is gone.
        unsafe { bindings::nlb_helper_drop(self.0.get(), reason, refused) }
    }

    /// Writable access to `len` bytes from `offset` of the data on; none if memory is short, the buffer is shorter,
    /// or somebody else holds the buffer as well.
    pub(crate) fn writable(&mut self, offset: usize, len: usize) -> Option<&mut [u8]> {
        let end = offset.checked_add(len)?;
        let write_len = c_uint::try_from(end).ok()?;
        // SAFETY: The buffer is valid; the call makes the first `write_len` bytes linear and private, and refuses
        // a buffer that is shared as a whole.
        if unsafe { bindings::nlb_helper_skb_ensure_writable(self.0.get(), write_len) } != 0 {
            return None;
        }
        // SAFETY: The call above succeeded, so that many bytes from `data` on are linear and not shared.
        unsafe {
            let data = (*self.0.get()).data;
            Some(core::slice::from_raw_parts_mut(data.add(offset), len))
        }
    }

    /// Whether a buffer at egress comes from a datagram socket that is connected to one peer.
    pub(crate) fn is_of_connected_datagrams(&self) -> bool {
        // SAFETY: Valid by the type invariant; its socket stays as long as it does.
        unsafe { bindings::nlb_helper_skb_of_connected(self.0.get()) }
    }

    /// Whether a buffer at egress belongs to a socket. Of the SYN-ACKs that the stack sends, those with a SYN cookie do
    /// not: net/ipv4/tcp_output.c, `tcp_make_synack`.
    pub(crate) fn has_socket(&self) -> bool {
        // SAFETY: Valid by the type invariant.
        unsafe { !(*self.0.get()).sk.is_null() }
    }

    /// Whether a buffer at egress was received by a device of this namespace before: it is forwarded, not made here.
    pub(crate) fn was_received(&self) -> bool {
        self.field::<c_int>(bindings::NLB_SKB_IIF) != 0
    }

    /// Bytes between the data pointer and the network header, where the sender set one.
    pub(crate) fn network_offset(&self) -> Option<usize> {
        let skb = self.0.get();
        // SAFETY: Valid by the type invariant.
        let offset = unsafe { bindings::nlb_helper_skb_network_offset(skb) };
        usize::try_from(offset).ok()
    }
}

/// A frame of our own on its way out: payload first, the Ethernet header is put before it when it is sent.
///
/// # Invariants
///
/// `skb` is a private linear buffer of `len` bytes with room before it for a header, owned by this value; the
/// device it was made for is held by whoever lends it.
pub(crate) struct Frame<'a> {
    skb: NonNull<bindings::sk_buff>,
    len: usize,
    device: &'a Device,
}

impl<'a> Frame<'a> {
    /// A frame with room for `len` bytes of payload; none if memory is short. Context: any.
    pub(crate) fn new(device: &'a Device, len: usize) -> Option<Self> {
        let room = c_uint::try_from(len).ok()?;
        // SAFETY: The device is held. The helper does not sleep, for timers and hooks send as well.
        let skb = unsafe { bindings::nlb_helper_alloc_frame(device.as_ptr(), room) };
        let skb = NonNull::new(skb)?;
        // SAFETY: The helper has put `len` bytes at `data`; they are zeroed so that none is sent unset.
        unsafe { (*skb.as_ptr()).data.write_bytes(0, len) };
        // INVARIANT: A new buffer with `len` bytes.
        Some(Self { skb, len, device })
    }

    /// The payload.
    pub(crate) fn payload(&mut self) -> &mut [u8] {
        // SAFETY: By the type invariant.
        unsafe { core::slice::from_raw_parts_mut((*self.skb.as_ptr()).data, self.len) }
    }

    /// Writes bytes to the beginning of the payload, as many as it has room for.
    pub(crate) fn write<'b>(&mut self, bytes: impl IntoIterator<Item = &'b u8>) {
        for (to, from) in self.payload().iter_mut().zip(bytes) {
            *to = *from;
        }
    }

    /// Sends the first `len` bytes of payload to `destination`, with the device's own MAC as the source.
    /// Context: any, without locks that a driver could take.
    pub(crate) fn send(self, destination: &[u8; 6], ethertype: u16, len: usize) {
        let len = len.min(self.len) as c_uint;
        let this = core::mem::ManuallyDrop::new(self);
        // SAFETY: The buffer is ours and handed over; the device is held.
        unsafe {
            bindings::nlb_helper_send_frame(
                this.skb.as_ptr(),
                this.device.as_ptr(),
                destination.as_ptr(),
                ethertype,
                len,
            );
        }
    }
}

impl Drop for Frame<'_> {
    fn drop(&mut self) {
        // SAFETY: The buffer is ours by the type invariant.
        unsafe { bindings::nlb_helper_kfree_skb(self.skb.as_ptr()) };
    }
}
