//! Lanes: who is handed what.

use magnetar_core::{ErrorKind, Lane, NewChunk};

use crate::{
    harness::World,
    law::{Law, laws},
    laws::support::{claim, fence, ids, job_of, kind, plain_job},
};

pub(in crate::laws) const LAWS: &[Law] = laws![
    claim_pending_draws_from_the_own_lane_alone,
    a_named_lane_gives_its_own_chunks_alone,
    lanes_of_one_name_in_two_jobs_are_two,
    priority_goes_before_the_order_of_lanes,
    the_lane_that_stands_first_goes_first,
    lanes_of_many_jobs_are_drawn_from_at_once,
    a_paused_job_leaves_the_lanes_of_others_open,
    a_lane_named_twice_counts_once,
    a_chunk_that_comes_back_is_in_its_lane_again,
    a_lane_that_cannot_be_is_refused,
];

async fn draw(world: &World, lanes: &[Lane], limit: usize) -> Vec<(i64, u64)> {
    let claimed = world.store().claim(lanes.to_vec(), limit).await.unwrap();
    claimed.iter().map(|chunk| (chunk.job_id, chunk.chunk)).collect()
}

async fn claim_pending_draws_from_the_own_lane_alone(world: &mut World) {
    job_of(world, 7, [NewChunk::new(1).lane("gpu").priority(9), NewChunk::new(2)]).await;
    assert_eq!(ids(&world.store().claim_pending_batch(7, 10).await.unwrap()), [2]);
    assert_eq!(draw(world, &[Lane::of(7)], 10).await, []);
}

async fn a_named_lane_gives_its_own_chunks_alone(world: &mut World) {
    let chunks = [(1, "gpu"), (2, ""), (3, "gp"), (4, "gpu"), (5, "gpus")];
    job_of(world, 7, chunks.map(|(id, lane)| NewChunk::new(id).lane(lane))).await;
    let claimed = world.store().claim(vec![Lane::named(7, "gpu")], 10).await.unwrap();
    assert_eq!(ids(&claimed), [1, 4]);
    assert_eq!((claimed[0].lane.as_str(), claimed[0].lane()), ("gpu", Lane::named(7, "gpu")));
}

async fn lanes_of_one_name_in_two_jobs_are_two(world: &mut World) {
    job_of(world, 7, [NewChunk::new(1).lane("gpu")]).await;
    job_of(world, 8, [NewChunk::new(1).lane("gpu")]).await;
    assert_eq!(draw(world, &[Lane::named(8, "gpu")], 10).await, [(8, 1)]);
    assert_eq!(draw(world, &[Lane::named(7, "gpu")], 10).await, [(7, 1)]);
}

async fn priority_goes_before_the_order_of_lanes(world: &mut World) {
    job_of(world, 7, [NewChunk::new(1), NewChunk::new(2).priority(-1)]).await;
    job_of(world, 8, [NewChunk::new(1).priority(3), NewChunk::new(2).priority(-2)]).await;
    assert_eq!(draw(world, &[Lane::of(7), Lane::of(8)], 10).await, [(8, 1), (7, 1), (7, 2), (8, 2)]);
}

async fn the_lane_that_stands_first_goes_first(world: &mut World) {
    job_of(world, 7, [NewChunk::new(1), NewChunk::new(2), NewChunk::new(3).lane("b"), NewChunk::new(4).lane("a")]).await;
    let lanes = [Lane::named(7, "b"), Lane::of(7), Lane::named(7, "a")];
    assert_eq!(draw(world, &lanes, 10).await, [(7, 3), (7, 1), (7, 2), (7, 4)]);
}

async fn lanes_of_many_jobs_are_drawn_from_at_once(world: &mut World) {
    for job in 1..=20 {
        job_of(world, job, (1..=3).map(|id| NewChunk::new(id).lane("x").priority(i16::from(id == 3)))).await;
    }
    let lanes: Vec<_> = (1..=20).rev().map(|job| Lane::named(job, "x")).collect();
    let urgent: Vec<_> = (1..=20).rev().map(|job| (job, 3)).collect();
    assert_eq!(draw(world, &lanes, 20).await, urgent);
    assert_eq!(draw(world, &lanes, 5).await, [(20, 1), (20, 2), (19, 1), (19, 2), (18, 1)]);
    assert_eq!(draw(world, &lanes, 1_000).await.len(), 35);
}

async fn a_paused_job_leaves_the_lanes_of_others_open(world: &mut World) {
    for job in [7, 8] {
        job_of(world, job, [NewChunk::new(1), NewChunk::new(2).lane("gpu")]).await;
    }
    world.store().pause(7).await.unwrap();
    let lanes = [Lane::of(7), Lane::named(7, "gpu"), Lane::of(8), Lane::named(8, "gpu")];
    assert_eq!(draw(world, &lanes, 10).await, [(8, 1), (8, 2)]);
    world.store().resume(7).await.unwrap();
    assert_eq!(draw(world, &lanes, 10).await, [(7, 1), (7, 2)]);
}

async fn a_lane_named_twice_counts_once(world: &mut World) {
    plain_job(world, 7, 3).await;
    assert_eq!(draw(world, &[Lane::of(7), Lane::of(7)], 10).await, [(7, 1), (7, 2), (7, 3)]);
}

async fn a_chunk_that_comes_back_is_in_its_lane_again(world: &mut World) {
    job_of(world, 7, [NewChunk::new(1).lane("gpu"), NewChunk::new(2)]).await;
    let lane = vec![Lane::named(7, "gpu")];
    let held = world.store().claim(lane.clone(), 1).await.unwrap();
    world.store().release(&held[0].fence().unwrap()).await.unwrap();
    assert_eq!(fence(world.store(), 7).await.chunk(), 2);
    assert_eq!(ids(&world.store().claim(lane, 10).await.unwrap()), [1]);
}

async fn a_lane_that_cannot_be_is_refused(world: &mut World) {
    plain_job(world, 7, 1).await;
    let too_many = vec![Lane::of(7); 1025];
    for (lanes, expected) in [
        (vec![Lane::named(7, "a\0b")], ErrorKind::Invalid),
        (vec![Lane::named(7, "l".repeat(65))], ErrorKind::TooLarge),
        (too_many, ErrorKind::TooLarge),
    ] {
        assert_eq!(kind(world.store().claim(lanes, 1).await), expected);
    }
    assert_eq!(claim(world.store(), 7).await.chunk, 1);
}
