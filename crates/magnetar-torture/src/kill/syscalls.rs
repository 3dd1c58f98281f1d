//! Kills at each call that changes a file: one workload is played over and over, and killed one call later each time.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, Result, bail, ensure};
use futures_lite::future::block_on;

use super::{
    engine::Engine,
    flaw::Flaw,
    log::{Kind, Log, Record},
    oracle::Oracle,
    plan::Plan,
    process::{self, Orders, Role},
    script,
    trace::{self, End, Moment},
    verify::{When, verify},
};
use crate::{Counts, Rig};

/// The most calls of one workload.
const CALLS_MAX: u64 = 20_000;
/// How many more opens may sweep what one has left.
const SWEEPS_MAX: u32 = 5;
/// The worker that is killed.
const WORKER: u32 = 1;

/// Kills a process at each call that writes, syncs, renames, links, cuts or makes a file.
///
/// A round plays one workload to each of its calls: at their beginnings where the seed is even, at their ends where it is odd. Every
/// other two rounds of SQLite, another process has the store open all the while. The workload is that of the seed's other bits.
#[derive(Debug)]
pub struct SyscallRig {
    engine: Engine,
    flaw: Flaw,
    program: PathBuf,
}

impl SyscallRig {
    /// A rig for an engine. The program is `magnetar-torture`, which is started again as a worker.
    pub fn new(engine: Engine, program: impl Into<PathBuf>) -> Self {
        Self { engine, flaw: Flaw::None, program: program.into() }
    }

    /// The control with a flaw, which must fail.
    #[must_use]
    pub fn with(mut self, flaw: Flaw) -> Self {
        self.flaw = flaw;
        self
    }

    /// Why this rig cannot play here; none where it can. Some containers forbid tracing.
    ///
    /// # Errors
    /// What else goes wrong.
    pub fn hindrance(&self) -> Result<Option<&'static str>> {
        let folder = process::folder()?;
        let end = trace::run(&self.program, &self.orders(&folder, 0), Moment::Entry, 1)?;
        Ok((end == End::NotPermitted).then_some("tracing a process (ptrace, seccomp) is not permitted here"))
    }

    fn orders(&self, folder: &tempfile::TempDir, seed: u64) -> Orders {
        Orders {
            role: Role::Script,
            engine: self.engine,
            flaw: self.flaw,
            number: WORKER,
            seed,
            folder: folder.path().to_owned(),
            parent: std::process::id(),
        }
    }

    /// Plays to the `kth` call; returns whether there is one.
    fn point(&self, seed: u64, moment: Moment, kth: u64, counts: &mut Counts) -> Result<bool> {
        let folder = process::folder()?;
        let orders = self.orders(&folder, seed);
        let log = Log::open(&orders.log())?;
        let mut oracle = Oracle::new(Arc::new(Plan::steady(seed)), &orders.log())?;
        let has_company = self.engine == Engine::Sqlite && seed % 2 == 1;
        let company = has_company.then(|| self.engine.open(&orders.file(), script::options())).transpose()?;
        let end = trace::run(&self.program, &orders, moment, kth)?;
        match end {
            End::Killed(_) => log.write(Record::of(Kind::Killed, WORKER))?,
            End::Whole(calls) => ensure!(calls < kth, "call {kth} of {calls} was passed by"),
            End::NotPermitted => bail!("tracing is not permitted here"),
        }
        let at = || format!("after {end:?} at the {moment:?} of call {kth}");
        if let Some(store) = company {
            // Who has the store open sees what is there by itself.
            verify(&*store, &mut oracle, When::During).with_context(at)?;
            script::check(&*store, &oracle).with_context(at)?;
        }
        self.look(&orders, &log, &mut oracle).with_context(at)?;
        let End::Killed(name) = end else { return Ok(false) };
        if name == "write" && counts.get(name) == 0 {
            // The first of them says in the log that the store is open: it has happened only where the kill comes after it.
            ensure!(oracle.opened.contains(&WORKER) == (moment == Moment::Exit), "the tracer kills at the wrong side of a call");
        }
        counts.add("kills", 1);
        counts.add(name, 1);
        Ok(true)
    }

    /// Opens what is left, checks it, ends what is open, and checks it again.
    fn look(&self, orders: &Orders, log: &Log, oracle: &mut Oracle) -> Result<()> {
        oracle.pull()?;
        let is_whole = fs::metadata(orders.file()).is_ok_and(|metadata| metadata.len() > 0);
        ensure!(is_whole || oracle.opened.is_empty(), "the store was opened, and is not there");
        let store = self.engine.open(&orders.file(), script::options())?;
        if is_whole && oracle.opened.is_empty() {
            // It was complete before anybody was told so.
            ensure!(block_on(store.jobs()).context("list the jobs")?.is_empty(), "a store that nobody opened has jobs");
        }
        verify(&*store, oracle, When::During)?;
        script::check(&*store, oracle)?;
        let plan = Plan::steady(orders.seed);
        for job in &plan.jobs {
            block_on(store.init_from_manifest(job.id, &job.manifest()?)).context("put a job in")?;
        }
        script::hand(&*store, log, &plan, 0, orders.seed + 2).work()?;
        verify(&*store, oracle, When::After)?;
        script::check(&*store, oracle)?;
        block_on(store.close()).context("close")?;
        drop(store);
        self.check_names(orders)
    }

    /// Nothing is left beside the store but an empty folder of lock files.
    ///
    /// A lock file may wait for a later open: a process that is just being started by another thread of this one has all files
    /// open that this one has, for as long as it is not a program of its own, and with them their locks.
    fn check_names(&self, orders: &Orders) -> Result<()> {
        let file = orders.file().file_name().context("a store without a name")?.to_string_lossy().into_owned();
        let sessions = format!("{file}-sessions");
        for _ in 0..SWEEPS_MAX {
            if names(&orders.store().join(&sessions))?.is_empty() {
                break;
            }
            block_on(self.engine.open(&orders.file(), script::options())?.close()).context("close")?;
        }
        let locks = names(&orders.store().join(&sessions))?;
        ensure!(locks.is_empty(), "these lock files are left: {locks:?}");
        let found = names(&orders.store())?;
        ensure!(found == [file, sessions], "this is left: {found:?}");
        Ok(())
    }
}

impl Rig for SyscallRig {
    fn name(&self) -> &'static str {
        match self.engine {
            Engine::Sqlite => "syscalls-sqlite",
            Engine::Redb => "syscalls-redb",
        }
    }

    fn round(&self, seed: u64) -> Result<Counts> {
        let mut counts = Counts::default();
        if let Some(hindrance) = self.hindrance()? {
            bail!("this rig cannot play here: {hindrance}");
        }
        let moment = if seed.is_multiple_of(2) { Moment::Entry } else { Moment::Exit };
        for kth in 1..CALLS_MAX {
            if !self.point(seed / 2, moment, kth, &mut counts)? {
                return Ok(counts);
            }
        }
        bail!("the workload makes more than {CALLS_MAX} calls");
    }
}

fn names(folder: &Path) -> Result<Vec<String>> {
    let entries = fs::read_dir(folder).context("list a folder")?;
    let mut names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect::<Result<Vec<_>>>()?;
    names.sort_unstable();
    Ok(names)
}
