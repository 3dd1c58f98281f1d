//! What chunks wait for: counters, ends told to children, redrives, reopenings, and circles.

use std::collections::BTreeSet;

use magnetar_core::{ChunkId, JobId, JobStatus, OnFailure, Rejection, machine::Event};

use super::{APPLIED, ExpectedReply, Key, Model, Refusal};

impl Model {
    /// How many of its dependencies have not ended, and how many ended badly.
    pub(super) fn counters(&self, key: Key) -> (u64, u64) {
        let chunk = self.chunk(key);
        let parents = chunk.depends_on.iter().map(|parent| self.chunk(*parent).status);
        let (unmet, bad): (Vec<_>, Vec<_>) =
            parents.filter(|status| *status != JobStatus::Done).partition(|status| !status.is_terminal());
        ((unmet.len() + chunk.awaits.len()) as u64, bad.len() as u64)
    }

    /// What its job does behind a bad chunk.
    pub(super) fn on_failure(&self, key: Key) -> OnFailure {
        self.jobs[&key.0].options.on_failure
    }

    pub(super) fn is_blocked(&self, key: Key) -> bool {
        let (unmet, bad) = self.counters(key);
        unmet > 0 || (bad > 0 && self.on_failure(key) != OnFailure::Run)
    }

    /// Pending, and a bad dependency keeps it so.
    pub(super) fn is_held(&self, key: Key) -> bool {
        self.chunk(key).status == JobStatus::Pending && self.counters(key).1 > 0 && self.on_failure(key) != OnFailure::Run
    }

    /// Pending, not blocked, and it waits for a time.
    pub(super) fn is_delayed(&self, key: Key) -> bool {
        let chunk = self.chunk(key);
        chunk.status == JobStatus::Pending && !self.is_blocked(key) && chunk.not_before.is_some_and(|at| at > self.now)
    }

    pub(super) fn children(&self, parent: Key) -> Vec<Key> {
        self.chunks.iter().filter(|(_, chunk)| chunk.depends_on.contains(&parent)).map(|(key, _)| *key).collect()
    }

    /// Ends a chunk, and skips what is behind a bad end where its own job says so.
    pub(super) fn end(&mut self, key: Key, status: JobStatus) {
        let now = self.now;
        self.chunk_mut(key).ended(status, now);
        for chunk in self.chunks.values_mut() {
            chunk.awaits.remove(&key);
        }
        if status.is_bad() {
            self.children(key).into_iter().for_each(|child| self.skip_behind_bad(child));
        }
    }

    /// One of its dependencies went bad just now, or was added and is bad.
    pub(super) fn skip_behind_bad(&mut self, key: Key) {
        if self.chunk(key).status == JobStatus::Pending && self.on_failure(key) == OnFailure::Skip {
            self.end(key, JobStatus::Skipped);
        }
    }

    /// Gives a Failed, Skipped or Cancelled chunk another chance, and with it what was skipped because of it alone.
    pub(super) fn redrive(&mut self, key: Key) {
        self.renew(key);
        for child in self.children(key) {
            if self.chunk(child).status == JobStatus::Skipped && self.counters(child).1 == 0 {
                self.redrive(child);
            }
        }
    }

    fn renew(&mut self, key: Key) {
        if !self.chunk(key).lost_parents.is_empty() {
            self.doubt("whether a chunk that is Pending again still waits for a dependency that was removed");
        }
        self.chunk_mut(key).renew();
    }

    pub(super) fn reopen(&mut self, job: JobId, chunks: &[ChunkId]) -> Result<ExpectedReply, Refusal> {
        self.known_job(job)?;
        let roots: Vec<Key> = chunks.iter().map(|chunk| (job, *chunk)).collect();
        Refusal::any_of(
            roots.iter().filter_map(|root| self.known_chunk(*root).err()).map(|refusal| refusal.first().clone()).collect(),
        )?;
        let behind = self.descendants(&roots);
        let open_roots = roots.iter().filter(|root| !self.chunk(**root).status.is_terminal());
        let running = behind.iter().filter(|key| self.chunk(**key).status == JobStatus::Processing);
        Refusal::any_of(open_roots.chain(running).map(|key| self.not_allowed(*key, Event::Reopen)).collect())?;
        let ended: BTreeSet<Key> = behind.into_iter().chain(roots).filter(|key| self.chunk(*key).status.is_terminal()).collect();
        for key in &ended {
            self.renew(*key);
        }
        Ok(ExpectedReply::Reopened(ended.into_iter().collect()))
    }

