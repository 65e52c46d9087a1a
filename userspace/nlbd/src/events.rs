// SPDX-License-Identifier: GPL-2.0-only

//! What happens in the clusters of this host, as the module tells it: a thread waits for it.

use std::{fs, io, os::fd::AsFd, os::unix::fs::MetadataExt, thread, time::Duration};

use nlb_core::genl::GROUP_EVENTS;
use nlb_netlink::{Client, Error, NetlinkSocket, Notification, object::Event};
use nlbadm::MODULE;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::sync::mpsc::Sender;

use crate::log;

/// How often it is looked whether the module has come, gone, or been loaded anew.
const RENEW: Duration = Duration::from_secs(2);

/// What was heard.
#[derive(Debug)]
pub(crate) enum Heard {
    Events(Vec<Event>),
    /// Events may have been missed.
    Gap,
}

/// Sends what is heard to a channel until nobody receives it any more.
pub(crate) fn listen(heard: Sender<Heard>) {
    thread::spawn(move || {
        let mut failing = false;
        while !heard.is_closed() {
            let ended = match life() {
                Some(life) => hear(life, &heard),
                None => Ok(()),
            };
            if let (Err(error), false) = (&ended, failing) {
                log!("events of the module: {error}");
            }
            failing = ended.is_err();
            thread::sleep(RENEW);
        }
    });
}

/// Tells one life of the module from the next; none if it is not loaded.
fn life() -> Option<u64> {
    fs::metadata(MODULE).ok().map(|metadata| metadata.ino())
}

/// Hears the module until its life has ended.
fn hear(life: u64, heard: &Sender<Heard>) -> Result<(), Error> {
    let socket = NetlinkSocket::generic()?;
    // To wait with a timeout: the client owns the socket, and both are one.
    let twin = socket.as_fd().try_clone_to_owned()?;
    let mut client = Client::new(socket)?;
    client.subscribe(GROUP_EVENTS)?;
    if heard.blocking_send(Heard::Gap).is_err() {
        return Ok(());
    }
    while self::life() == Some(life) {
        let mut ready = [PollFd::new(&twin, PollFlags::IN)];
        let timeout = Timespec::try_from(RENEW).ok();
        match poll(&mut ready, timeout.as_ref()) {
            Ok(0) | Err(rustix::io::Errno::INTR) => continue,
            Ok(_) => {}
            Err(error) => return Err(io::Error::from(error).into()),
        }
        let news = match client.notifications() {
            Ok(notifications) => Heard::Events(events(notifications)),
            Err(Error::Lost) => Heard::Gap,
            Err(error) => return Err(error),
        };
        if heard.blocking_send(news).is_err() {
            return Ok(());
        }
    }
    Ok(())
}

fn events(notifications: Vec<Notification>) -> Vec<Event> {
    let event = |notification| match notification {
        Notification::Event(event) => Some(event),
        _ => None,
    };
    notifications.into_iter().filter_map(event).collect()
}
