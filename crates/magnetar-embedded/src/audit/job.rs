//! The audit of a job: its chunks, where they stand, what they wait for, its counters and its digest.

use std::collections::HashSet;

use magnetar_core::{
    Audit, ChunkId, JobId, JobStats, JobStatus, Timestamp,
    machine::{Dependency, Place},
};

use super::Auditor;
use crate::{
    backend::View,
    digest::{self, Digest},
    engine::{Count, tally_place},
    key::{self, JobNo, Spot},
    look::{self, FoundJob},
    row::{Body, ChunkRow, Edge, Here, JobNoRow, LeaseRow, Meta, Run, Tally},
    stop::Stop,
    table::Table,
};

/// An audit of one job.
struct JobAudit<'v> {
    auditor: Auditor<'v>,
    job: FoundJob,
    /// The largest token that was given, as far as the store knows.
    last_token: u64,
    tally: Tally,
    ready: HashSet<Spot>,
    timers: HashSet<(Timestamp, Spot)>,
    deadlines: HashSet<(Timestamp, Spot)>,
}

/// Recounts a job, and looks for every row where the others say it is.
pub(crate) fn audit(view: &dyn View, job: JobId) -> Result<Audit, Stop> {
    let Some(job) = look::job(view, job)? else { return Ok(Audit::default()) };
    let mut auditor = Auditor::new(view);
    let tally = Tally { stats: JobStats::new(job.row.id), ..Tally::default() };
    let ready = auditor.ready_chunks(job.no)?;
    let timers = auditor.due_rows(Table::Timer, job.no)?;
    let deadlines = auditor.due_rows(Table::Deadline, job.no)?;
    let meta = auditor.sound(look::get::<Meta>(view, Table::Meta, key::META))?.flatten();
    let last_token = meta.map_or(u64::MAX, |meta| meta.last_token);
    let mut audit = JobAudit { auditor, job, last_token, tally, ready, timers, deadlines };
    audit.chunks()?;
    audit.leftovers()?;
    audit.add_up()?;
    Ok(audit.auditor.audit)
}

impl Auditor<'_> {
    /// The chunks of all runs of a job.
    fn ready_chunks(&mut self, job: JobNo) -> Result<HashSet<Spot>, Stop> {
        let (mut found, mut doubled) = (HashSet::new(), 0);
        self.each::<Run>(Table::Ready, &key::job(job), &key::job_end(job), &mut |auditor, row_key, Run { first }| {
            match key::parse_ready(row_key) {
                Some((_, last)) => {
                    doubled += (first..=last).map(|chunk| u64::from(!found.insert(Spot { job, chunk }))).sum::<u64>();
                }
                None => auditor.problem("a run of ready chunks has no last chunk".to_owned()),
            }
            Ok(())
        })?;
        if doubled > 0 {
            self.problem(format!("{doubled} chunks are ready twice"));
        }
        Ok(found)
    }

    fn due_rows(&mut self, table: Table, job: JobNo) -> Result<HashSet<(Timestamp, Spot)>, Stop> {
        let mut found = HashSet::new();
        self.each::<Here>(table, &[], key::END, &mut |_, row_key, _| {
            found.extend(key::parse_due(row_key).filter(|(_, spot)| spot.job == job));
            Ok(())
        })?;
        Ok(found)
    }
}

