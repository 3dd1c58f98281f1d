//! A turn: one call of one process on one store.
//!
//! What comes of it depends on nothing else, so each turn is taken by the engine once, and remembered: in most states that differ
//! the store is one that was there before, and only what else is under way is new.

use std::{collections::HashMap, sync::Arc};

use magnetar_core::{Claim, Fence, Group, JobStatus, Lane, Op, Reply, Timestamp, Token};
use magnetar_embedded::Table;

use super::{
    config::{Config, JOB, SESSION_TICKS, TICK, time},
    oracle::{self, Fault},
    stage::{Session, Stage, sessions},
    state::{Chunk, Ending, Snap},
    tables::{Lie, Tables},
};

/// How many calls of one more process may be needed to bring every chunk to its end.
const LED_CALLS_MAX: usize = 20;

/// What a process does with the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Call {
    Open,
    Close,
    /// Its upkeep, like that of a handle which nobody calls: not flushed.
    Beat,
    Claim,
    /// Ends a chunk under a claim.
    End {
        chunk: u64,
        token: u64,
        ending: Ending,
    },
}

/// What came of a turn.
pub(super) struct Taken {
    pub(super) store: Arc<Snap>,
    pub(super) is_flushed: bool,
    /// The process's session after it.
    pub(super) session: Session,
    pub(super) outcome: Outcome,
    /// What did not hold, whoever has the turn and why.
    pub(super) fault: Option<Fault>,
}

/// What the engine answered.
pub(super) type Outcome = Result<Vec<Reply>, magnetar_core::Rejection>;

/// When a turn is taken, by whom, and on what.
type Turn = (u128, Session, u8, Call);

/// Turns that were taken in one exploration.
#[derive(Default)]
pub(super) struct Memo {
    space: u64,
    turns: HashMap<Turn, Arc<Taken>>,
    stores: HashMap<u128, Arc<Snap>>,
}

impl Stage {
    /// The store at the beginning of an exploration.
    pub(super) fn beginning(&mut self, config: &Config, space: u64) -> Option<Arc<Snap>> {
        let tables = self.set(config).ok()?;
        let chunks = self.chunks(&tables).ok()?.iter().map(|chunk| Chunk::new(chunk, None)).collect();
        Some(Arc::new(Snap::new(space, tables, chunks, Vec::new())))
    }

    /// Has a process take its turn. A call that fails has no reason to.
    pub(super) fn take(
        &mut self,
        config: &Config,
        (space, store): (u64, &Arc<Snap>),
        session: Session,
        tick: u8,
        call: Call,
    ) -> Result<Arc<Taken>, Fault> {
        if self.memo.space != space {
            self.memo = Memo { space, ..Memo::default() };
        }
        let turn = (store.id, session, tick, call);
        if let Some(taken) = self.memo.turns.get(&turn) {
            return Ok(Arc::clone(taken));
        }
        let taken = Arc::new(self.take_anew(config, store, session, tick, call).ok_or(Fault::Failed)?);
        self.memo.turns.insert(turn, Arc::clone(&taken));
        Ok(taken)
    }

    fn take_anew(&mut self, config: &Config, before: &Arc<Snap>, session: Session, tick: u8, call: Call) -> Option<Taken> {
        let now = time(tick);
        let (lie, session, outcome) = match call {
            Call::Open => {
                let (lie, session) = self.open(&before.tables, now).ok()?;
                (lie, session, Ok(Vec::new()))
            }
            Call::Close => (self.close(&before.tables, now, session).ok()?, session, Ok(Vec::new())),
            Call::Beat | Call::Claim | Call::End { .. } => {
                let took = self.submit(&before.tables, now, session, group(call)?).ok()?;
                (took.lie, took.session, took.outcome)
            }
        };
        let Lie { tables, is_flushed } = lie;
        let ended = match call {
            Call::Close => held_by(before, session),
            Call::End { token, ending, .. } if outcome.is_ok() => vec![(token, ending)],
            _ => Vec::new(),
        };
        let store = self.snap(config, before, tables, (session, now), &ended)?;
        let fault = oracle::losses(before, &store, &oracle::Call { now, session, ended: &ended });
        Some(Taken { store, is_flushed, session, outcome, fault })
    }

