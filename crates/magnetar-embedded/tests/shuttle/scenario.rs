//! What the callers do.

use std::{
    sync::{Arc, Mutex as StdMutex},
    time::Duration,
};

use futures_lite::future::poll_once;
use libtest_mimic::Trial;
use magnetar_core::{ErrorKind, Expect, Fence, JobRef, JobSpec, JobState, JobStore, NewChunk, Op, Rejection, Reply, Result};
use shuttle::{
    future::block_on,
    rand::{Rng, thread_rng},
};

use crate::{
    explore::trial,
    store::Store,
    sync::{
        sync_channel,
        thread::{spawn, yield_now},
    },
    world::{JOB, World, settle},
};

const LONGER_THAN_A_SESSION: Duration = Duration::from_secs(31);

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("claim_of_a_caller_that_went_away_is_given_back", (25, 100), callers_that_drop),
        trial("each_group_of_a_commit_gets_its_own_answer", (15, 100), answers),
        trial("close_ends_all_that_was_accepted_and_answers_everybody", (20, 100), close),
        trial("failed_commit_is_told_and_ends_the_handle_alone", (12, 100), poisoned),
        trial("full_device_is_told_and_the_handle_goes_on", (6, 100), full),
        trial("of_two_handles_with_one_chunk_the_later_claim_wins", (12, 100), two_handles),
        trial("who_waits_for_a_hint_is_woken", (6, 100), watchers),
        trial("clock_that_is_set_while_the_store_closes_holds_up_nobody", (4, 100), clock),
    ]
}

/// A number below this, drawn.
fn draw(below: usize) -> usize {
    thread_rng().gen_range(0..below)
}

/// Runs each of these in a thread of its own, and returns when all have ended.
fn together(works: Vec<Box<dyn FnOnce() + Send>>) {
    let threads: Vec<_> = works.into_iter().map(spawn).collect();
    for thread in threads {
        thread.join().unwrap();
    }
}

fn work(store: &Arc<Store>, body: impl FnOnce(&Store) + Send + 'static) -> Box<dyn FnOnce() + Send> {
    let store = Arc::clone(store);
    Box::new(move || body(&store))
}

/// What the callers of a scenario came to know.
#[derive(Clone, Default)]
struct Known(Arc<StdMutex<(Vec<Fence>, Vec<u64>)>>);

impl Known {
    fn hold(&self, fence: Fence) {
        self.0.lock().unwrap().0.push(fence);
    }

    fn done(&self, chunk: u64) {
        self.0.lock().unwrap().1.push(chunk);
    }

    fn all(&self) -> (Vec<Fence>, Vec<u64>) {
        let (mut held, mut done) = self.0.lock().unwrap().clone();
        held.sort_unstable_by_key(Fence::chunk);
        done.sort_unstable();
        (held, done)
    }
}

/// Claims, and goes away at any point before the answer is there; none where it did.
fn claim_perhaps(store: &Store, forgets: bool) -> Option<Result<Option<JobState>>> {
    let mut claim = store.claim_pending(JOB);
    for _ in 0..draw(4) {
        if let Some(answer) = block_on(poll_once(&mut claim)) {
            return Some(answer);
        }
        yield_now();
    }
    match draw(2) {
        0 => Some(block_on(claim)),
        _ if forgets => {
            std::mem::forget(claim);
            None
        }
        _ => None,
    }
}

/// Does with a claimed chunk what workers do, and notes it.
fn finish(store: &Store, fence: Fence, known: &Known) -> Result<()> {
    match draw(4) {
        0 => known.hold(fence),
        1 => block_on(store.release(&fence))?,
        2 => drop(block_on(store.fail(&fence, "broken".to_owned()))?),
        _ => {
            block_on(store.complete(&fence, Vec::new()))?;
            known.done(fence.chunk());
        }
    }
    Ok(())
}

fn callers(forgets: bool) {
    let world = World::new(4);
    let (store, known) = (world.open(), Known::default());
    let caller = || {
        let known = known.clone();
        work(&store, move |store| {
            for _ in 0..2 {
                let Some(claimed) = claim_perhaps(store, forgets) else { continue };
                if let Some(chunk) = claimed.unwrap() {
                    finish(store, chunk.fence().unwrap(), &known).unwrap();
                }
                assert_eq!(block_on(store.get_stats(JOB)).unwrap().total_chunks, 4);
            }
        })
    };
    together(vec![caller(), caller(), caller()]);
    settle(&store);
    let (held, done) = known.all();
    assert_eq!(World::fences(&store), held, "a chunk is held by nobody");
    block_on(store.close()).unwrap();
    world.check(&done);
}

