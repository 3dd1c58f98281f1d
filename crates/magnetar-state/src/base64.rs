//! Base64 of RFC 4648, with padding, and with one spelling for each sequence of bytes.

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The text of some bytes.
pub(crate) fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let number = (0..3).fold(0, |number, at| number << 8 | u32::from(group.get(at).copied().unwrap_or(0)));
        for at in 0..4 {
            text.push(if at <= group.len() { digit(number >> (18 - 6 * at)) } else { '=' });
        }
    }
    text
}

/// The bytes of a text; none where it is no base64, or not the one that `encode` gives.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    for group in text.as_bytes().chunks(4) {
        let digits = group.iter().take_while(|digit| **digit != b'=').count();
        let number =
            (0..4).try_fold(0, |number, at| Some(number << 6 | value(if at < digits { *group.get(at)? } else { b'A' })?))?;
        let [_, first, second, third] = u32::to_be_bytes(number);
        bytes.extend([first, second, third].into_iter().take(digits.checked_sub(1)?));
    }
    (encode(&bytes) == text).then_some(bytes)
}

fn digit(number: u32) -> char {
    DIGITS.get(number as usize & 63).map_or('=', |digit| char::from(*digit))
}

fn value(digit: u8) -> Option<u32> {
    DIGITS.iter().position(|known| *known == digit).and_then(|at| u32::try_from(at).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_the_rfc_come_out() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(encode(bytes.as_bytes()), text);
            assert_eq!(decode(text).as_deref(), Some(bytes.as_bytes()));
        }
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(decode(&encode(&all)), Some(all));
    }

    #[test]
    fn only_one_spelling_is_read() {
        for text in ["Z", "Zg", "Zg=", "Zh==", "Zg==Zg==", "====", "=", "Zm9=", "Zm 8", "Zm8-", "Zg==\n"] {
            assert_eq!(decode(text), None, "{text:?}");
        }
    }
}
