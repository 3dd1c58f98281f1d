//! Bits of the files of both engines.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use anyhow::{Context, Result, anyhow, bail, ensure};
use fastrand::Rng;
use futures_lite::future::block_on;
use magnetar_core::{ErrorKind, Expect, JobStore};
use magnetar_embedded::Store;
use magnetar_redb::RedbBackend;
use magnetar_sqlite::SqliteBackend;
use rusqlite::Connection;

use super::{
    alive::Alive,
    questions::{Findings, Questions},
    watchdog,
};
use crate::{
    folder, panics,
    rig::{Counts, Rig},
    site::{RedbSite, Site, SqliteSite},
    storage::Storage,
    vfs,
    workload::{HandClock, SPACE, Sight, fill},
};

/// Turns of the script that fills a store.
const TURNS: (usize, usize) = (4, 60);
/// Bits that are flipped in a round.
const FLIPS: usize = 400;
/// Bytes at the beginning of a file of which each bit is flipped, in one round of so many: where the engines say what the file is.
const HEADER: (usize, u64) = (320, 5);

/// The bit of redb's header that says which of the last two commits is the last one.
///
/// In a file that was not closed, either may be: a power cut between the two flushes of a commit leaves the same bytes but for
/// this bit. So nothing can tell of it, and it takes the whole store back by one commit.
const POINTER: Harm = Harm { byte: 9, bit: 0 };

/// How often a byte is drawn before any will do.
const TRIES: usize = 8;

/// Flips bits of a SQLite file.
#[derive(Clone, Copy, Debug, Default)]
pub struct RotSqlite;

/// Flips bits of a redb file.
#[derive(Clone, Copy, Debug, Default)]
pub struct RotRedb;

/// A bit of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Harm {
    byte: usize,
    bit: u8,
}

impl Harm {
    /// A bit at random: mostly of a byte that is read and not zero, since that is in use.
    pub(super) fn draw(whole: &[u8], alive: &Alive, random: &mut Rng) -> Self {
        let bit = random.u8(..8);
        for _ in 0..TRIES {
            let drawn = alive.draw(random).filter(|byte| whole.get(*byte).is_some_and(|byte| *byte != 0));
            if let Some(byte) = drawn.filter(|_| random.u8(..8) > 0) {
                return Self { byte, bit };
            }
        }
        Self { byte: random.usize(..whole.len().max(1)), bit }
    }
}

/// The same file with a bit flipped.
pub(super) fn flip(whole: &[u8], harm: Harm) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    if let Some(byte) = bytes.get_mut(harm.byte) {
        *byte ^= 1 << harm.bit;
    }
    bytes
}

impl Rig for RotSqlite {
    fn name(&self) -> &'static str {
        "rot-sqlite"
    }

    fn round(&self, seed: u64) -> Result<Counts> {
        let _alive = watchdog::over("rot-sqlite", seed);
        let folder = folder::in_memory()?;
        let site = SqliteSite::new(&folder, "store")?;
        let path = site.path(SqliteSite::MAIN);
        SqliteBackend::open(&path).map(drop)?;
        let clock = Arc::new(HandClock::default());
        let filled = fill(&|clock| site.open(clock), &clock, seed, turns(seed))?;
        // What is in the log goes into the database, while the store is open and holds what it has claimed.
        Connection::open(&path)?.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        let whole = std::fs::read(&path)?;
        drop(filled.store);
        let lay = |bytes: Vec<u8>| Ok(site.lay([(SqliteSite::MAIN, bytes.as_slice())])?);
        let alive = Arc::new(Alive::default());
        lay(whole.clone())?;
        vfs::tapped(Arc::clone(&alive) as _, || Sight::of(&site.open(Arc::clone(&clock))?))?;
        play(seed, &whole, &clock, &Place { site: &site, lay: &lay, alive: &alive, last_two: None }, &filled.sights)
    }
}

impl Rig for RotRedb {
    fn name(&self) -> &'static str {
        "rot-redb"
    }

    fn round(&self, seed: u64) -> Result<Counts> {
        let _alive = watchdog::over("rot-redb", seed);
        let storage = Storage::new(Vec::new());
        RedbBackend::on_storage(storage.clone()).map(drop)?;
        let site = RedbSite::new(storage.clone());
        let clock = Arc::new(HandClock::default());
        let mut filled = fill(&|clock| site.open(clock), &clock, seed, turns(seed))?;
        let before = storage.bytes();
        // Of a last commit in one phase, which only claims are, redb cannot tell whether it rotted or was cut short.
        block_on(filled.store.put_record(SPACE, b"last", Some(b"commit".to_vec()), Expect::Any))?;
        filled.sights.push(Sight::of(&filled.store)?);
        // One round has a file that was closed in good order, the next one that was not.
        let open = storage.bytes();
        drop(filled.store);
        let is_closed = seed.is_multiple_of(2);
        let whole = if is_closed { storage.bytes() } else { open };
        let lay = |bytes: Vec<u8>| {
            site.lay(Storage::new(bytes));
            Ok(())
        };
        let alive = Arc::new(Alive::default());
        let opened = |storage: Storage| {
            site.lay(storage);
            Sight::of(&site.open(Arc::clone(&clock))?)
        };
        let last = opened(Storage::new(whole.clone()).tapped(Arc::clone(&alive) as _))?;
        let last_two = if is_closed { None } else { Some([opened(Storage::new(before))?, last]) };
        play(seed, &whole, &clock, &Place { site: &site, lay: &lay, alive: &alive, last_two }, &filled.sights)
    }
}

