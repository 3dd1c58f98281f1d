//! Putting chunks in, once and once more.

use magnetar_core::JobStatus;

use crate::{harness::World, law::{Law, laws}};

pub(super) const LAWS: &[Law] = laws![insert_makes_every_chunk_pending];

async fn insert_makes_every_chunk_pending(world: &mut World) {
    world.given_plain(7, 3).await;
    for chunk in 1..=3 {
        assert_eq!(world.status(7, chunk).await, JobStatus::Pending);
    }
    let stats = world.store().get_stats(7).await.unwrap();
    assert_eq!((stats.total_chunks, stats.pending), (3, 3));
}
