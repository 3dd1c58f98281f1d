//! Who has died: from the kernel's signal to whoever attends to that command.

use std::{cell::RefCell, collections::HashMap, io, rc::Rc};

use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::Notify,
};
use wait4::{ResUse, try_wait4_pid};

use crate::exec::family::number;

/// The commands that have been started and not been reaped. Until it is reaped a command that has died keeps its number, and
/// that of its group, so no signal for it can hit anything else.
#[derive(Default)]
pub(super) struct Deaths {
    unreaped: RefCell<HashMap<Pid, Rc<Notify>>>,
}

impl Deaths {
    /// Begins to watch for deaths, in a task of its own.
    pub(super) fn watch() -> io::Result<Rc<Self>> {
        let deaths = Rc::new(Self::default());
        let signals = signal(SignalKind::child())?;
        tokio::task::spawn_local(Rc::clone(&deaths).listen(signals));
        Ok(deaths)
    }

    /// What is notified once this child has died.
    pub(super) fn expect(&self, pid: Pid) -> Rc<Notify> {
        let death = Rc::clone(self.unreaped.borrow_mut().entry(pid).or_default());
        // The signal may have come before anybody expected it.
        if is_dead(pid) {
            death.notify_one();
        }
        death
    }

    /// Whether this is a command that has not been reaped.
    pub(super) fn is_unreaped(&self, pid: Pid) -> bool {
        self.unreaped.borrow().contains_key(&pid)
    }

    /// Takes the status of a command that has died, and what it used.
    pub(super) fn reap(&self, pid: Pid) -> io::Result<Option<ResUse>> {
        self.unreaped.borrow_mut().remove(&pid);
        try_wait4_pid(number(pid))
    }

    /// One signal may stand for many deaths.
    async fn listen(self: Rc<Self>, mut signals: Signal) {
        while signals.recv().await.is_some() {
            for (pid, death) in &*self.unreaped.borrow() {
                if is_dead(*pid) {
                    death.notify_one();
                }
            }
        }
    }
}

/// Whether a child has ended. It is not reaped.
fn is_dead(pid: Pid) -> bool {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    // An error means that it is no child of this process any more.
    waitid(WaitId::Pid(pid), options).map_or(true, |status| status.is_some())
}
