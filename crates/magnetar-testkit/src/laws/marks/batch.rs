//! Many marks in one commit, with a verdict for each.

use magnetar_core::{
    ErrorKind,
    JobStatus::{self, Cancelled, Done, Failed, Pending, Processing},
    JobUpdate, NewChunk,
};

use super::mark;
use crate::{
    harness::World,
    law::{Law, laws},
    laws::support::{chunk, ids, job_of, kind, plain_job},
};

pub(in crate::laws) const LAWS: &[Law] = laws![
    a_batch_of_marks_has_a_verdict_for_each,
    a_refused_mark_does_not_undo_the_others,
    a_batch_of_marks_on_an_unknown_job_is_not_found,
    a_batch_of_marks_records_checksums_and_errors,
    a_batch_of_marks_again_changes_nothing,
    a_batch_of_marks_ends_what_was_claimed,
    a_large_batch_of_marks_goes_in_whole,
    a_batch_of_no_marks_changes_nothing,
];

fn update(chunk_id: u64, status: JobStatus) -> JobUpdate {
    JobUpdate { chunk_id, status, checksum: None, error: None }
}

/// The verdicts on these updates of job 7.
async fn verdicts(world: &World, updates: &[JobUpdate]) -> Vec<Result<(), ErrorKind>> {
    let verdicts = world.store().apply_batch_updates(7, updates).await.unwrap();
    verdicts.into_iter().map(|verdict| verdict.map_err(|rejection| rejection.kind())).collect()
}

async fn a_batch_of_marks_has_a_verdict_for_each(world: &mut World) {
    job_of(world, 7, (1..=5).map(NewChunk::new).chain([NewChunk::new(6).depends_on([5])])).await;
    mark(world.store(), 7, 2, Done).await.unwrap();
    let updates =
        [update(1, Done), update(2, Pending), update(99, Done), update(6, Done), update(3, Processing), update(4, Failed)];
    let expected = [Ok(()), Err(ErrorKind::NotAllowed), Err(ErrorKind::NotFound), Err(ErrorKind::Blocked), Ok(()), Ok(())];
    assert_eq!(verdicts(world, &updates).await, expected);
}

async fn a_refused_mark_does_not_undo_the_others(world: &mut World) {
    plain_job(world, 7, 4).await;
    mark(world.store(), 7, 1, Done).await.unwrap();
    verdicts(world, &[update(1, Failed), update(2, Done), update(50, Done), update(3, Cancelled)]).await;
    world.crash().await;
    for (id, status) in [(1, Done), (2, Done), (3, Cancelled), (4, Pending)] {
        assert_eq!(world.status(7, id).await, status);
    }
}

async fn a_batch_of_marks_on_an_unknown_job_is_not_found(world: &mut World) {
    plain_job(world, 7, 1).await;
    let refused = world.store().apply_batch_updates(8, &[update(1, Done), update(2, Done)]).await;
    assert_eq!(kind(refused), ErrorKind::NotFound);
}

async fn a_batch_of_marks_records_checksums_and_errors(world: &mut World) {
    job_of(world, 7, (1..=2).map(|id| NewChunk::new(id).checksum("expected"))).await;
    let done = JobUpdate { checksum: Some("recorded".into()), ..update(1, Done) };
    let failed = JobUpdate { error: Some("no space".into()), ..update(2, Failed) };
    assert_eq!(verdicts(world, &[done, failed]).await, [Ok(()), Ok(())]);
    let (first, second) = (chunk(world, 7, 1).await, chunk(world, 7, 2).await);
    assert_eq!((first.checksum.as_str(), first.expected_checksum.as_deref()), ("recorded", Some("expected")));
    assert_eq!((second.checksum.as_str(), second.error.as_deref()), ("expected", Some("no space")));
}

async fn a_batch_of_marks_again_changes_nothing(world: &mut World) {
    plain_job(world, 7, 3).await;
    let updates = [update(1, Done), update(2, Failed), update(3, Processing)];
    assert_eq!(verdicts(world, &updates).await, [Ok(()); 3]);
    let before = world.store().get_stats(7).await.unwrap();
    assert_eq!(verdicts(world, &updates).await, [Ok(()); 3]);
    assert_eq!(world.store().get_stats(7).await.unwrap(), before);
}

async fn a_batch_of_marks_ends_what_was_claimed(world: &mut World) {
    plain_job(world, 7, 10).await;
    let claimed = ids(&world.store().claim_pending_batch(7, 10).await.unwrap());
    let updates: Vec<_> = claimed.into_iter().map(|id| update(id, Done)).collect();
    assert_eq!(verdicts(world, &updates).await, vec![Ok(()); 10]);
    assert!(world.store().get_stats(7).await.unwrap().is_complete());
}

async fn a_large_batch_of_marks_goes_in_whole(world: &mut World) {
    plain_job(world, 7, 5_000).await;
    let updates: Vec<_> = (1..=5_000).map(|id| update(id, Done)).collect();
    assert_eq!(verdicts(world, &updates).await, vec![Ok(()); 5_000]);
    assert_eq!(world.store().get_stats(7).await.unwrap().done, 5_000);
}

async fn a_batch_of_no_marks_changes_nothing(world: &mut World) {
    plain_job(world, 7, 1).await;
    assert_eq!(verdicts(world, &[]).await, []);
    assert_eq!(world.store().get_stats(7).await.unwrap().pending, 1);
}
