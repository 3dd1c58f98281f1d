//! Which store and which job a command is about: one rule for all of them.
//!
//! A job is named by its manifest, whose store stands beside it (`jobs.toml` has `jobs.toml.db`), or by its store; `--store`
//! says where the store is instead, and `--job` which of several jobs is meant. Without `--job` it is the job of the manifest's
//! name (else of its file stem), and where there is no manifest to read, the only job there is.

mod name;
mod target;

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Result;
use magnetar::{ErrorKind, Job, JobStore, Location, Op};

pub(crate) use self::{name::job_name, target::Target};
use crate::{
    exit::{Code, fault, text_of},
    text::{clean, shell_word},
};

/// Jobs that a message names.
const JOBS_SHOWN: usize = 5;

/// A store that is open, and the manifest that led to it.
pub(crate) struct Site {
    pub(crate) store: Arc<dyn JobStore>,
    pub(crate) location: Location,
    pub(crate) manifest: Option<PathBuf>,
    /// The job, where it had to be named.
    job: Option<String>,
}

/// A job in a store that is open.
pub(crate) struct Found {
    pub(crate) site: Site,
    pub(crate) job: Job,
}

/// Where the store of a manifest is: beside it, or where the user says.
pub(crate) fn location_of(manifest: &Path, store: Option<&str>) -> Result<Location> {
    if let Some(store) = store {
        return Ok(store.parse()?);
    }
    let mut beside = manifest.as_os_str().to_owned();
    beside.push(".db");
    Ok(Location::of_file(beside)?)
}

impl Target {
    /// Opens the job that is meant. What dead processes held of it has come back by then.
    pub(crate) async fn find(&self) -> Result<Found> {
        let site = self.open().await?;
        match site.store.apply(vec![Op::Reap]).await {
            // What is damaged is told by whoever needs it; the rest can be looked at.
            Err(error) if !error.is_corrupt() => return Err(error.into()),
            _ => {}
        }
        let job = self.pick(&site).await?;
        Ok(Found { site, job })
    }

    /// The location that is meant, where there is a store.
    pub(crate) fn existing(&self) -> Result<Location> {
        let (location, manifest) = self.locate()?;
        refuse_absent(&location, manifest.as_deref())?;
        Ok(location)
    }

    /// Opens the store that is meant, if there is one: nothing is created by looking at it.
    pub(crate) async fn open(&self) -> Result<Site> {
        let (location, manifest) = self.locate()?;
        refuse_absent(&location, manifest.as_deref())?;
        let store = location.open().await.map_err(explain)?;
        Ok(Site { job: self.job().map(str::to_owned), ..Site::new(store, location, manifest) })
    }

    /// The job that is meant of those in a store.
    pub(crate) async fn pick(&self, site: &Site) -> Result<Job> {
        if let Some(wanted) = self.job() {
            return match named(site, wanted).await? {
                Some(job) => Ok(job),
                None => Err(fault(Code::NotFound, format!("{} holds no job {wanted:?}; {}", site.location, which(site).await?))),
            };
        }
        if let Some(name) = site.manifest.as_deref().and_then(name::of_manifest) {
            return match site.store.job_by_name(&name).await? {
                Some(job) => Ok(job),
                None => Err(fault(
                    Code::NotFound,
                    format!("{} holds no job {name:?}, as the manifest calls it; {}", site.location, which(site).await?),
                )),
            };
        }
        let mut jobs = site.store.jobs().await?;
        match (jobs.pop(), jobs.len()) {
            (Some(job), 0) => Ok(job),
            (None, _) => Err(fault(Code::NotFound, format!("{} holds no job yet", site.location))),
            (Some(_), _) => Err(fault(Code::Usage, format!("{} holds several jobs; {}", site.location, which(site).await?))),
        }
    }
}

impl Site {
    /// A store whose manifest, if there is one, names the job.
    pub(crate) fn new(store: Arc<dyn JobStore>, location: Location, manifest: Option<PathBuf>) -> Self {
        Self { store, location, manifest, job: None }
    }

    /// What to write on the command line to mean the same job again.
    pub(crate) fn as_argument(&self) -> String {
        let mut words: Vec<String> = self.manifest.iter().map(|manifest| manifest.display().to_string()).collect();
        let beside = self.manifest.as_deref().and_then(|manifest| location_of(manifest, None).ok());
        if beside.as_ref() != Some(&self.location) {
            words.extend(["--store".to_owned(), self.location.to_string()]);
        }
        words.extend(self.job.iter().flat_map(|job| ["--job".to_owned(), job.clone()]));
        words.iter().map(|word| shell_word(word)).collect::<Vec<_>>().join(" ")
    }
}

/// The job of this name, else of this id.
async fn named(site: &Site, wanted: &str) -> Result<Option<Job>> {
    if let Some(job) = site.store.job_by_name(wanted).await? {
        return Ok(Some(job));
    }
    match wanted.parse() {
        Ok(id) => Ok(site.store.job(id).await?),
        Err(_) => Ok(None),
    }
}

/// Says which jobs a store holds, and how to name one.
async fn which(site: &Site) -> Result<String> {
    let jobs = site.store.jobs().await?;
    let mut names: Vec<String> = jobs.iter().take(JOBS_SHOWN).map(title).collect();
    if jobs.len() > JOBS_SHOWN {
        names.push(format!("{} more", jobs.len() - JOBS_SHOWN));
    }
    Ok(match names.as_slice() {
        [] => "it holds no job yet".to_owned(),
        [only] => format!("it holds {only}: name it with --job"),
        all => format!("name one with --job: {}", all.join(", ")),
    })
}

/// A job by its name and its id.
pub(crate) fn title(job: &Job) -> String {
    match &job.name {
        Some(name) => format!("{name:?} (id {})", job.id),
        None => format!("job {}", job.id),
    }
}

/// Refuses a location where no store is, and says how one comes to be.
fn refuse_absent(location: &Location, manifest: Option<&Path>) -> Result<()> {
    let Some(file) = location.file() else {
        // What is on a server is for its own `open` to find.
        return if location.to_string().starts_with("memory") {
            Err(fault(Code::Usage, "a store in memory holds nothing once its process has ended; name a file"))
        } else {
            Ok(())
        };
    };
    let what = match fs::symlink_metadata(file) {
        Ok(metadata) if metadata.is_file() && metadata.len() == 0 => "is empty, so there is no store in it",
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => "is not there",
        _ => return Ok(()),
    };
    let way_out = match manifest {
        Some(manifest) if manifest.exists() => format!("`magnetar run {}` makes it", shell_word(&manifest.display().to_string())),
        Some(manifest) => format!("nor is the manifest {}; check the path", clean(&manifest.display().to_string())),
        None => "check the path, or make one with `magnetar run MANIFEST --store LOCATION`".to_owned(),
    };
    Err(fault(Code::NotFound, format!("the store {} {what}; {way_out}", clean(&location.to_string()))))
}

/// What opening a store has said, for whoever sits at the terminal.
pub(crate) fn explain(error: magnetar::Error) -> anyhow::Error {
    match error.kind() {
        ErrorKind::AlreadyOpen => fault(Code::Unavailable, format!("{error}, which can be looked at while a run works in it")),
        // A folder, a pipe, the file of another program: nothing is wrong with the command line.
        ErrorKind::Invalid => fault(Code::Unavailable, text_of(&error.into())),
        _ => error.into(),
    }
}
