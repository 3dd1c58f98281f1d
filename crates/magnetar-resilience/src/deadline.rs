//! Waiting for a future until a time, without a timer for what is ready at once.

use std::{future::poll_fn, pin::pin, task::Poll, time::Duration};

use crate::clock::Clock;

/// The output of the future, or none where the time came first. None as the time means: as long as it takes.
///
/// Arming a timer costs more than most calls that are ready at once, so the future is polled before.
pub(crate) async fn until<F: Future>(clock: &dyn Clock, at: Option<Duration>, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    if let Poll::Ready(output) = poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await {
        return Some(output);
    }
    let Some(at) = at else { return Some(future.await) };
    let mut sleep = clock.sleep_until(at);
    // The future was polled a moment ago: the first round only arms the timer.
    let mut polled = true;
    poll_fn(|context| {
        if !polled && let Poll::Ready(output) = future.as_mut().poll(context) {
            return Poll::Ready(Some(output));
        }
        polled = false;
        sleep.as_mut().poll(context).map(|()| None)
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::future;

    use super::*;
    use crate::clock::TokioClock;

    #[tokio::test(start_paused = true)]
    async fn future_that_hangs_is_left_at_the_time() {
        let clock = TokioClock::new();
        let start = clock.now();
        assert_eq!(until(&clock, Some(start + Duration::from_secs(5)), future::pending::<()>()).await, None);
        assert_eq!(clock.now().checked_sub(start), Some(Duration::from_secs(5)));
    }

    #[tokio::test(start_paused = true)]
    async fn output_wins_over_a_time_that_has_come() {
        let clock = TokioClock::new();
        assert_eq!(until(&clock, Some(Duration::ZERO), future::ready(1)).await, Some(1));
        assert_eq!(until(&clock, Some(Duration::ZERO), future::pending::<()>()).await, None);
        let sleep = clock.sleep_until(clock.now() + Duration::from_secs(1));
        assert_eq!(until(&clock, None, sleep).await, Some(()));
    }
}
