//! How steps are drawn: few ids, so that they meet, and more of what gets work done than of what undoes it.

use std::time::Duration;

use magnetar_core::{Backoff, JobOptions, JobStatus, OnFailure, RetryPolicy};
use proptest::{bool::weighted, collection::vec, option, prelude::*, sample::select};

use super::{
    Differential,
    step::{
        Ask, CHECKSUMS, ChunkPick, ERRORS, ExpectPick, FencePick, Instant, JobPick, KEYS, KINDS, LANES, NAMES, RECORD_KEYS,
        SPACES, Sketch, Standing, Step,
    },
};

/// The steps of a run: a job or two first, so that there is something to do.
pub(super) fn steps(config: Differential) -> impl Strategy<Value = Vec<Step>> {
    (vec(first_job(), 1..4), vec(step(config), 1..=config.steps_max))
        .prop_map(|(first, rest)| first.into_iter().chain(rest).collect())
}

fn first_job() -> impl Strategy<Value = Step> {
    (1..=4_i64, options(), vec(sketch(), 1..10)).prop_map(|(id, options, chunks)| {
        let job = JobPick::Id(id);
        let ensure = Ask::EnsureJob { job, name: None, is_by_name: false, kind: 0, options: Some(options) };
        Step::Submit {
            handle: 0,
            groups: vec![vec![ensure, Ask::Insert { job, is_by_name: false, is_numbered: false, is_careful: true, chunks }]],
        }
    })
}

fn step(config: Differential) -> impl Strategy<Value = Step> {
    let handle = || 0..2_usize;
    let group = || prop_oneof![5 => vec(ask(), 1..=1), 3 => vec(ask(), 2..=2), 2 => vec(ask(), 3..=3)];
    let groups = prop_oneof![5 => vec(group(), 1..=1), 3 => vec(group(), 1..=config.groups_max)];
    prop_oneof![
        80 => (handle(), groups).prop_map(|(handle, groups)| Step::Submit { handle, groups }),
        8 => millis(1, 3_000).prop_map(Step::Advance),
        3 => millis(10_001, 16_000).prop_map(Step::Advance),
        2 => millis(30_001, 65_000).prop_map(Step::Advance),
        1 => millis(1, 20_000).prop_map(Step::GoBack),
        3 => Just(Step::Open),
        2 => handle().prop_map(|handle| Step::Close { handle }),
        2 => handle().prop_map(|handle| Step::Kill { handle }),
        2 => (handle(), 1..6_usize).prop_map(|(handle, page_rows)| Step::Read { handle, page_rows }),
    ]
}

fn ask() -> BoxedStrategy<Ask> {
    prop_oneof![44 => on_claims(), 16 => mark(), 24 => on_chunks(), 9 => on_jobs(), 5 => put_record()].boxed()
}

/// Claims, and what is done with one.
fn on_claims() -> impl Strategy<Value = Ask> {
    let bytes = || vec(any::<u8>(), 0..3);
    prop_oneof![
        14 => (vec((job(), lane()), 1..4), 1..4_usize).prop_map(|(lanes, limit)| Ask::Claim { lanes, limit }),
        12 => (fence(), bytes(), option::of(pick(&CHECKSUMS))).prop_map(|(fence, result, checksum)| Ask::Complete { fence, result, checksum }),
        6 => (fence(), pick(&ERRORS)).prop_map(|(fence, error)| Ask::Fail { fence, error }),
        3 => fence().prop_map(|fence| Ask::Release { fence }),
        2 => fence().prop_map(|fence| Ask::Check { fence }),
        2 => (fence(), instant()).prop_map(|(fence, at)| Ask::ParkUntil { fence, at }),
        3 => (fence(), vec(chunk(), 0..3)).prop_map(|(fence, chunks)| Ask::ParkBehind { fence, chunks }),
    ]
}

/// Marks: mostly of chunks where the step is one that the machine has.
fn mark() -> impl Strategy<Value = Ask> {
    let end = || select(vec![JobStatus::Done, JobStatus::Done, JobStatus::Failed, JobStatus::Cancelled]);
    let target = prop_oneof![
        3 => (standing(Standing::Pending), Just(JobStatus::Processing)),
        5 => (standing(Standing::Pending), end()),
        3 => (standing(Standing::Processing), end()),
        2 => (standing(Standing::Processing), Just(JobStatus::Pending)),
        5 => (standing(Standing::Bad), Just(JobStatus::Pending)),
        5 => (chunk(), select(JobStatus::ALL.to_vec())),
    ];
    (target, option::of(pick(&CHECKSUMS)), option::of(pick(&ERRORS))).prop_map(|((chunk, status), checksum, error)| Ask::Mark {
        chunk,
        status,
        checksum,
        error,
    })
}

/// What changes the chunks of a job and what they wait for.
fn on_chunks() -> impl Strategy<Value = Ask> {
    let pending = prop_oneof![4 => standing(Standing::Pending), 1 => chunk()];
    let ended = prop_oneof![6 => standing(Standing::Ended), 1 => chunk()];
    let others = prop_oneof![6 => vec(chunk_id(), 0..=0), 1 => vec(chunk_id(), 1..=2)];
    prop_oneof![
        10 => (job(), weighted(0.15), weighted(0.2), weighted(0.9), vec(sketch(), 1..6)).prop_map(
            |(job, is_by_name, is_numbered, is_careful, chunks)| Ask::Insert { job, is_by_name, is_numbered, is_careful, chunks }
        ),
        6 => (pending, vec(chunk(), 1..3), weighted(0.9)).prop_map(|(chunk, on, is_careful)| Ask::Depend { chunk, on, is_careful }),
        4 => (ended, others).prop_map(|(chunk, others)| Ask::Reopen { chunk, others }),
        3 => (job(), instant(), option::weighted(0.3, chunk_id()), 1..13_usize)
            .prop_map(|(job, ended_before, after, limit)| Ask::Prune { job, ended_before, after, limit }),
    ]
}

