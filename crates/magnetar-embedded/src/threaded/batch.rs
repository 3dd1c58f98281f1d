//! A batch: the requests of one commit, and the gathering of them.
//!
//! Whoever was answered first comes back first, and would start a tiny batch while the others wait a whole flush for it. So the
//! writer *gathers*: before it commits, it waits until as many groups as last time have come, but no longer than a share of
//! the mean batch time. What has come is applied meanwhile. A lone caller never waits.

use std::{collections::VecDeque, time::Duration};

use magnetar_core::{Group, Result};

use super::queue::{Queue, Request, Room, now};
use crate::{
    engine::{Arrival, Outcome, Requests},
    sync::{Instant, thread},
};

/// The longest time for which a batch is gathered.
const GATHER_MAX: Duration = Duration::from_millis(1);
/// The share of the mean batch time for which one is gathered: 3/20.
const GATHER_SHARE: (u32, u32) = (3, 20);
/// A lone caller comes back at once, and to be woken takes as long as a twentieth of a flush: so long the writer stays awake.
const AWAKE_MAX: Duration = Duration::from_micros(50);
const AWAKE_SHARE: u32 = 20;

/// What the last batches were like, and so how long the next is gathered.
#[derive(Default)]
pub(super) struct Gather {
    last_groups: usize,
    mean: Duration,
    /// How long the next batch is waited for without sleeping.
    awake_for: Duration,
    /// Whether a caller can run beside a writer that does not sleep.
    has_cores: bool,
}

impl Gather {
    pub(super) fn new() -> Self {
        let has_cores = thread::available_parallelism().is_ok_and(|cores| cores.get() > 1);
        Self { has_cores, ..Self::default() }
    }

    /// Takes the next batch, as far as it is here; an empty one where nothing came for `idle_for`.
    pub(super) fn begin<'q>(&self, queue: &'q Queue, idle_for: Duration) -> Batch<'q> {
        queue.wait_for_one(self.awake_for, idle_for);
        let (part, whole) = GATHER_SHARE;
        let patience = (self.mean * part / whole).min(GATHER_MAX);
        let (expected, begun) = (self.last_groups, now());
        let mut batch =
            Batch { queue, expected, patience, begun, room: Room::default(), arrived: VecDeque::new(), applied: Vec::new() };
        batch.fill();
        batch
    }

    /// Learns from a batch: the mean moves by an eighth.
    pub(super) fn end(&mut self, batch: &Ended) {
        if batch.groups > 0 {
            self.mean = (self.mean * 7 + batch.took) / 8;
            let is_worth_it = batch.groups == 1 && self.has_cores;
            self.awake_for = if is_worth_it { (self.mean / AWAKE_SHARE).min(AWAKE_MAX) } else { Duration::ZERO };
            self.last_groups = batch.groups;
        }
    }
}

/// The requests of one commit.
pub(super) struct Batch<'q> {
    queue: &'q Queue,
    /// How many groups are worth waiting for.
    expected: usize,
    /// How long they are waited for yet.
    patience: Duration,
    begun: Instant,
    room: Room,
    arrived: VecDeque<Request>,
    applied: Vec<Request>,
}

/// What a batch was like.
pub(super) struct Ended {
    groups: usize,
    took: Duration,
}

impl Batch<'_> {
    /// Takes what is here, and returns whether there is room for more.
    fn fill(&mut self) -> bool {
        self.queue.fill(&mut self.room, &mut self.arrived)
    }

    /// Waits for more requests if that is worth it, for half of what is missing at a time: each caller who wakes the writer
    /// pays for that.
    fn refill(&mut self) {
        self.room.is_begun = true;
        let has_room = self.fill();
        let missing = self.expected.saturating_sub(self.room.groups);
        if has_room && self.arrived.is_empty() && self.room.groups > 0 && missing > 0 && !self.patience.is_zero() {
            let begun = now();
            self.queue.wait_for_more(self.patience, missing.div_ceil(2));
            self.patience = self.patience.saturating_sub(begun.elapsed());
            self.fill();
        }
    }

    /// All requests of the batch, those that were not applied among them, and what it was like.
    pub(super) fn end(self) -> (impl Iterator<Item = Request>, Ended) {
        let ended = Ended { groups: self.room.groups, took: self.begun.elapsed() };
        (self.applied.into_iter().chain(self.arrived), ended)
    }
}

impl Requests for Batch<'_> {
    fn next(&mut self) -> Option<Arrival> {
        let mut arrival = Arrival::Before;
        if self.arrived.is_empty() {
            self.refill();
            arrival = Arrival::Since;
        }
        self.applied.push(self.arrived.pop_front()?);
        Some(arrival)
    }

    fn apply(&mut self, apply: &mut dyn FnMut(&Group) -> Result<Outcome>) -> Result<()> {
        self.applied.last_mut().map_or(Ok(()), |request| request.apply(apply))
    }
}
