// SPDX-License-Identifier: GPL-2.0-only

//! A generic netlink family: operations, requests, dumps, notifications.
//!
//! One pair of C callbacks serves all operations of a family: it looks the command up in the family's table
//! of Rust functions. The family's memory lives as long as anybody may still notify through it.

use super::bindings;
use super::netdevice::Net;
use super::netlink::{
    not_supported, wipe_attributes, Attribute, Attributes, Message, Policy, NLA_HDRLEN,
};
use super::once::Once;
use super::rcu::{read_lock, synchronize_net};
use core::cell::UnsafeCell;
use core::marker::PhantomPinned;
use core::ptr::NonNull;
use kernel::prelude::*;
use kernel::sync::Arc;

/// Bytes of the netlink header and of the generic one after it.
const HEADERS: usize = 16 + 4;

/// A function that answers a request.
pub(crate) type Do<D> = fn(&D, &Request<'_>) -> Result;

/// A function that writes as much of a dump as fits; called again until it says that all is written.
pub(crate) type DumpFn<D> = fn(&D, &mut Dump<'_>) -> Result<Progress>;

/// How far a dump has come.
pub(crate) enum Progress {
    /// All is written.
    Done,
    /// The buffer is full; there is more.
    More,
}

/// One operation of a family.
pub(crate) struct Operation<D: 'static> {
    /// Number of the command.
    pub(crate) command: u8,
    /// Whether CAP_NET_ADMIN in the namespace's user namespace is needed.
    pub(crate) admin: bool,
    /// What is allowed in requests, by attribute number.
    pub(crate) policy: &'static [Policy],
    /// Answers a request.
    pub(crate) answer: Option<Do<D>>,
    /// Answers a request to dump.
    pub(crate) dump: Option<DumpFn<D>>,
}

/// Who answers the requests of a family.
pub(crate) trait Service: Send + Sync + Sized + 'static {
    /// Name of the family, at most 15 bytes.
    const NAME: &'static str;
    /// Version of the family.
    const VERSION: u8;
    /// Names of the multicast groups, each with whether joining needs CAP_NET_ADMIN.
    const GROUPS: &'static [(&'static str, bool)];
    /// The operations. Several may be under way at a time, each under the locks that it takes itself.
    const OPERATIONS: &'static [Operation<Self>];

    /// Whether an attribute of a request is a secret: it is wiped from the request once that has been answered.
    fn is_secret(command: u8, kind: u16) -> bool;
}

/// A family's memory.
///
/// # Invariants
///
/// `family` points into `_operations` and `groups`, which are not changed after `new`; `service` is null or
/// valid, and not null while requests can come in.
pub(crate) struct Family {
    family: UnsafeCell<bindings::genl_family>,
    _operations: KVec<bindings::genl_ops>,
    groups: KVec<bindings::genl_multicast_group>,
    service: Once<*const c_void>,
    live: Once<bool>,
    _pin: PhantomPinned,
}

// SAFETY: The structure is written by (un)registration only, which the netlink core serialises.
unsafe impl Send for Family {}
// SAFETY: As above.
unsafe impl Sync for Family {}

impl Family {
    /// Memory of a family that is not registered yet. Context: process. Errors: `ENOMEM`.
    pub(crate) fn new<S: Service>(module: &'static ThisModule) -> Result<Arc<Self>> {
        let mut operations = KVec::with_capacity(S::OPERATIONS.len(), GFP_KERNEL)?;
        for operation in S::OPERATIONS {
            // SAFETY: Plain data for which zero means "not set".
            let mut raw: bindings::genl_ops = unsafe { core::mem::zeroed() };
            raw.cmd = operation.command;
            raw.policy = Policy::as_raw(operation.policy);
            raw.maxattr = operation.policy.len().saturating_sub(1) as c_uint;
            raw.doit = operation.answer.map(|_| answer::<S> as _);
            raw.dumpit = operation.dump.map(|_| dump::<S> as _);
            if operation.admin {
                raw.flags = bindings::GENL_UNS_ADMIN_PERM as u8;
            }
            operations.push_within_capacity(raw).map_err(|_| ENOMEM)?;
        }
        let mut groups = KVec::with_capacity(S::GROUPS.len(), GFP_KERNEL)?;
        for (name, admin) in S::GROUPS {
            // SAFETY: Plain data.
            let mut raw: bindings::genl_multicast_group = unsafe { core::mem::zeroed() };
            set_name(&mut raw.name, name);
            if *admin {
                raw.flags = bindings::NLB_GENL_MCAST_CAP_NET_ADMIN as u8;
            }
            groups.push_within_capacity(raw).map_err(|_| ENOMEM)?;
        }
        // SAFETY: Plain data for which zero means "not set".
        let mut family: bindings::genl_family = unsafe { core::mem::zeroed() };
        set_name(&mut family.name, S::NAME);
        family.version = c_uint::from(S::VERSION);
        family.set_netnsok(1);
        // Requests of one family would otherwise wait for those of all others, and those for these: `genl_mutex`.
        family.set_parallel_ops(1);
        family.module = module.as_ptr().cast();
        family.ops = operations.as_ptr();
        family.n_ops = operations.len() as u8;
        family.mcgrps = groups.as_ptr();
        family.n_mcgrps = groups.len() as u8;
        // INVARIANT: The pointers are to the two vectors, whose buffers do not move with them.
        Ok(Arc::new(
            Self {
                family: UnsafeCell::new(family),
                _operations: operations,
                groups,
                service: Once::new(core::ptr::null()),
                live: Once::new(false),
                _pin: PhantomPinned,
            },
            GFP_KERNEL,
        )?)
    }

