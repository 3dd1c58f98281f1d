//! Marking many chunks, and the report of what came of it: what `retry` and `cancel` share.

use anyhow::Result;
use magnetar::{ChunkId, Filter, JobId, JobState, JobStatus, JobStore, JobUpdate, Op, Rejection, Reply, limits, machine::Event};

use crate::{
    exit::{Code, fault, tell_note},
    span::Span,
    text::thousands,
};

/// Chunks that are read and marked at once.
const BATCH_CHUNKS: usize = limits::PAGE_ROWS_MAX;
/// Refusals that are told; the rest are counted.
const REFUSALS_TOLD: usize = 10;

/// What came of marking.
#[derive(Default)]
pub(super) struct Marked {
    /// Chunks that stand elsewhere now.
    pub(super) changed: u64,
    /// Chunks that were refused.
    pub(super) refused: u64,
    /// The first refusals.
    pub(super) refusals: Vec<Rejection>,
}

impl Marked {
    /// Marks chunks, each on its own, in one commit.
    pub(super) async fn mark(&mut self, store: &dyn JobStore, job: JobId, ids: &[ChunkId], status: JobStatus) -> Result<()> {
        for ids in ids.chunks(BATCH_CHUNKS) {
            let update = |&chunk_id| JobUpdate { chunk_id, status, checksum: None, error: None };
            let groups = ids.iter().map(|id| vec![Op::Mark { job, update: update(id) }]).collect();
            for outcome in store.submit(groups).await? {
                match outcome {
                    Ok(replies) => self.changed += u64::from(matches!(replies.as_slice(), [Reply::Marked { changed: true, .. }])),
                    Err(rejection @ Rejection::JobNotFound { .. }) => return Err(magnetar::Error::from(rejection).into()),
                    Err(rejection) => self.refuse(rejection),
                }
            }
        }
        Ok(())
    }

    fn refuse(&mut self, rejection: Rejection) {
        self.refused += 1;
        if self.refusals.len() < REFUSALS_TOLD {
            self.refusals.push(rejection);
        }
    }

    /// How the program ends.
    pub(super) fn code(&self) -> Code {
        if self.refused == 0 { Code::Ok } else { Code::Conflict }
    }
}

/// The ids of every chunk that passes the filter.
pub(super) async fn ids(store: &dyn JobStore, job: JobId, filter: Filter) -> Result<Vec<ChunkId>> {
    let mut ids = Vec::new();
    let mut after = None;
    loop {
        let page = store.ids(job, filter, after, BATCH_CHUNKS).await?;
        ids.extend(page.items);
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(ids),
        }
    }
}

/// The chunks that were named, and where they stand: those named one by one must be there, of a range it is those that pass.
pub(super) async fn named(
    store: &dyn JobStore,
    job: JobId,
    spans: &[Span],
    passes: fn(JobStatus) -> bool,
) -> Result<Vec<(ChunkId, JobStatus)>> {
    let mut named = Vec::new();
    for span in spans {
        if span.is_one() {
            named.push((span.first, one(store, job, span.first).await?.status));
            continue;
        }
        let mut after = span.first.checked_sub(1);
        loop {
            let page = store.chunks(job, Filter::All, after, BATCH_CHUNKS).await?;
            let chunks = page.items.iter().filter(|chunk| chunk.chunk <= span.last && passes(chunk.status));
            named.extend(chunks.map(|chunk| (chunk.chunk, chunk.status)));
            match page.next.filter(|next| *next < span.last) {
                Some(next) => after = Some(next),
                None => break,
            }
        }
    }
    Ok(named)
}

/// The chunk of this id, which must be there.
pub(super) async fn one(store: &dyn JobStore, job: JobId, chunk: ChunkId) -> Result<JobState> {
    let found = store.get_chunk(job, chunk).await?;
    found.ok_or_else(|| fault(Code::NotFound, format!("job {job} has no chunk {chunk}; `magnetar list` shows which it has")))
}

/// A number of chunks, and what they do: `1 chunk is`, `7 chunks are`.
pub(super) fn chunks(count: u64, one: &str, many: &str) -> String {
    if count == 1 { format!("1 chunk {one}") } else { format!("{} chunks {many}", thousands(count)) }
}

/// Says which chunks were refused, and why.
pub(super) fn tell_refusals(marked: &Marked) {
    for why in &marked.refusals {
        let way_out = match why {
            Rejection::Held { .. } => "; stop the run that works on it, or wait until it has ended",
            Rejection::Blocked { .. } => "; it follows what it waits for",
            Rejection::NotAllowed { status: JobStatus::Done, event: Event::Redrive, .. } => {
                "; `magnetar retry --reopen` does it again"
            }
            _ => "",
        };
        tell_note(&format!("{why}{way_out}"));
    }
    let more = marked.refused - marked.refusals.len() as u64;
    if more > 0 {
        tell_note(&format!("{} too", chunks(more, "was refused", "were refused")));
    }
}
