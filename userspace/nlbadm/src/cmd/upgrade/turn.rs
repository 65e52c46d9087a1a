// SPDX-License-Identifier: GPL-2.0-only

//! Whose turn it is to leave: hosts that are upgraded at the same time do it one after the other, and none leaves that
//! serves alone. They have nothing to agree by but what each sees of the others.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use nlb_core::state::{HostState, OutReason};
use nlb_netlink::object::Member;

use super::{LOOK, Seat, period, serves};
use crate::{
    failure::{Exit, Failure},
    kernel::Kernel,
};

/// A host that was heard so long ago may be on its way back, in milliseconds: the time of a boot.
pub(super) const BACK_MS: u32 = 120_000;

/// Waits until nothing speaks against leaving, for a while that is longer the more hosts come before this one: of two that
/// begin to wait at once, one leaves and the other sees it.
pub(super) fn wait<K: Kernel>(
    kernel: &mut K,
    seats: &[Seat],
    deadline: Instant,
) -> Result<(), Failure> {
    let mut clear_since = None;
    let mut told = None;
    loop {
        match hindrance(kernel, seats)? {
            None => {
                let since = *clear_since.get_or_insert_with(Instant::now);
                if since.elapsed() >= lead(kernel, seats)? {
                    return Ok(());
                }
            }
            Some(text) => {
                clear_since = None;
                if Instant::now() >= deadline {
                    return Err(Failure::new(Exit::Exists, text));
                }
                if told.as_ref() != Some(&text) {
                    eprintln!("waiting: {text}");
                    told = Some(text);
                }
            }
        }
        sleep(LOOK);
    }
}

/// What speaks against leaving now.
fn hindrance(kernel: &mut impl Kernel, seats: &[Seat]) -> Result<Option<String>, Failure> {
    for seat in seats.iter().filter(|seat| serves(seat)) {
        let name = &seat.cluster.name;
        let others = others(kernel, seat)?;
        if let Some(other) = others.iter().find(|other| is_under_way(other)) {
            let (id, state) = (other.host_id, &other.state);
            return Ok(Some(match other.out_reason.known() {
                Some(OutReason::None) => format!("host {id} of {name} is {state}"),
                _ => format!("host {id} of {name} is out: {}", other.out_reason),
            }));
        }
        if !others.iter().any(takes) {
            return Ok(Some(format!(
                "no other host of {name} serves, so nobody would serve its clients; where there is none, \
                 `systemctl stop nlb@{name} && rmmod nlb && systemctl start nlb@{name}` does it nevertheless"
            )));
        }
    }
    Ok(None)
}

pub(super) fn others(kernel: &mut impl Kernel, seat: &Seat) -> Result<Vec<Member>, Failure> {
    let mut members = kernel.members(seat.cluster.ifindex)?;
    members.retain(|member| !member.this);
    Ok(members)
}

/// Whether a host takes new connections.
fn takes(member: &Member) -> bool {
    member.member && member.state.is(HostState::Converged)
}

/// Whether a host is about to leave, or may be on its way back. One that is out for a reason that lasts is not.
fn is_under_way(member: &Member) -> bool {
    let recent = member.last_heard_ms.is_some_and(|ms| ms < BACK_MS);
    let lasts = ![
        OutReason::None,
        OutReason::Left,
        OutReason::Dead,
        OutReason::NotFresh,
        OutReason::Listening,
    ]
    .into_iter()
    .any(|reason| member.out_reason.is(reason));
    recent && !lasts && !takes(member)
}

/// For how long it must stay so: two seconds, or four heartbeats, for each host with a lower id.
fn lead(kernel: &mut impl Kernel, seats: &[Seat]) -> Result<Duration, Failure> {
    let mut longest = Duration::ZERO;
    for seat in seats.iter().filter(|seat| serves(seat)) {
        let before = others(kernel, seat)?;
        let before = before
            .iter()
            .filter(|other| other.host_id < seat.cluster.host_id);
        let before = u32::try_from(before.count()).unwrap_or(0);
        let each = Duration::from_secs(2).max(4 * period(seat));
        longest = longest.max(before * each);
    }
    Ok(longest)
}
