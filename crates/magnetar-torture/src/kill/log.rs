//! The oracle's log: an append-only file outside the store, in which everybody writes what they are about to do and what they
//! were told.
//!
//! A record has 32 bytes and is one `write`. So it never lies across two pages, and a kill leaves all of it or nothing: what
//! does not verify means that the rig is broken, not the store.

use std::{
    fmt,
    fs::{File, OpenOptions},
    io::Write,
    os::unix::fs::FileExt,
    path::Path,
};

use anyhow::{Context, Result, bail, ensure};

/// The bytes of a record: a divisor of every page size.
const BYTES: usize = 32;
/// The bytes of a record without its checksum.
const BODY_BYTES: usize = BYTES - 4;

/// What a record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// The store was opened.
    Opened,
    /// The job was put in, whole.
    Inserted,
    /// A claim is about to be asked for.
    Asked,
    /// The chunk was handed out under the token; the work begins.
    Tried,
    /// A parent of the chunk had ended when it was looked at: the token is the one under which it was Done, 0 where it is open,
    /// [`BADLY`] where it ended badly. `extra` is the parent: see [`Record::parent`].
    Saw,
    /// The work was done, before the store was told.
    Effect,
    /// The store accepted the completion.
    Accepted,
    /// The store accepted the failure. `extra` is 1 where it was the last.
    Failed,
    /// The store is about to be told that the work failed.
    Failing,
    /// The chunk is about to be given back.
    Returning,
    /// The store accepted that.
    Returned,
    /// The store said that the claim was lost.
    Lost,
    /// The worker is about to kill itself.
    Poisoned,
    /// The worker holds what it wanted to hold.
    Ready,
    /// The store was closed.
    Closed,
    /// The parent has killed this worker, and it is gone.
    Killed,
    /// The parent stops this worker.
    Stopped,
    /// The parent lets it go on.
    Resumed,
    /// A record was put under the key `chunk`; the token is its version.
    Put,
    /// A chunk was marked.
    Marked,
    /// The job was deleted.
    Deleted,
}

/// What [`Kind::Saw`] says of a parent that ended badly.
pub(crate) const BADLY: u64 = u64::MAX;

const KINDS: [Kind; 21] = [
    Kind::Opened,
    Kind::Inserted,
    Kind::Asked,
    Kind::Tried,
    Kind::Saw,
    Kind::Effect,
    Kind::Accepted,
    Kind::Failed,
    Kind::Failing,
    Kind::Returning,
    Kind::Returned,
    Kind::Lost,
    Kind::Poisoned,
    Kind::Ready,
    Kind::Closed,
    Kind::Killed,
    Kind::Stopped,
    Kind::Resumed,
    Kind::Put,
    Kind::Marked,
    Kind::Deleted,
];

/// One record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) kind: Kind,
    /// Which process: a number that is never used again in a round. 0 is the rig itself.
    pub(crate) worker: u32,
    /// Which thread of it.
    pub(crate) thread: u8,
    pub(crate) job: u16,
    pub(crate) chunk: u32,
    pub(crate) token: u64,
    pub(crate) extra: u64,
}

impl Record {
    /// A record about no chunk.
    pub(crate) const fn of(kind: Kind, worker: u32) -> Self {
        Self { kind, worker, thread: 0, job: 0, chunk: 0, token: 0, extra: 0 }
    }

    /// The parent that a [`Kind::Saw`] is about: job and chunk.
    pub(crate) fn parent(&self) -> (u16, u32) {
        let (job, chunk) = (self.extra >> 32, self.extra & u64::from(u32::MAX));
        (u16::try_from(job).unwrap_or_default(), u32::try_from(chunk).unwrap_or_default())
    }

    /// The `extra` of a [`Kind::Saw`].
    pub(crate) fn parent_as_extra(job: u16, chunk: u32) -> u64 {
        u64::from(job) << 32 | u64::from(chunk)
    }

