//! Reading a file: first its length, then its parts as a stream, each summed up as it passes.

use std::{
    io::{self, BufRead, BufReader, Read, SeekFrom},
    path::PathBuf,
};

use magnetar_fs::OpenFile;

use super::{
    envelope,
    header::{Claim, Header},
    seal::{Key, Seal},
    stream::{Stream, Wrong},
    trailer,
};
use crate::{checkpoint::Checkpoint, error::CheckpointError, limits, recovery::SkipReason};

/// An open file, and what must be true of it.
pub(crate) struct Source<'s> {
    pub(crate) file: Box<dyn OpenFile>,
    pub(crate) path: PathBuf,
    /// The sequence by its name.
    pub(crate) sequence: u64,
    pub(crate) key: Option<&'s Key>,
    pub(crate) file_bytes_max: u64,
}

/// A file that verifies.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// None for the envelope of older programs.
    pub(crate) header: Option<Header>,
    /// The digits of its digest.
    pub(crate) digest: String,
    pub(crate) checkpoint: Checkpoint,
}

/// A file that is not loaded.
#[derive(Debug)]
pub(crate) enum Unread {
    /// It is damaged, or not ours: another may do.
    Skip(SkipReason),
    /// It must not be passed over.
    Stop(CheckpointError),
}

/// How much is kept of what is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Parts {
    Kept,
    /// They are summed up and not parsed.
    Passed,
}

/// Loads a checkpoint.
///
/// # Errors
/// Why not.
pub(crate) fn load(source: Source<'_>) -> Result<Loaded, Unread> {
    source.read(Parts::Kept)
}

/// Verifies a checkpoint, and keeps no more of it than its first line says; what the checkpoint itself holds is left empty.
///
/// # Errors
/// Why it does not verify.
pub(crate) fn verify(source: Source<'_>) -> Result<Loaded, Unread> {
    source.read(Parts::Passed)
}

pub(super) fn corrupt(why: impl Into<String>) -> Unread {
    Unread::Skip(SkipReason::Corrupt(why.into()))
}

