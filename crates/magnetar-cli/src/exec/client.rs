//! The side of `magnetar run`: the supervisors, and the commands that they attend to.

mod heir;
mod link;

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
};

use magnetar::LockHeir;
use tokio::sync::oneshot;

use self::{
    heir::Heirloom,
    link::{Link, Living},
};
use super::{
    command::Command,
    family,
    outcome::{End, Outcome},
};

/// Supervisors at most. Each starts some thousand processes a second.
const SUPERVISORS_MAX: usize = 8;

/// Supervisors, among which commands are shared out. Clones are the same ones.
#[derive(Clone)]
pub(crate) struct Supervisors(Arc<Inner>);

struct Inner {
    heirloom: Heirloom,
    living: Living,
    /// None where a supervisor was killed, or has not been needed yet.
    links: Mutex<Vec<Option<Link>>>,
}

impl Supervisors {
    /// Starts a supervisor, and makes room for as many as so many commands at once have use for. The system holds up whoever
    /// starts a process until its program is loaded; so there is one for each processor. Needs a tokio runtime.
    ///
    /// # Errors
    /// What the system says to another process.
    pub(crate) fn start(commands: usize) -> io::Result<Self> {
        family::adopt()?;
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let count = commands.min(processors).clamp(1, SUPERVISORS_MAX);
        let inner = Inner {
            heirloom: Heirloom::default(),
            living: Living::default(),
            links: Mutex::new((0..count).map(|_| None).collect()),
        };
        let supervisors = Self(Arc::new(inner));
        supervisors.with_idlest(|_| Ok(()))?;
        Ok(supervisors)
    }

    /// What hands the locks of a store's sessions to the supervisors.
    pub(crate) fn heir(&self) -> LockHeir {
        let inner = Arc::clone(&self.0);
        LockHeir::new(move |lock| inner.heirloom.add(lock))
    }

    /// Runs a command to its end. When `stop` returns it is killed, and its end is waited for.
    ///
    /// It goes on when this future is dropped.
    pub(crate) async fn run(&self, command: Command, stop: impl Future<Output = ()>) -> Outcome {
        let (stopper, mut ended) = match self.with_idlest(|link| link.begin(command)) {
            Ok(begun) => begun,
            Err(error) => {
                let is_permanent = error.kind() == io::ErrorKind::ArgumentListTooLong;
                return Outcome::bare(End::NotStarted { error: format!("start a command: {error}"), is_permanent });
            }
        };
        let outcome = tokio::select! {
            outcome = &mut ended => outcome,
            () = stop => {
                stopper.stop();
                ended.await
            }
        };
        // Nobody who could tell is left: the supervisor was killed, and all it had started has been.
        outcome.unwrap_or_else(|oneshot::error::RecvError { .. }| Outcome::bare(End::Lost))
    }

    /// Waits until all supervisors have ended. Commands that run are killed.
    pub(crate) async fn close(&self) {
        let links: Vec<_> = self.lock().iter_mut().filter_map(Option::take).collect();
        for link in links {
            link.close().await;
        }
    }

    /// Does something with the supervisor that has the least to do. One that was killed is replaced.
    fn with_idlest<T>(&self, what: impl FnOnce(&Link) -> io::Result<T>) -> io::Result<T> {
        let mut links = self.lock();
        let idlest = links.iter_mut().min_by_key(|link| link.as_ref().map_or(0, Link::load));
        let slot = idlest.ok_or_else(|| io::Error::other("there is room for no supervisor"))?;
        if slot.as_ref().is_none_or(Link::is_broken) {
            *slot = None;
            let (link, heirlooms) = Link::start(&self.0.living)?;
            self.0.heirloom.pass_on(heirlooms)?;
            *slot = Some(link);
        }
        match slot {
            Some(link) => what(link),
            None => Err(io::Error::other("there is no supervisor")),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Option<Link>>> {
        self.0.links.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
