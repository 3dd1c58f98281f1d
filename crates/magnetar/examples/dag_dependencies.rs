//! Chunks that wait for each other: two extracts, a join of both, and a report that comes last.
//!
//! `cargo run -p magnetar --example dag_dependencies`

use magnetar::{ErrorKind, JobStatus, Manifest, NewChunk};

const JOB: i64 = 7;
const EXTRACT_ORDERS: u64 = 1;
const EXTRACT_USERS: u64 = 2;
const JOIN: u64 = 3;
const REPORT: u64 = 4;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let store = magnetar::open("memory:").await?;
    let chunks = vec![
        NewChunk::new(EXTRACT_ORDERS),
        NewChunk::new(EXTRACT_USERS),
        NewChunk::new(JOIN).depends_on([EXTRACT_ORDERS, EXTRACT_USERS]),
        NewChunk::new(REPORT),
    ];
    store.init_from_manifest(JOB, &Manifest::new(magnetar::JobSpec::default(), chunks)?).await?;
    // A dependency may be added later too, as long as the chunk has not begun.
    store.add_dependency(JOB, REPORT, vec![JOIN]).await?;

    // A circle is refused when it is written, and nothing changes.
    let circle = store.add_dependency(JOB, EXTRACT_USERS, vec![REPORT]).await;
    anyhow::ensure!(circle.is_err_and(|error| error.kind() == ErrorKind::Cycle));

    println!("ready at first: {:?}", store.topo_sort_ready(JOB).await?);
    let mut order = Vec::new();
    while let Some(chunk) = store.claim_pending(JOB).await? {
        println!("chunk {} after {:?}", chunk.chunk, store.get_dependencies(JOB, chunk.chunk).await?);
        order.push(chunk.chunk);
        store.mark_status(JOB, chunk.chunk, JobStatus::Done, None).await?;
    }
    anyhow::ensure!(order == [EXTRACT_ORDERS, EXTRACT_USERS, JOIN, REPORT]);
    Ok(())
}
