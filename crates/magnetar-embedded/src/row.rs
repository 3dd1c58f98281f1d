//! Rows: what is in the tables, and the checksum that every row carries.
//!
//! A row is a version byte, its fields in postcard's wire format, and a CRC-32 over table, key, version and fields: a
//! row that rotted, or that stands where another should, does not verify.

use std::cell::Cell;

use magnetar_core::{
    ChunkId, Extra, JobId, JobOptions, JobStats, JobStatus, SessionId, Timestamp, Token,
    machine::{Rules, Standing},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use smallvec::SmallVec;

use crate::{digest::Digest, key::JobNo, stop::Stop, table::Table};

/// The bytes of a row. Leases and what is smaller need no memory of their own.
pub(crate) type Bytes = SmallVec<[u8; 64]>;

const VERSION: u8 = 1;
const CRC_BYTES: usize = 4;

/// Numbers that only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Meta {
    /// Raised at every open; the high bits of every token.
    pub(crate) generation: u32,
    pub(crate) last_token: u64,
    pub(crate) last_session: u64,
    pub(crate) last_job_no: u64,
    /// The last id that was given to a job ensured by name.
    pub(crate) last_job_id: i64,
    pub(crate) last_version: u64,
    /// Over the ids and names of jobs, and the records.
    pub(crate) digest: Digest,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct JobRow {
    pub(crate) id: JobId,
    pub(crate) name: Option<String>,
    pub(crate) kind: String,
    pub(crate) options: JobOptions,
    pub(crate) paused: bool,
    pub(crate) created_at: Timestamp,
}

/// The counters of a job, apart from it because they change with every op.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tally {
    pub(crate) stats: JobStats,
    /// The largest chunk id there ever was.
    pub(crate) last_chunk: ChunkId,
    /// Edges from chunks of this job to waiting chunks of others.
    pub(crate) awaited_elsewhere: u64,
    /// Over the rows of the job.
    pub(crate) digest: Digest,
}

/// A chunk. Its status is never Processing: a chunk is that while it has a lease, and a claim leaves this row alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ChunkRow {
    pub(crate) status: JobStatus,
    pub(crate) fails: u32,
    pub(crate) crashes: u32,
    pub(crate) unmet: u64,
    pub(crate) bad: u64,
    pub(crate) not_before: Option<Timestamp>,
    pub(crate) priority: i16,
    pub(crate) lane: String,
    pub(crate) max_fails: Option<u32>,
    pub(crate) timeout_millis: Option<u64>,
    pub(crate) key: Option<String>,
    pub(crate) expected: Option<String>,
    pub(crate) recorded: Option<String>,
    pub(crate) result: Option<Vec<u8>>,
    pub(crate) error: Option<String>,
    pub(crate) created_at: Timestamp,
    pub(crate) ended_at: Option<Timestamp>,
    /// The last attempt that ended in good order, and how: so that a repeated write is known.
    pub(crate) last: Option<(Token, Ending)>,
    /// Whether anything ever waited for it, so that most ends need not look.
    pub(crate) has_children: bool,
    /// Whether there is a row for its payload and extra.
    pub(crate) has_body: bool,
}

/// How an attempt ended in good order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Ending {
    Complete,
    Fail,
    Release,
    Park,
    GiveUp,
    Cancel,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Body {
    pub(crate) payload: Vec<u8>,
    pub(crate) extra: Extra,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LeaseRow {
    pub(crate) token: Token,
    pub(crate) session: SessionId,
    pub(crate) claimed_at: Timestamp,
    pub(crate) deadline: Option<Timestamp>,
}

/// Why one chunk waits for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Edge {
    /// It must be Done first.
    Needs,
    /// Its end is awaited, whatever it is; the edge goes with it.
    Awaits,
}

/// A chunk that has ended there, and up to which child this has been told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ReleaseRow {
    pub(crate) status: JobStatus,
    /// The edge key of the last child that was told.
    pub(crate) told: Option<Vec<u8>>,
}

/// An open handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SessionRow {
    /// Dead from here on, unless renewed.
    pub(crate) until: Timestamp,
    /// The lock file that its process holds, where there is one.
    pub(crate) lock: Option<LockMark>,
}

/// What a lock file must look like for its freedom to prove a death.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LockMark {
    /// The boot of the host that made it: a number drawn from the kernel's boot id.
    pub(crate) boot: u64,
    /// The device of the file.
    pub(crate) device: u64,
    /// The inode of the file.
    pub(crate) inode: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RecordRow {
    pub(crate) version: u64,
    pub(crate) value: Vec<u8>,
}

