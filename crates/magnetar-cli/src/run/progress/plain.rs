//! Progress as lines, for logs: one from time to time, where something has changed.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use magnetar::Timestamp;

use super::tally::Tally;
use crate::{exit::tell, output::style};

/// How long nothing is said after a line.
const PAUSE: Duration = Duration::from_secs(5);

/// What was said last.
#[derive(Default)]
pub(super) struct Plain(Mutex<Option<(Timestamp, String)>>);

impl Plain {
    /// Says how far it is, where it is time and something has changed.
    pub(super) fn show(&self, tally: &Tally, now: Timestamp) {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if last.as_ref().is_some_and(|(at, _)| now.since(*at) < PAUSE) {
            return;
        }
        let line = tally.words();
        if last.as_ref().is_none_or(|(_, said)| *said != line) {
            say(&line);
            *last = Some((now, line));
        }
    }

    /// Says how it ended.
    pub(super) fn end(&self, tally: &Tally) {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let line = tally.words();
        if last.take().is_none_or(|(_, said)| said != line) {
            say(&line);
        }
    }
}

fn say(line: &str) {
    tell("progress:", style::BUSY, line);
}