    fn descendants(&self, roots: &[Key]) -> BTreeSet<Key> {
        let mut found = BTreeSet::new();
        let mut left: Vec<Key> = roots.iter().flat_map(|root| self.children(*root)).collect();
        while let Some(key) = left.pop() {
            if found.insert(key) {
                left.extend(self.children(key));
            }
        }
        found
    }

    pub(super) fn depend(&mut self, key: Key, on: &[Key]) -> Result<ExpectedReply, Refusal> {
        self.known_chunk(key)?;
        Refusal::any_of(self.missing(on))?;
        if self.chunk(key).status != JobStatus::Pending {
            return Err(self.not_allowed(key, Event::Depend).into());
        }
        let new: BTreeSet<Key> = on.iter().copied().filter(|parent| !self.chunk(key).depends_on.contains(parent)).collect();
        self.add_dependencies(new.iter().map(|parent| (key, *parent)).collect())?;
        Ok(APPLIED)
    }

    /// The rejections for those that do not exist.
    pub(super) fn missing(&self, keys: &[Key]) -> Vec<Rejection> {
        let missing = keys.iter().filter(|key| !self.chunks.contains_key(key));
        missing
            .flat_map(|(job, chunk)| {
                let of_chunk = Rejection::ChunkNotFound { job: *job, chunk: *chunk };
                if self.jobs.contains_key(job) { vec![of_chunk] } else { vec![Rejection::JobNotFound { job: *job }, of_chunk] }
            })
            .collect()
    }

    /// Adds dependencies that are not there yet, each a child and its parent, then skips what is behind bad ones.
    pub(super) fn add_dependencies(&mut self, new: Vec<(Key, Key)>) -> Result<(), Refusal> {
        for (child, parent) in &new {
            if *child == *parent
                || self.leads_to(*parent, *child, Through::Dependencies)
                || self.leads_to(*parent, *child, Through::Open)
            {
                return Err(cycle(*child, *parent));
            }
            if self.leads_to(*parent, *child, Through::Anything) {
                self.doubt("whether a chunk that was parked behind an ended one closes a circle");
            }
            if self.chunk(*child).awaits.contains(parent) {
                self.doubt("how often a chunk is counted that is both depended on and awaited");
            }
            self.chunk_mut(*child).depends_on.insert(*parent);
        }
        for (child, parent) in new {
            if self.chunk(parent).status.is_bad() {
                self.skip_behind_bad(child);
            }
        }
        Ok(())
    }

    /// Parks a chunk until all these have ended.
    pub(super) fn add_awaits(&mut self, key: Key, on: &[Key]) -> Result<(), Refusal> {
        Refusal::any_of(self.missing(on))?;
        let open: BTreeSet<Key> = on.iter().copied().filter(|other| !self.chunk(*other).status.is_terminal()).collect();
        for other in &open {
            if *other == key || self.leads_to(*other, key, Through::Open) {
                return Err(cycle(key, *other));
            }
            if self.leads_to(*other, key, Through::Anything) {
                self.doubt("whether a chunk that waits behind an ended one closes a circle");
            }
            if self.chunk(key).depends_on.contains(other) {
                self.doubt("how often a chunk is counted that is both depended on and awaited");
            }
        }
        self.chunk_mut(key).awaits = open;
        Ok(())
    }

    /// Whether `from` waits for `to`, directly or through others.
    fn leads_to(&self, from: Key, to: Key, through: Through) -> bool {
        let mut seen = BTreeSet::new();
        let mut left = vec![from];
        while let Some(key) = left.pop() {
            let chunk = self.chunk(key);
            if key == to {
                return true;
            }
            if !seen.insert(key) || (through == Through::Open && chunk.status.is_terminal()) {
                continue;
            }
            left.extend(&chunk.depends_on);
            if through != Through::Dependencies {
                left.extend(&chunk.awaits);
            }
        }
        false
    }

    pub(super) fn not_allowed(&self, (job, chunk): Key, event: Event) -> Rejection {
        Rejection::NotAllowed { job, chunk, status: self.chunk((job, chunk)).status, event }
    }
}

/// What a path may go through.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Through {
    /// Dependencies of any chunks: what must never be a circle.
    Dependencies,
    /// Dependencies and awaits of chunks that have not ended: what would wait for ever.
    Open,
    /// Everything.
    Anything,
}

fn cycle((job, chunk): Key, (on_job, on): Key) -> Refusal {
    Rejection::Cycle { job, chunk, on_job, on }.into()
}