pub(crate) fn callers_that_drop() {
    callers(false);
}

/// A bug: the answer to a caller that went away is kept by nobody, and given back by nobody.
pub(crate) fn callers_that_forget() {
    callers(true);
}

/// A group that is refused where its number says so, and whose answer names the number.
fn numbered(number: i64) -> Vec<Op> {
    let expect = if number % 3 == 0 { Expect::Version(7) } else { Expect::Absent };
    vec![
        Op::EnsureJob { job: JobRef::Id(number), spec: JobSpec::default() },
        Op::PutRecord { space: format!("of {number}"), key: Vec::new(), value: Some(vec![1]), expect },
    ]
}

fn check_answer(number: i64, answer: Result<Vec<Result<Vec<Reply>, Rejection>>>) {
    let is_own = match answer.unwrap().pop().unwrap() {
        Ok(replies) => number % 3 != 0 && replies.first() == Some(&Reply::Job { id: number, created: true }),
        Err(Rejection::Version { space, .. }) => number % 3 == 0 && space == format!("of {number}"),
        Err(_) => false,
    };
    assert!(is_own, "group {number} did not get its own answer");
}

/// Two callers with more groups each than the writer answers itself, who ask for the answers in any order and not for all.
fn asked(mixes_up: bool) {
    let world = World::new(1);
    let store = world.open();
    let caller = |first: i64| {
        work(&store, move |store| {
            let mut waiting = Vec::new();
            for number in first..first + 6 {
                let mut submit = store.submit(vec![numbered(number)]);
                match block_on(poll_once(&mut submit)) {
                    Some(answer) => check_answer(number, answer),
                    None => waiting.push((if mixes_up { number ^ 1 } else { number }, submit)),
                }
            }
            while !waiting.is_empty() {
                let (number, submit) = waiting.swap_remove(draw(waiting.len()));
                if draw(4) > 0 {
                    check_answer(number, block_on(submit));
                }
            }
        })
    };
    together(vec![caller(100), caller(200)]);
    block_on(store.close()).unwrap();
    world.check(&[]);
}

pub(crate) fn answers() {
    asked(false);
}

/// A bug: neighbours get each other's answer.
pub(crate) fn answers_mixed_up() {
    asked(true);
}

/// Whether a call failed in one of these ways, and no other.
fn failed<T>(result: Result<T>, with: &[ErrorKind]) -> Option<T> {
    result.map_err(|error| assert!(with.contains(&error.kind()), "{error}")).ok()
}

/// Claims and ends until that fails in one of these ways.
fn toil(store: &Store, with: &[ErrorKind], known: &Known) {
    for _ in 0..2 {
        let Some(Some(chunk)) = claim_perhaps(store, false).and_then(|claimed| failed(claimed, with)) else { continue };
        let fence = chunk.fence().unwrap();
        if failed(block_on(store.complete(&fence, Vec::new())), with).is_some() {
            known.done(fence.chunk());
        }
    }
}

fn close() {
    const ENDS: &[ErrorKind] = &[ErrorKind::Closed];
    let world = World::new(4);
    let (store, known) = (world.open(), Known::default());
    let caller = || {
        let known = known.clone();
        work(&store, move |store| toil(store, ENDS, &known))
    };
    let reader = work(&store, |store| {
        for _ in 0..3 {
            failed(block_on(store.get_stats(JOB)), ENDS);
        }
    });
    let closer = || work(&store, |store| block_on(store.close()).unwrap());
    together(vec![caller(), caller(), reader, closer(), closer()]);
    assert_eq!(block_on(store.get_stats(JOB)).unwrap_err().kind(), ErrorKind::Closed);
    let after = world.open();
    assert!(World::fences(&after).is_empty(), "a closed handle holds a chunk");
    drop(after);
    world.check(&known.all().1);
}

/// A caller that fails where a commit does, beside one that reads.
fn failing(kind: ErrorKind, with: &'static [ErrorKind]) -> (World, Arc<Store>, Known) {
    let world = World::new(4);
    let (store, known) = (world.open(), Known::default());
    world.fail_after(draw(6), kind);
    let caller = || {
        let known = known.clone();
        work(&store, move |store| toil(store, with, &known))
    };
    let reader = work(&store, |store| {
        failed(block_on(store.get_stats(JOB)), with);
    });
    together(vec![caller(), caller(), reader]);
    (world, store, known)
}

