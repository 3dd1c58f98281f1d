//! The laws, by what they are about.

mod insert;

use crate::law::Law;

/// Every law.
pub fn all() -> impl Iterator<Item = Law> {
    [insert::LAWS].into_iter().flatten().copied()
}
