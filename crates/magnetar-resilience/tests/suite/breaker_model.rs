//! The breaker against a plain model of it, under random commands.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use magnetar_resilience::{CircuitBreaker, CircuitBreakerConfig, CircuitState, ManualClock, Permit};
use proptest::prelude::*;

const COOLDOWN: u64 = 1000;
const LEASE: u64 = 1600;
const PART: u64 = LEASE / 16;

#[derive(Clone, Copy, Debug)]
enum Command {
    Acquire,
    End(usize, How),
    Advance(u64),
    ForceOpen,
    ForceClosed,
    Reset,
}

#[derive(Clone, Copy, Debug)]
enum How {
    Success,
    Failure,
    Ignore,
    Drop,
}

/// What a breaker is, said plainly.
#[derive(Debug)]
struct Model {
    state: State,
    now: u64,
    /// Which turn each permit belongs to.
    permits: BTreeMap<usize, u32>,
    turn: u32,
    failure_threshold: usize,
    success_threshold: usize,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Closed { failures: usize },
    ForcedClosed,
    Open { until: u64 },
    ForcedOpen,
    HalfOpen { in_flight: usize, successes: usize, since: u64 },
}

impl Model {
    fn go(&mut self, state: State) {
        self.state = state;
        self.turn += 1;
    }

    fn acquire(&mut self, id: usize) -> bool {
        let probing = State::HalfOpen { in_flight: 1, successes: 0, since: self.now / PART };
        match self.state {
            State::Closed { .. } | State::ForcedClosed => {}
            State::Open { until } if self.now >= until => self.go(probing),
            State::HalfOpen { in_flight, successes, since } if in_flight + successes < self.success_threshold => {
                self.state = State::HalfOpen { in_flight: in_flight + 1, successes, since };
            }
            State::HalfOpen { since, .. } if self.now / PART - since > LEASE / PART => self.go(probing),
            State::Open { .. } | State::ForcedOpen | State::HalfOpen { .. } => return false,
        }
        self.permits.insert(id, self.turn);
        true
    }

    fn end(&mut self, id: usize, how: How) {
        if self.permits.remove(&id) != Some(self.turn) {
            return;
        }
        let open = State::Open { until: self.now + COOLDOWN };
        match (self.state, how) {
            (State::Closed { .. }, How::Success) => self.state = State::Closed { failures: 0 },
            (State::Closed { failures }, How::Failure) if failures + 1 >= self.failure_threshold => self.go(open),
            (State::Closed { failures }, How::Failure) => self.state = State::Closed { failures: failures + 1 },
            (State::HalfOpen { .. }, How::Failure) => self.go(open),
            (State::HalfOpen { successes, .. }, How::Success) if successes + 1 == self.success_threshold => {
                self.go(State::Closed { failures: 0 });
            }
            (State::HalfOpen { in_flight, successes, since }, how) => {
                let successes = successes + usize::from(matches!(how, How::Success));
                self.state = State::HalfOpen { in_flight: in_flight - 1, successes, since };
            }
            _ => {}
        }
    }

    fn shown(&self) -> CircuitState {
        match self.state {
            State::Closed { .. } | State::ForcedClosed => CircuitState::Closed,
            State::ForcedOpen => CircuitState::Open { retry_after: Duration::MAX },
            State::Open { until } => CircuitState::Open { retry_after: Duration::from_millis(until.saturating_sub(self.now)) },
            State::HalfOpen { in_flight, successes, .. } => CircuitState::HalfOpen { in_flight, successes },
        }
    }
}

fn command() -> impl Strategy<Value = Command> {
    let how = prop_oneof![Just(How::Success), Just(How::Failure), Just(How::Ignore), Just(How::Drop)];
    prop_oneof![
        8 => Just(Command::Acquire),
        8 => (any::<usize>(), how).prop_map(|(which, how)| Command::End(which, how)),
        4 => prop_oneof![0..200_u64, Just(COOLDOWN), Just(COOLDOWN - 1), Just(LEASE + PART), 0..1_000_000_000_u64].prop_map(Command::Advance),
        1 => Just(Command::ForceOpen),
        1 => Just(Command::ForceClosed),
        2 => Just(Command::Reset),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn breaker_does_what_the_model_does(
        commands in prop::collection::vec(command(), 1..120),
        failure_threshold in 1..4_usize,
        success_threshold in 1..4_usize,
    ) {
        let clock = ManualClock::new();
        let config = CircuitBreakerConfig {
            failure_threshold,
            success_threshold,
            cooldown: Duration::from_millis(COOLDOWN),
            ..Default::default()
        };
        let builder = CircuitBreaker::builder().config(config).probe_lease(Duration::from_millis(LEASE));
        let breaker = builder.clock(Arc::new(clock.clone())).build().unwrap();
        let state = State::Closed { failures: 0 };
        let mut model = Model { state, now: 0, permits: BTreeMap::new(), turn: 0, failure_threshold, success_threshold };
        let mut permits: BTreeMap<usize, Permit<&CircuitBreaker>> = BTreeMap::new();
        for (id, command) in commands.into_iter().enumerate() {
            match command {
                Command::Acquire => {
                    let permit = breaker.try_acquire();
                    prop_assert_eq!(permit.is_ok(), model.acquire(id));
                    permits.extend(permit.ok().map(|permit| (id, permit)));
                }
                Command::End(which, how) => {
                    let Some(id) = permits.keys().copied().nth(which % permits.len().max(1)) else { continue };
                    let permit = permits.remove(&id).unwrap();
                    match how {
                        How::Success => permit.success(),
                        How::Failure => permit.failure(),
                        How::Ignore => permit.ignore(),
                        How::Drop => drop(permit),
                    }
                    model.end(id, how);
                }
                Command::Advance(millis) => {
                    clock.advance(Duration::from_millis(millis));
                    model.now += millis;
                }
                Command::ForceOpen => {
                    breaker.force_open();
                    model.go(State::ForcedOpen);
                }
                Command::ForceClosed => {
                    breaker.force_closed();
                    model.go(State::ForcedClosed);
                }
                Command::Reset => {
                    breaker.reset_now();
                    model.go(State::Closed { failures: 0 });
                }
            }
            prop_assert_eq!(breaker.state(), model.shown());
            prop_assert_eq!(breaker.snapshot().generation, model.turn);
        }
    }
}
