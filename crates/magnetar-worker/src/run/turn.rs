//! The turns of the loop: what is done, what is sent, what is waited for.

use std::sync::Arc;

use magnetar_core::{Fence, JobId, Lane, Rejection, Reply, Result};
use tokio::time::{Instant, sleep_until};

use super::{
    Handler,
    ahead::Ahead,
    answer::Look,
    ask::{Asked, ready},
    crew::{Crew, Ended, Limits, Running},
    finish::Finish,
    held::Held,
    lookout::Lookout,
    report::Report,
    trouble::Trouble,
    vigil::Vigil,
};
use crate::{
    cancellation::Cancelled,
    summary::{End, Summary},
    worker::{Settings, Worker},
};

/// What a submit answers.
pub(super) type Answers = Vec<Result<Vec<Reply>, Rejection>>;

pub(super) struct Loop {
    pub(super) settings: Settings,
    /// The job that is run to its end; none where there is no end.
    pub(super) job: Option<JobId>,
    pub(super) lanes: Vec<Lane>,
    /// The submit that is on its way, and what it carries beside `held.sent`. Dropped before what is held, which follows it.
    pub(super) in_flight: Option<Asked<Result<Answers>>>,
    pub(super) checking: Vec<Fence>,
    pub(super) claiming: usize,
    pub(super) reading: Option<Asked<Look>>,
    pub(super) held: Held,
    /// Attempts that the store itself has ended; the chunk is read to see how.
    pub(super) unclear: Vec<Finish>,
    /// Whether claims are to be checked with the next submit.
    pub(super) is_check_wanted: bool,
    /// Whether the job was looked at since the last claim came up short.
    pub(super) is_looked: bool,
    pub(super) lookout: Lookout,
    pub(super) vigil: Vigil,
    pub(super) trouble: Trouble,
    pub(super) report: Report,
    /// Nothing new is started, and this is why.
    pub(super) ending: Option<End>,
    is_aborting: bool,
    /// When the loop wants to look at the time again.
    pub(super) wake_at: Instant,
}

impl Loop {
    pub(super) fn new(worker: &Worker, job: Option<JobId>, lanes: Vec<Lane>, handler: Handler) -> Self {
        let mut settings = worker.settings.clone();
        settings.concurrency = settings.repeats_max.map_or(settings.concurrency, |max| max.min(settings.concurrency));
        let now = Instant::now();
        let ahead = Ahead::new(settings.prefetch.unwrap_or(settings.concurrency));
        let crew = Crew::new(handler, Limits { timeout: settings.attempt_timeout, grace: settings.cancel_grace });
        let store = Arc::clone(&worker.store);
        Self {
            job,
            lanes,
            in_flight: None,
            checking: Vec::new(),
            claiming: 0,
            reading: None,
            unclear: Vec::new(),
            is_check_wanted: false,
            is_looked: false,
            lookout: Lookout::new(Arc::clone(&store), settings.poll_interval, settings.seed, now),
            vigil: Vigil::new(settings.lease_time, now),
            trouble: Trouble::new(settings.store_patience, settings.seed),
            report: Report::new(settings.on_event.clone()),
            held: Held::new(store, ahead, crew),
            settings,
            ending: None,
            is_aborting: false,
            wake_at: now,
        }
    }

    /// Works until there is an end, or the store is none any more; then what runs is cancelled first.
    pub(super) async fn run(mut self) -> Result<Summary> {
        let ended = self.work().await;
        if ended.is_err() {
            self.held.crew.cancel_all(Cancelled::Aborted);
            while let Some((running, ended)) = self.held.crew.next().await {
                self.over(&running, ended);
            }
        }
        self.report.resume_panic();
        Ok(Summary { end: ended?, counts: self.report.counts })
    }

    async fn work(&mut self) -> Result<End> {
        loop {
            // Not only when the time wakes it: something else may be ready at every turn.
            self.look_at_time(Instant::now())?;
            self.heed();
            self.start();
            self.send();
            self.read();
            self.report.resume_panic();
            if let Some(end) = self.end() {
                return Ok(end);
            }
            self.turn().await?;
        }
    }

    /// Waits for whatever happens next.
    async fn turn(&mut self) -> Result<()> {
        let (cancellation, is_working) = (self.settings.cancellation.clone(), self.ending.is_none());
        self.wake_at = self.next_look();
        tokio::select! {
            biased;
            () = cancellation.abort_token().cancelled(), if !self.is_aborting => {}
            () = cancellation.drain_token().cancelled(), if is_working => {}
            answers = ready(&mut self.in_flight) => self.answered(answers)?,
            Some((running, ended)) = self.held.crew.next(), if !self.held.crew.is_empty() => {
                self.over(&running, ended);
                while let Some((running, ended)) = self.held.crew.try_next() {
                    self.over(&running, ended);
                }
            }
            look = ready(&mut self.reading) => self.looked(look)?,
            () = self.lookout.hint(), if is_working => {}
            () = sleep_until(self.wake_at) => {}
        }
        Ok(())
    }

    /// Hears what the worker is told from outside.
    fn heed(&mut self) {
        let cancellation = &self.settings.cancellation;
        if cancellation.is_aborting() && !self.is_aborting {
            self.is_aborting = true;
            self.ending = Some(End::Aborted);
            self.held.crew.cancel_all(Cancelled::Aborted);
            self.trouble.hurry();
        } else if cancellation.is_draining() && self.ending.is_none() {
            self.ending = Some(End::Drained);
        }
    }

    fn start(&mut self) {
        if self.ending.is_some() {
            self.held.give_back_ahead();
        } else {
            let Self { held, report, settings, .. } = self;
            held.start(settings.concurrency, settings.repeats_max, &mut |fence, attempt| report.started(fence, attempt));
        }
    }

    /// The end, once nothing is left on the way to it.
    fn end(&self) -> Option<End> {
        let is_clear = self.held.is_empty() && self.in_flight.is_none() && self.reading.is_none() && self.unclear.is_empty();
        self.ending.filter(|_| is_clear)
    }

    /// A handler is over.
    fn over(&mut self, running: &Running, ended: Ended) {
        let elapsed = running.started.elapsed();
        self.report.returned(running.fence, elapsed);
        if running.signal.why().is_none() {
            self.held.ahead.learn(elapsed);
        }
        let finish = Finish::of(running, ended);
        if finish.is_forsaken() {
            self.report.lost(finish.fence, true);
        }
        self.held.outbox.push(finish);
    }
}
