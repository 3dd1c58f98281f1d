//! The threaded driver: one thread writes, some read, and answers come back through guards.
//!
//! The writer takes all groups that wait, applies them, commits once, and answers all (group commit).

mod answers;
mod batch;
mod queue;
mod readers;

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use magnetar_core::{Answer, Clock, Error, ErrorKind, Group, Op, Query, Rejection, Reply, Result};

use self::{
    answers::{Answers, Applied},
    batch::{Batch, Gather},
    queue::{Ask, Queue, Request},
    readers::{Readers, Seen},
};
use crate::{
    answer::{Lost, answer},
    backend::Backend,
    hint::Hint,
    locks::Locks,
    options::Options,
    store::closed,
    sync::{Mutex, lock, sync_channel, thread},
    writer::{Writer, damaged, poisoned},
};

/// How often a read waits for ends to be told before it gives up.
const SETTLES_MAX: usize = 1000;

pub(crate) struct Threaded {
    shared: Arc<Shared>,
    readers: Readers,
    writer: Mutex<Option<thread::JoinHandle<()>>>,
    /// The process that opened the store. A child of a fork has the memory, but not the threads.
    process: u32,
}

pub(crate) struct Shared {
    queue: Queue,
    hint: Hint,
    /// Why nothing can be trusted any more.
    poison: Mutex<Option<String>>,
    /// What errors call the store.
    name: String,
}

/// Outcomes on their way to the caller; claims among them are released if they do not arrive.
struct Outcomes {
    outcomes: Vec<Result<Vec<Reply>, Rejection>>,
    shared: Weak<Shared>,
}

/// Nothing, on its way.
struct Told;

impl Lost for Told {
    fn lost(self) {}
}

impl Lost for Outcomes {
    fn lost(self) {
        let releases: Vec<Group> = claims(&self.outcomes).map(|fence| vec![Op::Release { fence }]).collect();
        if let (Some(shared), false) = (self.shared.upgrade(), releases.is_empty()) {
            let (nobody, _) = answer(closed);
            shared.queue.push_own(Request::new(releases, Ask::Groups(nobody)));
        }
    }
}

/// The fences of everything that was claimed.
fn claims(outcomes: &[Result<Vec<Reply>, Rejection>]) -> impl Iterator<Item = magnetar_core::Fence> {
    outcomes.iter().flatten().flatten().flat_map(|reply| {
        let (claimed, marked) = match reply {
            Reply::Claimed(chunks) => (chunks.as_slice(), None),
            Reply::Marked { fence, .. } => (&[][..], *fence),
            _ => (&[][..], None),
        };
        claimed.iter().filter_map(magnetar_core::JobState::fence).chain(marked)
    })
}

impl Threaded {
    pub(crate) fn open(
        backend: Box<dyn Backend>,
        options: Options,
        clock: Arc<dyn Clock>,
        locks: Box<dyn Locks>,
    ) -> Result<Self> {
        let (queue, hint, poison, name) = (Queue::new(&options), Hint::default(), Mutex::new(None), backend.name());
        let shared = Arc::new(Shared { queue, hint, poison, name });
        let for_clock = Arc::downgrade(&shared);
        // A clock that is set by hand goes on when every handle has done what the new time asks for.
        clock.on_set(Arc::new(move || {
            if let Some(shared) = for_clock.upgrade() {
                shared.upkeep();
            }
        }));
        let reader_count = options.readers.max(1);
        let writer = Writer::open(backend, options, clock, locks)?;
        let readers = Readers::start((0..reader_count).map(|_| writer.reader()).collect::<Result<_>>()?)?;
        let own = Arc::clone(&shared);
        let answers = Answers::start(&shared)?;
        let thread = spawn("magnetar-writer", move || write(writer, answers, &own))?;
        Ok(Self { shared, readers, writer: Mutex::new(Some(thread)), process: std::process::id() })
    }

    /// Refuses to work for the child of a fork, or after a failure whose outcome is unknown.
    fn check(&self) -> Result<()> {
        refuse_forked(self.process, std::process::id())?;
        self.shared.check()
    }

    pub(crate) async fn submit(&self, groups: Vec<Group>) -> Result<Vec<Result<Vec<Reply>, Rejection>>> {
        self.check()?;
        let (answerer, awaited) = answer(closed);
        self.shared.queue.push(Request::new(groups, Ask::Groups(answerer)))?;
        let arrived = awaited.await?;
        Ok(arrived.outcomes)
    }

    pub(crate) async fn read(&self, query: Query) -> Result<Answer> {
        query.check()?;
        for _ in 0..SETTLES_MAX {
            self.check()?;
            match self.readers.ask(query.clone())?.await? {
                Seen::Whole(answer) => return Ok(*answer),
                Seen::Panicked(why) => {
                    let error = damaged(&self.shared.name, &why);
                    lock(&self.shared.poison).get_or_insert(why);
                    return Err(error);
                }
                Seen::Half => {
                    let (answerer, awaited) = answer(closed);
                    self.shared.queue.push(Request::new(Vec::new(), Ask::Settle(answerer)))?;
                    awaited.await?;
                }
            }
        }
        Err(Error::new(ErrorKind::Busy, "read while so many chunks end at once; try again in a moment"))
    }

