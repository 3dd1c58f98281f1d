//! What `checkpoint` and `restore` share: where checkpoints are kept, and how what they hold is told.

use std::path::PathBuf;

use anyhow::Result;
use magnetar::{Location, Restored};

use super::marks::chunks;
use crate::{
    exit::{Code, fault},
    text::{clean, thousands},
};

/// The folder of a store's checkpoints: beside it, unless the user says where.
pub(super) fn folder_of(told: Option<PathBuf>, store: &Location, option: &str) -> Result<PathBuf> {
    if let Some(folder) = told {
        return Ok(folder);
    }
    let Some(file) = store.file() else {
        let store = store.to_string();
        let store = clean(&store);
        return Err(fault(
            Code::Usage,
            format!("{store} is in no folder of its own; say where its checkpoints are with {option}"),
        ));
    };
    let mut beside = file.as_os_str().to_owned();
    beside.push(".checkpoints");
    Ok(beside.into())
}

/// So many jobs, chunks and records.
pub(super) fn amount(of: &Restored) -> String {
    let jobs = if of.jobs == 1 { "1 job".to_owned() } else { format!("{} jobs", thousands(of.jobs)) };
    let amount = format!("{jobs} with {}", chunks(of.chunks, "", "").trim_end());
    match of.records {
        0 => amount,
        1 => format!("{amount}, and 1 record"),
        records => format!("{amount}, and {} records", thousands(records)),
    }
}
