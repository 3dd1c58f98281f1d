//! The heads of lanes: the runs that come first, known from one transaction to the next.

use std::{collections::BTreeMap, ops::Bound};

use foldhash::HashMap;
use magnetar_core::ChunkId;

use crate::key::{self, Key};

/// The most lanes whose heads are remembered.
const LANES_MAX: usize = 256;
/// The most runs of one lane that are remembered.
const LANE_RUNS_MAX: usize = 4096;
/// The first read of a lane goes this far ahead, and each further one twice as far as the one before.
const AHEAD_MIN: usize = 16;
const AHEAD_MAX: usize = 512;

/// The heads of lanes, by what the keys of a lane begin with.
#[derive(Debug, Default)]
pub(crate) struct Lanes(HashMap<Key, Lane>);

#[derive(Debug)]
struct Lane {
    /// Every run with a key before `read_to`, with its first chunk.
    runs: BTreeMap<Key, ChunkId>,
    /// How far the lane has been read; none at its end.
    read_to: Option<Key>,
    /// How many runs the next read takes.
    ahead: usize,
    /// Up to this ready key the rows of chunks have been read.
    warm_to: Key,
    /// How many rows of chunks the next such read takes.
    warm_ahead: u64,
}

/// A run: its key, and its first chunk.
pub(crate) type Run<'l> = (&'l [u8], ChunkId);

/// Where a lane is to be read on.
#[derive(Debug, PartialEq)]
pub(crate) struct ReadOn {
    pub(crate) from: Key,
    pub(crate) ahead: usize,
}

impl Lanes {
    /// The first run of a lane at or behind a key; none at its end. It may have to be read on first.
    pub(crate) fn first_from(&self, lane: &[u8], from: &[u8]) -> Result<Option<Run<'_>>, ReadOn> {
        let Some(known) = self.0.get(lane) else { return Err(ReadOn { from: Key::from_slice(from), ahead: AHEAD_MIN }) };
        let next = known.runs.range::<[u8], _>((Bound::Included(from), Bound::Unbounded)).next();
        match (next, &known.read_to) {
            (Some((run, first)), _) => Ok(Some((run, *first))),
            (None, None) => Ok(None),
            (None, Some(read_to)) => Err(ReadOn { from: Key::from_slice(read_to.as_slice().max(from)), ahead: known.ahead }),
        }
    }

    /// Notes what was read from the beginning of a lane on, or from where it was to be read on: all runs up to `read_to`.
    pub(crate) fn note(&mut self, lane: &[u8], runs: Vec<(Key, ChunkId)>, read_to: Option<Key>, ahead: usize) {
        let known = self.0.entry(Key::from_slice(lane)).or_insert_with(|| Lane {
            runs: BTreeMap::new(),
            read_to: None,
            ahead,
            warm_to: Key::new(),
            warm_ahead: AHEAD_MIN as u64,
        });
        known.runs.extend(runs);
        known.read_to = read_to;
        known.ahead = (ahead * 2).min(AHEAD_MAX);
        known.bound();
    }

    /// Notes that a run stands under a key, or none any more.
    pub(crate) fn set(&mut self, run: &[u8], first: Option<ChunkId>) {
        let Some(lane) = self.of(run) else { return };
        match first {
            None => drop(lane.runs.remove(run)),
            Some(_) if lane.read_to.as_deref().is_some_and(|read_to| run >= read_to) => {}
            Some(first) => {
                if let Some(known) = lane.runs.get_mut(run) {
                    *known = first;
                } else {
                    lane.runs.insert(Key::from_slice(run), first);
                    lane.bound();
                }
            }
        }
    }

    /// How many rows of chunks to read ahead from a chunk of a run on; none where they have been read.
    pub(crate) fn warm(&mut self, run: &[u8], chunk: ChunkId) -> Option<u64> {
        let (level, last) = key::parse_ready(run)?;
        let lane = self.of(run)?;
        if key::ready(level, chunk) < lane.warm_to {
            return None;
        }
        let ahead = lane.warm_ahead.min(last - chunk + 1);
        lane.warm_ahead = (lane.warm_ahead * 2).min(AHEAD_MAX as u64);
        lane.warm_to = key::behind(&key::ready(level, chunk + (ahead - 1)));
        Some(ahead)
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Keeps the number of lanes within its bound.
    pub(crate) fn bound(&mut self) {
        if self.0.len() > LANES_MAX {
            self.0.clear();
        }
    }

    fn of(&mut self, run: &[u8]) -> Option<&mut Lane> {
        let (lane, _) = key::parse_level(key::parse_ready(run)?.0)?;
        self.0.get_mut(lane)
    }
}

impl Lane {
    /// Keeps the number of runs within its bound: the later half goes.
    fn bound(&mut self) {
        if self.runs.len() > LANE_RUNS_MAX
            && let Some(read_to) = self.runs.keys().nth(LANE_RUNS_MAX / 2).cloned()
        {
            self.runs.split_off(&read_to);
            self.read_to = Some(read_to);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::JobNo;

    fn lane() -> Key {
        key::lane(JobNo(1), "")
    }

    /// The key of the run that ends with this chunk.
    fn run(last: ChunkId) -> Key {
        key::ready(&key::level(JobNo(1), "", 0), last)
    }

    fn head(lanes: &Lanes) -> Result<Option<(Key, ChunkId)>, ReadOn> {
        lanes.first_from(&lane(), &lane()).map(|run| run.map(|(run, first)| (Key::from_slice(run), first)))
    }

    #[test]
    fn lane_that_grows_too_long_keeps_its_head_and_is_read_on_behind_it() {
        let mut lanes = Lanes::default();
        lanes.note(&lane(), Vec::new(), None, AHEAD_MIN);
        let lasts = (0..=LANE_RUNS_MAX as u64).map(|number| 2 * number);
        lasts.clone().rev().for_each(|last| lanes.set(&run(last), Some(last)));
        // What is claimed first, and then what the lane says must be read, are together all that was put in.
        for last in lasts {
            match head(&lanes) {
                Ok(first) => {
                    assert_eq!(first, Some((run(last), last)));
                    lanes.set(&run(last), None);
                }
                Err(ReadOn { from, .. }) => {
                    assert_eq!(from, run(last));
                    return;
                }
            }
        }
        panic!("a lane that was cut is not read on");
    }

    #[test]
    fn run_behind_what_was_read_waits_until_it_is_read() {
        let mut lanes = Lanes::default();
        lanes.note(&lane(), vec![(run(1), 0)], Some(run(5)), AHEAD_MIN);
        lanes.set(&run(7), Some(6));
        lanes.set(&run(3), Some(3));
        for (last, first) in [(1, 0), (3, 3)] {
            assert_eq!(head(&lanes), Ok(Some((run(last), first))));
            lanes.set(&run(last), None);
        }
        assert_eq!(head(&lanes), Err(ReadOn { from: run(5), ahead: 2 * AHEAD_MIN }));
    }

    #[test]
    fn rows_of_a_long_run_are_read_ahead_a_part_at_a_time() {
        let mut lanes = Lanes::default();
        lanes.note(&lane(), vec![(run(100), 1)], None, AHEAD_MIN);
        assert_eq!(lanes.warm(&run(100), 1), Some(16));
        assert_eq!(lanes.warm(&run(100), 16), None);
        assert_eq!(lanes.warm(&run(100), 17), Some(32));
        assert_eq!(lanes.warm(&run(100), 49), Some(52), "no further than the run goes");
    }
}
