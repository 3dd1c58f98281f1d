//! Removing what has ended.

use magnetar_core::{ChunkId, JobId, Timestamp};

use super::{ExpectedReply, Key, Model, Refusal};

impl Model {
    pub(super) fn prune(
        &mut self,
        job: JobId,
        ended_before: Timestamp,
        after: Option<ChunkId>,
        limit: usize,
    ) -> Result<ExpectedReply, Refusal> {
        self.known_job(job)?;
        let rest: Vec<Key> =
            self.chunks.keys().copied().filter(|key| key.0 == job && after.is_none_or(|after| key.1 > after)).collect();
        let looked_at: Vec<Key> = rest.iter().copied().take(limit).collect();
        let next = match looked_at.last() {
            Some(last) if rest.len() > limit => vec![Some(last.1)],
            Some(last) if rest.len() == limit => vec![None, Some(last.1)],
            _ => vec![None],
        };
        let has_open_child = |key| self.children(key).into_iter().any(|child| !self.chunk(child).status.is_terminal());
        let goes = |key: &Key| self.chunk(*key).ended_at.is_some_and(|at| at < ended_before) && !has_open_child(*key);
        let gone: Vec<Key> = looked_at.into_iter().filter(goes).collect();
        self.remove_chunks(&gone);
        Ok(ExpectedReply::Pruned { removed: gone.len() as u64, next })
    }

    /// Removes chunks. What depended on them has ended, and remembers that it lost something.
    pub(super) fn remove_chunks(&mut self, keys: &[Key]) {
        for key in keys {
            self.chunks.remove(key);
            for chunk in self.chunks.values_mut() {
                chunk.awaits.remove(key);
                if chunk.depends_on.remove(key) {
                    chunk.lost_parents.insert(*key);
                }
            }
        }
    }
}
