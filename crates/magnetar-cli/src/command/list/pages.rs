//! The chunks that are wanted, a page at a time.

use std::collections::VecDeque;

use anyhow::Result;
use magnetar::{ChunkId, Filter, Job, JobState, JobStore};

use super::Standing;
use crate::span::Span;

/// Chunks that are held in memory at once.
const PAGE_CHUNKS: u64 = 1000;

pub(super) struct Pages<'a> {
    store: &'a dyn JobStore,
    job: &'a Job,
    /// What has not been listed yet, in order.
    spans: VecDeque<Span>,
    standings: Vec<Standing>,
}

impl<'a> Pages<'a> {
    /// The chunks of the spans, which are in order, that stand in one of these places, or anywhere where there are none.
    pub(super) fn new(
        store: &'a dyn JobStore,
        job: &'a Job,
        spans: Vec<Span>,
        standings: Vec<Standing>,
        after: Option<ChunkId>,
    ) -> Self {
        let first = after.map_or(0, |after| after.saturating_add(1));
        let spans = spans.into_iter().map(|span| Span { first: span.first.max(first), ..span });
        Self { store, job, spans: spans.filter(|span| span.first <= span.last).collect(), standings }
    }

    /// The next chunks, at most so many; nothing behind the last. A page may be empty although others follow.
    pub(super) async fn next(&mut self, limit: u64) -> Result<Option<Vec<JobState>>> {
        let Some(span) = self.spans.front_mut().filter(|_| limit > 0) else { return Ok(None) };
        // What the store filters is read on until enough passes, so beyond the end of a span too.
        let filter = match self.standings.as_slice() {
            [standing] if span.last == Span::ALL.last => standing.filter(),
            _ => Filter::All,
        };
        let rows = PAGE_CHUNKS.min(span.last - span.first + 1);
        let rows = if filter == Filter::All && !self.standings.is_empty() { rows } else { rows.min(limit) };
        let before = span.first.checked_sub(1);
        let page = self.store.chunks(self.job.id, filter, before, usize::try_from(rows)?).await?;
        let last = span.last;
        match page.next {
            Some(next) if next < last => span.first = next + 1,
            _ => drop(self.spans.pop_front()),
        }
        let is_wanted = |chunk: &JobState| {
            chunk.chunk <= last && (self.standings.is_empty() || self.standings.iter().any(|it| it.is_of(chunk, self.job)))
        };
        let mut chunks: Vec<_> = page.items.into_iter().filter(is_wanted).collect();
        chunks.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(Some(chunks))
    }
}

#[cfg(test)]
mod tests {
    use magnetar::{JobRef, JobSpec, JobStatus, MemoryStore, NewChunk};

    use super::*;

    /// Lists 2,500 chunks with the even ids from 2 on, of which every hundredth is done.
    fn listed(spans: &[(u64, u64)], standings: &[Standing], after: Option<u64>, limit: u64) -> Vec<u64> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let store = MemoryStore::open().await.unwrap();
            store.ensure_job(JobRef::Id(7), JobSpec::default()).await.unwrap();
            store.insert(7, (1..=2500).map(|id| NewChunk::new(2 * id)).collect()).await.unwrap();
            for id in (200..=5000).step_by(200) {
                store.mark_status(7, id, JobStatus::Done, None).await.unwrap();
            }
            let job = store.job(7).await.unwrap().unwrap();
            let spans = spans.iter().map(|&(first, last)| Span { first, last }).collect();
            let mut pages = Pages::new(&store, &job, spans, standings.to_vec(), after);
            let (mut ids, mut left) = (Vec::new(), limit);
            while let Some(page) = pages.next(left).await.unwrap() {
                assert!(page.len() as u64 <= PAGE_CHUNKS.min(left));
                left -= page.len() as u64;
                ids.extend(page.iter().map(|chunk| chunk.chunk));
            }
            ids
        })
    }

    const ALL: (u64, u64) = (Span::ALL.first, Span::ALL.last);

    #[test]
    fn every_chunk_is_listed_once_and_in_order() {
        assert_eq!(listed(&[ALL], &[], None, u64::MAX), (1..=2500).map(|id| 2 * id).collect::<Vec<_>>());
    }

    #[test]
    fn spans_limit_and_after_cut_the_list() {
        assert_eq!(listed(&[(3, 9), (20, 20), (21, 21), (4998, ALL.1)], &[], None, u64::MAX), [4, 6, 8, 20, 4998, 5000]);
        assert_eq!(listed(&[(3, 9), (20, 20), (4998, ALL.1)], &[], Some(6), 2), [8, 20]);
        assert_eq!(listed(&[ALL], &[], Some(4996), u64::MAX), [4998, 5000]);
        assert_eq!(listed(&[ALL], &[], None, 1500).len(), 1500);
        assert_eq!(listed(&[(9000, ALL.1)], &[], None, u64::MAX), [0_u64; 0]);
        assert_eq!(listed(&[ALL], &[], Some(u64::MAX), u64::MAX), [0_u64; 0]);
    }

    #[test]
    fn only_what_stands_there_is_listed() {
        let done: Vec<u64> = (200..=5000).step_by(200).collect();
        assert_eq!(listed(&[ALL], &[Standing::Done], None, u64::MAX), done);
        assert_eq!(listed(&[ALL], &[Standing::Done, Standing::Failed], None, u64::MAX), done);
        assert_eq!(listed(&[(199, 401)], &[Standing::Done], None, u64::MAX), [200, 400]);
        assert_eq!(listed(&[(199, 801)], &[Standing::Done], None, 3), [200, 400, 600]);
        assert_eq!(listed(&[ALL], &[Standing::Unblocked, Standing::Done], None, u64::MAX).len(), 2500);
        assert_eq!(listed(&[ALL], &[Standing::Held], None, u64::MAX), [0_u64; 0]);
    }
}