    /// Whether anybody listens to a group in the namespace. Context: under RCU.
    fn has_listeners(&self, net: Net<'_>, group: usize) -> bool {
        self.live.load()
            && group < self.groups.len()
            // SAFETY: The family is registered, the namespace alive.
            && unsafe {
                bindings::nlb_helper_genl_has_listeners(
                    self.family.get(),
                    net.as_ptr(),
                    group as c_uint,
                )
            }
    }

    /// Writes a notification with `fill`, which must not sleep, and sends it to a group. Without memory it is lost,
    /// as netlink's notifications may be. Context: any.
    pub(crate) fn notify(
        &self,
        net: Net<'_>,
        group: usize,
        command: u8,
        size: usize,
        fill: impl FnOnce(&mut Message) -> Result,
    ) {
        // The registration ends only when nobody is in here any more, see `Registration::drop`.
        let _side = read_lock();
        if !self.has_listeners(net, group) {
            return;
        }
        let Some(mut message) = self.start(size, true, command, 0, 0, 0) else {
            return;
        };
        if fill(&mut message).is_err() {
            // SAFETY: The buffer is ours.
            unsafe { bindings::nlb_helper_nlmsg_free(message.skb.as_ptr()) };
            return;
        }
        message.end();
        // SAFETY: The buffer is handed over; no listener any more is no error of ours.
        let _ = unsafe {
            bindings::nlb_helper_genlmsg_multicast(
                self.family.get(),
                net.as_ptr(),
                message.skb.as_ptr(),
                group as c_uint,
            )
        };
    }

    /// A new buffer with the headers of a message.
    fn start(
        &self,
        size: usize,
        atomic: bool,
        command: u8,
        portid: u32,
        seq: u32,
        flags: c_int,
    ) -> Option<Message> {
        // SAFETY: No requirements.
        let skb = NonNull::new(unsafe { bindings::nlb_helper_genlmsg_new(size, atomic) })?;
        // SAFETY: The buffer is valid, the family's memory as well.
        let header = unsafe {
            bindings::genlmsg_put(skb.as_ptr(), portid, seq, self.family.get(), flags, command)
        };
        let Some(header) = NonNull::new(header) else {
            // SAFETY: The buffer is ours.
            unsafe { bindings::nlb_helper_nlmsg_free(skb.as_ptr()) };
            return None;
        };
        // INVARIANT: As `genlmsg_put` returned it.
        Some(Message { skb, header })
    }
}

/// Copies a name, cut to what fits with a NUL.
fn set_name(to: &mut [c_char], name: &str) {
    let room = to.len().saturating_sub(1);
    for (to, from) in to.iter_mut().take(room).zip(name.bytes()) {
        *to = from as c_char;
    }
}

/// A registered family; requests are answered by `service` while it lives.
///
/// # Invariants
///
/// `family` is registered, and its `service` points to what `_service` keeps alive.
pub(crate) struct Registration<S: Service> {
    family: Arc<Family>,
    _service: Arc<S>,
}

