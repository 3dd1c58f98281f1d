//! The engine on the stage: takes a step of a handle in any state that it is shown.
//!
//! A handle of the inline driver that does its upkeep with every call, and remembers nothing of tables that others may have
//! written, knows no more than the number of its session. So one handle a session serves all states in which that session has
//! its turn: the state's tables are laid before it, and taken away again.

use std::{cell::RefCell, collections::HashMap, sync::Arc, time::Duration};

use futures_lite::future::block_on;
use magnetar_core::{
    Answer, Audit, Filter, Group, JobRef, JobSpec, JobState, JobStore, Query, Rejection, Reply, Result, Timestamp,
};
use magnetar_embedded::{Options, Store, Table};

use super::{
    config::{Config, JOB, SESSION_TICKS, TICK, time},
    tables::{Desk, DeskBackend, DeskClock, Lie, Tables},
    turn::Memo,
};

/// A session, by the key of its row read as a number: a later one is larger.
pub(super) type Session = u64;

/// The sessions of tables, from the first to the last.
pub(super) fn sessions(tables: &Tables) -> impl Iterator<Item = Session> {
    tables.keys(Table::Session).map(|key| key.iter().fold(0, |number, byte| number << 8 | Session::from(*byte)))
}

/// A desk and the handles that sit at it.
#[derive(Default)]
pub(super) struct Stage {
    desk: Arc<Desk>,
    handles: HashMap<Session, Store>,
    /// What is known of turns that were taken before.
    pub(super) memo: Memo,
}

impl Drop for Stage {
    /// A handle closes when it is dropped, and at the end of a thread there is no memory of its own left to do that with.
    fn drop(&mut self) {
        self.handles.drain().for_each(|(_, handle)| std::mem::forget(handle));
    }
}

thread_local! {
    static STAGE: RefCell<Stage> = RefCell::default();
}

/// Does something on the stage of this thread.
pub(super) fn on_stage<T>(act: impl FnOnce(&mut Stage) -> T) -> T {
    STAGE.with_borrow_mut(act)
}

/// What a call of a handle came to.
pub(super) struct Took {
    /// What lies on the desk after it.
    pub(super) lie: Lie,
    /// The handle's session after it: another one where it was taken for dead.
    pub(super) session: Session,
    /// What the handle answered.
    pub(super) outcome: Result<Vec<Reply>, Rejection>,
}

impl Stage {
    /// Makes the job on empty tables, by a handle that is closed afterwards.
    pub(super) fn set(&mut self, config: &Config) -> Result<Tables> {
        self.show(&Tables::default(), time(0));
        let handle = self.open_here()?;
        let spec = JobSpec { options: Some(config.options()), ..JobSpec::default() };
        block_on(handle.ensure_job(JobRef::Id(JOB), spec))?;
        block_on(handle.insert(JOB, config.chunks()))?;
        block_on(handle.close())?;
        Ok(self.desk.look().tables)
    }

    /// Opens a handle, and returns its session.
    pub(super) fn open(&mut self, tables: &Tables, now: Timestamp) -> Result<(Lie, Session)> {
        self.show(tables, now);
        let handle = self.open_here()?;
        let lie = self.desk.look();
        let session = sessions(&lie.tables).last().unwrap_or_default();
        self.handles.insert(session, handle);
        Ok((lie, session))
    }

    /// Has the handle of a session submit a group.
    pub(super) fn submit(&mut self, tables: &Tables, now: Timestamp, session: Session, group: Group) -> Result<Took> {
        let handle = self.handle(session)?;
        self.show(tables, now);
        let mut outcomes = block_on(handle.submit(vec![group]))?;
        let lie = self.desk.look();
        let is_alive = sessions(tables).any(|known| known == session);
        let session = if is_alive { session } else { sessions(&lie.tables).last().unwrap_or_default() };
        self.handles.insert(session, handle);
        let outcome = outcomes.pop().unwrap_or_else(|| Ok(Vec::new()));
        Ok(Took { lie, session, outcome })
    }

    /// Has the handle of a session close in good order.
    pub(super) fn close(&mut self, tables: &Tables, now: Timestamp, session: Session) -> Result<Lie> {
        let handle = self.handle(session)?;
        self.show(tables, now);
        block_on(handle.close())?;
        Ok(self.desk.look())
    }

    /// All chunks, as a read shows them.
    pub(super) fn chunks(&mut self, tables: &Tables) -> Result<Vec<JobState>> {
        match self.read(tables, Query::Chunks { job: JOB, filter: Filter::All, after: None, limit: 100 })? {
            Answer::Chunks(page) => Ok(page.items),
            _ => Ok(Vec::new()),
        }
    }

    /// What an audit finds.
    pub(super) fn audit(&mut self, tables: &Tables) -> Result<Audit> {
        match self.read(tables, Query::Audit(JOB))? {
            Answer::Audit(audit) => Ok(audit),
            _ => Ok(Audit::default()),
        }
    }

    fn read(&mut self, tables: &Tables, query: Query) -> Result<Answer> {
        let handle = self.handle(1)?;
        self.desk.lay(tables);
        let answer = block_on(handle.read(query));
        self.handles.insert(1, handle);
        answer
    }

    fn open_here(&self) -> Result<Store> {
        let mut options = Options::default();
        options.session_ttl = TICK * SESSION_TICKS;
        options.renew_every = Duration::ZERO;
        options.upkeep_every = Duration::ZERO;
        Store::inline(Box::new(DeskBackend(Arc::clone(&self.desk))), options, Arc::new(DeskClock(Arc::clone(&self.desk))))
    }

    fn show(&self, tables: &Tables, now: Timestamp) {
        self.desk.lay(tables);
        self.desk.set_time(now);
    }

    /// The handle of a session. Where it has left, or never sat at this desk, another one is opened that has the session too.
    fn handle(&mut self, session: Session) -> Result<Store> {
        if let Some(handle) = self.handles.remove(&session) {
            return Ok(handle);
        }
        let mut before = Tables::default();
        loop {
            self.desk.lay(&before);
            let handle = self.open_here()?;
            before = self.desk.look().tables;
            if sessions(&before).last().is_none_or(|last| last >= session) {
                return Ok(handle);
            }
            // It closes, which nobody sees.
        }
    }
}
