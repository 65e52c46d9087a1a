// SPDX-License-Identifier: GPL-2.0-only

//! The settings that all hosts of a cluster share and that can change while it serves: VIPs, timing, and who answers.
//!
//! They belong to the snapshot that the packet path reads, and come into force with it: `settings_change.rs`.

use crate::cluster::snapshot::Base;
use crate::nlb_core::config::{Terms, Timing};
use crate::nlb_core::filter;
use crate::nlb_core::genl::{Echo, Mode, Responder};
use crate::nlb_core::limits::{PERIOD_MS_DEFAULT, TOLERANCE_DEFAULT, VIPS_MAX};
use crate::nlb_core::siphash::SipKey;
use crate::nlb_core::time::NS_PER_MS;
use core::net::IpAddr;
use kernel::prelude::*;

/// Settings of a cluster.
pub(crate) struct Settings {
    vips: KVec<IpAddr>,
    /// Those that wait first.
    guarded: KVec<IpAddr>,
    waiting: usize,
    /// Milliseconds between two heartbeats.
    pub(crate) period_ms: u32,
    /// Heartbeats that may be missed.
    pub(crate) tolerance: u32,
    /// What becomes of echo requests.
    pub(crate) echo: Echo,
    /// Who answers ARP requests and neighbour solicitations.
    pub(crate) responder: Responder,
}

impl Settings {
    /// Settings without VIPs, with room for as many as there can be. Context: process. Errors: `ENOMEM`.
    pub(crate) fn new(
        period_ms: u32,
        tolerance: u32,
        echo: Echo,
        responder: Responder,
    ) -> Result<Self> {
        Ok(Self {
            vips: KVec::with_capacity(VIPS_MAX, GFP_KERNEL_ACCOUNT)?,
            guarded: KVec::with_capacity(VIPS_MAX, GFP_KERNEL_ACCOUNT)?,
            waiting: 0,
            period_ms,
            tolerance,
            echo,
            responder,
        })
    }

    /// The default settings, without VIPs. Context and errors: as [`Settings::new`].
    pub(crate) fn unknown() -> Result<Self> {
        Self::new(
            PERIOD_MS_DEFAULT,
            TOLERANCE_DEFAULT,
            Echo::DefaultHost,
            Responder::DefaultHost,
        )
    }

    /// Takes over what other settings say, where these have no VIPs yet. Context: any; no memory is asked for.
    pub(crate) fn copy(&mut self, from: &Settings) {
        for vip in &from.vips {
            let _ = self.vips.push_within_capacity(*vip);
        }
        for vip in &from.guarded {
            let _ = self.guarded.push_within_capacity(*vip);
        }
        self.waiting = from.waiting;
        self.period_ms = from.period_ms;
        self.tolerance = from.tolerance;
        self.echo = from.echo;
        self.responder = from.responder;
    }

    /// The VIPs, the primary first.
    pub(crate) fn vips(&self) -> &[IpAddr] {
        &self.vips
    }

    /// Takes other VIPs. Context: process. Errors: `ENOMEM`.
    pub(crate) fn set_vips(&mut self, vips: &[IpAddr]) -> Result {
        let mut list = KVec::with_capacity(VIPS_MAX, GFP_KERNEL_ACCOUNT)?;
        for vip in vips {
            push(&mut list, *vip)?;
        }
        self.vips = list;
        Ok(())
    }

    /// Addresses that are no VIPs now, and that this host must not answer for: [`Settings::waiting`] and
    /// [`Settings::former`].
    pub(crate) fn guarded(&self) -> &[IpAddr] {
        &self.guarded
    }

    /// VIPs of settings that wait for the other hosts.
    pub(crate) fn waiting(&self) -> &[IpAddr] {
        self.guarded.get(..self.waiting).unwrap_or_default()
    }

    /// Addresses that were VIPs, or were to become some, and that this host may have still.
    pub(crate) fn former(&self) -> &[IpAddr] {
        self.guarded.get(self.waiting..).unwrap_or_default()
    }

    /// What waited is guarded as what was a VIP. Context: any.
    pub(crate) fn nothing_waits(&mut self) {
        self.waiting = 0;
    }

    /// The VIPs and what is guarded like them.
    pub(crate) fn known(&self) -> impl Iterator<Item = IpAddr> + '_ {
        Iterator::chain(self.vips.iter(), self.guarded.iter()).copied()
    }

    /// Guards what of `next` these settings do not serve, as VIPs that wait, and of what was known `before` what else is
    /// not served and `is_here` says to be still on this host. Context: process. Errors: `ENOMEM`.
    pub(crate) fn guard(
        &mut self,
        next: &[IpAddr],
        before: &Settings,
        is_here: impl Fn(IpAddr) -> bool,
    ) -> Result {
        // More than there is room for are too many in any case.
        let room = VIPS_MAX.saturating_mul(2);
        let mut guarded = KVec::with_capacity(room, GFP_KERNEL_ACCOUNT)?;
        for vip in next.iter().filter(|vip| !self.vips.contains(vip)) {
            push(&mut guarded, *vip)?;
        }
        self.waiting = guarded.len();
        for vip in before.known() {
            let served = self.vips.contains(&vip) || guarded.contains(&vip);
            if !served && is_here(vip) {
                push(&mut guarded, vip)?;
            }
        }
        self.guarded = guarded;
        Ok(())
    }

    /// What the node has to know of them.
    pub(crate) fn terms(&self, base: &Base, mode: Mode) -> Terms {
        Terms {
            settings: self.digest(base, mode),
            timing: Timing {
                period_ns: u64::from(self.period_ms).saturating_mul(NS_PER_MS),
                tolerance: self.tolerance,
            },
        }
    }

    /// Digest of what all hosts must share. The seed is in it as the key, so that hosts with other seeds see that
    /// they differ, and nobody learns the seed.
    fn digest(&self, base: &Base, mode: Mode) -> u64 {
        let timing = u64::from(self.period_ms) << 32 | u64::from(self.tolerance);
        let rest = filter::settings_digest(&base.settings(self, mode, &[]));
        rest ^ SipKey::new(&base.seed).hash(&timing.to_le_bytes())
    }
}

/// Adds an address to a list that has room. Errors: `ENOMEM`, which cannot be.
#[inline(never)]
fn push(list: &mut KVec<IpAddr>, address: IpAddr) -> Result {
    list.push_within_capacity(address).map_err(|_| ENOMEM)
}