fn poisoned() {
    const ENDS: &[ErrorKind] = &[ErrorKind::Backend, ErrorKind::Poisoned];
    let (world, store, known) = failing(ErrorKind::Backend, ENDS);
    if world.has_failed() {
        assert_eq!(block_on(store.apply(vec![Op::Reap])).unwrap_err().kind(), ErrorKind::Poisoned);
        assert_eq!(block_on(store.get_stats(JOB)).unwrap_err().kind(), ErrorKind::Poisoned);
    }
    // Where it has not failed yet, closing may.
    drop(block_on(store.close()));
    drop(store);
    world.fail_no_more();
    world.check(&known.all().1);
}

fn full() {
    let (world, store, known) = failing(ErrorKind::Full, &[ErrorKind::Full]);
    world.fail_no_more();
    settle(&store);
    // Nobody notes of a claim whose end failed, so it is in force.
    let (_, done) = known.all();
    let held = World::fences(&store).len();
    let open = block_on(store.get_stats(JOB)).unwrap().open();
    assert!(held as u64 <= open && open == 4 - done.len() as u64);
    block_on(store.close()).unwrap();
    world.check(&done);
}

/// One handle is taken for dead while it works, and another takes over; both end the chunk.
fn two_handles() {
    let world = World::new(1);
    let (old, new, known) = (world.open(), world.open(), Known::default());
    let lost = block_on(old.claim_pending(JOB)).unwrap().unwrap().fence().unwrap();
    let end = move |store: &Store, fence: Fence, known: &Known| match block_on(store.complete(&fence, Vec::new())) {
        Ok(()) => known.done(fence.chunk()),
        Err(error) => assert_eq!(error.kind(), ErrorKind::FenceLost),
    };
    let notes = known.clone();
    let zombie = work(&old, move |store| end(store, lost, &notes));
    let (notes, time) = (known.clone(), world.clone());
    let heir = work(&new, move |store| {
        time.advance(LONGER_THAN_A_SESSION);
        if let Some(chunk) = block_on(store.claim_pending(JOB)).unwrap() {
            let fence = chunk.fence().unwrap();
            assert!(fence.token() > lost.token(), "a later claim has a larger token");
            end(store, fence, &notes);
        }
    });
    together(vec![zombie, heir]);
    let done = known.all().1;
    assert!(done.len() <= 1, "one chunk is accepted twice");
    drop((old, new));
    world.check(&done);
}

fn watchers() {
    let world = World::new(0);
    let (store, known) = (world.open(), Known::default());
    let (take, taken) = sync_channel(2);
    let watcher = || {
        let (known, take) = (known.clone(), take.clone());
        work(&store, move |store| {
            let mut seen = 0;
            loop {
                let claimed = failed(block_on(store.claim_pending(JOB)), &[ErrorKind::Closed]);
                if let Some(Some(chunk)) = claimed {
                    known.done(chunk.chunk);
                    if known.all().1.len() == 2 {
                        take.send(()).unwrap();
                    }
                }
                match failed(block_on(store.watch(seen)), &[ErrorKind::Closed]) {
                    Some(hint) => seen = hint,
                    None => return,
                }
            }
        })
    };
    let own = Arc::clone(&store);
    let giver = work(&store, move |store| {
        drop(block_on(store.insert(JOB, vec![NewChunk::new(1), NewChunk::new(2)])).unwrap());
        // Whoever waits is woken and takes them, while nothing else happens; who took the last one says so.
        taken.recv().unwrap();
        block_on(own.close()).unwrap();
    });
    together(vec![watcher(), watcher(), giver]);
    assert_eq!(known.all().1, [1, 2]);
}

fn clock() {
    let world = World::new(2);
    let (store, known) = (world.open(), Known::default());
    let (notes, time) = (known.clone(), world.clone());
    let caller = work(&store, move |store| toil(store, &[ErrorKind::Closed], &notes));
    let setter = Box::new(move || (0..2).for_each(|_| time.advance(Duration::from_secs(11))));
    let closer = work(&store, |store| block_on(store.close()).unwrap());
    together(vec![caller, setter, closer]);
    drop(store);
    world.check(&known.all().1);
}
