//! Kills at random moments: real worker processes on one store, each of which may be gone at any instant.

mod blows;

use std::{
    path::PathBuf,
    process::ExitStatus,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use fastrand::Rng;
use futures_lite::future::block_on;

use super::{
    engine::{Engine, short_lived},
    flaw::Flaw,
    hand::BATCH_MAX,
    log::{Kind, Log, Record},
    oracle::Oracle,
    plan::Plan,
    process::{self, Orders, Process, Role},
    verify::{When, verify},
    worker::{CHUNKS, SESSION_TTL, THREADS},
};
use crate::{Counts, Rig};

/// How many processes work on a store of SQLite at once.
const WORKERS: usize = 4;
/// The time between two kills.
const BETWEEN_MICROS: std::ops::Range<u64> = 500..12_000;
/// How long a round may take. It takes a few seconds; this is for one that hangs.
const ROUND_MAX: Duration = Duration::from_mins(2);

/// Kills worker processes at random moments, and holds what is left against the log.
#[derive(Debug)]
pub struct KillRig {
    engine: Engine,
    flaw: Flaw,
    program: PathBuf,
}

impl KillRig {
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
}

impl Rig for KillRig {
    fn name(&self) -> &'static str {
        match self.engine {
            Engine::Sqlite => "kill-sqlite",
            Engine::Redb => "kill-redb",
        }
    }

    fn round(&self, seed: u64) -> Result<Counts> {
        Round::begin(self, seed)?.play()
    }
}

/// One round. Its processes are dropped, and so killed, before its folder is.
struct Round<'a> {
    rig: &'a KillRig,
    processes: Vec<Worker>,
    rng: Rng,
    seed: u64,
    oracle: Oracle,
    log: Log,
    role: Role,
    last_number: u32,
    counts: Counts,
    begun: Instant,
    folder: tempfile::TempDir,
}

/// A process, and until when it is stopped.
struct Worker {
    process: Process,
    stopped_until: Option<Instant>,
}

impl<'a> Round<'a> {
    fn begin(rig: &'a KillRig, seed: u64) -> Result<Self> {
        let folder = process::folder()?;
        let log_file = process::log(folder.path());
        let log = Log::open(&log_file)?;
        let plan = Arc::new(Plan::random(seed, CHUNKS));
        let mut rng = Rng::with_seed(seed);
        // In one round of four the workers make the store and put the jobs in, under kills as everything else.
        let role = if rng.u32(0..4) == 0 { Role::Begins } else { Role::Works };
        let round = Self {
            rig,
            processes: Vec::new(),
            rng,
            seed,
            oracle: Oracle::new(plan, &log_file)?,
            log,
            role,
            last_number: 0,
            counts: Counts::default(),
            begun: Instant::now(),
            folder,
        };
        if role == Role::Works {
            round.put_in()?;
        }
        Ok(round)
    }

    fn put_in(&self) -> Result<()> {
        let store = self.open()?;
        for job in &self.oracle.plan().jobs {
            block_on(store.init_from_manifest(job.id, &job.manifest()?)).context("put a job in")?;
            self.log.write(Record { job: u16::try_from(job.id)?, ..Record::of(Kind::Inserted, 0) })?;
        }
        Ok(())
    }

    fn open(&self) -> Result<Arc<dyn magnetar_core::JobStore>> {
        self.rig.engine.open(&self.rig.engine.file(&process::store(self.folder.path())), short_lived(SESSION_TTL))
    }

    fn play(mut self) -> Result<Counts> {
        let workers = if self.rig.engine == Engine::Sqlite { WORKERS } else { 1 };
        for _ in 0..workers {
            self.start()?;
        }
        let mut is_over = false;
        while !is_over {
            self.check_time()?;
            self.wait_for_the_moment()?;
            is_over = self.see_to_the_dead()?;
            self.let_go_on()?;
            if !is_over {
                self.strike()?;
            }
        }
        self.let_all_end()?;
        self.check_in_the_end()?;
        Ok(self.counts)
    }

    fn start(&mut self) -> Result<()> {
        self.last_number += 1;
        let orders = Orders {
            role: self.role,
            engine: self.rig.engine,
            flaw: self.rig.flaw,
            number: self.last_number,
            seed: self.seed,
            folder: self.folder.path().to_owned(),
            parent: std::process::id(),
        };
        let process = Process::start(&self.rig.program, &orders)?;
        self.processes.push(Worker { process, stopped_until: None });
        Ok(())
    }

    fn check_time(&self) -> Result<()> {
        ensure!(self.begun.elapsed() < ROUND_MAX, "the round does not end\n{}", self.oracle.around(None));
        Ok(())
    }

