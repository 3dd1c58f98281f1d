//! Putting chunks in, once and once more.

use std::collections::HashMap;

use magnetar_core::{
    ChunkId, InsertReport, JobId, JobRef, JobStatus, NewChunk, Rejection, limits,
    machine::{Dependency, Event, Standing},
};

use super::{
    Step,
    chunk::{Count, Piece, tally_place},
};
use crate::{
    key::{self, Spot},
    look::{self, FoundJob},
    row::{Body, ChunkRow, Edge, Tally},
    sorted::Sorted,
    stop::Stop,
    table::Table,
};

/// The chunks of an insert, sorted by what is to be done with them.
#[derive(Default)]
struct Plan<'c> {
    new: Vec<(ChunkId, &'c NewChunk)>,
    /// The places of the new ones in `new`.
    at: Sorted<ChunkId, usize>,
    stored: Vec<(ChunkId, &'c NewChunk)>,
    /// The ids that chunks of the insert have themselves.
    named: Sorted<ChunkId, ()>,
    /// Those, and the ids of chunks that carry a key of the insert.
    touched: Sorted<ChunkId, ()>,
    report: InsertReport,
}

impl Step<'_, '_> {
    pub(super) fn insert(&mut self, job: &JobRef, chunks: &[NewChunk]) -> Result<InsertReport, Stop> {
        let job = self.job_by_ref(job)?;
        let tally = self.txn.tally(job.no)?;
        let mut plan = self.plan(&job, &tally, chunks)?;
        self.refuse_missing_needs(&job, &plan)?;
        refuse_inner_cycle(&job, &plan)?;
        self.add_all(&job, tally, &plan)?;
        for (id, chunk) in std::mem::take(&mut plan.stored) {
            self.insert_again(&job, id, chunk, &mut plan.report)?;
        }
        // Ends are told when every chunk has been counted as what it was.
        self.drain()?;
        Ok(plan.report)
    }

    fn job_by_ref(&self, job: &JobRef) -> Result<FoundJob, Stop> {
        match job {
            JobRef::Id(id) => self.job(*id),
            JobRef::Name(name) => {
                look::job_by_name(self.txn, name)?.ok_or_else(|| Rejection::JobNameNotFound { name: name.clone() }.into())
            }
        }
    }

    /// Finds out which chunks are new, and gives numbers to those that have none.
    fn plan<'c>(&self, job: &FoundJob, tally: &Tally, chunks: &'c [NewChunk]) -> Result<Plan<'c>, Stop> {
        let mut plan = Plan::default();
        let mut last = chunks.iter().filter_map(|chunk| chunk.id).fold(tally.last_chunk, ChunkId::max);
        let mut keys: HashMap<&str, ChunkId> = HashMap::new();
        for chunk in chunks {
            let known = match &chunk.key {
                None => None,
                Some(name) => match keys.get(name.as_str()) {
                    Some(id) => Some(*id),
                    None => look::get(self.txn, Table::Key, &key::chunk_key(job.no, name))?,
                },
            };
            let id = known.or(chunk.id).map_or_else(|| next_number(&mut last), Ok)?;
            if chunk.id.is_none() || chunk.key.is_some() {
                plan.report.ids.push(id);
            }
            plan.touched.insert(id, ());
            if known.is_some() && chunk.id != Some(id) {
                // What carries the key is answered, and counts as what it is.
                if plan.at.contains(&id) {
                    plan.report.unchanged += 1;
                } else {
                    plan.stored.push((id, chunk));
                }
                continue;
            }
            if plan.named.insert(id, ()).is_some() {
                return Err(Rejection::invalid(format!("chunk {id} of job {} stands in the insert twice", job.row.id)).into());
            }
            // A job with nothing in it needs no look-ups.
            if tally.stats.total_chunks > 0 && look::chunk(self.txn, Spot { job: job.no, chunk: id })?.is_some() {
                plan.stored.push((id, chunk));
            } else {
                // One that is there already keeps the key that it has.
                if let Some(name) = &chunk.key {
                    keys.insert(name, id);
                }
                plan.at.insert(id, plan.new.len());
                plan.new.push((id, chunk));
            }
        }
        plan.report.added = plan.new.len() as u64;
        plan.report.absent = tally.stats.total_chunks.saturating_sub((plan.touched.len() - plan.new.len()) as u64);
        Ok(plan)
    }

    /// Refuses what waits for chunks that are neither stored nor in the insert, before anything is said of circles.
    fn refuse_missing_needs(&self, job: &FoundJob, plan: &Plan<'_>) -> Result<(), Stop> {
        let outside = |chunk: &NewChunk| -> Vec<(JobId, ChunkId)> {
            needs(job.row.id, chunk).into_iter().filter(|(of, on)| *of != job.row.id || !plan.at.contains(on)).collect()
        };
        for (_, chunk) in &plan.new {
            self.refuse_missing(&outside(chunk))?;
        }
        for (id, chunk) in &plan.stored {
            let needs = outside(chunk);
            if !needs.is_empty() && self.piece(job, *id)?.standing().status == JobStatus::Pending && chunk.id == Some(*id) {
                self.refuse_missing(&needs)?;
            }
        }
        Ok(())
    }

    /// Writes the new chunks, then their edges, then tells of those that were skipped at once.
    fn add_all(&mut self, job: &FoundJob, mut tally: Tally, plan: &Plan<'_>) -> Result<(), Stop> {
        let mut has_children = vec![false; plan.new.len()];
        for (_, chunk) in &plan.new {
            for (_, on) in needs(job.row.id, chunk).iter().filter(|(of, _)| *of == job.row.id) {
                if let Some(flag) = plan.at.get(on).and_then(|at| has_children.get_mut(*at)) {
                    *flag = true;
                }
            }
        }
        let mut skipped = Vec::new();
        let mut links = Vec::new();
        for ((id, chunk), has_children) in plan.new.iter().zip(has_children) {
            let spot = Spot { job: job.no, chunk: *id };
            let mut piece = Piece::new(spot, &job.row, new_row(chunk, self.now, has_children));
            let is_skipped = self.count_needs(job, &mut piece, chunk, plan, &mut links)?;
            if is_skipped {
                self.step(&mut piece, Event::Skip)?;
                skipped.push(spot);
            }
            self.write_new(&piece, chunk, &mut tally);
        }
        self.txn.put_tally(job.no, Some(&tally))?;
        for (parent, child) in links {
            if let Some(mut parent) = self.piece_at(parent)? {
                self.link(&mut parent, child, Edge::Needs)?;
            }
        }
        for spot in skipped {
            self.begin_release(spot, JobStatus::Skipped);
        }
        Ok(())
    }

    /// Counts what a new chunk needs and writes its edges within the insert; edges from stored chunks are left in `links`.
    fn count_needs(
        &mut self,
        job: &FoundJob,
        piece: &mut Piece,
        chunk: &NewChunk,
        plan: &Plan<'_>,
        links: &mut Vec<(Spot, Spot)>,
    ) -> Result<bool, Stop> {
        let mut is_skipped = false;
        for (on_job, on) in needs(job.row.id, chunk) {
            if on_job == job.row.id && plan.at.contains(&on) {
                piece.row.unmet += 1;
                self.put_new_edge(Spot { job: job.no, chunk: on }, piece.spot, Edge::Needs);
                continue;
            }
            let parent_job = self.job(on_job)?;
            let parent = self.piece(&parent_job, on)?;
            let status = self.told(&parent, piece.spot)?;
            let (standing, follows) = piece.standing().dependency(Dependency::Added(status), &piece.rules());
            piece.row.stand(standing);
            is_skipped |= follows == Some(Event::Skip);
            links.push((parent.spot, piece.spot));
        }
        Ok(is_skipped)
    }

    fn write_new(&mut self, piece: &Piece, chunk: &NewChunk, tally: &mut Tally) {
        let place = piece.standing().place(&piece.rules(), self.now);
        self.enter(piece, place);
        self.txn.put_new(Table::Chunk, key::spot(piece.spot), &piece.row);
        if piece.row.has_body {
            let body = Body { payload: chunk.payload.clone(), extra: chunk.extra.clone() };
            self.txn.put_new(Table::Body, key::spot(piece.spot), &body);
        }
        if let Some(name) = &piece.row.key {
            self.txn.put_new(Table::Key, key::chunk_key(piece.spot.job, name), &piece.spot.chunk);
        }
        tally.stats.total_chunks += 1;
        tally.last_chunk = tally.last_chunk.max(piece.spot.chunk);
        tally_place(tally, &piece.row, false, place, &piece.options, Count::In);
    }

    /// A chunk that is there already: a Pending one takes the new definition, all others stay as they are.
    fn insert_again(&mut self, job: &FoundJob, id: ChunkId, chunk: &NewChunk, report: &mut InsertReport) -> Result<(), Stop> {
        let mut piece = self.piece(job, id)?;
        // What carries the key, rather than the id, is answered and stays as it is.
        let is_other = chunk.key.is_some() && piece.row.key == chunk.key && chunk.id != Some(id);
        match piece.standing().status {
            JobStatus::Pending if !is_other => {
                let is_changed = self.redefine(&mut piece, chunk)?;
                let is_linked = self.add_needs(&mut piece, &needs(job.row.id, chunk))?;
                if is_changed || is_linked {
                    self.settle(&piece)?;
                    if piece.row.status.is_terminal() && piece.row.has_children {
                        self.begin_release(piece.spot, piece.row.status);
                    }
                    report.updated += 1;
                } else {
                    report.unchanged += 1;
                }
            }
            JobStatus::Processing if !is_other && chunk.checksum.is_some() && chunk.checksum != piece.row.expected => {
                report.conflicts.push(id);
            }
            JobStatus::Pending | JobStatus::Processing => report.unchanged += 1,
            _ => report.ended += 1,
        }
        Ok(())
    }

    /// Gives a Pending chunk the new definition, and returns whether that changes anything.
    fn redefine(&mut self, piece: &mut Piece, chunk: &NewChunk) -> Result<bool, Stop> {
        let body_key = key::spot(piece.spot);
        let stored: Body =
            if piece.row.has_body { look::get(self.txn, Table::Body, &body_key)?.unwrap_or_default() } else { Body::default() };
        let body = Body { payload: chunk.payload.clone(), extra: chunk.extra.clone() };
        let before = piece.row.clone();
        let row = &mut piece.row;
        if chunk.checksum.is_some() {
            row.expected.clone_from(&chunk.checksum);
        }
        row.priority = chunk.priority;
        row.lane.clone_from(&chunk.lane);
        row.timeout_millis = timeout_millis(chunk);
        row.max_fails = chunk.max_fails;
        row.has_body = body != Body::default();
        let is_changed = *row != before || stored != body;
        if stored != body {
            if row.has_body {
                self.txn.put(Table::Body, body_key, &body);
            } else {
                self.txn.remove(Table::Body, body_key);
            }
        }
        Ok(is_changed)
    }
}

