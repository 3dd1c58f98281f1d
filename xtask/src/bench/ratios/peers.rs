//! A part of ours beside the crates that others use for the same.

use std::collections::BTreeMap;

use super::{Time, human};

/// The side that is ours; one that begins like it is another way to use ours.
pub(super) const OWN: &str = "own";

/// A line for each way to use ours: its time, and how many times the best peer's that is.
pub(super) fn lines(group: &str, size: &str, sides: &BTreeMap<String, Time>) -> String {
    let (own, peers): (Vec<_>, Vec<_>) = sides.iter().partition(|(side, _)| side.starts_with(OWN));
    let best = peers.into_iter().min_by(|(_, one), (_, other)| one.mean.total_cmp(&other.mean));
    let line = |(side, time): (&String, &Time)| {
        let ratio = best.map_or_else(String::new, |(peer, best)| {
            let (low, high) =
                (time.bounds.lower_bound / best.bounds.upper_bound, time.bounds.upper_bound / best.bounds.lower_bound);
            format!(", {peer} {}: {:.2} times the best peer ({low:.2} to {high:.2})", human(best.mean), time.mean / best.mean)
        });
        format!("{group}/{side}/{size}: {}{ratio}\n", human(time.mean))
    };
    own.into_iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::{super::Interval, *};

    fn time(mean: f64) -> Time {
        Time { mean, bounds: Interval { lower_bound: mean * 0.9, upper_bound: mean * 1.1 } }
    }

    #[test]
    fn each_way_to_use_ours_is_shown_beside_the_best_peer() {
        let sides = [("own", 50.0), ("own-call", 200.0), ("slow", 400.0), ("fast", 100.0)];
        let sides = sides.into_iter().map(|(side, mean)| (side.to_owned(), time(mean))).collect();
        assert_eq!(
            lines("breaker", "2 threads", &sides),
            "breaker/own/2 threads: 50.0 ns, fast 100.0 ns: 0.50 times the best peer (0.41 to 0.61)\n\
             breaker/own-call/2 threads: 200.0 ns, fast 100.0 ns: 2.00 times the best peer (1.64 to 2.44)\n"
        );
    }

    #[test]
    fn ours_alone_has_no_ratio() {
        let sides = [("own".to_owned(), time(50.0))].into();
        assert_eq!(lines("retry", "1 threads", &sides), "retry/own/1 threads: 50.0 ns\n");
    }
}
