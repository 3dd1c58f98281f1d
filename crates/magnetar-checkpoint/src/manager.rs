//! The manager: one folder of checkpoints.

mod holder;
mod retention;

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use magnetar_core::Timestamp;
use magnetar_fs::{Disk, Folder};

use self::holder::Holder;
use crate::{
    checkpoint::Checkpoint,
    error::{CheckpointError, Result},
    format::{self, Loaded, Source, Unread},
    limits, names,
    options::Options,
    recovery::{Recovered, Recovery, SkipReason, Skipped},
    saved::Saved,
    survey::Survey,
};

/// A folder of checkpoints. All methods take `&self`; calls of several threads take turns where they save.
///
/// Reading needs no leave. The first call that changes something takes the folder, for as long as the manager lives: another one that
/// saves then gets `AlreadyLocked`.
#[derive(Debug)]
pub struct CheckpointManager {
    folder: Arc<dyn Folder>,
    options: Options,
    /// None until something is changed, and after a failure whose outcome is unknown.
    holder: Mutex<Option<Holder>>,
}

/// What came of reading one file.
enum One {
    Loaded(Box<Loaded>),
    Skipped(SkipReason),
    /// It went away.
    Gone,
}

impl CheckpointManager {
    /// Opens a folder, and creates it where it does not exist. At most `max_retained` checkpoints that verify are kept; fewer than 1 counts
    /// as 1.
    ///
    /// # Errors
    /// `Folder` where it is a file, a symbolic link, or open to others (see [`Options::allow_shared_folder`]), or the system refuses.
    /// Never because another manager is open.
    pub fn new(dir: impl AsRef<Path>, max_retained: usize) -> Result<Self> {
        Self::open(dir, Options::new(max_retained))
    }

    /// Opens a folder in a way of one's own.
    ///
    /// # Errors
    /// Those of [`CheckpointManager::new`].
    pub fn open(dir: impl AsRef<Path>, options: Options) -> Result<Self> {
        let dir = dir.as_ref();
        let folder = if options.allows_shared { Disk::open_shared(dir)? } else { Disk::open(dir)? };
        Ok(Self::on_folder(Arc::new(folder), options))
    }

    /// Checkpoints in any folder.
    pub fn on_folder(folder: Arc<dyn Folder>, options: Options) -> Self {
        Self { folder, options, holder: Mutex::new(None) }
    }

    /// Saves a checkpoint, gives it the next sequence, and returns that. After success it survives a power cut, and older ones beyond those to
    /// keep are gone; what did not go as it should beside it is a warning of the log, see [`CheckpointManager::save`].
    ///
    /// # Errors
    /// `AlreadyLocked` while another manager has the folder; `TooLarge`; `Folder`, of which `Poisoned` alone leaves unknown whether it was
    /// saved, after anything else it was not; `Newer` where a newer program has saved to the folder. A checkpoint that was not saved
    /// uses up no sequence.
    #[expect(clippy::needless_pass_by_value, reason = "the contract hands it over")]
    pub fn save_checkpoint(&self, checkpoint: Checkpoint) -> Result<u64> {
        Ok(self.save(&checkpoint)?.sequence)
    }

    /// Saves a checkpoint, and tells what became of the others.
    ///
    /// # Errors
    /// Those of [`CheckpointManager::save_checkpoint`].
    pub fn save(&self, checkpoint: &Checkpoint) -> Result<Saved> {
        let saved = self.change(|holder| holder.save(checkpoint))?;
        let folder = self.folder.path().display();
        for skipped in &saved.set_aside {
            tracing::warn!(%folder, sequence = skipped.sequence, reason = %skipped.reason, "damaged checkpoint set aside");
        }
        for warning in &saved.warnings {
            tracing::warn!(%folder, sequence = saved.sequence, "{warning}");
        }
        Ok(saved)
    }

