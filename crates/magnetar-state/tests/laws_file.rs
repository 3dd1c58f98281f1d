//! The laws, on a store in a folder.

use std::{process::ExitCode, sync::Arc, time::Duration};

use async_trait::async_trait;
use magnetar_state::{FileOptions, StateStore};
use magnetar_testkit::{ManualClock, state::StateHarness};
use tempfile::TempDir;

struct Folder {
    clock: ManualClock,
    folder: TempDir,
}

#[async_trait]
impl StateHarness for Folder {
    async fn open(&self) -> Arc<dyn StateStore> {
        let options = FileOptions::new(self.folder.path().join("state")).clock(Arc::new(self.clock.clone()));
        Arc::new(options.open().await.expect("a folder opens"))
    }

    async fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    fn has_many_handles(&self) -> bool {
        true
    }
}

fn main() -> ExitCode {
    magnetar_testkit::state::main("file", || Folder {
        clock: ManualClock::default(),
        folder: tempfile::tempdir().expect("a folder for a test"),
    })
}
