//! Puts a file into a bucket and fetches it again, through the whole stack.
//!
//! `AWS_ACCESS_KEY_ID=... AWS_SECRET_ACCESS_KEY=... cargo run -p magnetar-s3 --example s3_transfer -- ENDPOINT BUCKET FILE`
//!
//! The region is that of `AWS_REGION`, or `us-east-1`; a token is that of `AWS_SESSION_TOKEN`.

mod store;

use std::{env, error::Error, sync::Arc, time::Duration};

use bytes::Bytes;
use magnetar_resilience::{Backoff, CircuitBreaker, ConnectionPool, Event, Policy, PoolConfig, RateLimiter, Retry, RetryBudget};
use magnetar_s3::{Credentials, S3Connection, S3Factory};

use crate::store::Store;

/// The least that S3 takes for a part.
const PART_SIZE: usize = 5 << 20;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<_> = env::args().skip(1).collect();
    let [endpoint, bucket, file] = &args[..] else {
        return Err("usage: s3_transfer ENDPOINT BUCKET FILE".into());
    };
    let store = Store::new(stack(endpoint)?, bucket);
    let object = Bytes::from(tokio::fs::read(file).await?);
    let key = file.rsplit('/').next().unwrap_or(file);

    let tag = if object.len() > PART_SIZE {
        store.put_in_parts(key, &object, PART_SIZE).await?
    } else {
        store.put(key, &object).await?
    };
    println!("put {} bytes as {key}, tagged {tag}", object.len());

    let (fetched, tag) = store.get(key).await?;
    println!("fetched {} bytes, tagged {tag}", fetched.len());
    if fetched != object {
        return Err("what came back is not what was put".into());
    }
    Ok(())
}

/// Deadline, retry with budget, breaker, limiter, pool, timeout of an attempt.
fn stack(endpoint: &str) -> Result<Policy<ConnectionPool<S3Connection>>, Box<dyn Error>> {
    let region = env::var("AWS_REGION").unwrap_or_else(|_| "us-east-1".to_owned());
    let (key, secret) = (env::var("AWS_ACCESS_KEY_ID")?, env::var("AWS_SECRET_ACCESS_KEY")?);
    let token = env::var("AWS_SESSION_TOKEN").ok();
    let credentials = Credentials::new(key, secret, token, None, "environment");
    let s3 = S3Factory::builder(&region).endpoint(endpoint).credentials(credentials).path_style().build()?;

    let retry = Retry::builder(Backoff::exponential(Duration::from_millis(200), Duration::from_secs(5)))
        .name("s3")
        .budget(RetryBudget::new())
        .observer(Arc::new(|event: &Event<'_>| eprintln!("{event:?}")));
    let policy = Policy::builder()
        .total_timeout(Duration::from_mins(5))
        .retry(retry)
        .breaker(Arc::new(CircuitBreaker::new_default()))
        .limiter(RateLimiter::per_second(100))
        .pool(ConnectionPool::new(Arc::new(s3), PoolConfig { max_size: 4, ..Default::default() }))
        .attempt_timeout(Duration::from_mins(1))
        .build()?;
    Ok(policy)
}
