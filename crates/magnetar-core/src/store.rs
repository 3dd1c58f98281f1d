//! The one trait that every backend implements and every caller uses.

use async_trait::async_trait;

use crate::{
    chunk::{JobState, JobUpdate, NewChunk},
    error::{Error, ErrorKind, Rejection, Result},
    id::{ChunkId, Fence, JobId, JobRef, Lane},
    job::{Job, JobSpec, JobStats},
    limits,
    manifest::{Manifest, ManifestError},
    op::{Claim, Expect, Group, InsertReport, Op, Pruned, Reply, Until},
    query::{Answer, Audit, Filter, Page, Query, Record},
    snapshot::{Restored, Snapshot},
    status::JobStatus,
    time::Timestamp,
};

/// What survives once a call has returned `Ok`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Durability {
    /// Nothing: for tests.
    Volatile,
    /// A kill of the process.
    Process,
    /// A power cut, as far as the drive honours a flush.
    Power,
}

/// Who can have a store open at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Sharing {
    /// One handle.
    OneHandle,
    /// Handles of one process.
    OneProcess,
    /// Processes of one host.
    OneHost,
    /// Many hosts.
    ManyHosts,
}

/// What a store can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// The backend's name, in lower case.
    pub backend: &'static str,
    /// What survives once a call has returned.
    pub durability: Durability,
    /// Who can have it open at the same time.
    pub sharing: Sharing,
}

impl Capabilities {
    /// The capabilities of a backend.
    pub const fn new(backend: &'static str, durability: Durability, sharing: Sharing) -> Self {
        Self { backend, durability, sharing }
    }
}

/// A store of jobs.
///
/// A backend writes [`submit`](Self::submit), [`read`](Self::read), [`watch`](Self::watch),
/// [`capabilities`](Self::capabilities) and [`close`](Self::close); everything else stands on those five and is the
/// same for all. Handles are shared behind `Arc`; every method takes `&self`.
///
/// # Behavior
/// - When a call that changes something returns `Ok`, the change survives what [`Capabilities::durability`] says.
/// - A crash in the middle of a call leaves all of it or nothing of it.
/// - A future that is dropped before it ends may or may not have its effect; chunks that it claimed are released.
/// - An unknown job reads as empty, none or zeros; a claim on it takes nothing; a write to it is `NotFound`.
/// - After [`close`](Self::close) every call is `Closed`. Dropping the last handle closes it too.
#[async_trait]
pub trait JobStore: Send + Sync {
    /// Applies groups in one commit. Each happens wholly or not at all; a rejected one does not undo the others.
    ///
    /// # Errors
    /// An error of the whole call (`Busy`, `Closed`, `Poisoned`, …) means that nothing was changed, except where the
    /// commit itself failed: then the outcome is unknown until the store is opened again.
    async fn submit(&self, groups: Vec<Group>) -> Result<Vec<Result<Vec<Reply>, Rejection>>>;

    /// Answers a query from one consistent snapshot.
    async fn read(&self, query: Query) -> Result<Answer>;

    /// Waits until something may have become claimable since the hint `seen`, and returns the new hint.
    ///
    /// Begin with 0. It is a hint, and lossy: what other processes do may not be told. Poll beside it.
    async fn watch(&self, seen: u64) -> Result<u64>;

    /// What this store can do.
    fn capabilities(&self) -> Capabilities;

    /// Ends what was accepted, gives back what this handle holds, and closes. Closing again is no error.
    async fn close(&self) -> Result<()>;

    /// Applies one group and returns a reply for each of its ops.
    async fn apply(&self, group: Group) -> Result<Vec<Reply>> {
        let mut outcomes = self.submit(vec![group]).await?;
        match outcomes.pop() {
            Some(Ok(replies)) => Ok(replies),
            Some(Err(rejection)) => Err(rejection.into()),
            None => Err(unexpected("no outcome for a group")),
        }
    }

    /// Creates a job if there is none, and returns its id.
    async fn ensure_job(&self, job: JobRef, spec: JobSpec) -> Result<JobId> {
        match self.apply(vec![Op::EnsureJob { job, spec }]).await?.pop() {
            Some(Reply::Job { id, .. }) => Ok(id),
            other => Err(unexpected(other)),
        }
    }

    /// Puts chunks into a job that exists, in one commit; "Once more" of the contract says what becomes of those that
    /// are there already.
    async fn insert(&self, job_id: JobId, chunks: Vec<NewChunk>) -> Result<InsertReport> {
        inserted(self.apply(vec![Op::Insert { job: JobRef::Id(job_id), chunks: chunks.into() }]).await?)
    }

