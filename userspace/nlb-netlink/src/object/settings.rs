// SPDX-License-Identifier: GPL-2.0-only

//! Settings that all hosts of a cluster share: those that wait, and a request for others.

use std::net::IpAddr;

use nlb_core::genl::{Echo, Responder};

use super::NewRule;
use crate::{Code, generated::ClusterAttribute};

/// Settings that wait for the other hosts, where they are other than those in force.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Staged {
    /// All VIPs, the primary first; none if they stay.
    pub vips: Vec<IpAddr>,
    /// Milliseconds between two heartbeats.
    pub period_ms: Option<u32>,
    /// Heartbeats that may be missed.
    pub tolerance: Option<u32>,
    /// What becomes of echo requests.
    pub echo: Option<Code<Echo>>,
    /// Who answers ARP requests and neighbour solicitations.
    pub responder: Option<Code<Responder>>,
}

impl Staged {
    /// Whether no settings wait.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Staged::default()
    }
}

/// Settings that shall be otherwise; what is not told stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SettingsChange {
    /// All VIPs, the primary first.
    pub vips: Option<Vec<IpAddr>>,
    /// Milliseconds between two heartbeats.
    pub period_ms: Option<u32>,
    /// Heartbeats that may be missed.
    pub tolerance: Option<u32>,
    /// What becomes of echo requests.
    pub echo: Option<Echo>,
    /// Who answers ARP requests and neighbour solicitations.
    pub responder: Option<Responder>,
    /// The port rules, of which there may be none.
    pub rules: Option<Vec<NewRule>>,
}

impl SettingsChange {
    /// Whether it tells nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == SettingsChange::default()
    }

    /// The attributes of the request for the cluster on an interface.
    #[must_use]
    pub fn to_attributes(&self, ifindex: u32) -> Vec<ClusterAttribute> {
        use ClusterAttribute as A;
        let mut attributes = vec![A::Ifindex(ifindex)];
        let vips = self.vips.iter().flatten();
        attributes.extend(vips.copied().map(A::Vip));
        attributes.extend(self.period_ms.map(A::PeriodMs));
        attributes.extend(self.tolerance.map(A::Tolerance));
        attributes.extend(self.echo.map(|echo| A::Echo(echo.into())));
        attributes.extend(self.responder.map(|it| A::Responder(it.into())));
        match self.rules.as_deref() {
            Some([]) => attributes.push(A::NoRules(())),
            rules => {
                let rules = rules.unwrap_or_default().iter();
                attributes.extend(rules.map(|rule| A::Rule(rule.to_nest())));
            }
        }
        attributes
    }
}
