//! The laws, by what they are about.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a law fails by panicking")]

mod budget;
mod claim;
mod fence;
mod insert;
mod marks;
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
        fence::LAWS,
        fence::again::LAWS,
        fence::group::LAWS,
        insert::LAWS,
        insert::again::LAWS,
        insert::checksum::LAWS,
        insert::job::LAWS,
        insert::numbered::LAWS,
        insert::reopen::LAWS,
        insert::stream::LAWS,
        marks::LAWS,
        marks::batch::LAWS,
        marks::held::LAWS,
        marks::redrive::LAWS,
        marks::table::LAWS,
        time::LAWS,
        time::sessions::LAWS,
        time::timeouts::LAWS,
    ]
    .into_iter()
    .flatten()
    .copied()
}
