//! The module `magnetar::checkpoint`, as the contract writes it.
#![cfg(feature = "checkpoint")]

use std::collections::HashMap;

use magnetar::checkpoint::*;

#[test]
fn everything_the_contract_names_is_there() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let manager = CheckpointManager::new(folder.path(), 2)?;
    let workers: HashMap<String, String> = [("w".to_owned(), "b".to_owned())].into();
    let checkpoint = Checkpoint::new(0)
        .with_queued(vec!["a".to_owned()])
        .with_in_progress(vec!["b".to_owned()])
        .with_workers(workers)
        .with_meta("node", "n1");
    assert_eq!(checkpoint.total_jobs(), 2);
    let sequence: u64 = manager.save_checkpoint(checkpoint)?;
    let latest: Option<Checkpoint> = manager.load_latest()?;
    let Some(Checkpoint {
        sequence: 1, timestamp_secs: 1.., queued_jobs, in_progress_jobs, worker_assignments, metadata, ..
    }) = latest
    else {
        anyhow::bail!("{latest:?}");
    };
    assert_eq!((queued_jobs, in_progress_jobs), (vec!["a".to_owned()], vec!["b".to_owned()]));
    assert_eq!((&worker_assignments["w"][..], &metadata["node"][..]), ("b", "n1"));
    assert_eq!(manager.load_by_sequence(sequence)?, manager.restore_from_checkpoint()?);
    assert_eq!((manager.checkpoint_count()?, manager.list_sequences()?), (1, vec![1]));
    manager.clear()?;
    assert!(manager.restore_from_checkpoint().is_err());
    Ok(())
}
