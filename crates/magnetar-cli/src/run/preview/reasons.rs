//! Why chunks would run.

use std::collections::{HashMap, HashSet};

use anyhow::Result;
use magnetar::{ChunkId, Filter, JobId, JobStatus, JobStore, limits};

use crate::run::{
    begin::find_changes,
    plan::{Plan, Source},
};

/// What stands in the store, and what would be opened again.
#[derive(Default)]
pub(super) struct Reasons {
    statuses: HashMap<ChunkId, JobStatus>,
    /// The chunks by their keys.
    keys: HashMap<String, ChunkId>,
    /// Chunks that have ended and would be opened again, with the reason.
    reopened: HashMap<ChunkId, String>,
}

impl Reasons {
    /// Looks into the store.
    pub(super) async fn of(store: &dyn JobStore, plan: &Plan, job: JobId) -> Result<Self> {
        let mut reasons = Self::default();
        let mut after = None;
        loop {
            let page = store.chunks(job, Filter::All, after, limits::PAGE_ROWS_MAX).await?;
            for chunk in page.items {
                reasons.statuses.insert(chunk.chunk, chunk.status);
                reasons.keys.extend(chunk.key.map(|key| (key, chunk.chunk)));
            }
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        for change in find_changes(store, job, &plan.base).await?.changed {
            reasons.reopened.insert(change.chunk, change.to_string());
        }
        reasons.reopen_descendants(plan)?;
        Ok(reasons)
    }

    /// The chunk of a key, where there is one.
    pub(super) fn chunk_of(&self, key: &str) -> Option<ChunkId> {
        self.keys.get(key).copied()
    }

    /// Why a chunk would run; none where it would not.
    pub(super) fn why(&self, chunk: Option<ChunkId>) -> Option<String> {
        let known = chunk.and_then(|chunk| Some((chunk, self.statuses.get(&chunk)?)));
        let Some((chunk, status)) = known else { return Some("it is new".to_owned()) };
        if let Some(reason) = self.reopened.get(&chunk) {
            return Some(reason.clone());
        }
        match status {
            JobStatus::Pending => Some("it is not done yet".to_owned()),
            JobStatus::Processing => Some("it was begun".to_owned()),
            JobStatus::Failed => Some("it failed".to_owned()),
            JobStatus::Skipped => Some("it was skipped, because of what failed".to_owned()),
            _ => None,
        }
    }

    /// Opens what stands behind chunks that are opened again, as far as it has ended.
    fn reopen_descendants(&mut self, plan: &Plan) -> Result<()> {
        let Source::Manifest(chunks) = &plan.source else { return Ok(()) };
        if self.reopened.is_empty() {
            return Ok(());
        }
        let mut children: HashMap<ChunkId, Vec<ChunkId>> = HashMap::new();
        for chunk in chunks.all()? {
            let chunk = chunk?;
            for on in chunk.depends_on {
                children.entry(on).or_default().extend(chunk.id);
            }
        }
        let mut seen: HashSet<ChunkId> = self.reopened.keys().copied().collect();
        let mut open: Vec<ChunkId> = seen.iter().copied().collect();
        while let Some(parent) = open.pop() {
            for child in children.get(&parent).into_iter().flatten().filter(|child| seen.insert(**child)) {
                self.reopened.entry(*child).or_insert_with(|| format!("it stands behind chunk {parent}, which runs again"));
                open.push(*child);
            }
        }
        Ok(())
    }
}