    /// The newest checkpoint that verifies; none where none does. Those that were passed over are warnings of the log.
    ///
    /// # Errors
    /// `Newer`, `KeyMissing`, `TooLarge`, and `Folder` where the system refuses: none of it is damage, and an older checkpoint would be
    /// a silent step back.
    pub fn load_latest(&self) -> Result<Option<Checkpoint>> {
        match self.recover() {
            Ok(Recovery::Fresh) => Ok(None),
            Ok(Recovery::Recovered(recovered)) => Ok(Some(recovered.checkpoint)),
            Err(error @ CheckpointError::AllCorrupt { .. }) => {
                tracing::error!(folder = %self.folder.path().display(), "{error}");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// The newest checkpoint that verifies, and the whole truth about the others.
    ///
    /// # Errors
    /// `AllCorrupt` where some were saved and none verifies; otherwise those of [`CheckpointManager::load_latest`].
    pub fn recover(&self) -> Result<Recovery> {
        for _ in 0..limits::LOOKS_MAX {
            let survey = self.survey()?;
            if survey.is_fresh() {
                return Ok(Recovery::Fresh);
            }
            let found = self.newest(&survey);
            let is_whole = matches!(&found, Ok(Some(Recovery::Recovered(recovered))) if !recovered.is_fallback());
            // What is missing may have been cleared, or replaced by newer ones, between two looks.
            let is_current = is_whole || self.survey()?.head == survey.head;
            match found {
                Ok(Some(recovery)) if is_current => return Ok(recovery),
                Err(error) if is_current || !matches!(error, CheckpointError::AllCorrupt { .. }) => return Err(error),
                // Or a file went away while others were read.
                _ => {}
            }
        }
        let error = std::io::Error::other("files go away as fast as they are looked at");
        Err(magnetar_fs::Error::system("read", self.folder.path(), error).into())
    }

    /// The checkpoint of this sequence.
    ///
    /// # Errors
    /// `NotFound`; `Corrupt`; otherwise those of [`CheckpointManager::load_latest`].
    pub fn load_by_sequence(&self, sequence: u64) -> Result<Checkpoint> {
        let survey = self.survey()?;
        let is_there = survey.checkpoints.iter().any(|candidate| candidate.sequence == sequence);
        match is_there.then(|| self.one(&survey, sequence)).transpose()? {
            Some(One::Loaded(loaded)) => Ok(loaded.checkpoint),
            Some(One::Skipped(reason)) => {
                Err(CheckpointError::Corrupt { file: self.folder.path().join(names::of(sequence)), why: reason.to_string() })
            }
            Some(One::Gone) | None => Err(CheckpointError::NotFound { folder: self.folder.path().to_owned(), sequence }),
        }
    }

    /// The newest checkpoint that verifies, for who cannot do without.
    ///
    /// # Errors
    /// `Nothing` where nothing was saved; otherwise those of [`CheckpointManager::recover`].
    pub fn restore_from_checkpoint(&self) -> Result<Checkpoint> {
        match self.recover()? {
            Recovery::Fresh => Err(CheckpointError::Nothing { folder: self.folder.path().to_owned() }),
            Recovery::Recovered(recovered) => Ok(recovered.checkpoint),
        }
    }

    /// How many checkpoints there are, verified or not.
    ///
    /// # Errors
    /// `Folder`.
    pub fn checkpoint_count(&self) -> Result<usize> {
        Ok(self.survey()?.checkpoints.len())
    }

    /// The sequences of the checkpoints there are, verified or not, in order.
    ///
    /// # Errors
    /// `Folder`.
    pub fn list_sequences(&self) -> Result<Vec<u64>> {
        Ok(self.survey()?.checkpoints.iter().rev().map(|candidate| candidate.sequence).collect())
    }

    /// Removes every checkpoint, pinned and damaged ones too. Sequences go on. A crash in the middle leaves all or none of them.
    ///
    /// # Errors
    /// `AlreadyLocked`; `Folder`, after which everything counts as removed, whatever files are left, or nothing does.
    pub fn clear(&self) -> Result<()> {
        self.change(Holder::clear)
    }

    /// Keeps a checkpoint until it is unpinned, however many newer ones there are.
    ///
    /// # Errors
    /// `NotFound`; `TooLarge` beyond [`limits::PINS_MAX`]; otherwise those of [`CheckpointManager::save_checkpoint`].
    pub fn pin(&self, sequence: u64) -> Result<()> {
        self.change(|holder| holder.pin(sequence))
    }

    /// Lets a checkpoint go at the next save as if it had never been pinned. One that is not pinned is no error.
    ///
    /// # Errors
    /// Those of [`CheckpointManager::save_checkpoint`].
    pub fn unpin(&self, sequence: u64) -> Result<()> {
        self.change(|holder| holder.unpin(sequence))
    }

    /// The pinned checkpoints, in order.
    ///
    /// # Errors
    /// `Folder`.
    pub fn pins(&self) -> Result<Vec<u64>> {
        Ok(self.survey()?.head.map(|head| head.pins.into_iter().collect()).unwrap_or_default())
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        self.folder.path()
    }

    /// Changes the folder, which it takes first where it does not have it. After a failure that leaves the outcome unknown it is given
    /// up, so that the next change begins with what is really there.
    fn change<T>(&self, change: impl FnOnce(&mut Holder) -> Result<T>) -> Result<T> {
        let mut held = self.holder.lock().unwrap_or_else(PoisonError::into_inner);
        let mut holder = match held.take() {
            Some(holder) => holder,
            None => Holder::take(&self.folder, &self.options)?,
        };
        let changed = change(&mut holder);
        if holder.is_sound() {
            *held = Some(holder);
        }
        changed
    }

    fn survey(&self) -> Result<Survey> {
        Survey::of(&*self.folder, self.options.key.as_ref())
    }

    /// The newest that verifies; none where a file went away in between.
    fn newest(&self, survey: &Survey) -> Result<Option<Recovery>> {
        let mut skipped = Vec::new();
        for candidate in &survey.checkpoints {
            match self.one(survey, candidate.sequence)? {
                One::Gone => return Ok(None),
                One::Skipped(reason) => {
                    tracing::warn!(
                        folder = %self.folder.path().display(), sequence = candidate.sequence, %reason, "checkpoint passed over"
                    );
                    skipped.push(Skipped { sequence: candidate.sequence, reason });
                }
                One::Loaded(loaded) => {
                    let checkpoint = loaded.checkpoint;
                    let missing = survey.missing().filter(|missing| *missing > checkpoint.sequence);
                    let age = self.age(checkpoint.timestamp_secs);
                    let newest_known = survey.newest_known;
                    return Ok(Some(Recovery::Recovered(Box::new(Recovered {
                        checkpoint,
                        skipped,
                        missing,
                        newest_known,
                        age,
                    }))));
                }
            }
        }
        let (folder, newest_known) = (self.folder.path().to_owned(), survey.newest_known);
        Err(CheckpointError::AllCorrupt { folder, skipped, newest_known })
    }

    fn one(&self, survey: &Survey, sequence: u64) -> Result<One> {
        let Some(source) = source(&*self.folder, &self.options, sequence)? else { return Ok(One::Gone) };
        match format::load(source).and_then(|loaded| holder::belongs(survey.head.as_ref(), sequence, loaded)) {
            Ok(loaded) => Ok(One::Loaded(Box::new(loaded))),
            Err(Unread::Skip(reason)) => Ok(One::Skipped(reason)),
            Err(Unread::Stop(error)) => Err(error),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.options.clock.now()
    }

    fn age(&self, timestamp_secs: u64) -> Duration {
        self.now().since(Timestamp::from_millis(timestamp_secs.saturating_mul(1000)))
    }
}

/// An open checkpoint; none where it is gone.
fn source<'o>(folder: &dyn Folder, options: &'o Options, sequence: u64) -> Result<Option<Source<'o>>> {
    let name = names::of(sequence);
    let path = folder.path().join(&name);
    match folder.open(&name) {
        Ok(file) => {
            let (key, file_bytes_max) = (options.key.as_ref(), options.file_bytes_max);
            Ok(Some(Source { file, path, sequence, key, file_bytes_max }))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(magnetar_fs::Error::system("open", &path, error).into()),
    }
}
