//! The arguments that name a job.

use std::{ffi::OsString, path::PathBuf};

use anyhow::Result;
use clap::Args;
use magnetar::Location;

use super::{location_of, name};
use crate::{
    exit::{Code, fault},
    span::Span,
};

/// The job that a command is about.
#[derive(Args, Debug)]
pub(crate) struct Target {
    /// The job's manifest, or its store. The store of jobs.toml is jobs.toml.db
    #[arg(value_name = "TARGET")]
    what: Option<OsString>,
    #[arg(long, value_name = "LOCATION", env = "MAGNETAR_STORE", hide_env_values = true, help = STORE)]
    store: Option<String>,
    /// Which job, by name or id, where the store holds several
    #[arg(long, value_name = "JOB")]
    job: Option<String>,
}

const STORE: &str = "Where the store is, if not beside the manifest: a path, sqlite://PATH or redb://PATH";

impl Target {
    /// Reads what stands in the place of the target as chunks where it is: `magnetar show 17 --store jobs.db`.
    pub(crate) fn take_spans(&mut self, spans: &mut Vec<Span>) {
        if let Some(span) = self.what.as_ref().and_then(|target| target.to_str()?.parse().ok()) {
            self.what = None;
            spans.insert(0, span);
        }
    }

    /// Whether a job was named with `--job`.
    pub(crate) fn names_job(&self) -> bool {
        self.job.is_some()
    }

    /// The job that was named with `--job`.
    pub(super) fn job(&self) -> Option<&str> {
        self.job.as_deref()
    }

    /// The store that is meant, and the manifest where one was named.
    pub(crate) fn locate(&self) -> Result<(Location, Option<PathBuf>)> {
        let Some(target) = &self.what else {
            let Some(store) = &self.store else {
                return Err(fault(
                    Code::Usage,
                    "name the job: its manifest as in `jobs.toml`, or its store as in `--store jobs.db`",
                ));
            };
            return Ok((store.parse()?, None));
        };
        match name::store_in(target)? {
            None => {
                let manifest = PathBuf::from(target);
                Ok((location_of(&manifest, self.store.as_deref())?, Some(manifest)))
            }
            Some(_) if self.store.is_some() => Err(fault(
                Code::Usage,
                format!("{} and --store (or MAGNETAR_STORE) both name a store; leave one out", target.display()),
            )),
            Some(location) => Ok((location, None)),
        }
    }
}
