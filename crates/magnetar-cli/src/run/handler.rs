//! One attempt at a chunk: its inputs are read, its command is run, and what came of it is written down with its end.

use std::{collections::BTreeMap, io, path::PathBuf, sync::Arc};

use magnetar::{Attempt, Completion, Failure, JobState};
use tokio::task::spawn_blocking;

use super::progress::Progress;
use crate::{
    exec::{self, End, Supervisor},
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
    pub(super) supervisor: Supervisor,
    pub(super) base: Base,
    /// The name of the job.
    pub(super) job: String,
    pub(super) progress: Progress,
}

impl Shop {
    /// Works on one chunk.
    pub(super) async fn work(self: Arc<Self>, attempt: Attempt) -> Result<Completion, Failure> {
        let _running = self.progress.running(attempt.fence(), attempt.chunk());
        let work = Work::of(&attempt.chunk().extra).map_err(Failure::permanent)?;
        let inputs = tokio::select! {
            read = read(&self.base, &work, attempt.chunk()) => read,
            _ = attempt.cancelled() => return Err(Failure::release()),
        };
        let inputs = match inputs {
            Ok(inputs) => inputs,
            Err(problem) => return Err(Failure::permanent(problem)),
        };
        let stop = async {
            let _ = attempt.cancelled().await;
        };
        let came = self.supervisor.run(self.command(&work, &attempt), stop).await;
        if came.end == End::Stopped {
            // What it did counts for nothing, and costs nothing.
            return Err(Failure::release());
        }
        let error = (!came.is_success()).then(|| failure(&came));
        let mut outcome = Outcome::of_command(attempt.number(), attempt.fence().token().get(), now(), came);
        outcome.inputs = inputs;
        let key = outcome::key(attempt.fence().job(), attempt.fence().chunk());
        match error {
            None => Ok(Completion::default().record(outcome::SPACE, key, outcome.to_json())),
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

/// What keeps a command from being started, although everything else is as it should be.
#[derive(Debug, thiserror::Error)]
enum InputProblem {
    #[error("its input {} {}", .0.display(), .1)]
    Unreadable(PathBuf, String),
    #[error("its input {} does not fit its checksum: it has SHA-256 {found}, and {expected} was expected", .path.display())]
    Mismatch { path: PathBuf, found: String, expected: String },
}

/// Reads the inputs of a chunk, and holds the one that has a checksum against it.
async fn read(base: &Base, work: &Work, chunk: &JobState) -> Result<BTreeMap<String, Fingerprint>, InputProblem> {
    if work.inputs.is_empty() {
        return Ok(BTreeMap::new());
    }
    let (base, inputs, expected) = (base.clone(), work.inputs.clone(), chunk.expected_checksum.clone());
    let reading = spawn_blocking(move || {
        let take = |input: String| {
            let path = base.resolve(&input);
            match Fingerprint::take(&path, now()) {
                Ok(print) => Ok((input, path, print)),
                Err(error) => Err(InputProblem::Unreadable(path, reason(&error))),
            }
        };
        let mut prints = BTreeMap::new();
        for input in inputs {
            let (input, path, print) = take(input)?;
            match &expected {
                Some(expected) if !print.sha256.eq_ignore_ascii_case(expected) => {
                    return Err(InputProblem::Mismatch { path, found: print.sha256, expected: expected.clone() });
                }
                _ => prints.insert(input, print),
            };
        }
        Ok(prints)
    });
    // It does not panic, and is not aborted while somebody waits for it.
    reading.await.unwrap_or_else(|error| Err(InputProblem::Unreadable(PathBuf::new(), error.to_string())))
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
