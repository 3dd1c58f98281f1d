//! The side of `magnetar run`: one supervisor at a time, and the commands that it attends to.

mod heir;
mod link;

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use magnetar::LockHeir;
use tokio::sync::oneshot;

use self::{heir::Heirloom, link::Link};
use super::{
    command::Command,
    family,
    outcome::{End, Outcome},
};

/// A supervisor, started when the first command is. Clones are the same one.
#[derive(Clone)]
pub(crate) struct Supervisor(Arc<Inner>);

struct Inner {
    heirloom: Heirloom,
    link: Mutex<Option<Link>>,
}

impl Supervisor {
    /// Starts a supervisor. Needs a tokio runtime.
    ///
    /// # Errors
    /// What the system says to another process.
    pub(crate) fn start() -> io::Result<Self> {
        family::adopt()?;
        let inner = Inner { heirloom: Heirloom::default(), link: Mutex::default() };
        let supervisor = Self(Arc::new(inner));
        supervisor.ensure_link(&mut supervisor.link())?;
        Ok(supervisor)
    }

    /// What hands the locks of a store's sessions to the supervisor.
    pub(crate) fn heir(&self) -> LockHeir {
        let inner = Arc::clone(&self.0);
        LockHeir::new(move |lock| inner.heirloom.add(lock))
    }

    /// Runs a command to its end. When `stop` returns it is killed, and its end is waited for.
    ///
    /// It goes on when this future is dropped.
    pub(crate) async fn run(&self, command: Command, stop: impl Future<Output = ()>) -> Outcome {
        let (id, mut ended) = match self.begin(command) {
            Ok(begun) => begun,
            Err(error) => {
                let is_permanent = error.kind() == io::ErrorKind::ArgumentListTooLong;
                return Outcome::bare(End::NotStarted { error: format!("start a command: {error}"), is_permanent });
            }
        };
        let outcome = tokio::select! {
            outcome = &mut ended => outcome,
            () = stop => {
                if let Some(link) = &*self.link() {
                    link.stop(id);
                }
                ended.await
            }
        };
        // Nobody who could tell is left: the supervisor was killed, and all it had started has been.
        outcome.unwrap_or_else(|_| Outcome::bare(End::Lost))
    }

    /// Waits until the supervisor has ended. Commands that run are killed.
    pub(crate) async fn close(&self) {
        let link = self.link().take();
        if let Some(link) = link {
            link.close().await;
        }
    }

    fn begin(&self, command: Command) -> io::Result<(u64, oneshot::Receiver<Outcome>)> {
        let mut link = self.link();
        self.ensure_link(&mut link)?.begin(command)
    }

    /// The link to a supervisor that lives, which is a new one where the last was killed.
    fn ensure_link<'a>(&self, link: &'a mut Option<Link>) -> io::Result<&'a mut Link> {
        if link.as_ref().is_none_or(Link::is_broken) {
            *link = None;
            let (started, heirlooms) = Link::start()?;
            self.0.heirloom.pass_on(heirlooms)?;
            return Ok(link.insert(started));
        }
        link.as_mut().ok_or_else(|| io::Error::other("there is no supervisor"))
    }

    fn link(&self) -> MutexGuard<'_, Option<Link>> {
        self.0.link.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
