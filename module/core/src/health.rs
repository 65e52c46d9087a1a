// SPDX-License-Identifier: GPL-2.0-only

//! Whether what this host accepts is answered, from what its hooks see anyway.
//!
//! Heartbeats say that a host is there, not that its service is: a dead web server, a firewall, a reverse-path filter or a
//! program that takes packets away leave every host converged and some clients without an answer. The ingress hook sees each
//! SYN that is accepted, the egress hook each SYN-ACK and reset: for each rule the two are compared once in
//! [`super::limits::HEALTH_LOOK_NS`].
//!
//! Answers may leave by another interface, which has no such hook. A rule of which no answer was ever seen is silent only
//! if none of its clients goes on to the third segment of a handshake, which no client sends without an answer.
//!
//! Datagrams need no answer. A rule is held to those that it gave: one answer for two datagrams at the least, and then none.

use super::genl::Health;
use super::kind::{is_syn, TCP_FLAGS};
use super::limits::{
    HEALTH_ANSWERED_DATAGRAMS, HEALTH_FORGET_LOOKS, HEALTH_LOG_LOOKS, HEALTH_PARTLY, HEALTH_SYNS,
    HEALTH_SYN_ACKS, HEALTH_SYN_WINDOW_LOOKS, HEALTH_UNANSWERED_DATAGRAMS,
};
use super::packet::{locate, Extent, Fragment, PROTO_TCP, PROTO_UDP};
use super::state::named;

named! {
    /// A packet of a rule that asks or answers; each has a counter.
    Turn {
        /// A SYN that was accepted.
        Syn = 0 "asked-syn",
        /// A UDP datagram that was accepted.
        Datagram = 1 "asked-datagram",
        /// A SYN-ACK that left, or would have left had the bucket still been this host's.
        SynAck = 2 "answered-syn-ack",
        /// A reset that left in answer to a SYN.
        Reset = 3 "answered-reset",
        /// A UDP datagram that left.
        Reply = 4 "answered-datagram",
    }
}

impl Turn {
    /// Number of turns: the length of a row of counters.
    pub const COUNT: usize = Turn::ALL.len();

    /// What an accepted packet asks for, off the fast path, which knows; nothing if it begins nothing. `l3` are its bytes from
    /// the network header on.
    #[must_use]
    pub fn of_accepted(l3: &[u8]) -> Option<Turn> {
        let it = locate(l3, Extent::judged()).ok()?;
        match it.protocol {
            _ if matches!(it.fragment, Fragment::Later { .. }) => None,
            PROTO_TCP if is_syn(*it.transport.get(TCP_FLAGS)?) => Some(Turn::Syn),
            PROTO_UDP => Some(Turn::Datagram),
            _ => None,
        }
    }
}

/// What was counted of a rule since the cluster was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// By [`Turn`].
    pub turns: [u64; Turn::COUNT],
    /// All packets that were accepted because their bucket or session is this host's.
    pub accepted: u64,
}

impl Sums {
    /// What was counted since `before`.
    fn since(&self, before: &Sums) -> News {
        let turn = |turn: Turn| {
            let at = |sums: &Sums| sums.turns.get(turn as usize).copied().unwrap_or(0);
            at(self).saturating_sub(at(before))
        };
        let [syns, datagrams] = [turn(Turn::Syn), turn(Turn::Datagram)];
        News {
            syns,
            datagrams,
            syn_acks: turn(Turn::SynAck),
            resets: turn(Turn::Reset),
            replies: turn(Turn::Reply),
            going_on: self
                .accepted
                .saturating_sub(before.accepted)
                .saturating_sub(syns)
                .saturating_sub(datagrams),
        }
    }
}

/// What was counted between two looks.
#[derive(Clone, Copy, Debug)]
struct News {
    syns: u64,
    datagrams: u64,
    syn_acks: u64,
    resets: u64,
    replies: u64,
    /// Accepted packets that begin nothing: those of clients that got an answer.
    going_on: u64,
}

impl News {
    /// Whether clients go on that began before. The counters are not read at one moment, so a few packets are noise.
    fn goes_on(&self) -> bool {
        self.going_on > self.syns / 64
    }
}

/// What must be known of a rule beside what is counted.
#[derive(Clone, Copy, Debug)]
pub struct Sight {
    /// That there is no answer is worth a report: a rule covers the port. Where none does, any port may be tried that nobody
    /// serves.
    pub is_rule: bool,
    /// SYNs may arrive on other interfaces, where they are not counted.
    pub asked_elsewhere: bool,
}

