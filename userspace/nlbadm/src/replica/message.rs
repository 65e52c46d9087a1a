// SPDX-License-Identifier: GPL-2.0-only

//! What hosts say to each other about the file, as JSON in the sealed channel.

use std::{fmt, net::IpAddr};

use serde::{Deserialize, Serialize};

use super::version::Version;
use crate::source::printable;

/// A change on a host that has not been told yet whether it comes into force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Staged {
    /// What it would be.
    pub version: Version,
    /// The version that it was made from; none: the first one.
    pub base: Option<Version>,
    /// Ids of the hosts that take part.
    pub hosts: Vec<u8>,
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Request {
    /// Id of the host that asks.
    pub from: u8,
    /// Id of the host that is meant: no other answers. 0: this one, whichever it is.
    pub to: u8,
    /// What it wants.
    pub ask: Ask,
}

/// What a host may want of another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ask {
    /// How it stands.
    Status,
    /// To write a change down, so that nothing keeps it from coming into force.
    Stage {
        /// The change.
        change: Staged,
        /// Its content.
        text: String,
    },
    /// To bring a staged change into force.
    Commit(Version),
    /// To forget a staged change.
    Withdraw(Version),
    /// The content of a version; none: of that in force.
    Fetch(Option<u64>),
    /// To have a version that is in force elsewhere.
    Take {
        /// The version.
        version: Version,
        /// Its content.
        text: String,
    },
    /// To put the version in force in its place once more, and to be made what it says.
    Again(Version),
}

/// A reply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    /// How the host stands.
    Status(Box<Status>),
    /// It is done, and will outlast a power cut.
    Done,
    /// The content of a version.
    Text {
        /// The version.
        version: Version,
        /// Its content.
        text: String,
    },
    /// It was not done, and nothing has changed.
    Refused(Refusal),
}

/// How a host stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Status {
    /// Its id.
    pub host: u8,
    /// Its name in the file.
    pub name: String,
    /// What its clock says, in seconds since 1970.
    pub clock: u64,
    /// The version in force; none before the first change.
    pub current: Option<Version>,
    /// What waits for word.
    pub staged: Option<Staged>,
    /// The versions that it knows, the oldest first.
    pub history: Vec<Version>,
    /// Whether its file has the content of the version in force.
    pub file: FileState,
    /// Whether what runs there is what its file says, as far as the file was replicated.
    pub applied: bool,
    /// The hosts that rules or settings wait for there.
    pub waits_for: Vec<u8>,
    /// What keeps it from having the version of the cluster.
    pub trouble: Option<String>,
    /// Where it would ask the other hosts.
    pub peers: Vec<(u8, Vec<IpAddr>)>,
}

impl Status {
    /// Whether a version is in force there, or was.
    #[must_use]
    pub fn has(&self, version: &Version) -> bool {
        self.current.as_ref() == Some(version) || self.history.contains(version)
    }

    /// Whether a change is staged there.
    #[must_use]
    pub fn has_staged(&self, version: &Version) -> bool {
        self.staged.as_ref().map(|staged| &staged.version) == Some(version)
    }
}

/// The file of a host, beside the version in force.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileState {
    #[default]
    /// It is that, or there is no version yet.
    Same,
    /// Somebody has changed it since.
    Edited,
    /// There is none.
    Missing,
}

/// Why a host does not do what it is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// Another version is in force since that from which the change was made.
    CameFirst(Version),
    /// Another change has not been decided yet.
    UnderWay(Version),
    /// This host does not have the version from which the change was made.
    Behind,
    /// There is no such change here.
    NotStaged,
    /// It could not live with it.
    Unable {
        /// As the exit code of nlbadm.
        exit: u8,
        /// Why.
        message: String,
    },
}

/// For logs, in few words.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::CameFirst(version) => write!(f, "{version} came first"),
            Refusal::UnderWay(version) => write!(f, "{version} is not decided yet"),
            Refusal::Behind => f.write_str("the version that it was made from is not here"),
            Refusal::NotStaged => f.write_str("there is no such change here"),
            Refusal::Unable { message, .. } => f.write_str(&printable(message)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            state::{HISTORY_MAX, State, Step},
            version::{Digest, tests::version},
        },
        *,
    };

    #[test]
    fn requests_are_what_they_were() {
        let change = Staged {
            version: version(8, 2, "new"),
            base: Some(version(7, 1, "old")),
            hosts: vec![1, 2, 3],
        };
        for ask in [
            Ask::Status,
            Ask::Stage {
                change: change.clone(),
                text: "new\n# ä\"\\".into(),
            },
            Ask::Commit(change.version.clone()),
            Ask::Withdraw(change.version.clone()),
            Ask::Fetch(None),
            Ask::Fetch(Some(3)),
            Ask::Again(change.version.clone()),
            Ask::Take {
                version: change.version.clone(),
                text: String::new(),
            },
        ] {
            let request = Request {
                from: 2,
                to: 1,
                ask,
            };
            let sent = serde_json::to_vec(&request).unwrap();
            assert_eq!(serde_json::from_slice::<Request>(&sent).unwrap(), request);
        }
    }

    #[test]
    fn fuzz_replica_message() {
        let version = version(8, 2, "new");
        let change = Staged {
            version: version.clone(),
            base: None,
            hosts: vec![1, 2],
        };
        let stage = Ask::Stage {
            change: change.clone(),
            text: "new".into(),
        };
        let seeds = [
            stage,
            Ask::Status,
            Ask::Commit(version.clone()),
            Ask::Fetch(Some(8)),
        ];
        let request = |ask| {
            serde_json::to_vec(&Request {
                from: 2,
                to: 1,
                ask,
            })
            .unwrap()
        };
        let mut seeds: Vec<_> = seeds.map(request).into();
        let state = State {
            staged: Some(change),
            ..State::default()
        };
        seeds.push(serde_json::to_vec(&state).unwrap());
        let seeds = seeds.iter().map(Vec::as_slice);
        let fuzz = nlb_fuzz::Fuzz::new("replica-message").seeds(seeds);
        fuzz.longest(2048).run(|message| {
            let state = serde_json::from_slice(message).unwrap_or(state.clone());
            let outcome = match serde_json::from_slice::<Request>(message) {
                Err(_) => "no request",
                Ok(request) => match state.step(&request.ask) {
                    Step::Stays(_) => "stays",
                    Step::Becomes { state, text, .. } => {
                        // What is in force or waits has a content that is known.
                        let known = text
                            .is_none_or(|text| state.digests().any(|it| it == Digest::of(&text)));
                        assert!(known && state.history.len() <= HISTORY_MAX.max(1));
                        "becomes"
                    }
                },
            };
            nlb_fuzz::outcome(outcome)
        });
    }
}
