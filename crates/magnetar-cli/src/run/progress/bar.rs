//! Progress on a terminal: a bar with the counters, and below it what runs.

use std::io;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use magnetar::Timestamp;

use super::tally::{Run, Tally};
use crate::{output::table::cut, text::clean};

/// Commands that are named; the rest are counted.
const NAMED: usize = 8;
/// Drawings a second.
const DRAWS: u8 = 10;
/// Columns of the bar itself.
const BAR_WIDTH: usize = 28;
/// Columns that a terminal is taken to have where it does not say.
const WIDTH: usize = 80;

/// What stands on the terminal. It is one text of some lines, so that what it says fits together however often it is drawn.
pub(super) struct Bar(ProgressBar);

impl Bar {
    pub(super) fn new() -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(DRAWS));
        // The template is right.
        let style = ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
        Self(bar.with_style(style))
    }

    /// Draws the state of things.
    pub(super) fn show(&self, tally: &Tally, now: Timestamp) {
        let width = terminal_size::terminal_size_of(io::stderr()).map_or(WIDTH, |(width, _)| usize::from(width.0));
        self.0.set_message(lines(tally, now, width).join("\n"));
    }

    /// Has something written above the bar.
    pub(super) fn above(&self, write: impl FnOnce()) {
        self.0.suspend(write);
    }

    /// Takes everything off the terminal.
    pub(super) fn end(&self) {
        self.0.finish_and_clear();
    }
}

fn lines(tally: &Tally, now: Timestamp, width: usize) -> Vec<String> {
    let mut lines = vec![format!("{}  {}", bar(tally.ended(), tally.stats.total_chunks), tally.words())];
    lines.extend(tally.running().take(NAMED).map(|run| line(run, now)));
    let more = tally.running().count().saturating_sub(NAMED);
    if more > 0 {
        lines.push(format!("            and {more} more"));
    }
    lines.iter().map(|line| cut(line, width)).collect()
}

/// How much of the whole has ended: `[=======>           ]  38 %`.
fn bar(ended: u64, total: u64) -> String {
    let share = |of: usize| {
        let share = u128::from(ended) * of as u128 / u128::from(total.max(1));
        usize::try_from(share).unwrap_or(of).min(of)
    };
    let filled = share(BAR_WIDTH);
    let head = if filled == BAR_WIDTH { "" } else { ">" };
    format!("[{:BAR_WIDTH$}] {:>3} %", "=".repeat(filled) + head, share(100))
}

fn line(run: &Run, now: Timestamp) -> String {
    format!("{:>10}  {}  {}", run.elapsed(now).to_string(), run.chunk, clean(&run.label))
}

#[cfg(test)]
mod tests {
    use magnetar::{Fence, JobStats, Token};

    use super::*;

    #[test]
    fn some_of_what_runs_is_named_within_the_width_of_the_terminal() {
        let mut stats = JobStats::new(1);
        (stats.total_chunks, stats.done, stats.processing) = (20, 10, 10);
        let mut tally = Tally::new(stats, Timestamp::default());
        for token in 1..=10 {
            tally.start(Fence::new(1, token, Token::new(token).unwrap()), "convert\nsomething".to_owned(), Timestamp::default());
        }
        let lines = lines(&tally, Timestamp::from_millis(65_000), 61);
        assert_eq!(lines.len(), 1 + NAMED + 1);
        assert_eq!(lines[0], "[==============>             ]  50 %  10/20 done, 10 running");
        assert_eq!(lines[1], " 1 min 5 s  1  convert\\nsomething");
        assert_eq!(lines[9], "            and 2 more");
        assert_eq!(super::lines(&tally, Timestamp::default(), 45)[0], "[==============>             ]  50 %  10/20 …");
        assert_eq!(bar(20, 20), "[============================] 100 %");
        assert_eq!(bar(0, 0), "[>                           ]   0 %");
    }
}