impl Source<'_> {
    fn read(mut self, parts: Parts) -> Result<Loaded, Unread> {
        let bytes = self.file.size_bytes();
        self.limit(bytes, self.file_bytes_max)?;
        let line = self.first_line()?;
        let read = if envelope::begins(&line) { envelope::read(&mut self) } else { self.read_parts(&line, bytes, parts) };
        match read {
            // A file that does not fit this version may be one of a newer, whatever that looks like.
            Err(Unread::Skip(reason @ SkipReason::Corrupt(_))) => Err(self.newer().unwrap_or(Unread::Skip(reason))),
            read => read,
        }
    }

    fn read_parts(&mut self, line: &[u8], bytes: u64, parts: Parts) -> Result<Loaded, Unread> {
        let header = self.header(line, bytes)?;
        let last = self.last_line(bytes)?;
        let digest = trailer::parse(&last, bytes).map_err(corrupt)?;
        self.rewind()?;
        let mut stream = Stream::new(&mut *self.file, Seal::new(self.key), bytes - trailer::UNSEALED_BYTES);
        let read = match parts {
            Parts::Kept => read_checkpoint(&mut stream, &header, bytes),
            Parts::Passed => Ok(Checkpoint { timestamp_secs: header.timestamp_secs, ..Checkpoint::default() }),
        };
        let read = read.and_then(|checkpoint| Ok((checkpoint, stream.finish()?)));
        let (checkpoint, seal) = read.map_err(|wrong| self.unread(wrong))?;
        if !seal.verifies(digest) {
            return Err(corrupt("its digest is not that of its content"));
        }
        Ok(Loaded { digest: digest.to_owned(), header: Some(header), checkpoint })
    }

    /// What the first line says, and whether it can be true.
    fn header(&self, line: &[u8], bytes: u64) -> Result<Header, Unread> {
        let mut line = line.strip_suffix(b",\n").ok_or_else(|| corrupt("its first line is none of a checkpoint"))?.to_vec();
        line.push(b'}');
        let claim = serde_json::from_slice::<Claim>(&line).unwrap_or_default();
        if let Some(version) = claim.newer() {
            return Err(Unread::Stop(CheckpointError::Newer { file: self.path.clone(), version }));
        }
        let header = serde_json::from_slice::<Header>(&line);
        let header = header.map_err(|error| corrupt(format!("its first line is none of a checkpoint: {error}")))?;
        if !header.is_version_1() || !header.fits(bytes) {
            return Err(corrupt("its first line cannot be true"));
        }
        if header.sequence != self.sequence {
            return Err(corrupt(format!("it is checkpoint {} under another name", header.sequence)));
        }
        match (header.keyed, self.key) {
            (true, None) => Err(Unread::Stop(CheckpointError::KeyMissing { file: self.path.clone() })),
            (false, Some(_)) => Err(corrupt("it is not signed")),
            _ => Ok(header),
        }
    }

    fn first_line(&mut self) -> Result<Vec<u8>, Unread> {
        let mut line = Vec::new();
        let read = BufReader::new(&mut *self.file).take(limits::HEADER_BYTES_MAX).read_until(b'\n', &mut line);
        read.map_err(|error| self.failed(error))?;
        Ok(line)
    }

    fn last_line(&mut self, bytes: u64) -> Result<String, Unread> {
        let Some(at) = bytes.checked_sub(trailer::BYTES) else { return Err(corrupt("it is too short")) };
        let mut line = Vec::new();
        let sought = self.file.seek(SeekFrom::Start(at));
        let read = sought.and_then(|_| (&mut *self.file).take(trailer::BYTES).read_to_end(&mut line));
        read.map_err(|error| self.failed(error))?;
        String::from_utf8(line).map_err(|_| corrupt("its last line is not text"))
    }

    /// The error for a file of a newer version, whatever else is in it.
    fn newer(&mut self) -> Option<Unread> {
        self.file.rewind().ok()?;
        let beginning = BufReader::new(&mut *self.file).take(limits::PROBE_BYTES_MAX);
        let version = serde_json::from_reader::<_, Claim>(beginning).ok()?.newer()?;
        Some(Unread::Stop(CheckpointError::Newer { file: self.path.clone(), version }))
    }

    pub(super) fn rewind(&mut self) -> Result<(), Unread> {
        self.file.rewind().map_err(|error| self.failed(error))
    }

    pub(super) fn limit(&self, bytes: u64, max: u64) -> Result<(), Unread> {
        if bytes <= max {
            return Ok(());
        }
        let what = format!("the file {}", self.path.display());
        Err(Unread::Stop(CheckpointError::TooLarge { what, bytes, max }))
    }

    pub(super) fn failed(&self, error: io::Error) -> Unread {
        Unread::Stop(magnetar_fs::Error::system("read", &self.path, error).into())
    }

    fn unread(&self, wrong: Wrong) -> Unread {
        match wrong {
            Wrong::Content(why) => corrupt(why),
            // It was cut off while it was being read.
            Wrong::System(error) if error.kind() == io::ErrorKind::UnexpectedEof => corrupt("it ends in the middle"),
            Wrong::System(error) => self.failed(error),
        }
    }
}

fn read_checkpoint(stream: &mut Stream<'_>, header: &Header, bytes: u64) -> Result<Checkpoint, Wrong> {
    stream.pass(b'\n')?;
    stream.expect("\"queued_jobs\":")?;
    let queued_jobs = stream.list(header.lengths.queued_jobs)?;
    stream.expect(",\n\"in_progress_jobs\":")?;
    let in_progress_jobs = stream.list(header.lengths.in_progress_jobs)?;
    stream.expect(",\n\"worker_assignments\":")?;
    let worker_assignments = stream.map(header.lengths.worker_assignments)?;
    stream.expect(",\n\"metadata\":")?;
    let metadata = stream.map(header.lengths.metadata)?;
    stream.expect(",\n\"jobs\":")?;
    let jobs = stream.json()?;
    stream.expect(",\n")?;
    stream.expect(&trailer::before_digest(bytes - trailer::BYTES))?;
    let (sequence, timestamp_secs) = (header.sequence, header.timestamp_secs);
    Ok(Checkpoint { sequence, timestamp_secs, queued_jobs, in_progress_jobs, worker_assignments, metadata, jobs })
}
