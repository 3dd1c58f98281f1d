//! The laws, by what they are about.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a law fails by panicking")]

mod budget;
mod claim;
mod dag;
mod failure;
mod fence;
mod group;
mod input;
mod insert;
mod job;
mod large;
mod marks;
mod park;
mod record;
mod shape;
mod snapshot;
mod support;
mod time;

use crate::law::Law;

/// Every law.
pub fn all() -> impl Iterator<Item = Law> {
    [
        budget::LAWS,
        budget::backoff::LAWS,
        budget::crashes::LAWS,
        claim::LAWS,
        claim::dropped::LAWS,
        claim::lanes::LAWS,
        claim::next::LAWS,
        claim::tokens::LAWS,
        claim::watch::LAWS,
        dag::LAWS,
        dag::depend::LAWS,
        failure::LAWS,
        failure::redrive::LAWS,
        failure::reopen::LAWS,
        failure::stalled::LAWS,
        fence::LAWS,
        fence::again::LAWS,
        fence::group::LAWS,
        group::LAWS,
        group::order::LAWS,
        input::LAWS,
        input::closed::LAWS,
        input::hostile::LAWS,
        input::policy::LAWS,
        input::size::LAWS,
        insert::LAWS,
        insert::again::LAWS,
        insert::checksum::LAWS,
        insert::job::LAWS,
        insert::numbered::LAWS,
        insert::reopen::LAWS,
        insert::stream::LAWS,
        job::LAWS,
        job::delete::LAWS,
        job::prune::LAWS,
        job::status::LAWS,
        job::walk::LAWS,
        large::LAWS,
        large::telling::LAWS,
        marks::LAWS,
        marks::batch::LAWS,
        marks::held::LAWS,
        marks::redrive::LAWS,
        marks::table::LAWS,
        park::LAWS,
        record::LAWS,
        record::page::LAWS,
        snapshot::LAWS,
        time::LAWS,
        time::sessions::LAWS,
        time::timeouts::LAWS,
    ]
    .into_iter()
    .flatten()
    .copied()
}
