//! What every store of resume tokens must do, as tests that any store can run.
//!
//! A store's test is a `main` of a few lines, with `harness = false`, as for job stores:
//!
//! ```text
//! fn main() -> ExitCode {
//!     magnetar_testkit::state::main("mine", || harness_of_a_fresh_store())
//! }
//! ```

mod harness;
mod laws;
pub mod samples;

use std::{process::ExitCode, sync::Arc};

use libtest_mimic::{Arguments, Trial};

pub use self::{
    harness::{StateHarness, World},
    laws::all as laws,
};
use crate::law::Law;

/// Runs every law against stores of a harness, each in a fresh one: the whole `main` of a store's test.
pub fn main<H, F>(backend: &str, fresh: F) -> ExitCode
where
    H: StateHarness + 'static,
    F: Fn() -> H + Send + Sync + 'static,
{
    libtest_mimic::run(&Arguments::from_args(), trials(backend, fresh)).exit_code()
}

/// The laws as tests, for a `main` that has others beside them. Laws of many handles are left out for a store that has one.
pub fn trials<H, F>(backend: &str, fresh: F) -> Vec<Trial>
where
    H: StateHarness + 'static,
    F: Fn() -> H + Send + Sync + 'static,
{
    let has_many_handles = fresh().has_many_handles();
    let fresh = Arc::new(fresh);
    laws::all()
        .filter(|law| has_many_handles || !law.needs_many_handles)
        .map(|law| {
            let fresh = Arc::clone(&fresh);
            Trial::test(format!("{backend}::{}", law.name), move || {
                check(law, fresh());
                Ok(())
            })
        })
        .collect()
}

/// Runs one law and then lists whatever it left: nothing of that may be damaged.
fn check(law: Law<World>, harness: impl StateHarness + 'static) {
    let harness: Arc<dyn StateHarness> = Arc::new(harness);
    harness.block_on(Box::pin(async {
        let mut world = World::new(Arc::clone(&harness)).await;
        (law.run)(&mut world).await;
        world.audit().await;
    }));
}
