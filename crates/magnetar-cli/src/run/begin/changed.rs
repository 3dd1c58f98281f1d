//! Done chunks whose inputs are not what they were.

use std::fmt;

use anyhow::Result;
use magnetar::{ChunkId, Expect, JobId, JobStatus, JobStore, Op, limits};
use tokio::task::spawn_blocking;

use crate::{
    fingerprint::Comparison,
    outcome::{self, Outcome},
    text::clean,
    time::now,
    work::Base,
};

/// What has become of the inputs of done chunks.
#[derive(Debug, Default)]
pub(in crate::run) struct Changes {
    /// Done chunks with an input that changed.
    pub(in crate::run) changed: Vec<Change>,
    /// Outcomes whose inputs are the same, and have another time by now.
    touched: Vec<(Vec<u8>, Outcome)>,
}

/// A chunk that was made from something else than what is there now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::run) struct Change {
    pub(in crate::run) chunk: ChunkId,
    /// The input, as the manifest calls it.
    input: String,
    /// What differs.
    difference: String,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "its input {} changed: {}", clean(&self.input), self.difference)
    }
}

/// Looks at the inputs of every chunk that is done. One that is gone is no change: there is nothing to make the work from.
pub(in crate::run) async fn find_changes(store: &dyn JobStore, job: JobId, base: &Base) -> Result<Changes> {
    let mut found = Changes::default();
    let mut after = None;
    loop {
        let page = store.records(outcome::SPACE, &outcome::prefix(job), after, limits::PAGE_ROWS_MAX).await?;
        let mut done = Vec::new();
        for record in page.items {
            let Some(chunk) = outcome::chunk_of(&record.key) else { continue };
            let outcome = Outcome::parse(job, chunk, &record.value)?;
            if outcome.is_success() && !outcome.inputs.is_empty() {
                done.push((chunk, record.key, outcome));
            }
        }
        let base = base.clone();
        let looked = spawn_blocking(move || done.into_iter().map(|done| look(&base, done)).collect::<Vec<_>>()).await?;
        for (chunk, key, outcome, change) in looked {
            match change {
                // What was opened again since is open, and needs no reason.
                Look::Changed(change) if is_done(store, job, chunk).await? => found.changed.push(change),
                Look::Touched => found.touched.push((key, outcome)),
                Look::Changed(_) | Look::Same => {}
            }
        }
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(found),
        }
    }
}

impl Changes {
    /// Opens the changed chunks again, with what stands behind them, and returns how many those are.
    pub(in crate::run) async fn reopen(&self, store: &dyn JobStore, job: JobId) -> Result<usize> {
        for touched in self.touched.chunks(limits::GROUP_OPS_MAX) {
            let put = |(key, outcome): &(Vec<u8>, Outcome)| Op::PutRecord {
                space: outcome::SPACE.to_owned(),
                key: key.clone(),
                value: Some(outcome.to_json()),
                expect: Expect::Any,
            };
            store.apply(touched.iter().map(put).collect()).await?;
        }
        if self.changed.is_empty() {
            return Ok(0);
        }
        let chunks: Vec<ChunkId> = self.changed.iter().map(|change| change.chunk).collect();
        let reopened = store.reopen(job, chunks).await?;
        Ok(reopened.len().saturating_sub(self.changed.len()))
    }
}

enum Look {
    Same,
    Touched,
    Changed(Change),
}

/// Compares the inputs of one chunk with what they were.
fn look(base: &Base, (chunk, key, mut outcome): (ChunkId, Vec<u8>, Outcome)) -> (ChunkId, Vec<u8>, Outcome, Look) {
    let mut seen = Look::Same;
    for (input, print) in &mut outcome.inputs {
        let difference = match print.compare(&base.resolve(input), now()) {
            Ok(Comparison::Same | Comparison::Gone) => continue,
            Ok(Comparison::Touched(found)) => {
                *print = found;
                seen = Look::Touched;
                continue;
            }
            Ok(Comparison::Changed(found)) => print.difference(&found),
            // The attempt will say so too.
            Err(error) => error.to_string(),
        };
        let change = Change { chunk, input: input.clone(), difference };
        return (chunk, key, outcome, Look::Changed(change));
    }
    (chunk, key, outcome, seen)
}

async fn is_done(store: &dyn JobStore, job: JobId, chunk: ChunkId) -> Result<bool> {
    Ok(store.get_chunk(job, chunk).await?.is_some_and(|chunk| chunk.status == JobStatus::Done))
}
