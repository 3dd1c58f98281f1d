//! Progress on a terminal: a bar with the counters, and below it what runs.

use std::sync::{Mutex, PoisonError};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use magnetar::{JobStats, Timestamp};

use super::tally::{Run, Tally};
use crate::text::clean;

/// Commands that are named; the rest are counted.
const NAMED: usize = 8;
/// Drawings a second.
const DRAWS: u8 = 10;

/// What stands on the terminal.
pub(super) struct Bar {
    all: MultiProgress,
    counters: ProgressBar,
    /// A line for each command that is named.
    lines: Mutex<Vec<ProgressBar>>,
}

impl Bar {
    pub(super) fn new(stats: &JobStats) -> Self {
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(DRAWS));
        let counters = all.add(ProgressBar::new(stats.total_chunks).with_style(style("[{bar:28}] {percent:>3}%  {wide_msg}")));
        Self { all, counters, lines: Mutex::default() }
    }

    /// Draws the state of things.
    pub(super) fn show(&self, tally: &Tally, now: Timestamp) {
        self.counters.set_length(tally.stats.total_chunks);
        self.counters.set_position(tally.ended());
        self.counters.set_message(tally.words());
        let mut texts: Vec<String> = tally.running().take(NAMED).map(|run| line(run, now)).collect();
        let more = tally.running().skip(NAMED).count();
        if more > 0 {
            texts.push(format!("and {more} more"));
        }
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        while lines.len() > texts.len() {
            if let Some(line) = lines.pop() {
                self.all.remove(&line);
            }
        }
        while lines.len() < texts.len() {
            lines.push(self.all.add(ProgressBar::no_length().with_style(style("    {wide_msg}"))));
        }
        for (line, text) in lines.iter().zip(texts) {
            line.set_message(text);
        }
    }

    /// Has something written above the bar.
    pub(super) fn above(&self, write: impl FnOnce()) {
        self.all.suspend(write);
    }

    /// Takes everything off the terminal.
    pub(super) fn end(&self) {
        // What cannot be drawn on needs no cleaning up.
        let _ = self.all.clear();
    }
}

fn line(run: &Run, now: Timestamp) -> String {
    format!("{:>10}  {}  {}", run.elapsed(now).to_string(), run.chunk, clean(&run.label))
}

fn style(template: &str) -> ProgressStyle {
    // The templates are ours, and right.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> ")
}
