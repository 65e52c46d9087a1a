// SPDX-License-Identifier: GPL-2.0-only

//! The encoding of what was read: UTF-8, or UTF-16 as PowerShell writes it.

/// The text of some bytes, with line feeds alone between lines.
///
/// # Errors
///
/// In words, if it is neither UTF-8 nor UTF-16 with a byte order mark.
pub(crate) fn decode(bytes: &[u8]) -> Result<String, String> {
    let text = match bytes {
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes)?,
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes)?,
        _ => {
            let rest = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
            let text = std::str::from_utf8(rest).map_err(|error| {
                let line = 1 + rest[..error.valid_up_to()]
                    .iter()
                    .filter(|&&byte| byte == b'\n')
                    .count();
                format!("line {line}: this is no text in UTF-8 or UTF-16: save it in one of these")
            })?;
            text.to_owned()
        }
    };
    Ok(text.replace("\r\n", "\n").replace('\r', "\n"))
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, String> {
    let units = bytes.chunks(2).map(|pair| match *pair {
        [a, b] => unit([a, b]),
        // A byte alone at the end is no character.
        _ => 0xd800,
    });
    char::decode_utf16(units)
        .collect::<Result<String, _>>()
        .map_err(|_| "this begins as UTF-16 and does not go on so: is it another file?".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_powershell_writes_is_read() {
        let text = "IPAddress : 192.0.2.10\r\nÄ\r\n";
        let le: Vec<u8> = "\u{feff}"
            .encode_utf16()
            .chain(text.encode_utf16())
            .flat_map(u16::to_le_bytes)
            .collect();
        let be: Vec<u8> = "\u{feff}"
            .encode_utf16()
            .chain(text.encode_utf16())
            .flat_map(u16::to_be_bytes)
            .collect();
        let utf8 = [b"\xef\xbb\xbf", text.as_bytes()].concat();
        for bytes in [&le, &be, &utf8, &text.as_bytes().to_vec()] {
            assert_eq!(decode(bytes).unwrap(), "IPAddress : 192.0.2.10\nÄ\n");
        }
        assert!(decode(&le[..le.len() - 1]).is_err());
        assert!(decode(b"one\ntwo\xff").unwrap_err().starts_with("line 2: "));
    }
}
