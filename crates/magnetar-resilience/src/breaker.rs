//! A circuit breaker: calls to a service that does not do well are refused for a while, and a few probes find out when it is back.

mod builder;
mod bulletin;
mod calls;
mod config;
mod cooldown;
mod permit;
mod registry;
mod state;
mod trip;
mod window;
mod word;

use std::{
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

pub use self::{
    builder::CircuitBreakerBuilder,
    config::{CircuitBreakerConfig, RateRule, SlowRule, Trip},
    permit::Permit,
    registry::BreakerRegistry,
    state::{BreakerSnapshot, CircuitState},
    window::Window,
};
use self::{
    bulletin::Bulletin,
    cooldown::Cooldown,
    permit::Ticket,
    trip::Rule,
    word::{Admission, Effect, Mode, Moved, Probing, Word},
};
use crate::{
    clock::{Clock, millis, millis_up, nanos},
    observe::{BreakerMode, CallOutcome, Event, Observers},
    outcome::Rejection,
    retry::Retry,
};

/// A circuit breaker. Have one for each service that fails by itself: a host, an endpoint, a bucket; share it behind an `Arc`.
///
/// - *Closed*: calls go through, and failures are counted. At the threshold it opens.
/// - *Open*: calls are refused at once. After the cooldown the next call is a probe. That call makes it half-open; until then it shows
///   as open, with nothing left to wait.
/// - *Half-open*: at most `success_threshold` probes are under way or have succeeded. If all succeed it closes, if one fails it opens anew.
///
/// What counts as what is told by [`ErrorClass`](crate::ErrorClass). A call that goes away before its end counts as nothing, and its
/// place as a probe is free at once; a panic is a failure. What ends after the breaker has moved on moves nothing.
///
/// The success of a closed breaker is two loads of one word: no lock, no store, no allocation, no look at the clock.
///
/// ```
/// use std::time::Duration;
/// use magnetar_resilience::{CircuitBreaker, CircuitBreakerConfig, CircuitState, ResilienceError};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// let breaker = CircuitBreaker::new(CircuitBreakerConfig {
///     failure_threshold: 1,
///     success_threshold: 1,
///     cooldown: Duration::from_secs(30),
///     ..Default::default()
/// });
/// let failed = breaker.call(|| async { Err::<(), _>(ResilienceError::Transient("reset".into())) }).await;
/// assert!(failed.is_err());
/// assert!(matches!(breaker.get_state().await, CircuitState::Open { .. }));
/// assert_eq!(breaker.call(|| async { Ok(1) }).await, Err(ResilienceError::CircuitOpen));
///
/// tokio::time::sleep(Duration::from_secs(30)).await;
/// assert_eq!(breaker.call(|| async { Ok(1) }).await, Ok(1));
/// assert_eq!(breaker.get_state().await, CircuitState::Closed);
/// # }
/// ```
#[derive(Debug)]
pub struct CircuitBreaker {
    word: Word,
    parts: Parts,
    counts: Counts,
    bulletin: Bulletin,
}

/// What a breaker is made of and never changes.
#[derive(Debug)]
struct Parts {
    name: Arc<str>,
    /// The time that the word's times begin at.
    base: Duration,
    probing: Probing,
    rule: Rule,
    cooldown: Cooldown,
    cancelled_after: Option<Duration>,
    /// Whether it matters how long a call takes.
    is_timed: bool,
    /// Whether a success that changes nothing is nothing to anybody: no window counts it, and no observer is told.
    is_quiet: bool,
    attempt_timeout: Option<Duration>,
    retry: Retry,
    clock: Arc<dyn Clock>,
    observers: Observers,
}

/// What happened beside successes, which are not counted so that they store nothing.
#[derive(Debug, Default)]
struct Counts {
    failures: AtomicU64,
    ignored: AtomicU64,
    cancelled: AtomicU64,
    stale: AtomicU64,
    rejected: AtomicU64,
}

impl CircuitBreaker {
    /// A breaker with this config, which opens at failures in a row. A setting that cannot be meant counts as the nearest that can:
    /// thresholds of zero as 1, a multiplier that is no number or would shrink as 1. The [builder](Self::builder) refuses them.
    pub fn new(config: CircuitBreakerConfig) -> Self {
        Self::builder().config(config).assemble()
    }

    /// A breaker with the default config.
    pub fn new_default() -> Self {
        Self::new(CircuitBreakerConfig::default())
    }

    /// Every other setting.
    pub fn builder() -> CircuitBreakerBuilder {
        CircuitBreakerBuilder::default()
    }

    /// The name that observers are told.
    pub fn name(&self) -> &str {
        &self.parts.name
    }

    /// Asks to be let through, for calls that are not a closure. Say on the permit how the call ended; dropping it says that the caller
    /// went away.
    ///
    /// # Errors
    /// [`Rejection::CircuitOpen`].
    #[inline]
    pub fn try_acquire(&self) -> Result<Permit<&Self>, Rejection> {
        self.admit().map(|ticket| Permit::new(self, ticket))
    }

    /// The same, with a permit that keeps the breaker alive.
    ///
    /// # Errors
    /// [`Rejection::CircuitOpen`].
    pub fn try_acquire_owned(self: &Arc<Self>) -> Result<Permit<Arc<Self>>, Rejection> {
        self.admit().map(|ticket| Permit::new(Arc::clone(self), ticket))
    }

    /// Refuses everything until [`reset_now`](Self::reset_now) or [`force_closed`](Self::force_closed).
    pub fn force_open(&self) {
        self.settle(self.word.force(Mode::ForcedOpen));
    }

    /// Lets everything through, whatever fails, until [`reset_now`](Self::reset_now) or [`force_open`](Self::force_open).
    pub fn force_closed(&self) {
        self.settle(self.word.force(Mode::ForcedClosed));
    }

    /// Closes the breaker and counts from zero. What was let through before counts no more.
    pub fn reset_now(&self) {
        self.settle(self.word.force(Mode::Closed { failures: 0 }));
    }

    /// [`reset_now`](Self::reset_now), for those who await it. It waits for nothing.
    #[expect(clippy::unused_async, reason = "the contract awaits it")]
    pub async fn reset(&self) {
        self.reset_now();
    }

    /// Whether a call would be refused. It changes nothing.
    pub(crate) fn is_refusing(&self) -> bool {
        self.word.refuses(&self.parts.probing, || self.millis()).is_some()
    }

    /// Refuses a call that would be refused, and lets nothing through: who passes asks for a permit later.
    pub(crate) fn peek(&self) -> Result<(), Rejection> {
        match self.word.refuses(&self.parts.probing, || self.millis()) {
            Some(wait) => Err(self.refused(wait)),
            None => Ok(()),
        }
    }

    fn refused(&self, wait: u64) -> Rejection {
        self.tell(CallOutcome::Rejected);
        Rejection::CircuitOpen { retry_after: Duration::from_millis(wait) }
    }

    /// Most calls come to a breaker that nothing is wrong with: they are let through by one look at the word.
    #[inline]
    fn admit(&self) -> Result<Ticket, Rejection> {
        match self.word.calm() {
            Some(generation) if !self.parts.is_timed => Ok(Ticket { generation, started: 0 }),
            _ => self.admit_or_refuse(),
        }
    }

    fn admit_or_refuse(&self) -> Result<Ticket, Rejection> {
        match self.word.admit(&self.parts.probing, || self.millis()) {
            Admission::Admitted { generation, moved } => {
                if let Some(moved) = moved {
                    self.settle(moved);
                }
                Ok(Ticket { generation, started: if self.parts.is_timed { nanos(self.parts.clock.now()) } else { 0 } })
            }
            Admission::Refused { wait } => Err(self.refused(wait)),
        }
    }

    /// A call ended. Most do well, under a breaker that nothing is wrong with, and nobody wants to know.
    #[inline]
    fn finish(&self, ticket: Ticket, outcome: CallOutcome) {
        let is_news = outcome != CallOutcome::Success || !self.parts.is_quiet;
        if is_news || self.word.calm() != Some(ticket.generation) {
            self.record(ticket, outcome);
        }
    }

    fn record(&self, ticket: Ticket, outcome: CallOutcome) {
        let outcome = self.or_failure(&ticket, outcome);
        let Ticket { generation, .. } = ticket;
        let effect = match outcome {
            CallOutcome::Success => self.word.succeed(generation, &self.parts.probing),
            CallOutcome::Failure => self.word.fail(generation, self.parts.rule.threshold(), |from| self.until(from)),
            _ => self.word.release(generation),
        };
        self.tell(if effect == Effect::Stale { CallOutcome::Stale } else { outcome });
        match effect {
            Effect::Moved(moved) => self.settle(moved),
            Effect::Counted(Mode::Closed { .. }) => self.count(ticket, outcome),
            Effect::Counted(_) | Effect::Stale => {}
        }
    }

    /// A call that was dropped after too long counts as a failure, where the builder said so.
    fn or_failure(&self, ticket: &Ticket, outcome: CallOutcome) -> CallOutcome {
        match (outcome, self.parts.cancelled_after) {
            (CallOutcome::Cancelled, Some(after)) if ticket.took(self.parts.clock.now()) > after => CallOutcome::Failure,
            _ => outcome,
        }
    }

    /// Counts a call of a closed breaker in its window, where it has one.
    fn count(&self, ticket: Ticket, outcome: CallOutcome) {
        let Rule::Rate { .. } = self.parts.rule else { return };
        let failed = match outcome {
            CallOutcome::Success => false,
            CallOutcome::Failure => true,
            _ => return,
        };
        let now = self.parts.clock.now();
        if self.parts.rule.opens(ticket.generation, failed, ticket.took(now), now)
            && let Effect::Moved(moved) = self.word.trip(ticket.generation, |from| self.until(from))
        {
            self.settle(moved);
        }
    }

    /// What follows a change of mode, done by the one who made it.
    fn settle(&self, moved: Moved) {
        self.parts.cooldown.moved(&moved);
        self.bulletin.post(moved, |moved| {
            self.parts.observers.tell(&Event::Transition {
                breaker: &self.parts.name,
                from: BreakerMode::from(moved.from),
                to: BreakerMode::from(moved.to.mode),
                generation: moved.to.generation,
            });
        });
    }

    fn tell(&self, outcome: CallOutcome) {
        self.counts.add(outcome);
        self.parts.observers.tell(&Event::Call { breaker: &self.parts.name, outcome });
    }

    /// When a cooldown that begins now is over, rounded up as it is.
    fn until(&self, from: Mode) -> u64 {
        millis_up(self.since_base()).saturating_add(self.parts.cooldown.next(from))
    }

    fn millis(&self) -> u64 {
        millis(self.since_base())
    }

    fn since_base(&self) -> Duration {
        self.parts.clock.now().saturating_sub(self.parts.base)
    }

    fn assemble(parts: Parts) -> Self {
        Self { word: Word::new(), parts, counts: Counts::default(), bulletin: Bulletin::new() }
    }
}
