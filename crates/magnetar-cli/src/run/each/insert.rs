//! Bringing the files that match into the job: each keeps its chunk from run to run.

use std::{collections::HashMap, path::PathBuf};

use anyhow::{Context, Result};
use magnetar::{ChunkId, Filter, InsertReport, JobId, JobRef, JobStatus, JobStore, JobUpdate, NewChunk, Op, Reply, limits};
use tokio::task::spawn_blocking;

use super::Files;
use crate::{
    fingerprint::{Fingerprint, sha256_of},
    time::now,
    work::{Base, Work},
};

/// Files that are read for their checksums at a time.
const READ_AT_ONCE: usize = 4;

/// Why a chunk was called off. It is what brings it back once its file is there again.
const GONE: &str = "the file is not among those that match any more";

/// What became of the files.
#[derive(Debug, Default)]
pub(crate) struct Brought {
    pub(crate) report: InsertReport,
    /// Chunks that were open and whose file is not among those that match any more: they are called off.
    pub(crate) called_off: Vec<ChunkId>,
}

impl Files {
    /// Puts a chunk into the job for each file that is new, and brings those that are open up to date: checksum and command.
    pub(crate) async fn bring(&self, store: &dyn JobStore, job: JobId, name: &str, base: &Base) -> Result<Brought> {
        let mut known = known(store, job).await?;
        let (mut chunks, mut ended, mut unread, mut back) = (Vec::new(), 0, Vec::new(), Vec::new());
        for path in &self.paths {
            match known.remove(&key(name, path)) {
                Some(Known { status, is_gone: false, .. }) if status.is_terminal() => ended += 1,
                Some(Known { id, is_gone, .. }) => {
                    back.extend(is_gone.then_some(id));
                    unread.push((path, Some(id)));
                }
                None => unread.push((path, None)),
            }
        }
        mark(store, job, &back, JobStatus::Pending, None).await?;
        for files in unread.chunks(READ_AT_ONCE) {
            let reading: Vec<_> = files.iter().map(|(path, _)| spawn_blocking(reader(base.resolve(path)))).collect();
            for ((path, id), read) in files.iter().zip(reading) {
                chunks.push(self.chunk(*id, name, path, read.await??));
            }
        }
        let mut report = insert(store, job, chunks).await?;
        report.ended += ended;
        let gone: Vec<_> = known.into_values().filter(|known| known.status == JobStatus::Pending).map(|known| known.id).collect();
        let called_off = mark(store, job, &gone, JobStatus::Cancelled, Some(GONE)).await?;
        Ok(Brought { report, called_off })
    }

    fn chunk(&self, id: Option<ChunkId>, name: &str, path: &str, read: Fingerprint) -> NewChunk {
        let chunk = match id {
            Some(id) => NewChunk::new(id),
            None => NewChunk::numbered().key(key(name, path)),
        };
        let mut chunk = chunk.checksum(read.sha256);
        chunk.extra = Work::each(&self.command.0, path);
        chunk
    }

    /// The files, for whoever only wants to look.
    pub(crate) fn paths(&self) -> &[String] {
        &self.paths
    }
}

/// The key by which a file finds its chunk again. It is also what a receiver of effects sees, so it names the job.
pub(crate) fn key(name: &str, path: &str) -> String {
    let key = format!("{name}:{path}");
    if key.len() <= limits::KEY_BYTES_MAX { key } else { format!("sha256:{}", sha256_of(key.as_bytes())) }
}

/// A chunk that is there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    pub(crate) id: ChunkId,
    pub(crate) status: JobStatus,
    /// Whether it was called off because its file was gone.
    pub(crate) is_gone: bool,
}

/// The chunks of a job by their keys.
pub(crate) async fn known(store: &dyn JobStore, job: JobId) -> Result<HashMap<String, Known>> {
    let mut known = HashMap::new();
    let mut after = None;
    loop {
        let page = store.chunks(job, Filter::All, after, limits::PAGE_ROWS_MAX).await?;
        known.extend(page.items.into_iter().filter_map(|chunk| {
            let is_gone = chunk.status == JobStatus::Cancelled && chunk.error.as_deref() == Some(GONE);
            Some((chunk.key?, Known { id: chunk.chunk, status: chunk.status, is_gone }))
        }));
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(known),
        }
    }
}

fn reader(path: PathBuf) -> impl FnOnce() -> Result<Fingerprint> + Send + 'static {
    move || Fingerprint::take(&path, now()).with_context(|| format!("read {} for its checksum", path.display()))
}

async fn insert(store: &dyn JobStore, job: JobId, chunks: Vec<NewChunk>) -> Result<InsertReport> {
    if chunks.is_empty() {
        return Ok(InsertReport::default());
    }
    let insert = Op::Insert { job: JobRef::Id(job), chunks: chunks.into() };
    match store.apply(vec![insert]).await?.pop() {
        Some(Reply::Inserted(report)) => Ok(report),
        other => anyhow::bail!("the store answered something else than was asked: {other:?}"),
    }
}

/// Marks chunks, and returns those for which it was not too late.
async fn mark(
    store: &dyn JobStore,
    job: JobId,
    chunks: &[ChunkId],
    status: JobStatus,
    error: Option<&str>,
) -> Result<Vec<ChunkId>> {
    let mut marked = Vec::new();
    for chunks in chunks.chunks(limits::PAGE_ROWS_MAX) {
        let update =
            |chunk_id: &ChunkId| JobUpdate { chunk_id: *chunk_id, status, checksum: None, error: error.map(str::to_owned) };
        let updates: Vec<_> = chunks.iter().map(update).collect();
        let verdicts = store.apply_batch_updates(job, &updates).await?;
        marked.extend(chunks.iter().zip(verdicts).filter(|(_, verdict)| verdict.is_ok()).map(|(chunk, _)| *chunk));
    }
    Ok(marked)
}
