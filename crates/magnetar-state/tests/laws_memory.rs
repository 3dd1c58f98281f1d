//! The laws, on the store in memory.

use std::{process::ExitCode, sync::Arc, time::Duration};

use async_trait::async_trait;
use magnetar_state::{MemoryStore, StateStore};
use magnetar_testkit::{ManualClock, state::StateHarness};

struct Memory {
    clock: ManualClock,
}

#[async_trait]
impl StateHarness for Memory {
    async fn open(&self) -> Arc<dyn StateStore> {
        Arc::new(MemoryStore::new().clock(Arc::new(self.clock.clone())))
    }

    async fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    fn has_many_handles(&self) -> bool {
        false
    }
}

fn main() -> ExitCode {
    magnetar_testkit::state::main("memory", || Memory { clock: ManualClock::default() })
}
