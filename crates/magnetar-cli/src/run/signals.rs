//! Ctrl-C: the first lets what runs finish, the second kills it, the third leaves at once.

use std::{convert::Infallible, io, process};

use anstyle::Style;
use magnetar::Cancellation;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::progress::Progress;
use crate::{exit::Code, output::style};

/// The signals that end a run.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Begins to listen. From now on these signals do not end the program by themselves.
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Passes signals on to a worker.
    pub(super) async fn pass_on(mut self, to: &Cancellation, progress: &Progress) -> Infallible {
        let say = |text: &str, style: Style| progress.say("interrupted:", style, text);
        self.next().await;
        to.drain();
        say("nothing new is started; what runs may finish (once more to kill it)", style::ODD);
        self.next().await;
        to.abort();
        say("what runs is killed (once more to leave without waiting for that)", style::BAD);
        self.next().await;
        // The supervisor goes on killing, and holds the session's lock until it is done.
        process::exit(Code::Interrupted as i32);
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
