//! Jobs: creating, pausing, deleting, and removing what has ended.

use std::ops::ControlFlow;

use std::sync::Arc;

use magnetar_core::{
    ChunkId, JobId, JobRef, JobSpec, Pruned, Rejection, Reply, Timestamp,
    machine::{Dependency, Place},
};

use super::{Step, chunk::Piece};
use crate::{
    key::{self, JobNo, Key, Spot},
    look::{self, FoundJob},
    plant,
    row::{ChunkRow, Edge, Here, JobRow, LeaseRow, ReleaseRow},
    stop::Stop,
    table::Table,
};

impl Step<'_, '_> {
    pub(super) fn ensure_job(&mut self, job: &JobRef, spec: &JobSpec) -> Result<Reply, Stop> {
        let (found, name) = match job {
            JobRef::Id(id) => (self.txn.job(*id)?, spec.name.as_ref()),
            JobRef::Name(name) => (look::job_by_name(self.txn, name)?, Some(name)),
        };
        if let Some(found) = found {
            return self.adopt(found, name, spec);
        }
        let id = match job {
            JobRef::Id(id) => *id,
            JobRef::Name(_) => self.next_job_id()?,
        };
        let mut meta = self.txn.meta()?;
        meta.last_job_no += 1;
        let no = JobNo(meta.last_job_no);
        self.txn.put_meta(&meta)?;
        if let Some(name) = name {
            self.take_name(name, id, no)?;
        }
        let row = JobRow {
            id,
            name: name.cloned(),
            kind: spec.kind.clone(),
            options: spec.options.unwrap_or_default(),
            paused: false,
            created_at: self.now,
        };
        plant::job(self.txn, no, &row, 0)?;
        Ok(Reply::Job { id, created: true })
    }

    /// Gives an existing job the name it lacks and the options it is told.
    fn adopt(&mut self, mut job: FoundJob, name: Option<&String>, spec: &JobSpec) -> Result<Reply, Stop> {
        let before = Arc::clone(&job.row);
        let row = Arc::make_mut(&mut job.row);
        match (&row.name, name) {
            (Some(has), Some(name)) if has != name => {
                let owner = format!("a job that is not named {has:?}");
                return Err(Rejection::NameTaken { job: row.id, name: name.clone(), owner }.into());
            }
            (None, Some(name)) => {
                self.take_name(name, row.id, job.no)?;
                row.name = Some(name.clone());
            }
            _ => {}
        }
        if let Some(options) = spec.options {
            if options.on_failure != row.options.on_failure {
                return Err(Rejection::invalid(format!(
                    "job {} was created with on_failure = {:?} and cannot change it to {:?}; delete the job, or use another id",
                    row.id, row.options.on_failure, options.on_failure
                ))
                .into());
            }
            row.options = options;
        }
        if *row != *before {
            self.txn.put(Table::Job, key::job(job.no), &*row);
        }
        Ok(Reply::Job { id: row.id, created: false })
    }

    fn take_name(&mut self, name: &str, job: JobId, no: JobNo) -> Result<(), Stop> {
        if let Some(owner) = look::job_by_name(self.txn, name)? {
            let owner = format!("job {}", owner.row.id);
            return Err(Rejection::NameTaken { job, name: name.to_owned(), owner }.into());
        }
        self.txn.put(Table::JobName, Key::from_slice(name.as_bytes()), &no);
        Ok(())
    }

    /// The next id that no job has, counting up from 1.
    fn next_job_id(&mut self) -> Result<JobId, Stop> {
        let mut meta = self.txn.meta()?;
        loop {
            meta.last_job_id =
                meta.last_job_id.checked_add(1).ok_or_else(|| Rejection::Exhausted { what: "job ids".to_owned() })?;
            if self.txn.job(meta.last_job_id)?.is_none() {
                self.txn.put_meta(&meta)?;
                return Ok(meta.last_job_id);
            }
        }
    }

