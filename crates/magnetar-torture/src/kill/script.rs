//! Script.
use anyhow::Result;
use super::process::Orders;
pub(crate) fn play_traced(_orders: &Orders) -> Result<()> { Ok(()) }