    /// A store after a call of a session, which is renewed by it.
    fn snap(
        &mut self,
        config: &Config,
        before: &Snap,
        tables: Tables,
        (session, now): (Session, Timestamp),
        ended: &[(u64, Ending)],
    ) -> Option<Arc<Snap>> {
        // A session that lives beyond the last instant there is lives for ever.
        let lives = now.after(TICK * SESSION_TICKS).min(time(config.ticks));
        let until = |known| if known == session { lives } else { before.until(known).unwrap_or(lives) };
        let sessions = sessions(&tables).map(|known| (known, until(known))).collect();
        let last = |chunk: &Chunk| {
            let by = |(token, _): &&(u64, Ending)| chunk.lease.is_some_and(|lease| lease.token == *token);
            ended.iter().find(by).copied().or(chunk.last)
        };
        let chunks = if tables.shares(&before.tables, &[Table::Chunk, Table::Lease]) {
            before.chunks.clone()
        } else {
            let read = self.chunks(&tables).ok()?;
            before.chunks.iter().zip(&read).map(|(before, chunk)| Chunk::new(chunk, last(before))).collect()
        };
        let snap = Snap::new(self.memo.space, tables, chunks, sessions);
        Some(Arc::clone(self.memo.stores.entry(snap.id).or_insert_with(|| Arc::new(snap))))
    }

    /// Whether an audit finds nothing.
    pub(super) fn is_sound(&mut self, store: &Snap) -> bool {
        let audit =
            |stage: &mut Self| stage.audit(&store.tables).is_ok_and(|audit| audit.problems.is_empty() && audit.chunks == 2);
        *store.is_sound.get_or_init(|| audit(self))
    }

    /// Whether one more process, a while later, brings every chunk to its end.
    pub(super) fn can_end(&mut self, config: &Config, store: &Snap) -> bool {
        *store.can_end.get_or_init(|| self.lead(config, store).is_ok_and(|is_over| is_over))
    }

    fn lead(&mut self, config: &Config, store: &Snap) -> magnetar_core::Result<bool> {
        let later = time(u8::MAX);
        let (lie, mut session) = self.open(&store.tables, later)?;
        let mut tables = lie.tables;
        let mut ops = vec![claim(vec![Lane::of(JOB)])];
        for _ in 0..LED_CALLS_MAX {
            let took = self.submit(&tables, later, session, ops)?;
            (tables, session) = (took.lie.tables, took.session);
            let fence = took.outcome?.into_iter().find_map(|reply| match reply {
                Reply::Claimed(chunks) => chunks.first().and_then(magnetar_core::JobState::fence),
                _ => None,
            });
            let Some(fence) = fence else {
                let has_ended = |chunk: &magnetar_core::JobState| chunk.status.is_terminal() || is_held(config, chunk.status);
                return Ok(self.chunks(&tables)?.iter().all(has_ended));
            };
            ops = vec![Op::Complete { fence, result: Vec::new(), checksum: None }, claim(vec![Lane::of(JOB)])];
        }
        Ok(false)
    }
}

/// Whether a chunk may stay as it is until somebody redrives the one it waits for.
fn is_held(config: &Config, status: JobStatus) -> bool {
    config.on_failure == magnetar_core::OnFailure::Hold && status == JobStatus::Pending
}

fn held_by(store: &Snap, session: Session) -> Vec<(u64, Ending)> {
    let leases = store.chunks.iter().filter_map(|chunk| chunk.lease);
    leases.filter(|lease| lease.session == session).map(|lease| (lease.token, Ending::Release)).collect()
}

fn claim(lanes: Vec<Lane>) -> Op {
    Op::Claim(Claim { lanes, limit: 1 })
}

fn group(call: Call) -> Option<Group> {
    let Call::End { chunk, token, ending } = call else {
        return Some(vec![claim(if call == Call::Claim { vec![Lane::of(JOB)] } else { Vec::new() })]);
    };
    let fence = Fence::new(JOB, chunk, Token::new(token)?);
    Some(vec![match ending {
        Ending::Complete => Op::Complete { fence, result: Vec::new(), checksum: None },
        Ending::Fail => Op::Fail { fence, error: String::new() },
        Ending::Release => Op::Release { fence },
    }])
}
