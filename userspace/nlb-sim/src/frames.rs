// SPDX-License-Identifier: GPL-2.0-only

//! What the checkers read off the wire, from the frame layouts as they are documented: which change was proposed, and
//! from which base and inputs.

use nlb_core::wire::HEADER_LEN;

use crate::check::agreement::Key;

/// Number of the heartbeat kind in the header, and of the change kind.
const HEARTBEAT: u8 = 1;
const CHANGE: u8 = 2;

/// The bit of a heartbeat's flags that says that its sender takes no buckets.
const IDLE: u16 = 1 << 8;

/// Bytes of a heartbeat's body before the digest of the rules in force.
const RULES_AT: usize = 1 + 1 + 2 + 1 + 1 + 8 + 17 + 8 + 8 + 17 + 8;

/// A proposal, as its leader sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Proposal {
    pub(crate) key: Key,
    pub(crate) base: Key,
    pub(crate) rules: u64,
    /// Host id, incarnation and number of the inputs of each member.
    pub(crate) members: Vec<(u8, u64, u32)>,
}

/// What a host says that it brings to an assignment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Inputs {
    pub(crate) host: u8,
    pub(crate) incarnation: u64,
    pub(crate) epoch: u32,
    pub(crate) idle: bool,
    /// Digests of the rules in force and of the staged ones.
    pub(crate) rules: u64,
    pub(crate) pending: u64,
    /// Weights under the one and under the other.
    pub(crate) weights: Vec<u8>,
    pub(crate) staged: Vec<u8>,
}

impl Inputs {
    /// The weights under the rules of this digest.
    pub(crate) fn weights_under(&self, rules: u64) -> &[u8] {
        if rules != self.rules && rules == self.pending {
            &self.staged
        } else {
            &self.weights
        }
    }
}

struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn number(&mut self, len: usize) -> Option<u64> {
        let (head, tail) = self.0.split_at_checked(len)?;
        self.0 = tail;
        Some(
            head.iter()
                .fold(0, |value, byte| (value << 8) | u64::from(*byte)),
        )
    }

    /// Bytes, after their number.
    fn list(&mut self) -> Option<Vec<u8>> {
        let len = self.number(1)? as usize;
        let (head, tail) = self.0.split_at_checked(len)?;
        self.0 = tail;
        Some(head.to_vec())
    }

    fn generation(&mut self) -> Option<Key> {
        Some((self.number(8)?, self.number(1)? as u8, self.number(8)?))
    }
}

fn header(frame: &[u8]) -> Option<(u8, u8, u64, Fields<'_>)> {
    let mut fields = Fields(frame.get(5..)?);
    let kind = fields.number(1)? as u8;
    let _key_id = fields.number(1)?;
    let host = fields.number(1)? as u8;
    let _cluster = fields.number(8)?;
    let incarnation = fields.number(8)?;
    Some((kind, host, incarnation, Fields(frame.get(HEADER_LEN..)?)))
}

/// Whether a frame is a heartbeat.
pub(crate) fn is_heartbeat(frame: &[u8]) -> bool {
    header(frame).is_some_and(|(kind, ..)| kind == HEARTBEAT)
}

/// The proposal in a frame, if it is a change frame.
pub(crate) fn proposal(frame: &[u8]) -> Option<Proposal> {
    let (kind, host, incarnation, mut body) = header(frame)?;
    if kind != CHANGE {
        return None;
    }
    let _step = body.number(1)?;
    let key = (body.number(8)?, host, incarnation);
    let base = body.generation()?;
    let _digests = (body.number(8)?, body.number(8)?);
    let rules = body.number(8)?;
    let _cause = (body.number(1)?, body.number(1)?);
    let count = body.number(1)?;
    let members = (0..count)
        .map(|_| {
            Some((
                body.number(1)? as u8,
                body.number(8)?,
                body.number(4)? as u32,
            ))
        })
        .collect::<Option<Vec<_>>>()?;
    Some(Proposal {
        key,
        base,
        rules,
        members,
    })
}

/// A frame for people; `None` for those that say nothing new.
pub(crate) fn describe(frame: &[u8]) -> Option<String> {
    let (kind, _, _, mut body) = header(frame)?;
    if let Some(proposal) = proposal(frame) {
        let step = ["?", "prepare", "release", "commit"][body.number(1)?.min(3) as usize];
        let hosts = proposal
            .members
            .iter()
            .fold(0u64, |set, (host, ..)| set | (1 << (host - 1)));
        let (number, base) = (proposal.key.0, proposal.base.0);
        return Some(format!("{step} {number} from {base}, members {hosts:#x}"));
    }
    if kind != HEARTBEAT {
        return None;
    }
    let (state, out, flags) = (body.number(1)?, body.number(1)?, body.number(2)?);
    let (follows, phase, links) = (body.number(1)?, body.number(1)?, body.number(8)?);
    let committed = body.generation()?.0;
    let (members, _digest) = (body.number(8)?, body.number(8)?);
    let prepared = body.generation()?;
    Some(format!(
        "state {state} out {out} flags {flags:#x} follows {follows} links {links:#x}, in {committed} of {members:#x}, phase {phase} of {} by {}",
        prepared.0, prepared.1
    ))
}

/// The inputs that a heartbeat tells.
pub(crate) fn inputs(frame: &[u8]) -> Option<Inputs> {
    let (kind, host, incarnation, mut body) = header(frame)?;
    if kind != HEARTBEAT {
        return None;
    }
    body.number(2)?;
    let flags = body.number(2)? as u16;
    let mut rest = Fields(frame.get(HEADER_LEN + RULES_AT..)?);
    let (rules, pending) = (rest.number(8)?, rest.number(8)?);
    let (_residue, _heard) = (rest.number(8)?, rest.number(8)?);
    let epoch = rest.number(4)? as u32;
    let weights = rest.list()?;
    let staged = rest.list()?;
    Some(Inputs {
        host,
        incarnation,
        epoch,
        idle: flags & IDLE != 0,
        rules,
        pending,
        weights,
        staged,
    })
}
