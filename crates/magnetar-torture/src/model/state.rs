//! A state of the model: the store, what a power cut would leave of it, the processes, their attempts, and what they were told.
//!
//! Two states are the same where everything that can make a difference is: tokens and sessions by their rank, not by their
//! number, and no word of when something was put in or how an error reads. The tables of the first one that was found go on.

use std::{
    fmt,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Arc, OnceLock},
};

use magnetar_core::{JobState, JobStatus, Timestamp};
use magnetar_embedded::Table;

use super::{
    config::{Config, time},
    oracle::{Fault, Told},
    stage::Session,
    tables::Tables,
};

/// How an attempt ended in good order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Ending {
    Complete,
    Fail,
    Release,
}

/// A store as of some commit.
pub(super) struct Snap {
    /// Drawn from all that makes a difference, with numbers as they are: stores of one exploration with one id are the same.
    pub(super) id: u128,
    pub(super) tables: Tables,
    pub(super) chunks: Vec<Chunk>,
    /// Sessions, and when each is dead unless it is renewed.
    pub(super) sessions: Vec<(Session, Timestamp)>,
    /// Whether an audit finds nothing, once that is known.
    pub(super) is_sound: OnceLock<bool>,
    /// Whether all its chunks can be brought to an end, once that is known.
    pub(super) can_end: OnceLock<bool>,
}

/// What is to be seen of a chunk, and what is known of it besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Chunk {
    pub(super) id: u64,
    pub(super) status: JobStatus,
    pub(super) fails: u32,
    pub(super) crashes: u32,
    pub(super) unmet: u64,
    pub(super) bad: u64,
    pub(super) not_before: Option<Timestamp>,
    pub(super) lease: Option<Lease>,
    /// The last attempt that ended in good order. It is not read but remembered: it can only be seen by a repeated write.
    pub(super) last: Option<(u64, Ending)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Lease {
    pub(super) token: u64,
    pub(super) session: Session,
    pub(super) deadline: Option<Timestamp>,
}

/// Somebody at work on a claim, or who was: it may try to end it at any time, and more than once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Attempt {
    pub(super) handle: usize,
    pub(super) chunk: u64,
    pub(super) token: u64,
    /// How it ended, as far as it was told.
    pub(super) ended: Option<Ending>,
}

/// How much of what is bounded has happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Used {
    pub(super) opens: u8,
    pub(super) claims: u8,
    pub(super) cuts: u8,
}

/// A state.
#[derive(Clone)]
pub struct State {
    /// The number of the exploration that it is part of.
    pub(super) space: u64,
    pub(super) tick: u8,
    pub(super) store: Arc<Snap>,
    /// What a power cut would leave.
    pub(super) durable: Arc<Snap>,
    /// The session of each process that runs.
    pub(super) handles: Vec<Option<Session>>,
    pub(super) attempts: Vec<Attempt>,
    pub(super) told: Told,
    pub(super) used: Used,
    pub(super) fault: Option<Fault>,
    /// All of the above, with ranks for numbers.
    key: Box<[u8]>,
}

impl State {
    /// The state at the beginning: nobody is there yet, and all is flushed.
    pub(super) fn new(config: &Config, space: u64, store: Arc<Snap>) -> Self {
        let (handles, told) = (vec![None; config.handles], Told::default());
        let (durable, attempts) = (Arc::clone(&store), Vec::new());
        let state = Self {
            space,
            tick: 0,
            store,
            durable,
            handles,
            attempts,
            told,
            used: Used::default(),
            fault: None,
            key: Box::default(),
        };
        state.keyed(config)
    }

    /// The same state, once it is whole.
    pub(super) fn keyed(mut self, config: &Config) -> Self {
        let (mut tokens, mut known): (Vec<_>, Vec<_>) = (self.attempts.iter().map(|attempt| attempt.token).collect(), Vec::new());
        let is_flushed = self.is_flushed();
        let snaps = [&self.store, &self.durable];
        let snaps = snaps.get(..if is_flushed { 1 } else { 2 }).unwrap_or_default();
        for snap in snaps {
            tokens.extend(snap.tokens());
            known.extend(snap.sessions.iter().map(|(session, _)| *session));
            known.extend(snap.chunks.iter().filter_map(|chunk| Some(chunk.lease?.session)));
        }
        known.extend(self.handles.iter().flatten());
        for numbers in [&mut tokens, &mut known] {
            numbers.sort_unstable();
            numbers.dedup();
        }
        let (beginning, never) = (time(0), time(config.ticks));
        let mut key = Key { tokens, sessions: known, beginning, never, bytes: Vec::with_capacity(128) };
        for snap in snaps {
            key.snap(snap);
        }
        self.put_rest(&mut key);
        self.key = key.bytes.into();
        self
    }

    /// Whether a power cut would leave all there is.
    pub(super) fn is_flushed(&self) -> bool {
        self.store.id == self.durable.id
    }

