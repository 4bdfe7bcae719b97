//! Bytes that JSON has as text: base64 and hex.

/// Appends what `text` holds in base64 (RFC 4648), standard or url-safe, padded or not. `None` where it is none: another
/// character, a length that no bytes have, or bits left over that are not zero and would be lost.
pub(super) fn base64(text: &str, output: &mut Vec<u8>) -> Option<()> {
    let unpadded = text.trim_end_matches('=');
    let padding = text.len() - unpadded.len();
    if padding > 2 || padding > 0 && !text.len().is_multiple_of(4) {
        return None;
    }
    for group in unpadded.as_bytes().chunks(4) {
        let bits = group.iter().try_fold(0_u32, |bits, byte| Some(bits << 6 | sextet(*byte)?))?;
        let (bytes, left) = (group.len() * 6 / 8, group.len() * 6 % 8);
        if bytes == 0 || bits & ((1 << left) - 1) != 0 {
            return None;
        }
        let [_, high @ ..] = (bits >> left << (24 - 8 * bytes)).to_be_bytes();
        output.extend_from_slice(&high[..bytes]);
    }
    Some(())
}

fn sextet(byte: u8) -> Option<u32> {
    let value = match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    };
    Some(u32::from(value))
}

/// Appends what `text` holds in hex of either case. `None` where it is none.
pub(super) fn hex(text: &str, output: &mut Vec<u8>) -> Option<()> {
    if !text.len().is_multiple_of(2) {
        return None;
    }
    for pair in text.as_bytes().chunks(2) {
        output.push(nibble(pair[0])? << 4 | nibble(pair[1])?);
    }
    Some(())
}

fn nibble(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::{base64, hex};

    fn read(read: fn(&str, &mut Vec<u8>) -> Option<()>, text: &str) -> Option<Vec<u8>> {
        let mut output = Vec::new();
        read(text, &mut output).map(|()| output)
    }

    #[test]
    fn base64_of_either_alphabet_with_or_without_padding() {
        let table: [(&str, Option<&[u8]>); 16] = [
            ("", Some(b"")),
            ("Zg==", Some(b"f")),
            ("Zg", Some(b"f")),
            ("Zm8=", Some(b"fo")),
            ("Zm8", Some(b"fo")),
            ("Zm9v", Some(b"foo")),
            ("Zm9vYmFy", Some(b"foobar")),
            ("+/+/", Some(&[0xfb, 0xff, 0xbf])),
            ("-_-_", Some(&[0xfb, 0xff, 0xbf])),
            ("Z", None),
            ("Zg=", None),
            ("Zm9v=", None),
            ("Zg===", None),
            ("Zh==", None),
            ("Zm 9v", None),
            ("Zg==Zg==", None),
        ];
        for (text, bytes) in table {
            assert_eq!(read(base64, text).as_deref(), bytes, "{text:?}");
        }
    }

    #[test]
    fn hex_of_either_case() {
        assert_eq!(read(hex, "00fFaB"), Some(vec![0, 0xff, 0xab]));
        for text in ["0", "0g", "é0"] {
            assert_eq!(read(hex, text), None, "{text:?}");
        }
    }
}
