//! What a manager knows of its folder while it has it for itself.

use std::{collections::HashMap, io, io::Write, sync::Arc, time::Duration};

use magnetar_fs::{ErrorKind, Folder, Stamp, Writer};

use super::source;
use crate::{
    checkpoint::Checkpoint,
    error::{CheckpointError, Result},
    format::{self, Header, Loaded, StoreId, Unread},
    head::Head,
    limits, names,
    options::Options,
    recovery::SkipReason,
    saved::{Saved, Warning},
    survey::Survey,
};

/// The folder, taken.
#[derive(Debug)]
pub(super) struct Holder {
    pub(super) folder: Arc<dyn Folder>,
    pub(super) options: Options,
    pub(super) writer: Writer,
    pub(super) head: Head,
    /// The number of this manager among all that have saved here.
    epoch: u64,
    /// The largest sequence that was given out.
    last: u64,
    /// Checkpoints that have verified, as they were then.
    pub(super) verified: HashMap<u64, Verified>,
    /// Somebody else writes here, in spite of the lock.
    is_fenced: bool,
}

/// A checkpoint that has verified.
#[derive(Clone, Copy, Debug)]
pub(super) struct Verified {
    pub(super) stamp: Stamp,
    pub(super) timestamp_secs: u64,
}

impl Holder {
    /// Takes the folder, and learns from what is there which sequence comes next.
    pub(super) fn take(folder: &Arc<dyn Folder>, options: &Options) -> Result<Self> {
        let mut writer = Writer::lock(Arc::clone(folder))?;
        if !options.reads_back {
            writer = writer.without_reading_back();
        }
        let survey = Survey::of(&**folder, options.key.as_ref())?;
        let last = survey.last_sequence(&**folder)?;
        let from_files = unacknowledged(&**folder, options, &survey)?;
        let mut epoch = from_files.iter().map(|header| header.epoch).max().unwrap_or_default();
        let head = survey.head.unwrap_or_else(|| {
            // Newest first: the folder is what its newest file says it is.
            let store_id = from_files.first().map_or_else(StoreId::random, |header| header.store_id.clone());
            Head::new(store_id, options.key.is_some())
        });
        epoch = epoch.max(head.epoch).checked_add(1).ok_or_else(|| exhausted(&**folder))?;
        let (folder, options) = (Arc::clone(folder), options.clone());
        Ok(Self { folder, options, writer, head, epoch, last, verified: HashMap::new(), is_fenced: false })
    }

    /// Whether what is known of the folder is still so.
    pub(super) fn is_sound(&self) -> bool {
        !self.writer.is_poisoned() && !self.is_fenced
    }

    pub(super) fn save(&mut self, checkpoint: &Checkpoint) -> Result<Saved> {
        refuse_too_much(checkpoint)?;
        let sequence = self.last.checked_add(1).ok_or_else(|| exhausted(&*self.folder))?;
        let (bytes, digest) = self.publish(sequence, checkpoint)?;
        self.last = sequence;
        let mut saved = Saved { sequence, bytes, removed: Vec::new(), set_aside: Vec::new(), warnings: Vec::new() };
        saved.warnings.extend(self.clock_went_back());
        let mut head = self.head.clone();
        (head.epoch, head.sequence, head.digest, head.timestamp_secs) = (self.epoch, sequence, digest, self.now_secs());
        // From here on the checkpoint is saved, whatever else fails.
        match self.note(head) {
            Ok(()) => self.rotate(&mut saved),
            Err(error) => saved.warnings.push(Warning::NotNoted(error)),
        }
        Ok(saved)
    }

    pub(super) fn clear(&mut self) -> Result<()> {
        let mut head = self.head.clone();
        (head.epoch, head.cleared) = (self.epoch, self.last);
        head.pins.clear();
        self.note(head)?;
        self.verified.clear();
        let survey = Survey::of(&*self.folder, self.options.key.as_ref())?;
        for sequence in survey.cleared {
            self.writer.remove(&names::of(sequence))?;
        }
        for aside in survey.aside {
            self.writer.remove(&aside.entry.name)?;
        }
        Ok(self.writer.flush()?)
    }

    pub(super) fn pin(&mut self, sequence: u64) -> Result<()> {
        let survey = Survey::of(&*self.folder, self.options.key.as_ref())?;
        if !survey.checkpoints.iter().any(|candidate| candidate.sequence == sequence) {
            return Err(CheckpointError::NotFound { folder: self.folder.path().to_owned(), sequence });
        }
        let mut head = self.head.clone();
        head.pins.insert(sequence);
        if head.pins.len() > limits::PINS_MAX {
            let (what, bytes, max) = ("the set of pins".to_owned(), head.pins.len() as u64, limits::PINS_MAX as u64);
            return Err(CheckpointError::TooLarge { what, bytes, max });
        }
        self.note(head)
    }