/// What is known of a rule.
#[derive(Clone, Copy, Debug)]
pub struct Watch {
    before: Sums,
    health: Health,
    /// SYNs that have had no answer since the last one, and of these the ones that had a whole look's time for it.
    open: [u64; 2],
    /// The same of datagrams.
    open_datagrams: [u64; 2],
    /// Resets since the last SYN-ACK.
    resets: u64,
    /// Clients came since the look before.
    asked: bool,
    /// SYNs of the last look that had no answer then.
    owed: u64,
    /// SYNs, and those that had no answer until the next look, in sixteenths and fading.
    faded: [u64; 2],
    /// SYNs and SYN-ACKs of this time and of the one before it, each of [`HEALTH_SYN_WINDOW_LOOKS`].
    window: [[u64; 2]; 2],
    window_looks: u32,
    /// An answer to a SYN was seen to leave.
    answers_here: bool,
    /// Datagrams and answers to them up to the last look that saw an answer, and up to the one before: in the last one answers
    /// may have ended.
    datagrams: [[u64; 2]; 2],
    /// Datagrams since the last answer.
    datagrams_since: u64,
    /// Looks without anything that was accepted.
    quiet: u32,
    /// Looks since the log had a line about the rule.
    told_looks: u32,
}

impl Watch {
    /// Nothing is known; what was counted before is not held against the rule.
    #[must_use]
    pub const fn new(counted: Sums) -> Watch {
        Watch {
            before: counted,
            health: Health::Unknown,
            open: [0; 2],
            open_datagrams: [0; 2],
            resets: 0,
            asked: false,
            owed: 0,
            faded: [0; 2],
            window: [[0; 2]; 2],
            window_looks: 0,
            answers_here: false,
            datagrams: [[0; 2]; 2],
            datagrams_since: 0,
            quiet: 0,
            told_looks: HEALTH_LOG_LOOKS,
        }
    }

    /// What is known of the rule.
    #[must_use]
    pub fn health(&self) -> Health {
        self.health
    }

    /// Whether clients came since the look before the last one.
    #[must_use]
    pub fn asked(&self) -> bool {
        self.asked
    }

    /// Looks at the counters, once in [`super::limits::HEALTH_LOOK_NS`]; what is known of the rule then.
    pub fn look(&mut self, sums: &Sums, sight: Sight) -> Health {
        let new = sums.since(&self.before);
        self.before = *sums;
        self.count_syns(&new);
        self.count_datagrams(&new);
        self.count_window(&new);
        let asked = new.syns.saturating_add(new.datagrams);
        self.asked = asked != 0;
        self.quiet = if asked.saturating_add(new.syn_acks) == 0 {
            self.quiet.saturating_add(1)
        } else {
            0
        };
        self.health = self.judge(&new, sight);
        if self.quiet >= HEALTH_FORGET_LOOKS {
            self.forget();
        }
        self.told_looks = self.told_looks.saturating_add(1);
        self.health
    }

    /// What was counted before has nothing to do with the clients to come. That SYN-ACKs may be repeated stays known, where
    /// answers leave, and that datagrams are answered.
    fn forget(&mut self) {
        *self = Watch {
            answers_here: self.answers_here,
            window: self.window,
            window_looks: self.window_looks,
            datagrams: self.datagrams,
            quiet: self.quiet,
            told_looks: self.told_looks,
            ..Watch::new(self.before)
        };
    }

    /// The same, for the rule that is counted at this place from now on. `syns` were accepted lately, of whatever rule: the
    /// SYN-ACKs to them may be repeated.
    pub fn begin_anew(&mut self, counted: Sums, syns: u64) {
        *self = Watch {
            window: [[0; 2], [syns, 0]],
            told_looks: self.told_looks,
            ..Watch::new(counted)
        };
    }

    /// SYNs that were accepted in the last minute, or two.
    #[must_use]
    pub fn syns_lately(&self) -> u64 {
        let [[now, _], [before, _]] = self.window;
        now.saturating_add(before)
    }

    /// Whether the log has had no line about the rule for a while; it gets one then.
    pub fn may_log(&mut self) -> bool {
        let may = self.told_looks >= HEALTH_LOG_LOOKS;
        if may {
            self.told_looks = 0;
        }
        may
    }

