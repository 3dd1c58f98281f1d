//! Text of others made safe to show: names, errors and outputs may hold anything.

use std::{
    borrow::Cow,
    fmt::{self, Write},
};

/// A text on one line of a terminal: what would steer the terminal, break the line or turn its direction is escaped.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clean<'a>(pub(crate) &'a str);

impl fmt::Display for Clean<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for letter in self.0.chars() {
            match letter {
                '\n' | '\r' | '\t' => letter.escape_default().fmt(f)?,
                letter if steers(letter) => write!(f, "\\u{{{:x}}}", u32::from(letter))?,
                letter => f.write_char(letter)?,
            }
        }
        Ok(())
    }
}

/// The text as [`Clean`] writes it.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    if text.chars().any(steers) { Clean(text).to_string().into() } else { text.into() }
}

/// The same for a text of several lines, which stay lines.
pub(crate) fn clean_lines(text: &str) -> String {
    text.split('\n').map(clean).collect::<Vec<_>>().join("\n")
}

/// Bytes as text: as they are where they are UTF-8, else with each byte that is not as `\xNN`.
pub(crate) fn lossless(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = str::from_utf8(bytes) {
        return text.into();
    }
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text.into()
}

/// Whether a character does something to a terminal instead of standing there: controls, and turns of the direction
/// (Boucher, Anderson, "Trojan Source", 2021).
pub(crate) fn steers(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A word as a shell reads it: in quotes where it must be.
pub(crate) fn shell_word(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./:=@%+,".contains(&byte);
    if !word.is_empty() && word.bytes().all(is_plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}

/// A number with its thousands apart, as in 1,234,567.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_steer_a_terminal_is_escaped_and_all_else_is_left() {
        let check = |text: &str, expected: &str| assert_eq!(clean(text), expected);
        check("plain ünïcode 漢字", "plain ünïcode 漢字");
        check("a\nb\tc\r", "a\\nb\\tc\\r");
        check("\u{1b}[2J\u{7f}\u{9b}0m", "\\u{1b}[2J\\u{7f}\\u{9b}0m");
        check("safe\u{202e}exe.txt", "safe\\u{202e}exe.txt");
    }

    #[test]
    fn bytes_that_are_no_text_are_shown_one_by_one() {
        assert_eq!(lossless(b"plain"), "plain");
        assert_eq!(lossless(b"a\xff\xfeb\xc3\xa4\xc3"), "a\\xff\\xfebä\\xc3");
    }

    #[test]
    fn words_are_quoted_where_a_shell_would_take_them_apart() {
        for (word, expected) in [("a/b-c.txt", "a/b-c.txt"), ("", "''"), ("a b", "'a b'"), ("it's", r"'it'\''s'"), ("$x", "'$x'")]
        {
            assert_eq!(shell_word(word), expected);
        }
    }

    #[test]
    fn thousands_are_set_apart() {
        for (number, expected) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(thousands(number), expected);
        }
    }
}
