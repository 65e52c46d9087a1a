// SPDX-License-Identifier: GPL-2.0-only

//! Which hosts are heard by frames of the protocol's own EtherType and which only by frames inside IP packets
//! ([`super::wrapped`]), and whether to send those.
//!
//! As long as every host is heard by its own frames nothing is wrapped. A host that hears nobody so, or misses a member, or
//! hears somebody only wrapped, wraps what it sends, and asks by a flag for wrapped answers: a filter may work one way only, and
//! then the other side does not notice. Nobody asks because it was asked, so hosts stop when the filter is gone.
//!
//! A filter that comes while the cluster serves must not cost a host: it is noticed within two periods and a quarter, and the
//! next heartbeat is wrapped, before four periods of silence are over. Where a heartbeat gets lost some are wrapped for
//! nothing.

use super::host::{HostId, HostSet};
use super::received::Received;
use super::time::Instant;

/// How a frame came on the segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// By its own EtherType.
    Plain,
    /// Inside an IP packet.
    Wrapped,
}

/// What a host hears by which transport. Times are told in spans, of a period and an eighth, for a heartbeat may be a little
/// late: what was heard in this one or the last one counts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Transports {
    since: Instant,
    plain: [HostSet; 2],
    wrapped: [HostSet; 2],
    asked: [bool; 2],
}

impl Transports {
    /// Has heard nobody.
    #[must_use]
    pub const fn new() -> Transports {
        Transports {
            since: Instant(0),
            plain: [HostSet::EMPTY; 2],
            wrapped: [HostSet::EMPTY; 2],
            asked: [false; 2],
        }
    }

    /// A frame of a host was accepted. `period_ns` is the time between two heartbeats.
    fn heard(&mut self, now: Instant, period_ns: u64, host: HostId, transport: Transport) {
        self.turn(now, period_ns);
        let [set, _] = match transport {
            Transport::Plain => &mut self.plain,
            Transport::Wrapped => &mut self.wrapped,
        };
        set.insert(host);
    }

    /// Somebody asks for wrapped frames.
    fn asked(&mut self, now: Instant, period_ns: u64) {
        self.turn(now, period_ns);
        let [asked, _] = &mut self.asked;
        *asked = true;
    }

    /// A frame came that says that it is of this host, and this became of it. What is refused counts for nothing. A plain frame that
    /// is stale may be the one whose wrapped copy has just overtaken it.
    pub fn came(
        &mut self,
        now: Instant,
        period_ns: u64,
        host: HostId,
        transport: Transport,
        needed: bool,
        became: Received,
    ) {
        let stale = became == Received::Stale;
        if became.accepted()
            || became == Received::OtherPath
            || (stale && transport == Transport::Plain)
        {
            self.heard(now, period_ns, host, transport);
        }
        if needed && (became.accepted() || stale || became == Received::NotFresh) {
            self.asked(now, period_ns);
        }
    }

    /// Whether to wrap what is sent now, and whether to ask for the same. `expected` are the hosts that ought to be heard.
    pub fn sends(&mut self, now: Instant, period_ns: u64, expected: HostSet) -> Option<bool> {
        self.turn(now, period_ns);
        let plain = union(self.plain);
        let wanted = expected.union(union(self.wrapped));
        let needed = plain.is_empty() || !wanted.minus(plain).is_empty();
        (needed || self.asked != [false; 2]).then_some(needed)
    }

    /// Whether a host is heard wrapped, and not otherwise.
    #[must_use]
    pub fn only_wrapped(&self, host: HostId) -> bool {
        union(self.wrapped).minus(union(self.plain)).contains(host)
    }

    /// Begins another span if one is over.
    fn turn(&mut self, now: Instant, period_ns: u64) {
        let span_ns = period_ns.saturating_add(period_ns / 8);
        let past = now.since(self.since);
        if past < span_ns {
            return;
        }
        let last = Transports {
            since: now,
            plain: shifted(self.plain, HostSet::EMPTY),
            wrapped: shifted(self.wrapped, HostSet::EMPTY),
            asked: shifted(self.asked, false),
        };
        *self = if past < span_ns.saturating_mul(2) {
            last
        } else {
            Transports {
                since: now,
                ..Transports::new()
            }
        };
    }
}

