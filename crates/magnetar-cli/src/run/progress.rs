//! How far a run is, on standard error: a bar, plain lines, or nothing.

mod bar;
mod plain;
mod tally;

use std::{
    convert::Infallible,
    io::IsTerminal,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anstyle::Style;
use magnetar::{Fence, JobState, JobStats, JobStore, worker::Event};

use self::{bar::Bar, plain::Plain, tally::Tally};
use super::args::ProgressMode;
use crate::{exit::tell, label::label, output::style, text::clean, time::now};

/// How often the counters of the store are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// The progress of a run. Clones are the same one.
#[derive(Clone)]
pub(super) struct Progress(Arc<Inner>);

struct Inner {
    tally: Mutex<Tally>,
    face: Face,
}

/// How it is shown.
enum Face {
    Bar(Bar),
    Plain(Plain),
    Nothing,
}

/// A command that runs, for as long as this is held.
pub(super) struct Running {
    progress: Progress,
    fence: Fence,
}

impl Progress {
    /// The progress of a job that is so far by now.
    pub(super) fn new(mode: ProgressMode, stats: JobStats) -> Self {
        let is_dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        let face = match mode {
            ProgressMode::None => Face::Nothing,
            ProgressMode::Plain => Face::Plain(Plain::default()),
            ProgressMode::Auto if is_dumb || !std::io::stderr().is_terminal() => Face::Plain(Plain::default()),
            ProgressMode::Auto | ProgressMode::Bar => Face::Bar(Bar::new()),
        };
        let progress = Self(Arc::new(Inner { tally: Mutex::new(Tally::new(stats, now())), face }));
        progress.show();
        progress
    }

    /// Notes that a command runs.
    pub(super) fn running(&self, fence: Fence, chunk: &JobState) -> Option<Running> {
        if matches!(self.0.face, Face::Nothing) {
            return None;
        }
        self.tally().start(fence, label(chunk), now());
        Some(Running { progress: self.clone(), fence })
    }

    /// Takes in what the worker tells.
    pub(super) fn event(&self, event: &Event) {
        match event {
            Event::Failed { fence, error, retry_at, .. } => {
                let label = self.tally().forget(*fence);
                let label = label.filter(|label| !label.is_empty()).map(|label| format!(" ({})", clean(&label)));
                let then = if retry_at.is_some() { "; it is tried again" } else { "" };
                let text = format!("chunk {}{}: {}{then}", fence.chunk(), label.unwrap_or_default(), clean(error));
                self.news("failed:", if retry_at.is_some() { style::ODD } else { style::BAD }, &text);
            }
            Event::Lost { fence } => {
                self.tally().forget(*fence);
                let text = format!("chunk {}: its claim was taken back; another may be at work on it", fence.chunk());
                self.news("lost:", style::ODD, &text);
            }
            Event::StoreTrouble { error, .. } => self.say("waiting:", style::ODD, &clean(error)),
            Event::Done { fence } | Event::Released { fence } | Event::Parked { fence } => {
                self.tally().forget(*fence);
            }
            _ => {}
        }
    }

    /// Looks at the job again and again.
    pub(super) async fn follow(&self, store: &dyn JobStore) -> Infallible {
        let job = self.tally().stats.job_id;
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            // A store that cannot be read now is the worker's business.
            if let Ok(stats) = store.get_stats(job).await {
                self.tally().look(stats, now());
            }
            self.show();
        }
    }

    /// Says something that matters, whatever is shown.
    pub(super) fn say(&self, what: &str, style: Style, text: &str) {
        match &self.0.face {
            Face::Bar(bar) => bar.above(|| tell(what, style, text)),
            Face::Plain(_) | Face::Nothing => tell(what, style, text),
        }
    }

    /// Ends what is shown, with the last state of things where it is known.
    pub(super) fn end(&self, stats: Option<JobStats>) {
        let mut tally = self.tally();
        if let Some(stats) = stats {
            tally.look(stats, now());
        }
        match &self.0.face {
            Face::Bar(bar) => bar.end(),
            Face::Plain(plain) => plain.end(&tally),
            Face::Nothing => {}
        }
    }

    /// Says what belongs to the progress itself.
    fn news(&self, what: &str, style: Style, text: &str) {
        if !matches!(self.0.face, Face::Nothing) {
            self.say(what, style, text);
        }
    }

    fn show(&self) {
        let tally = self.tally();
        match &self.0.face {
            Face::Bar(bar) => bar.show(&tally, now()),
            Face::Plain(plain) => plain.show(&tally, now()),
            Face::Nothing => {}
        }
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.0.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.progress.tally().stop(self.fence);
    }
}
