//! The rigs: every act of a workload fails in turn.

use std::{fs, sync::Arc};

use anyhow::{Context, Result, bail};
use magnetar_redb::RedbBackend;
use magnetar_sqlite::SqliteBackend;

use super::{
    kind::{Kind, Length},
    plan::Plan,
    run::Run,
    steps::{Done, rehearse},
};
use crate::{
    folder, panics,
    rig::{Counts, Rig},
    site::{RedbSite, Site, SqliteSite},
    storage::Storage,
    vfs,
    workload::Script,
};

/// Turns of a workload.
const TURNS: usize = 12;

/// The faults that are swept, one of them in a round.
const SWEEPS: [(Kind, Length); 8] = [
    (Kind::Device, Length::Once),
    (Kind::Device, Length::FromThereOn),
    (Kind::Full, Length::Once),
    (Kind::Full, Length::FromThereOn),
    (Kind::Short, Length::Once),
    (Kind::Short, Length::FromThereOn),
    (Kind::Flush, Length::Once),
    (Kind::Flush, Length::FromThereOn),
];

/// Breaks the disk under a SQLite store.
#[derive(Clone, Copy, Debug, Default)]
pub struct FaultsSqlite {
    /// Whether the disk keeps its faults to itself, for a control.
    pub swallows: bool,
}

/// Breaks the disk under a redb store.
#[derive(Clone, Copy, Debug, Default)]
pub struct FaultsRedb {
    /// Whether the disk keeps its faults to itself, for a control.
    pub swallows: bool,
}

impl Rig for FaultsSqlite {
    fn name(&self) -> &'static str {
        "faults-sqlite"
    }

    fn round(&self, seed: u64) -> Result<Counts> {
        let folder = folder::in_memory()?;
        let site = SqliteSite::new(&folder, "store")?;
        let path = site.path(SqliteSite::MAIN);
        SqliteBackend::open(&path).map(drop)?;
        // Every third workload begins with no store at all.
        let made = if workload(seed).is_multiple_of(3) { None } else { Some(fs::read(&path)?) };
        sweep(&SqliteDisk { site, made }, seed, self.swallows)
    }
}

impl Rig for FaultsRedb {
    fn name(&self) -> &'static str {
        "faults-redb"
    }

    fn round(&self, seed: u64) -> Result<Counts> {
        let storage = Storage::new(Vec::new());
        RedbBackend::on_storage(storage.clone()).map(drop)?;
        sweep(&RedbDisk { site: RedbSite::new(storage.clone()), made: storage.bytes() }, seed, self.swallows)
    }
}

/// A disk with a store on it, which can be broken.
trait Disk {
    /// Puts the store there as it was before the first step, behind this plan.
    fn lay(&self, plan: &Arc<Plan>) -> Result<()>;

    /// Does something with the plan in force.
    fn under(&self, plan: &Arc<Plan>, what: &mut dyn FnMut() -> Result<()>) -> Result<()>;

    fn site(&self) -> &dyn Site;
}

struct SqliteDisk {
    site: SqliteSite,
    made: Option<Vec<u8>>,
}

impl Disk for SqliteDisk {
    fn lay(&self, _plan: &Arc<Plan>) -> Result<()> {
        Ok(self.site.lay(self.made.as_ref().map(|made| (SqliteSite::MAIN, made.as_slice())))?)
    }

    fn under(&self, plan: &Arc<Plan>, what: &mut dyn FnMut() -> Result<()>) -> Result<()> {
        vfs::tapped(Arc::clone(plan) as _, what)
    }

    fn site(&self) -> &dyn Site {
        &self.site
    }
}

struct RedbDisk {
    site: RedbSite,
    made: Vec<u8>,
}

impl Disk for RedbDisk {
    fn lay(&self, plan: &Arc<Plan>) -> Result<()> {
        self.site.lay(Storage::new(self.made.clone()).tapped(Arc::clone(plan) as _));
        Ok(())
    }

    fn under(&self, _plan: &Arc<Plan>, what: &mut dyn FnMut() -> Result<()>) -> Result<()> {
        what()
    }

    fn site(&self) -> &dyn Site {
        &self.site
    }
}

/// The workload of a round.
fn workload(seed: u64) -> u64 {
    seed / SWEEPS.len() as u64
}

/// The fault of a round.
fn fault(seed: u64, swallows: bool) -> (Kind, Length) {
    let at = usize::try_from(seed % SWEEPS.len() as u64).unwrap_or_default();
    let (kind, length) = SWEEPS.get(at).copied().unwrap_or((Kind::Device, Length::Once));
    if swallows { (Kind::Swallowed, length) } else { (kind, length) }
}

/// Lets every act of a workload fail, one run each.
fn sweep(disk: &dyn Disk, seed: u64, swallows: bool) -> Result<Counts> {
    let (kind, length) = fault(seed, swallows);
    let well = Arc::new(Plan::new(kind, length, None));
    disk.lay(&well)?;
    let steps = rehearse(disk.site(), &mut Script::new(workload(seed)), TURNS).context("without a fault")?;
    let well = Arc::new(Plan::new(kind, length, None));
    once(disk, &well, &steps, kind).context("without a fault")?;
    let mut counts = Counts::default();
    counts.add("workloads", 1);
    for at in 0..well.seen() {
        let plan = Arc::new(Plan::new(kind, length, Some(at)));
        let what = || format!("{kind:?}, {length:?}, at act {at} of {}: {}", well.seen(), plan.first());
        let (done, panics) = panics::watch(|| once(disk, &plan, &steps, kind));
        done.with_context(what)?;
        if let Some(panic) = panics.first() {
            bail!("{}: {panic}", what());
        }
        counts.add("faults", u64::from(plan.has_failed()));
    }
    Ok(counts)
}

fn once(disk: &dyn Disk, plan: &Arc<Plan>, steps: &[Done], kind: Kind) -> Result<()> {
    disk.lay(plan)?;
    disk.under(plan, &mut || Run { site: disk.site(), steps, plan, kind }.play())
}