fn new_row(chunk: &NewChunk, now: magnetar_core::Timestamp, has_children: bool) -> ChunkRow {
    let standing = Standing::new(chunk.not_before);
    ChunkRow {
        status: standing.status,
        fails: 0,
        crashes: 0,
        unmet: 0,
        bad: 0,
        not_before: standing.not_before,
        priority: chunk.priority,
        lane: chunk.lane.clone(),
        max_fails: chunk.max_fails,
        timeout_millis: timeout_millis(chunk),
        key: chunk.key.clone(),
        expected: chunk.checksum.clone(),
        recorded: None,
        result: None,
        error: None,
        created_at: now,
        ended_at: None,
        last: None,
        has_children,
        has_body: !(chunk.payload.is_empty() && chunk.extra.is_empty()),
    }
}

fn timeout_millis(chunk: &NewChunk) -> Option<u64> {
    chunk.timeout.map(|timeout| u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX))
}

fn next_number(last: &mut ChunkId) -> Result<ChunkId, Rejection> {
    if *last >= limits::ID_MAX {
        return Err(Rejection::Exhausted { what: "chunk ids of the job".to_owned() });
    }
    *last += 1;
    Ok(*last)
}

/// What a new chunk needs, each once.
fn needs(job: JobId, chunk: &NewChunk) -> Vec<(JobId, ChunkId)> {
    let mut needs: Vec<_> = chunk.depends_on.iter().map(|on| (job, *on)).chain(chunk.depends_on_jobs.iter().copied()).collect();
    needs.sort_unstable();
    needs.dedup();
    needs
}