/// Ready chunks of one lane and one priority whose ids follow each other: from this one to the one in the row's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) first: ChunkId,
}

/// A row that says all by being there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Here;

impl ChunkRow {
    /// What the rules need to know, with or without a lease.
    pub(crate) fn standing(&self, is_leased: bool) -> Standing {
        Standing {
            status: if is_leased { JobStatus::Processing } else { self.status },
            fails: self.fails,
            crashes: self.crashes,
            unmet: self.unmet,
            bad: self.bad,
            not_before: self.not_before,
        }
    }

    /// Takes over what the rules decided.
    pub(crate) fn stand(&mut self, standing: Standing) {
        self.status = if standing.status == JobStatus::Processing { JobStatus::Pending } else { standing.status };
        self.fails = standing.fails;
        self.crashes = standing.crashes;
        self.unmet = standing.unmet;
        self.bad = standing.bad;
        self.not_before = standing.not_before;
    }

    /// The rules of this chunk in a job.
    pub(crate) fn rules(&self, options: &JobOptions) -> Rules {
        Rules::of(options, self.max_fails)
    }
}

thread_local! {
    /// Where rows are encoded, so that each is then copied into memory of just its size.
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// The bytes of a row.
pub(crate) fn encode<T: Serialize>(table: Table, key: &[u8], row: &T) -> Bytes {
    let mut buffer = BUFFER.take();
    buffer.clear();
    buffer.push(VERSION);
    let buffer = postcard::to_extend(row, buffer).expect("rows of plain fields always encode into memory");
    let mut bytes = Bytes::with_capacity(buffer.len() + CRC_BYTES);
    bytes.extend_from_slice(&buffer);
    bytes.extend_from_slice(&crc(table, key, &buffer).to_le_bytes());
    BUFFER.set(buffer);
    bytes
}

/// The row of these bytes.
pub(crate) fn decode<T: DeserializeOwned>(table: Table, key: &[u8], bytes: &[u8]) -> Result<T, Stop> {
    match verified(table, key, bytes)?.split_first() {
        Some((&VERSION, fields)) => postcard::from_bytes(fields).map_err(|_| Stop::corrupt(table, key, "does not decode")),
        _ => Err(Stop::corrupt(table, key, "has an unknown version")),
    }
}

/// The version and the fields of a row that matches its checksum.
fn verified<'b>(table: Table, key: &[u8], bytes: &'b [u8]) -> Result<&'b [u8], Stop> {
    let whole = bytes.split_last_chunk::<CRC_BYTES>().filter(|(body, stored)| crc(table, key, body).to_le_bytes() == **stored);
    whole.map(|(body, _)| body).ok_or_else(|| Stop::corrupt(table, key, "does not match its checksum"))
}

/// Whether a row matches its checksum.
pub(crate) fn verify(table: Table, key: &[u8], bytes: &[u8]) -> Result<(), Stop> {
    verified(table, key, bytes).map(drop)
}

/// The checksum that a row carries, whether it matches or not.
pub(crate) fn seal(bytes: &[u8]) -> u32 {
    bytes.last_chunk::<CRC_BYTES>().map_or(0, |stored| u32::from_le_bytes(*stored))
}

fn crc(table: Table, key: &[u8], body: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&[table as u8]);
    hasher.update(key);
    hasher.update(body);
    hasher.finalize()
}

/// The inner number of a job, as a row.
pub(crate) type JobNoRow = JobNo;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_is_found() {
        let row = LeaseRow {
            token: Token::new(77).unwrap(),
            session: SessionId::new(3),
            claimed_at: Timestamp::from_millis(1_000_000),
            deadline: None,
        };
        let bytes = encode(Table::Lease, b"key", &row);
        assert_eq!(decode::<LeaseRow>(Table::Lease, b"key", &bytes).ok(), Some(row));
        for bit in 0..bytes.len() * 8 {
            let mut bytes = bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(decode::<LeaseRow>(Table::Lease, b"key", &bytes).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn row_verifies_only_under_its_own_table_and_key() {
        let bytes = encode(Table::Lease, b"key", &Here);
        assert!(decode::<Here>(Table::Lease, b"kez", &bytes).is_err());
        assert!(decode::<Here>(Table::Ready, b"key", &bytes).is_err());
    }
}
