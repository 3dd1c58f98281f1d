//! The module `magnetar::resilience`, as the contract writes it.
#![cfg(feature = "resilience")]

use std::{sync::Arc, time::Duration};

use magnetar::resilience::{PoolStats, prelude::*};

#[tokio::test]
async fn everything_the_contract_names_is_there() {
    let breaker = CircuitBreaker::new(CircuitBreakerConfig { failure_threshold: 1, ..Default::default() });
    let failed: Result<(), _> = breaker.call(|| async { Err(ResilienceError::Timeout(Duration::from_secs(1))) }).await;
    assert!(failed.is_err());
    assert!(matches!(breaker.get_state().await, CircuitState::Open { .. }));
    breaker.reset().await;
    assert!(matches!(breaker.get_state().await, CircuitState::Closed));

    let limiter = RateLimiter::new(2, Duration::from_secs(1));
    limiter.acquire().await.unwrap();
    limiter.clone().try_acquire().unwrap();
    assert!(matches!(limiter.try_acquire(), Err(ResilienceError::RateLimitExceeded)));

    let pool: ConnectionPool<u32> = ConnectionPool::new(Arc::new(Numbers), PoolConfig { max_size: 1, ..Default::default() });
    let number = pool.acquire().await.unwrap();
    assert_eq!(*number, 7);
    pool.release(number).await;
    let PoolStats { idle, active, total, .. } = pool.stats().await;
    assert_eq!((idle, active, total), (1, 0, 1));
}

struct Numbers;

#[async_trait::async_trait]
impl ConnectionFactory<u32> for Numbers {
    async fn create(&self) -> Result<u32, ResilienceError> {
        Ok(7)
    }

    async fn is_healthy(&self, _: &u32) -> bool {
        true
    }
}

#[cfg(feature = "resilience-governor")]
#[tokio::test]
async fn governor_is_another_backend() {
    let limiter = RateLimiter::builder(100, Duration::from_secs(1)).governor().build().unwrap();
    for _ in 0..100 {
        limiter.try_acquire().unwrap();
    }
    assert!(limiter.try_acquire().is_err());
}
