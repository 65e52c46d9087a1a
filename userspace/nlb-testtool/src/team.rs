// SPDX-License-Identifier: GPL-2.0-only
//! Sets the mode of a team device: the kernel takes it over generic netlink
//! alone, and the daemon that usually does it is no part of the guests. Without
//! a mode a team passes no frame.

use std::io::{Error, Read, Write};

use anyhow::{Context, ensure};
use socket2::{Domain, Protocol, Socket, Type};

/// Which device, and what it is to be.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Interface index of the team device, which must not have ports yet.
    #[arg(long)]
    ifindex: u32,
    /// Mode, by its name in the kernel: activebackup, loadbalance, roundrobin, broadcast.
    #[arg(long)]
    mode: String,
}

const AF_NETLINK: i32 = 16;
const NETLINK_GENERIC: i32 = 16;
const NLMSG_ERROR: u16 = 2;
const NLM_F_REQUEST: u16 = 1;
const NLM_F_ACK: u16 = 4;
/// Bytes of the headers of netlink and generic netlink.
const HEADERS: usize = 16 + 4;

/// The controller, which knows the families: its id, CTRL_CMD_GETFAMILY, CTRL_ATTR_FAMILY_ID and _NAME.
const CTRL: u16 = 16;
const GET_FAMILY: u8 = 3;
const FAMILY_ID: u16 = 1;
const FAMILY_NAME: u16 = 2;

/// linux/if_team.h: TEAM_CMD_OPTIONS_SET, and the attributes down to an option of type NLA_STRING.
const OPTIONS_SET: u8 = 1;
const TEAM_IFINDEX: u16 = 1;
const LIST_OPTION: u16 = 2;
const ITEM_OPTION: u16 = 1;
const OPTION_NAME: u16 = 1;
const OPTION_TYPE: u16 = 3;
const OPTION_DATA: u16 = 4;
const NLA_STRING: u8 = 5;

/// What the driver answers when the option is set and nobody listens to its events.
const ESRCH: i32 = 3;

fn attribute(kind: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = (payload.len() as u16 + 4).to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(payload);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn text(text: &str) -> Vec<u8> {
    [text.as_bytes(), &[0]].concat()
}

/// Sends a request; what the kernel answers, from its netlink header on.
fn ask(socket: &Socket, family: u16, command: u8, attributes: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut request = ((HEADERS + attributes.len()) as u32).to_ne_bytes().to_vec();
    request.extend(family.to_ne_bytes());
    request.extend((NLM_F_REQUEST | NLM_F_ACK).to_ne_bytes());
    // Sequence number and port: nothing else is under way on this socket.
    request.extend([0; 8]);
    request.extend([command, 1, 0, 0]);
    request.extend(attributes);
    (&mut &*socket).write_all(&request)?;
    let mut answer = vec![0; 8192];
    let len = (&mut &*socket).read(&mut answer)?;
    answer.truncate(len);
    ensure!(answer.len() >= HEADERS, "a short answer");
    let kind = u16::from_ne_bytes([answer[4], answer[5]]);
    let code = i32::from_ne_bytes([answer[16], answer[17], answer[18], answer[19]]);
    ensure!(
        kind != NLMSG_ERROR || code == 0,
        Error::from_raw_os_error(-code)
    );
    Ok(answer)
}

/// The payload of the first attribute of a kind behind the headers of an answer.
fn find(answer: &[u8], wanted: u16) -> Option<&[u8]> {
    let mut rest = answer.get(HEADERS..)?;
    loop {
        let &[a, b, c, d, ..] = rest else { return None };
        let len = usize::from(u16::from_ne_bytes([a, b]));
        if u16::from_ne_bytes([c, d]) == wanted {
            return rest.get(4..len);
        }
        rest = rest.get(len.max(4).next_multiple_of(4)..)?;
    }
}

/// Set the mode.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let socket = || {
        Socket::new(
            Domain::from(AF_NETLINK),
            Type::RAW,
            Some(Protocol::from(NETLINK_GENERIC)),
        )
    };
    let name = attribute(FAMILY_NAME, &text("team"));
    let answer = ask(&socket()?, CTRL, GET_FAMILY, &name).context("is the team driver loaded?")?;
    let id = find(&answer, FAMILY_ID)
        .and_then(<[u8]>::first_chunk)
        .context("the kernel does not tell the id of its family")?;
    let option = [
        attribute(OPTION_NAME, &text("mode")),
        attribute(OPTION_TYPE, &[NLA_STRING]),
        attribute(OPTION_DATA, &text(&args.mode)),
    ]
    .concat();
    let request = [
        attribute(TEAM_IFINDEX, &args.ifindex.to_ne_bytes()),
        attribute(LIST_OPTION, &attribute(ITEM_OPTION, &option)),
    ]
    .concat();
    // A socket of its own: the answer to the first question is followed by an acknowledgement.
    let result = ask(&socket()?, u16::from_ne_bytes(*id), OPTIONS_SET, &request);
    let unheard = |error: &anyhow::Error| {
        let code = error.downcast_ref().and_then(Error::raw_os_error);
        code == Some(ESRCH)
    };
    match result {
        Err(error) if !unheard(&error) => Err(error.context(format!("mode {}", args.mode))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::{HEADERS, attribute, find};

    #[test]
    fn attributes_are_padded_and_found_again() {
        let answer = [
            vec![0; HEADERS],
            attribute(2, b"team\0"),
            attribute(1, &[7, 0]),
        ]
        .concat();
        assert_eq!(answer.len(), HEADERS + 12 + 8);
        assert_eq!(find(&answer, 1), Some(&[7, 0][..]));
        assert_eq!(find(&answer, 2), Some(&b"team\0"[..]));
        assert_eq!(find(&answer, 3), None);
    }
}
