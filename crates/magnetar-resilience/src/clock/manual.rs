//! A clock that moves when it is told to, for tests.

use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Poll, Waker},
    time::Duration,
};

use super::{Clock, Sleep};

/// A clock that stands still until it is advanced. Clones show the same time.
#[derive(Clone, Debug, Default)]
pub struct ManualClock {
    hand: Arc<Mutex<Hand>>,
}

#[derive(Debug, Default)]
struct Hand {
    now: Duration,
    sleepers: Vec<Waker>,
}

impl ManualClock {
    /// A clock that shows zero.
    pub fn new() -> Self {
        Self::default()
    }

    /// Moves on, and wakes who sleeps: each looks at the time by itself.
    pub fn advance(&self, by: Duration) {
        let sleepers = {
            let mut hand = self.hand();
            hand.now = hand.now.saturating_add(by);
            mem::take(&mut hand.sleepers)
        };
        sleepers.into_iter().for_each(Waker::wake);
    }

    fn hand(&self) -> MutexGuard<'_, Hand> {
        self.hand.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Duration {
        self.hand().now
    }

    fn sleep_until(&self, at: Duration) -> Sleep {
        let clock = self.clone();
        Box::pin(std::future::poll_fn(move |context| {
            let mut hand = clock.hand();
            if hand.now >= at {
                return Poll::Ready(());
            }
            if !hand.sleepers.iter().any(|sleeper| sleeper.will_wake(context.waker())) {
                hand.sleepers.push(context.waker().clone());
            }
            Poll::Pending
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn sleeper_wakes_when_its_time_has_come() {
        let clock = ManualClock::new();
        let sleep = tokio::spawn(clock.sleep_until(Duration::from_secs(2)));
        for _ in 0..2 {
            tokio::task::yield_now().await;
            assert!(!sleep.is_finished());
            clock.advance(Duration::from_secs(1));
        }
        sleep.await.unwrap();
        assert_eq!(clock.now(), Duration::from_secs(2));
    }
}