/// What is done to a job as a whole.
fn on_jobs() -> impl Strategy<Value = Ask> {
    prop_oneof![
        5 => (job(), option::weighted(0.4, pick(&NAMES)), weighted(0.3), pick(&KINDS), option::weighted(0.3, options())).prop_map(
            |(job, name, is_by_name, kind, options)| Ask::EnsureJob { job, name, is_by_name, kind, options }
        ),
        1 => job().prop_map(|job| Ask::Pause { job }),
        3 => job().prop_map(|job| Ask::Resume { job }),
        1 => job().prop_map(|job| Ask::DeleteJob { job }),
        2 => Just(Ask::Reap),
    ]
}

fn put_record() -> impl Strategy<Value = Ask> {
    let expect = prop_oneof![
        2 => Just(ExpectPick::Any),
        2 => Just(ExpectPick::Absent),
        4 => Just(ExpectPick::Current),
        1 => (0..6_u64).prop_map(ExpectPick::Version),
    ];
    (pick(&SPACES), pick(&RECORD_KEYS), option::weighted(0.75, vec(any::<u8>(), 0..3)), expect)
        .prop_map(|(space, key, value, expect)| Ask::PutRecord { space, key, value, expect })
}

fn sketch() -> impl Strategy<Value = Sketch> {
    let links = (vec(chunk_id(), 0..3), prop_oneof![7 => vec(chunk(), 0..=0), 1 => vec(chunk(), 1..=2)]);
    let content = (option::of(pick(&CHECKSUMS)), vec(any::<u8>(), 0..2), option::weighted(0.15, pick(&KEYS)), weighted(0.1));
    let rules = (
        prop_oneof![3 => Just(0_i16), 1 => -1..=2_i16],
        lane(),
        option::weighted(0.15, instant()),
        option::weighted(0.25, millis(500, 20_000)),
        option::weighted(0.2, 1..=3_u32),
    );
    (chunk_id(), links, content, rules).prop_map(|(id, (depends_on, depends_on_jobs), content, rules)| {
        let (checksum, payload, key, has_extra) = content;
        let (priority, lane, not_before, timeout, max_fails) = rules;
        Sketch {
            id,
            checksum,
            depends_on,
            depends_on_jobs,
            payload,
            priority,
            lane,
            not_before,
            timeout,
            max_fails,
            key,
            has_extra,
        }
    })
}

fn options() -> impl Strategy<Value = JobOptions> {
    let on_failure = prop_oneof![3 => Just(OnFailure::Skip), 2 => Just(OnFailure::Hold), 2 => Just(OnFailure::Run)];
    let backoff = select(vec![Backoff::Exponential, Backoff::Linear, Backoff::Fixed]);
    let waits = (prop_oneof![1 => millis(0, 0), 3 => millis(1, 6_000)], millis(1_000, 20_000));
    (on_failure, backoff, waits, select(vec![0.0, 0.1, 0.5, 1.0]), (1..=3_u32, 1..=3_u32)).prop_map(
        |(on_failure, backoff, (first_wait, longest_wait), jitter, (max_fails, max_crashes))| {
            let retry = RetryPolicy { max_fails, max_crashes, backoff, first_wait, longest_wait, jitter };
            JobOptions { retry, on_failure }
        },
    )
}

fn job() -> impl Strategy<Value = JobPick> {
    prop_oneof![9 => (0..8_usize).prop_map(JobPick::Existing), 1 => (1..=4_i64).prop_map(JobPick::Id)]
}

fn chunk_id() -> impl Strategy<Value = u64> {
    1..=12_u64
}

fn chunk() -> impl Strategy<Value = ChunkPick> {
    prop_oneof![
        4 => (job(), chunk_id()).prop_map(|(job, chunk)| ChunkPick::Id { job, chunk }),
        1 => standing(Standing::Pending),
        1 => standing(Standing::Processing),
        1 => standing(Standing::Ended),
    ]
}

fn standing(standing: Standing) -> impl Strategy<Value = ChunkPick> {
    (0..100_usize).prop_map(move |at| ChunkPick::Standing(standing, at))
}

fn fence() -> impl Strategy<Value = FencePick> {
    let any = || 0..1_000_usize;
    prop_oneof![
        80 => any().prop_map(FencePick::Own),
        4 => any().prop_map(FencePick::InForce),
        14 => any().prop_map(FencePick::Given),
        2 => (chunk(), 1..4_u64).prop_map(|(chunk, token)| FencePick::Invented { chunk, token }),
    ]
}

fn lane() -> impl Strategy<Value = usize> {
    prop_oneof![4 => Just(0), 1 => pick(&LANES)]
}

fn instant() -> impl Strategy<Value = Instant> {
    prop_oneof![1 => millis(0, 20_000).prop_map(Instant::Ago), 2 => millis(0, 20_000).prop_map(Instant::In)]
}

fn millis(from: u64, to: u64) -> impl Strategy<Value = Duration> {
    (from..=to).prop_map(Duration::from_millis)
}

/// The place of one of these.
fn pick<T>(all: &[T]) -> std::ops::Range<usize> {
    0..all.len()
}
