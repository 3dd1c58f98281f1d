//! Keys: bytes that sort as what they stand for does.

use magnetar_core::{ChunkId, JobId, SessionId, Timestamp};

/// The inner number of a job: never used again within a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub(crate) struct JobNo(pub(crate) u64);

/// A chunk by the inner number of its job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Spot {
    pub(crate) job: JobNo,
    pub(crate) chunk: ChunkId,
}

/// Behind every key of a table: no key is as long as this.
pub(crate) const END: &[u8] = &[0xff; 2048];

pub(crate) const META: &[u8] = b"meta";

pub(crate) fn job(job: JobNo) -> Vec<u8> {
    job.0.to_be_bytes().to_vec()
}

/// Behind every key of a job, and before every key of the next.
pub(crate) fn job_end(job: JobNo) -> Vec<u8> {
    job.0.saturating_add(1).to_be_bytes().to_vec()
}

/// Ids sort as numbers: the sign bit is turned over.
pub(crate) fn job_id(id: JobId) -> Vec<u8> {
    (id.cast_unsigned() ^ (1 << 63)).to_be_bytes().to_vec()
}

pub(crate) fn parse_job_id(key: &[u8]) -> Option<JobId> {
    number(key, 0).map(|number| (number ^ (1 << 63)).cast_signed())
}

pub(crate) fn spot(spot: Spot) -> Vec<u8> {
    join(&[&spot.job.0.to_be_bytes(), &spot.chunk.to_be_bytes()])
}

pub(crate) fn parse_spot(key: &[u8]) -> Option<Spot> {
    spot_at(key, 0)
}

pub(crate) fn chunk_key(job: JobNo, key: &str) -> Vec<u8> {
    join(&[&job.0.to_be_bytes(), key.as_bytes()])
}

/// All ready chunks of a lane begin so. A lane's name holds no NUL, so no lane is the beginning of another.
pub(crate) fn lane(job: JobNo, name: &str) -> Vec<u8> {
    join(&[&job.0.to_be_bytes(), name.as_bytes(), &[0]])
}

/// Bytes of a ready key behind its lane.
const READY_TAIL_BYTES: usize = 10;

pub(crate) fn ready(job: JobNo, name: &str, priority: i16, chunk: ChunkId) -> Vec<u8> {
    // Larger priorities come first: turning the sign bit over sorts them, turning all others too reverses them.
    let urgency = priority.cast_unsigned() ^ 0x7fff;
    join(&[&lane(job, name), &urgency.to_be_bytes(), &chunk.to_be_bytes()])
}

/// The job of a lane, by the beginning of its keys.
pub(crate) fn lane_job(lane: &[u8]) -> Option<JobNo> {
    number(lane, 0).map(JobNo)
}

/// The lane of a ready key, the place in its order (smaller is more urgent), and the chunk.
pub(crate) fn parse_ready(key: &[u8]) -> Option<(&[u8], u16, ChunkId)> {
    let (lane, tail) = key.split_at_checked(key.len().checked_sub(READY_TAIL_BYTES)?)?;
    let (urgency, _) = tail.split_first_chunk::<2>()?;
    Some((lane, u16::from_be_bytes(*urgency), number(tail, 2)?))
}

/// What all ready keys of a lane and a priority begin with: what follows is the chunk.
pub(crate) fn ready_run(key: &[u8]) -> Option<&[u8]> {
    key.split_last_chunk::<8>().map(|(run, _)| run)
}

/// A chunk in such a run.
pub(crate) fn ready_in_run(run: &[u8], chunk: ChunkId) -> Vec<u8> {
    join(&[run, &chunk.to_be_bytes()])
}

/// A chunk under a time, for timers and deadlines.
pub(crate) fn due(at: Timestamp, spot: Spot) -> Vec<u8> {
    join(&[&at.as_millis().to_be_bytes(), &self::spot(spot)])
}

/// Behind everything that is due by then.
pub(crate) fn due_end(now: Timestamp) -> Vec<u8> {
    now.as_millis().saturating_add(1).to_be_bytes().to_vec()
}

pub(crate) fn parse_due(key: &[u8]) -> Option<(Timestamp, Spot)> {
    Some((Timestamp::from_millis(number(key, 0)?), spot_at(key, 8)?))
}

/// An edge, by the end that is looked from.
pub(crate) fn edge(from: Spot, to: Spot) -> Vec<u8> {
    join(&[&spot(from), &spot(to)])
}

/// Behind every edge of a chunk.
pub(crate) fn edges_end(from: Spot) -> Vec<u8> {
    spot(Spot { chunk: from.chunk.saturating_add(1), ..from })
}

pub(crate) fn parse_edge(key: &[u8]) -> Option<(Spot, Spot)> {
    Some((spot_at(key, 0)?, spot_at(key, 16)?))
}

pub(crate) fn session(session: SessionId) -> Vec<u8> {
    session.get().to_be_bytes().to_vec()
}

pub(crate) fn parse_session(key: &[u8]) -> Option<SessionId> {
    number(key, 0).map(SessionId::new)
}

/// A space's name holds no NUL, so no space is the beginning of another.
pub(crate) fn record(space: &str, key: &[u8]) -> Vec<u8> {
    join(&[space.as_bytes(), &[0], key])
}

/// The smallest key behind every key that begins so; there is one, for a key of a record holds a byte below 255.
pub(crate) fn prefix_end(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            return end;
        }
    }
    END.to_vec()
}

/// The smallest key behind a key.
pub(crate) fn behind(key: &[u8]) -> Vec<u8> {
    join(&[key, &[0]])
}

fn join(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

fn number(key: &[u8], at: usize) -> Option<u64> {
    key.get(at..)?.first_chunk().copied().map(u64::from_be_bytes)
}

fn spot_at(key: &[u8], at: usize) -> Option<Spot> {
    Some(Spot { job: JobNo(number(key, at)?), chunk: number(key, at + 8)? })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn keys_sort_as_what_they_stand_for(a: (i64, u64, i16), b: (i64, u64, i16)) {
            prop_assert_eq!(job_id(a.0).cmp(&job_id(b.0)), a.0.cmp(&b.0));
            prop_assert_eq!(parse_job_id(&job_id(a.0)), Some(a.0));
            let key = |(_, chunk, priority): (i64, u64, i16)| ready(JobNo(1), "lane", priority, chunk);
            prop_assert_eq!(key(a).cmp(&key(b)), b.2.cmp(&a.2).then(a.1.cmp(&b.1)));
            prop_assert_eq!(parse_ready(&key(a)).map(|(_, _, chunk)| chunk), Some(a.1));
        }

        #[test]
        fn prefix_end_is_behind_the_prefix_and_before_the_next(prefix: Vec<u8>, tail: Vec<u8>) {
            let key = [b"space\0".as_slice(), &prefix, &tail].concat();
            let prefix = [b"space\0".as_slice(), &prefix].concat();
            prop_assert!(key < prefix_end(&prefix));
        }
    }

    #[test]
    fn lanes_do_not_reach_into_each_other() {
        let end = prefix_end(&lane(JobNo(1), "a"));
        assert!(ready(JobNo(1), "a", i16::MIN, u64::MAX) < end && ready(JobNo(1), "ab", i16::MAX, 0) > end);
    }
}
