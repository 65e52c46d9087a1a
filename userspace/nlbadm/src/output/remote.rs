// SPDX-License-Identifier: GPL-2.0-only

//! What other hosts made of what they were asked for.

use std::net::IpAddr;

use serde::Serialize;

use super::{Report, rules::waiting, table::table};

/// Answer of a verb that other hosts were asked for.
#[derive(Debug, Serialize)]
pub(crate) struct RemoteShape {
    pub(crate) cluster: String,
    pub(crate) hosts: Vec<AnswerShape>,
    /// The hosts that what all share still waits for; null if it waits for none.
    pub(crate) waits_for: Option<Vec<u8>>,
}

/// What one host made of it.
#[derive(Debug, Serialize)]
pub(crate) struct AnswerShape {
    pub(crate) host_id: u8,
    /// In the file of the cluster; null where that does not know it.
    pub(crate) name: Option<String>,
    /// Where it was asked; null if that is not known, or it is this host.
    pub(crate) address: Option<IpAddr>,
    pub(crate) done: bool,
    /// Exit code of the verb there; null if there was no answer.
    pub(crate) exit: Option<u8>,
    /// Why it was not done.
    pub(crate) message: Option<String>,
    /// The hosts that it waited for when it answered.
    #[serde(skip)]
    pub(crate) waits_for: Vec<u8>,
}

impl Report for RemoteShape {
    fn human(&self) -> String {
        let heading = ["HOST", "NAME", "ADDRESS", "RESULT"];
        let mut text = table("", heading, self.hosts.iter().map(row));
        if let Some(hosts) = &self.waits_for {
            text.push_str(&format!(
                "the changes {}; `nlbadm set --withdraw` with the same --on forgets them\n",
                waiting(hosts)
            ));
        }
        text
    }
}

fn row(host: &AnswerShape) -> Vec<String> {
    vec![
        host.host_id.to_string(),
        host.name.clone().unwrap_or_default(),
        host.address
            .map(|address| address.to_string())
            .unwrap_or_default(),
        host.message.clone().unwrap_or_else(|| "done".into()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_host_has_a_line() {
        let host = |host_id, message: Option<&str>| AnswerShape {
            host_id,
            name: Some(format!("web{host_id}")),
            address: Some([192, 0, 2, host_id].into()),
            done: message.is_none(),
            exit: message.is_none().then_some(0),
            message: message.map(str::to_owned),
            waits_for: Vec::new(),
        };
        let mut shape = RemoteShape {
            cluster: "web".into(),
            waits_for: None,
            hosts: vec![host(1, None), host(3, Some("no answer within 10s"))],
        };
        assert_eq!(
            shape.human(),
            "HOST  NAME  ADDRESS    RESULT\n\
             1     web1  192.0.2.1  done\n\
             3     web3  192.0.2.3  no answer within 10s\n"
        );
        shape.waits_for = Some(vec![3]);
        assert!(shape.human().ends_with(
            "the changes wait until host 3 has the same; `nlbadm set --withdraw` with the same --on forgets them\n"
        ));
    }
}
