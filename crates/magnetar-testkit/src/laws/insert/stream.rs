//! Manifests, and streams of chunks in several commits.

use magnetar_core::{InsertReport, JobSpec, JobStatus, ManifestError, NewChunk};

use crate::{
    harness::World,
    law::{Law, laws},
    laws::support::{chunk, ids, plain_job},
};

pub(in crate::laws) const LAWS: &[Law] = laws![
    a_manifest_makes_the_job_it_describes,
    a_manifest_again_takes_new_checksums_and_keeps_what_ended,
    a_stream_goes_in_over_several_commits,
    a_stream_again_changes_nothing,
    a_stream_goes_on_where_it_was_broken_off,
    a_stream_counts_what_it_does_not_name,
    an_empty_stream_makes_an_empty_job,
];

async fn stream(world: &World, chunks: impl IntoIterator<Item = u64, IntoIter: Send>) -> InsertReport {
    let mut chunks = chunks.into_iter().map(|id| Ok::<_, ManifestError>(NewChunk::new(id)));
    world.store().init_from_stream(7, JobSpec::default(), &mut chunks).await.unwrap()
}

async fn a_manifest_makes_the_job_it_describes(world: &mut World) {
    world.given(7, "[[chunks]]\nid = 2\ndepends_on = [1]\n[[chunks]]\nid = 1\nchecksum = \"abc123\"\n").await;
    let claimed = world.store().claim_pending_batch(7, 10).await.unwrap();
    assert_eq!((ids(&claimed), claimed[0].checksum.as_str()), (vec![1], "abc123"));
    assert_eq!(world.store().get_dependencies(7, 2).await.unwrap(), [1]);
}

async fn a_manifest_again_takes_new_checksums_and_keeps_what_ended(world: &mut World) {
    let manifest = |sum| format!("[[chunks]]\nid = 1\nchecksum = \"{sum}\"\n[[chunks]]\nid = 2\nchecksum = \"{sum}\"\n");
    world.given(7, &manifest("a")).await;
    world.store().mark_status(7, 1, JobStatus::Done, None).await.unwrap();
    world.given(7, &manifest("b")).await;
    assert_eq!((chunk(world, 7, 1).await.checksum, chunk(world, 7, 2).await.checksum), ("a".into(), "b".into()));
    assert_eq!(world.status(7, 1).await, JobStatus::Done);
}

async fn a_stream_goes_in_over_several_commits(world: &mut World) {
    let report = stream(world, 1..=25_000).await;
    assert_eq!((report.added, report.unchanged, report.absent), (25_000, 0, 0));
    let stats = world.store().get_stats(7).await.unwrap();
    assert_eq!((stats.total_chunks, stats.pending, stats.ready()), (25_000, 25_000, 25_000));
}

async fn a_stream_again_changes_nothing(world: &mut World) {
    stream(world, 1..=25_000).await;
    world.store().mark_status(7, 12_345, JobStatus::Done, None).await.unwrap();
    let report = stream(world, 1..=25_000).await;
    assert_eq!((report.added, report.updated, report.unchanged, report.ended), (0, 0, 24_999, 1));
    assert_eq!(world.store().get_stats(7).await.unwrap().pending, 24_999);
}

async fn a_stream_goes_on_where_it_was_broken_off(world: &mut World) {
    stream(world, 1..=10_000).await;
    world.crash().await;
    let report = stream(world, 1..=25_000).await;
    assert_eq!((report.added, report.unchanged, report.absent), (15_000, 10_000, 0));
}

async fn a_stream_counts_what_it_does_not_name(world: &mut World) {
    plain_job(world, 7, 3).await;
    let report = stream(world, 3..=10_001).await;
    assert_eq!((report.added, report.unchanged, report.absent), (9_998, 1, 2));
}

async fn an_empty_stream_makes_an_empty_job(world: &mut World) {
    assert_eq!(stream(world, []).await, InsertReport::default());
    let job = world.store().job(7).await.unwrap().unwrap();
    assert_eq!((job.stats.total_chunks, job.stats.completion_percent()), (0, 0.0));
}
