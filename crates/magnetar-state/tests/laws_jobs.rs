//! The laws, on state beside jobs: in memory, in a SQLite file and in a redb file.

use std::{path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

use async_trait::async_trait;
use libtest_mimic::Arguments;
use magnetar_core::JobStore;
use magnetar_memory::MemoryStore;
use magnetar_redb::RedbStore;
use magnetar_sqlite::SqliteStore;
use magnetar_state::{JobStateStore, StateStore};
use magnetar_testkit::{
    ManualClock,
    state::{StateHarness, trials},
};
use tempfile::TempDir;

/// How a job store is opened: each handle of state on a job store of its own, or all on one.
type Open = fn(PathBuf) -> Arc<dyn JobStore>;

struct Jobs {
    clock: ManualClock,
    folder: TempDir,
    open: Open,
    shared: Option<Arc<dyn JobStore>>,
}

impl Jobs {
    fn own(open: Open) -> Self {
        let folder = tempfile::tempdir().expect("a folder for a test");
        Self { clock: ManualClock::default(), folder, open, shared: None }
    }

    fn shared(file: &str, open: Open) -> Self {
        let jobs = Self::own(open);
        Self { shared: Some(open(jobs.folder.path().join(file))), ..jobs }
    }
}

#[async_trait]
impl StateHarness for Jobs {
    async fn open(&self) -> Arc<dyn StateStore> {
        let jobs = self.shared.clone().unwrap_or_else(|| (self.open)(self.folder.path().join("jobs.db")));
        Arc::new(JobStateStore::new(jobs).clock(Arc::new(self.clock.clone())))
    }

    async fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    fn has_many_handles(&self) -> bool {
        true
    }
}

fn memory(_: PathBuf) -> Arc<dyn JobStore> {
    Arc::new(futures_lite::future::block_on(MemoryStore::open()).expect("a store in memory"))
}

fn sqlite(path: PathBuf) -> Arc<dyn JobStore> {
    Arc::new(futures_lite::future::block_on(SqliteStore::open(path)).expect("a SQLite store"))
}

fn redb(path: PathBuf) -> Arc<dyn JobStore> {
    Arc::new(futures_lite::future::block_on(RedbStore::open(path)).expect("a redb store"))
}

fn main() -> ExitCode {
    let all = [
        trials("jobs in memory", || Jobs::shared("jobs", memory)),
        trials("jobs in SQLite", || Jobs::own(sqlite)),
        trials("jobs in redb", || Jobs::shared("jobs.redb", redb)),
    ];
    libtest_mimic::run(&Arguments::from_args(), all.into_iter().flatten().collect()).exit_code()
}
