//! The time it is, and how long something took as people write it.

use std::{fmt, time::Duration};

use magnetar::Timestamp;

/// The instant it is now. Everything else takes the time as an argument.
#[expect(clippy::disallowed_methods, reason = "the program is where time comes from")]
pub(crate) fn now() -> Timestamp {
    std::time::SystemTime::now().into()
}

/// A duration with the two units that matter: `0.3 s`, `42 s`, `5 min 3 s`, `2 h 10 min`, `3 d 4 h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Elapsed(pub(crate) Duration);

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
        match seconds {
            0..10 => write!(f, "{seconds}.{} s", self.0.subsec_millis() / 100),
            10..60 => write!(f, "{seconds} s"),
            60..3600 => two(f, minutes, "min", seconds % 60, "s"),
            3600..86_400 => two(f, hours, "h", minutes % 60, "min"),
            _ => two(f, days, "d", hours % 24, "h"),
        }
    }
}

fn two(f: &mut fmt::Formatter<'_>, large: u64, large_unit: &str, small: u64, small_unit: &str) -> fmt::Result {
    write!(f, "{large} {large_unit}")?;
    if small > 0 { write!(f, " {small} {small_unit}") } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duration_is_written_with_the_units_that_matter() {
        let check = |millis, expected: &str| assert_eq!(Elapsed(Duration::from_millis(millis)).to_string(), expected);
        check(0, "0.0 s");
        check(1_290, "1.2 s");
        check(9_999, "9.9 s");
        check(59_999, "59 s");
        check(60_000, "1 min");
        check(303_000, "5 min 3 s");
        check(7_800_000, "2 h 10 min");
        check(3_600_000, "1 h");
        check(273_600_000, "3 d 4 h");
    }
}
