//! Holds a store against the oracle: everything is read, and nothing that was acknowledged may be missing.

use std::collections::HashMap;

use anyhow::{Context, Result, ensure};
use futures_lite::future::block_on;
use magnetar_core::{Filter, JobState, JobStatus, JobStore, limits};

use super::{
    oracle::{Attempt, Oracle, Spot, Story},
    plan::{JobPlan, Temper},
};

/// When a store is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// Workers may be at work.
    During,
    /// Nobody is, and nothing is open any more.
    After,
}

/// Checks every row of every job, and returns whether nothing is open any more.
///
/// # Errors
/// What was promised and does not hold, with what the log said of it.
pub(crate) fn verify(store: &dyn JobStore, oracle: &mut Oracle, when: When) -> Result<bool> {
    // What was acknowledged up to here must be in the store; the store's own story must be in the log after that.
    oracle.pull()?;
    let acknowledged = Acknowledged::of(oracle);
    let jobs = oracle.plan().jobs.clone();
    let mut states = HashMap::new();
    let mut is_over = true;
    for job in &jobs {
        let number = u16::try_from(job.id)?;
        let found = block_on(store.job(job.id)).with_context(|| format!("read job {number}"))?;
        if found.is_none() {
            ensure!(!acknowledged.inserted.contains(&number), "job {number} was put in, and is not there");
            is_over = false;
            continue;
        }
        let audit = block_on(store.audit(job.id)).with_context(|| format!("audit job {number}"))?;
        ensure!(
            audit.problems.is_empty(),
            "the audit of job {number} found: {}\n{}",
            audit.problems.join("; "),
            oracle.around(None)
        );
        let chunks = block_on(store.chunks(job.id, Filter::All, None, limits::PAGE_ROWS_MAX)).context("read the chunks")?.items;
        ensure!(chunks.len() == job.chunks.len(), "job {number} has {} of its {} chunks", chunks.len(), job.chunks.len());
        is_over &= chunks.iter().all(|chunk| chunk.status.is_terminal());
        for chunk in chunks {
            states.insert((number, u32::try_from(chunk.chunk)?), chunk);
        }
    }
    oracle.pull()?;
    for (spot, state) in &states {
        let job = jobs.iter().find(|job| job.id == i64::from(spot.0)).context("a chunk of no job")?;
        let checked = acknowledged.check(*spot, state).and_then(|()| check(oracle, job, *spot, state, when));
        checked.map_err(|offence| {
            anyhow::anyhow!("chunk {}/{} {offence}\nit is {state:?}\n{}", spot.0, spot.1, oracle.around(Some(*spot)))
        })?;
    }
    if when == When::After {
        ensure!(is_over, "something is open in the end");
        check_open_attempts(oracle)?;
    }
    Ok(is_over)
}

/// What had been acknowledged before the store was read.
struct Acknowledged {
    inserted: Vec<u16>,
    accepted: HashMap<Spot, u64>,
    failed: Vec<Spot>,
}

impl Acknowledged {
    fn of(oracle: &Oracle) -> Self {
        let stories = || oracle.stories.iter();
        Self {
            inserted: oracle.inserted.iter().copied().collect(),
            accepted: stories().filter_map(|(spot, story)| Some((*spot, story.accepted?))).collect(),
            failed: stories().filter(|(_, story)| story.failed_for_good).map(|(spot, _)| *spot).collect(),
        }
    }

    fn check(&self, spot: Spot, state: &JobState) -> Result<(), String> {
        if let Some(token) = self.accepted.get(&spot)
            && (state.status != JobStatus::Done || token_of(state) != Some(*token))
        {
            return Err(format!("was accepted under token {token}, and that is lost"));
        }
        if self.failed.contains(&spot) && state.status != JobStatus::Failed {
            return Err("had failed for good, and that is lost".to_owned());
        }
        Ok(())
    }
}

/// The token under which a chunk was completed: its worker puts it into the result.
pub(crate) fn token_of(state: &JobState) -> Option<u64> {
    let bytes: &[u8] = state.result.as_deref()?;
    bytes.try_into().ok().map(u64::from_le_bytes)
}

fn check(oracle: &Oracle, job: &JobPlan, spot: Spot, state: &JobState, when: When) -> Result<(), String> {
    let none = Story::default();
    let story = oracle.stories.get(&spot).unwrap_or(&none);
    if state.status == JobStatus::Done {
        let token = token_of(state).ok_or("is Done without a token")?;
        check_done(oracle, spot, token, when)?;
    }
    let budget = job.options.retry;
    if state.fails > budget.max_fails || state.crashes > budget.max_crashes {
        return Err(format!("has {} failures and {} crashes, beyond its budget", state.fails, state.crashes));
    }
    // While others work, the log is ahead of what was read.
    if when == When::After {
        check_attempts(story, state)?;
    }
    let temper = job.chunks.get(&state.chunk).ok_or("is not in the manifest")?.temper;
    if state.status == JobStatus::Done && matches!(temper, Temper::Poison | Temper::Hopeless) {
        return Err("is Done, and cannot be".to_owned());
    }
    if state.status.is_terminal() { job.check_end(state) } else { Ok(()) }
}

/// Attempts and failures are those that the store counts.
fn check_attempts(story: &Story, state: &JobState) -> Result<(), String> {
    let fails = u64::from(state.fails);
    if !(story.fails..=story.fails + story.open).contains(&fails) {
        return Err(format!("counts {fails} failures; {} were accepted, and {} attempts are in doubt", story.fails, story.open));
    }
    // An attempt that crashed may be one that nobody was told of, so there may be fewer.
    let tries_max = fails + u64::from(state.crashes) + story.returnings + 1;
    if story.tries > tries_max {
        return Err(format!("was tried {} times, which is more than the store counts", story.tries));
    }
    Ok(())
}

/// Done has an effect, and is one that was accepted or whose answer nobody has heard.
fn check_done(oracle: &Oracle, spot: Spot, token: u64, when: When) -> Result<(), String> {
    let story = oracle.stories.get(&spot).ok_or("is Done, and nobody has worked on it")?;
    if let Some(accepted) = story.accepted.filter(|accepted| *accepted != token) {
        return Err(format!("is Done under token {token}, and was accepted under token {accepted}"));
    }
    let Some(attempt) = oracle.attempts.get(&token).filter(|attempt| attempt.spot == spot) else {
        return Err(format!("is Done under token {token}, which is of no attempt on it"));
    };
    if !attempt.has_effect {
        return Err(format!("is Done under token {token}, which had no effect"));
    }
    let is_in_doubt = |attempt: &Attempt| match when {
        When::During => attempt.outcome.is_none(),
        When::After => attempt.outcome.is_none() && oracle.dead.contains(&attempt.worker),
    };
    if story.accepted.is_none() && !is_in_doubt(attempt) {
        return Err(format!("is Done under token {token}, whose worker was told otherwise or nothing: {attempt:?}"));
    }
    Ok(())
}

/// Whoever lives was answered. What was done twice, was done before by one who died or lost the chunk.
fn check_open_attempts(oracle: &Oracle) -> Result<()> {
    for (token, attempt) in &oracle.attempts {
        let Attempt { spot, worker, outcome, .. } = attempt;
        ensure!(
            outcome.is_some() || oracle.dead.contains(worker),
            "worker {worker} lives and never heard what became of token {token}\n{}",
            oracle.around(Some(*spot))
        );
    }
    Ok(())
}
