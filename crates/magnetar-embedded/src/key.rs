//! Keys: bytes that sort as what they stand for does.

use magnetar_core::{ChunkId, JobId, SessionId, Timestamp};
use smallvec::SmallVec;

/// A key. Most are short enough to need no memory of their own: an op works with a dozen of them.
pub(crate) type Key = SmallVec<[u8; 40]>;

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

pub(crate) fn job(job: JobNo) -> Key {
    job.0.to_be_bytes().as_slice().into()
}

/// The job whose number a key begins with.
pub(crate) fn parse_job(key: &[u8]) -> Option<JobNo> {
    number(key, 0).map(JobNo)
}

/// Behind every key of a job, and before every key of the next.
pub(crate) fn job_end(job: JobNo) -> Key {
    job.0.saturating_add(1).to_be_bytes().as_slice().into()
}

/// Ids sort as numbers: the sign bit is turned over.
pub(crate) fn job_id(id: JobId) -> Key {
    (id.cast_unsigned() ^ (1 << 63)).to_be_bytes().as_slice().into()
}

pub(crate) fn parse_job_id(key: &[u8]) -> Option<JobId> {
    number(key, 0).map(|number| (number ^ (1 << 63)).cast_signed())
}

pub(crate) fn spot(spot: Spot) -> Key {
    join(&[&spot.job.0.to_be_bytes(), &spot.chunk.to_be_bytes()])
}

/// The chunk that is all of a key: a row found under a longer one could not be removed by its chunk.
pub(crate) fn parse_spot(key: &[u8]) -> Option<Spot> {
    (key.len() == 16).then(|| spot_at(key, 0)).flatten()
}

pub(crate) fn chunk_key(job: JobNo, key: &str) -> Key {
    join(&[&job.0.to_be_bytes(), key.as_bytes()])
}

/// All ready chunks of a lane begin so. A lane's name holds no NUL, so no lane is the beginning of another.
pub(crate) fn lane(job: JobNo, name: &str) -> Key {
    join(&[&job.0.to_be_bytes(), name.as_bytes(), &[0]])
}

/// All ready chunks of one priority in a lane begin so; their ids follow.
pub(crate) fn level(job: JobNo, name: &str, priority: i16) -> Key {
    // Larger priorities come first: turning the sign bit over sorts them, turning all others too reverses them.
    let urgency = priority.cast_unsigned() ^ 0x7fff;
    join(&[&job.0.to_be_bytes(), name.as_bytes(), &[0], &urgency.to_be_bytes()])
}

/// The ready key of a chunk in a level.
pub(crate) fn ready(level: &[u8], chunk: ChunkId) -> Key {
    join(&[level, &chunk.to_be_bytes()])
}

/// The level of a ready key, and the chunk.
pub(crate) fn parse_ready(key: &[u8]) -> Option<(&[u8], ChunkId)> {
    let (level, chunk) = key.split_last_chunk::<8>()?;
    Some((level, u64::from_be_bytes(*chunk)))
}

/// The lane of a level, and its place in the lane's order: smaller is more urgent.
pub(crate) fn parse_level(level: &[u8]) -> Option<(&[u8], u16)> {
    let (lane, urgency) = level.split_last_chunk::<2>()?;
    Some((lane, u16::from_be_bytes(*urgency)))
}

/// A chunk under a time, for timers and deadlines.
pub(crate) fn due(at: Timestamp, spot: Spot) -> Key {
    join(&[&at.as_millis().to_be_bytes(), &self::spot(spot)])
}

/// Behind everything that is due by then.
pub(crate) fn due_end(now: Timestamp) -> Key {
    now.as_millis().saturating_add(1).to_be_bytes().as_slice().into()
}

pub(crate) fn parse_due(key: &[u8]) -> Option<(Timestamp, Spot)> {
    Some((Timestamp::from_millis(number(key, 0)?), spot_at(key, 8)?))
}

/// An edge, by the end that is looked from.
pub(crate) fn edge(from: Spot, to: Spot) -> Key {
    join(&[&spot(from), &spot(to)])
}

/// Behind every edge of a chunk.
pub(crate) fn edges_end(from: Spot) -> Key {
    spot(Spot { chunk: from.chunk.saturating_add(1), ..from })
}

pub(crate) fn parse_edge(key: &[u8]) -> Option<(Spot, Spot)> {
    Some((spot_at(key, 0)?, spot_at(key, 16)?))
}

pub(crate) fn session(session: SessionId) -> Key {
    session.get().to_be_bytes().as_slice().into()
}

pub(crate) fn parse_session(key: &[u8]) -> Option<SessionId> {
    number(key, 0).map(SessionId::new)
}

/// A space's name holds no NUL, so no space is the beginning of another.
pub(crate) fn record(space: &str, key: &[u8]) -> Key {
    join(&[space.as_bytes(), &[0], key])
}

/// The space and the key of a record.
pub(crate) fn parse_record(key: &[u8]) -> Option<(&str, &[u8])> {
    let mut parts = key.splitn(2, |byte| *byte == 0);
    let space = std::str::from_utf8(parts.next()?).ok()?;
    Some((space, parts.next()?))
}

/// The smallest key behind every key that begins so; there is one, for a key of a record holds a byte below 255.
pub(crate) fn prefix_end(prefix: &[u8]) -> Key {
    let mut end = Key::from_slice(prefix);
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            return end;
        }
    }
    Key::from_slice(END)
}

/// The smallest key behind a key.
pub(crate) fn behind(key: &[u8]) -> Key {
    join(&[key, &[0]])
}

fn join(parts: &[&[u8]]) -> Key {
    let mut key = Key::new();
    for part in parts {
        key.extend_from_slice(part);
    }
    key
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
            let key = |(_, chunk, priority): (i64, u64, i16)| ready(&level(JobNo(1), "lane", priority), chunk);
            prop_assert_eq!(key(a).cmp(&key(b)), b.2.cmp(&a.2).then(a.1.cmp(&b.1)));
            prop_assert_eq!(parse_ready(&key(a)).map(|(_, chunk)| chunk), Some(a.1));
            let level = level(JobNo(1), "lane", a.2);
            prop_assert!(*parse_level(&level).unwrap().0 == *lane(JobNo(1), "lane"));
        }

        #[test]
        fn prefix_end_is_behind_the_prefix_and_before_the_next(prefix: Vec<u8>, tail: Vec<u8>) {
            let key = [b"space\0".as_slice(), &prefix, &tail].concat();
            let prefix = [b"space\0".as_slice(), &prefix].concat();
            prop_assert!(key.as_slice() < prefix_end(&prefix).as_slice());
        }
    }

    #[test]
    fn key_of_a_chunk_is_that_and_no_more() {
        let spot = Spot { job: JobNo(1), chunk: 2 };
        assert_eq!(parse_spot(&self::spot(spot)), Some(spot));
        assert_eq!(parse_spot(&behind(&self::spot(spot))), None);
    }

    #[test]
    fn lanes_do_not_reach_into_each_other() {
        let end = prefix_end(&lane(JobNo(1), "a"));
        let key = |name, priority, chunk| ready(&level(JobNo(1), name, priority), chunk);
        assert!(key("a", i16::MIN, u64::MAX) < end && key("ab", i16::MAX, 0) > end);
    }
}
