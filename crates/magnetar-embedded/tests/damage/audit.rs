//! A row that was lost, came back after it was removed, or is an older version of itself: an audit tells of each.

use std::collections::BTreeSet;

use futures_lite::future::block_on;
use magnetar_core::{JobStore, Op};
use magnetar_embedded::Table;

use crate::tables::{Place, Tables, lived_in};

/// What audits say of a store, or that it does not open, or that a listing fails.
pub(crate) fn verdict(tables: &Tables) -> Vec<String> {
    block_on(async {
        let read = async {
            let store = tables.open()?;
            let mut problems = store.audit_store().await?.problems;
            for job in store.jobs().await? {
                problems.extend(store.audit(job.id).await?.problems);
            }
            std::mem::forget(store);
            Ok::<_, magnetar_core::Error>(problems)
        };
        read.await.unwrap_or_else(|error| vec![error.to_string()])
    })
}

/// Rows whose loss is safe or shows elsewhere: time ends sessions, and the row of numbers is checked against what they gave.
fn is_watched(place: &Place) -> bool {
    !matches!(place.0, Table::Session | Table::Meta)
}

#[test]
fn sound_store_has_rows_of_every_kind_and_no_problem() {
    let tables = lived_in();
    assert_eq!(verdict(&tables), Vec::<String>::new());
    let passing = [Table::Release, Table::Purge];
    let kinds: BTreeSet<Table> = tables.state().rows.keys().map(|(table, _)| *table).chain(passing).collect();
    assert_eq!(kinds, Table::ALL.into_iter().collect());
}

#[test]
fn every_row_that_is_lost_is_told() {
    let tables = lived_in();
    let places: Vec<_> = tables.state().rows.keys().cloned().collect();
    for place in places.into_iter().filter(is_watched) {
        assert_ne!(verdict(&tables.with(&place, None)), Vec::<String>::new(), "{place:?}");
    }
}

#[test]
fn every_row_that_is_an_old_one_or_came_back_is_told() {
    let tables = lived_in();
    let state = tables.state().clone();
    let mut tried = 0;
    for (place, row) in &state.history {
        if is_watched(place) && state.rows.get(place) != Some(row) {
            tried += 1;
            assert_ne!(verdict(&tables.with(place, Some(row))), Vec::<String>::new(), "{place:?}");
        }
    }
    assert!(tried > 20, "{tried}");
}

#[test]
fn store_that_lost_its_numbers_does_not_begin_anew() {
    let tables = lived_in();
    let numbers = tables.state().rows.keys().find(|(table, _)| *table == Table::Meta).unwrap().clone();
    let error = tables.with(&numbers, None).open().err().unwrap();
    assert!(error.is_corrupt(), "{error}");
}

#[test]
fn numbers_that_fell_behind_what_they_gave_are_told() {
    let tables = lived_in();
    let state = tables.state().clone();
    let first = state.history.iter().find(|((table, _), _)| *table == Table::Meta).unwrap();
    assert_ne!(verdict(&tables.with(&first.0, Some(&first.1))), Vec::<String>::new());
}

#[test]
fn damaged_counters_of_a_job_keep_nobody_from_the_others() {
    let tables = lived_in();
    let counters = (Table::Tally, 1_u64.to_be_bytes().to_vec());
    let damaged = tables.with(&counters, Some(&vec![0; 20]));
    let store = damaged.open().unwrap();
    block_on(async {
        let outcomes = store.submit(vec![vec![Op::Pause { job: 1 }], vec![Op::Pause { job: 2 }]]).await.unwrap();
        assert!(outcomes.get(1).unwrap().is_ok(), "{outcomes:?}");
        assert!(store.audit(2).await.unwrap().problems.is_empty());
    });
    std::mem::forget(store);
}

#[test]
fn every_damaged_row_is_told_and_the_audit_goes_on() {
    let tables = lived_in();
    let rows = tables.state().rows.clone();
    for (place, row) in rows.iter().filter(|(place, _)| !matches!(place.0, Table::Meta | Table::Session | Table::JobId)) {
        let mut damaged = row.clone();
        *damaged.first_mut().unwrap() ^= 1;
        let problems = verdict(&tables.with(place, Some(&damaged)));
        assert!(problems.iter().any(|problem| problem.contains("checksum")), "{place:?}: {problems:?}");
    }
}
