//! A server, the proxy before it, and the whole stack before that.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use magnetar_resilience::{
    Backoff, CircuitBreaker, CircuitBreakerConfig, ConnectionPool, ManualClock, Policy, PoolConfig, RateLimiter, Retry,
    RetryBudget,
};
use magnetar_s3::{Credentials, S3Connection, S3Factory};

use crate::{
    proxy::Proxy,
    server::{BUCKET, KEY, SECRET, Server},
    store::Store,
};

/// The cooldown of the breaker, which runs by its own clock.
pub(crate) const COOLDOWN: Duration = Duration::from_mins(1);

/// Where a test happens. Server and proxy end with it.
pub(crate) struct Rig {
    // Before the server, which it connects to.
    pub(crate) proxy: Proxy,
    _server: Server,
}

/// What a test wants of its stack.
#[derive(Clone)]
pub(crate) struct Wants {
    pub(crate) max_size: usize,
    pub(crate) failure_threshold: usize,
    pub(crate) max_retries: usize,
    pub(crate) budget: Option<Arc<RetryBudget>>,
    pub(crate) attempt_timeout: Duration,
}

impl Default for Wants {
    fn default() -> Self {
        Self { max_size: 4, failure_threshold: 5, max_retries: 3, budget: None, attempt_timeout: Duration::from_secs(20) }
    }
}

/// The whole stack, and the parts that a test looks at.
pub(crate) struct Stack {
    pub(crate) store: Arc<Store>,
    pub(crate) breaker: Arc<CircuitBreaker>,
    /// The breaker's clock: a cooldown is over when a test says so.
    pub(crate) clock: ManualClock,
    pub(crate) pool: ConnectionPool<S3Connection>,
}

impl Rig {
    pub(crate) async fn start() -> Self {
        let server = Server::start();
        Self { proxy: Proxy::start(server.address).await, _server: server }
    }

    /// Clients of the server, through the proxy.
    pub(crate) fn factory(&self) -> S3Factory {
        self.factory_with(Duration::from_secs(20))
    }

    /// The same, with another read timeout.
    pub(crate) fn factory_with(&self, read_timeout: Duration) -> S3Factory {
        let builder = S3Factory::builder("us-east-1").endpoint(&format!("http://{}", self.proxy.address)).path_style();
        builder.read_timeout(read_timeout).credentials(Credentials::new(KEY, SECRET, None, None, "test")).build().unwrap()
    }

    /// Total deadline, retry with budget, breaker, limiter, pool, timeout of an attempt.
    pub(crate) fn stack(&self, wants: Wants) -> Stack {
        let clock = ManualClock::new();
        let config = CircuitBreakerConfig {
            failure_threshold: wants.failure_threshold,
            success_threshold: 2,
            cooldown: COOLDOWN,
            ..Default::default()
        };
        let breaker = CircuitBreaker::builder().config(config).clock(Arc::new(clock.clone())).build().unwrap();
        let breaker = Arc::new(breaker);
        let config = PoolConfig { max_size: wants.max_size, min_idle: 0, ..Default::default() };
        let pool = ConnectionPool::new(Arc::new(self.factory()), config);
        let backoff = Backoff::exponential(Duration::from_millis(1), Duration::from_millis(20));
        let retry = Retry::builder(backoff).max_retries(wants.max_retries);
        let policy = Policy::builder()
            .total_timeout(Duration::from_secs(30))
            .retry(retry.budget(wants.budget.unwrap_or_else(RetryBudget::new)))
            .breaker(Arc::clone(&breaker))
            .limiter(RateLimiter::per_second(10_000))
            .pool(pool.clone())
            .attempt_timeout(wants.attempt_timeout)
            .build()
            .unwrap();
        Stack { store: Store::new(policy, BUCKET), breaker, clock, pool }
    }
}

/// Bytes that do not repeat soon, so that any two pieces in the wrong places are seen.
pub(crate) fn object(length: usize) -> Bytes {
    let mut state = length as u64 + 1;
    let byte = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    };
    (0..length).map(byte).collect()
}
