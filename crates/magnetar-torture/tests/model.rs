//! The protocol model, explored to its end; and each flaw, found.

use magnetar_torture::model::{Config, Flaw, explore};

const THREADS: usize = 2;

#[test]
fn every_state_of_the_protocol_keeps_what_is_promised() {
    let found = explore(Config::default(), THREADS);
    println!("{found}");
    assert!(found.broken.is_empty() && found.never_seen.is_empty(), "{found}");
    assert!(found.states >= 1_000_000, "{found}");
}

fn broken_by(flaw: Flaw) -> Vec<&'static str> {
    let found = explore(Config { flaw: Some(flaw), ..Config::default() }, 1);
    println!("{flaw:?}: {found}");
    found.broken.into_keys().collect()
}

#[test]
fn worker_without_a_fence_is_found() {
    assert_eq!(broken_by(Flaw::NoFence), ["a stale fence changes nothing"]);
}

#[test]
fn worker_whose_fence_is_its_name_is_found() {
    assert_eq!(broken_by(Flaw::OwnerName), ["a stale fence changes nothing"]);
}

#[test]
fn flush_that_did_not_happen_is_found() {
    assert_eq!(broken_by(Flaw::LostFlush), ["nothing acknowledged is lost"]);
}
