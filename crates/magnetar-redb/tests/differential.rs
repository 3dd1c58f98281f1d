//! The differential test: random steps on redb and on the model, which must agree.
//!
//! It runs in redb's storage in memory: the same trees without the price of a flush, which the laws pay.

use magnetar_redb::RedbBackend;
use magnetar_testkit::{Differential, EmbeddedHarness, Harness, differential};
use redb::backends::InMemoryBackend;

#[test]
fn redb_agrees_with_the_model() {
    let harness = || -> Box<dyn Harness> {
        let backend = RedbBackend::on_storage(InMemoryBackend::new()).expect("a fresh store");
        Box::new(EmbeddedHarness::inline(move || Box::new(backend.clone())))
    };
    differential(|| vec![("redb".to_owned(), harness())], Differential::default());
}