impl<S: Service> Registration<S> {
    /// Registers. From here on requests come in. Context: process. Errors: as netlink says.
    pub(crate) fn new(family: Arc<Family>, service: Arc<S>) -> Result<Self> {
        family.service.store((&raw const *service).cast());
        // SAFETY: The family's memory is valid until it is unregistered in `drop`, as `family` keeps it.
        let result = unsafe { bindings::genl_register_family(family.family.get()) };
        kernel::error::to_result(result)?;
        family.live.store(true);
        // INVARIANT: Registered, and the service was set.
        Ok(Self {
            family,
            _service: service,
        })
    }
}

impl<S: Service> Drop for Registration<S> {
    fn drop(&mut self) {
        self.family.live.store(false);
        // Whoever saw the family alive is under RCU. After this nobody sends to its groups, whose numbers netlink
        // may give to another family.
        synchronize_net();
        // SAFETY: Registered by the type invariant. The call waits for requests that are being answered; a
        // dump that is under way holds the module, so that this is not reached before it has ended.
        unsafe { bindings::genl_unregister_family(self.family.family.get()) };
    }
}

/// A request.
///
/// # Invariants
///
/// `info` is that of a request that is being answered, for `'a`, and `skb` the buffer that it came in.
pub(crate) struct Request<'a> {
    info: &'a bindings::genl_info,
    skb: NonNull<bindings::sk_buff>,
    attributes: &'a [u8],
}

impl<'a> Request<'a> {
    /// # Safety
    ///
    /// `info` is that of a request that is being answered, for the lifetime chosen, and `skb` the buffer that it came in.
    unsafe fn new(info: *const bindings::genl_info, skb: NonNull<bindings::sk_buff>) -> Self {
        // SAFETY: By the contract of this function; the core has checked that the message is as long as its
        // header says, and that the header is complete.
        unsafe {
            let info = &*info;
            let len = ((*info.nlhdr).nlmsg_len as usize).saturating_sub(HEADERS);
            let attributes = core::slice::from_raw_parts(info.nlhdr.cast::<u8>().add(HEADERS), len);
            // INVARIANT: By the contract of this function.
            Self {
                info,
                skb,
                attributes,
            }
        }
    }

    /// Whether who sent it, and who reads the answer, have CAP_NET_ADMIN in the user namespace of the network namespace:
    /// what [`Operation::admin`] asks for. Context: process.
    pub(crate) fn is_admin(&self) -> bool {
        // SAFETY: The buffer is valid by the type invariant.
        unsafe { bindings::nlb_helper_netlink_admin(self.skb.as_ptr()) }
    }

