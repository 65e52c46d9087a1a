// SPDX-License-Identifier: GPL-2.0-only

//! The note of what was given up, which outlives this process: a file that is replaced as a whole.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::target::Target;

/// Version of the file.
const VERSION: u32 = 1;

/// What was given up.
#[derive(Debug)]
pub(crate) struct Marks {
    path: PathBuf,
    given_up: BTreeMap<Target, u64>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Contents {
    version: u32,
    given_up: Vec<Mark>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Mark {
    #[serde(flatten)]
    target: Target,
    /// Of this host, when it gave it up.
    incarnation: u64,
}

impl Marks {
    /// What an earlier process noted in a file; nothing if there is none.
    ///
    /// # Errors
    ///
    /// If there is a file that cannot be read, or that this version did not write.
    pub(crate) fn read(path: &Path) -> io::Result<Self> {
        let given_up = match fs::read(path) {
            Ok(bytes) => {
                let contents: Contents = serde_json::from_slice(&bytes)?;
                if contents.version != VERSION {
                    return Err(io::Error::other(format!(
                        "it is of version {}, and this program knows {VERSION}",
                        contents.version
                    )));
                }
                let marks = contents.given_up.into_iter();
                marks.map(|mark| (mark.target, mark.incarnation)).collect()
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(error),
        };
        Ok(Marks {
            path: path.into(),
            given_up,
        })
    }

    /// No marks, to be written to a file.
    pub(crate) fn none(path: &Path) -> Self {
        Marks {
            path: path.into(),
            given_up: BTreeMap::new(),
        }
    }

    /// What was given up, each with the incarnation of the host that did it.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Target, u64)> {
        self.given_up
            .iter()
            .map(|(target, &incarnation)| (target, incarnation))
    }

    /// Notes that something is given up. It is in the file when this returns.
    ///
    /// # Errors
    ///
    /// If the file cannot be written; then nothing is noted.
    pub(crate) fn note(&mut self, target: &Target, incarnation: u64) -> io::Result<()> {
        let before = self.given_up.insert(target.clone(), incarnation);
        self.write().inspect_err(|_| {
            match before {
                Some(before) => self.given_up.insert(target.clone(), before),
                None => self.given_up.remove(target),
            };
        })
    }

    /// Strikes out a note.
    ///
    /// # Errors
    ///
    /// If the file cannot be written. The note that is left there does no harm: it is of something that this host takes,
    /// which a later process sees.
    pub(crate) fn strike(&mut self, target: &Target) -> io::Result<()> {
        match self.given_up.remove(target) {
            Some(_) => self.write(),
            None => Ok(()),
        }
    }

    fn write(&self) -> io::Result<()> {
        let given_up = self.iter().map(|(target, incarnation)| Mark {
            target: target.clone(),
            incarnation,
        });
        let contents = Contents {
            version: VERSION,
            given_up: given_up.collect(),
        };
        let mut new = self.path.clone().into_os_string();
        new.push(".new");
        fs::write(&new, serde_json::to_vec(&contents)?)?;
        fs::rename(&new, &self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(cluster: &str) -> Target {
        Target {
            cluster: cluster.into(),
            rule: None,
        }
    }

    fn noted(path: &Path) -> Vec<(String, u64)> {
        let marks = Marks::read(path).unwrap();
        let marks = marks.iter();
        marks
            .map(|(target, number)| (target.cluster.clone(), number))
            .collect()
    }

    #[test]
    fn what_is_noted_is_found_by_another_process() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("marks.json");
        let mut marks = Marks::read(&path).unwrap();
        marks.note(&target("a"), 1 << 60).unwrap();
        marks.note(&target("b"), 2).unwrap();
        marks.note(&target("b"), 3).unwrap();
        assert_eq!(noted(&path), [("a".into(), 1 << 60), ("b".into(), 3)]);
        marks.strike(&target("a")).unwrap();
        marks.strike(&target("c")).unwrap();
        assert_eq!(noted(&path), [("b".into(), 3)]);
    }

    #[test]
    fn what_cannot_be_noted_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let mut marks = Marks::none(&folder.path().join("nowhere/marks.json"));
        assert!(marks.note(&target("a"), 1).is_err());
        assert_eq!(marks.iter().count(), 0);
    }

    #[test]
    fn a_file_of_something_else_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("marks.json");
        for text in ["", "{}", "{\"version\":2,\"given_up\":[]}", "\u{0}\u{1}"] {
            fs::write(&path, text).unwrap();
            assert!(Marks::read(&path).is_err(), "{text:?}");
        }
    }
}
