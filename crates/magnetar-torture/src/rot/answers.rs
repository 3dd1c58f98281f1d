//! An answer held against the right one.

use magnetar_core::{Answer, Error, ErrorKind};

use super::versions::Versions;

/// What an answer is.
#[derive(Debug)]
pub(super) enum Verdict {
    Right,
    /// It says that something is damaged.
    Told,
    /// It is made of rows that are right, but of which some are missing, there twice, or older than they should be.
    Rows(String),
    /// It says what never was so, or what no damaged store may say.
    Wrong(String),
}

/// Holds an answer against the right one.
pub(super) fn judge(wanted: &Answer, found: Result<Answer, Error>, versions: &Versions, has_told: bool) -> Verdict {
    let found = match found {
        Err(error) if is_telling(&error, has_told) => return Verdict::Told,
        Err(error) => return Verdict::Wrong(format!("{:?}: {error}", error.kind())),
        Ok(found) if found == *wanted => return Verdict::Right,
        Ok(found) => found,
    };
    let text = || format!("{found:?} instead of {wanted:?}");
    match &found {
        Answer::Audit(audit) if !audit.problems.is_empty() => Verdict::Told,
        _ if has_been(&found, versions) => Verdict::Rows(text()),
        _ => Verdict::Wrong(text()),
    }
}

/// Whether an error says that something is damaged. A handle that said so over a panic of the engine refuses all from then on;
/// one whose upkeep met the panic, for no caller, says so when it refuses the first.
pub(super) fn is_telling(error: &Error, has_told: bool) -> bool {
    let is_of_damage = || error.to_string().contains("which is damaged");
    error.is_corrupt() || (error.kind() == ErrorKind::Poisoned && (has_told || is_of_damage()))
}

/// Whether each row of an answer has been so at some time.
fn has_been(found: &Answer, versions: &Versions) -> bool {
    match found {
        Answer::Job(job) => job.iter().all(|job| versions.has_job(job)),
        Answer::Jobs(jobs) => jobs.items.iter().all(|job| versions.has_job(job)),
        Answer::Stats(stats) => versions.has_stats(stats),
        Answer::Chunk(chunk) => chunk.iter().all(|chunk| versions.has_chunk(chunk)),
        Answer::Chunks(chunks) => chunks.items.iter().all(|chunk| versions.has_chunk(chunk)),
        Answer::Record(record) => record.iter().all(|record| versions.has_record(record)),
        Answer::Records(records) => records.items.iter().all(|record| versions.has_record(record)),
        // Of a chunk they show nothing but that it is there.
        Answer::Ids(ids) => ids.items.iter().all(|chunk| versions.has_id(*chunk)),
        Answer::Dependencies(chunks) => chunks.iter().all(|(_, chunk)| versions.has_id(*chunk)),
        Answer::Audit(_) => true,
        _ => false,
    }
}