/// Where files that were harmed are put, and looked at.
struct Place<'p> {
    site: &'p dyn Site,
    lay: &'p dyn Fn(Vec<u8>) -> Result<()>,
    /// Which bytes of the whole file are read.
    alive: &'p Alive,
    /// What the last two commits show, where [`POINTER`] chooses between them.
    last_two: Option<[Sight; 2]>,
}

fn turns(seed: u64) -> usize {
    if seed.is_multiple_of(3) { TURNS.0 } else { TURNS.1 }
}

fn play(seed: u64, whole: &[u8], clock: &Arc<HandClock>, place: &Place<'_>, sights: &[Sight]) -> Result<Counts> {
    let Place { site, lay, alive, last_two } = place;
    let mut random = Rng::with_seed(seed);
    lay(whole.to_vec())?;
    let questions = Questions::of(&site.open_threaded(Arc::clone(clock))?, sights).context("the store that is whole")?;
    let mut harms: Vec<_> = (0..FLIPS).map(|_| Harm::draw(whole, alive, &mut random)).collect();
    if seed.is_multiple_of(HEADER.1) {
        harms.extend((0..HEADER.0).flat_map(|byte| (0..8).map(move |bit| Harm { byte, bit })));
    }
    let mut counts = Counts::default();
    counts.add("stores", 1);
    for harm in harms {
        lay(flip(whole, harm))?;
        let mut looked = || match last_two {
            Some(last_two) if harm == POINTER => taken_back(*site, clock, last_two, &mut counts),
            _ => look(*site, clock, &questions, &mut counts),
        };
        let (checked, panics) = panics::watch(|| catch_unwind(AssertUnwindSafe(&mut looked)));
        let checked = checked.unwrap_or_else(|_| Err(anyhow!("a panic escapes: {}", panics.join("; "))));
        checked.with_context(|| format!("{harm:?} of {}", whole.len()))?;
        counts.add("panics caught", u64::from(!panics.is_empty()));
        counts.add("flips", 1);
    }
    Ok(counts)
}

/// Asks a store that may be back at the commit before the last, and is whole then too.
fn taken_back(site: &dyn Site, clock: &Arc<HandClock>, [before, last]: &[Sight; 2], counts: &mut Counts) -> Result<()> {
    let Some(store) = opened(site, clock, counts)? else { return Ok(()) };
    let sight = Sight::of(&store)?;
    let is_one = [before, last].contains(&&sight);
    ensure!(is_one, "it is at neither of the last two commits: {:.1000}", before.difference(&sight).unwrap_or_default());
    counts.add("taken back by a commit", u64::from(*last != sight));
    Ok(())
}

/// Asks a store that was harmed everything.
fn look(site: &dyn Site, clock: &Arc<HandClock>, questions: &Questions, counts: &mut Counts) -> Result<()> {
    let Some(store) = opened(site, clock, counts)? else { return Ok(()) };
    let Findings { told, rows } = questions.ask(&store)?;
    counts.add("told", u64::from(told > 0));
    counts.add("right", u64::from(told == 0 && rows.is_none()));
    match rows {
        Some(_) if told > 0 => counts.add("rows wrong and told", 1),
        Some(rows) => bail!("nothing tells of it: {rows}"),
        None => {}
    }
    Ok(())
}

/// Opens a store that was harmed; none where it is refused as it should be.
fn opened(site: &dyn Site, clock: &Arc<HandClock>, counts: &mut Counts) -> Result<Option<Store>> {
    match site.open_threaded(Arc::clone(clock)) {
        Ok(store) => Ok(Some(store)),
        Err(error) => {
            // A bit of SQLite's header says who may write.
            let kinds = [ErrorKind::Corrupt, ErrorKind::Newer, ErrorKind::Invalid, ErrorKind::ReadOnly];
            ensure!(kinds.contains(&error.kind()), "it is refused with {:?}: {error}", error.kind());
            let names = ["jobs.db", "the redb storage", "row"];
            ensure!(names.iter().any(|name| error.to_string().contains(name)), "the refusal does not name the file: {error}");
            counts.add("refused", 1);
            Ok(None)
        }
    }
}
