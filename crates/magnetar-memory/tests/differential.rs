//! Random steps on a store in memory and on the reference model, which must agree.

use magnetar_memory::MemoryBackend;
use magnetar_testkit::{Differential, EmbeddedHarness, Harness, differential};

#[test]
fn store_agrees_with_the_model_over_random_steps() {
    let tally = differential(
        || {
            let backend = MemoryBackend::default();
            let harness = EmbeddedHarness::inline(move || Box::new(backend.clone()));
            vec![("memory".to_owned(), Box::new(harness) as Box<dyn Harness>)]
        },
        Differential::default(),
    );
    println!("{tally}");
}
