//! Everything that can be asked of a store, and the right answers.

use anyhow::{Result, bail};
use futures_lite::future::block_on;
use magnetar_core::{Answer, Claim, Error, Filter, Group, JobState, JobStatus, JobStore, Lane, Op, Query, Rejection, Reply};
use magnetar_embedded::Store;

use super::{
    answers::{Verdict, is_telling, judge},
    versions::Versions,
};
use crate::workload::{JOBS, LANE, SPACE, Sight};

const ROWS_MAX: usize = 10_000;

/// Questions with their right answers, and a piece of work with its right outcome.
pub(super) struct Questions {
    asked: Vec<(Query, Answer)>,
    claimed: Vec<JobState>,
    versions: Versions,
}

/// What came of asking a store that was harmed.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// Answers that say that something is damaged.
    pub(super) told: u64,
    /// An answer in which rows are missing, doubled or old.
    pub(super) rows: Option<String>,
}

impl Questions {
    /// Asks a store that is whole. Afterwards something in it is claimed and done.
    pub(super) fn of(store: &Store, sights: &[Sight]) -> Result<Self> {
        let sight = Sight::of(store)?;
        let mut asked = Vec::new();
        for query in queries(&sight) {
            let answer = block_on(store.read(query.clone()))?;
            asked.push((query, answer));
        }
        let claimed = match claim(store)? {
            Ok(claimed) => claimed,
            Err(rejection) => bail!("a store that is whole refuses a claim: {rejection}"),
        };
        if let Some(fence) = claimed.first().and_then(JobState::fence) {
            block_on(store.complete(&fence, b"done".to_vec()))?;
        }
        // What dead sessions held has come back with the opening, so what is shown now was never seen before.
        Ok(Self { asked, claimed, versions: Versions::of(sights.iter().chain([&sight])) })
    }

    /// Asks one that was harmed.
    ///
    /// # Errors
    /// An answer that is neither right nor says that something is damaged.
    pub(super) fn ask(&self, store: &Store) -> Result<Findings> {
        let mut findings = Findings::default();
        for (query, wanted) in &self.asked {
            findings.note(query, judge(wanted, block_on(store.read(query.clone())), &self.versions, findings.told > 0))?;
        }
        self.work(store, &mut findings)?;
        Ok(findings)
    }

    fn work(&self, store: &Store, findings: &mut Findings) -> Result<()> {
        let claimed = match claim(store) {
            Err(error) if is_telling(&error, findings.told > 0) => return findings.note(&"a claim", Verdict::Told),
            Ok(Err(Rejection::Corrupt { .. })) => return findings.note(&"a claim", Verdict::Told),
            Ok(Ok(claimed)) => claimed,
            Ok(Err(rejection)) => bail!("a claim is refused: {rejection}"),
            Err(error) => bail!("a claim fails with {:?}: {error}", error.kind()),
        };
        if claimed != self.claimed {
            // Another chunk, because that one is not found: as it was, or not at all.
            let is_whole = claimed.iter().all(|chunk| self.was_claimable(chunk));
            let text = format!("{claimed:?} instead of {:?}", self.claimed);
            findings.note(&"a claim", if is_whole { Verdict::Rows(text) } else { Verdict::Wrong(text) })?;
        }
        let Some(fence) = claimed.first().and_then(JobState::fence) else { return Ok(()) };
        match block_on(store.complete(&fence, b"done".to_vec())) {
            Ok(()) => Ok(()),
            Err(error) if is_telling(&error, findings.told > 0) => findings.note(&"a finish", Verdict::Told),
            Err(error) => bail!("{fence} cannot be completed: {:?}: {error}", error.kind()),
        }
    }

    /// Whether a claimed chunk has been so, but for what the claim made of it.
    fn was_claimable(&self, claimed: &JobState) -> bool {
        let mut before = claimed.clone();
        before.lease = None;
        if self.versions.has_chunk(&before) {
            return true;
        }
        before.crashes = claimed.crashes.saturating_sub(1);
        self.versions.has_chunk(&before)
    }
}

impl Findings {
    fn note(&mut self, asked: &dyn std::fmt::Debug, verdict: Verdict) -> Result<()> {
        match verdict {
            Verdict::Right => {}
            Verdict::Told => self.told += 1,
            Verdict::Rows(what) => drop(self.rows.get_or_insert_with(|| format!("{asked:?}: {what}"))),
            Verdict::Wrong(what) => bail!("{asked:?} is answered wrongly: {what}"),
        }
        Ok(())
    }
}

fn queries(sight: &Sight) -> Vec<Query> {
    let mut queries = vec![Query::Jobs { after: None, limit: ROWS_MAX }];
    for (job, chunks) in &sight.jobs {
        let id = job.id;
        let ids = |filter| Query::Ids { job: id, filter, after: None, limit: ROWS_MAX };
        let page = |filter| Query::Chunks { job: id, filter, after: None, limit: ROWS_MAX };
        queries.extend(job.name.clone().map(Query::JobByName));
        queries.extend([Query::Job(id), Query::Stats(id), page(Filter::All), page(Filter::Status(JobStatus::Processing))]);
        queries.extend([ids(Filter::Status(JobStatus::Pending)), ids(Filter::Unblocked), Query::Audit(id)]);
        for chunk in chunks {
            queries.push(Query::Chunk { job: id, chunk: chunk.chunk });
            if chunk.unmet > 0 {
                queries.push(Query::Dependencies { job: id, chunk: chunk.chunk });
            }
        }
    }
    queries.push(Query::AuditStore);
    queries.push(Query::Records { space: SPACE.to_owned(), prefix: Vec::new(), after: None, limit: ROWS_MAX });
    queries
}

fn claim(store: &Store) -> Result<Result<Vec<JobState>, Rejection>, Error> {
    let lanes = JOBS.iter().flat_map(|job| [Lane::of(*job), Lane::named(*job, LANE)]).collect();
    let group: Group = vec![Op::Claim(Claim { lanes, limit: 2 })];
    let outcome = block_on(store.submit(vec![group]))?.pop();
    Ok(match outcome {
        Some(Ok(mut replies)) => Ok(match replies.pop() {
            Some(Reply::Claimed(chunks)) => chunks,
            _ => Vec::new(),
        }),
        Some(Err(rejection)) => Err(rejection),
        None => Ok(Vec::new()),
    })
}
