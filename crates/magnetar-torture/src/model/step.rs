//! What can happen next, and what comes of it.

use std::sync::Arc;

use magnetar_core::Reply;

use super::{
    config::{Config, Flaw, time},
    oracle::{self, Fault},
    stage::{Session, on_stage},
    state::{Attempt, Ending, Snap, State},
    turn::{Call, Outcome, Taken},
};

/// What can happen. Processes and attempts are named by their place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// A process opens the store.
    Open(usize),
    /// A process closes it in good order.
    Close(usize),
    /// A process is killed.
    Kill(usize),
    /// A process takes a chunk, if there is one.
    Claim(usize),
    /// A process does its upkeep and renews its session.
    Beat(usize),
    /// A worker says that its chunk is done.
    Complete(usize),
    /// A worker says that its attempt failed.
    Fail(usize),
    /// A worker gives its chunk back.
    Release(usize),
    /// The clock jumps, in either direction.
    Jump(u8),
    /// The power is cut: every process ends, and what was not flushed is gone.
    CutPower,
}

impl Config {
    /// All that can happen in a state.
    pub(super) fn choices(&self, state: &State, choices: &mut Vec<Action>) {
        if state.fault.is_some() {
            return;
        }
        for (at, session) in state.handles.iter().enumerate() {
            match session {
                None if state.used.opens < self.opens => choices.push(Action::Open(at)),
                None => {}
                Some(_) => {
                    choices.extend([Action::Beat(at), Action::Close(at), Action::Kill(at)]);
                    if state.used.claims < self.claims {
                        choices.push(Action::Claim(at));
                    }
                }
            }
        }
        for (at, attempt) in state.attempts.iter().enumerate() {
            let ends = [
                (Ending::Complete, Action::Complete(at)),
                (Ending::Fail, Action::Fail(at)),
                (Ending::Release, Action::Release(at)),
            ];
            // What has ended may be said again by whoever did not get the answer.
            choices.extend(
                ends.into_iter()
                    .filter(|(ending, _)| attempt.ended.is_none_or(|ended| ended == *ending))
                    .map(|(_, action)| action),
            );
        }
        choices.extend((0..self.ticks).filter(|tick| *tick != state.tick).map(Action::Jump));
        if state.used.cuts < self.cuts && !state.is_flushed() {
            choices.push(Action::CutPower);
        }
    }

    /// The state after an action.
    pub(super) fn step(&self, state: &State, action: Action) -> State {
        let mut next = state.clone();
        let done = match action {
            Action::Open(at) => self.open(&mut next, at),
            Action::Close(at) => self.turn(&mut next, at, Call::Close).map(|_| end_process(&mut next, at)),
            Action::Kill(at) => {
                end_process(&mut next, at);
                Ok(())
            }
            Action::Claim(at) => {
                self.turn(&mut next, at, Call::Claim).and_then(|taken| handed_out(&mut next, at, &taken.outcome))
            }
            Action::Beat(at) => self.turn(&mut next, at, Call::Beat).map(drop),
            Action::Complete(at) => self.end(&mut next, at, Ending::Complete),
            Action::Fail(at) => self.end(&mut next, at, Ending::Fail),
            Action::Release(at) => self.end(&mut next, at, Ending::Release),
            Action::Jump(tick) => {
                next.tick = tick;
                Ok(())
            }
            Action::CutPower => {
                (0..next.handles.len()).for_each(|at| end_process(&mut next, at));
                next.store = Arc::clone(&next.durable);
                next.used.cuts += 1;
                Ok(())
            }
        };
        next.fault = done.err().or_else(|| oracle::standing(self, &next.store, &next.told));
        next.keyed(self)
    }

    fn open(&self, state: &mut State, at: usize) -> Result<(), Fault> {
        // Nobody has session 0.
        *state.handles.get_mut(at).ok_or(Fault::Failed)? = Some(0);
        state.used.opens += 1;
        self.turn(state, at, Call::Open).map(drop)
    }

    /// Has a process take its turn, and takes over what comes of it.
    fn turn(&self, state: &mut State, at: usize, call: Call) -> Result<Arc<Taken>, Fault> {
        let session = state.handles.get(at).copied().flatten().ok_or(Fault::Failed)?;
        let taken = on_stage(|stage| stage.take(self, (state.space, &state.store), session, state.tick, call))?;
        *state.handles.get_mut(at).ok_or(Fault::Failed)? = Some(taken.session);
        // A flaw of every flush would also lose the generation of tokens; this one loses what a worker was told.
        let is_lost = self.flaw == Some(Flaw::LostFlush) && matches!(call, Call::End { .. });
        // What nobody will ever cut off need not be told apart.
        if (taken.is_flushed && !is_lost) || state.used.cuts == self.cuts {
            state.durable = Arc::clone(&taken.store);
        }
        state.store = Arc::clone(&taken.store);
        taken.fault.map_or(Ok(taken), Err)
    }

    /// A worker ends its chunk, or tries to.
    fn end(&self, state: &mut State, attempt: usize, ending: Ending) -> Result<(), Fault> {
        let attempt = *state.attempts.get(attempt).ok_or(Fault::Failed)?;
        let (before, at) = (Arc::clone(&state.store), attempt.handle);
        let session = state.handles.get(at).copied().flatten().ok_or(Fault::Failed)?;
        let shown = self.shown(&before, session, &attempt);
        let taken = self.turn(state, at, Call::End { chunk: attempt.chunk, token: shown, ending })?;
        let upkeep = || on_stage(|stage| stage.take(self, (state.space, &before), session, state.tick, Call::Beat)).ok();
        let now = time(state.tick);
        let fault = oracle::write((&before, &taken.store), &attempt, ending, now, &taken.outcome, || {
            upkeep().map(|taken| taken.store.chunks.clone())
        });
        if taken.outcome.is_ok() {
            state.told.end(attempt.chunk, ending);
            let its = state.attempts.iter_mut().filter(|known| known.token == attempt.token);
            its.for_each(|attempt| attempt.ended = Some(ending));
        }
        fault.map_or(Ok(()), Err)
    }

    /// The token that a worker shows: its own, unless the model is flawed.
    fn shown(&self, store: &Snap, session: Session, attempt: &Attempt) -> u64 {
        let lease = store.chunk(attempt.chunk).and_then(|chunk| chunk.lease);
        let found = match self.flaw {
            Some(Flaw::NoFence) => lease,
            Some(Flaw::OwnerName) => lease.filter(|lease| lease.session == session),
            _ => None,
        };
        found.map_or(attempt.token, |lease| lease.token)
    }
}

/// Notes who was handed what.
fn handed_out(state: &mut State, handle: usize, outcome: &Outcome) -> Result<(), Fault> {
    for reply in outcome.as_ref().map_err(|_| Fault::Failed)? {
        let Reply::Claimed(chunks) = reply else { return Err(Fault::Failed) };
        for chunk in chunks {
            let token = chunk.fence().ok_or(Fault::Failed)?.token().get();
            if token <= state.told.token {
                return Err(Fault::TokenReused);
            }
            state.told.token = token;
            state.used.claims += 1;
            state.attempts.push(Attempt { handle, chunk: chunk.chunk, token, ended: None });
        }
    }
    Ok(())
}

/// A process is gone, and all in it.
fn end_process(state: &mut State, at: usize) {
    if let Some(handle) = state.handles.get_mut(at) {
        *handle = None;
    }
    state.attempts.retain(|attempt| attempt.handle != at);
}