    fn put_rest(&self, key: &mut Key) {
        let Used { opens, claims, cuts } = self.used;
        for number in [self.tick, opens, claims, cuts] {
            key.put(number.into());
        }
        key.option(self.fault.map(|fault| fault as u64));
        for session in &self.handles {
            key.session(*session);
        }
        let mut attempts = self.attempts.clone();
        attempts.sort_unstable_by_key(|attempt| attempt.token);
        for Attempt { handle, chunk, token, ended } in attempts {
            key.put(handle as u64);
            key.put(chunk);
            key.token(Some(token));
            key.option(ended.map(|ended| ended as u64));
        }
        self.told.each(|number| key.put(number.into()));
    }
}

impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for State {}

impl Hash for State {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key.hash(state);
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tick, store, handles, attempts, told, used, fault, .. } = self;
        let (chunks, sessions) = (&store.chunks, &store.sessions);
        let durable = (!self.is_flushed()).then_some(&self.durable.chunks);
        write!(f, "tick {tick}, {used:?}, {fault:?}\n  handles {handles:?}, sessions {sessions:?}\n  chunks {chunks:?}")?;
        write!(f, "\n  flushed {durable:?}\n  attempts {attempts:?}\n  {told:?}")
    }
}

impl Snap {
    /// A store, as tables and a read show it.
    pub(super) fn new(space: u64, tables: Tables, chunks: Vec<Chunk>, sessions: Vec<(Session, Timestamp)>) -> Self {
        let half = |salt: u64| {
            let mut hasher = DefaultHasher::new();
            (salt, space, &chunks, &sessions).hash(&mut hasher);
            tables.counts().for_each(|count| hasher.write_usize(count));
            tables.values(Table::Meta).for_each(|value| hasher.write(value));
            u128::from(hasher.finish())
        };
        let id = half(0) << 64 | half(1);
        Self { id, tables, chunks, sessions, is_sound: OnceLock::new(), can_end: OnceLock::new() }
    }

    pub(super) fn chunk(&self, id: u64) -> Option<&Chunk> {
        self.chunks.iter().find(|chunk| chunk.id == id)
    }

    /// When a session is dead; none where it is already.
    pub(super) fn until(&self, session: Session) -> Option<Timestamp> {
        self.sessions.iter().find(|(known, _)| *known == session).map(|(_, until)| *until)
    }

    fn tokens(&self) -> impl Iterator<Item = u64> {
        self.chunks.iter().flat_map(|chunk| chunk.lease.map(|lease| lease.token).into_iter().chain(chunk.last.map(|last| last.0)))
    }
}

impl Chunk {
    pub(super) fn new(chunk: &JobState, last: Option<(u64, Ending)>) -> Self {
        let lease = |lease: magnetar_core::Lease| Lease {
            token: lease.fence.token().get(),
            session: lease.session.get(),
            deadline: lease.deadline,
        };
        Self {
            id: chunk.chunk,
            status: chunk.status,
            fails: chunk.fails,
            crashes: chunk.crashes,
            unmet: chunk.unmet,
            bad: chunk.bad,
            not_before: chunk.not_before,
            lease: chunk.lease.map(lease),
            last,
        }
    }
}

/// Writes down what makes a difference, with ranks for numbers.
struct Key {
    tokens: Vec<u64>,
    sessions: Vec<Session>,
    beginning: Timestamp,
    never: Timestamp,
    bytes: Vec<u8>,
}

impl Key {
    fn put(&mut self, number: u64) {
        // Whatever is counted here is small; what is not still makes a difference.
        self.bytes.push(u8::try_from(number).unwrap_or(u8::MAX - 1));
    }

    fn option(&mut self, number: Option<u64>) {
        self.bytes.push(number.map_or(u8::MAX, |number| u8::try_from(number).unwrap_or(u8::MAX - 1)));
    }

    fn time(&mut self, at: Option<Timestamp>) {
        // What is not due at the last instant there is will never be.
        let seconds = at.map(|at| at.min(self.never).since(self.beginning).as_secs());
        self.option(seconds);
    }

    fn token(&mut self, token: Option<u64>) {
        let rank = token.and_then(|token| self.tokens.binary_search(&token).ok());
        self.option(rank.map(|rank| rank as u64));
    }

    fn session(&mut self, session: Option<Session>) {
        let rank = session.and_then(|session| self.sessions.binary_search(&session).ok());
        self.option(rank.map(|rank| rank as u64));
    }

    fn snap(&mut self, snap: &Snap) {
        for chunk in &snap.chunks {
            for number in [chunk.status as u64, chunk.fails.into(), chunk.crashes.into(), chunk.unmet, chunk.bad] {
                self.put(number);
            }
            self.time(chunk.not_before);
            self.token(chunk.lease.map(|lease| lease.token));
            self.session(chunk.lease.map(|lease| lease.session));
            self.time(chunk.lease.and_then(|lease| lease.deadline));
            self.token(chunk.last.map(|last| last.0));
            self.option(chunk.last.map(|last| last.1 as u64));
        }
        for (session, until) in &snap.sessions {
            self.session(Some(*session));
            self.time(Some(*until));
        }
        // Timers that were handed out and such: whatever no read shows, the number of rows does.
        for count in snap.tables.counts() {
            self.put(count as u64);
        }
    }
}
