//! Finishes travel together, handlers do not wait for them, and what is claimed ahead does not wait for long.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use magnetar_core::{NewChunk, Op};
use magnetar_worker::{Attempt, Completion, End, Event, Worker};
use tokio::time::{Instant, sleep};

use crate::support::{JOB, Log, Rig, chunks, job, listened, until};

const COMMIT: Duration = Duration::from_millis(5);

fn is_complete(op: &Op) -> bool {
    matches!(op, Op::Complete { .. })
}

async fn millisecond(_: Attempt) -> Result<(), String> {
    sleep(Duration::from_millis(1)).await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn handlers_start_while_the_finishes_of_others_are_not_durable() {
    let rig = Rig::new();
    job(&rig.inner(), 1, chunks(1000)).await;
    let (worker, events) = listened(Worker::builder(rig.store()).concurrency(4).prefetch(16));
    let run = tokio::spawn(async move { worker.run(JOB, millisecond).await });
    let started = |events: &Log<Event>| events.all().iter().filter(|event| matches!(event, Event::Started { .. })).count();
    until(async || started(&events) > 100).await;
    rig.freeze(true);
    // No commit comes through from here on, so no finish becomes durable.
    let (before, durable) = (started(&events), rig.submits_with(is_complete));
    sleep(Duration::from_millis(500)).await;
    let after = started(&events);
    assert!(after - before >= 16, "{before} to {after}");
    assert_eq!(rig.submits_with(is_complete), durable);
    rig.freeze(false);
    assert_eq!(run.await.unwrap().unwrap().counts.done, 1000);
}

#[tokio::test(start_paused = true)]
async fn one_commit_carries_the_finishes_of_many_handlers_and_the_next_claims() {
    let rig = Rig::new();
    job(&rig.inner(), 1, chunks(2000)).await;
    rig.delay(COMMIT);
    let begin = Instant::now();
    let summary = Worker::builder(rig.store()).concurrency(64).run(JOB, millisecond).await.unwrap();
    assert_eq!(summary.counts.done, 2000);
    let finishing = rig.submits_with(is_complete);
    assert!(finishing <= 2000 / 64 + 3, "{finishing} commits with finishes");
    let fused = |groups: &Vec<Vec<Op>>| {
        groups.iter().flatten().any(is_complete) && groups.iter().flatten().any(|op| matches!(op, Op::Claim(_)))
    };
    assert!(rig.submits().iter().filter(|groups| fused(groups)).count() + 3 >= finishing);
    // A commit, then 64 handlers at once, and so on would take a third longer.
    assert!(begin.elapsed() < (COMMIT + Duration::from_millis(1)) * 2000 / 64, "{:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn large_results_go_in_commits_of_a_bounded_size() {
    let rig = Rig::new();
    job(&rig.inner(), 1, chunks(40)).await;
    let work = |_: Attempt| async { Ok::<_, String>(Completion::new(vec![7; 1024 * 1024])) };
    assert_eq!(Worker::builder(rig.store()).concurrency(40).run(JOB, work).await.unwrap().counts.done, 40);
    let sizes: Vec<_> = rig
        .submits()
        .iter()
        .map(|groups| groups.iter().flatten().filter(|op| is_complete(op)).count())
        .filter(|count| *count > 0)
        .collect();
    assert_eq!(sizes, [8; 5]);
}

#[tokio::test(start_paused = true)]
async fn no_more_attempts_than_told_would_be_repeated_after_a_kill() {
    for (repeats_max, concurrency) in [(6, 6), (3, 6), (10, 6)] {
        let rig = Rig::new();
        job(&rig.inner(), 1, chunks(300)).await;
        rig.delay(COMMIT);
        let started = Arc::new(AtomicU64::new(0));
        let most = Arc::new(AtomicU64::new(0));
        let (begun, peak, store) = (Arc::clone(&started), Arc::clone(&most), rig.inner());
        let work = move |_: Attempt| {
            let (begun, peak, store) = (Arc::clone(&begun), Arc::clone(&peak), Arc::clone(&store));
            async move {
                // What was started and is not done in the store would be done again.
                let started = begun.fetch_add(1, SeqCst) + 1;
                peak.fetch_max(started - store.get_stats(JOB).await.unwrap().done, SeqCst);
                sleep(Duration::from_millis(1)).await;
                Ok::<_, String>(())
            }
        };
        let worker = Worker::builder(rig.store()).concurrency(concurrency).prefetch(20).repeats_max(repeats_max);
        assert_eq!(worker.run(JOB, work).await.unwrap().counts.done, 300);
        assert_eq!(most.load(SeqCst), u64::try_from(repeats_max).unwrap());
    }
}

#[tokio::test(start_paused = true)]
async fn long_handlers_leave_to_others_what_they_do_not_run() {
    let rig = Rig::new();
    job(&rig.inner(), 1, chunks(20)).await;
    let work = |_: Attempt| async {
        sleep(Duration::from_secs(2)).await;
        Ok::<_, String>(())
    };
    let worker = Worker::builder(rig.store()).concurrency(2).prefetch(8);
    let run = tokio::spawn(async move { worker.run(JOB, work).await });
    let store = rig.inner();
    while !run.is_finished() {
        assert!(store.get_stats(JOB).await.unwrap().processing <= 2);
        sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(run.await.unwrap().unwrap().counts.done, 20);
}

#[tokio::test(start_paused = true)]
async fn chunk_that_waits_too_long_behind_a_long_one_is_given_back() {
    let rig = Rig::new();
    job(&rig.inner(), 1, chunks(6)).await;
    // One short handler shows that handlers are short; the next runs for a minute, and four chunks wait behind it.
    let work = |attempt: Attempt| async move {
        let seconds = if attempt.chunk().chunk == 2 { 60 } else { 0 };
        sleep(Duration::from_secs(seconds)).await;
        Ok::<_, String>(())
    };
    let (worker, events) = listened(Worker::builder(rig.store()).prefetch(4));
    let run = tokio::spawn(async move { worker.run(JOB, work).await });
    let store = rig.inner();
    until(async || store.get_stats(JOB).await.unwrap().processing == 5).await;
    let begin = Instant::now();
    until(async || store.get_stats(JOB).await.unwrap().processing == 1).await;
    assert!(begin.elapsed() < Duration::from_millis(1100), "{:?}", begin.elapsed());
    let summary = run.await.unwrap().unwrap();
    assert_eq!((summary.counts.started, summary.counts.done, summary.counts.released), (6, 6, 0));
    assert_eq!(events.all().iter().filter(|event| matches!(event, Event::Released { .. })).count(), 4);
    let chunk = store.get_chunk(JOB, 3).await.unwrap().unwrap();
    assert_eq!((chunk.fails, chunk.crashes), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn chunk_is_given_back_before_waiting_costs_it_its_time() {
    let rig = Rig::new();
    let short = |id| NewChunk::new(id).timeout(Duration::from_secs(1));
    job(&rig.inner(), 1, vec![NewChunk::new(1), NewChunk::new(2), short(3), short(4)]).await;
    let work = |attempt: Attempt| async move {
        let millis = if attempt.chunk().chunk > 1 { 950 } else { 0 };
        sleep(Duration::from_millis(millis)).await;
        Ok::<_, String>(())
    };
    let summary = Worker::builder(rig.store()).prefetch(4).run(JOB, work).await.unwrap();
    assert_eq!((summary.counts.done, summary.counts.timed_out), (4, 0), "{summary:?}");
}

#[tokio::test(start_paused = true)]
async fn claims_stay_within_what_runs_and_what_is_claimed_ahead() {
    let rig = Rig::new();
    job(&rig.inner(), 1, chunks(3000)).await;
    rig.delay(COMMIT);
    let worker = Worker::builder(rig.store()).concurrency(8).prefetch(24);
    let run = tokio::spawn(async move { worker.run(JOB, millisecond).await });
    let store: Arc<_> = rig.inner();
    let mut most = 0;
    while !run.is_finished() {
        most = most.max(store.get_stats(JOB).await.unwrap().processing);
        sleep(Duration::from_micros(700)).await;
    }
    // What is finished and on its way still counts as claimed: one commit's worth of it at most, and one that waits.
    assert!((32..=32 * 3).contains(&most), "{most}");
    assert!(matches!(run.await.unwrap().unwrap().end, End::Ended { stats } if stats.done == 3000));
}
