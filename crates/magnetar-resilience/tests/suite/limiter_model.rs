//! The limiter against a plain token bucket, and against the `governor` crate, under random commands.

use std::{sync::Arc, time::Duration};

use magnetar_resilience::{ManualClock, RateLimiter};
use proptest::prelude::*;

/// A token bucket that counts in tokens times interval, in whole nanoseconds.
struct Model {
    level: u128,
    interval: u128,
    capacity: u128,
}

impl Model {
    fn new(interval: Duration, burst: usize, initial: usize) -> Self {
        let interval = interval.as_nanos();
        Self { level: interval * initial as u128, interval, capacity: interval * burst as u128 }
    }

    fn advance(&mut self, by: Duration) {
        self.level = (self.level + by.as_nanos()).min(self.capacity);
    }

    fn take(&mut self, tokens: usize) -> bool {
        let cost = self.interval * tokens as u128;
        let is_there = cost <= self.level;
        if is_there {
            self.level -= cost;
        }
        is_there
    }
}

#[derive(Clone, Copy, Debug)]
enum Command {
    Take(usize),
    Advance(u64),
}

fn commands() -> impl Strategy<Value = Vec<Command>> {
    let command = prop_oneof![
        3 => (1..4_usize).prop_map(Command::Take),
        1 => (0..30_usize).prop_map(Command::Take),
        2 => (0..5_000_000_u64).prop_map(Command::Advance),
        1 => prop_oneof![Just(1_u64), Just(1_000_000), 0..10_000_000_000_u64].prop_map(Command::Advance),
    ];
    prop::collection::vec(command, 1..200)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn limiter_does_what_the_model_does(
        commands in commands(),
        (n, burst) in (1..2000_usize, 1..40_usize),
        initial in 0..40_usize,
        period in 1..5_000_000_000_u64,
    ) {
        let initial = initial.min(burst);
        let period = Duration::from_nanos(period);
        let clock = ManualClock::new();
        let builder = RateLimiter::builder(n, period).burst(burst).initial(initial).clock(Arc::new(clock.clone()));
        let limiter = builder.build().unwrap();
        let interval = u64::try_from(period.as_nanos().div_ceil(n as u128)).unwrap();
        let mut model = Model::new(Duration::from_nanos(interval), burst, initial);
        for command in commands {
            match command {
                Command::Take(tokens) => {
                    // More than the burst is refused even by a bucket that could hold it.
                    let expected = tokens <= burst && model.take(tokens);
                    prop_assert_eq!(limiter.try_acquire_many(tokens).is_ok(), expected, "{} tokens", tokens);
                }
                Command::Advance(by) => {
                    clock.advance(Duration::from_nanos(by));
                    model.advance(Duration::from_nanos(by));
                }
            }
        }
    }

    #[cfg(feature = "governor")]
    #[test]
    fn limiter_does_what_governor_does(
        commands in commands(),
        (n, burst) in (1..2000_usize, 1..40_usize),
        period in 1_000_000..5_000_000_000_u64,
    ) {
        let clock = ManualClock::new();
        let builder = || RateLimiter::builder(n, Duration::from_nanos(period)).burst(burst).clock(Arc::new(clock.clone()));
        let (own, governor) = (builder().build().unwrap(), builder().governor().build().unwrap());
        for command in commands {
            match command {
                Command::Take(tokens) => {
                    let answer = own.try_acquire_many(tokens);
                    prop_assert_eq!(answer.is_ok(), governor.try_acquire_many(tokens).is_ok(), "{} tokens", tokens);
                }
                Command::Advance(by) => clock.advance(Duration::from_nanos(by)),
            }
        }
    }
}
