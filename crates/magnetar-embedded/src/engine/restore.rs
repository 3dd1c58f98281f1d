//! Bringing back a snapshot, in one commit.

use std::collections::{BTreeMap, HashMap};

use magnetar_core::{ChunkSnapshot, JobId, JobSnapshot, RecordSnapshot, Rejection, Reply, Snapshot, machine::Place};

use super::Step;
use crate::{
    key::{self, JobNo, Spot},
    look, plant,
    recount::Graph,
    row::{Body, ChunkRow, Edge, JobRow, RecordRow},
    stop::Stop,
    table::Table,
};

/// The largest generation that a token can carry.
const GENERATION_MAX: u32 = (1 << 31) - 1;

impl Step<'_, '_> {
    pub(super) fn restore(&mut self, snapshot: &Snapshot) -> Result<Reply, Stop> {
        self.refuse_present(snapshot)?;
        let numbers = self.raise_numbers(snapshot)?;
        let mut graph = graph(snapshot, &numbers);
        if let Some(spot) = graph.recount(self.now) {
            let job = numbers.iter().find(|(_, no)| **no == spot.job).map_or(0, |(id, _)| *id);
            return Err(Rejection::invalid(format!("chunk {} of job {job} of the snapshot waits for itself", spot.chunk)).into());
        }
        for job in &snapshot.jobs {
            if let Some(no) = numbers.get(&job.id) {
                plant::job(self.txn, *no, &job_row(job), job.last_chunk)?;
                self.restore_chunks(*no, job, &graph)?;
            }
        }
        for ((child, parent), edge) in &graph.edges {
            plant::edge(self.txn, *child, *parent, *edge)?;
        }
        for RecordSnapshot { space, key: name, value, version, .. } in &snapshot.records {
            self.txn.put(Table::Record, key::record(space, name), &RecordRow { version: *version, value: value.clone() });
        }
        Ok(Reply::Restored(snapshot.counts()))
    }

    fn restore_chunks(&mut self, no: JobNo, job: &JobSnapshot, graph: &Graph) -> Result<(), Stop> {
        for chunk in &job.chunks {
            let spot = Spot { job: no, chunk: chunk.id };
            let Some(row) = graph.chunks.get(&spot) else { continue };
            let body = row.has_body.then(|| Body { payload: chunk.payload.clone(), extra: chunk.extra.clone() });
            match plant::chunk(self.txn, spot, row, body.as_ref(), &job.options, self.now)? {
                Place::Timer(at) => self.expect_due(at),
                Place::Ready => self.wakes = true,
                Place::Lease | Place::Blocked | Place::Ended => {}
            }
        }
        Ok(())
    }

    /// Refuses to mix what is there with what comes back.
    fn refuse_present(&self, snapshot: &Snapshot) -> Result<(), Stop> {
        for job in &snapshot.jobs {
            if self.txn.job(job.id)?.is_some() {
                return Err(Rejection::JobExists { job: job.id }.into());
            }
            if let Some(name) = &job.name
                && let Some(owner) = look::job_by_name(self.txn, name)?
            {
                let owner = format!("job {}", owner.row.id);
                return Err(Rejection::NameTaken { job: job.id, name: name.clone(), owner }.into());
            }
        }
        for record in &snapshot.records {
            if let Some(found) = look::get::<RecordRow>(self.txn, Table::Record, &key::record(&record.space, &record.key))? {
                let key = String::from_utf8_lossy(&record.key).escape_default().to_string();
                let (space, found) = (record.space.clone(), Some(found.version));
                return Err(Rejection::Version { space, key, expected: None, found }.into());
            }
        }
        Ok(())
    }

    /// Goes on above every number of the snapshot's store, so that none is given twice, and numbers the jobs.
    fn raise_numbers(&mut self, snapshot: &Snapshot) -> Result<HashMap<JobId, JobNo>, Stop> {
        let mut meta = self.txn.meta()?;
        meta.last_token = meta.last_token.max(snapshot.last_token);
        let generation = u32::try_from(snapshot.last_token >> 32).unwrap_or(GENERATION_MAX);
        meta.generation = meta.generation.max(generation.saturating_add(1).min(GENERATION_MAX));
        meta.last_job_id = meta.last_job_id.max(snapshot.last_job_id);
        let mut numbers = HashMap::new();
        for job in &snapshot.jobs {
            meta.last_job_no += 1;
            numbers.insert(job.id, JobNo(meta.last_job_no));
        }
        meta.last_version = snapshot.records.iter().map(|record| record.version).fold(meta.last_version, u64::max);
        self.txn.put_meta(&meta)?;
        Ok(numbers)
    }
}

fn graph(snapshot: &Snapshot, numbers: &HashMap<JobId, JobNo>) -> Graph {
    let mut graph = Graph { options: BTreeMap::new(), chunks: BTreeMap::new(), edges: BTreeMap::new() };
    let spot = |(job, chunk): (JobId, u64)| numbers.get(&job).map(|no| Spot { job: *no, chunk });
    for job in &snapshot.jobs {
        graph.options.extend(numbers.get(&job.id).map(|no| (*no, job.options)));
        for chunk in &job.chunks {
            let Some(child) = spot((job.id, chunk.id)) else { continue };
            graph.chunks.insert(child, chunk_row(chunk));
            for (parents, edge) in [(&chunk.depends_on, Edge::Needs), (&chunk.parked_until, Edge::Awaits)] {
                graph.edges.extend(parents.iter().filter_map(|parent| Some(((child, spot(*parent)?), edge))));
            }
        }
    }
    graph
}

fn job_row(job: &JobSnapshot) -> JobRow {
    let JobSnapshot { id, name, kind, options, paused, created_at, .. } = job;
    JobRow { id: *id, name: name.clone(), kind: kind.clone(), options: *options, paused: *paused, created_at: *created_at }
}

fn chunk_row(chunk: &ChunkSnapshot) -> ChunkRow {
    ChunkRow {
        status: chunk.status,
        fails: chunk.fails,
        crashes: chunk.crashes,
        unmet: 0,
        bad: 0,
        not_before: chunk.not_before,
        priority: chunk.priority,
        lane: chunk.lane.clone(),
        max_fails: chunk.max_fails,
        timeout_millis: chunk.timeout_millis,
        key: chunk.key.clone(),
        expected: chunk.expected_checksum.clone(),
        recorded: chunk.recorded_checksum.clone(),
        result: chunk.result.clone(),
        error: chunk.error.clone(),
        created_at: chunk.created_at,
        ended_at: chunk.ended_at,
        last: None,
        has_children: false,
        has_body: !chunk.payload.is_empty() || !chunk.extra.is_empty(),
    }
}