    fn count_syns(&mut self, new: &News) {
        let answers = new.syn_acks.saturating_add(new.resets);
        self.answers_here |= answers != 0;
        let answered = answers != 0 || (!self.answers_here && new.goes_on());
        self.open = match (answered, self.open) {
            (true, _) => [0; 2],
            (false, [all, _]) => [all.saturating_add(new.syns), all],
        };
        // Answers beyond the SYNs of this look are to those of the last one.
        let missed = self.owed.saturating_sub(answers.saturating_sub(new.syns));
        self.owed = new.syns.saturating_sub(answers);
        self.faded = if answers != 0 && self.owed == 0 {
            // All is well again, whatever was before.
            [0; 2]
        } else {
            let [asked, lost] = self.faded.map(|sum| sum.saturating_sub(sum / 8));
            [
                asked.saturating_add(new.syns.saturating_mul(16)),
                lost.saturating_add(missed.saturating_mul(16)),
            ]
        };
        self.resets = if new.syn_acks == 0 {
            self.resets.saturating_add(new.resets)
        } else {
            0
        };
    }

    fn count_datagrams(&mut self, new: &News) {
        let since = self.datagrams_since.saturating_add(new.datagrams);
        if new.replies == 0 {
            self.datagrams_since = since;
            let [all, _] = self.open_datagrams;
            self.open_datagrams = [all.saturating_add(new.datagrams), all];
            return;
        }
        let [before @ [asked, given], _] = self.datagrams;
        let mut now = [
            asked.saturating_add(since),
            given.saturating_add(new.replies),
        ];
        if now.iter().any(|sum| *sum > 1 << 20) {
            now = now.map(|sum| sum / 2);
        }
        self.datagrams = [now, before];
        self.datagrams_since = 0;
        self.open_datagrams = [0; 2];
    }

    fn count_window(&mut self, new: &News) {
        let [now, before] = &mut self.window;
        if self.window_looks >= HEALTH_SYN_WINDOW_LOOKS {
            self.window_looks = 0;
            *before = core::mem::take(now);
        }
        self.window_looks = self.window_looks.saturating_add(1);
        let [syns, syn_acks] = now;
        *syns = syns.saturating_add(new.syns);
        *syn_acks = syn_acks.saturating_add(new.syn_acks);
    }

    fn judge(&self, new: &News, sight: Sight) -> Health {
        let forgotten = self.quiet >= HEALTH_FORGET_LOOKS;
        match () {
            () if forgotten => Health::Unknown,
            () if !sight.asked_elsewhere && self.is_unasked() => Health::Unasked,
            () if sight.is_rule && self.is_silent() => Health::Silent,
            () if sight.is_rule && self.resets >= HEALTH_SYNS => Health::Refuses,
            () if new.syn_acks != 0 || new.replies != 0 => Health::Answers,
            () if !self.answers_here && new.goes_on() => Health::Answers,
            // No news. What is not so any more has ended without an answer: it fades, or its window is over.
            () if matches!(self.health, Health::Unasked) => Health::Unknown,
            () => self.health,
        }
    }

    /// Whether SYN-ACKs leave that no accepted SYN accounts for: the stack repeats each five times (`tcp_synack_retries`), over
    /// a minute.
    fn is_unasked(&self) -> bool {
        let [[now_syns, now_acks], [old_syns, old_acks]] = self.window;
        let (syns, acks) = (
            now_syns.saturating_add(old_syns),
            now_acks.saturating_add(old_acks),
        );
        acks >= HEALTH_SYN_ACKS && acks / HEALTH_SYN_ACKS > syns
    }

    fn is_silent(&self) -> bool {
        let [_, open] = self.open;
        let [_, open_datagrams] = self.open_datagrams;
        let [_, [asked, given]] = self.datagrams;
        let pairs = given >= HEALTH_ANSWERED_DATAGRAMS && given >= asked / 2;
        open >= HEALTH_SYNS
            || self.is_partly_silent()
            || (pairs && open_datagrams >= HEALTH_UNANSWERED_DATAGRAMS)
    }

    /// Whether many SYNs are answered and many are not. What was silent is that until hardly any is left.
    fn is_partly_silent(&self) -> bool {
        let [asked, lost] = self.faded;
        let part = if self.health == Health::Silent {
            asked / 8
        } else {
            asked / 4
        };
        self.answers_here && lost / 16 >= HEALTH_PARTLY && lost >= part
    }
}
