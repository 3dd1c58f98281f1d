//! Zombies: processes that are stopped for longer than their sessions live, and go on when another has what they held.

use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, ensure};
use fastrand::Rng;
use futures_lite::future::block_on;
use magnetar_core::{JobState, JobStore};

use super::{
    engine::{Engine, short_lived},
    flaw::Flaw,
    hand::{Deed, Hand},
    log::{Kind, Log, Record},
    oracle::Oracle,
    plan::Plan,
    process::{self, Orders, Process, Role},
    sys::Signal,
    verify::{When, verify},
    zombie::{HELD, OWNER, SESSION_TTL},
};
use crate::{Counts, Rig};

/// How many zombies a round has.
const ZOMBIES: u32 = 6;
/// How long a round may take; it takes a quarter of a second.
const ROUND_MAX: Duration = Duration::from_mins(1);
/// How long nothing happens before somebody who was stopped with the lock of the database is let go on for a moment.
const PATIENCE: Duration = Duration::from_millis(250);
const MOMENT: Duration = Duration::from_millis(5);

/// Stops processes past their leases, gives what they held to another, and lets them go on.
#[derive(Debug)]
pub struct ZombieRig {
    flaw: Flaw,
    program: PathBuf,
}

impl ZombieRig {
    /// A rig. The program is `magnetar-torture`, which is started again as a zombie.
    ///
    /// It plays on SQLite. Who is stopped with a store of redb has the one handle, so nobody can take over.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self { flaw: Flaw::None, program: program.into() }
    }

    /// The control with a flaw, which must fail.
    #[must_use]
    pub fn with(mut self, flaw: Flaw) -> Self {
        self.flaw = flaw;
        self
    }
}

impl Rig for ZombieRig {
    fn name(&self) -> &'static str {
        "zombies"
    }

    fn round(&self, seed: u64) -> Result<Counts> {
        let folder = process::folder()?;
        let log_file = process::log(folder.path());
        let log = Log::open(&log_file)?;
        let plan = Arc::new(Plan::flat(u64::from(ZOMBIES) * HELD as u64));
        let store = Engine::Sqlite.open(&Engine::Sqlite.file(&process::store(folder.path())), short_lived(SESSION_TTL))?;
        let mut round = Round {
            rig: self,
            zombies: Vec::new(),
            store: self.flaw.of(store, OWNER),
            log,
            oracle: Oracle::new(Arc::clone(&plan), &log_file)?,
            plan,
            until: Instant::now() + ROUND_MAX,
            folder,
        };
        round.play(seed)?;
        let mut counts = Counts::default();
        counts.add("resumes", ZOMBIES.into());
        counts.add("refused writes", round.oracle.losses);
        Ok(counts)
    }
}

/// One round. Its processes are dropped, and so killed, before its folder is.
struct Round<'a> {
    rig: &'a ZombieRig,
    zombies: Vec<Process>,
    store: Arc<dyn JobStore>,
    log: Log,
    oracle: Oracle,
    plan: Arc<Plan>,
    until: Instant,
    folder: tempfile::TempDir,
}

