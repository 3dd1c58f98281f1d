//! What is to be run, before any store is opened.

use std::{
    env,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use magnetar::{JobSpec, Location};

use super::{
    args::RunArgs,
    each::{self, Files},
    manifest::{self, Chunks},
};
use crate::{
    store::{job_name, location_of},
    work::Base,
};

/// A job, and where it is kept.
#[derive(Debug)]
pub(super) struct Plan {
    /// The name of the job.
    pub(super) name: String,
    pub(super) spec: JobSpec,
    pub(super) source: Source,
    /// Where its relative paths begin.
    pub(super) base: Base,
    pub(super) location: Location,
    /// The manifest; none for `--each`.
    pub(super) manifest: Option<PathBuf>,
}

/// Where the chunks come from.
#[derive(Debug)]
pub(super) enum Source {
    /// A manifest.
    Manifest(Chunks),
    /// The files that match.
    Each(Files),
}

impl Plan {
    /// Reads the manifest, or looks for the files.
    pub(super) fn of(args: &RunArgs) -> Result<Self> {
        match &args.manifest {
            Some(path) => Self::of_manifest(path, args.store.as_deref()),
            None => Self::of_each(args),
        }
    }

    fn of_manifest(path: &Path, store: Option<&str>) -> Result<Self> {
        let read = manifest::read(path)?;
        let path_as_given = path.to_owned();
        // The folder of a link's target may be anywhere; what the manifest says is about where the user sees it.
        let path = std::path::absolute(path).with_context(|| format!("find the folder of {}", path.display()))?;
        let folder = path.parent().map_or_else(|| path.clone(), Path::to_owned);
        Ok(Self {
            name: job_name(&path, read.spec.name.as_deref()),
            spec: JobSpec { name: None, ..read.spec },
            source: Source::Manifest(read.chunks),
            base: Base::new(folder),
            location: location_of(&path_as_given, store)?,
            manifest: Some(path_as_given),
        })
    }

    fn of_each(args: &RunArgs) -> Result<Self> {
        let command = each::Command::parse(&args.command)?;
        let name = each::name(args.name.as_deref(), &args.each, &args.command)?;
        let location = match &args.store {
            Some(store) => store.parse()?,
            None => each::location(&name)?,
        };
        let files = Files::find(&args.each, command, &location)?;
        let folder = env::current_dir().context("find the folder that this runs in")?;
        let source = Source::Each(files);
        Ok(Self { name, spec: each::spec(), source, base: Base::new(folder), location, manifest: None })
    }
}
