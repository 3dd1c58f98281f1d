//! Every bit of every row, keys too, as the engine reads them.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use fastrand::Rng;
use magnetar_embedded::{Store, Table};

use super::{
    questions::Questions,
    tables::{Shared, Tables},
    watchdog,
};
use crate::{
    rig::{Counts, Rig},
    workload::{HandClock, fill, options},
};

/// Turns of the script that fills a store whose every bit is flipped, and one of which some are.
const TURNS: (usize, usize) = (5, 50);
/// How many bits of the larger one are flipped.
const FLIPS: usize = 4000;

/// Flips bits of rows.
#[derive(Clone, Copy, Debug, Default)]
pub struct RotRows {
    /// Whether a row that has rotted is given a checksum that fits it, as if it had none, for a control.
    pub signs_again: bool,
}

/// A bit of a row.
#[derive(Clone, Debug)]
struct Flip {
    table: Table,
    key: Vec<u8>,
    bit: Bit,
}

#[derive(Clone, Copy, Debug)]
enum Bit {
    OfKey(usize),
    OfValue(usize),
}

impl Rig for RotRows {
    fn name(&self) -> &'static str {
        "rot-rows"
    }

    fn round(&self, seed: u64) -> Result<Counts> {
        let _alive = watchdog::over("rot-rows", seed);
        let mut random = Rng::with_seed(seed);
        let is_small = seed.is_multiple_of(2);
        let turns = if is_small { TURNS.0 } else { TURNS.1 };
        let shared = Shared::default();
        let clock = Arc::new(HandClock::default());
        let filled = fill(&|clock| Store::inline(Box::new(shared.clone()), options(), clock), &clock, random.u64(..), turns)?;
        let whole = shared.tables().clone();
        drop(filled.store);
        let questions = Questions::of(&open(&whole, &clock)?, &filled.sights)?;
        let mut flips = flips(&whole);
        if !is_small {
            random.shuffle(&mut flips);
            flips.truncate(FLIPS);
        }
        let mut counts = Counts::default();
        counts.add("stores", 1);
        for flip in flips {
            let mut tables = whole.clone();
            self.apply(&flip, &mut tables);
            check(&tables, &clock, &questions, &flip, &mut counts).with_context(|| format!("{flip:?}"))?;
            counts.add("flips", 1);
        }
        Ok(counts)
    }
}

impl RotRows {
    fn apply(self, flip: &Flip, tables: &mut Tables) {
        let rows = tables.of_mut(flip.table);
        let Some(mut value) = rows.remove(&flip.key) else { return };
        let mut key = flip.key.clone();
        match flip.bit {
            Bit::OfKey(bit) => turn(&mut key, bit),
            Bit::OfValue(bit) => turn(&mut value, bit),
        }
        if self.signs_again {
            sign(flip.table, &key, &mut value);
        }
        rows.insert(key, value);
    }
}

fn open(tables: &Tables, clock: &Arc<HandClock>) -> magnetar_core::Result<Store> {
    Store::inline(Box::new(Shared::new(tables.clone())), options(), Arc::clone(clock) as _)
}

fn check(tables: &Tables, clock: &Arc<HandClock>, questions: &Questions, flip: &Flip, counts: &mut Counts) -> Result<()> {
    let store = match open(tables, clock) {
        Ok(store) => store,
        Err(error) if error.is_corrupt() => {
            counts.add("told at opening", 1);
            return Ok(());
        }
        Err(error) => bail!("the store is refused with {:?}: {error}", error.kind()),
    };
    let findings = questions.ask(&store)?;
    counts.add("told", u64::from(findings.told > 0));
    if let Some(rows) = findings.rows {
        match flip.bit {
            // What a row says is shown, or told to be damaged.
            Bit::OfValue(_) => bail!("{rows}"),
            // A row whose key rotted is missing where it was.
            Bit::OfKey(_) if findings.told > 0 => counts.add("rows missing and told", 1),
            Bit::OfKey(_) => bail!("nothing tells of it: {rows}"),
        }
    }
    Ok(())
}

/// Every bit there is.
fn flips(tables: &Tables) -> Vec<Flip> {
    let mut flips = Vec::new();
    for table in Table::ALL {
        for (key, value) in tables.of(table) {
            let bits = (0..key.len() * 8).map(Bit::OfKey).chain((0..value.len() * 8).map(Bit::OfValue));
            flips.extend(bits.map(|bit| Flip { table, key: key.clone(), bit }));
        }
    }
    flips
}

fn turn(bytes: &mut [u8], bit: usize) {
    if let Some(byte) = bytes.get_mut(bit / 8) {
        *byte ^= 1 << (bit % 8);
    }
}

/// Gives a row the checksum that fits it.
fn sign(table: Table, key: &[u8], value: &mut [u8]) {
    let Some((body, stored)) = value.split_last_chunk_mut::<4>() else { return };
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&[table as u8]);
    hasher.update(key);
    hasher.update(body);
    *stored = hasher.finalize().to_le_bytes();
}
