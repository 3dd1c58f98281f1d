//! What a pool lends, makes, checks and closes.

mod book;
mod check;
mod closing;
mod dial;
mod guard;
mod queue;
mod settings;
mod upkeep;

use std::time::Duration;

const MILLI: Duration = Duration::from_millis(1);