    /// The namespace of the socket.
    pub(crate) fn net(&self) -> Net<'_> {
        // SAFETY: A request's namespace is alive while it is answered, and never null.
        unsafe {
            let net = bindings::nlb_helper_genl_net(self.info);
            match Net::from_raw(net) {
                Some(net) => net,
                None => core::hint::unreachable_unchecked(),
            }
        }
    }

    /// All attributes, in their order.
    pub(crate) fn attributes(&self) -> Attributes<'a> {
        Attributes::new(self.attributes)
    }

    /// The last attribute of a kind.
    pub(crate) fn get(&self, kind: u16) -> Option<Attribute<'a>> {
        self.attributes().filter(|a| a.kind == kind).last()
    }

    /// Whether there is an attribute of a kind.
    pub(crate) fn has(&self, kind: u16) -> bool {
        self.get(kind).is_some()
    }

    /// Says why the request is refused, and returns the error.
    pub(crate) fn refuse(&self, error: Error, text: &'static CStr) -> Error {
        if let Some(extack) = NonNull::new(self.info.extack) {
            // SAFETY: The structure is valid while the request is answered; the text is of the module, which
            // stays while its function runs, and the core copies it right after.
            unsafe { (*extack.as_ptr())._msg = text.as_char_ptr().cast() };
        }
        error
    }

    /// As [`Request::refuse`], and points at the attribute at fault.
    pub(crate) fn refuse_at(&self, kind: u16, error: Error, text: &'static CStr) -> Error {
        let mut attributes = self.attributes();
        loop {
            let offset = self.attributes.len() - attributes.remaining().min(self.attributes.len());
            match attributes.next() {
                None => break,
                Some(attribute) if attribute.kind == kind => {
                    if let (Some(extack), Some(at)) = (
                        NonNull::new(self.info.extack),
                        self.attributes.get(offset..),
                    ) {
                        // SAFETY: The structure is valid while the request is answered, and the attribute
                        // is within the request.
                        unsafe { (*extack.as_ptr()).bad_attr = at.as_ptr().cast() };
                    }
                }
                Some(_) => {}
            }
        }
        self.refuse(error, text)
    }

    /// As [`Request::refuse`], and points at this attribute of the request, nested or not.
    pub(crate) fn refuse_in(
        &self,
        attribute: &Attribute<'_>,
        error: Error,
        text: &'static CStr,
    ) -> Error {
        // The kernel turns the pointer into an offset; so one that is not within the request must not get there.
        let start = self.attributes.as_ptr() as usize;
        let at = (attribute.payload.as_ptr() as usize)
            .wrapping_sub(start)
            .wrapping_sub(NLA_HDRLEN);
        if let (Some(extack), Some(at)) =
            (NonNull::new(self.info.extack), self.attributes.get(at..))
        {
            // SAFETY: The structure is valid while the request is answered, and the attribute is within the request.
            unsafe { (*extack.as_ptr()).bad_attr = at.as_ptr().cast() };
        }
        self.refuse(error, text)
    }

    /// What an attribute names by its number, or `default` where there is no such attribute. Errors: `EINVAL`, with this
    /// text, if the number is no name's.
    pub(crate) fn named<T>(
        &self,
        attribute: Option<Attribute<'_>>,
        default: T,
        from_u8: fn(u8) -> Option<T>,
        text: &'static CStr,
    ) -> Result<T> {
        match attribute {
            None => Ok(default),
            Some(attribute) => {
                from_u8(attribute.u8()).ok_or_else(|| self.refuse_in(&attribute, EINVAL, text))
            }
        }
    }

    /// Sends an answer written by `fill`. Context: process. Errors: `ENOMEM`, `EMSGSIZE`.
    pub(crate) fn reply(
        &self,
        family: &Family,
        command: u8,
        size: usize,
        fill: impl FnOnce(&mut Message) -> Result,
    ) -> Result {
        let mut message = family
            .start(
                size,
                false,
                command,
                self.info.snd_portid,
                self.info.snd_seq,
                0,
            )
            .ok_or(ENOMEM)?;
        if let Err(error) = fill(&mut message) {
            // SAFETY: The buffer is ours.
            unsafe { bindings::nlb_helper_nlmsg_free(message.skb.as_ptr()) };
            return Err(error);
        }
        message.end();
        // SAFETY: The buffer is handed over; the information is that of a request being answered.
        kernel::error::to_result(unsafe {
            bindings::nlb_helper_genlmsg_reply(
                message.skb.as_ptr(),
                core::ptr::from_ref(self.info).cast_mut(),
            )
        })
    }
}

/// A dump that is being written.
///
/// # Invariants
///
/// `skb` and `callback` are those of a dump that is being continued, for `'a`.
pub(crate) struct Dump<'a> {
    skb: NonNull<bindings::sk_buff>,
    callback: &'a mut bindings::netlink_callback,
    family: &'a Family,
}

impl Dump<'_> {
    /// The request that began it.
    pub(crate) fn request(&self) -> Request<'_> {
        let callback: *const bindings::netlink_callback = &*self.callback;
        // SAFETY: The information and the request's buffer live as long as the dump, by the type invariant.
        unsafe {
            let info = bindings::nlb_helper_genl_info_dump(callback.cast_mut());
            Request::new(info, NonNull::new_unchecked(self.callback.skb))
        }
    }

    /// Where to go on: 0 at first, then what [`Dump::set_cursor`] left.
    pub(crate) fn cursor(&self) -> usize {
        // SAFETY: The union is plain data, zeroed when the dump began.
        unsafe { self.callback.__bindgen_anon_1.args }
            .first()
            .map_or(0, |&word| word as usize)
    }

    /// Remembers where to go on.
    pub(crate) fn set_cursor(&mut self, cursor: usize) {
        // SAFETY: The union is plain data.
        if let Some(word) = unsafe { self.callback.__bindgen_anon_1.args.first_mut() } {
            *word = cursor as _;
        }
    }

    /// Says which state is dumped; when it changes in mid-dump, the receiver is told to start again. To be said
    /// before the first message of a buffer, and again after the last one of the dump.
    pub(crate) fn set_generation(&mut self, generation: u32) {
        self.callback.seq = generation.max(1);
    }

    /// Writes one message of the dump with `fill`; false if it must wait for the next buffer. Errors: what `fill`
    /// says; `EMSGSIZE` if the message does not fit into an empty buffer either.
    pub(crate) fn message(
        &mut self,
        command: u8,
        fill: impl FnOnce(&mut Message) -> Result,
    ) -> Result<bool> {
        // SAFETY: The callback's headers are valid by the type invariant, the buffer is.
        let header = unsafe {
            let nlh = &*self.callback.nlh;
            let portid = bindings::nlb_helper_netlink_portid(self.callback.skb);
            bindings::genlmsg_put(
                self.skb.as_ptr(),
                portid,
                nlh.nlmsg_seq,
                self.family.family.get(),
                bindings::NLM_F_MULTI as c_int,
                command,
            )
        };
        let Some(header) = NonNull::new(header) else {
            return self.full(EMSGSIZE);
        };
        // SAFETY: As above.
        unsafe { bindings::nlb_helper_dump_check(self.callback, header.as_ptr()) };
        // INVARIANT: As `genlmsg_put` returned it.
        let mut message = Message {
            skb: self.skb,
            header,
        };
        if let Err(error) = fill(&mut message) {
            message.cancel();
            return self.full(error);
        }
        message.end();
        Ok(true)
    }

    /// What it means that a message could not be written: it goes into the next buffer, unless this one is empty,
    /// which netlink would take for the end of the dump, or room is not what was missing.
    fn full(&self, error: Error) -> Result<bool> {
        // SAFETY: The buffer is valid by the type invariant.
        let len = unsafe { self.skb.as_ref().len };
        if error == EMSGSIZE && len != 0 {
            Ok(false)
        } else {
            Err(error)
        }
    }
}

