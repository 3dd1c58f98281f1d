//! What is told: events as they happen, and the counts of all.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    time::Duration,
};

use magnetar_core::{Fence, JobStats};

use super::finish::Settled;
use crate::{
    event::{Cause, Event},
    summary::Counts,
    worker::OnEvent,
};

pub(super) struct Report {
    on_event: Option<OnEvent>,
    /// The panic of a listener, kept until everything is where it belongs again.
    panic: Option<Box<dyn Any + Send>>,
    pub(super) counts: Counts,
}

impl Report {
    pub(super) fn new(on_event: Option<OnEvent>) -> Self {
        Self { on_event, panic: None, counts: Counts::default() }
    }

    pub(super) fn started(&mut self, fence: Fence, attempt: u32) {
        self.counts.started += 1;
        self.tell(|| Event::Started { fence, attempt });
    }

    pub(super) fn returned(&mut self, fence: Fence, elapsed: Duration) {
        self.tell(|| Event::Returned { fence, elapsed });
    }

    /// A claim is lost, of a chunk that a handler was started on or not.
    pub(super) fn lost(&mut self, fence: Fence, is_started: bool) {
        self.counts.lost += u64::from(is_started);
        self.tell(|| Event::Lost { fence });
    }

    pub(super) fn trouble(&mut self, error: &magnetar_core::Error, retry_after: Duration) {
        self.tell(|| Event::StoreTrouble { error: crate::failure::chain(error), retry_after });
    }

    pub(super) fn idle(&mut self, stats: JobStats) {
        self.tell(|| Event::Idle { stats });
    }

    /// The store has what came of a claim.
    pub(super) fn settled(&mut self, fence: Fence, is_started: bool, settled: Settled) {
        let one = u64::from(is_started);
        match settled {
            Settled::Done => {
                self.counts.done += one;
                self.tell(|| Event::Done { fence });
            }
            Settled::Failed { cause, error, retry_at } => {
                self.counts.failed += one;
                self.counts.timed_out += u64::from(cause == Cause::TimedOut);
                self.counts.panicked += u64::from(cause == Cause::Panicked);
                self.counts.given_up += u64::from(retry_at.is_none());
                self.tell(|| Event::Failed { fence, cause, error, retry_at });
            }
            Settled::Released => {
                self.counts.released += one;
                self.tell(|| Event::Released { fence });
            }
            Settled::Parked { .. } => {
                self.counts.parked += one;
                self.tell(|| Event::Parked { fence });
            }
            Settled::Lost => self.lost(fence, is_started),
            Settled::Known => {}
        }
    }

    /// Goes on with the panic of a listener.
    pub(super) fn resume_panic(&mut self) {
        if let Some(panic) = self.panic.take() {
            resume_unwind(panic);
        }
    }

    /// Makes the event only where somebody listens.
    fn tell(&mut self, event: impl FnOnce() -> Event) {
        if let (Some(on_event), None) = (&self.on_event, &self.panic) {
            self.panic = catch_unwind(AssertUnwindSafe(|| on_event(&event()))).err();
        }
    }
}
