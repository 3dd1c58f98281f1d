//! The laws, on a store in a redb file, with several handles of one process on one database.

use std::process::ExitCode;

use magnetar_redb::RedbBackend;
use magnetar_testkit::EmbeddedHarness;

fn main() -> ExitCode {
    magnetar_testkit::main("redb", || {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let backend = RedbBackend::open(&folder.path().join("jobs.redb")).expect("a fresh store").without_lock_files();
        EmbeddedHarness::threaded(move || {
            // The folder stays for as long as the harness.
            let _ = &folder;
            Box::new(backend.clone())
        })
    })
}