/// Refuses new chunks that wait for each other in a circle: a walk along dependencies that meets its own path.
fn refuse_inner_cycle(job: &FoundJob, plan: &Plan<'_>) -> Result<(), Stop> {
    const UNSEEN: u8 = 0;
    const ON_PATH: u8 = 1;
    const CLEAR: u8 = 2;
    if plan.new.iter().all(|(_, chunk)| chunk.depends_on.is_empty() && chunk.depends_on_jobs.is_empty()) {
        return Ok(());
    }
    let inner = |at: usize| -> Vec<usize> {
        let needs = plan.new.get(at).map(|(_, chunk)| needs(job.row.id, chunk)).unwrap_or_default();
        needs.iter().filter(|(on_job, _)| *on_job == job.row.id).filter_map(|(_, on)| plan.at.get(on).copied()).collect()
    };
    let mut marks = vec![UNSEEN; plan.new.len()];
    let mut set = |at: usize, mark: u8| marks.get_mut(at).map_or(CLEAR, |slot| std::mem::replace(slot, mark));
    for start in 0..plan.new.len() {
        match set(start, ON_PATH) {
            UNSEEN => {}
            before => {
                set(start, before);
                continue;
            }
        }
        let mut path = vec![(start, inner(start))];
        while let Some((at, rest)) = path.last_mut() {
            let at = *at;
            let Some(next) = rest.pop() else {
                set(at, CLEAR);
                path.pop();
                continue;
            };
            match set(next, ON_PATH) {
                UNSEEN => path.push((next, inner(next))),
                CLEAR => drop(set(next, CLEAR)),
                _ => {
                    let id = |at: usize| plan.new.get(at).map_or(0, |(id, _)| *id);
                    return Err(Rejection::Cycle { job: job.row.id, chunk: id(at), on_job: job.row.id, on: id(next) }.into());
                }
            }
        }
    }
    Ok(())
}
