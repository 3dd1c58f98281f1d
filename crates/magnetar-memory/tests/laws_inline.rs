//! The laws, on a store in memory that works in the thread of its callers and does everything in small steps.

use std::process::ExitCode;

use magnetar_memory::MemoryBackend;
use magnetar_testkit::EmbeddedHarness;

fn main() -> ExitCode {
    magnetar_testkit::main("memory inline", || {
        let backend = MemoryBackend::default();
        EmbeddedHarness::inline(move || Box::new(backend.clone())).in_small_steps()
    })
}
