//! Jobs: made, named, paused and removed.

use magnetar_core::{Job, JobId, JobOptions, JobRef, JobSpec, Rejection, Reply, Timestamp};

use super::{APPLIED, ExpectedReply, Model, Refusal};

/// A job as the model has it.
#[derive(Clone, Debug)]
pub(super) struct StoredJob {
    pub(super) name: Option<String>,
    pub(super) kind: String,
    pub(super) options: JobOptions,
    pub(super) paused: bool,
    pub(super) created_at: Timestamp,
}

impl Model {
    pub(super) fn job_named(&self, name: &str) -> Option<JobId> {
        self.jobs.iter().find(|(_, job)| job.name.as_deref() == Some(name)).map(|(id, _)| *id)
    }

    pub(super) fn resolve(&self, job: &JobRef) -> Result<JobId, Refusal> {
        match job {
            JobRef::Id(job) => self.known_job(*job).map(|_| *job),
            JobRef::Name(name) => self.job_named(name).ok_or_else(|| Rejection::JobNameNotFound { name: name.clone() }.into()),
        }
    }

    pub(super) fn ensure_job(&mut self, job: &JobRef, spec: &JobSpec, told: Option<&Reply>) -> Result<ExpectedReply, Refusal> {
        let name = match job {
            JobRef::Id(_) => spec.name.as_deref(),
            JobRef::Name(name) => Some(name.as_str()),
        };
        if let Ok(id) = self.resolve(job) {
            self.ensure_again(id, name, spec.options)?;
            return Ok(ExpectedReply::Exactly(Reply::Job { id, created: false }));
        }
        let id = match job {
            JobRef::Id(id) => *id,
            JobRef::Name(_) => self.job_id_that_is_free(told),
        };
        Refusal::any_of(name.and_then(|name| self.name_taken(id, name)).into_iter().collect())?;
        let made = StoredJob {
            name: name.map(str::to_owned),
            kind: spec.kind.clone(),
            options: spec.options.unwrap_or_default(),
            paused: false,
            created_at: self.now,
        };
        self.jobs.insert(id, made);
        Ok(ExpectedReply::Exactly(Reply::Job { id, created: true }))
    }

    /// An existing job gets the name that it lacks and the retry policy that it is told; what a failure does is fixed.
    fn ensure_again(&mut self, id: JobId, name: Option<&str>, options: Option<JobOptions>) -> Result<(), Refusal> {
        let mut refusals: Vec<_> = name.and_then(|name| self.name_taken(id, name)).into_iter().collect();
        if options.is_some_and(|options| options.on_failure != self.jobs[&id].options.on_failure) {
            refusals.push(Rejection::invalid("what a failure does cannot change"));
        }
        Refusal::any_of(refusals)?;
        let job = self.jobs.get_mut(&id).unwrap();
        job.name = job.name.take().or_else(|| name.map(str::to_owned));
        job.options = options.unwrap_or(job.options);
        Ok(())
    }

    /// The rejection where the job cannot carry the name, because it has another, or another has it.
    fn name_taken(&self, job: JobId, name: &str) -> Option<Rejection> {
        let own = self.jobs.get(&job).and_then(|job| job.name.as_deref());
        let is_free = own.is_none_or(|own| own == name) && self.job_named(name).is_none_or(|owner| owner == job);
        (!is_free).then(|| Rejection::NameTaken { job, name: name.to_owned(), owner: String::new() })
    }

    /// The id that the store picked for a job ensured by name, else the next one.
    fn job_id_that_is_free(&mut self, told: Option<&Reply>) -> JobId {
        let next = self.jobs.keys().last().map_or(1, |last| last + 1);
        match told {
            Some(Reply::Job { id, .. }) if self.jobs.contains_key(id) => {
                self.fault(format!("a new job was given the id {id} of another"));
                next
            }
            Some(Reply::Job { id, .. }) => *id,
            _ => next,
        }
    }

    pub(super) fn set_paused(&mut self, job: JobId, paused: bool) -> Result<ExpectedReply, Refusal> {
        self.known_job(job)?;
        self.jobs.get_mut(&job).unwrap().paused = paused;
        Ok(APPLIED)
    }

    pub(super) fn delete_job(&mut self, job: JobId) -> Result<ExpectedReply, Refusal> {
        self.known_job(job)?;
        let mut awaited = Vec::new();
        for ((waiting_job, waiting), chunk) in
            self.chunks.iter().filter(|((other, _), chunk)| *other != job && !chunk.status.is_terminal())
        {
            let open = chunk.depends_on.iter().filter(|parent| !self.chunk(**parent).status.is_terminal());
            let (waiting_job, waiting) = (*waiting_job, *waiting);
            let waited_for = open.chain(&chunk.awaits).filter(|parent| parent.0 == job);
            awaited.extend(waited_for.map(|parent| Rejection::Awaited { job, chunk: parent.1, waiting_job, waiting }));
        }
        Refusal::any_of(awaited)?;
        let goes: Vec<_> = self.chunks.keys().copied().filter(|key| key.0 == job).collect();
        let stays_open_behind =
            |key| self.children(key).into_iter().any(|child| child.0 != job && !self.chunk(child).status.is_terminal());
        if goes.iter().any(|key| stays_open_behind(*key)) {
            self.doubt("whether a job can go while an open chunk of another depends on what has ended in it");
        }
        self.remove_chunks(&goes);
        self.jobs.remove(&job);
        Ok(APPLIED)
    }

    /// A job as a store shows it.
    pub(super) fn show_job(&self, id: JobId) -> Job {
        let stored = &self.jobs[&id];
        let mut job = Job::new(id, stored.options, stored.created_at);
        job.name.clone_from(&stored.name);
        job.kind.clone_from(&stored.kind);
        job.paused = stored.paused;
        job.stats = self.stats(id);
        job
    }
}
