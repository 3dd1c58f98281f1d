//! An audit: everything about a job held against everything else.

use std::{collections::HashSet, ops::ControlFlow};

use magnetar_core::{
    Audit, ChunkId, JobId, JobStats, JobStatus, Timestamp,
    machine::{Dependency, Place},
};

use crate::{
    backend::View,
    engine::{Count, tally_place},
    key::{self, JobNo, Spot},
    look::{self, FoundJob},
    ready,
    row::{Body, ChunkRow, Edge, Here, JobNoRow, LeaseRow, Tally},
    stop::Stop,
    table::Table,
};

struct Auditor<'v> {
    view: &'v dyn View,
    job: FoundJob,
    audit: Audit,
    tally: Tally,
    ready: HashSet<Spot>,
    timers: HashSet<(Timestamp, Spot)>,
    deadlines: HashSet<(Timestamp, Spot)>,
}

/// Recounts a job, and looks for every row where the others say it is.
pub(crate) fn audit(view: &dyn View, job: JobId) -> Result<Audit, Stop> {
    let Some(job) = look::job(view, job)? else { return Ok(Audit::default()) };
    let tally = Tally { stats: JobStats::new(job.row.id), ..Tally::default() };
    let (ready, doubled) = ready_chunks(view, job.no)?;
    let timers = due_rows(view, Table::Timer, job.no)?;
    let deadlines = due_rows(view, Table::Deadline, job.no)?;
    let mut auditor = Auditor { view, job, audit: Audit::default(), tally, ready, timers, deadlines };
    if doubled > 0 {
        auditor.problem(format!("{doubled} chunks are ready twice"));
    }
    auditor.chunks()?;
    auditor.leftovers()?;
    Ok(auditor.audit)
}

impl Auditor<'_> {
    fn problem(&mut self, what: String) {
        self.audit.problems.push(what);
    }

    fn chunks(&mut self) -> Result<(), Stop> {
        let mut from = key::job(self.job.no);
        loop {
            let rows = look::rows::<ChunkRow>(self.view, Table::Chunk, &from, &key::job_end(self.job.no), 1000)?;
            let Some((last, _)) = rows.last() else { return Ok(()) };
            from = key::behind(last);
            for (row_key, row) in rows {
                let spot = key::parse_spot(&row_key).ok_or_else(|| Stop::corrupt(Table::Chunk, &row_key, "has no chunk"))?;
                self.chunk(spot, &row)?;
            }
        }
    }

    fn chunk(&mut self, spot: Spot, row: &ChunkRow) -> Result<(), Stop> {
        let id = spot.chunk;
        let lease = look::lease(self.view, spot)?;
        if row.status == JobStatus::Processing {
            self.problem(format!("chunk {id} is stored as processing"));
        }
        if lease.is_some() && row.status.is_terminal() {
            self.problem(format!("chunk {id} is {} and has a lease", row.status));
        }
        let place = self.placed(spot, row, lease.as_ref());
        self.counters(spot, row)?;
        if row.has_body && look::get::<Body>(self.view, Table::Body, &key::spot(spot))?.is_none() {
            self.problem(format!("chunk {id} has lost its payload"));
        }
        if let Some(name) = &row.key
            && look::get::<ChunkId>(self.view, Table::Key, &key::chunk_key(spot.job, name))? != Some(id)
        {
            self.problem(format!("chunk {id} is not found under its key {name:?}"));
        }
        self.audit.chunks += 1;
        self.tally.stats.total_chunks += 1;
        tally_place(&mut self.tally, row, lease.is_some(), place, &self.job.row.options, Count::In);
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
        for (_, parent, edge) in look::all_edges(self.view, Table::Parent, spot)? {
            if look::get::<Edge>(self.view, Table::Child, &key::edge(parent, spot))? != Some(edge) {
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
        let has_children = !look::edges(self.view, Table::Child, spot, &key::spot(spot), 1)?.is_empty();
        if has_children && !row.has_children {
            self.problem(format!("chunk {} does not know that others wait for it", spot.chunk));
        }
        Ok(())
    }

    /// Where a chunk stands; a chunk of a deleted job that is not purged yet still does.
    fn status(&self, spot: Spot) -> Result<Option<JobStatus>, Stop> {
        let Some(row) = look::chunk(self.view, spot)? else { return Ok(None) };
        let is_leased = !row.status.is_terminal() && look::lease(self.view, spot)?.is_some();
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
        for (row_key, _) in
            look::rows::<LeaseRow>(self.view, Table::Lease, &key::job(self.job.no), &key::job_end(self.job.no), usize::MAX)?
        {
            if key::parse_spot(&row_key).map(|spot| look::chunk(self.view, spot)).transpose()?.flatten().is_none() {
                self.problem("a lease is of no chunk".to_owned());
            }
        }
        let stored = look::tally(self.view, self.job.no)?;
        if stored.stats != self.tally.stats {
            self.problem(format!("the counters are {:?}; a recount gives {:?}", stored.stats, self.tally.stats));
        }
        if let Some(name) = self.job.row.name.clone()
            && look::get::<JobNoRow>(self.view, Table::JobName, name.as_bytes())? != Some(self.job.no)
        {
            self.problem(format!("the job is not found under its name {name:?}"));
        }
        Ok(())
    }
}

/// The chunks of all runs, and how many of them stand in two.
fn ready_chunks(view: &dyn View, job: JobNo) -> Result<(HashSet<Spot>, u64), Stop> {
    let (mut found, mut doubled) = (HashSet::new(), 0);
    ready::each_of(view, job, &mut |first, last| {
        doubled += (first..=last).map(|chunk| u64::from(!found.insert(Spot { job, chunk }))).sum::<u64>();
    })?;
    Ok((found, doubled))
}

fn due_rows(view: &dyn View, table: Table, job: JobNo) -> Result<HashSet<(Timestamp, Spot)>, Stop> {
    let mut found = HashSet::new();
    look::each::<Here>(view, table, &[], key::END, &mut |row_key, _| {
        found.extend(key::parse_due(row_key).filter(|(_, spot)| spot.job == job));
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(found)
}
