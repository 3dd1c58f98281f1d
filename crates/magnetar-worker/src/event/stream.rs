//! Events as a stream, for whoever would rather await them than be called.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use futures_core::Stream;
use tokio::sync::mpsc;

use super::Event;

/// The events of a worker as a bounded stream. It ends when the worker is gone.
///
/// It never holds the work up: what does not fit is left out and counted.
///
/// ```
/// # use std::sync::Arc;
/// # use magnetar_core::{JobStore, JobSpec, JobRef};
/// # use magnetar_worker::{Attempt, Event, Events, Worker};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let store: Arc<dyn JobStore> = Arc::new(magnetar_memory::MemoryStore::open().await?);
/// # store.ensure_job(JobRef::Id(1), JobSpec::default()).await?;
/// # store.insert(1, vec![magnetar_core::NewChunk::new(7)]).await?;
/// let (sink, mut events) = Events::bounded(1024);
/// let worker = Worker::builder(store).on_event(sink);
/// let run = tokio::spawn(async move { worker.run(1, |_: Attempt| async { Ok::<_, String>(()) }).await });
/// let mut done = 0;
/// while let Some(event) = events.next().await {
///     done += u64::from(matches!(event, Event::Done { .. }));
/// }
/// assert_eq!(done, run.await??.counts.done);
/// assert_eq!(events.missed(), 0);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Events {
    receiver: mpsc::Receiver<Event>,
    missed: Arc<AtomicU64>,
}

impl Events {
    /// A function for [`Worker::on_event`](crate::Worker::on_event), and the stream that it fills: at most `capacity` events wait;
    /// 0 counts as 1.
    pub fn bounded(capacity: usize) -> (impl Fn(&Event) + Send + Sync + 'static, Self) {
        let (sender, receiver) = mpsc::channel(capacity.max(1));
        let missed = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&missed);
        let sink = move |event: &Event| {
            // The room is asked for first, so that what does not fit is not even copied.
            match sender.try_reserve() {
                Ok(place) => place.send(event.clone()),
                Err(_) => drop(counter.fetch_add(1, Ordering::Relaxed)),
            }
        };
        (sink, Self { receiver, missed })
    }

    /// The next event; none once the worker and its future are gone.
    pub async fn next(&mut self) -> Option<Event> {
        self.receiver.recv().await
    }

    /// How many events did not fit so far.
    pub fn missed(&self) -> u64 {
        self.missed.load(Ordering::Relaxed)
    }
}

impl Stream for Events {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Event>> {
        self.receiver.poll_recv(context)
    }
}
