//! What happens to claims whose run was dropped: handlers are aborted, what came of those that were over is written, and
//! everything else is given back.

use std::{
    sync::Arc,
    task::{Context, Waker},
};

use magnetar_core::{Group, JobStore};
use tokio::{runtime::Handle, time::sleep};

use super::{
    crew::{Crew, Ended},
    finish::{Finish, Next},
};
use crate::backoff::Backoff;

/// How often a store that is in trouble is asked again; after that, closing it gives everything back.
const TRIES: usize = 20;

pub(super) struct Left {
    store: Arc<dyn JobStore>,
    crew: Crew,
    finishes: Vec<Finish>,
    backoff: Backoff,
}

impl Left {
    pub(super) fn new(store: Arc<dyn JobStore>, mut crew: Crew, finishes: Vec<Finish>) -> Self {
        crew.abort_all();
        let backoff = Backoff::new(finishes.len() as u64);
        Self { store, crew, finishes, backoff }
    }

    /// Writes all of it in a task. A runtime that is ending drops the task, and that does what it still can.
    pub(super) fn write_on(self, runtime: &Handle) {
        drop(runtime.spawn(self.write()));
    }

    async fn write(mut self) {
        loop {
            self.submit().await;
            let Some((running, ended)) = self.crew.next().await else { return };
            self.finishes.push(Finish::of(&running, ended));
            while let Some((running, ended)) = self.crew.try_next() {
                self.finishes.push(Finish::of(&running, ended));
            }
        }
    }

    /// Writes what is over.
    async fn submit(&mut self) {
        for _ in 0..TRIES {
            if self.finishes.is_empty() {
                return;
            }
            match self.store.submit(self.groups()).await {
                Ok(answers) => {
                    let nexts = self.finishes.drain(..).zip(answers).map(|(finish, answer)| finish.settle(answer));
                    self.finishes =
                        nexts.filter_map(|next| if let Next::Instead(finish) = next { Some(finish) } else { None }).collect();
                }
                Err(error) if error.is_transient() => sleep(self.backoff.next_wait()).await,
                Err(_) => break,
            }
        }
        self.finishes.clear();
    }

    fn groups(&self) -> Vec<Group> {
        self.finishes.iter().map(Finish::group).collect()
    }
}

impl Drop for Left {
    /// The runtime ends. A store with a writer of its own takes what is asked at the first poll, and needs no runtime for it.
    fn drop(&mut self) {
        let forsaken = self.crew.forsake();
        self.finishes.extend(forsaken.iter().map(|running| Finish::of(running, Ended::Dropped)));
        if !self.finishes.is_empty() {
            let mut submit = self.store.submit(self.groups());
            let _ = submit.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        }
    }
}
