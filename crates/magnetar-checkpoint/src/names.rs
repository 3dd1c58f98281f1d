//! Which names in the folder are ours.

const PREFIX: &str = "checkpoint_";
const SUFFIX: &str = ".json";
const ASIDE: &str = ".corrupt";

/// The file that says what was acknowledged last.
pub(crate) const HEAD: &str = ".magnetar-head.json";

pub(crate) fn of(sequence: u64) -> String {
    format!("{PREFIX}{sequence}{SUFFIX}")
}

/// The name of a checkpoint that does not verify; there may be more of one sequence.
pub(crate) fn aside(sequence: u64, copy: u32) -> String {
    if copy == 0 { format!("{}{ASIDE}", of(sequence)) } else { format!("{}.{copy}{ASIDE}", of(sequence)) }
}

/// The sequence of a checkpoint. None for any name that is not exactly what [`of`] gives.
pub(crate) fn sequence(name: &str) -> Option<u64> {
    number(name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?)
}

/// The sequence of a file that was set aside.
pub(crate) fn sequence_aside(name: &str) -> Option<u64> {
    let rest = name.strip_prefix(PREFIX)?.strip_suffix(ASIDE)?;
    if let Some(digits) = rest.strip_suffix(SUFFIX) {
        return number(digits);
    }
    let (digits, copy) = rest.split_once(".json.")?;
    number(copy)?;
    number(digits)
}

/// A positive number as it is printed, and no other spelling of it.
fn number(digits: &str) -> Option<u64> {
    let is_plain = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
    if is_plain { digits.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back_as_sequences() {
        for number in [1, 42, u64::MAX] {
            assert_eq!(sequence(&of(number)), Some(number));
            assert_eq!(sequence_aside(&aside(number, 0)), Some(number));
            assert_eq!(sequence_aside(&aside(number, 7)), Some(number));
            assert_eq!((sequence(&aside(number, 0)), sequence_aside(&of(number))), (None, None));
        }
    }

    #[test]
    fn other_spellings_are_foreign() {
        for name in [
            "checkpoint_notes.json",
            "checkpoint_.json",
            "checkpoint_0.json",
            "checkpoint_01.json",
            "checkpoint_+1.json",
            "checkpoint_-1.json",
            "checkpoint_1.JSON",
            "checkpoint_1.json.bak",
            "checkpoint_18446744073709551616.json",
            "Checkpoint_1.json",
            "checkpoint_1",
            "checkpoint_1.json.x.corrupt",
        ] {
            assert_eq!((sequence(name), sequence_aside(name)), (None, None), "{name}");
        }
    }
}
