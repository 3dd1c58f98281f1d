//! The whole test suite, and one line at the end that counts it.
//!
//! The servers that tests need are made sure of before the first step; the tests start and stop their own, and know from the environment of
//! the steps what to do where one is missing.

use anyhow::{Result, bail, ensure};

use crate::{run::Step, servers};

/// What becomes of a test whose server is not there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Missing {
    /// It says that it is skipped, and the rest runs.
    Skips,
    /// It fails.
    Fails,
}

/// Runs every test, also after one failed, and fails if one did or none ran.
pub(crate) fn run(missing: Missing) -> Result<()> {
    servers::prepare();
    let mut tally = Tally::default();
    let outcomes: Vec<_> = steps(missing).iter().map(|step| step.stream(|line| tally.see(line))).collect();
    let failures: Vec<_> = outcomes.into_iter().filter_map(Result::err).map(|error| error.to_string()).collect();
    println!("{} passed, {} failed", tally.passed, tally.failed);
    if !failures.is_empty() {
        bail!("{}", failures.join("\nerror: "));
    }
    tally.check()
}

fn steps(missing: Missing) -> Vec<Step> {
    let tests = ["test", "--workspace", "--all-features", "--all-targets", "--profile", "rig", "--no-fail-fast"];
    let examples = ["test", "--workspace", "--all-features", "--doc", "--profile", "rig", "--no-fail-fast"];
    let steps = vec![Step::cargo("tests", &tests), Step::cargo("documentation tests", &examples)];
    match missing {
        Missing::Skips => steps,
        Missing::Fails => steps.into_iter().map(|step| step.env("MAGNETAR_REQUIRE", "1")).collect(),
    }
}

/// The counts over all test binaries.
#[derive(Debug, Default, PartialEq)]
struct Tally {
    passed: u64,
    failed: u64,
}

impl Tally {
    /// Adds what a line counts, if it is the last line of a test binary.
    fn see(&mut self, line: &str) {
        let Some((_, counts)) = line.trim_end().strip_prefix("test result: ").and_then(|rest| rest.split_once(". ")) else {
            return;
        };
        for count in counts.split("; ") {
            match count.split_once(' ') {
                Some((number, "passed")) => self.passed += number.parse().unwrap_or(0),
                Some((number, "failed")) => self.failed += number.parse().unwrap_or(0),
                _ => {}
            }
        }
    }

    /// Holds the counts against the exit codes, which said that all is well.
    fn check(&self) -> Result<()> {
        ensure!(self.failed == 0, "{} tests failed, though every command succeeded", self.failed);
        ensure!(self.passed > 0, "no test ran");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(lines: &[&str]) -> Tally {
        let mut tally = Tally::default();
        for line in lines {
            tally.see(line);
        }
        tally
    }

    #[test]
    fn results_of_all_binaries_are_summed() {
        let lines = [
            "running 12 tests\n",
            "test result: FAILED. 12 passed; 4 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.10s\n",
            "test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.10s\n",
        ];
        assert_eq!(tally(&lines), Tally { passed: 15, failed: 6 });
    }

    #[test]
    fn only_a_result_line_counts() {
        let lines = ["12 passed; 3 failed\n", "test result: unknown\n", "it said test result: ok. 4 passed; 0 failed\n"];
        assert_eq!(tally(&lines), Tally::default());
    }

    #[test]
    fn suite_without_a_test_fails() {
        let error = tally(&["test result: ok. 0 passed; 0 failed\n"]).check().unwrap_err();
        assert_eq!(error.to_string(), "no test ran");
    }

    #[test]
    fn counted_failure_fails_the_suite() {
        let error = tally(&["test result: FAILED. 1 passed; 1 failed\n"]).check().unwrap_err();
        assert_eq!(error.to_string(), "1 tests failed, though every command succeeded");
    }

    #[test]
    fn passed_tests_are_enough() {
        tally(&["test result: ok. 1 passed; 0 failed\n"]).check().unwrap();
    }

    #[test]
    fn require_reaches_every_step() {
        let requires = |missing| steps(missing).iter().filter(|step| step.to_string().contains("MAGNETAR_REQUIRE=\"1\"")).count();
        assert_eq!(requires(Missing::Fails), steps(Missing::Fails).len());
        assert_eq!(requires(Missing::Skips), 0);
    }
}
