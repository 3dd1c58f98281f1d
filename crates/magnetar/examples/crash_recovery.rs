//! A worker that is killed in the middle of its work, and the next one that carries on where it stood.
//!
//! `cargo run -p magnetar --example crash_recovery`
//!
//! The program starts itself a second time as the worker, and kills it with SIGKILL while it has a chunk in its hands.

use std::{
    env,
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
};

use magnetar::{JobStatus, JobStore, Manifest, NewChunk};

const JOB: i64 = 1;
const CHUNKS: u64 = 10;
/// The worker stops in the middle of this one, and is killed there.
const FATAL: u64 = 4;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    match env::args().nth(1) {
        Some(store) => work_until_killed(Path::new(&store)).await,
        None => kill_and_carry_on().await,
    }
}

async fn work_until_killed(path: &Path) -> anyhow::Result<()> {
    let store = magnetar::SqliteStore::open(path).await?;
    while let Some(chunk) = store.claim_pending(JOB).await? {
        println!("{}", chunk.chunk);
        if chunk.chunk == FATAL {
            // Whoever reads the line kills this process now.
            std::future::pending::<()>().await;
        }
        store.mark_status(JOB, chunk.chunk, JobStatus::Done, None).await?;
    }
    Ok(())
}

async fn kill_and_carry_on() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("jobs.db");
    let chunks = (1..=CHUNKS).map(NewChunk::new).collect();
    let store = magnetar::SqliteStore::open(&path).await?;
    store.init_from_manifest(JOB, &Manifest::new(magnetar::JobSpec::default(), chunks)?).await?;

    let mut worker = Command::new(env::current_exe()?).arg(&path).stdout(Stdio::piped()).spawn()?;
    let lines = worker.stdout.take().map(BufReader::new).ok_or_else(|| anyhow::anyhow!("the worker has an output"))?;
    for line in lines.lines() {
        let chunk: u64 = line?.parse()?;
        println!("the worker has claimed chunk {chunk}");
        if chunk == FATAL {
            worker.kill()?;
            worker.wait()?;
            break;
        }
    }
    let stats = store.get_stats(JOB).await?;
    println!("killed: {} are done, {} in the hands of a process that is gone", stats.done, stats.processing);
    anyhow::ensure!(stats.done == FATAL - 1 && stats.processing == 1);

    // The kernel tells that the worker is gone: before this claim comes back empty, its chunk is handed out again, under a
    // higher fence.
    let mut again = Vec::new();
    while let Some(chunk) = store.claim_pending(JOB).await? {
        again.push(chunk.chunk);
        store.mark_status(JOB, chunk.chunk, JobStatus::Done, None).await?;
    }
    println!("the next one did {again:?}");
    again.sort_unstable();
    anyhow::ensure!(again == (FATAL..=CHUNKS).collect::<Vec<_>>());
    anyhow::ensure!(store.get_stats(JOB).await?.is_complete());
    Ok(())
}