    /// Makes the job what the manifest says, in one commit, however often it is called.
    ///
    /// A new id is added, a Pending chunk takes the new checksum and definition, a chunk that runs with another checksum
    /// is a conflict, a chunk that ended is never touched, what is absent stays. The report counts each.
    ///
    /// # Errors
    /// `Conflict` where the job carries another name than the manifest; `Invalid` where a running job would have to
    /// change what a failure does; `Cycle` where the manifest's dependencies close a circle with stored ones.
    async fn init_from_manifest(&self, job_id: JobId, manifest: &Manifest) -> Result<InsertReport> {
        let job = JobRef::Id(job_id);
        let ensure = Op::EnsureJob { job: job.clone(), spec: manifest.spec().clone() };
        inserted(self.apply(vec![ensure, Op::Insert { job, chunks: manifest.shared_chunks() }]).await?)
    }

    /// Makes the job what a stream of chunks says, [`limits::STREAM_BATCH_CHUNKS`] a commit.
    ///
    /// A crash or an error leaves the batches before it; running it again goes on.
    ///
    /// # Errors
    /// `Invalid` with the error of the stream as source, or what the store says to a batch.
    async fn init_from_stream(
        &self,
        job_id: JobId,
        spec: JobSpec,
        chunks: &mut (dyn Iterator<Item = Result<NewChunk, ManifestError>> + Send),
    ) -> Result<InsertReport> {
        self.ensure_job(JobRef::Id(job_id), spec).await?;
        let mut total = InsertReport::default();
        loop {
            let batch = chunks.take(limits::STREAM_BATCH_CHUNKS).collect::<Result<Vec<_>, _>>()?;
            let is_last = batch.len() < limits::STREAM_BATCH_CHUNKS;
            let part = self.insert(job_id, batch).await?;
            total.added += part.added;
            total.updated += part.updated;
            total.unchanged += part.unchanged;
            total.ended += part.ended;
            total.conflicts.extend(part.conflicts);
            total.ids.extend(part.ids);
            if is_last {
                let named = total.added + total.updated + total.unchanged + total.ended + total.conflicts.len() as u64;
                total.absent = self.get_stats(job_id).await?.total_chunks.saturating_sub(named);
                return Ok(total);
            }
        }
    }

    /// Takes the lowest ready chunk of the job's own lane among the most urgent; none where nothing is ready.
    async fn claim_pending(&self, job_id: JobId) -> Result<Option<JobState>> {
        Ok(self.claim_pending_batch(job_id, 1).await?.pop())
    }

    /// Takes up to `limit` ready chunks of the job's own lane, the most urgent first, then by id.
    ///
    /// # Errors
    /// `Invalid` for a limit of 0, `TooLarge` beyond [`limits::CLAIM_CHUNKS_MAX`].
    async fn claim_pending_batch(&self, job_id: JobId, limit: usize) -> Result<Vec<JobState>> {
        self.claim(vec![Lane::of(job_id)], limit).await
    }

    /// Takes up to `limit` ready chunks from any of the lanes: see [`Claim`] for the order.
    async fn claim(&self, lanes: Vec<Lane>, limit: usize) -> Result<Vec<JobState>> {
        claimed(self.apply(vec![Op::Claim(Claim { lanes, limit })]).await?)
    }

    /// Ends a claimed chunk as Done and keeps its result.
    ///
    /// # Errors
    /// `FenceLost` where the claim was taken back; `AlreadyApplied` where this fence has completed it before.
    async fn complete(&self, fence: &Fence, result: Vec<u8>) -> Result<()> {
        self.apply(vec![Op::Complete { fence: *fence, result, checksum: None }]).await.map(drop)
    }

    /// Ends a claimed chunk as Done and takes the next ones, in one commit.
    ///
    /// # Errors
    /// As [`complete`](Self::complete); nothing is taken then.
    async fn complete_and_claim(&self, fence: &Fence, result: Vec<u8>, lanes: Vec<Lane>, limit: usize) -> Result<Vec<JobState>> {
        let complete = Op::Complete { fence: *fence, result, checksum: None };
        claimed(self.apply(vec![complete, Op::Claim(Claim { lanes, limit })]).await?)
    }

    /// Counts a failure. Returns when the chunk is tried again; none where its budget is spent and it ended as Failed.
    ///
    /// # Errors
    /// `FenceLost` where the claim was taken back; `AlreadyApplied` where this fence has failed it before.
    async fn fail(&self, fence: &Fence, error: String) -> Result<Option<Timestamp>> {
        match self.apply(vec![Op::Fail { fence: *fence, error }]).await?.pop() {
            Some(Reply::Failed { retry_at }) => Ok(retry_at),
            other => Err(unexpected(other)),
        }
    }