/// What was now is before.
fn shifted<T>([now, _]: [T; 2], none: T) -> [T; 2] {
    [none, now]
}

fn union([now, before]: [HostSet; 2]) -> HostSet {
    now.union(before)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: u64 = 1000;

    fn host(number: u8) -> HostId {
        HostId::new(number).unwrap()
    }

    fn hosts(ids: &[u8]) -> HostSet {
        ids.iter()
            .fold(HostSet::EMPTY, |set, id| set.with(host(*id)))
    }

    /// Periods in which these hosts send a heartbeat each, where hosts 2 and 3 are expected; what each comes to.
    fn after(
        transports: &mut Transports,
        periods: core::ops::Range<u64>,
        plain: &[u8],
        wrapped: &[u8],
        asked: bool,
    ) -> Option<bool> {
        let mut sends = None;
        for period in periods {
            let now = Instant(period * PERIOD);
            for id in plain {
                transports.heard(now, PERIOD, host(*id), Transport::Plain);
            }
            for id in wrapped {
                transports.heard(now, PERIOD, host(*id), Transport::Wrapped);
            }
            if asked {
                transports.asked(now, PERIOD);
            }
            sends = transports.sends(now.after(PERIOD / 2), PERIOD, hosts(&[2, 3]));
        }
        sends
    }

    #[test]
    fn nothing_is_wrapped_where_all_are_heard() {
        let mut it = Transports::new();
        for period in 1..1000 {
            let sends = after(&mut it, period..period + 1, &[2, 3], &[], false);
            assert_eq!(sends, None, "period {period}");
        }
        assert!(!it.only_wrapped(host(2)));
        // Copies of what is heard anyway are no reason to send any.
        assert_eq!(after(&mut it, 1000..1100, &[2, 3], &[2], false), None);
    }

    #[test]
    fn a_host_that_hears_nobody_or_misses_somebody_asks() {
        let mut it = Transports::new();
        assert_eq!(after(&mut it, 1..100, &[], &[], false), Some(true));
        assert_eq!(after(&mut it, 100..200, &[2], &[3], false), Some(true));
        assert!(it.only_wrapped(host(3)) && !it.only_wrapped(host(2)));
        assert_eq!(after(&mut it, 200..300, &[2], &[], false), Some(true));
        assert_eq!(after(&mut it, 300..400, &[2, 3, 4], &[], false), None);
        assert_eq!(after(&mut it, 400..500, &[2, 3], &[4], false), Some(true));
    }

    #[test]
    fn a_filter_is_noticed_within_three_periods() {
        for start in 100..200 {
            let mut it = Transports::new();
            after(&mut it, 1..start, &[2, 3], &[], false);
            assert_eq!(
                after(&mut it, start..start + 3, &[3], &[], false),
                Some(true),
                "from period {start}"
            );
        }
    }

    #[test]
    fn a_copy_that_overtakes_is_no_reason_and_what_is_refused_counts_for_nothing() {
        let mut it = Transports::new();
        let mut came = |period: u64, transport, needed, became| {
            let now = Instant(period * PERIOD);
            it.came(now, PERIOD, host(2), transport, needed, became);
            it.sends(now, PERIOD, hosts(&[2]))
        };
        for period in 1..100 {
            came(period, Transport::Wrapped, false, Received::Heartbeat);
            let sends = came(period, Transport::Plain, false, Received::Stale);
            assert_eq!(sends, None, "period {period}");
        }
        for became in [
            Received::BadStamp,
            Received::UnknownKey,
            Received::OverBudget,
        ] {
            came(100, Transport::Plain, false, Received::Heartbeat);
            assert_eq!(came(100, Transport::Wrapped, true, became), None);
        }
        assert_eq!(
            came(100, Transport::Wrapped, true, Received::Stale),
            Some(false)
        );
    }

    #[test]
    fn who_is_asked_answers_and_does_not_ask() {
        let mut it = Transports::new();
        assert_eq!(after(&mut it, 1..100, &[2, 3], &[2], true), Some(false));
        assert_eq!(after(&mut it, 100..110, &[2, 3], &[], false), None);
    }
}
