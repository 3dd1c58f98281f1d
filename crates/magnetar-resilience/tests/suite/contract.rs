//! What the contract promises by name: literals, defaults, errors, and closures in closures.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use magnetar_resilience::{
    CircuitBreaker, CircuitBreakerConfig, CircuitState, ConnectionFactory, ConnectionPool, PoolConfig, RateLimiter,
    ResilienceError,
};

use crate::support::{Counter, SECOND};

#[test]
fn configs_have_these_fields_and_these_defaults() {
    let breaker = CircuitBreakerConfig {
        failure_threshold: 5,
        success_threshold: 2,
        cooldown: Duration::from_mins(1),
        initial_backoff: Duration::from_millis(100),
        max_backoff: Duration::from_secs(30),
        backoff_multiplier: 2.0,
        max_retries: 3,
    };
    assert_eq!(breaker, CircuitBreakerConfig::default());
    assert_eq!(CircuitBreakerConfig { failure_threshold: 3, ..Default::default() }.cooldown, Duration::from_mins(1));
    let pool = PoolConfig {
        max_size: 10,
        min_idle: 2,
        idle_timeout: Some(Duration::from_mins(5)),
        max_lifetime: Some(Duration::from_mins(30)),
        acquire_timeout: Duration::from_secs(30),
    };
    assert_eq!(pool, PoolConfig::default());
    assert_eq!(PoolConfig { max_size: 3, ..Default::default() }.min_idle, 2);
}

#[test]
fn errors_are_built_by_callers() {
    let text = "reset".to_owned();
    let errors = [
        ResilienceError::CircuitOpen,
        ResilienceError::PoolExhausted,
        ResilienceError::RateLimitExceeded,
        ResilienceError::Transient(text.clone()),
        ResilienceError::Permanent(text.clone()),
        ResilienceError::ConnectionCreation(text.clone()),
        ResilienceError::UnhealthyConnection(text),
        ResilienceError::Timeout(SECOND),
        ResilienceError::MaxRetriesExceeded(3),
    ];
    for error in errors {
        let message = error.to_string();
        assert!(message.starts_with(char::is_lowercase) && !message.ends_with('.'), "{message}");
        let _boxed: Box<dyn std::error::Error + Send + Sync> = Box::new(error);
    }
}

struct Session {
    id: usize,
}

#[derive(Default)]
struct Sessions {
    made: Counter,
}

#[async_trait]
impl ConnectionFactory<Session> for Sessions {
    async fn create(&self) -> Result<Session, ResilienceError> {
        Ok(Session { id: self.made.add() })
    }

    async fn is_healthy(&self, session: &Session) -> bool {
        session.id < 1000
    }
}

async fn use_session(session: &Session, run: &Counter) -> Result<usize, ResilienceError> {
    tokio::task::yield_now().await;
    if run.add() < 2 {
        return Err(ResilienceError::Transient(format!("session {} was reset", session.id)));
    }
    Ok(session.id)
}

#[tokio::test(start_paused = true)]
async fn breaker_round_pool_round_limiter() {
    let breaker = Arc::new(CircuitBreaker::new_default());
    let pool = Arc::new(ConnectionPool::new_default(Arc::new(Sessions::default())));
    let limiter = Arc::new(RateLimiter::per_second(100));
    let run = Counter::default();
    let result = breaker
        .execute(|| {
            let (pool, limiter, run) = (Arc::clone(&pool), Arc::clone(&limiter), run.clone());
            async move {
                let session = pool.acquire().await?;
                let result = limiter.execute(|| async { use_session(&session, &run).await }).await;
                pool.release(session).await;
                result
            }
        })
        .await;
    assert_eq!((result, run.get()), (Ok(0), 3));
    assert_eq!(breaker.get_state().await, CircuitState::Closed);
    let stats = pool.stats().await;
    assert_eq!((stats.idle, stats.active, stats.total), (1, 0, 1));
    breaker.reset().await;
}

#[tokio::test]
async fn debug_shows_nothing_of_a_connection_which_need_not_be_debug() {
    let pool = ConnectionPool::new_default(Arc::new(Sessions::default()));
    let session = pool.acquire().await.unwrap();
    let shown = format!("{pool:?} {session:?}");
    assert!(shown.contains("Pooled") && shown.contains("active: 1") && !shown.contains("Session"), "{shown}");
}

#[tokio::test(start_paused = true)]
async fn limiter_round_pool_round_breaker_in_a_task() {
    let breaker = Arc::new(CircuitBreaker::new_default());
    let pool = Arc::new(ConnectionPool::new(Arc::new(Sessions::default()), PoolConfig { max_size: 1, ..Default::default() }));
    let limiter = RateLimiter::new(5, SECOND);
    let tasks: Vec<_> = (0..5)
        .map(|_| {
            let (breaker, pool, limiter) = (breaker.clone(), pool.clone(), limiter.clone());
            tokio::spawn(async move {
                limiter
                    .execute(|| async {
                        breaker
                            .call(|| async {
                                let session = pool.acquire().await?;
                                tokio::time::sleep(SECOND).await;
                                Ok(session.id)
                            })
                            .await
                    })
                    .await
            })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap(), Ok(0));
    }
}
