//! Where each chunk stands, reckoned anew from its own row and from what it waits for.

use magnetar_core::{JobStatus, Timestamp};

use super::harvest::Harvest;
use crate::{recount::Graph, row::ChunkRow};

/// What stands at a chunk that could not be saved.
const LOST: &str = "lost: its row was damaged, and nothing is left of it but that it was there";

/// Puts something in place of lost chunks, and counts every dependency as it is.
pub(super) fn rebuild(harvest: &mut Harvest, now: Timestamp) {
    replace_lost(harvest, now);
    stop_bodiless(harvest, now);
    let options = harvest.jobs.iter().map(|(no, job)| (*no, job.options)).collect();
    let (chunks, edges) = (std::mem::take(&mut harvest.chunks), std::mem::take(&mut harvest.edges));
    let mut graph = Graph { options, chunks, edges };
    // No store holds a circle. Where damage makes one look so, its chunks wait on.
    graph.recount(now);
    (harvest.chunks, harvest.edges) = (graph.chunks, graph.edges);
}

fn replace_lost(harvest: &mut Harvest, now: Timestamp) {
    for (spot, name) in std::mem::take(&mut harvest.lost) {
        let job = harvest.jobs.get(&spot.job).map_or(0, |job| job.id);
        harvest.lose(format!("chunk {} of job {job} is lost; it is there as failed", spot.chunk));
        harvest.chunks.insert(spot, lost_row(name, now));
    }
}

/// A chunk without its payload must not run.
fn stop_bodiless(harvest: &mut Harvest, now: Timestamp) {
    let Harvest { jobs, chunks, bodies, losses, .. } = harvest;
    for (spot, row) in chunks.iter_mut().filter(|(spot, row)| row.has_body && !bodies.contains(spot)) {
        row.has_body = false;
        let job = jobs.get(&spot.job).map_or(0, |job| job.id);
        let mut loss = format!("the payload of chunk {} of job {job} is lost", spot.chunk);
        if !row.status.is_terminal() {
            loss.push_str("; it is there as failed");
            row.status = JobStatus::Failed;
            row.not_before = None;
            row.error = Some("lost: its payload was damaged".to_owned());
            row.ended_at = Some(now);
        }
        losses.push(loss);
    }
}

/// The row of a chunk of which nothing but its id is known, and perhaps its key.
fn lost_row(key: Option<String>, now: Timestamp) -> ChunkRow {
    ChunkRow {
        status: JobStatus::Failed,
        fails: 0,
        crashes: 0,
        unmet: 0,
        bad: 0,
        not_before: None,
        priority: 0,
        lane: String::new(),
        max_fails: None,
        timeout_millis: None,
        key,
        expected: None,
        recorded: None,
        result: None,
        error: Some(LOST.to_owned()),
        created_at: now,
        ended_at: Some(now),
        last: None,
        has_children: false,
        has_body: false,
    }
}
