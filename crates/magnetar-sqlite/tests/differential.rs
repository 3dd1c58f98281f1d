//! Random steps on a store in a SQLite file and on the reference model, which must agree.

use magnetar_sqlite::SqliteBackend;
use magnetar_testkit::{Differential, EmbeddedHarness, Harness, differential};

#[test]
fn store_agrees_with_the_model_over_random_steps() {
    // Each commit is a flush, and each read of such a handle opens the file anew.
    let config = Differential { operations: 2_000, ..Differential::default() };
    differential(
        || {
            let folder = tempfile::tempdir().expect("a folder for a store");
            let open = move || SqliteBackend::open(folder.path().join("jobs.db")).expect("a fresh store opens");
            let harness = EmbeddedHarness::inline(move || Box::new(open()));
            vec![("sqlite".to_owned(), Box::new(harness) as Box<dyn Harness>)]
        },
        config,
    );
}
