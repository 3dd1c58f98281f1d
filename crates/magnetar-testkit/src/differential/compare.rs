//! What a store answers and shows, held against the model.

use std::fmt::Debug;

use magnetar_core::{Answer, ChunkId, Filter, Job, JobId, JobState, JobStatus, JobStore, Page, Query, Record, Reply};

use super::step::{NAMES, RECORD_KEYS, SPACES};
use crate::model::{Expectation, ExpectedChunk, ExpectedFence, ExpectedReply, Model, Outcome};

type Verdict = Result<(), String>;

/// Holds the outcomes of a submit against what was expected.
pub(super) fn outcomes(expected: &[Expectation], actual: &[Outcome]) -> Verdict {
    expected.iter().zip(actual).enumerate().try_for_each(|(at, (expected, actual))| {
        outcome(expected, actual).map_err(|difference| format!("group {at}: {difference}"))
    })
}

/// What the store chose in the last submit and no store may choose.
pub(super) fn faults(model: &Model) -> Verdict {
    if model.faults().is_empty() { Ok(()) } else { Err(model.faults().join("; ")) }
}

fn outcome(expected: &Expectation, actual: &Outcome) -> Verdict {
    match (expected, actual) {
        (Ok(expected), Ok(actual)) => {
            same("the number of replies", &expected.len(), &actual.len())?;
            expected.iter().zip(actual).enumerate().try_for_each(|(at, (expected, actual))| {
                reply(expected, actual).map_err(|difference| format!("op {at}: {difference}"))
            })
        }
        (Err(refusal), Err(rejection)) if refusal.allows(rejection) => Ok(()),
        _ => Err(format!("the outcome differs\n  model: {expected:?}\n  store: {actual:?}")),
    }
}

fn reply(expected: &ExpectedReply, actual: &Reply) -> Verdict {
    match (expected, actual) {
        (ExpectedReply::Exactly(expected), actual) => same("the reply", expected, actual),
        (ExpectedReply::Inserted(expected), Reply::Inserted(actual)) => same("the report", expected, actual),
        (ExpectedReply::Claimed(expected), Reply::Claimed(actual)) => chunks("what was claimed", expected, actual),
        (ExpectedReply::Marked { changed, fence }, Reply::Marked { changed: actual, fence: given }) => {
            same("whether the mark changed anything", changed, actual)?;
            match fence {
                ExpectedFence::Is(fence) => same("the fence of the mark", &Some(*fence), given),
                ExpectedFence::None => same("the fence of the mark", &None, given),
                ExpectedFence::Either => Ok(()),
            }
        }
        (ExpectedReply::Reopened(expected), Reply::Reopened(actual)) => {
            let mut actual = actual.clone();
            actual.sort_unstable();
            same("what was reopened", expected, &actual)
        }
        (ExpectedReply::Pruned { removed, next }, Reply::Pruned(actual)) => {
            same("what was pruned", removed, &actual.removed)?;
            if next.contains(&actual.next) {
                Ok(())
            } else {
                Err(format!("a prune goes on at {:?}, not at one of {next:?}", actual.next))
            }
        }
        (ExpectedReply::Reaped, Reply::Reaped { .. }) => Ok(()),
        _ => Err(format!("the reply is of another kind\n  model: {expected:?}\n  store: {actual:?}")),
    }
}

/// Reads every job with its stats and chunks, which of them can run or are held, and an audit.
pub(super) async fn jobs_and_chunks(model: &Model, store: &dyn JobStore, page_rows: usize) -> Verdict {
    let expected = model.jobs();
    same("the jobs", &expected, &jobs(store, page_rows).await?)?;
    for Job { id: job, .. } in expected {
        let all = model.chunks(job, Filter::All);
        let actual = chunks_of(store, job, Filter::All, page_rows).await?;
        chunks(&format!("the chunks of job {job}"), &all, &actual)?;
        for filter in [Filter::Unblocked, Filter::Held] {
            let expected: Vec<_> = model.chunks(job, filter).iter().map(|chunk| chunk.state().chunk).collect();
            same(&format!("the ids of job {job} under {filter:?}"), &expected, &ids_of(store, job, filter, page_rows).await?)?;
        }
        let Answer::Audit(audit) = ask(store, Query::Audit(job)).await? else {
            return Err("an audit is answered with something else".to_owned());
        };
        same(&format!("the problems of job {job}"), &Vec::new(), &audit.problems)?;
        same("the chunks an audit looks at", &(all.len() as u64), &audit.chunks)?;
    }
    let Answer::Audit(audit) = ask(store, Query::AuditStore).await? else {
        return Err("an audit of the store is answered with something else".to_owned());
    };
    same("the problems of the store", &Vec::new(), &audit.problems)?;
    Ok(())
}

/// Reads all that there is, and some that there is not, in all ways.
pub(super) async fn everything(model: &Model, store: &dyn JobStore, page_rows: usize) -> Verdict {
    jobs_and_chunks(model, store, page_rows).await?;
    for space in SPACES {
        for prefix in [b"".as_slice(), b"a"] {
            same(
                &format!("the records of {space}"),
                &model.records(space, prefix),
                &records(store, space, prefix, page_rows).await?,
            )?;
        }
        for key in RECORD_KEYS {
            let expected = model.records(space, key).into_iter().find(|record| record.key == key);
            same(
                "a record",
                &Answer::Record(expected),
                &ask(store, Query::Record { space: space.to_owned(), key: key.to_vec() }).await?,
            )?;
        }
    }
    for name in NAMES {
        let expected = model.jobs().into_iter().find(|job| job.name.as_deref() == Some(name));
        same("a job by name", &Answer::Job(expected.map(Box::new)), &ask(store, Query::JobByName(name.to_owned())).await?)?;
    }
    let known: Vec<JobId> = model.jobs().iter().map(|job| job.id).collect();
    for job in known.into_iter().chain(1..=4) {
        everything_of(model, store, job, page_rows).await?;
    }
    Ok(())
}

