//! The laws, on a store in a SQLite file.

use std::process::ExitCode;

use magnetar_sqlite::SqliteBackend;
use magnetar_testkit::EmbeddedHarness;

fn main() -> ExitCode {
    magnetar_testkit::main("sqlite", || {
        let folder = tempfile::tempdir().expect("a folder for a store");
        EmbeddedHarness::threaded(move || {
            Box::new(SqliteBackend::open(folder.path().join("jobs.db")).expect("a fresh store opens"))
        })
    })
}
