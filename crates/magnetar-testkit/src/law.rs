//! A law, and the runner that makes each a test of its own.

use std::{future::Future, pin::Pin, process::ExitCode, sync::Arc};

use futures_lite::future::block_on;
use libtest_mimic::{Arguments, Trial};

use crate::harness::{Harness, World};

type Run<W> = for<'a> fn(&'a mut W) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// A promise that every store keeps, and the test that holds it to it.
pub struct Law<W = World> {
    /// The promise, as a sentence with underscores.
    pub name: &'static str,
    /// Whether the test opens a second handle beside the first.
    pub needs_many_handles: bool,
    /// The test. It panics where the promise is broken.
    pub run: Run<W>,
}

impl<W> Clone for Law<W> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<W> Copy for Law<W> {}

/// Makes laws of async functions over a world; `many` marks those that open a second handle.
macro_rules! laws {
    (@many many) => { true };
    (@many) => { false };
    ($($(@$many:ident)? $name:ident),* $(,)?) => {
        &[$($crate::law::Law {
            name: stringify!($name),
            needs_many_handles: $crate::law::laws!(@many $($many)?),
            run: |world| Box::pin($name(world)),
        }),*]
    };
}
pub(crate) use laws;

/// Runs every law against stores of a harness, each in a fresh one: the whole `main` of a backend's test.
pub fn main<H, F>(backend: &str, fresh: F) -> ExitCode
where
    H: Harness + 'static,
    F: Fn() -> H + Send + Sync + 'static,
{
    let fresh = Arc::new(fresh);
    let trials = crate::laws::all()
        .map(|law| {
            let fresh = Arc::clone(&fresh);
            Trial::test(format!("{backend}::{}", law.name), move || {
                check(law, Box::new(fresh()));
                Ok(())
            })
        })
        .collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// Runs one law and then audits whatever it left. A backend with one handle has nothing to show for laws of many.
fn check(law: Law, harness: Box<dyn Harness>) {
    if law.needs_many_handles && !harness.has_many_handles() {
        return;
    }
    block_on(async {
        let mut world = World::new(harness).await;
        (law.run)(&mut world).await;
        world.audit().await;
    });
}
