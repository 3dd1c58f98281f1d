//! The test of the test: a store that is the model itself agrees with it, and one with a fault is found out.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use magnetar_core::{
    Answer, Audit, Capabilities, Clock, Durability, Error, Fence, Group, JobStore, Page, Query, Rejection, Reply, Result,
    Sharing, Token,
};

use super::*;
use crate::{
    clock::ManualClock,
    model::{Expectation, ExpectedFence, ExpectedReply, HandleId, Model, Outcome},
};

/// What the store under test does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    /// It answers a lost fence as if all were well.
    AcceptsStaleFences,
    /// It hands out the last of many first.
    ClaimsBackwards,
    /// It shows no result.
    ForgetsResults,
    /// It shows no crashes.
    NeverCountsCrashes,
    /// It gives the same token twice.
    RepeatsTokens,
}

/// A store that is a model.
struct ModelStore {
    model: Arc<Mutex<Model>>,
    clock: ManualClock,
    handle: HandleId,
    fault: Fault,
}

struct ModelHarness {
    model: Arc<Mutex<Model>>,
    clock: ManualClock,
    fault: Fault,
    has_many_handles: bool,
}

impl ModelHarness {
    fn new(fault: Fault, has_many_handles: bool) -> Self {
        Self { model: Arc::default(), clock: ManualClock::default(), fault, has_many_handles }
    }
}

#[async_trait]
impl Harness for ModelHarness {
    fn clock(&self) -> &ManualClock {
        &self.clock
    }

    async fn open(&self) -> Arc<dyn JobStore> {
        let handle = self.model.lock().unwrap().open(self.clock.now());
        Arc::new(ModelStore { model: Arc::clone(&self.model), clock: self.clock.clone(), handle, fault: self.fault })
    }

    async fn kill(&self, handle: Arc<dyn JobStore>) {
        drop(handle);
    }

    fn has_many_handles(&self) -> bool {
        self.has_many_handles
    }
}

#[async_trait]
impl JobStore for ModelStore {
    async fn submit(&self, groups: Vec<Group>) -> Result<Vec<Result<Vec<Reply>, Rejection>>> {
        let mut model = self.model.lock().unwrap();
        let now = self.clock.now();
        // A first try says what would be chosen; a store of its own chooses otherwise.
        let chosen: Vec<Outcome> =
            model.clone().submit(self.handle, &groups, now, &[]).iter().map(|group| self.outcome(group)).collect();
        let own = if self.fault == Fault::RepeatsTokens { chosen } else { chosen.into_iter().map(with_other_numbers).collect() };
        let expected = model.submit(self.handle, &groups, now, &own);
        Ok(expected.iter().map(|group| self.outcome(group)).collect())
    }

    async fn read(&self, query: Query) -> Result<Answer> {
        let model = self.model.lock().unwrap();
        let forgets = self.fault == Fault::ForgetsResults;
        let show = |chunk: &crate::model::ExpectedChunk| {
            let mut state = chunk.state().clone();
            state.result = state.result.filter(|result| !forgets || result.is_empty());
            if self.fault == Fault::NeverCountsCrashes {
                state.crashes = 0;
            }
            state
        };
        Ok(match query {
            Query::Job(id) => Answer::Job(model.jobs().into_iter().find(|job| job.id == id).map(Box::new)),
            Query::JobByName(name) => {
                Answer::Job(model.jobs().into_iter().find(|job| job.name.as_ref() == Some(&name)).map(Box::new))
            }
            Query::Jobs { after, limit } => Answer::Jobs(page(
                model.jobs().into_iter().filter(|job| after.is_none_or(|after| job.id > after)),
                limit,
                |job| job.id,
            )),
            Query::Stats(job) => Answer::Stats(model.stats(job)),
            Query::Chunk { job, chunk } => Answer::Chunk(model.get((job, chunk)).map(|chunk| Box::new(show(&chunk)))),
            Query::Chunks { job, filter, after, limit } => {
                let chunks = model.chunks(job, filter).into_iter().map(|chunk| show(&chunk));
                Answer::Chunks(page(chunks.filter(|chunk| after.is_none_or(|after| chunk.chunk > after)), limit, |chunk| {
                    chunk.chunk
                }))
            }
            Query::Ids { job, filter, after, limit } => {
                let ids = model.chunks(job, filter).into_iter().map(|chunk| chunk.state().chunk);
                Answer::Ids(page(ids.filter(|id| after.is_none_or(|after| *id > after)), limit, |id| *id))
            }
            Query::Dependencies { job, chunk } => Answer::Dependencies(model.dependencies((job, chunk))),
            Query::Record { space, key } => {
                Answer::Record(model.records(&space, &key).into_iter().find(|record| record.key == key))
            }
            Query::Records { space, prefix, after, limit } => {
                let records = model.records(&space, &prefix).into_iter();
                Answer::Records(page(
                    records.filter(|record| after.as_ref().is_none_or(|after| record.key > *after)),
                    limit,
                    |record| record.key.clone(),
                ))
            }
            Query::Audit(job) => Answer::Audit(Audit { chunks: model.stats(job).total_chunks, problems: Vec::new() }),
            Query::AuditStore => Answer::Audit(Audit::default()),
            other => panic!("no answer to {other:?}"),
        })
    }

