//! Putting chunks in, once and once more.

use std::collections::BTreeSet;

use magnetar_core::{ChunkId, InsertReport, JobId, JobRef, JobStatus, NewChunk, Rejection, Reply};

use super::{ExpectedReply, Key, Model, Refusal, chunk::Chunk};

/// An insert under way.
#[derive(Default)]
struct Insert {
    report: InsertReport,
    /// Chunks of the job that the insert names.
    named: BTreeSet<ChunkId>,
    /// Dependencies that are not there yet, each a child and its parent.
    dependencies: Vec<(Key, Key)>,
    /// Dependencies that come to nothing, because their chunk stays as it is.
    ignored: Vec<Key>,
}

impl Model {
    pub(super) fn insert(&mut self, job: &JobRef, chunks: &[NewChunk], told: Option<&Reply>) -> Result<ExpectedReply, Refusal> {
        let job = self.resolve(job)?;
        self.doubt_order(job, chunks);
        let told = match told {
            Some(Reply::Inserted(report)) => report.ids.as_slice(),
            _ => &[],
        };
        let mut insert = Insert::default();
        for new in chunks {
            let told = told.get(insert.report.ids.len()).copied();
            let id = self.insert_one(job, new, told, &mut insert);
            insert.named.insert(id);
            if new.id.is_none() || new.key.is_some() {
                insert.report.ids.push(id);
            }
        }
        if !self.missing(&insert.ignored).is_empty() {
            self.doubt("whether a dependency that does not exist is refused for a chunk that stays as it is");
        }
        self.insert_dependencies(insert.dependencies)?;
        let total = self.chunks.keys().filter(|key| key.0 == job).count();
        insert.report.absent = (total - insert.named.len()) as u64;
        Ok(ExpectedReply::Inserted(insert.report))
    }

    /// Which of several chunks that get in each other's way comes first is not said.
    fn doubt_order(&mut self, job: JobId, chunks: &[NewChunk]) {
        let ids: Vec<ChunkId> = chunks.iter().filter_map(|new| new.id).collect();
        if ids.iter().collect::<BTreeSet<_>>().len() < ids.len() {
            self.doubt("what an insert does that names a chunk twice");
        }
        let has_new_id = ids.iter().any(|id| !self.chunks.contains_key(&(job, *id)));
        if has_new_id && chunks.iter().any(|new| new.id.is_none()) {
            self.doubt("what number a chunk gets beside new ids in the same insert");
        }
    }

    /// Puts in one chunk, without its dependencies, and returns which chunk of the job it is.
    fn insert_one(&mut self, job: JobId, new: &NewChunk, told: Option<ChunkId>, insert: &mut Insert) -> ChunkId {
        let carrier = new.key.as_ref().and_then(|key| self.carrier(job, key));
        match (new.id, carrier) {
            (id, Some(carrier)) if id != Some(carrier) => {
                if id.is_some_and(|id| self.chunks.contains_key(&(job, id))) {
                    self.doubt("what becomes of a chunk whose insert carries the key of another");
                }
                insert.ignored.extend(parents(job, new));
                self.leave(job, carrier, insert);
                carrier
            }
            (Some(id), _) if self.chunks.contains_key(&(job, id)) => {
                self.insert_again((job, id), new, insert);
                id
            }
            (id, _) => {
                let id = id.unwrap_or_else(|| self.next_chunk_id(job, told));
                self.add((job, id), new, insert);
                id
            }
        }
    }

    /// The chunk of the job that carries this key.
    fn carrier(&self, job: JobId, key: &str) -> Option<ChunkId> {
        self.chunks.iter().find(|((of, _), chunk)| *of == job && chunk.key.as_deref() == Some(key)).map(|((_, id), _)| *id)
    }

    /// A store numbers upwards: the number is larger than every id of the job.
    fn next_chunk_id(&mut self, job: JobId, told: Option<ChunkId>) -> ChunkId {
        let last = self.chunks.keys().filter(|key| key.0 == job).map(|key| key.1).max();
        match (told, last) {
            (Some(id), Some(last)) if id <= last => {
                self.fault(format!("a new chunk of job {job} was given the number {id}, and {last} is taken"));
                last + 1
            }
            (Some(id), _) => id,
            (None, _) => last.unwrap_or(0) + 1,
        }
    }

    fn add(&mut self, key: Key, new: &NewChunk, insert: &mut Insert) {
        if self.chunks.values().any(|chunk| chunk.lost_parents.contains(&key)) {
            self.doubt("whether what depended on a removed chunk depends on one that is put in under its id");
        }
        let number = self.number();
        self.chunks.insert(key, Chunk::new(number, new, self.now));
        insert.dependencies.extend(parents(key.0, new).into_iter().map(|parent| (key, parent)));
        insert.report.added += 1;
    }

    /// A Pending chunk takes the new definition, a chunk that runs with another checksum is a conflict, an ended one is not touched.
    fn insert_again(&mut self, key: Key, new: &NewChunk, insert: &mut Insert) {
        let chunk = self.chunk_mut(key);
        if chunk.status == JobStatus::Processing && new.checksum.is_some() && new.checksum != chunk.expected {
            insert.ignored.extend(parents(key.0, new));
            insert.report.conflicts.push(key.1);
        } else if chunk.status == JobStatus::Pending {
            let before = chunk.clone();
            chunk.expected = new.checksum.clone().or(chunk.expected.take());
            chunk.payload.clone_from(&new.payload);
            chunk.extra = new.extra.clone();
            chunk.priority = new.priority;
            chunk.lane.clone_from(&new.lane);
            chunk.timeout = new.timeout;
            chunk.max_fails = new.max_fails;
            let news: Vec<Key> = parents(key.0, new).into_iter().filter(|parent| !before.depends_on.contains(parent)).collect();
            let is_same = *chunk == before && news.is_empty();
            insert.dependencies.extend(news.into_iter().map(|parent| (key, parent)));
            *(if is_same { &mut insert.report.unchanged } else { &mut insert.report.updated }) += 1;
        } else {
            insert.ignored.extend(parents(key.0, new));
            self.leave(key.0, key.1, insert);
        }
    }

    /// Counts a chunk that stays as it is.
    fn leave(&self, job: JobId, chunk: ChunkId, insert: &mut Insert) {
        let has_ended = self.chunk((job, chunk)).status.is_terminal();
        *(if has_ended { &mut insert.report.ended } else { &mut insert.report.unchanged }) += 1;
    }

    fn insert_dependencies(&mut self, new: Vec<(Key, Key)>) -> Result<(), Refusal> {
        let parents: Vec<Key> = new.iter().map(|(_, parent)| *parent).collect();
        Refusal::any_of(self.missing(&parents))?;
        if let Some((child, _)) = new.iter().find(|(child, parent)| child == parent) {
            let itself = Rejection::Cycle { job: child.0, chunk: child.1, on_job: child.0, on: child.1 };
            return Refusal::any_of(vec![itself, Rejection::invalid(format!("{child:?} waits for itself"))]);
        }
        self.add_dependencies(new)
    }
}

/// Everything that a new chunk names as a dependency, once.
fn parents(job: JobId, new: &NewChunk) -> BTreeSet<Key> {
    let own = new.depends_on.iter().map(|chunk| (job, *chunk));
    own.chain(new.depends_on_jobs.iter().copied()).collect()
}