    /// Gives a claimed chunk back. Costs no budget.
    ///
    /// # Errors
    /// `FenceLost` where the claim was taken back; `AlreadyApplied` where this fence has released it before.
    async fn release(&self, fence: &Fence) -> Result<()> {
        self.apply(vec![Op::Release { fence: *fence }]).await.map(drop)
    }

    /// Gives a claimed chunk back until something happens. Costs no budget and frees the worker.
    ///
    /// # Errors
    /// As [`release`](Self::release); `Cycle` where what it would wait for waits for it.
    async fn park(&self, fence: &Fence, until: Until) -> Result<()> {
        self.apply(vec![Op::Park { fence: *fence, until }]).await.map(drop)
    }

    /// Says whether a claim is in force.
    ///
    /// # Errors
    /// `FenceLost` where it is not.
    async fn check(&self, fence: &Fence) -> Result<()> {
        self.apply(vec![Op::Check { fence: *fence }]).await.map(drop)
    }

    /// Marks a chunk without a fence.
    ///
    /// From Pending, unless blocked: Processing claims it; Done, Failed and Cancelled claim and end it. What this handle
    /// claimed is marked under that claim's fence. Own Processing to Pending releases it. Failed, Skipped and Cancelled to
    /// Pending redrives it. Marking what already is so changes nothing.
    ///
    /// # Errors
    /// `FenceLost` where this handle's claim was taken back, `Conflict` where another live session holds the chunk,
    /// `Blocked`, and `NotAllowed` for a step that the machine does not have.
    async fn mark_status(&self, job_id: JobId, chunk: ChunkId, status: JobStatus, checksum: Option<String>) -> Result<()> {
        let update = JobUpdate { chunk_id: chunk, status, checksum, error: None };
        self.apply(vec![Op::Mark { job: job_id, update }]).await.map(drop)
    }

    /// Marks a chunk as Failed, whatever budget remains.
    ///
    /// # Errors
    /// As [`mark_status`](Self::mark_status).
    async fn mark_failed(&self, job_id: JobId, chunk: ChunkId, error: String) -> Result<()> {
        let update = JobUpdate { chunk_id: chunk, status: JobStatus::Failed, checksum: None, error: Some(error) };
        self.apply(vec![Op::Mark { job: job_id, update }]).await.map(drop)
    }

    /// Marks many chunks in one commit, with a verdict for each; a refused one does not undo the others.
    ///
    /// # Errors
    /// `NotFound` for an unknown job; an error of the whole call as for [`submit`](Self::submit).
    async fn apply_batch_updates(&self, job_id: JobId, updates: &[JobUpdate]) -> Result<Vec<Result<(), Rejection>>> {
        let groups = updates.iter().map(|update| vec![Op::Mark { job: job_id, update: update.clone() }]).collect();
        let verdicts: Vec<_> = self.submit(groups).await?.into_iter().map(|outcome| outcome.map(drop)).collect();
        match verdicts.first() {
            Some(Err(rejection @ Rejection::JobNotFound { .. })) => Err(rejection.clone().into()),
            _ => Ok(verdicts),
        }
    }

    /// Takes back what dead sessions held, then lists every Pending chunk by id: blocked and delayed ones too.
    async fn resume_pending(&self, job_id: JobId) -> Result<Vec<JobState>> {
        self.apply(vec![Op::Reap]).await?;
        self.get_by_status(job_id, JobStatus::Pending).await
    }

