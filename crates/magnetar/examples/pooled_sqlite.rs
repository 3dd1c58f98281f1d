//! A pool of SQLite connections. What blocks runs on threads that may, and a statement that nobody waits for any more is interrupted.
//!
//! `cargo run -p magnetar --example pooled_sqlite [FILE]`

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use magnetar::resilience::prelude::*;
use rusqlite::{Connection, ErrorCode, InterruptHandle};
use tokio::task::{JoinSet, spawn_blocking};

/// A connection that a pool can lend: its work is done elsewhere, so that no async thread ever waits for a disk.
struct Database {
    /// None once it is closed.
    connection: Arc<Mutex<Option<Connection>>>,
    interrupt: InterruptHandle,
}

impl Database {
    /// Does something with the connection on a thread that may block. It goes on there if the caller leaves.
    async fn run<T, F>(&self, work: F) -> Result<T, ResilienceError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let connection = Arc::clone(&self.connection);
        blocking(move || match &mut *locked(&connection) {
            Some(connection) => work(connection).map_err(classified),
            None => Err(ResilienceError::UnhealthyConnection("it is closed".to_owned())),
        })
        .await
    }
}

/// What an error of SQLite means: only what others hold up is worth another try.
fn classified(error: rusqlite::Error) -> ResilienceError {
    let class = match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::OperationInterrupted) => ErrorClass::Transient,
        Some(ErrorCode::CannotOpen) => ErrorClass::Unsent,
        _ => ErrorClass::Permanent,
    };
    ResilienceError::foreign(class, error)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ResilienceError> + Send + 'static,
) -> Result<T, ResilienceError> {
    spawn_blocking(work).await.unwrap_or_else(|panic| Err(ResilienceError::Permanent(panic.to_string())))
}

fn locked(connection: &Mutex<Option<Connection>>) -> MutexGuard<'_, Option<Connection>> {
    connection.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Opener {
    file: PathBuf,
}

#[async_trait]
impl ConnectionFactory<Database> for Opener {
    async fn create(&self) -> Result<Database, ResilienceError> {
        let file = self.file.clone();
        blocking(move || {
            let connection = Connection::open(file).map_err(classified)?;
            connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA busy_timeout = 20").map_err(classified)?;
            let interrupt = connection.get_interrupt_handle();
            Ok(Database { connection: Arc::new(Mutex::new(Some(connection))), interrupt })
        })
        .await
    }

    async fn is_healthy(&self, database: &Database) -> bool {
        database.run(|connection| connection.query_row("SELECT 1", [], |_| Ok(()))).await.is_ok()
    }

    /// The place in the pool is free when the file is closed, and not while a statement runs on.
    async fn close(&self, database: Database) {
        database.interrupt.interrupt();
        let connection = database.connection;
        let closed = blocking(move || {
            drop(locked(&connection).take());
            Ok(())
        });
        if let Err(error) = closed.await {
            eprintln!("a connection did not close well: {error}");
        }
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let file = std::env::args().nth(1).map_or_else(|| folder.path().join("pooled.db"), PathBuf::from);
    let config = PoolConfig { max_size: 4, min_idle: 1, acquire_timeout: Duration::from_secs(5), ..Default::default() };
    let pool = ConnectionPool::new(Arc::new(Opener { file }), config);
    let policy = Policy::builder()
        .total_timeout(Duration::from_secs(10))
        .retry(Retry::builder(Backoff::exponential(Duration::from_millis(5), Duration::from_millis(200))).max_retries(20))
        .breaker(Arc::new(CircuitBreaker::new(CircuitBreakerConfig { failure_threshold: 50, ..Default::default() })))
        .pool(pool.clone())
        .attempt_timeout(Duration::from_secs(1))
        .build()?;
    let policy = Arc::new(policy);

    let create = |connection: &mut Connection| connection.execute_batch("CREATE TABLE IF NOT EXISTS notes (text TEXT NOT NULL)");
    policy.execute(|database| async move { database.run(create).await }).await?;

    // One connection writes at a time; who finds the file busy tries again a little later.
    let mut writers = JoinSet::new();
    for writer in 0..8 {
        let policy = Arc::clone(&policy);
        writers.spawn(async move {
            for note in 0..25 {
                let insert = move |connection: &mut Connection| {
                    connection.execute("INSERT INTO notes VALUES (?1)", [format!("note {note} of writer {writer}")])
                };
                policy.execute(|database| async move { database.run(insert).await }).await?;
            }
            Ok::<_, ResilienceError>(())
        });
    }
    for ended in writers.join_all().await {
        ended?;
    }
    println!("written by eight, with {} connections: {:?}", pool.snapshot().created, pool.snapshot());

    // A query that takes too long is interrupted, and its connection is closed and not lent to the next.
    let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
    let hasty = Policy::builder().pool(pool.clone()).attempt_timeout(Duration::from_millis(100)).build()?;
    let count = move |connection: &mut Connection| connection.query_row(endless, [], |row| row.get::<_, i64>(0));
    let ended = hasty.execute(|database| async move { database.run(count).await }).await;
    println!("counting to infinity: {ended:?}");
    anyhow::ensure!(matches!(ended, Err(ResilienceError::Timeout(_))));

    let count = |connection: &mut Connection| connection.query_row("SELECT count(*) FROM notes", [], |row| row.get::<_, i64>(0));
    let notes = policy.execute(|database| async move { database.run(count).await }).await?;
    let closed = pool.close(Duration::from_secs(5)).await;
    println!("{notes} notes; closed: {closed}, {:?}", pool.snapshot().closed);
    anyhow::ensure!(closed && notes % 200 == 0);
    Ok(())
}
