//! Ends the process where a round does not end, and says which: a store that rotted may not make anybody wait for ever.

use std::{
    process,
    sync::mpsc::{RecvTimeoutError, Sender, channel},
    thread,
    time::Duration,
};

/// No round takes nearly as long.
const LIMIT: Duration = Duration::from_mins(5);

/// Watches until it is dropped.
pub(super) struct Watch(#[expect(dead_code, reason = "dropping it tells the thread that the round is over")] Sender<()>);

/// Watches over a round.
pub(super) fn over(rig: &'static str, seed: u64) -> Watch {
    let (alive, end) = channel::<()>();
    thread::spawn(move || {
        if end.recv_timeout(LIMIT) == Err(RecvTimeoutError::Timeout) {
            eprintln!("rig `{rig}`, seed {seed}: it does not end");
            process::abort();
        }
    });
    Watch(alive)
}