    pub(super) fn set_paused(&mut self, job: JobId, paused: bool) -> Result<Reply, Stop> {
        let mut job = self.job(job)?;
        let row = Arc::make_mut(&mut job.row);
        row.paused = paused;
        self.txn.put(Table::Job, key::job(job.no), &*row);
        self.wakes |= !paused;
        Ok(Reply::Applied)
    }

    /// Makes a job unknown at once; its rows are purged by upkeep.
    pub(super) fn delete_job(&mut self, job: JobId) -> Result<Reply, Stop> {
        let job = self.job(job)?;
        if self.txn.tally(job.no)?.awaited_elsewhere > 0 {
            self.let_others_go(&job)?;
        }
        self.txn.remove(Table::JobId, key::job_id(job.row.id));
        if let Some(name) = &job.row.name {
            self.txn.remove(Table::JobName, Key::from_slice(name.as_bytes()));
        }
        self.txn.remove(Table::Job, key::job(job.no));
        self.txn.put_tally(job.no, None)?;
        self.txn.put(Table::Purge, key::job(job.no), &Here);
        self.engine.state.has_purge = true;
        Ok(Reply::Applied)
    }

    /// Cuts the edges from a job that goes to chunks of others, which must all have ended.
    fn let_others_go(&mut self, job: &FoundJob) -> Result<(), Stop> {
        let mut edges = Vec::new();
        look::each::<Edge>(self.txn, Table::Child, &key::job(job.no), &key::job_end(job.no), &mut |edge_key, _| {
            edges.extend(key::parse_edge(edge_key).filter(|(_, child)| child.job != job.no));
            Ok(ControlFlow::Continue(()))
        })?;
        for (parent, child) in edges {
            if let Some(child) = self.piece_at(child)? {
                if !child.standing().status.is_terminal() {
                    let (waiting_job, waiting) = (child.job_id, child.spot.chunk);
                    return Err(Rejection::Awaited { job: job.row.id, chunk: parent.chunk, waiting_job, waiting }.into());
                }
                self.forget_parent(parent, child)?;
            }
            self.unlink(parent, child)?;
        }
        Ok(())
    }

    /// Takes a parent that is about to vanish out of an ended child's counters.
    fn forget_parent(&mut self, parent: Spot, mut child: Piece) -> Result<(), Stop> {
        let Some(parent) = self.piece_at(parent)? else { return Ok(()) };
        // What it counted as, it counts as no more: open (ended well, then) or bad (open again, then ended well).
        let status = self.told(&parent, child.spot)?;
        let mut standing = child.standing();
        if status.is_bad() {
            standing = standing.dependency(Dependency::Reopened(status), &child.rules()).0;
        }
        if status.is_bad() || !status.is_terminal() {
            standing = standing.dependency(Dependency::Ended(magnetar_core::JobStatus::Done), &child.rules()).0;
        }
        child.row.stand(standing);
        self.settle(&child)
    }

    /// Removes rows of deleted jobs as far as the transaction's budget goes.
    pub(super) fn purge(&mut self) -> Result<(), Stop> {
        while self.budget > 0 {
            let Some((purge_key, _)) = look::rows::<Here>(self.txn, Table::Purge, &[], key::END, 1)?.pop() else {
                self.engine.state.has_purge = false;
                return Ok(());
            };
            let Some(spot) = key::parse_spot(&[purge_key.as_slice(), &[0; 8]].concat()) else {
                return Err(Stop::corrupt(Table::Purge, &purge_key, "has no job"));
            };
            self.purge_chunks(spot.job)?;
            self.purge_rest(spot.job)?;
            if self.budget > 0 {
                self.txn.remove(Table::Purge, purge_key);
            }
        }
        Ok(())
    }

