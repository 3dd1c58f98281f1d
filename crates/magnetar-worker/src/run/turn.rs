//! The turns of the loop: what is done, what is sent, what is waited for.

use std::{mem, sync::Arc};

use magnetar_core::{Claim, Error, ErrorKind, Fence, Group, JobId, Lane, Op, Rejection, Reply, Result, limits};
use tokio::time::Instant;

use super::{
    Boxed, Handler,
    ahead::Ahead,
    answer::Look,
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
    time::sleep_until,
    worker::{Settings, Worker},
};

/// What a submit answers.
pub(super) type Answers = Vec<Result<Vec<Reply>, Rejection>>;

pub(super) struct Loop {
    pub(super) settings: Settings,
    /// The job that is run to its end; none where there is no end.
    pub(super) job: Option<JobId>,
    lanes: Vec<Lane>,
    /// The submit that is on its way, and what it carries beside `held.sent`. Dropped before what is held, which follows it.
    in_flight: Option<Asked<Result<Answers>>>,
    pub(super) checking: Vec<Fence>,
    pub(super) claiming: usize,
    reading: Option<Asked<Look>>,
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
}

impl Loop {
    pub(super) fn new(worker: &Worker, job: Option<JobId>, lanes: Vec<Lane>, handler: Handler) -> Self {
        let settings = worker.settings.clone();
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
        let wake_at = self.wake_at();
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
            () = sleep_until(wake_at) => self.look_at_time(Instant::now())?,
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
            held.start(settings.concurrency, &mut |fence, attempt| report.started(fence, attempt));
        }
    }

    /// Sends what is over, what is to be checked, and a claim for the room there is, as one submit.
    fn send(&mut self) {
        if self.in_flight.is_some() || self.trouble.is_waiting() {
            return;
        }
        let room = self.room();
        let goes_anyway = !self.held.outbox.is_empty() || self.is_check_wanted;
        let claiming = if goes_anyway || self.lookout.is_hopeful() { room } else { 0 };
        if !goes_anyway && claiming == 0 {
            return;
        }
        self.held.sent = mem::take(&mut self.held.outbox);
        self.checking = if mem::take(&mut self.is_check_wanted) { self.held.fences() } else { Vec::new() };
        self.claiming = claiming;
        let mut groups: Vec<Group> = self.held.sent.iter().map(Finish::group).collect();
        groups.extend(self.checking.iter().map(|fence| vec![Op::Check { fence: *fence }]));
        if claiming > 0 {
            self.lookout.asked();
            groups.push(vec![Op::Claim(Claim { lanes: self.lanes.clone(), limit: claiming })]);
        }
        let store = Arc::clone(&self.held.store);
        self.in_flight = Some(Asked::now(async move { store.submit(groups).await }));
    }

    /// How many more chunks may be claimed.
    fn room(&self) -> usize {
        if self.ending.is_some() {
            return 0;
        }
        let most = self.settings.concurrency + self.held.ahead.wanted();
        most.saturating_sub(self.held.open()).min(limits::CLAIM_CHUNKS_MAX)
    }

    /// Reads what only the store knows: how it ended an attempt, or how far the job is.
    fn read(&mut self) {
        if self.reading.is_some() || self.trouble.is_waiting() {
            return;
        }
        let store = Arc::clone(&self.held.store);
        if let Some(finish) = self.unclear.pop() {
            let (job, chunk) = (finish.fence.job(), finish.fence.chunk());
            self.reading = Some(Asked::now(async move { Look::Chunk(Box::new(finish), store.get_chunk(job, chunk).await) }));
        } else if let Some(job) = self.job.filter(|_| self.is_idle() && !self.is_looked) {
            self.reading = Some(Asked::now(async move { Look::Job(store.job(job).await) }));
        }
    }

    /// Whether there is nothing to do, as far as the last claim knew.
    pub(super) fn is_idle(&self) -> bool {
        self.ending.is_none() && self.held.is_empty() && self.in_flight.is_none() && !self.lookout.is_hopeful()
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

    fn wake_at(&self) -> Option<Instant> {
        let lookout = self.ending.is_none().then(|| self.lookout.next_at());
        let vigil = Some(self.vigil.next_at());
        let others = [self.held.ahead.stale_at(), self.trouble.retry_at(), self.silent_at()];
        [lookout, vigil].into_iter().chain(others).flatten().min()
    }

    /// When the store will not have answered for too long.
    fn silent_at(&self) -> Option<Instant> {
        let asked = [self.in_flight.as_ref().map(|asked| asked.at), self.reading.as_ref().map(|asked| asked.at)];
        asked.into_iter().flatten().min().map(|at| self.trouble.silent_at(at))
    }

    fn look_at_time(&mut self, now: Instant) -> Result<()> {
        if self.silent_at().is_some_and(|at| at <= now) {
            return Err(Error::new(
                ErrorKind::Unavailable,
                "go on: the store does not answer; what was sent may be written or not",
            ));
        }
        self.trouble.look(now);
        self.lookout.look(now);
        if self.held.ahead.stale_at().is_some_and(|at| at <= now) {
            let stale = self.held.ahead.take_stale(now);
            self.held.outbox.extend(stale.iter().map(|claimed| Finish::unstarted(claimed.fence, claimed.at)));
        }
        if self.vigil.is_check_due(now) {
            self.is_check_wanted = self.held.open() > 0;
            if !self.is_check_wanted {
                self.vigil.answered();
            }
        }
        if self.vigil.is_lost(now) {
            self.lose_all();
        }
        Ok(())
    }

    /// Takes every claim for lost.
    fn lose_all(&mut self) {
        self.held.crew.cancel_all(Cancelled::Lost);
        for claimed in self.held.ahead.take_all() {
            self.report.lost(claimed.fence, false);
            self.held.outbox.push(Finish::forsaken(claimed.fence, claimed.at));
        }
    }
}

/// What the store was asked, and when.
struct Asked<T> {
    at: Instant,
    answer: Boxed<T>,
}

impl<T> Asked<T> {
    fn now(answer: impl Future<Output = T> + Send + 'static) -> Self {
        Self { at: Instant::now(), answer: Box::pin(answer) }
    }
}

/// Waits for an answer, and takes it out; for ever where nothing was asked.
async fn ready<T>(asked: &mut Option<Asked<T>>) -> T {
    let Some(Asked { answer, .. }) = asked else { return std::future::pending().await };
    let answer = answer.await;
    *asked = None;
    answer
}
