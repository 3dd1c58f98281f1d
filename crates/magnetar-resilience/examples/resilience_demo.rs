//! A service that goes through good and bad times, and what each part of the stack does about it. It ends after a few seconds.
//!
//! `cargo run -p magnetar-resilience --example resilience_demo`

use std::{
    error::Error,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use async_trait::async_trait;
use magnetar_resilience::{Event, prelude::*};
use tokio::time::{Instant, sleep};

/// What the service is like at the moment.
#[derive(Clone, Copy, Debug)]
enum Weather {
    /// It answers.
    Fair,
    /// Every other call fails.
    Flaky,
    /// No call gets an answer.
    Down,
}

/// A service, as it is seen from outside: so many milliseconds after the start it is like this.
struct Service {
    started: Instant,
    calls: AtomicU64,
    connections: AtomicU64,
}

const FORECAST: &[(u64, Weather)] = &[(0, Weather::Fair), (600, Weather::Flaky), (1200, Weather::Down), (2200, Weather::Fair)];
const END: Duration = Duration::from_secs(3);

impl Service {
    fn weather(&self) -> Weather {
        let now = self.started.elapsed().as_millis();
        FORECAST.iter().rfind(|(from, _)| u128::from(*from) <= now).map_or(Weather::Fair, |(_, weather)| *weather)
    }

    async fn answer(&self) -> Result<u64, ResilienceError> {
        let call = self.calls.fetch_add(1, Relaxed);
        sleep(Duration::from_millis(10)).await;
        match self.weather() {
            Weather::Flaky if call.is_multiple_of(2) => Err(ResilienceError::Transient("connection reset".to_owned())),
            Weather::Down => {
                sleep(Duration::from_hours(1)).await;
                Ok(call)
            }
            _ => Ok(call),
        }
    }
}

/// A connection to it, and the maker of connections.
struct Connection {
    service: Arc<Service>,
}

struct Dialler(Arc<Service>);

#[async_trait]
impl ConnectionFactory<Connection> for Dialler {
    async fn create(&self) -> Result<Connection, ResilienceError> {
        sleep(Duration::from_millis(5)).await;
        self.0.connections.fetch_add(1, Relaxed);
        Ok(Connection { service: Arc::clone(&self.0) })
    }

    async fn is_healthy(&self, _: &Connection) -> bool {
        true
    }
}

/// Prints a line, with the time since the start.
fn say(started: Instant, line: impl fmt::Display) {
    println!("{:>5} ms  {line}", started.elapsed().as_millis());
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let started = Instant::now();
    let service = Arc::new(Service { started, calls: AtomicU64::new(0), connections: AtomicU64::new(0) });

    let breaker = CircuitBreaker::builder()
        .name("demo")
        .config(CircuitBreakerConfig {
            failure_threshold: 6,
            success_threshold: 2,
            cooldown: Duration::from_millis(300),
            ..Default::default()
        })
        .observer(Arc::new(move |event: &Event<'_>| {
            if let Event::Transition { from, to, .. } = event {
                say(started, format_args!("breaker: {from} -> {to}"));
            }
        }))
        .build()?;
    let breaker = Arc::new(breaker);
    let budget = RetryBudget::builder().ratio(0.2).min_per_second(5).capacity(20).build()?;
    let pool = ConnectionPool::new(
        Arc::new(Dialler(Arc::clone(&service))),
        PoolConfig { max_size: 4, min_idle: 0, ..Default::default() },
    );
    let policy = Policy::builder()
        .total_timeout(Duration::from_secs(1))
        .retry(
            Retry::builder(Backoff::exponential(Duration::from_millis(10), Duration::from_millis(100)))
                .budget(Arc::clone(&budget)),
        )
        .breaker(Arc::clone(&breaker))
        .limiter(RateLimiter::builder(200, Duration::from_secs(1)).burst(10).build()?)
        .pool(pool.clone())
        .attempt_timeout(Duration::from_millis(50))
        .build()?;
    let policy = Arc::new(policy);

    let mut last = String::new();
    while started.elapsed() < END {
        let weather = format!("service is {:?}", service.weather());
        if weather != last {
            say(started, &weather);
            last = weather;
        }
        let tally = round(&policy).await;
        let (stats, asked) = (pool.snapshot(), service.calls.load(Relaxed));
        say(started, format_args!("{tally}; {asked} calls seen, {} sockets, {} retries left", stats.total, budget.balance()));
    }
    let closed = pool.close(Duration::from_secs(1)).await;
    say(started, format_args!("closed: {closed}; {} connections were made in all", service.connections.load(Relaxed)));
    Ok(())
}

/// Forty callers at a time: how they fared.
async fn round(policy: &Arc<Policy<ConnectionPool<Connection>>>) -> String {
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..40 {
        let policy = Arc::clone(policy);
        callers.spawn(async move { policy.execute(|connection| async move { connection.service.answer().await }).await });
    }
    let (mut answered, mut refused, mut failed) = (0, 0, 0);
    for ended in callers.join_all().await {
        match ended {
            Ok(_) => answered += 1,
            Err(ResilienceError::CircuitOpen) => refused += 1,
            Err(_) => failed += 1,
        }
    }
    sleep(Duration::from_millis(50)).await;
    format!("{answered:>2} answered, {refused:>2} refused at once, {failed:>2} failed")
}