async fn everything_of(model: &Model, store: &dyn JobStore, job: JobId, page_rows: usize) -> Verdict {
    let expected = model.jobs().into_iter().find(|other| other.id == job);
    same("a job", &Answer::Job(expected.map(Box::new)), &ask(store, Query::Job(job)).await?)?;
    same("the stats", &Answer::Stats(model.stats(job)), &ask(store, Query::Stats(job)).await?)?;
    for status in JobStatus::ALL {
        let filter = Filter::Status(status);
        let expected = model.chunks(job, filter);
        let ids: Vec<_> = expected.iter().map(|chunk| chunk.state().chunk).collect();
        same(&format!("the ids of job {job} under {filter:?}"), &ids, &ids_of(store, job, filter, page_rows).await?)?;
        chunks(&format!("the {status} chunks of job {job}"), &expected, &chunks_of(store, job, filter, page_rows).await?)?;
    }
    let known: Vec<ChunkId> = model.chunks(job, Filter::All).iter().map(|chunk| chunk.state().chunk).collect();
    for chunk in known.into_iter().chain([0, 13]) {
        let (Answer::Chunk(actual), Answer::Dependencies(parents)) =
            (ask(store, Query::Chunk { job, chunk }).await?, ask(store, Query::Dependencies { job, chunk }).await?)
        else {
            return Err("a query is answered with something else".to_owned());
        };
        let expected = model.get((job, chunk));
        chunks("one chunk", expected.as_slice(), actual.as_deref().map_or(&[], std::slice::from_ref))?;
        if expected.is_none_or(|expected| expected.are_counters_known()) {
            same(&format!("what chunk {chunk} of job {job} depends on"), &model.dependencies((job, chunk)), &parents)?;
        }
    }
    Ok(())
}

fn chunks(what: &str, expected: &[ExpectedChunk], actual: &[JobState]) -> Verdict {
    let ids = |state: &JobState| (state.job_id, state.chunk);
    let expected_ids: Vec<_> = expected.iter().map(|chunk| ids(chunk.state())).collect();
    same(what, &expected_ids, &actual.iter().map(ids).collect())?;
    expected
        .iter()
        .zip(actual)
        .try_for_each(|(expected, actual)| expected.hold_against(actual))
        .map_err(|difference| format!("{what}: {difference}"))
}

pub(super) fn same<T: PartialEq + Debug>(what: &str, expected: &T, actual: &T) -> Verdict {
    if expected == actual { Ok(()) } else { Err(format!("{what}: it differs\n  model: {expected:?}\n  store: {actual:?}")) }
}

async fn ask(store: &dyn JobStore, query: Query) -> Result<Answer, String> {
    store.read(query.clone()).await.map_err(|error| format!("failed to read {query:?}: {error}"))
}

async fn jobs(store: &dyn JobStore, limit: usize) -> Result<Vec<Job>, String> {
    let mut all = Vec::new();
    let mut after = None;
    loop {
        let Answer::Jobs(page) = ask(store, Query::Jobs { after, limit }).await? else {
            return Err("a listing of jobs is answered with something else".to_owned());
        };
        after = page.next;
        all.extend(within(page, limit)?);
        if after.is_none() {
            return Ok(all);
        }
    }
}

async fn chunks_of(store: &dyn JobStore, job: JobId, filter: Filter, limit: usize) -> Result<Vec<JobState>, String> {
    let mut all = Vec::new();
    let mut after = None;
    loop {
        let Answer::Chunks(page) = ask(store, Query::Chunks { job, filter, after, limit }).await? else {
            return Err("a listing of chunks is answered with something else".to_owned());
        };
        after = page.next;
        all.extend(within(page, limit)?);
        if after.is_none() {
            return Ok(all);
        }
    }
}

async fn ids_of(store: &dyn JobStore, job: JobId, filter: Filter, limit: usize) -> Result<Vec<ChunkId>, String> {
    let mut all = Vec::new();
    let mut after = None;
    loop {
        let Answer::Ids(page) = ask(store, Query::Ids { job, filter, after, limit }).await? else {
            return Err("a listing of ids is answered with something else".to_owned());
        };
        after = page.next;
        all.extend(within(page, limit)?);
        if after.is_none() {
            return Ok(all);
        }
    }
}

async fn records(store: &dyn JobStore, space: &str, prefix: &[u8], limit: usize) -> Result<Vec<Record>, String> {
    let mut all = Vec::new();
    let mut after: Option<Vec<u8>> = None;
    loop {
        let query = Query::Records { space: space.to_owned(), prefix: prefix.to_vec(), after: after.clone(), limit };
        let Answer::Records(page) = ask(store, query).await? else {
            return Err("a listing of records is answered with something else".to_owned());
        };
        after.clone_from(&page.next);
        all.extend(within(page, limit)?);
        if after.is_none() {
            return Ok(all);
        }
    }
}

/// The rows of a page that is no longer than asked for. A filter may leave a page short or empty.
fn within<T, K>(page: Page<T, K>, limit: usize) -> Result<Vec<T>, String> {
    if page.items.len() > limit { Err(format!("a page of {limit} rows has {}", page.items.len())) } else { Ok(page.items) }
}
