//! Where each chunk stands, reckoned anew from its own row and from what it waits for.

use std::collections::{BTreeMap, VecDeque};

use magnetar_core::{
    JobStatus, Timestamp,
    machine::{Dependency, Event, Standing},
};

use super::harvest::Harvest;
use crate::{
    key::Spot,
    row::{ChunkRow, Edge},
};

/// What stands at a chunk that could not be saved.
const LOST: &str = "lost: its row was damaged, and nothing is left of it but that it was there";

/// Puts something in place of lost chunks, and counts every dependency as it is.
pub(super) fn rebuild(harvest: &mut Harvest, now: Timestamp) {
    replace_lost(harvest, now);
    stop_bodiless(harvest, now);
    // Who waited for the end of a chunk that has ended waits no more.
    let chunks = &harvest.chunks;
    let has_ended = |spot: &Spot| chunks.get(spot).is_some_and(|row| row.status.is_terminal());
    harvest.edges.retain(|(_, parent), edge| *edge == Edge::Needs || !has_ended(parent));
    for spot in parents_first(harvest) {
        recount(harvest, spot, now);
    }
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

/// The chunks, each behind all that it waits for.
fn parents_first(harvest: &Harvest) -> Vec<Spot> {
    let mut waiting: BTreeMap<Spot, usize> = harvest.chunks.keys().map(|spot| (*spot, 0)).collect();
    let mut children: BTreeMap<Spot, Vec<Spot>> = BTreeMap::new();
    for (child, parent) in harvest.edges.keys() {
        *waiting.entry(*child).or_default() += 1;
        children.entry(*parent).or_default().push(*child);
    }
    let mut free: VecDeque<Spot> = waiting.iter().filter(|(_, count)| **count == 0).map(|(spot, _)| *spot).collect();
    let mut sorted = Vec::with_capacity(waiting.len());
    while let Some(spot) = free.pop_front() {
        sorted.push(spot);
        for child in children.remove(&spot).unwrap_or_default() {
            if let Some(count) = waiting.get_mut(&child) {
                *count -= 1;
                if *count == 0 {
                    free.push_back(child);
                }
            }
        }
    }
    sorted
}

/// Counts what a chunk waits for as if each were added now: so what a bad one means for it happens at once.
fn recount(harvest: &mut Harvest, spot: Spot, now: Timestamp) {
    let Some(options) = harvest.jobs.get(&spot.job).map(|job| job.options) else { return };
    let Some(row) = harvest.chunks.get(&spot) else { return };
    let rules = row.rules(&options);
    let mut standing = Standing { unmet: 0, bad: 0, ..row.standing(false) };
    let mut is_skipped = false;
    let to = Spot { chunk: spot.chunk.saturating_add(1), ..spot };
    let first = Spot { job: crate::key::JobNo(0), chunk: 0 };
    let parents: Vec<_> = harvest.edges.range((spot, first)..(to, first)).map(|((_, parent), edge)| (*parent, *edge)).collect();
    for (parent, edge) in parents {
        if let Some(parent) = harvest.chunks.get_mut(&parent) {
            parent.has_children = true;
            let change = match edge {
                Edge::Needs => Dependency::Added(parent.status),
                Edge::Awaits => Dependency::Awaited,
            };
            let (next, follows) = standing.dependency(change, &rules);
            standing = next;
            is_skipped |= follows == Some(Event::Skip);
        }
    }
    if is_skipped && let Ok(skipped) = standing.step(Event::Skip, &rules, now, 0) {
        standing = skipped;
    }
    if let Some(row) = harvest.chunks.get_mut(&spot) {
        row.stand(standing);
        if standing.status.is_terminal() {
            row.ended_at = row.ended_at.or(Some(now));
        }
    }
}
