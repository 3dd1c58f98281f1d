//! Done chunks whose inputs are not what they were.

use std::fmt;

use anyhow::Result;
use magnetar::{ChunkId, Expect, Filter, JobId, JobStatus, JobStore, Op, limits};
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
    /// Outcomes of done chunks whose inputs have the same content, and another time by now, under their keys.
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
        let page = store.chunks(job, Filter::Status(JobStatus::Done), after, limits::PAGE_ROWS_MAX).await?;
        let outcomes = page.items.iter().filter_map(|chunk| Some((chunk.chunk, Outcome::of_result(chunk)?)));
        let outcomes = outcomes.filter(|(_, outcome)| !outcome.inputs.is_empty()).collect();
        for (chunk, outcome, seen) in look(base, outcomes).await? {
            if seen == Look::Same {
                continue;
            }
            // An earlier run may have seen the same, and have noted it.
            let noted = Outcome::of_record(store, job, chunk).await?.filter(|noted| noted.token == outcome.token);
            let looked = match noted {
                Some(noted) => look(base, vec![(chunk, noted)]).await?,
                None => vec![(chunk, outcome, seen)],
            };
            for (chunk, outcome, seen) in looked {
                match seen {
                    Look::Changed(change) => found.changed.push(change),
                    Look::Touched => found.touched.push((outcome::key(job, chunk), outcome)),
                    Look::Same => {}
                }
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

#[derive(Debug, PartialEq, Eq)]
enum Look {
    Same,
    Touched,
    Changed(Change),
}

/// Compares the inputs of chunks with what they were.
async fn look(base: &Base, outcomes: Vec<(ChunkId, Outcome)>) -> Result<Vec<(ChunkId, Outcome, Look)>> {
    let base = base.clone();
    let look = move |(chunk, mut outcome)| {
        let seen = look_at(&base, chunk, &mut outcome);
        (chunk, outcome, seen)
    };
    Ok(spawn_blocking(move || outcomes.into_iter().map(look).collect()).await?)
}

/// Compares the inputs of one chunk with what they were. What was touched is noted in the outcome.
fn look_at(base: &Base, chunk: ChunkId, outcome: &mut Outcome) -> Look {
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
        return Look::Changed(Change { chunk, input: input.clone(), difference });
    }
    seen
}