impl JobAudit<'_> {
    fn problem(&mut self, what: String) {
        self.auditor.problem(what);
    }

    fn chunks(&mut self) -> Result<(), Stop> {
        let mut from = key::job(self.job.no);
        let to = key::job_end(self.job.no);
        loop {
            let rows = self.auditor.page::<ChunkRow>(Table::Chunk, &from, &to)?;
            let Some((last, _)) = rows.last() else { return Ok(()) };
            from = key::behind(last);
            for (row_key, row) in rows {
                let spot = key::parse_spot(&row_key).ok_or_else(|| Stop::corrupt(Table::Chunk, &row_key, "has no chunk"));
                let checked = row.and_then(|row| self.chunk(spot?, &row));
                self.auditor.sound(checked)?;
            }
        }
    }

    fn chunk(&mut self, spot: Spot, row: &ChunkRow) -> Result<(), Stop> {
        let id = spot.chunk;
        let lease = look::lease(self.auditor.view, spot)?;
        if row.status == JobStatus::Processing {
            self.problem(format!("chunk {id} is stored as processing"));
        }
        if lease.is_some() && row.status.is_terminal() {
            self.problem(format!("chunk {id} is {} and has a lease", row.status));
        }
        let given = lease.map(|lease| lease.token).into_iter().chain(row.last.map(|(token, _)| token));
        if given.max().is_some_and(|token| token.get() > self.last_token) {
            self.problem(format!("chunk {id} has a token beyond the last that was given"));
        }
        let place = self.placed(spot, row, lease.as_ref());
        self.auditor.audit.chunks += 1;
        self.tally.stats.total_chunks += 1;
        tally_place(&mut self.tally, row, lease.is_some(), place, &self.job.row.options, Count::In);
        self.counters(spot, row)?;
        if row.has_body && look::get::<Body>(self.auditor.view, Table::Body, &key::spot(spot))?.is_none() {
            self.problem(format!("chunk {id} has lost its payload"));
        }
        if let Some(name) = &row.key
            && look::get::<ChunkId>(self.auditor.view, Table::Key, &key::chunk_key(spot.job, name))? != Some(id)
        {
            self.problem(format!("chunk {id} is not found under its key {name:?}"));
        }
        Ok(())
    }

    /// Where the rows have the chunk; it must be the one place where the rules want it.
    fn placed(&mut self, spot: Spot, row: &ChunkRow, lease: Option<&LeaseRow>) -> Place {
        let id = spot.chunk;
        let is_ready = self.ready.remove(&spot);
        let timer = row.not_before.filter(|at| self.timers.remove(&(*at, spot)));
        let deadline = lease.and_then(|lease| lease.deadline);
        if deadline.is_some_and(|at| !self.deadlines.remove(&(at, spot))) {
            self.problem(format!("chunk {id} has a deadline that nobody watches"));
        }
        let places = usize::from(is_ready) + usize::from(timer.is_some()) + usize::from(lease.is_some());
        let standing = row.standing(lease.is_some());
        let wanted = match standing.place(&row.rules(&self.job.row.options), Timestamp::default()) {
            Place::Timer(at) if timer.is_none() => {
                // Its time has come, so it is ready; whether the clock agrees is no business of an audit.
                let _ = at;
                Place::Ready
            }
            place => place,
        };
        let is_right = match wanted {
            Place::Ready => places == 1 && is_ready,
            Place::Timer(_) => places == 1 && timer.is_some(),
            Place::Lease => places == 1 && lease.is_some(),
            Place::Blocked | Place::Ended => places == 0,
        };
        if !is_right {
            self.problem(format!(
                "chunk {id} belongs in {wanted:?}; ready: {is_ready}, timer: {}, lease: {}",
                timer.is_some(),
                lease.is_some()
            ));
        }
        wanted
    }

    /// Recounts what the chunk waits for, and looks for both rows of each edge.
    fn counters(&mut self, spot: Spot, row: &ChunkRow) -> Result<(), Stop> {
        let mut counted = magnetar_core::machine::Standing { unmet: 0, bad: 0, ..row.standing(false) };
        let rules = row.rules(&self.job.row.options);
        for (_, parent, edge) in look::all_edges(self.auditor.view, Table::Parent, spot)? {
            if look::get::<Edge>(self.auditor.view, Table::Child, &key::edge(parent, spot))? != Some(edge) {
                self.problem(format!("the edge from chunk {} to chunk {} has one row only", parent.chunk, spot.chunk));
            }
            let Some(status) = self.status(parent)? else {
                self.problem(format!("chunk {} waits for chunk {}, which is not there", spot.chunk, parent.chunk));
                continue;
            };
            let change = match edge {
                Edge::Needs => Dependency::Added(status),
                Edge::Awaits => Dependency::Awaited,
            };
            counted = counted.dependency(change, &rules).0;
        }
        if (counted.unmet, counted.bad) != (row.unmet, row.bad) {
            self.problem(format!(
                "chunk {} counts {} unmet and {} bad dependencies; there are {} and {}",
                spot.chunk, row.unmet, row.bad, counted.unmet, counted.bad
            ));
        }
        let has_children = !look::edges(self.auditor.view, Table::Child, spot, &key::spot(spot), 1)?.is_empty();
        if has_children && !row.has_children {
            self.problem(format!("chunk {} does not know that others wait for it", spot.chunk));
        }
        Ok(())
    }

    /// Where a chunk stands; a chunk of a deleted job that is not purged yet still does.
    fn status(&self, spot: Spot) -> Result<Option<JobStatus>, Stop> {
        let Some(row) = look::chunk(self.auditor.view, spot)? else { return Ok(None) };
        let is_leased = !row.status.is_terminal() && look::lease(self.auditor.view, spot)?.is_some();
        Ok(Some(row.standing(is_leased).status))
    }

    /// Rows that belong to no chunk, and counters that do not add up.
    fn leftovers(&mut self) -> Result<(), Stop> {
        let strays = [("ready", self.ready.len()), ("timer", self.timers.len()), ("deadline", self.deadlines.len())];
        for (what, count) in strays {
            if count > 0 {
                self.problem(format!("{count} {what} rows belong to no chunk that is there"));
            }
        }
        let (from, to) = (key::job(self.job.no), key::job_end(self.job.no));
        self.auditor.each::<LeaseRow>(Table::Lease, &from, &to, &mut |auditor, row_key, _| {
            let chunk = key::parse_spot(row_key).map(|spot| look::chunk(auditor.view, spot)).transpose();
            if auditor.sound(chunk)?.is_some_and(|chunk| chunk.flatten().is_none()) {
                auditor.problem("a lease is of no chunk".to_owned());
            }
            Ok(())
        })?;
        if let Some(name) = self.job.row.name.clone()
            && look::get::<JobNoRow>(self.auditor.view, Table::JobName, name.as_bytes())? != Some(self.job.no)
        {
            self.problem(format!("the job is not found under its name {name:?}"));
        }
        Ok(())
    }

    /// Holds the counters and the digest against what was counted and what adds up.
    fn add_up(&mut self) -> Result<(), Stop> {
        let mut digest = Digest::default();
        for table in digest::OF_JOBS {
            self.auditor.add_up(&mut digest, table, &key::job(self.job.no), &key::job_end(self.job.no))?;
        }
        let stored = look::tally(self.auditor.view, self.job.no);
        let Some(stored) = self.auditor.sound(stored)? else { return Ok(()) };
        if stored.stats != self.tally.stats {
            self.problem(format!("the counters are {:?}; a recount gives {:?}", stored.stats, self.tally.stats));
        }
        if stored.digest != digest {
            self.problem("the rows do not add up to the job's digest: one was lost, doubled, or is an old one".to_owned());
        }
        Ok(())
    }
}