/// # Safety
///
/// `family` is that of a request to a family of service `S` which is registered.
unsafe fn family_of<'a>(family: *const bindings::genl_family) -> &'a Family {
    // SAFETY: All families that get here are the `family` of a `Family`.
    unsafe {
        &*kernel::container_of!(
            family
                .cast_mut()
                .cast::<UnsafeCell<bindings::genl_family>>(),
            Family,
            family
        )
    }
}

/// # Safety
///
/// Called by the netlink core with a request to a family that was registered with service `S`.
unsafe extern "C" fn answer<S: Service>(
    skb: *mut bindings::sk_buff,
    info: *mut bindings::genl_info,
) -> c_int {
    // SAFETY: By the contract of this function; the service is set and alive while the family is registered.
    let (service, command, request) = unsafe {
        (
            &*family_of((*info).family).service.load().cast::<S>(),
            (*(*info).genlhdr).cmd,
            Request::new(info, NonNull::new_unchecked(skb)),
        )
    };
    let operation = S::OPERATIONS.iter().find(|o| o.command == command);
    let result = match operation.and_then(|o| o.answer) {
        Some(function) => match function(service, &request) {
            Ok(()) => 0,
            Err(error) => error.to_errno(),
        },
        None => not_supported().to_errno(),
    };
    let len = request.attributes.len();
    // SAFETY: The attributes begin there, as in `Request::new`, and the buffer is the kernel's own copy of what was
    // sent; `request` is not used any more.
    let attributes = unsafe {
        let start = (*info).nlhdr.cast_mut().cast::<u8>().add(HEADERS);
        core::slice::from_raw_parts_mut(start, len)
    };
    wipe_attributes(attributes, |kind| S::is_secret(command, kind));
    result
}

/// # Safety
///
/// Called by the netlink core to go on with a dump of a family that was registered with service `S`.
unsafe extern "C" fn dump<S: Service>(
    skb: *mut bindings::sk_buff,
    callback: *mut bindings::netlink_callback,
) -> c_int {
    // SAFETY: By the contract of this function; the service is set and alive while the family is registered,
    // which a dump under way outlasts by holding the module.
    let (family, service, command, mut dump) = unsafe {
        let info = bindings::nlb_helper_genl_info_dump(callback);
        let family = family_of((*info).family);
        let dump = Dump {
            skb: NonNull::new_unchecked(skb),
            callback: &mut *callback,
            family,
        };
        (
            family,
            &*family.service.load().cast::<S>(),
            (*(*info).genlhdr).cmd,
            dump,
        )
    };
    let _ = family;
    let operation = S::OPERATIONS.iter().find(|o| o.command == command);
    let Some(function) = operation.and_then(|o| o.dump) else {
        return not_supported().to_errno();
    };
    match function(service, &mut dump) {
        Ok(Progress::Done) => 0,
        // SAFETY: The buffer is valid. A length above zero says that there is more.
        Ok(Progress::More) => unsafe { (*skb).len as c_int },
        Err(error) => error.to_errno(),
    }
}
