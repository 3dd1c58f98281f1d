//! Sessions: one per open handle, renewed by upkeep, ended by closing or by death.

use foldhash::{HashMap, HashMapExt};
use magnetar_core::{Error, ErrorKind, Result, SessionId, Timestamp};

use super::{Applied, Engine, State, Step};
use crate::{
    backend::{Flush, View},
    key,
    lanes::Lanes,
    locks::Locks,
    look,
    memo::Memo,
    options::Options,
    row::{Meta, SessionRow},
    stop::Stop,
    table::Table,
    txn::Txn,
    writes::Writes,
};

/// 2024-01-01T00:00:00Z, from which generations count seconds where the clock is ahead of the count of opens.
const GENERATION_EPOCH_MILLIS: u64 = 1_704_067_200_000;
/// A clock beyond this is not believed, so that a wrong one cannot use up the generations: 2^31 less room for opens.
const GENERATION_CLOCK_MAX: u64 = (1 << 31) - (1 << 26);
const GENERATION_MAX: u64 = (1 << 31) - 1;

impl Engine {
    /// Opens a session: a new generation of tokens, a row, a lock file. The writes must be committed before any group.
    pub(crate) fn open(view: &dyn View, options: Options, mut locks: Box<dyn Locks>, now: Timestamp) -> Result<(Self, Writes)> {
        let mut txn = Txn::new(view, Lanes::default(), Writes::default());
        let known = sessions(&txn).map_err(Stop::into_error)?;
        let ids: Vec<_> = known.iter().map(|(id, _)| *id).collect();
        locks.sweep(&ids);
        refuse_lost_numbers(&txn).map_err(Stop::into_error)?;
        let mut meta = txn.meta().map_err(Stop::into_error)?;
        meta.generation = next_generation(&meta, now)?;
        txn.put_meta(&meta).map_err(Stop::into_error)?;
        let state = State {
            session: SessionId::new(0),
            renewed_at: now,
            // The first transaction does upkeep: it takes back what dead sessions left.
            upkept_at: Timestamp::default(),
            due_at: None,
            has_backlog: true,
            has_purge: true,
        };
        let mut engine = Self {
            options,
            state,
            before: state,
            held: HashMap::new(),
            undo_held: Vec::new(),
            locks,
            memo: Memo::default(),
            spare: Writes::default(),
            buried: Vec::new(),
        };
        engine.begin_session(&mut txn, now).map_err(Stop::into_error)?;
        // What fails before the first transaction goes back to this, not to having no session.
        engine.before = engine.state;
        Ok((engine, txn.into_parts().map_err(Stop::into_error)?.0))
    }

    fn begin_session(&mut self, txn: &mut Txn<'_>, now: Timestamp) -> Result<(), Stop> {
        let mut meta = txn.meta()?;
        meta.last_session += 1;
        self.state.session = SessionId::new(meta.last_session);
        let lock = self.locks.take(self.state.session)?;
        txn.put_meta(&meta)?;
        txn.put(
            Table::Session,
            key::session(self.state.session),
            &SessionRow { until: now.after(self.options.session_ttl), lock },
        );
        self.state.renewed_at = now;
        Ok(())
    }

    /// Gives back what this handle holds and ends its session. The writes must be committed.
    pub(crate) fn close(&mut self, view: &dyn View, now: Timestamp) -> Result<Applied> {
        let mut txn = Txn::new(view, Lanes::default(), Writes::default());
        self.before = self.state;
        let session = self.state.session;
        let mut step = Step::new(&mut txn, self, now);
        (step.budget, step.release_budget) = (usize::MAX, usize::MAX);
        step.release_all_of(session).map_err(Stop::into_error)?;
        txn.remove(Table::Session, key::session(session));
        self.buried.push(session);
        let (writes, _) = txn.into_parts().map_err(Stop::into_error)?;
        Ok(Applied { writes, flush: Flush::Synced, wakes: false, memo: Memo::default() })
    }
}

/// Refuses a store that has lost the numbers that only grow: to begin anew would give tokens out twice.
fn refuse_lost_numbers(view: &dyn View) -> Result<(), Stop> {
    if look::get::<Meta>(view, Table::Meta, key::META)?.is_some() {
        return Ok(());
    }
    let mut is_used = false;
    for table in Table::ALL.into_iter().filter(|table| *table != Table::Meta) {
        view.scan(table, &[], key::END, &mut |_, _| {
            is_used = true;
            std::ops::ControlFlow::Break(())
        })?;
    }
    if is_used { Err(Stop::corrupt(Table::Meta, key::META, "is missing")) } else { Ok(()) }
}

/// One more than before, and not before the clock: so that a store restored from an old copy does not repeat tokens.
fn next_generation(meta: &Meta, now: Timestamp) -> Result<u32> {
    let clock = (now.as_millis().saturating_sub(GENERATION_EPOCH_MILLIS) / 1000).min(GENERATION_CLOCK_MAX);
    // A count of claims beyond 2^32 has carried into the generation.
    let used = u64::from(meta.generation).max(meta.last_token >> 32);
    let next = (used + 1).max(clock);
    if next > GENERATION_MAX {
        return Err(Error::new(ErrorKind::Exhausted, "open the store: it has been opened 2^31 times and has no tokens left"));
    }
    u32::try_from(next).map_err(|error| Error::new(ErrorKind::Exhausted, "open the store").with_source(error))
}

/// The sessions of the store.
pub(super) fn sessions(view: &dyn View) -> Result<Vec<(SessionId, SessionRow)>, Stop> {
    look::rows::<SessionRow>(view, Table::Session, &[], key::END, usize::MAX)?
        .into_iter()
        .map(|(row_key, row)| {
            let id = key::parse_session(&row_key).ok_or_else(|| Stop::corrupt(Table::Session, &row_key, "has no session"))?;
            Ok((id, row))
        })
        .collect()
}

impl Step<'_, '_> {
    /// Sees to it that this handle's session is alive in the store. Another handle may have taken it for dead.
    pub(super) fn ensure_session(&mut self) -> Result<(), Stop> {
        if self.session.is_some() {
            return Ok(());
        }
        let session_key = key::session(self.engine.state.session);
        if look::get::<SessionRow>(self.txn, Table::Session, &session_key)?.is_none() {
            self.engine.begin_session(self.txn, self.now)?;
        }
        self.session = Some(self.engine.state.session);
        Ok(())
    }

    /// Renews this handle's session where it is time.
    pub(super) fn renew(&mut self) -> Result<(), Stop> {
        self.ensure_session()?;
        let renewed = self.engine.state.renewed_at;
        // A clock that was set back renews too.
        if self.now < renewed || self.now.since(renewed) >= self.engine.options.renew_every {
            let session_key = key::session(self.engine.state.session);
            let stored: Option<SessionRow> = look::get(self.txn, Table::Session, &session_key)?;
            let lock = stored.and_then(|row| row.lock);
            self.txn.put(
                Table::Session,
                session_key,
                &SessionRow { until: self.now.after(self.engine.options.session_ttl), lock },
            );
            self.engine.state.renewed_at = self.now;
        }
        Ok(())
    }

    /// Whether a session is gone: its time is over, or its process is.
    pub(super) fn is_dead(&mut self, id: SessionId, row: &SessionRow) -> bool {
        id != self.engine.state.session
            && (row.until <= self.now || row.lock.is_some_and(|mark| self.engine.locks.is_free(id, mark)))
    }
}