    fn to_bytes(self) -> Result<[u8; BYTES]> {
        let kind = KINDS.iter().position(|kind| *kind == self.kind).context("a kind has no number")?;
        let mut bytes = Vec::with_capacity(BYTES);
        bytes.extend([u8::try_from(kind)?, self.thread]);
        bytes.extend(self.job.to_le_bytes());
        bytes.extend(self.worker.to_le_bytes());
        bytes.extend(self.chunk.to_le_bytes());
        bytes.extend(self.token.to_le_bytes());
        bytes.extend(self.extra.to_le_bytes());
        bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
        bytes.try_into().map_err(|bytes: Vec<u8>| anyhow::anyhow!("a record of {} bytes", bytes.len()))
    }

    fn from_bytes(bytes: &[u8; BYTES]) -> Option<Self> {
        let (body, checksum) = bytes.split_first_chunk::<BODY_BYTES>()?;
        if crc32fast::hash(body).to_le_bytes() != checksum {
            return None;
        }
        let (&[kind, thread], rest) = body.split_first_chunk()?;
        let (&job, rest) = rest.split_first_chunk()?;
        let (&worker, rest) = rest.split_first_chunk()?;
        let (&chunk, rest) = rest.split_first_chunk()?;
        let (&token, rest) = rest.split_first_chunk()?;
        let &extra = rest.first_chunk()?;
        Some(Self {
            kind: *KINDS.get(usize::from(kind))?,
            worker: u32::from_le_bytes(worker),
            thread,
            job: u16::from_le_bytes(job),
            chunk: u32::from_le_bytes(chunk),
            token: u64::from_le_bytes(token),
            extra: u64::from_le_bytes(extra),
        })
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, worker, thread, job, chunk, token, .. } = self;
        write!(f, "worker {worker}.{thread} {kind:?}")?;
        if *job != 0 {
            write!(f, " {job}/{chunk}")?;
        }
        if *token != 0 {
            write!(f, " @{token}")?;
        }
        match kind {
            Kind::Saw => write!(f, " of parent {:?}", self.parent()),
            _ if self.extra != 0 => write!(f, " ({})", self.extra),
            _ => Ok(()),
        }
    }
}

/// Where records are written.
#[derive(Debug)]
pub(crate) struct Log(File);

impl Log {
    /// Opens the log, and makes it where there is none.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path).context("open the log")?;
        Ok(Self(file))
    }

    /// Appends a record, in one write.
    pub(crate) fn write(&self, record: Record) -> Result<()> {
        let written = (&self.0).write(&record.to_bytes()?).context("write to the log")?;
        ensure!(written == BYTES, "the log took {written} bytes of a record");
        Ok(())
    }
}

/// Reads the log from its beginning on.
#[derive(Debug)]
pub(crate) struct Reader {
    file: File,
    offset: u64,
}

impl Reader {
    /// A reader of a log that is there.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        Ok(Self { file: File::open(path).context("open the log")?, offset: 0 })
    }

    /// What was written since the last time.
    pub(crate) fn next(&mut self) -> Result<Vec<Record>> {
        let end = self.file.metadata().context("look at the log")?.len();
        let mut bytes = vec![0; usize::try_from(end - self.offset)?];
        self.file.read_exact_at(&mut bytes, self.offset).context("read the log")?;
        let (whole, rest) = bytes.as_chunks::<BYTES>();
        ensure!(rest.is_empty(), "the log ends in {} bytes of a record", rest.len());
        let mut records = Vec::with_capacity(whole.len());
        for bytes in whole {
            let Some(record) = Record::from_bytes(bytes) else { bail!("a record of the log does not verify: {bytes:?}") };
            records.push(record);
        }
        self.offset = end;
        Ok(records)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_a_flipped_bit_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let log = Log::open(&path).unwrap();
        let mut reader = Reader::open(&path).unwrap();
        let extra = Record::parent_as_extra(513, 70_000);
        let said: Vec<_> = KINDS
            .iter()
            .map(|&kind| Record { kind, worker: 70_001, thread: 3, job: 259, chunk: 70_002, token: 1 << 40, extra })
            .collect();
        for record in &said {
            log.write(*record).unwrap();
        }
        assert_eq!(reader.next().unwrap(), said);
        assert_eq!(reader.next().unwrap(), []);
        assert_eq!(said[0].parent(), (513, 70_000));
        let mut bytes = said[0].to_bytes().unwrap();
        bytes[9] ^= 1;
        assert_eq!(Record::from_bytes(&bytes), None);
    }
}
