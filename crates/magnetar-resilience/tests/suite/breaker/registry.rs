//! Breakers by key.

use std::sync::Arc;

use magnetar_resilience::{BreakerRegistry, CircuitBreaker, ManualClock};

use crate::support::touchy;

#[test]
fn t14_one_key_fails_alone_and_the_keys_are_bounded() {
    let clock = ManualClock::new();
    let shared = Arc::new(clock);
    let make = move |key: &String| {
        CircuitBreaker::builder().name(key).config(touchy()).clock(shared.clone()).build().expect("settings that can be meant")
    };
    let registry = BreakerRegistry::new(3, make).unwrap();
    let key = |number: usize| format!("host-{number}");
    registry.get(&key(0)).try_acquire().unwrap().failure();
    assert!(registry.get(&key(0)).try_acquire().is_err());
    assert!(registry.get(&key(1)).try_acquire().is_ok(), "another host");
    for number in 1..100 {
        assert_eq!(registry.get(&key(number)).name(), key(number));
        assert!(registry.len() <= 3);
    }
    assert!(registry.get(&key(0)).try_acquire().is_err(), "an open one outlives those with nothing to remember");
    assert!(BreakerRegistry::<u8>::new(0, |_| CircuitBreaker::new_default()).is_err());
}
