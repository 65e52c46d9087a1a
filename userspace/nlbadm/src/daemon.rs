// SPDX-License-Identifier: GPL-2.0-only

//! What nlbadm and nlbd say to each other: one line of JSON as a request, one as the reply, over a Unix socket.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::IpAddr,
    os::unix::net::UnixStream,
    path::Path,
    time::Duration,
};

use nlb_netlink::object::Event;
use serde::{Deserialize, Serialize};

use crate::output::event::EventShape;

/// Where nlbd listens.
pub const SOCKET: &str = "/run/nlb/nlbd.sock";

/// Version of the protocol. A side that meets another one says so, and nothing else.
pub const VERSION: u32 = 1;

/// Longest request, in bytes.
pub const REQUEST_MAX: u64 = 4096;

/// Longest reply, in bytes: every rule of a hundred clusters has a check of some 500 bytes.
const REPLY_MAX: u64 = 4 * 1024 * 1024;

/// How long either side waits for the other.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// A request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// [`VERSION`]
    pub version: u32,
    /// What is wanted.
    pub request: Wanted,
}

/// What nlbd can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wanted {
    /// All checks, and how they stand.
    Checks,
    /// Where the hosts of the clusters with remote control are, or were when they were heard last.
    Hosts,
}

/// A reply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// [`VERSION`]
    pub version: u32,
    /// What was asked for, or why it is not there.
    #[serde(flatten)]
    pub content: Content,
}

/// What stands in a reply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Content {
    /// All checks.
    Checks(Vec<CheckShape>),
    /// Hosts that were heard since nlbd began.
    Hosts(Vec<HostShape>),
    /// Why there is no answer.
    Error(String),
}

/// Where a host was heard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostShape {
    /// Name of the cluster.
    pub cluster: String,
    /// Its id there.
    pub host_id: u8,
    /// Its own address.
    pub address: IpAddr,
}

/// How a check stands. The keys are stable, and only added to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckShape {
    /// Name of the cluster.
    pub cluster: String,
    /// What the rule covers.
    pub rule: String,
    /// What is asked, and where.
    pub check: String,
    /// `well`, `unwell`, or `unknown` before there were enough answers.
    pub state: String,
    /// Since when: RFC 3339, UTC.
    pub since: String,
    /// What the last check found; null before the first.
    pub message: Option<String>,
    /// When the last check was made: RFC 3339, UTC; null before the first.
    pub checked: Option<String>,
    /// How many answers there were since nlbd began or the check changed: good, bad, and such that told nothing.
    pub answers: Answers,
    /// `give-up` or `drain`.
    pub action: String,
    /// Whether nlbd has given up what the action is about.
    pub given_up: bool,
    /// What is to be known of it beside that; null if nothing.
    pub note: Option<String>,
}

/// Numbers of answers by what they told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answers {
    /// The service is well.
    pub good: u64,
    /// It is not.
    pub bad: u64,
    /// Nothing: the check itself did not work.
    pub unknown: u64,
}

/// An event of the module as `nlbadm -j monitor` prints it, in one line without its break.
///
/// # Errors
///
/// None that an event could cause.
pub fn event_line(time: String, event: Event) -> serde_json::Result<String> {
    serde_json::to_string(&EventShape::new(time, event))
}

/// Asks nlbd, which listens at a path.
///
/// # Errors
///
/// If nobody listens there, the reply takes more than [`PATIENCE`], or it is none.
pub fn ask(socket: &Path, wanted: Wanted) -> io::Result<Content> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let request = Request {
        version: VERSION,
        request: wanted,
    };
    let mut line = serde_json::to_vec(&request)?;
    line.push(b'\n');
    stream.write_all(&line)?;
    let mut reply = Vec::new();
    BufReader::new(stream.take(REPLY_MAX)).read_until(b'\n', &mut reply)?;
    let reply: Reply = serde_json::from_slice(&reply)?;
    Ok(reply.content)
}
