// SPDX-License-Identifier: GPL-2.0-only

//! Which hosts are meant: by their ids, ranges of them, or names, or all.

use std::{
    collections::{BTreeMap, BTreeSet},
    str::FromStr,
};

use nlb_core::limits::HOSTS_MAX;

use crate::failure::Failure;

/// For arguments.
pub(super) fn hosts(text: &str) -> Result<Hosts, String> {
    text.parse()
}

/// The hosts that are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Hosts {
    /// All that are known.
    All,
    /// These.
    These(Vec<One>),
}

/// One host, or a range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum One {
    /// From this id to that one.
    Ids(u8, u8),
    /// By its name in the file of the cluster.
    Name(String),
}

impl FromStr for Hosts {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "all" {
            return Ok(Hosts::All);
        }
        text.split(',')
            .map(one)
            .collect::<Result<_, _>>()
            .map(Hosts::These)
    }
}

fn one(word: &str) -> Result<One, String> {
    let word = word.trim();
    let id = |text: &str| {
        text.parse::<u8>()
            .ok()
            .filter(|id| (1..=HOSTS_MAX).contains(&usize::from(*id)))
    };
    // A name may begin with a digit, and have a hyphen.
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let ids = match word.split_once('-') {
        Some((first, last)) if number(first) && number(last) => id(first).zip(id(last)),
        None if number(word) => id(word).map(|id| (id, id)),
        _ if word.is_empty() => {
            return Err("a host is missing: write 3; 1,4-6; web2; or all".into());
        }
        _ => return Ok(One::Name(word.into())),
    };
    match ids {
        Some((first, last)) if first <= last => Ok(One::Ids(first, last)),
        _ => Err(format!(
            "{word:?} is no host id from 1 to {HOSTS_MAX}, and no range of them"
        )),
    }
}

impl Hosts {
    /// The ids of the hosts that are meant, of those that are known, by their names where they have one.
    ///
    /// # Errors
    ///
    /// If a name is not known. An id that is not known is taken: it may be of a host that nobody has heard.
    pub(crate) fn ids(
        &self,
        known: &BTreeMap<u8, Option<String>>,
    ) -> Result<BTreeSet<u8>, Failure> {
        let Hosts::These(wanted) = self else {
            return Ok(known.keys().copied().collect());
        };
        let mut chosen = BTreeSet::new();
        for one in wanted {
            match one {
                One::Ids(first, last) => chosen.extend(*first..=*last),
                One::Name(name) => {
                    let found = known.iter().find(|(_, of)| of.as_ref() == Some(name));
                    let (&id, _) = found.ok_or_else(|| {
                        Failure::usage(format!(
                            "no host {name} is known: write its id, or its name in the file of the cluster, [host.{name}]"
                        ))
                    })?;
                    chosen.insert(id);
                }
            }
        }
        Ok(chosen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_ids_ranges_and_names() {
        let known: BTreeMap<u8, Option<String>> = [(1, "web1"), (2, "web2"), (5, "5th-of-5")]
            .map(|(id, name)| (id, Some(name.into())))
            .into();
        for (text, ids) in [
            ("all", &[1, 2, 5][..]),
            ("3", &[3]),
            ("1,4-6", &[1, 4, 5, 6]),
            ("web2", &[2]),
            ("web2, 2,1-2", &[1, 2]),
            ("5th-of-5", &[5]),
            ("64", &[64]),
        ] {
            let hosts: Hosts = text.parse().unwrap();
            let found: Vec<u8> = hosts.ids(&known).unwrap().into_iter().collect();
            assert_eq!(found, ids, "{text}");
        }
        for text in ["", "0", "65", "1,", "3-1", "1-65", "999", "1,,2"] {
            assert!(text.parse::<Hosts>().is_err(), "{text}");
        }
        let stranger: Hosts = "web3".parse().unwrap();
        assert!(
            stranger
                .ids(&known)
                .unwrap_err()
                .message
                .contains("[host.web3]")
        );
    }
}