impl Round<'_> {
    fn play(&mut self, seed: u64) -> Result<()> {
        let mut rng = Rng::with_seed(seed);
        for job in &self.plan.jobs {
            block_on(self.store.init_from_manifest(job.id, &job.manifest()?)).context("put a job in")?;
        }
        self.raise(seed)?;
        for zombie in &self.zombies {
            zombie.signal(Signal::Stop)?;
            self.log.write(Record::of(Kind::Stopped, zombie.number))?;
        }
        let held = self.take_over(&mut rng)?;
        self.let_go_on()?;
        let heir = self.heir(&mut rng);
        for chunk in &held {
            heir.tell(chunk.fence().context("a claimed chunk has no fence")?, Deed::Complete)?;
        }
        heir.work()?;
        verify(&*self.store, &mut self.oracle, When::After).map(drop)
    }

    /// Starts the zombies, and waits until each holds its chunks.
    fn raise(&mut self, seed: u64) -> Result<()> {
        for number in 1..=ZOMBIES {
            let orders = Orders {
                role: Role::Zombie,
                engine: Engine::Sqlite,
                flaw: self.rig.flaw,
                number,
                seed,
                folder: self.folder.path().to_owned(),
                parent: std::process::id(),
            };
            self.zombies.push(Process::start(&self.rig.program, &orders)?);
        }
        while self.oracle.ready.len() < self.zombies.len() {
            self.oracle.pull()?;
            for zombie in &mut self.zombies {
                ensure!(zombie.ended()?.is_none(), "zombie {} failed: {}", zombie.number, zombie.said());
            }
            self.pause()?;
        }
        Ok(())
    }

    /// Claims every chunk that a zombie held, ends some, gives some back, and returns those that it still holds.
    fn take_over(&self, rng: &mut Rng) -> Result<Vec<JobState>> {
        let heir = self.heir(rng);
        let wanted = self.plan.len();
        let rng = rng.fork();
        thread::scope(|scope| {
            let until = self.until;
            let heir = scope.spawn(move || inherit(heir, wanted, rng, until));
            let mut begun = Instant::now();
            let mut next = 0;
            while !heir.is_finished() {
                self.pause()?;
                if begun.elapsed() > PATIENCE {
                    // Whoever waits for this lock waits for as long as its holder is stopped; that is no fault of the store.
                    self.let_go_for_a_moment(next)?;
                    next += 1;
                    begun = Instant::now();
                }
            }
            heir.join().unwrap_or_else(|_| Err(anyhow!("the heir panicked")))
        })
    }

    fn heir(&self, rng: &mut Rng) -> Hand<'_> {
        Hand {
            store: &*self.store,
            log: &self.log,
            plan: &self.plan,
            flaw: Flaw::None,
            worker: 0,
            thread: 0,
            rng: rng.fork(),
            longest: Duration::ZERO,
        }
    }

    fn let_go_for_a_moment(&self, which: usize) -> Result<()> {
        let Some(zombie) = self.zombies.get(which % self.zombies.len().max(1)) else { return Ok(()) };
        zombie.signal(Signal::Continue)?;
        thread::sleep(MOMENT);
        zombie.signal(Signal::Stop)
    }

    /// Has the zombies go on and write, and waits for their ends.
    fn let_go_on(&mut self) -> Result<()> {
        for zombie in &mut self.zombies {
            self.log.write(Record::of(Kind::Resumed, zombie.number))?;
            zombie.signal(Signal::Continue)?;
            zombie.tell();
        }
        for mut zombie in std::mem::take(&mut self.zombies) {
            let status = loop {
                if let Some(status) = zombie.ended()? {
                    break status;
                }
                self.pause()?;
            };
            self.oracle.pull()?;
            ensure!(status.success(), "zombie {} {status}: {}\n{}", zombie.number, zombie.said(), self.oracle.around(None));
        }
        Ok(())
    }

    fn pause(&self) -> Result<()> {
        ensure!(Instant::now() < self.until, "the round does not end\n{}", self.oracle.around(None));
        thread::sleep(Duration::from_micros(500));
        Ok(())
    }
}

/// Claims until every chunk was claimed once. A part is ended at once, a part given back in the end, a part held.
fn inherit(mut heir: Hand<'_>, wanted: usize, mut rng: Rng, until: Instant) -> Result<Vec<JobState>> {
    let (mut seen, mut held) = (BTreeSet::new(), Vec::new());
    while seen.len() < wanted {
        ensure!(Instant::now() < until, "{} of {wanted} chunks of the stopped were handed out anew", seen.len());
        let claimed = heir.claim()?;
        if claimed.is_empty() {
            thread::sleep(Duration::from_millis(1));
        }
        for chunk in claimed {
            seen.insert(chunk.chunk);
            let fence = chunk.fence().context("a claimed chunk has no fence")?;
            heir.log_intent(fence, Deed::Complete)?;
            if rng.u32(0..3) == 0 {
                heir.tell(fence, Deed::Complete)?;
            } else {
                held.push(chunk);
            }
        }
    }
    let (held, back): (Vec<_>, Vec<_>) = held.into_iter().partition(|_| rng.bool());
    for chunk in back {
        let fence = chunk.fence().context("a claimed chunk has no fence")?;
        heir.log_intent(fence, Deed::Return)?;
        heir.tell(fence, Deed::Return)?;
    }
    Ok(held)
}
