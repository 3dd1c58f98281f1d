//! The table of marks: every status against every mark, as "Marks" of the contract has it.

use magnetar_core::{
    ErrorKind,
    JobStatus::{self, Cancelled, Done, Failed, Pending, Processing, Skipped},
    NewChunk,
};

use super::mark;
use crate::{
    harness::World,
    law::{Law, laws},
    laws::support::{chunk, job_of, plain_job},
};

pub(in crate::laws) const LAWS: &[Law] = laws![
    marks_of_a_pending_chunk_follow_the_table,
    marks_of_an_own_claim_follow_the_table,
    a_done_chunk_bears_no_mark_but_done,
    a_failed_chunk_bears_no_mark_but_failed_and_pending,
    a_cancelled_chunk_bears_no_mark_but_cancelled_and_pending,
    a_skipped_chunk_bears_no_mark_but_skipped_and_pending,
    a_refused_mark_changes_nothing,
];

/// What a mark must do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Changes,
    IsSo,
    NotAllowed,
}

use Outcome::{Changes, IsSo, NotAllowed};

/// Marks a chunk in every way, each time in a job of its own, in which chunk 1 stands at `from`.
async fn check(world: &World, from: JobStatus, expected: [(JobStatus, Outcome); 6]) {
    for (job, (to, outcome)) in (1..).zip(expected) {
        given(world, job, from).await;
        let before = chunk(world, job, 1).await;
        assert_eq!(before.status, from);
        let found = match mark(world.store(), job, 1, to).await {
            Ok((true, _)) => Changes,
            Ok((false, _)) => IsSo,
            Err(error) if error.kind() == ErrorKind::NotAllowed => NotAllowed,
            Err(error) => panic!("{from} to {to}: {error}"),
        };
        assert_eq!(found, outcome, "{from} to {to}");
        let after = chunk(world, job, 1).await;
        match outcome {
            Changes => assert_eq!(after.status, to),
            IsSo | NotAllowed => assert_eq!(after, before, "{from} to {to}"),
        }
    }
}

/// A job whose chunk 1 stands there.
async fn given(world: &World, job: i64, status: JobStatus) {
    if status == Skipped {
        job_of(world, job, [NewChunk::new(1).depends_on([2]), NewChunk::new(2)]).await;
        mark(world.store(), job, 2, Failed).await.unwrap();
    } else {
        plain_job(world, job, 1).await;
        mark(world.store(), job, 1, status).await.unwrap();
    }
}

async fn marks_of_a_pending_chunk_follow_the_table(world: &mut World) {
    let expected =
        [(Pending, IsSo), (Processing, Changes), (Done, Changes), (Failed, Changes), (Skipped, NotAllowed), (Cancelled, Changes)];
    check(world, Pending, expected).await;
}

async fn marks_of_an_own_claim_follow_the_table(world: &mut World) {
    let expected =
        [(Pending, Changes), (Processing, IsSo), (Done, Changes), (Failed, Changes), (Skipped, NotAllowed), (Cancelled, Changes)];
    check(world, Processing, expected).await;
}

async fn a_done_chunk_bears_no_mark_but_done(world: &mut World) {
    let expected = JobStatus::ALL.map(|to| (to, if to == Done { IsSo } else { NotAllowed }));
    check(world, Done, expected).await;
}

/// What holds for every chunk that ended badly: it can be redriven, and nothing else.
fn bad(status: JobStatus) -> [(JobStatus, Outcome); 6] {
    JobStatus::ALL.map(|to| match to {
        Pending => (to, Changes),
        _ if to == status => (to, IsSo),
        _ => (to, NotAllowed),
    })
}

async fn a_failed_chunk_bears_no_mark_but_failed_and_pending(world: &mut World) {
    check(world, Failed, bad(Failed)).await;
}

async fn a_cancelled_chunk_bears_no_mark_but_cancelled_and_pending(world: &mut World) {
    check(world, Cancelled, bad(Cancelled)).await;
}

async fn a_skipped_chunk_bears_no_mark_but_skipped_and_pending(world: &mut World) {
    check(world, Skipped, bad(Skipped)).await;
}

async fn a_refused_mark_changes_nothing(world: &mut World) {
    plain_job(world, 7, 2).await;
    mark(world.store(), 7, 1, Done).await.unwrap();
    let before = (chunk(world, 7, 1).await, world.store().get_stats(7).await.unwrap());
    let refused = world.store().mark_status(7, 1, Failed, Some("sum".into())).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::NotAllowed);
    assert_eq!((chunk(world, 7, 1).await, world.store().get_stats(7).await.unwrap()), before);
}
