// SPDX-License-Identifier: GPL-2.0-only

//! `nlbadm monitor`

use std::time::SystemTime;

use nlb_core::genl::GROUP_EVENTS;
use nlb_netlink::{Error, Notification};

use crate::{
    cli::Target,
    failure::Failure,
    kernel::{Kernel, connect},
    output::{event::EventShape, print_line},
    warn,
};

/// Prints events until it is ended from outside or its reader has gone.
pub(crate) fn run(kernel: &mut impl Kernel, json: bool, target: &Target) -> Result<(), Failure> {
    let mut client = connect()?;
    // A mistyped name would print nothing for ever. The index finds the interface again when it is renamed.
    let chosen = match &target.interface {
        Some(name) => Some(super::interface(kernel, name)?.index),
        None => None,
    };
    client.subscribe(GROUP_EVENTS)?;
    loop {
        let notifications = match client.notifications() {
            Ok(notifications) => notifications,
            Err(Error::Lost) => {
                warn(Some(
                    "events were lost because they came faster than they were read; `nlbadm show` is right".into(),
                ));
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let time = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
        for notification in notifications {
            if let Notification::Event(event) = notification {
                if chosen.is_none_or(|ifindex| ifindex == event.ifindex) {
                    print_line(json, &EventShape::new(time.clone(), event))?;
                }
            }
        }
    }
}
