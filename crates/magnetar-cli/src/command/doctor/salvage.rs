//! `magnetar doctor --salvage`: what is whole, in a new store.

use magnetar::Location;

use super::{super::marks::chunks, finding::Finding, look::failure};
use crate::{exit::Code, text::thousands};

/// Salvages a store, and tells what is in the new one and what is not.
pub(super) fn into_new(from: &Location, to: &Location) -> Vec<Finding> {
    let salvaged = match from.salvage_to(to) {
        Ok(salvaged) => salvaged,
        Err(error) => return vec![failure("salvage", &error.into())],
    };
    let jobs = if salvaged.jobs == 1 { "1 job".to_owned() } else { format!("{} jobs", thousands(salvaged.jobs)) };
    let whole = format!("{to} holds {jobs}; {} there", chunks(salvaged.chunks, "is", "are"));
    let mut findings = vec![Finding::ok("salvage", whole)];
    if salvaged.records > 0 {
        findings.push(Finding::ok("salvage", format!("{} of its records are there", thousands(salvaged.records))));
    }
    let lost = "see that you can do without, or `magnetar run` the job in a new store";
    findings.extend(salvaged.losses.into_iter().map(|loss| Finding::bad("salvage", loss, lost, Code::Corrupt)));
    findings
}