    fn purge_chunks(&mut self, job: JobNo) -> Result<(), Stop> {
        let chunks = look::rows::<ChunkRow>(self.txn, Table::Chunk, &key::job(job), &key::job_end(job), self.budget)?;
        self.budget = self.budget.saturating_sub(chunks.len());
        for (chunk_key, row) in chunks {
            let Some(spot) = key::parse_spot(&chunk_key) else { continue };
            if let Some(at) = row.not_before {
                self.txn.remove(Table::Timer, key::due(at, spot));
            }
            if let Some(LeaseRow { deadline: Some(at), .. }) = look::lease(self.txn, spot)? {
                self.txn.remove(Table::Deadline, key::due(at, spot));
            }
            for table in [Table::Lease, Table::Body, Table::Release, Table::Chunk] {
                self.txn.remove(table, chunk_key.clone());
            }
        }
        Ok(())
    }

    fn purge_rest(&mut self, job: JobNo) -> Result<(), Stop> {
        self.budget -= self.txn.remove_runs(job, self.budget)?;
        for table in [Table::Key, Table::Child, Table::Parent] {
            let mut found = Vec::new();
            let budget = self.budget;
            if budget == 0 {
                return Ok(());
            }
            keys_of(self.txn, table, job, budget, &mut found)?;
            self.budget -= found.len();
            for row_key in found {
                match (table, key::parse_edge(&row_key)) {
                    (Table::Parent, Some((child, parent))) if parent.job != child.job => self.unlink(parent, child)?,
                    _ => self.txn.remove(table, row_key),
                }
            }
        }
        Ok(())
    }

    /// Removes what ended before an instant, among the next `limit` chunks.
    pub(super) fn prune(&mut self, job: JobId, before: Timestamp, after: Option<ChunkId>, limit: usize) -> Result<Pruned, Stop> {
        let job = self.job(job)?;
        let from = after.map_or_else(|| key::job(job.no), |after| key::behind(&key::spot(Spot { job: job.no, chunk: after })));
        let rows = look::rows::<ChunkRow>(self.txn, Table::Chunk, &from, &key::job_end(job.no), limit)?;
        let last =
            rows.last().filter(|_| rows.len() == limit).and_then(|(row_key, _)| key::parse_spot(row_key)).map(|spot| spot.chunk);
        let mut removed = 0;
        for (row_key, row) in rows {
            let Some(spot) = key::parse_spot(&row_key) else { continue };
            if row.ended_at.is_some_and(|ended_at| ended_at < before)
                && let Some(piece) = self.piece_at(spot)?
                && self.prune_chunk(&piece)?
            {
                removed += 1;
            }
        }
        Ok(Pruned::new(removed, last))
    }

    /// Removes an ended chunk and its edges, unless an open chunk is behind it.
    fn prune_chunk(&mut self, piece: &Piece) -> Result<bool, Stop> {
        if piece.standing().place(&piece.rules(), self.now) != Place::Ended
            || look::get::<ReleaseRow>(self.txn, Table::Release, &key::spot(piece.spot))?.is_some()
        {
            return Ok(false);
        }
        let mut children = Vec::new();
        for (_, child, _) in look::all_edges(self.txn, Table::Child, piece.spot)? {
            match self.piece_at(child)? {
                Some(child) if !child.standing().status.is_terminal() => return Ok(false),
                Some(child) => children.push(child),
                None => {}
            }
        }
        for child in children {
            self.forget_parent(piece.spot, child)?;
        }
        for (_, child, _) in look::all_edges(self.txn, Table::Child, piece.spot)? {
            self.unlink(piece.spot, child)?;
        }
        for (_, parent, _) in look::all_edges(self.txn, Table::Parent, piece.spot)? {
            self.unlink(parent, piece.spot)?;
        }
        self.erase(piece)?;
        Ok(true)
    }
}

/// The keys of a job in a table, whatever is in the rows: they are on their way out.
fn keys_of(view: &dyn crate::backend::View, table: Table, job: JobNo, limit: usize, found: &mut Vec<Key>) -> Result<(), Stop> {
    look::scan(view, table, &key::job(job), &key::job_end(job), &mut |row_key, _| {
        found.push(Key::from_slice(row_key));
        if found.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })
}
