//! What was measured, read from criterion's files: each store beside the hand-written code of the same run, and each part of
//! resilience beside the best of the crates that others use.

mod peers;

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use serde::Deserialize;

/// A benchmark's name, as criterion keeps it.
#[derive(Deserialize)]
struct Name {
    group_id: String,
    function_id: Option<String>,
    value_str: Option<String>,
}

#[derive(Deserialize)]
struct Estimates {
    mean: Estimate,
}

#[derive(Deserialize)]
struct Estimate {
    point_estimate: f64,
    confidence_interval: Interval,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
struct Interval {
    lower_bound: f64,
    upper_bound: f64,
}

/// The mean time of an iteration in nanoseconds, and between which bounds it lies with a confidence of 95 %.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Time {
    mean: f64,
    bounds: Interval,
}

/// Times by group, size and side.
type Times = BTreeMap<(String, String), BTreeMap<String, Time>>;

/// The table of everything below a folder.
pub(super) fn table(folder: &Path) -> Result<String> {
    let mut times = Times::new();
    collect(folder, &mut times)?;
    Ok(render(&times))
}

fn collect(folder: &Path, times: &mut Times) -> Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    let failed = || format!("cannot read {}", folder.display());
    let mut folders: Vec<PathBuf> = fs::read_dir(folder)
        .with_context(failed)?
        .map(|entry| Ok(entry?.path()))
        .collect::<std::io::Result<_>>()
        .with_context(failed)?;
    folders.retain(|path| path.is_dir());
    for folder in folders {
        let (name, estimates) = (folder.join("benchmark.json"), folder.join("estimates.json"));
        // Criterion keeps the same results as a base for the next run.
        if folder.ends_with("new") && name.exists() && estimates.exists() {
            let name: Name = read(&name)?;
            let mean = read::<Estimates>(&estimates)?.mean;
            let time = Time { mean: mean.point_estimate, bounds: mean.confidence_interval };
            let sides = times.entry((name.group_id, name.value_str.unwrap_or_default())).or_default();
            sides.insert(name.function_id.unwrap_or_default(), time);
        } else {
            collect(&folder, times)?;
        }
    }
    Ok(())
}

fn read<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<T> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("cannot understand {}", path.display()))
}

/// A line for each side that is not `raw`: its time, and its speed as a part of the raw code's. Where a side is our own, a line for it
/// beside its peers.
fn render(times: &Times) -> String {
    let mut text = String::new();
    for ((group, size), sides) in times {
        if sides.contains_key(peers::OWN) {
            text.push_str(&peers::lines(group, size, sides));
            continue;
        }
        let raw = sides.get("raw");
        for (side, time) in sides.iter().filter(|(side, _)| *side != "raw") {
            let _ = write!(text, "{group}/{side}/{size}: {}", human(time.mean));
            if let Some(raw) = raw {
                let percent = |part: f64| 100.0 * part;
                let (low, high) =
                    (raw.bounds.lower_bound / time.bounds.upper_bound, raw.bounds.upper_bound / time.bounds.lower_bound);
                let (ratio, low, high) = (percent(raw.mean / time.mean), percent(low), percent(high));
                let _ = write!(text, ", raw {}: {ratio:.0} % of raw ({low:.0} to {high:.0})", human(raw.mean));
            }
            // Raw code with one operation a transaction is what a program without group commit does, however many call.
            if let Some(one) =
                times.get(&(group.clone(), "1".to_owned())).and_then(|sides| sides.get("raw")).filter(|_| size != "1")
            {
                let _ = write!(text, ", {:.1} times one transaction an op", one.mean / time.mean);
            }
            text.push('\n');
        }
    }
    text
}

fn human(nanos: f64) -> String {
    match nanos {
        _ if nanos < 1e3 => format!("{nanos:.1} ns"),
        _ if nanos < 1e6 => format!("{:.1} us", nanos / 1e3),
        _ if nanos < 1e9 => format!("{:.2} ms", nanos / 1e6),
        _ => format!("{:.2} s", nanos / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(mean: f64) -> Time {
        Time { mean, bounds: Interval { lower_bound: mean * 0.9, upper_bound: mean * 1.1 } }
    }

    fn times(entries: &[(&str, &str, f64)]) -> Times {
        let mut times = Times::new();
        for (side, size, mean) in entries {
            times.entry(("pair sqlite 1ms".to_owned(), (*size).to_owned())).or_default().insert((*side).to_owned(), time(*mean));
        }
        times
    }

    #[test]
    fn store_is_shown_as_a_part_of_raw_with_its_spread() {
        let text = render(&times(&[("store", "64", 50_000.0), ("raw", "64", 40_000.0)]));
        assert_eq!(text, "pair sqlite 1ms/store/64: 50.0 us, raw 40.0 us: 80 % of raw (65 to 98)\n");
    }

    #[test]
    fn one_transaction_an_op_is_the_raw_code_for_one_caller() {
        let text = render(&times(&[("store", "64", 40_000.0), ("raw", "1", 2_000_000.0)]));
        assert_eq!(text, "pair sqlite 1ms/store/64: 40.0 us, 50.0 times one transaction an op\n");
        assert!(!render(&times(&[("store", "1", 1e6), ("raw", "1", 1e6)])).contains("times"));
    }

    #[test]
    fn results_are_read_from_where_criterion_leaves_them() {
        let folder = tempfile::tempdir().unwrap();
        let new = folder.path().join("pair sqlite 1ms/store/64/new");
        fs::create_dir_all(&new).unwrap();
        let name = r#"{ "group_id": "pair sqlite 1ms", "function_id": "store", "value_str": "64", "throughput": null }"#;
        fs::write(new.join("benchmark.json"), name).unwrap();
        let mean = r#"{ "point_estimate": 5e9, "standard_error": 1.0, "confidence_interval": { "lower_bound": 4e9, "upper_bound": 6e9 } }"#;
        fs::write(new.join("estimates.json"), format!(r#"{{ "mean": {mean} }}"#)).unwrap();
        assert_eq!(table(folder.path()).unwrap(), "pair sqlite 1ms/store/64: 5.00 s\n");
    }
}
