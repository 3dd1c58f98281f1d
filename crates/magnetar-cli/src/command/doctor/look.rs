//! Where a doctor looks: at the file, whether it opens, and at every job in it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Result;
use magnetar::{Durability, Job, JobStore, Location, Sharing};

use super::{super::marks::chunks, finding::Finding};
use crate::{
    exit::{Code, code_of, text_of},
    overview::State,
    store::{Site, Target, title},
    text::thousands,
};

/// A log beyond this is worth knowing of: SQLite cuts it back to 64 MiB as soon as it can.
const LOG_BYTES_USUAL: u64 = 80 << 20;
/// Problems of a job that are told; the rest are counted.
const PROBLEMS_TOLD: usize = 20;
const KEEP_A_COPY: &str = "keep a copy of the file; `magnetar doctor --salvage NEW.db` puts what is whole into a new store";

/// What the file is like, from outside.
pub(super) fn at_file(location: &Location) -> Vec<Finding> {
    let Some(file) = location.file() else { return Vec::new() };
    let mut findings = Vec::new();
    let size = fs::metadata(file).map_or(0, |metadata| metadata.len());
    findings.push(Finding::ok("file", format!("{} bytes", thousands(size))));
    findings.extend(mode(file));
    let log = fs::metadata(beside(file, "-wal")).map_or(0, |metadata| metadata.len());
    if log > LOG_BYTES_USUAL {
        let found = format!("its log beside it has {} bytes", thousands(log));
        findings.push(Finding::note(
            "file",
            found,
            "a program reads for very long; once it ends, the next write cuts the log back",
        ));
    }
    findings
}

#[cfg(unix)]
fn mode(file: &Path) -> Option<Finding> {
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(file).ok()?.permissions()) & 0o777;
    let others = mode & 0o077;
    Some(if others == 0 {
        Finding::ok("file", format!("only its owner may open it (mode {mode:o})"))
    } else {
        Finding::note("file", format!("others may open it (mode {mode:o})"), "`chmod 600` it unless that is meant")
    })
}

#[cfg(not(unix))]
fn mode(_file: &Path) -> Option<Finding> {
    None
}

fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Whether it opens, and what is in it.
pub(super) async fn at_store(target: &Target) -> Vec<Finding> {
    let site = match target.open().await {
        Ok(site) => site,
        Err(error) => return vec![failure("store", &error)],
    };
    let mut findings = vec![opened(&site)];
    findings.extend(beside_jobs(&*site.store).await);
    match jobs(target, &site).await {
        Err(error) => findings.push(failure("store", &error)),
        Ok(jobs) if jobs.is_empty() => findings.push(Finding::note("store", "it holds no job", "")),
        Ok(jobs) => {
            for job in &jobs {
                findings.extend(at_job(&*site.store, job).await);
            }
        }
    }
    findings
}

/// The job that was named, else all.
async fn jobs(target: &Target, site: &Site) -> Result<Vec<Job>> {
    if target.names_job() { Ok(vec![target.pick(site).await?]) } else { Ok(site.store.jobs().await?) }
}

fn opened(site: &Site) -> Finding {
    let capabilities = site.store.capabilities();
    let survives = match capabilities.durability {
        Durability::Power => "what is acknowledged survives a power cut",
        Durability::Process => "what is acknowledged survives a kill",
        _ => "nothing survives its process",
    };
    let shared = match capabilities.sharing {
        Sharing::OneHandle | Sharing::OneProcess => "one process may have it open",
        Sharing::OneHost => "processes of this host share it",
        _ => "many hosts share it",
    };
    Finding::ok("store", format!("it opens ({}): {survives}, {shared}", capabilities.backend))
}

/// What belongs to no job.
async fn beside_jobs(store: &dyn JobStore) -> Vec<Finding> {
    match store.audit_store().await {
        Ok(audit) => problems("store", audit.problems),
        Err(error) => vec![failure("store", &error.into())],
    }
}

/// The first problems of many, and how many there are beside them.
fn problems(about: &str, problems: Vec<String>) -> Vec<Finding> {
    let count = problems.len();
    let bad = |found| Finding::bad(about, found, KEEP_A_COPY, Code::Corrupt);
    let mut findings: Vec<Finding> = problems.into_iter().take(PROBLEMS_TOLD).map(bad).collect();
    if count > PROBLEMS_TOLD {
        findings.push(bad(format!("{} problems more", count - PROBLEMS_TOLD)));
    }
    findings
}

async fn at_job(store: &dyn JobStore, job: &Job) -> Vec<Finding> {
    let about = title(job);
    let audit = match store.audit(job.id).await {
        Ok(audit) => audit,
        Err(error) => return vec![failure(&about, &error.into())],
    };
    let mut findings = problems(&about, audit.problems);
    if findings.is_empty() {
        findings.push(Finding::ok(&about, format!("{} together", chunks(audit.chunks, "fits", "fit"))));
    }
    findings.extend(standstill(&about, job));
    findings
}

/// Why nothing would happen to a job by itself, where it is not over.
fn standstill(about: &str, job: &Job) -> Option<Finding> {
    match State::of(job) {
        State::Stalled => Some(Finding::note(
            about,
            format!("it is stalled: {} held by what ended badly", chunks(job.stats.held, "is", "are")),
            "`magnetar retry` gives that another chance",
        )),
        _ if job.paused => Some(Finding::note(about, "it is paused", "nothing is handed out until it is resumed")),
        _ => None,
    }
}

/// An error as a finding. Its text names the way out.
pub(super) fn failure(about: &str, error: &anyhow::Error) -> Finding {
    let code = code_of(error);
    let way_out = if code == Code::Corrupt { KEEP_A_COPY } else { "" };
    Finding::bad(about, text_of(error), way_out, code)
}
