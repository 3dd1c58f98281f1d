//! What each chunk of whole jobs waits for, counted anew from what stands at its parents.

use std::collections::{BTreeMap, VecDeque};

use magnetar_core::{
    JobOptions, Timestamp,
    machine::{Dependency, Event, Standing},
};

use crate::{
    key::{JobNo, Spot},
    row::{ChunkRow, Edge},
};

/// Jobs that are whole, apart from tables.
#[derive(Default)]
pub(crate) struct Graph {
    pub(crate) options: BTreeMap<JobNo, JobOptions>,
    pub(crate) chunks: BTreeMap<Spot, ChunkRow>,
    /// By child and parent.
    pub(crate) edges: BTreeMap<(Spot, Spot), Edge>,
}

impl Graph {
    /// Counts every dependency as if it were added now, so that what a bad one means for a chunk happens at once. Who waited for
    /// the end of a chunk that has ended waits no more. Returns a chunk of a circle, where there is one: those of circles, and
    /// what is behind them, are left as they are.
    pub(crate) fn recount(&mut self, now: Timestamp) -> Option<Spot> {
        let chunks = &self.chunks;
        let has_ended = |spot: &Spot| chunks.get(spot).is_some_and(|row| row.status.is_terminal());
        self.edges.retain(|(_, parent), edge| *edge == Edge::Needs || !has_ended(parent));
        let (sorted, circle) = self.parents_first();
        for spot in sorted {
            self.recount_chunk(spot, now);
        }
        circle
    }

    /// The chunks, each behind all that it waits for, and one that is behind itself.
    fn parents_first(&self) -> (Vec<Spot>, Option<Spot>) {
        let mut waiting: BTreeMap<Spot, usize> = self.chunks.keys().map(|spot| (*spot, 0)).collect();
        let mut children: BTreeMap<Spot, Vec<Spot>> = BTreeMap::new();
        for (child, parent) in self.edges.keys() {
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
        let circle = waiting.into_iter().find(|(_, count)| *count > 0).map(|(spot, _)| spot);
        (sorted, circle)
    }

    fn recount_chunk(&mut self, spot: Spot, now: Timestamp) {
        let Some(options) = self.options.get(&spot.job) else { return };
        let Some(row) = self.chunks.get(&spot) else { return };
        let rules = row.rules(options);
        let mut standing = Standing { unmet: 0, bad: 0, ..row.standing(false) };
        let mut is_skipped = false;
        let to = Spot { chunk: spot.chunk.saturating_add(1), ..spot };
        let first = Spot { job: JobNo(0), chunk: 0 };
        let parents: Vec<_> = self.edges.range((spot, first)..(to, first)).map(|((_, parent), edge)| (*parent, *edge)).collect();
        for (parent, edge) in parents {
            if let Some(parent) = self.chunks.get_mut(&parent) {
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
        if let Some(row) = self.chunks.get_mut(&spot) {
            row.stand(standing);
            if standing.status.is_terminal() {
                row.ended_at = row.ended_at.or(Some(now));
            }
        }
    }
}
