//! The first program: put a job in, claim its chunks, do them, mark them. Run it as often as you like, and kill it anywhere.
//!
//! `cargo run -p magnetar --example basic_usage [STORE]`

use magnetar::Manifest;

const JOB: i64 = 42;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let location = std::env::args().nth(1).unwrap_or_else(|| "memory:".to_owned());
    let store = magnetar::open(&location).await?;
    let manifest: Manifest = toml::from_str(
        r#"
        [[chunks]]
        id = 1
        checksum = "abc123"

        [[chunks]]
        id = 2
        payload = "what the worker gets"
        "#,
    )?;
    // Putting the same in again changes nothing: what has ended stays ended.
    let report = store.init_from_manifest(JOB, &manifest).await?;
    println!("{} chunks are new, {} have ended before", report.added, report.ended);

    while let Some(chunk) = store.claim_pending(JOB).await? {
        println!("chunk {}: checksum {:?}, {} bytes of payload", chunk.chunk, chunk.checksum, chunk.payload.len());
        // The fence proves that this claim is still ours: a worker that was taken for dead cannot finish what is another's.
        let fence = chunk.fence().ok_or_else(|| anyhow::anyhow!("a claimed chunk has a fence"))?;
        store.complete(&fence, b"what the worker leaves".to_vec()).await?;
    }

    let stats = store.get_stats(JOB).await?;
    println!("{:.0} % of {} chunks are done", stats.completion_percent(), stats.total_chunks);
    anyhow::ensure!(stats.is_complete());
    Ok(())
}
