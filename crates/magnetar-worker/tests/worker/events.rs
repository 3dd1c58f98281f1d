//! What a worker tells.

use std::{collections::HashMap, sync::Arc, time::Duration};

use magnetar_core::NewChunk;
use magnetar_worker::{Attempt, Event, Events, Failure, Worker};
use tokio::time::sleep;

use crate::support::{JOB, chunks, job, listened, memory};

#[tokio::test(start_paused = true)]
async fn every_attempt_is_told_as_started_then_returned_then_settled_once() {
    let store = memory();
    job(&store, 2, chunks(40)).await;
    let work = |attempt: Attempt| async move {
        sleep(Duration::from_millis(3)).await;
        match (attempt.chunk().chunk % 4, attempt.number()) {
            (1, 1) => Err(Failure::new("once")),
            (2, 1) => panic!("once"),
            (3, 1) => Err(Failure::permanent("never")),
            _ => Ok(()),
        }
    };
    let (worker, events) = listened(Worker::builder(Arc::clone(&store)).concurrency(5));
    let summary = worker.run(JOB, work).await.unwrap();
    let mut told: HashMap<_, Vec<&str>> = HashMap::new();
    for event in events.all() {
        let (fence, what) = match event {
            Event::Started { fence, attempt } => {
                assert!(attempt == 1 || attempt == 2);
                (fence, "started")
            }
            Event::Returned { fence, elapsed } => {
                assert_eq!(elapsed, Duration::from_millis(3));
                (fence, "returned")
            }
            Event::Done { fence } => (fence, "done"),
            Event::Failed { fence, .. } => (fence, "failed"),
            Event::Released { fence } => (fence, "released"),
            _ => continue,
        };
        told.entry(fence).or_default().push(what);
    }
    // What was claimed ahead and given back was never started.
    told.retain(|_, whats| whats != &["released"]);
    assert!(told.values().all(|whats| matches!(whats.as_slice(), ["started", "returned", "done" | "failed"])), "{told:?}");
    assert_eq!(told.len() as u64, summary.counts.started);
    assert_eq!((summary.counts.done, summary.counts.failed, summary.counts.given_up), (30, 30, 10));
}

#[tokio::test(start_paused = true)]
async fn idle_worker_tells_how_far_the_job_is() {
    let store = memory();
    job(&store, 2, vec![NewChunk::new(1), NewChunk::new(2)]).await;
    let work = |attempt: Attempt| async move { if attempt.chunk().chunk == 1 { Err("no") } else { Ok(()) } };
    let (worker, events) = listened(Worker::builder(store));
    worker.run(JOB, work).await.unwrap();
    let idle = |event: &Event| matches!(event, Event::Idle { stats } if (stats.done, stats.delayed) == (1, 1));
    assert!(events.all().iter().any(idle), "{:?}", events.all());
}

#[tokio::test(start_paused = true)]
async fn slow_reader_of_the_stream_holds_nothing_up_and_is_told_how_much_it_missed() {
    let store = memory();
    job(&store, 1, chunks(100)).await;
    let (sink, mut events) = Events::bounded(10);
    let worker = Worker::builder(store).on_event(sink);
    assert_eq!(worker.run(JOB, |_: Attempt| async { Ok::<_, String>(()) }).await.unwrap().counts.done, 100);
    drop(worker);
    let mut seen = 0;
    while events.next().await.is_some() {
        seen += 1;
    }
    assert_eq!((seen, events.missed()), (10, 300 - 10));
}

#[tokio::test(start_paused = true)]
async fn run_whose_listener_panics_leaves_nothing_behind() {
    let store = memory();
    job(&store, 1, chunks(10)).await;
    let worker = Worker::builder(Arc::clone(&store)).concurrency(3).on_event(|event| {
        assert!(!matches!(event, Event::Done { fence } if fence.chunk() == 2), "planted");
    });
    let run = tokio::spawn(async move { worker.run(JOB, |_: Attempt| async { Ok::<_, String>(()) }).await });
    assert!(run.await.unwrap_err().is_panic());
    crate::support::nothing_in_processing(&store).await;
    assert!(store.get_stats(JOB).await.unwrap().done >= 2);
}
