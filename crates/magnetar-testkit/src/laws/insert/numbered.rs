//! Chunks that the store numbers, and chunks with a key of their own.

use magnetar_core::{JobStatus, NewChunk};

use crate::{
    harness::World,
    law::{Law, laws},
    laws::support::{chunk, claim, ids, job_of, plain_job},
};

pub(in crate::laws) const LAWS: &[Law] = laws![
    numbered_chunks_get_growing_ids,
    numbered_ids_do_not_collide_with_given_ones,
    numbered_and_given_chunks_mix_in_one_insert,
    numbered_ids_go_on_after_a_crash,
    a_chunk_with_a_key_that_is_there_is_not_inserted,
    a_key_repeated_in_one_insert_makes_one_chunk,
    a_key_stays_taken_when_its_chunk_has_ended,
    the_same_key_in_another_job_is_another_chunk,
    ids_are_answered_in_the_order_of_the_insert,
];

async fn insert(world: &World, chunks: impl IntoIterator<Item = NewChunk>) -> Vec<u64> {
    world.store().insert(7, chunks.into_iter().collect()).await.unwrap().ids
}

async fn numbered_chunks_get_growing_ids(world: &mut World) {
    job_of(world, 7, []).await;
    let mut all = Vec::new();
    for _ in 0..3 {
        all.extend(insert(world, vec![NewChunk::numbered(); 4]).await);
    }
    assert!(all.len() == 12 && all.is_sorted_by(|a, b| a < b), "{all:?}");
    assert_eq!(ids(&world.store().claim_pending_batch(7, 20).await.unwrap()), all);
}

async fn numbered_ids_do_not_collide_with_given_ones(world: &mut World) {
    job_of(world, 7, [1, 2, 3, 5, 1000].map(NewChunk::new)).await;
    let report = world.store().insert(7, vec![NewChunk::numbered(); 10]).await.unwrap();
    assert_eq!((report.added, report.updated, report.unchanged), (10, 0, 0));
    assert!(report.ids.iter().all(|id| ![1, 2, 3, 5, 1000].contains(id)), "{:?}", report.ids);
    assert_eq!(world.store().get_stats(7).await.unwrap().total_chunks, 15);
}

async fn numbered_and_given_chunks_mix_in_one_insert(world: &mut World) {
    job_of(world, 7, []).await;
    let numbered = || NewChunk::numbered();
    let new = insert(world, [numbered(), NewChunk::new(1), NewChunk::new(2), numbered(), NewChunk::new(3), numbered()]).await;
    assert!(new.len() == 3 && new.is_sorted_by(|a, b| a < b) && new.iter().all(|id| *id > 3 || *id == 0), "{new:?}");
    assert_eq!(world.store().get_stats(7).await.unwrap().total_chunks, 6);
}

async fn numbered_ids_go_on_after_a_crash(world: &mut World) {
    job_of(world, 7, []).await;
    let before = insert(world, vec![NewChunk::numbered(); 3]).await;
    world.crash().await;
    let after = insert(world, [NewChunk::numbered()]).await;
    assert!(before.iter().all(|id| *id < after[0]), "{before:?} {after:?}");
}

async fn a_chunk_with_a_key_that_is_there_is_not_inserted(world: &mut World) {
    job_of(world, 7, []).await;
    let first = insert(world, [NewChunk::numbered().key("order-1").payload("first")]).await;
    let report = world.store().insert(7, vec![NewChunk::numbered().key("order-1").payload("second")]).await.unwrap();
    assert_eq!((report.added, report.unchanged, &report.ids), (0, 1, &first));
    assert_eq!(world.store().get_stats(7).await.unwrap().total_chunks, 1);
    assert_eq!(chunk(world, 7, first[0]).await.payload, b"first");
}

async fn a_key_repeated_in_one_insert_makes_one_chunk(world: &mut World) {
    job_of(world, 7, []).await;
    let new = insert(world, [NewChunk::numbered().key("a").payload("first"), NewChunk::numbered().key("a")]).await;
    assert_eq!(new[0], new[1]);
    assert_eq!(chunk(world, 7, new[0]).await.payload, b"first");
    assert_eq!(world.store().get_stats(7).await.unwrap().total_chunks, 1);
}

async fn a_key_stays_taken_when_its_chunk_has_ended(world: &mut World) {
    job_of(world, 7, []).await;
    let first = insert(world, [NewChunk::numbered().key("a")]).await;
    world.store().mark_status(7, first[0], JobStatus::Done, None).await.unwrap();
    assert_eq!(insert(world, [NewChunk::numbered().key("a")]).await, first);
    assert_eq!(world.status(7, first[0]).await, JobStatus::Done);
}

async fn the_same_key_in_another_job_is_another_chunk(world: &mut World) {
    plain_job(world, 8, 1).await;
    job_of(world, 7, [NewChunk::numbered().key("a")]).await;
    let report = world.store().insert(8, vec![NewChunk::numbered().key("a")]).await.unwrap();
    assert_eq!(report.added, 1);
    assert_eq!(claim(world.store(), 7).await.key.as_deref(), Some("a"));
}

async fn ids_are_answered_in_the_order_of_the_insert(world: &mut World) {
    job_of(world, 7, [NewChunk::new(4).key("four")]).await;
    let new = [NewChunk::new(20).key("x"), NewChunk::new(9), NewChunk::numbered(), NewChunk::numbered().key("four")];
    let answered = insert(world, new).await;
    assert_eq!((answered.len(), answered[0], answered[2]), (3, 20, 4));
    assert!(chunk(world, 7, answered[1]).await.key.is_none());
}
