//! What differs from run to run, made the same, in as many letters, so that columns stay.

/// Times become `YYYY-MM-DDThh:mm:ss.mmmZ`, tokens of claims `#`, short durations `0.0 s`.
pub(crate) fn normal(text: &str) -> String {
    text.split_inclusive('\n').map(line).collect()
}

fn line(line: &str) -> String {
    let line = seconds(&times(line));
    ["claim ", "\"token\": "].iter().fold(line, |line, before| number_behind(&line, before))
}

const TIME: &str = "YYYY-MM-DDThh:mm:ss.mmmZ";

fn times(text: &str) -> String {
    let is_time = |text: &[u8]| {
        text.len() == TIME.len()
            && text
                .iter()
                .zip(TIME.bytes())
                .all(|(byte, shape)| if "YMDhms".contains(char::from(shape)) { byte.is_ascii_digit() } else { *byte == shape })
    };
    let mut normal = text.to_owned();
    for at in 0..text.len().saturating_sub(TIME.len() - 1) {
        if is_time(&text.as_bytes()[at..at + TIME.len()]) {
            normal.replace_range(at..at + TIME.len(), TIME);
        }
    }
    normal
}

/// `3.7 s` and the like.
fn seconds(text: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for at in 0..bytes.len().saturating_sub(4) {
        let is_alone = at == 0 || !(bytes[at - 1].is_ascii_digit() || bytes[at - 1] == b'.');
        let is_seconds = matches!(bytes[at..at + 5], [b'0'..=b'9', b'.', b'0'..=b'9', b' ', b's']);
        if is_alone && is_seconds && bytes.get(at + 5).is_none_or(|next| !next.is_ascii_alphanumeric()) {
            (bytes[at], bytes[at + 2]) = (b'0', b'0');
        }
    }
    String::from_utf8(bytes).unwrap()
}

fn number_behind(text: &str, before: &str) -> String {
    let Some((head, tail)) = text.split_once(before) else { return text.to_owned() };
    let digits = tail.bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 { text.to_owned() } else { format!("{head}{before}#{}", &tail[digits..]) }
}

#[test]
fn what_differs_from_run_to_run_is_made_the_same() {
    assert_eq!(normal("at 2026-01-31T08:00:00.123Z, for 3.7 s.\n"), "at YYYY-MM-DDThh:mm:ss.mmmZ, for 0.0 s.\n");
    assert_eq!(normal("claim 123, 12.5 s, 1.2.3 s, \"token\": 7,"), "claim #, 12.5 s, 1.2.3 s, \"token\": #,");
    assert_eq!(normal("2026-01-31 1.5 sheep"), "2026-01-31 1.5 sheep");
}
