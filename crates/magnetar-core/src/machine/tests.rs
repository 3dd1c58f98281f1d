//! The table and the rules, held against each other and against the page.

use std::{collections::HashSet, time::Duration};

use proptest::prelude::*;

use super::*;

const EVENTS: [Event; 13] = [
    Event::Claim,
    Event::Complete,
    Event::Fail,
    Event::TimeOut,
    Event::LoseLease,
    Event::Release,
    Event::Park,
    Event::GiveUp,
    Event::Cancel,
    Event::Skip,
    Event::Redrive,
    Event::Reopen,
    Event::Depend,
];

fn rules(on_failure: OnFailure) -> Rules {
    Rules { retry: RetryPolicy { jitter: 0.0, ..RetryPolicy::default() }, on_failure }
}

fn standing(status: JobStatus) -> Standing {
    Standing { status, ..Standing::new(None) }
}

#[test]
fn table_has_each_pair_once() {
    let pairs: HashSet<_> = STEPS.iter().map(|step| (step.from, step.event)).collect();
    assert_eq!(pairs.len(), STEPS.len());
}

#[test]
fn step_leads_only_where_the_table_says() {
    for status in JobStatus::ALL {
        for event in EVENTS {
            let row = STEPS.iter().find(|step| step.from == status && step.event == event);
            for fails in 0..4 {
                let chunk = Standing { fails, crashes: fails, ..standing(status) };
                let next = chunk.step(event, &rules(OnFailure::Skip), Timestamp::default(), 0);
                match row {
                    None => assert_eq!(next, Err(Refusal::NotAllowed), "{status} {event}"),
                    Some(row) => assert!(row.to.contains(&next.unwrap().status), "{status} {event}"),
                }
            }
        }
    }
}

#[test]
fn every_target_of_the_table_is_reached() {
    for row in STEPS {
        let reached: HashSet<_> = (0..4)
            .map(|fails| Standing { fails, crashes: fails, ..standing(row.from) })
            .map(|chunk| chunk.step(row.event, &rules(OnFailure::Skip), Timestamp::default(), 0).unwrap().status)
            .collect();
        assert_eq!(reached, row.to.iter().copied().collect(), "{} {}", row.from, row.event);
    }
}

#[test]
fn failure_waits_until_the_budget_is_spent() {
    let now = Timestamp::from_millis(1000);
    let mut chunk = standing(JobStatus::Processing);
    for wait in [1000, 2000] {
        chunk = chunk.step(Event::Fail, &rules(OnFailure::Skip), now, 0).unwrap();
        assert_eq!(chunk.place(&rules(OnFailure::Skip), now), Place::Timer(now.after(Duration::from_millis(wait))));
        chunk.status = JobStatus::Processing;
    }
    chunk = chunk.step(Event::Fail, &rules(OnFailure::Skip), now, 0).unwrap();
    assert_eq!((chunk.status, chunk.not_before), (JobStatus::Failed, None));
}

#[test]
fn bad_dependency_skips_holds_or_runs() {
    let child = standing(JobStatus::Pending).dependency(Dependency::Added(JobStatus::Pending), &rules(OnFailure::Skip)).0;
    for (on_failure, event, place) in [
        (OnFailure::Skip, Some(Event::Skip), Place::Blocked),
        (OnFailure::Hold, None, Place::Blocked),
        (OnFailure::Run, None, Place::Ready),
    ] {
        let (next, follows) = child.dependency(Dependency::Ended(JobStatus::Failed), &rules(on_failure));
        assert_eq!((follows, next.place(&rules(on_failure), Timestamp::default())), (event, place), "{on_failure:?}");
    }
}

#[test]
fn skipped_chunk_returns_with_its_last_bad_dependency() {
    let chunk = Standing { bad: 2, ..standing(JobStatus::Skipped) };
    let (chunk, event) = chunk.dependency(Dependency::Reopened(JobStatus::Failed), &rules(OnFailure::Skip));
    assert_eq!(event, None);
    let (_, event) = chunk.dependency(Dependency::Reopened(JobStatus::Cancelled), &rules(OnFailure::Skip));
    assert_eq!(event, Some(Event::Redrive));
}

proptest! {
    #[test]
    fn end_and_reopening_of_a_dependency_undo_each_other(unmet in 1_u64..9, bad in 0_u64..9, which in 0_usize..3) {
        let status = [JobStatus::Done, JobStatus::Failed, JobStatus::Skipped][which];
        let chunk = Standing { unmet, bad, ..standing(JobStatus::Pending) };
        let (ended, _) = chunk.dependency(Dependency::Ended(status), &rules(OnFailure::Hold));
        let (back, _) = ended.dependency(Dependency::Reopened(status), &rules(OnFailure::Hold));
        prop_assert_eq!(back, chunk);
    }
}

#[test]
fn page_in_docs_is_the_one_made_from_the_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/state-machine.md");
    let page = std::fs::read_to_string(path).unwrap_or_default();
    assert_eq!(page, markdown(), "run `cargo run -p magnetar-core --example state_machine > docs/state-machine.md`");
}