    async fn watch(&self, seen: u64) -> Result<u64> {
        Ok(seen)
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new("model", Durability::Volatile, Sharing::OneProcess)
    }

    async fn close(&self) -> Result<(), Error> {
        self.model.lock().unwrap().close(self.handle, self.clock.now());
        Ok(())
    }
}

impl ModelStore {
    fn outcome(&self, expected: &Expectation) -> Outcome {
        match expected {
            Ok(replies) => Ok(replies.iter().map(|reply| self.reply(reply)).collect()),
            Err(refusal) => match refusal.first() {
                Rejection::FenceLost { .. } if self.fault == Fault::AcceptsStaleFences => Ok(vec![Reply::Applied]),
                rejection => Err(rejection.clone()),
            },
        }
    }

    fn reply(&self, expected: &ExpectedReply) -> Reply {
        match expected {
            ExpectedReply::Exactly(reply) => reply.clone(),
            ExpectedReply::Inserted(report) => Reply::Inserted(report.clone()),
            ExpectedReply::Claimed(chunks) => {
                let mut states: Vec<_> = chunks.iter().map(|chunk| chunk.state().clone()).collect();
                if self.fault == Fault::ClaimsBackwards {
                    states.reverse();
                }
                if let (Fault::RepeatsTokens, Some(state)) = (self.fault, states.first_mut()) {
                    state.lease = state.lease.map(|lease| moved(lease, 1));
                }
                Reply::Claimed(states)
            }
            ExpectedReply::Marked { changed, fence } => {
                let fence = if let ExpectedFence::Is(fence) = fence { Some(*fence) } else { None };
                Reply::Marked { changed: *changed, fence }
            }
            ExpectedReply::Reopened(chunks) => Reply::Reopened(chunks.iter().rev().copied().collect()),
            ExpectedReply::Pruned { removed, next } => Reply::Pruned(magnetar_core::Pruned::new(*removed, next[0])),
            ExpectedReply::Reaped => Reply::Reaped { chunks: 0 },
        }
    }
}

fn page<T, K>(mut rows: impl Iterator<Item = T>, limit: usize, key: impl Fn(&T) -> K) -> Page<T, K> {
    let items: Vec<T> = rows.by_ref().take(limit).collect();
    let next = rows.next().and_then(|_| items.last().map(key));
    Page { items, next }
}

fn with_other_numbers(outcome: Outcome) -> Outcome {
    outcome.map(|replies| {
        let other = |reply| match reply {
            Reply::Claimed(mut states) => {
                for state in &mut states {
                    state.lease = state.lease.map(|lease| moved(lease, lease.fence.token().get() + 5));
                }
                Reply::Claimed(states)
            }
            Reply::Marked { changed, fence } => {
                Reply::Marked { changed, fence: fence.map(|fence| with_token(fence, fence.token().get() + 5)) }
            }
            Reply::Version(version) => Reply::Version(version.map(|version| version + 3)),
            other => other,
        };
        replies.into_iter().map(other).collect()
    })
}

fn moved(mut lease: magnetar_core::Lease, token: u64) -> magnetar_core::Lease {
    lease.fence = with_token(lease.fence, token);
    lease
}

fn with_token(fence: Fence, token: u64) -> Fence {
    Fence::new(fence.job(), fence.chunk(), Token::new(token).unwrap())
}

fn run(fault: Fault, has_many_handles: bool, operations: u64) -> Tally {
    let config = Differential { operations, shrinks_max: 200, ..Differential::default() };
    differential(
        move || vec![("model".to_owned(), Box::new(ModelHarness::new(fault, has_many_handles)) as Box<dyn Harness>)],
        config,
    )
}

#[test]
fn model_agrees_with_itself() {
    let tally = run(Fault::None, true, 4_000);
    assert!(tally.operations() >= 4_000 && tally.runs() >= 4);
}

#[test]
fn model_with_one_handle_agrees_with_itself() {
    run(Fault::None, false, 2_000);
}

#[test]
fn two_stores_are_held_against_models_of_their_own() {
    let store = || Box::new(ModelHarness::new(Fault::None, true)) as Box<dyn Harness>;
    let config = Differential { operations: 1_000, ..Differential::default() };
    differential(|| vec![("one".to_owned(), store()), ("two".to_owned(), store())], config);
}

#[track_caller]
fn check_found_out(fault: Fault) {
    let panic = catch_unwind(AssertUnwindSafe(|| run(fault, true, 20_000))).expect_err("a store with a fault passes");
    let text = panic.downcast_ref::<String>().expect("a panic with a text");
    assert!(text.contains("and the model disagree") && text.contains("repeat with MAGNETAR_SEED="), "{text}");
}

#[test]
fn store_that_accepts_stale_fences_is_found_out() {
    check_found_out(Fault::AcceptsStaleFences);
}

#[test]
fn store_that_claims_backwards_is_found_out() {
    check_found_out(Fault::ClaimsBackwards);
}

#[test]
fn store_that_forgets_results_is_found_out() {
    check_found_out(Fault::ForgetsResults);
}

#[test]
fn store_that_counts_no_crashes_is_found_out() {
    check_found_out(Fault::NeverCountsCrashes);
}

#[test]
fn store_that_repeats_tokens_is_found_out() {
    check_found_out(Fault::RepeatsTokens);
}
