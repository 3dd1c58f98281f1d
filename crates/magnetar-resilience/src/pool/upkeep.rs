//! What a pool does without being asked: closes what is old or idle for too long, and keeps some connections ready.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use super::shared::Shared;
use crate::observe::ClosedReason;

const PERIOD_MIN: Duration = Duration::from_millis(100);
const PERIOD_MAX: Duration = Duration::from_secs(30);
const FILL_BACKOFF_MIN: Duration = Duration::from_millis(10);
const FILL_BACKOFF_MAX: Duration = Duration::from_secs(5);

/// Looks after the pool now and then, until its last handle is gone. It keeps nothing alive meanwhile.
pub(super) async fn run<T: Send + 'static>(pool: Weak<Shared<T>>) {
    let Some((period, clock)) = pool.upgrade().map(|shared| (shared.period(), Arc::clone(&shared.clock))) else { return };
    let mut backoff = FILL_BACKOFF_MIN;
    let mut wait = period;
    loop {
        clock.sleep_until(clock.now().saturating_add(wait)).await;
        // A clock whose sleep ends too early must not keep a whole thread busy.
        tokio::task::yield_now().await;
        let Some(shared) = pool.upgrade().filter(|shared| !shared.roster.is_closed()) else { return };
        shared.sweep();
        // A service that is down is not asked at every tick, and a service that is up not only at the next.
        if shared.fill().await {
            (wait, backoff) = (period, FILL_BACKOFF_MIN);
        } else {
            wait = backoff.min(period);
            backoff = (backoff * 2).min(FILL_BACKOFF_MAX);
        }
    }
}

impl<T: Send + 'static> Shared<T> {
    /// Often enough to see an end when it is half a lifetime late.
    fn period(&self) -> Duration {
        let shortest = self.config.idle_timeout.into_iter().chain(self.config.max_lifetime).min();
        shortest.map_or(PERIOD_MAX, |shortest| (shortest / 2).clamp(PERIOD_MIN, PERIOD_MAX))
    }

    /// Closes what is old, and what was idle for too long where more than `min_idle` are.
    fn sweep(self: &Arc<Self>) {
        let now = self.clock.now();
        let swept = self.roster.sweep(|idle, left| self.expired(idle, left, now).map(|reason| reason as usize));
        for (connection, reason) in swept {
            let reason = if reason == ClosedReason::Idle as usize { ClosedReason::Idle } else { ClosedReason::Lifetime };
            self.bury(connection, reason);
        }
    }

    /// Makes connections, one after another, until `min_idle` are idle. False where one could not be made.
    async fn fill(self: &Arc<Self>) -> bool {
        while let Some(number) = self.roster.fill(self.config.min_idle) {
            // In a task of its own, as every dial: a factory that panics ends that and not the upkeep.
            let Some(dial) = self.dial(number) else { return false };
            if !dial.await.unwrap_or_default() {
                return false;
            }
        }
        true
    }
}