    pub(crate) async fn watch(&self, seen: u64) -> Result<u64> {
        self.check()?;
        self.shared.hint.watch(seen).await
    }

    pub(crate) async fn close(&self) -> Result<()> {
        let (answerer, awaited) = answer(|| Error::new(ErrorKind::Poisoned, "close a store whose writer is gone"));
        if !self.shared.queue.close(Request::new(Vec::new(), Ask::Close(answerer))) {
            return Ok(());
        }
        let closing = awaited.await;
        self.join();
        closing.map(drop)
    }

    /// Closes in the caller's thread.
    pub(crate) fn close_now(&self) {
        let (answerer, _) = answer(closed);
        // A forked child has none of the threads to wait for.
        if self.process == std::process::id() {
            self.shared.queue.close(Request::new(Vec::new(), Ask::Close(answerer)));
            self.join();
        }
    }

    fn join(&self) {
        if let Some(thread) = lock(&self.writer).take() {
            // The thread catches panics below it; one of its own is told as an answer that never came.
            let _ = thread.join();
        }
        self.readers.stop();
    }
}

impl Shared {
    fn check(&self) -> Result<()> {
        lock(&self.poison).as_ref().map_or(Ok(()), |why| Err(poisoned(why)))
    }

    /// Has the writer do its upkeep, and waits for it.
    fn upkeep(&self) {
        let (done, wait) = sync_channel(1);
        if self.queue.push_own(Request::new(Vec::new(), Ask::Upkeep(done))) {
            // The writer may be gone before it answers; then there is nothing to wait for.
            let _ = wait.recv();
        }
    }
}

/// A child of a fork has a copy of the handle, without its threads and with a session that is the parent's.
fn refuse_forked(opened_by: u32, process: u32) -> Result<()> {
    if opened_by == process {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Forked,
        format!("use a handle that process {opened_by} opened; open the store again in process {process}"),
    ))
}

/// Starts a thread with a name.
fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<thread::JoinHandle<()>> {
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(body)
        .map_err(|error| Error::new(ErrorKind::Unavailable, "start a thread for the store").with_source(error))
}

/// Sees to it that nobody waits for a writer that is gone, however it went.
struct Gone<'a>(&'a Shared);

impl Drop for Gone<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            lock(&self.0.poison).get_or_insert_with(|| "its writer panicked".to_owned());
        }
        self.0.queue.abandon();
        self.0.hint.close();
    }
}

/// The writer's thread.
fn write(mut writer: Writer, answers: Answers, shared: &Arc<Shared>) {
    let _gone = Gone(shared);
    let mut gather = Gather::new();
    loop {
        let idle_for = if writer.has_backlog() { Duration::ZERO } else { writer.idle_for() };
        let batch = gather.begin(&shared.queue, idle_for);
        let closing = work(&mut writer, &answers, shared, &mut gather, batch);
        if let Some(closing) = closing {
            let closed = writer.close();
            answers.end();
            closing.send(closed.map(|()| Told));
            return;
        }
    }
}

/// Applies a batch and answers it. Returns the request to close, where there was one: it is always the last.
fn work(
    writer: &mut Writer,
    answers: &Answers,
    shared: &Arc<Shared>,
    gather: &mut Gather,
    mut batch: Batch<'_>,
) -> Option<queue::Closing> {
    let ran = writer.run(&mut batch);
    let (requests, ended) = batch.end();
    gather.end(&ended);
    let failed = match ran {
        Ok(wakes) => {
            if wakes {
                shared.hint.change();
            }
            None
        }
        Err(error) => {
            if error.kind() == ErrorKind::Poisoned || writer.is_poisoned() {
                lock(&shared.poison).get_or_insert_with(|| error.to_string());
            }
            Some((error.kind(), error.to_string()))
        }
    };
    let mut closing = None;
    let (mut applied, mut settles, mut again) = (Vec::new(), Vec::new(), Vec::new());
    for request in requests {
        if failed.is_none() && request.is_waiting() {
            again.push(request);
            continue;
        }
        let failure = failed.clone().map(|(kind, message)| Error::new(kind, message));
        match (request.ask, failure) {
            (Ask::Groups(answerer), Some(error)) => answerer.send(Err(error)),
            (Ask::Groups(answerer), None) => {
                applied.push(Applied { answerer, outcomes: request.outcomes, groups: request.groups });
            }
            (Ask::Settle(answerer), Some(error)) => answerer.send(Err(error)),
            (Ask::Settle(answerer), None) => settles.push(answerer),
            (Ask::Upkeep(done), _) => drop(done.send(())),
            (Ask::Close(answerer), _) => closing = Some(answerer),
        }
    }
    answers.give(applied);
    for answerer in settles {
        answerer.send(writer.settle().map(|wakes| {
            if wakes {
                shared.hint.change();
            }
            Told
        }));
    }
    shared.queue.push_again(again);
    writer.remember();
    closing
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handle_is_refused_in_another_process_than_the_one_that_opened_it() {
        assert!(refuse_forked(1, 1).is_ok());
        let error = refuse_forked(1, 2).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Forked);
        assert!(error.to_string().contains("process 1"), "{error}");
    }
}
