// SPDX-License-Identifier: GPL-2.0-only

//! `nlbadm import`

use serde::Serialize;

use super::Report;
use crate::import::Note;

/// Answer of `import`: a list of clusters.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(crate) struct Imports(pub(crate) Vec<Imported>);

/// The file of a cluster, made of another system's configuration.
#[derive(Debug, Serialize)]
pub(crate) struct Imported {
    pub(crate) from: &'static str,
    pub(crate) cluster: String,
    /// Where it was written; null if it was not.
    pub(crate) path: Option<String>,
    pub(crate) notes: Vec<Note>,
    /// The text of the file.
    pub(crate) file: String,
}

impl Report for Imports {
    fn human(&self) -> String {
        let one = |it: &Imported| match &it.path {
            None => it.file.clone(),
            Some(path) => format!("{path}: cluster {}\n", it.cluster),
        };
        self.0.iter().map(one).collect()
    }
}