    /// Sleeps until the next blow. Where there is one process only, it is mostly given the time to open the store first.
    fn wait_for_the_moment(&mut self) -> Result<()> {
        if self.rig.engine == Engine::Redb && self.rng.u32(0..10) < 7 {
            self.wait_for_opening()?;
        }
        // On a machine too slow to get anything done between two blows, they come ever more slowly.
        let patience = 1.0 + (self.begun.elapsed().as_secs_f64() / 5.0).powi(2);
        thread::sleep(Duration::from_micros(self.rng.u64(BETWEEN_MICROS)).mul_f64(patience));
        Ok(())
    }

    fn wait_for_opening(&mut self) -> Result<()> {
        while let Some(worker) = self.processes.first_mut() {
            if self.oracle.opened.contains(&worker.process.number) || worker.process.ended()?.is_some() {
                break;
            }
            thread::sleep(Duration::from_micros(100));
            self.oracle.pull()?;
            self.check_time()?;
        }
        Ok(())
    }

    /// Starts anew who has died of poison, and returns whether one has ended because nothing is open any more.
    fn see_to_the_dead(&mut self) -> Result<bool> {
        let mut is_over = false;
        let mut index = 0;
        while let Some(worker) = self.processes.get_mut(index) {
            let Some(status) = worker.process.ended()? else {
                index += 1;
                continue;
            };
            let worker = self.processes.remove(index);
            is_over |= self.explain(&worker.process, status)?;
            if !is_over {
                self.after_a_death()?;
                self.start()?;
            }
        }
        Ok(is_over)
    }

    /// Whether a process that has ended by itself found nothing to do any more; else it must have died of poison.
    fn explain(&mut self, process: &Process, status: ExitStatus) -> Result<bool> {
        self.oracle.pull()?;
        if status.success() {
            return Ok(true);
        }
        if std::os::unix::process::ExitStatusExt::signal(&status) == Some(libc::SIGKILL)
            && self.oracle.dead.contains(&process.number)
        {
            self.counts.add("deaths by poison", 1);
            return Ok(false);
        }
        bail!("worker {} failed ({status}): {}\n{}", process.number, process.said(), self.oracle.around(None))
    }

    /// Looks at everything. One restart in four goes without, so that it is a worker that finds what the dead one left.
    ///
    /// Nothing is looked at while somebody is stopped, who may have been stopped with the lock of the database.
    fn after_a_death(&mut self) -> Result<()> {
        if self.rng.u32(0..4) == 0 || self.processes.iter().any(|worker| worker.stopped_until.is_some()) {
            return Ok(());
        }
        self.check(When::During)
    }

    fn check(&mut self, when: When) -> Result<()> {
        let file = self.rig.engine.file(&process::store(self.folder.path()));
        let is_there = std::fs::metadata(&file).is_ok_and(|metadata| metadata.len() > 0);
        self.oracle.pull()?;
        ensure!(is_there || self.oracle.opened.is_empty(), "the store was opened, and is not there");
        let store = self.open()?;
        verify(&*store, &mut self.oracle, when)?;
        self.counts.add("checks", 1);
        Ok(())
    }

    /// Waits until everybody has found that nothing is open any more.
    fn let_all_end(&mut self) -> Result<()> {
        for worker in &mut self.processes {
            worker.stopped_until = worker.stopped_until.map(|_| Instant::now());
        }
        self.let_go_on()?;
        for mut worker in std::mem::take(&mut self.processes) {
            let status = loop {
                if let Some(status) = worker.process.ended()? {
                    break status;
                }
                self.check_time()?;
                thread::sleep(Duration::from_micros(200));
            };
            self.explain(&worker.process, status)?;
        }
        Ok(())
    }

    fn check_in_the_end(&mut self) -> Result<()> {
        self.check(When::After)?;
        let repeated: u64 = self.oracle.stories.values().map(|story| story.effects.saturating_sub(1)).sum();
        let in_hand = u64::from(THREADS) * BATCH_MAX as u64;
        let deaths = self.oracle.dead.len() as u64;
        let bound = (deaths + self.oracle.stops) * in_hand + self.oracle.losses;
        ensure!(repeated <= bound, "{repeated} effects were repeated by {deaths} deaths; there may be {bound}");
        // Now and then one cannot renew its session in time, as when another was stopped with the lock of the database.
        let (losses, attempts) = (self.oracle.losses_of_the_living, self.oracle.attempts.len() as u64);
        ensure!(losses * 10 <= attempts, "{losses} of {attempts} claims were taken from workers that live");
        self.counts.add("chunks", self.oracle.plan().len() as u64);
        self.counts.add("attempts", self.oracle.attempts.len() as u64);
        self.counts.add("repeated effects", repeated);
        self.counts.add("lost claims", self.oracle.losses);
        Ok(())
    }
}
