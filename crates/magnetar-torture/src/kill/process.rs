//! Worker processes: the rig's own program once more, killed by their number and always waited for.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
};

use anyhow::{Context, Result, bail};

use super::{
    engine::Engine,
    flaw::Flaw,
    sys::{self, Signal},
};

/// The first argument of a program that is to be a worker.
pub const WORKER: &str = "--worker";

/// What a worker is told.
#[derive(Clone, Debug)]
pub(crate) struct Orders {
    pub(crate) role: Role,
    pub(crate) engine: Engine,
    pub(crate) flaw: Flaw,
    /// Its number in the log.
    pub(crate) number: u32,
    /// What the plan is made from.
    pub(crate) seed: u64,
    /// Where the store and the log are.
    pub(crate) folder: PathBuf,
    /// The process that started it, with which it dies.
    pub(crate) parent: u32,
}

/// What a worker does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Works on the plan until nothing is open.
    Works,
    /// Puts the plan in first.
    Begins,
    /// Claims, and writes when it is told, which is after it was taken for dead.
    Zombie,
    /// Plays the fixed workload, traced by its parent.
    Script,
}

const ROLES: [(&str, Role); 4] =
    [("works", Role::Works), ("begins", Role::Begins), ("zombie", Role::Zombie), ("script", Role::Script)];

impl Orders {
    /// The folder of the store alone.
    pub(crate) fn store(&self) -> PathBuf {
        store(&self.folder)
    }

    /// The file of the store.
    pub(crate) fn file(&self) -> PathBuf {
        self.engine.file(&self.store())
    }

    pub(crate) fn log(&self) -> PathBuf {
        log(&self.folder)
    }

    fn to_args(&self) -> Vec<String> {
        let role = ROLES.iter().find(|(_, role)| *role == self.role).map_or("", |(name, _)| name);
        let words = [role, self.engine.name(), self.flaw.name()].map(str::to_owned);
        let numbers = [self.number.to_string(), self.seed.to_string(), self.parent.to_string()];
        [WORKER.to_owned()].into_iter().chain(words).chain(numbers).chain([self.folder.display().to_string()]).collect()
    }

    /// What the arguments behind [`WORKER`] say.
    pub(crate) fn from_args(args: &[String]) -> Result<Self> {
        let [role, engine, flaw, number, seed, parent, folder] = args else {
            bail!("`{WORKER}` is for the rigs alone");
        };
        Ok(Self {
            role: ROLES.iter().find(|(name, _)| name == role).map(|(_, role)| *role).context("there is no such role")?,
            engine: Engine::by_name(engine)?,
            flaw: Flaw::by_name(flaw)?,
            number: number.parse()?,
            seed: seed.parse()?,
            parent: parent.parse()?,
            folder: PathBuf::from(folder),
        })
    }
}

/// The folder of the store alone, within that of a round.
pub(crate) fn store(folder: &Path) -> PathBuf {
    folder.join("store")
}

/// The log, within the folder of a round.
pub(crate) fn log(folder: &Path) -> PathBuf {
    folder.join("log")
}

/// A folder for a round, with one for the store in it.
///
/// In memory where that can be had: a kill takes nothing from the kernel, so a disk would only make it slower.
pub(crate) fn folder() -> Result<tempfile::TempDir> {
    let mut named = tempfile::Builder::new();
    named.prefix("magnetar-kill-");
    let folder = named.tempdir_in("/dev/shm").or_else(|_| named.tempdir()).context("make a folder")?;
    fs::create_dir(store(folder.path())).context("make a folder")?;
    Ok(folder)
}

/// Starts a worker, and says where what it says is to be found.
pub(crate) fn spawn(program: &Path, orders: &Orders) -> Result<(Child, PathBuf)> {
    let said = orders.folder.join(format!("said-{}", orders.number));
    let output = File::create(&said).context("make a file")?;
    let mut command = Command::new(program);
    command.args(orders.to_args()).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(output);
    let child = command.spawn().with_context(|| format!("start {}", program.display()))?;
    Ok((child, said))
}

/// A worker. It is killed and waited for when this is dropped.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) number: u32,
    child: Child,
    said: PathBuf,
}

impl Process {
    /// Starts a worker. What it says goes into a file, of which a failure shows the end.
    pub(crate) fn start(program: &Path, orders: &Orders) -> Result<Self> {
        let (child, said) = spawn(program, orders)?;
        Ok(Self { number: orders.number, child, said })
    }

    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        sys::signal(self.child.id(), signal)
    }

    /// Kills it, and returns once it is gone.
    pub(crate) fn kill(&mut self) -> Result<ExitStatus> {
        self.child.kill().context("kill a worker")?;
        self.child.wait().context("wait for a worker")
    }

    /// How it has ended; none while it lives.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().context("look at a worker")
    }

    /// Ends what it can read, which is what zombies wait for.
    pub(crate) fn tell(&mut self) {
        drop(self.child.stdin.take());
    }

    /// What it said of its end.
    pub(crate) fn said(&self) -> String {
        fs::read_to_string(&self.said).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_file(&self.said);
    }
}
