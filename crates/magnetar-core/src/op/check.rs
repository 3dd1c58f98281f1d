//! What can be said of an op without a store: ids, sizes and counts.

use super::{Claim, Group, Op, Until};
use crate::{
    chunk::check_lane,
    error::Rejection,
    id::{ChunkId, JobId, JobRef, check_chunk_id},
    job::check_name,
    limits,
};

pub(super) fn op(op: &Op) -> Result<(), Rejection> {
    match op {
        Op::EnsureJob { job, spec } => {
            job_ref(job)?;
            spec.check()?;
            if let (JobRef::Name(name), Some(other)) = (job, &spec.name)
                && name != other
            {
                return Err(Rejection::invalid(format!("job {name:?} cannot be made with another name, {other:?}")));
            }
            Ok(())
        }
        Op::Insert { job, chunks } => {
            job_ref(job)?;
            Rejection::limit("the number of chunks of one insert", chunks.len(), limits::MANIFEST_CHUNKS_MAX)?;
            chunks.iter().try_for_each(super::NewChunk::check)
        }
        Op::Claim(Claim { lanes, limit }) => {
            if *limit == 0 {
                return Err(Rejection::invalid("a claim of 0 chunks takes nothing; ask for 1 or more"));
            }
            Rejection::limit("the number of chunks of one claim", *limit, limits::CLAIM_CHUNKS_MAX)?;
            Rejection::limit("the number of lanes of one claim", lanes.len(), limits::CLAIM_LANES_MAX)?;
            lanes.iter().try_for_each(|lane| check_lane(&lane.name))
        }
        Op::Complete { result, checksum, .. } => {
            Rejection::limit("a result in bytes", result.len(), limits::RESULT_BYTES_MAX)?;
            self::checksum(checksum.as_deref())
        }
        Op::Mark { update, .. } => {
            check_chunk_id(update.chunk_id)?;
            checksum(update.checksum.as_deref())
        }
        Op::Park { until: Until::Ended(chunks), .. } => targets(chunks),
        Op::Depend { chunk, on, .. } => {
            check_chunk_id(*chunk)?;
            targets(on)
        }
        Op::Reopen { chunks, .. } => {
            Rejection::limit("the number of chunks to reopen", chunks.len(), limits::MANIFEST_CHUNKS_MAX)?;
            chunks.iter().try_for_each(|chunk| check_chunk_id(*chunk))
        }
        Op::Restore { snapshot } => snapshot.check(),
        Op::PutRecord { space, key, value, .. } => record(space, key, value.as_deref()),
        Op::Prune { limit, after, .. } => {
            if *limit == 0 {
                return Err(Rejection::invalid("a prune that looks at 0 chunks removes nothing; ask for 1 or more"));
            }
            check_chunk_id(after.unwrap_or(0))?;
            Rejection::limit("the number of chunks a prune looks at", *limit, limits::PRUNE_CHUNKS_MAX)
        }
        Op::Fail { .. }
        | Op::Release { .. }
        | Op::Check { .. }
        | Op::Park { until: Until::At(_), .. }
        | Op::Pause { .. }
        | Op::Resume { .. }
        | Op::DeleteJob { .. }
        | Op::Reap => Ok(()),
    }
}

/// Refuses a group that holds too much, or an op that no store takes. Every store calls this before anything else.
///
/// # Errors
/// `Invalid` or `TooLarge`, naming the thing.
pub fn group(group: &Group) -> Result<(), Rejection> {
    Rejection::limit("the number of ops of one group", group.len(), limits::GROUP_OPS_MAX)?;
    group.iter().try_for_each(op)
}

fn job_ref(job: &JobRef) -> Result<(), Rejection> {
    match job {
        JobRef::Id(_) => Ok(()),
        JobRef::Name(name) => check_name(name),
    }
}

fn checksum(checksum: Option<&str>) -> Result<(), Rejection> {
    Rejection::limit("a checksum in bytes", checksum.map_or(0, str::len), limits::CHECKSUM_BYTES_MAX)
}

fn targets(chunks: &[(JobId, ChunkId)]) -> Result<(), Rejection> {
    Rejection::limit("the number of dependencies", chunks.len(), limits::DEPENDENCIES_MAX)?;
    chunks.iter().try_for_each(|(_, chunk)| check_chunk_id(*chunk))
}

/// Refuses a record that no store takes.
pub(crate) fn record(space: &str, key: &[u8], value: Option<&[u8]>) -> Result<(), Rejection> {
    if space.is_empty() || space.contains('\0') {
        return Err(Rejection::invalid(format!("space {space:?} is empty or holds a NUL")));
    }
    Rejection::limit("a record's space in bytes", space.len(), limits::SPACE_BYTES_MAX)?;
    Rejection::limit("a record's key in bytes", key.len(), limits::RECORD_KEY_BYTES_MAX)?;
    Rejection::limit("a record's value in bytes", value.map_or(0, <[u8]>::len), limits::RECORD_BYTES_MAX)
}
