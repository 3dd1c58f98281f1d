//! One attempt at a chunk: its inputs are read, its command is run, and what came of it is written down with its end.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use magnetar::{Attempt, Completion, Failure, JobState};
use tokio::task::spawn_blocking;

use super::{progress::Progress, slots::Slots};
use crate::{
    exec::{self, End, Supervisors},
    fingerprint::Fingerprint,
    outcome::{self, Outcome},
    text::clean,
    time::now,
    work::{Base, Surroundings, Work},
};

/// Characters of a line of output that an error takes up.
const LINE_CHARS: usize = 200;

/// What every attempt needs.
pub(super) struct Shop {
    pub(super) supervisors: Supervisors,
    pub(super) base: Base,
    /// The name of the job.
    pub(super) job: String,
    pub(super) progress: Progress,
    pub(super) slots: Slots,
}

impl Shop {
    /// Works on one chunk.
    pub(super) async fn work(self: Arc<Self>, attempt: Attempt) -> Result<Completion, Failure> {
        let slot = tokio::select! {
            slot = self.slots.take(attempt.fence()) => slot,
            _ = attempt.cancelled() => return Err(Failure::release()),
        };
        let running = self.progress.running(attempt.fence(), attempt.chunk());
        let came = self.attempt(&attempt).await;
        drop(running);
        slot.gather().await;
        came
    }

    async fn attempt(&self, attempt: &Attempt) -> Result<Completion, Failure> {
        let work = Work::of(&attempt.chunk().extra).map_err(Failure::permanent)?;
        let inputs = tokio::select! {
            prepared = prepare(&self.base, &work, attempt.chunk()) => prepared.map_err(Failure::permanent)?,
            _ = attempt.cancelled() => return Err(Failure::release()),
        };
        let stop = async {
            let _ = attempt.cancelled().await;
        };
        let came = self.supervisors.run(self.command(&work, attempt), stop).await;
        if came.end == End::Stopped {
            // What it did counts for nothing, and costs nothing.
            return Err(Failure::release());
        }
        let error = (!came.is_success()).then(|| failure(&came));
        let mut outcome = Outcome::of_command(attempt.number(), attempt.fence().token().get(), now(), came);
        outcome.inputs = inputs;
        let key = outcome::key(attempt.fence().job(), attempt.fence().chunk());
        match error {
            None => Ok(Completion::new(outcome.to_json())),
            Some(failure) => Err(failure.record(outcome::SPACE, key, outcome.to_json())),
        }
    }

    fn command(&self, work: &Work, attempt: &Attempt) -> exec::Command {
        let chunk = attempt.chunk();
        // Ids of jobs are numbered from 1 in every store, so they would not tell jobs apart.
        let key = chunk.key.clone().unwrap_or_else(|| format!("{}:{}", self.job, chunk.chunk));
        work.command(&Surroundings {
            base: &self.base,
            job: &self.job,
            chunk: chunk.chunk,
            attempt: attempt.number(),
            token: attempt.fence().token().get(),
            key: &key,
        })
    }
}

/// What keeps a command from being started. Another try would meet it too.
#[derive(Debug, thiserror::Error)]
enum Obstacle {
    #[error("its input {} {}", .0.display(), .1)]
    Unreadable(PathBuf, String),
    #[error("its input {} does not fit its checksum: it has SHA-256 {found}, and {expected} was expected", .path.display())]
    Mismatch { path: PathBuf, found: String, expected: String },
    #[error("the folder of its output, {}, cannot be made: {}", .0.display(), .1)]
    NoFolder(PathBuf, String),
}

type Prints = BTreeMap<String, Fingerprint>;

/// Reads the inputs of a chunk, holds the one that has a checksum against it, and makes the folder of the output.
async fn prepare(base: &Base, work: &Work, chunk: &JobState) -> Result<Prints, Obstacle> {
    if work.inputs.is_empty() && work.output.is_none() {
        return Ok(Prints::new());
    }
    let (base, inputs, expected) = (base.clone(), work.inputs.clone(), chunk.expected_checksum.clone());
    let folder = work.output.as_ref().and_then(|output| base.resolve(output).parent().map(Path::to_owned));
    let preparing = spawn_blocking(move || {
        let prints = inputs.into_iter().map(|input| read(&base, input, expected.as_deref())).collect::<Result<_, _>>()?;
        match folder.map(|folder| (fs::create_dir_all(&folder), folder)) {
            Some((Err(error), folder)) => Err(Obstacle::NoFolder(folder, error.to_string())),
            _ => Ok(prints),
        }
    });
    // It does not panic, and is not aborted while somebody waits for it.
    preparing.await.unwrap_or_else(|error| Err(Obstacle::Unreadable(PathBuf::new(), error.to_string())))
}

fn read(base: &Base, input: String, expected: Option<&str>) -> Result<(String, Fingerprint), Obstacle> {
    let path = base.resolve(&input);
    match (Fingerprint::take(&path, now()), expected) {
        (Err(error), _) => Err(Obstacle::Unreadable(path, reason(&error))),
        (Ok(print), Some(expected)) if !print.sha256.eq_ignore_ascii_case(expected) => {
            Err(Obstacle::Mismatch { path, found: print.sha256, expected: expected.to_owned() })
        }
        (Ok(print), _) => Ok((input, print)),
    }
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => "is missing".to_owned(),
        _ => format!("cannot be read: {error}"),
    }
}

/// The failure of a command: how it ended, and the last that it said.
fn failure(came: &exec::Outcome) -> Failure {
    let said = came.stderr.last_line().or_else(|| came.stdout.last_line());
    let text = match said {
        Some(line) => {
            let line: String = clean(line).chars().take(LINE_CHARS).collect();
            format!("{}: {line}", came.end)
        }
        None => came.end.to_string(),
    };
    match came.end {
        End::NotStarted { is_permanent: true, .. } => Failure::permanent(text),
        _ => Failure::new(text),
    }
}
