//! The laws, on a store in memory with threads.

use std::process::ExitCode;

use magnetar_memory::MemoryBackend;
use magnetar_testkit::EmbeddedHarness;

fn main() -> ExitCode {
    magnetar_testkit::main("memory", || {
        let backend = MemoryBackend::default();
        EmbeddedHarness::threaded(move || Box::new(backend.clone()))
    })
}
