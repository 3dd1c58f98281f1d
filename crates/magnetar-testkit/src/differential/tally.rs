//! What was tried, for the line at the end.

use std::{collections::BTreeMap, fmt};

use magnetar_core::Op;

use crate::model::Outcome;

/// What a differential test has tried. With several stores, the ops of the one that saw the fewest count.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    operations: Option<u64>,
    runs: u64,
    /// Ops by kind: those of groups that were accepted, and of those that were refused.
    kinds: BTreeMap<&'static str, (u64, u64)>,
    /// Submits that were left out, or runs that were cut short, by what the rules do not say.
    doubts: BTreeMap<&'static str, u64>,
}

impl Tally {
    /// Ops that were applied, those of refused groups among them.
    pub fn operations(&self) -> u64 {
        self.operations.unwrap_or(0)
    }

    /// Runs, each with fresh stores.
    pub fn runs(&self) -> u64 {
        self.runs
    }

    pub(super) fn count(&mut self, group: &[Op], outcome: &Outcome) {
        self.operations = Some(self.operations() + group.len() as u64);
        for op in group {
            let (accepted, refused) = self.kinds.entry(kind(op)).or_default();
            *(if outcome.is_ok() { accepted } else { refused }) += 1;
        }
    }

    pub(super) fn doubt(&mut self, what: &'static str) {
        *self.doubts.entry(what).or_default() += 1;
    }

    /// Adds what another store counted over the same run.
    pub(super) fn add_store(&mut self, other: &Self) {
        self.operations = Some(self.operations.map_or(other.operations(), |own| own.min(other.operations())));
        self.runs = 1;
        self.add_details(other);
    }

    /// Adds other runs.
    pub(super) fn add(&mut self, other: &Self) {
        self.operations = Some(self.operations() + other.operations());
        self.runs += other.runs;
        self.add_details(other);
    }

    fn add_details(&mut self, other: &Self) {
        for (kind, (accepted, refused)) in &other.kinds {
            let own = self.kinds.entry(kind).or_default();
            own.0 += accepted;
            own.1 += refused;
        }
        for (what, count) in &other.doubts {
            *self.doubts.entry(what).or_default() += count;
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  {:<12} {:>9} {:>9}", "op", "accepted", "refused")?;
        for (kind, (accepted, refused)) in &self.kinds {
            writeln!(f, "  {kind:<12} {accepted:>9} {refused:>9}")?;
        }
        for (what, count) in &self.doubts {
            writeln!(f, "  left out {count:>6} times: {what}")?;
        }
        Ok(())
    }
}

fn kind(op: &Op) -> &'static str {
    match op {
        Op::EnsureJob { .. } => "ensure job",
        Op::Insert { .. } => "insert",
        Op::Claim(_) => "claim",
        Op::Complete { .. } => "complete",
        Op::Fail { .. } => "fail",
        Op::Release { .. } => "release",
        Op::Check { .. } => "check",
        Op::Park { .. } => "park",
        Op::Mark { .. } => "mark",
        Op::Depend { .. } => "depend",
        Op::Reopen { .. } => "reopen",
        Op::Pause { .. } => "pause",
        Op::Resume { .. } => "resume",
        Op::DeleteJob { .. } => "delete job",
        Op::PutRecord { .. } => "put record",
        Op::Prune { .. } => "prune",
        Op::Reap => "reap",
        _ => "other",
    }
}