    pub(super) fn unpin(&mut self, sequence: u64) -> Result<()> {
        let mut head = self.head.clone();
        if head.pins.remove(&sequence) { self.note(head) } else { Ok(()) }
    }

    /// Writes down what was acknowledged, cleared and pinned.
    fn note(&mut self, head: Head) -> Result<()> {
        let key = self.options.key.as_ref();
        self.writer.replace(names::HEAD, &mut |target| head.write(target, key))?;
        self.head = head;
        Ok(())
    }

    /// Writes the file, and returns its size and the digits of its digest.
    fn publish(&mut self, sequence: u64, checkpoint: &Checkpoint) -> Result<(u64, String)> {
        let key = self.options.key.as_ref();
        let header = Header::new(self.head.store_id.clone(), self.epoch, sequence, key.is_some(), checkpoint);
        let max = self.options.file_bytes_max;
        let (mut digest, mut too_large) = (String::new(), None);
        let written = self.writer.write_new(&names::of(sequence), &mut |target| {
            let mut bounded = Bounded { target, bytes: 0, max };
            let written = format::write(&mut bounded, &header, checkpoint, key);
            too_large = (bounded.bytes > max).then_some(bounded.bytes);
            digest = written?;
            Ok(())
        });
        match (written, too_large) {
            (Ok(written), _) => Ok((written.bytes, digest)),
            (Err(_), Some(bytes)) => {
                Err(CheckpointError::TooLarge { what: format!("checkpoint {sequence}, which has at least that,"), bytes, max })
            }
            (Err(error), None) if error.kind() == ErrorKind::AlreadyExists => {
                self.is_fenced = true;
                Err(CheckpointError::Fenced { file: error.path().to_owned() })
            }
            (Err(error), None) => Err(error.into()),
        }
    }

    fn clock_went_back(&self) -> Option<Warning> {
        let by = self.head.timestamp_secs.checked_sub(self.now_secs()).filter(|by| *by > 0)?;
        Some(Warning::ClockWentBack { by: Duration::from_secs(by) })
    }

    pub(super) fn now_secs(&self) -> u64 {
        self.options.clock.now().as_millis() / 1000
    }
}

/// Refuses a file that verifies and does not belong here: it was saved to another folder, or is another than the one of this sequence that
/// was acknowledged.
pub(super) fn belongs(head: Option<&Head>, sequence: u64, loaded: Loaded) -> Result<Loaded, Unread> {
    let Some(head) = head else { return Ok(loaded) };
    if let Some(header) = loaded.header.as_ref().filter(|header| header.store_id != head.store_id) {
        return Err(Unread::Skip(SkipReason::OtherStore { store_id: header.store_id.to_string() }));
    }
    if sequence == head.sequence && loaded.digest != head.digest {
        let why = "it is whole, but not the one that was acknowledged".to_owned();
        return Err(Unread::Skip(SkipReason::Corrupt(why)));
    }
    Ok(loaded)
}

/// The first lines of those files, newest first, that are newer than what was written down as acknowledged: a crash came in between.
fn unacknowledged(folder: &dyn Folder, options: &Options, survey: &Survey) -> Result<Vec<Header>> {
    let acknowledged = survey.head.as_ref().map_or(0, |head| head.sequence);
    let mut headers = Vec::new();
    for candidate in survey.checkpoints.iter().take_while(|candidate| candidate.sequence > acknowledged) {
        let Some(source) = source(folder, options, candidate.sequence)? else { continue };
        match format::verify(source) {
            Ok(loaded) => headers.extend(loaded.header),
            Err(Unread::Skip(_)) => {}
            Err(Unread::Stop(error)) => return Err(error),
        }
    }
    Ok(headers)
}

fn refuse_too_much(checkpoint: &Checkpoint) -> Result<()> {
    let bytes: usize = checkpoint.metadata.iter().map(|(key, value)| key.len() + value.len()).sum();
    if bytes <= limits::METADATA_BYTES_MAX {
        return Ok(());
    }
    let (what, bytes, max) = ("the metadata".to_owned(), bytes as u64, limits::METADATA_BYTES_MAX as u64);
    Err(CheckpointError::TooLarge { what, bytes, max })
}

fn exhausted(folder: &dyn Folder) -> CheckpointError {
    CheckpointError::Exhausted { folder: folder.path().to_owned() }
}

/// Ends where there is too much.
struct Bounded<'w> {
    target: &'w mut dyn Write,
    bytes: u64,
    max: u64,
}

impl Write for Bounded<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes += bytes.len() as u64;
        if self.bytes > self.max {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.target.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.target.flush()
    }
}
