//! A source of events that is read on after every run, wherever the last one was killed. Run it as often as you like.
//!
//! `cargo run -p magnetar --features state --example resume_tokens [FOLDER]`
//!
//! What it shows: a lock with a fence, a token that is saved only when its data is flushed, and what to do about an expired token.

use std::time::Duration;

use magnetar::state::{Document, FileStore, Guard, StateError, StateStore, Tracker, doc, save_flushed};

const ORDERS: &str = "shop.orders";
const EVENTS: i32 = 20;
const BATCH: usize = 4;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let temporary = tempfile::tempdir()?;
    let folder = std::env::args().nth(1).map_or_else(|| temporary.path().join("state"), Into::into);
    let store = FileStore::new(folder).await?;

    // One reader at a time. Whoever lost the lock without noticing is fenced off by the epoch of whoever has it now.
    let lock = store.acquire(ORDERS, Duration::from_secs(30)).await?;
    let guard = Guard::epoch(lock.epoch());

    let (mut tracker, start) = match Tracker::resume(&store, ORDERS).await {
        // The source has forgotten what came after it: starting anew is a decision, and never made in silence.
        Err(StateError::Expired { at, .. }) => anyhow::bail!("the token expired at {at}: take a snapshot first"),
        resumed => resumed?,
    };
    println!("going on {}", start.as_ref().map_or("from the beginning".to_owned(), |token| format!("after {token}")));

    let events: Vec<Document> = events_after(start.as_ref()).collect();
    for batch in events.chunks(BATCH) {
        let Some(last) = batch.last() else { break };
        // The token goes in when the batch comes in, and comes out when everything up to it is flushed.
        let pending = tracker.receive(doc! { "_data": last.get_i32("n")? })?;
        flush(batch);
        if let Some(flushed) = tracker.flush_ok(pending)? {
            save_flushed(&store, &flushed, guard, None).await?;
        }
    }

    store.release(&lock).await?;
    println!("at {:?}", store.load_resume_token(ORDERS).await?);
    store.close().await?;
    Ok(())
}

/// What a database would send: each event with its number.
fn events_after(token: Option<&Document>) -> impl Iterator<Item = Document> + use<> {
    let seen = token.and_then(|token| token.get_i32("_data").ok()).unwrap_or(0);
    (seen + 1..=EVENTS).map(|number| doc! { "n": number, "order": format!("order {number}") })
}

/// Where a real program would write its batch, and come back when that is durable.
fn flush(batch: &[Document]) {
    println!("flushed {} events", batch.len());
}
