// SPDX-License-Identifier: GPL-2.0-only
//! Requests to generic netlink families of the kernel that no tool of the
//! guests speaks to.

use std::io::{Error, Read, Write};

use anyhow::{Context, ensure};
use socket2::{Domain, Protocol, Socket, Type};

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

/// One attribute, padded to the next.
pub(crate) fn attribute(kind: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = (payload.len() as u16 + 4).to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(payload);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// A text as netlink wants it.
pub(crate) fn text(text: &str) -> Vec<u8> {
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

fn socket() -> std::io::Result<Socket> {
    Socket::new(
        Domain::from(AF_NETLINK),
        Type::RAW,
        Some(Protocol::from(NETLINK_GENERIC)),
    )
}

/// Sends a request to the family with this name: what it demands before the
/// attributes, and these. Errors: the kernel's, of which the cause is the
/// error number.
pub(crate) fn request(family: &str, command: u8, body: &[u8]) -> anyhow::Result<()> {
    let name = attribute(FAMILY_NAME, &text(family));
    let answer = ask(&socket()?, CTRL, GET_FAMILY, &name)
        .with_context(|| format!("is the module of the family {family} loaded?"))?;
    let id = find(&answer, FAMILY_ID)
        .and_then(<[u8]>::first_chunk)
        .context("the kernel does not tell the id of its family")?;
    // A socket of its own: the answer to the first question is followed by an acknowledgement.
    ask(&socket()?, u16::from_ne_bytes(*id), command, body)?;
    Ok(())
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
