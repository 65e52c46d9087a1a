// SPDX-License-Identifier: GPL-2.0-only

//! Requests about the keys of a cluster.

use crate::cluster::keyring::Key;
use crate::kapi::genetlink::{Dump, Progress, Request};
use crate::netlink::dumps::{dump_each, unnumbered};
use crate::netlink::fill;
use crate::netlink::operations::find;
use crate::nlb_core::genl::{key, Command};
use crate::nlb_core::limits::KEY_LEN;
use crate::registry::Registry;
use kernel::c_str;
use kernel::prelude::*;

/// The id of the key that a request is about.
fn key_id(request: &Request<'_>) -> Result<u8> {
    match request.get(key::ID).map(|a| a.u8()) {
        Some(id) if id != 0 => Ok(id),
        _ => Err(request.refuse_at(key::ID, EINVAL, c_str!("the key id must be 1 to 255"))),
    }
}

/// Adds a key, sends with one, or both. Context: process. Errors: as refused, or `ENOMEM`.
pub(crate) fn key_set(registry: &Registry, request: &Request<'_>) -> Result {
    let driver = find(registry, request)?;
    let id = key_id(request)?;
    let raw = request
        .get(key::KEY)
        .and_then(|a| a.payload.first_chunk::<KEY_LEN>());
    let send = request.has(key::SEND);
    if raw.is_none() && !send {
        return Err(request.refuse_at(
            key::KEY,
            EINVAL,
            c_str!("a key is needed, or the word to send with one that is known"),
        ));
    }
    if let Some(raw) = raw {
        let new = Key::new(id, raw)?;
        let added = driver.cluster().change_keys(|keys| keys.add(new));
        // The key that was not taken is dropped, and wiped, outside the lock.
        added.map_err(|(_, error)| refuse_key(request, error))?;
    }
    if send {
        driver
            .cluster()
            .change_keys(|keys| keys.send_with(id))
            .map_err(|error| refuse_key(request, error))?;
    }
    Ok(())
}

/// Forgets a key. Context: process. Errors: as refused.
pub(crate) fn key_del(registry: &Registry, request: &Request<'_>) -> Result {
    let driver = find(registry, request)?;
    let id = key_id(request)?;
    let removed = driver.cluster().change_keys(|keys| keys.remove(id));
    removed
        .map(drop)
        .map_err(|error| refuse_key(request, error))
}

fn refuse_key(request: &Request<'_>, error: Error) -> Error {
    let text = if error == EEXIST {
        c_str!("a key with this id is known already")
    } else if error == ENOSPC {
        c_str!("four keys are known already: drop one first")
    } else if error == EBUSY {
        c_str!("frames are sent with this key: send with another one first")
    } else if error == ENOENT {
        c_str!("no key with this id is known")
    } else {
        c_str!("this cluster has no key, and cannot get one while it runs")
    };
    request.refuse_at(key::ID, error, text)
}

/// Lists the ids of the keys. Context: process.
pub(crate) fn key_dump(registry: &Registry, dump: &mut Dump<'_>) -> Result<Progress> {
    let driver = find(registry, &dump.request())?;
    dump_each(
        dump,
        Command::KeyGet,
        unnumbered,
        |index| {
            driver
                .cluster()
                .look(|_, keys, _| keys.nth(index).is_some())
        },
        |message, index| fill::key(message, driver.cluster(), index),
    )
}
