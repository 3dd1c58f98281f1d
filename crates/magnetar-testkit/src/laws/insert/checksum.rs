//! Checksums: what was expected and what was recorded, byte for byte.

use magnetar_core::{JobState, JobStatus, NewChunk, Op};

use crate::{
    harness::World,
    law::{Law, laws},
    laws::support::{chunk, fence, job_of, plain_job},
};

pub(in crate::laws) const LAWS: &[Law] = laws![
    a_chunk_without_a_checksum_shows_an_empty_one,
    the_expected_checksum_shows_until_one_is_recorded,
    a_recorded_checksum_shows_where_none_was_expected,
    a_checksum_is_recorded_by_complete_too,
    a_checksum_is_recorded_with_failed_and_cancelled,
    checksums_come_back_byte_for_byte,
    an_insert_that_names_no_checksum_keeps_the_old_one,
];

fn sums(chunk: &JobState) -> (&str, Option<&str>, Option<&str>) {
    (&chunk.checksum, chunk.expected_checksum.as_deref(), chunk.recorded_checksum.as_deref())
}

async fn a_chunk_without_a_checksum_shows_an_empty_one(world: &mut World) {
    plain_job(world, 7, 1).await;
    assert_eq!(sums(&chunk(world, 7, 1).await), ("", None, None));
    world.store().mark_status(7, 1, JobStatus::Done, None).await.unwrap();
    assert_eq!(sums(&chunk(world, 7, 1).await), ("", None, None));
}

async fn the_expected_checksum_shows_until_one_is_recorded(world: &mut World) {
    job_of(world, 7, [NewChunk::new(1).checksum("expected")]).await;
    assert_eq!(sums(&chunk(world, 7, 1).await), ("expected", Some("expected"), None));
    world.store().mark_status(7, 1, JobStatus::Done, Some("recorded".into())).await.unwrap();
    assert_eq!(sums(&chunk(world, 7, 1).await), ("recorded", Some("expected"), Some("recorded")));
}

async fn a_recorded_checksum_shows_where_none_was_expected(world: &mut World) {
    plain_job(world, 7, 1).await;
    world.store().mark_status(7, 1, JobStatus::Done, Some("recorded".into())).await.unwrap();
    assert_eq!(sums(&chunk(world, 7, 1).await), ("recorded", None, Some("recorded")));
}

async fn a_checksum_is_recorded_by_complete_too(world: &mut World) {
    job_of(world, 7, [NewChunk::new(1).checksum("expected")]).await;
    let fence = fence(world.store(), 7).await;
    let complete = Op::Complete { fence, result: Vec::new(), checksum: Some("recorded".into()) };
    world.store().apply(vec![complete]).await.unwrap();
    assert_eq!(sums(&chunk(world, 7, 1).await), ("recorded", Some("expected"), Some("recorded")));
}

async fn a_checksum_is_recorded_with_failed_and_cancelled(world: &mut World) {
    plain_job(world, 7, 2).await;
    for (id, status) in [(1, JobStatus::Failed), (2, JobStatus::Cancelled)] {
        world.store().mark_status(7, id, status, Some("partial".into())).await.unwrap();
        assert_eq!(sums(&chunk(world, 7, id).await), ("partial", None, Some("partial")));
    }
}

async fn checksums_come_back_byte_for_byte(world: &mut World) {
    let odd = ["", " ", "ABCdef", "a\0b", "0123", "ü\u{301}\n'\"\\", "\u{feff}x "];
    job_of(world, 7, (1..).zip(odd).map(|(id, sum)| NewChunk::new(id).checksum(sum))).await;
    for (id, sum) in (1..).zip(odd) {
        assert_eq!(sums(&chunk(world, 7, id).await), (sum, Some(sum), None));
        let recorded = format!("{sum}!");
        world.store().mark_status(7, id, JobStatus::Done, Some(recorded.clone())).await.unwrap();
        assert_eq!(sums(&chunk(world, 7, id).await), (recorded.as_str(), Some(sum), Some(recorded.as_str())));
    }
}

async fn an_insert_that_names_no_checksum_keeps_the_old_one(world: &mut World) {
    job_of(world, 7, [NewChunk::new(1).checksum("a")]).await;
    world.store().insert(7, vec![NewChunk::new(1).payload("new")]).await.unwrap();
    let found = chunk(world, 7, 1).await;
    assert_eq!((sums(&found), found.payload.as_slice()), (("a", Some("a"), None), b"new".as_slice()));
}
