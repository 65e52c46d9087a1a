// SPDX-License-Identifier: GPL-2.0-only

//! The file as it is written: its tables, and the keys that each may have.

use std::{collections::BTreeMap, net::IpAddr, path::PathBuf, time::Duration};

use nlb_core::{
    genl::{Affinity, Echo, Mode, Responder},
    limits::{HOSTS_MAX, SESSIONS_MAX_MAX, TOLERANCE_MAX, TOLERANCE_MIN},
};
use serde::Deserialize;
use toml::Spanned;

use super::value::{ClusterName, Ifname, InitialState, MachineId, Text, Vip, Within, Word};
use crate::rulefile::FileRule;

/// The largest host id.
#[expect(clippy::cast_possible_truncation, reason = "the limit is 64")]
pub(super) const HOST_ID_MAX: u32 = HOSTS_MAX as u32;

/// A key that may be left out, with its place.
pub(super) type Optional<T> = Option<Spanned<T>>;

/// All of the file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Contents {
    pub(super) cluster: Optional<FileCluster>,
    pub(super) rule: Option<Vec<Spanned<FileRule>>>,
    #[serde(default)]
    pub(super) host: BTreeMap<String, Spanned<FileHost>>,
}

/// `[cluster]`: what is the same on every host.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct FileCluster {
    pub(super) name: Optional<Text<ClusterName>>,
    pub(super) vips: Optional<Vec<Spanned<Text<Vip>>>>,
    pub(super) mode: Optional<Text<Word<Mode>>>,
    pub(super) virtual_mac: Optional<Text<[u8; 6]>>,
    pub(super) period: Optional<Text<Duration>>,
    pub(super) tolerance: Optional<Within<TOLERANCE_MIN, TOLERANCE_MAX>>,
    pub(super) echo: Optional<Text<Word<Echo>>>,
    pub(super) responder: Optional<Text<Word<Responder>>>,
    pub(super) affinity: Optional<Text<Word<Affinity>>>,
    pub(super) key_file: Optional<Text<PathBuf>>,
    pub(super) key_id: Optional<Within<1, 255>>,
    pub(super) no_key: Optional<bool>,
    pub(super) interface: Optional<Text<Ifname>>,
    pub(super) allow_other_interfaces: Optional<bool>,
    pub(super) sessions_max: Optional<Within<0, SESSIONS_MAX_MAX>>,
    pub(super) remote_control: Optional<bool>,
    pub(super) control_key_file: Optional<Text<PathBuf>>,
    pub(super) replicate: Optional<bool>,
}

/// `[host.NAME]`: what is a host's own.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct FileHost {
    pub(super) id: Optional<Within<1, HOST_ID_MAX>>,
    pub(super) machine_id: Optional<Text<MachineId>>,
    pub(super) interface: Optional<Text<Ifname>>,
    pub(super) dedicated: Optional<Text<IpAddr>>,
    pub(super) weight: Optional<Within<0, 100>>,
    pub(super) sessions_max: Optional<Within<0, SESSIONS_MAX_MAX>>,
    pub(super) state: Optional<Text<InitialState>>,
}

/// The value of a key, if it is there.
pub(super) fn get<T>(key: &Optional<T>) -> Option<&T> {
    key.as_ref().map(Spanned::get_ref)
}