    /// Lists the chunks that stand there, by id. Beyond [`limits::PAGE_ROWS_MAX`] it is read in several snapshots.
    async fn get_by_status(&self, job_id: JobId, status: JobStatus) -> Result<Vec<JobState>> {
        let mut all = Vec::new();
        let mut after = None;
        loop {
            let page = self.chunks(job_id, Filter::Status(status), after, limits::PAGE_ROWS_MAX).await?;
            all.extend(page.items);
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(all),
            }
        }
    }

    /// Makes a chunk that has not started wait for others of its job.
    ///
    /// # Errors
    /// `Cycle`, `NotFound` for a missing parent, `NotAllowed` for a chunk that runs or has ended; no change then.
    async fn add_dependency(&self, job_id: JobId, chunk: ChunkId, deps: Vec<ChunkId>) -> Result<()> {
        let on = deps.into_iter().map(|dep| (job_id, dep)).collect();
        self.apply(vec![Op::Depend { job: job_id, chunk, on }]).await.map(drop)
    }

    /// Lists the chunks of the same job that a chunk must wait for, by id.
    async fn get_dependencies(&self, job_id: JobId, chunk: ChunkId) -> Result<Vec<ChunkId>> {
        match self.read(Query::Dependencies { job: job_id, chunk }).await? {
            Answer::Dependencies(all) => Ok(all.into_iter().filter(|(job, _)| *job == job_id).map(|(_, chunk)| chunk).collect()),
            other => Err(unexpected(other)),
        }
    }

    /// Lists the Pending chunks whose dependencies are all Done, by id; those that wait for a time are among them.
    async fn topo_sort_ready(&self, job_id: JobId) -> Result<Vec<ChunkId>> {
        let mut all = Vec::new();
        let mut after = None;
        loop {
            let page = self.ids(job_id, Filter::Unblocked, after, limits::PAGE_ROWS_MAX).await?;
            all.extend(page.items);
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(all),
            }
        }
    }

    /// Reads a chunk.
    async fn get_chunk(&self, job_id: JobId, chunk: ChunkId) -> Result<Option<JobState>> {
        match self.read(Query::Chunk { job: job_id, chunk }).await? {
            Answer::Chunk(chunk) => Ok(chunk.map(|chunk| *chunk)),
            other => Err(unexpected(other)),
        }
    }

    /// Reads how far a job is.
    async fn get_stats(&self, job_id: JobId) -> Result<JobStats> {
        match self.read(Query::Stats(job_id)).await? {
            Answer::Stats(stats) => Ok(stats),
            other => Err(unexpected(other)),
        }
    }

    /// Lists a page of chunks by id.
    async fn chunks(
        &self,
        job_id: JobId,
        filter: Filter,
        after: Option<ChunkId>,
        limit: usize,
    ) -> Result<Page<JobState, ChunkId>> {
        match self.read(Query::Chunks { job: job_id, filter, after, limit }).await? {
            Answer::Chunks(page) => Ok(page),
            other => Err(unexpected(other)),
        }
    }

    /// Lists a page of chunk ids, without reading what is in the chunks.
    async fn ids(&self, job_id: JobId, filter: Filter, after: Option<ChunkId>, limit: usize) -> Result<Page<ChunkId, ChunkId>> {
        match self.read(Query::Ids { job: job_id, filter, after, limit }).await? {
            Answer::Ids(page) => Ok(page),
            other => Err(unexpected(other)),
        }
    }

    /// Lists every job, by id.
    async fn jobs(&self) -> Result<Vec<Job>> {
        let mut all = Vec::new();
        let mut after = None;
        loop {
            match self.read(Query::Jobs { after, limit: limits::PAGE_ROWS_MAX }).await? {
                Answer::Jobs(page) => {
                    all.extend(page.items);
                    match page.next {
                        Some(next) => after = Some(next),
                        None => return Ok(all),
                    }
                }
                other => return Err(unexpected(other)),
            }
        }
    }

    /// Reads a job.
    async fn job(&self, job_id: JobId) -> Result<Option<Job>> {
        job(self.read(Query::Job(job_id)).await?)
    }

    /// Reads the job of this name.
    async fn job_by_name(&self, name: &str) -> Result<Option<Job>> {
        job(self.read(Query::JobByName(name.to_owned())).await?)
    }

    /// Removes a job and all in it, also while chunks run.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` while an open chunk of another job waits for one of this.
    async fn delete_job(&self, job_id: JobId) -> Result<()> {
        self.apply(vec![Op::DeleteJob { job: job_id }]).await.map(drop)
    }

    /// Holds the chunks of a job back from being claimed; what is claimed goes on. Pausing again is no error.
    async fn pause(&self, job_id: JobId) -> Result<()> {
        self.apply(vec![Op::Pause { job: job_id }]).await.map(drop)
    }

    /// Lets the chunks of a job be claimed again. Resuming again is no error.
    async fn resume(&self, job_id: JobId) -> Result<()> {
        self.apply(vec![Op::Resume { job: job_id }]).await.map(drop)
    }

    /// Makes ended chunks Pending again, along with their ended descendants, and returns all that are Pending again.
    ///
    /// # Errors
    /// `NotAllowed` for a chunk that has not ended or a descendant that is Processing; no change then.
    async fn reopen(&self, job_id: JobId, chunks: Vec<ChunkId>) -> Result<Vec<(JobId, ChunkId)>> {
        match self.apply(vec![Op::Reopen { job: job_id, chunks }]).await?.pop() {
            Some(Reply::Reopened(chunks)) => Ok(chunks),
            other => Err(unexpected(other)),
        }
    }

    /// Removes every chunk that ended before an instant and that no open chunk depends on; returns how many.
    async fn prune(&self, job_id: JobId, ended_before: Timestamp) -> Result<u64> {
        let mut removed = 0;
        let mut after = None;
        loop {
            let op = Op::Prune { job: job_id, ended_before, after, limit: limits::PRUNE_CHUNKS_MAX };
            let Some(Reply::Pruned(Pruned { removed: more, next })) = self.apply(vec![op]).await?.pop() else {
                return Err(unexpected("no count for a prune"));
            };
            removed += more;
            match next {
                Some(next) => after = Some(next),
                None => return Ok(removed),
            }
        }
    }

    /// Writes or removes a record, and returns its new version.
    ///
    /// # Errors
    /// `Conflict` where something else stands there than was expected.
    async fn put_record(&self, space: &str, key: &[u8], value: Option<Vec<u8>>, expect: Expect) -> Result<Option<u64>> {
        match self.apply(vec![Op::PutRecord { space: space.to_owned(), key: key.to_vec(), value, expect }]).await?.pop() {
            Some(Reply::Version(version)) => Ok(version),
            other => Err(unexpected(other)),
        }
    }

    /// Reads a record.
    async fn get_record(&self, space: &str, key: &[u8]) -> Result<Option<Record>> {
        match self.read(Query::Record { space: space.to_owned(), key: key.to_vec() }).await? {
            Answer::Record(record) => Ok(record),
            other => Err(unexpected(other)),
        }
    }

    /// Lists a page of the records of a space whose keys begin so, by key.
    async fn records(&self, space: &str, prefix: &[u8], after: Option<Vec<u8>>, limit: usize) -> Result<Page<Record, Vec<u8>>> {
        match self.read(Query::Records { space: space.to_owned(), prefix: prefix.to_vec(), after, limit }).await? {
            Answer::Records(page) => Ok(page),
            other => Err(unexpected(other)),
        }
    }

    /// Everything that the store holds, as one read saw it: for a checkpoint, or a move. It is in memory at once.
    ///
    /// # Errors
    /// `Corrupt` where a row of it is damaged.
    async fn snapshot(&self) -> Result<Snapshot> {
        match self.read(Query::Snapshot).await? {
            Answer::Snapshot(snapshot) => Ok(*snapshot),
            other => Err(unexpected(other)),
        }
    }

    /// Brings back everything of a snapshot in one commit. What ran when it was taken is Pending, and every token that this store
    /// gives from here on is larger than any that the snapshot's store had given: workers of that one are fenced.
    ///
    /// # Errors
    /// `Conflict` where the store has one of its jobs, names or records; `Invalid` or `TooLarge` for what no store could hold.
    async fn restore(&self, snapshot: Snapshot) -> Result<Restored> {
        match self.apply(vec![Op::Restore { snapshot: snapshot.into() }]).await?.pop() {
            Some(Reply::Restored(restored)) => Ok(restored),
            other => Err(unexpected(other)),
        }
    }

    /// Holds everything about a job against everything else: counters against a recount, places against statuses,
    /// dependencies against what they count, and all rows against the job's digest, which tells where one was lost, doubled,
    /// or is an old one. Reads the whole job. Damaged rows are problems like any other.
    async fn audit(&self, job_id: JobId) -> Result<Audit> {
        match self.read(Query::Audit(job_id)).await? {
            Answer::Audit(audit) => Ok(audit),
            other => Err(unexpected(other)),
        }
    }

    /// Holds what belongs to no job against everything else: ids and names of jobs, records, and whether every row belongs to
    /// a job that is there. Does not look into jobs, as [`audit`](Self::audit) does.
    async fn audit_store(&self) -> Result<Audit> {
        match self.read(Query::AuditStore).await? {
            Answer::Audit(audit) => Ok(audit),
            other => Err(unexpected(other)),
        }
    }
}

fn inserted(mut replies: Vec<Reply>) -> Result<InsertReport> {
    match replies.pop() {
        Some(Reply::Inserted(report)) => Ok(report),
        other => Err(unexpected(other)),
    }
}

fn claimed(mut replies: Vec<Reply>) -> Result<Vec<JobState>> {
    match replies.pop() {
        Some(Reply::Claimed(chunks)) => Ok(chunks),
        other => Err(unexpected(other)),
    }
}

fn job(answer: Answer) -> Result<Option<Job>> {
    match answer {
        Answer::Job(job) => Ok(job.map(|job| *job)),
        other => Err(unexpected(other)),
    }
}

/// A backend answered something else than was asked: a fault of the backend.
fn unexpected(answer: impl std::fmt::Debug) -> Error {
    Error::new(ErrorKind::Backend, format!("the backend answered something else than was asked: {answer:?}"))
}
