//! Which checkpoints stay, after one was saved.

use super::{
    holder::{self, Holder, Verified},
    source,
};
use crate::{
    error::{CheckpointError, Result},
    format::{self, Unread},
    limits, names,
    recovery::{SkipReason, Skipped},
    saved::{Saved, Warning},
    survey::{Candidate, Survey},
};

/// What a file has turned out to be.
enum Standing {
    /// It verifies.
    Sound {
        timestamp_secs: u64,
    },
    Damaged(SkipReason),
    /// It is not ours to judge.
    Alien(String),
    Gone,
}

impl Holder {
    /// Keeps the newest that verify, those that are pinned and those that are young; sets aside what is damaged; removes the others. What fails
    /// is a warning: the next save tries again.
    pub(super) fn rotate(&mut self, saved: &mut Saved) {
        if let Err(error) = self.try_to_rotate(saved) {
            saved.warnings.push(Warning::NotRotated(error));
        }
    }

    fn try_to_rotate(&mut self, saved: &mut Saved) -> Result<()> {
        let survey = Survey::of(&*self.folder, self.options.key.as_ref())?;
        for sequence in &survey.cleared {
            self.take_away(*sequence, &names::of(*sequence), saved);
        }
        let mut kept = 0;
        let mut reverified_bytes = 0;
        for candidate in &survey.checkpoints {
            let sequence = candidate.sequence;
            match self.standing(candidate, &mut reverified_bytes) {
                Standing::Sound { .. } if kept < self.options.max_retained => kept += 1,
                Standing::Sound { timestamp_secs } if self.is_kept(sequence, timestamp_secs) => {}
                Standing::Sound { .. } => {
                    if self.take_away(sequence, &candidate.entry.name, saved) {
                        saved.removed.push(sequence);
                    }
                }
                Standing::Damaged(reason) => self.set_aside(candidate, reason, saved),
                Standing::Alien(why) => saved.warnings.push(Warning::LeftAlone { sequence, why }),
                Standing::Gone => {}
            }
        }
        self.verified.retain(|sequence, _| survey.checkpoints.iter().any(|candidate| candidate.sequence == *sequence));
        self.bound_aside(saved)
    }

    /// Whether it stays beyond the number that is kept.
    fn is_kept(&self, sequence: u64, timestamp_secs: u64) -> bool {
        let age_secs = self.now_secs().saturating_sub(timestamp_secs);
        let is_young = self.options.keep_for.is_some_and(|age| age_secs < age.as_secs());
        is_young || self.head.pins.contains(&sequence)
    }

    /// Reads a file again unless it is large and has verified before and was not touched since.
    fn standing(&mut self, candidate: &Candidate, reverified_bytes: &mut u64) -> Standing {
        let known = self.verified.get(&candidate.sequence).filter(|known| known.stamp == candidate.entry.stamp);
        if let Some(known) = known {
            *reverified_bytes += candidate.entry.bytes;
            if *reverified_bytes > limits::REVERIFIED_BYTES_MAX {
                return Standing::Sound { timestamp_secs: known.timestamp_secs };
            }
        }
        let standing = self.verify(candidate.sequence);
        if let Standing::Sound { timestamp_secs } = standing {
            let verified = Verified { stamp: candidate.entry.stamp, timestamp_secs };
            self.verified.insert(candidate.sequence, verified);
        }
        standing
    }

    fn verify(&self, sequence: u64) -> Standing {
        let source = match source(&*self.folder, &self.options, sequence) {
            Ok(Some(source)) => source,
            Ok(None) => return Standing::Gone,
            Err(error) => return Standing::Alien(error.to_string()),
        };
        match format::verify(source).and_then(|loaded| holder::belongs(Some(&self.head), sequence, loaded)) {
            Ok(loaded) => Standing::Sound { timestamp_secs: loaded.checkpoint.timestamp_secs },
            Err(Unread::Skip(reason @ SkipReason::Corrupt(_))) => Standing::Damaged(reason),
            Err(Unread::Skip(reason)) => Standing::Alien(reason.to_string()),
            Err(Unread::Stop(error)) => Standing::Alien(error.to_string()),
        }
    }

    fn take_away(&mut self, sequence: u64, name: &str, saved: &mut Saved) -> bool {
        let removed = self.writer.remove(name);
        if let Err(error) = removed {
            saved.warnings.push(Warning::NotRemoved { sequence, error: error.into() });
            return false;
        }
        true
    }

    fn set_aside(&mut self, candidate: &Candidate, reason: SkipReason, saved: &mut Saved) {
        let sequence = candidate.sequence;
        for copy in 0..=limits::SET_ASIDE_FILES_MAX {
            let name = names::aside(sequence, u32::try_from(copy).unwrap_or(u32::MAX));
            match self.writer.rename(&candidate.entry.name, &name) {
                Ok(()) => return saved.set_aside.push(Skipped { sequence, reason }),
                Err(error) if error.kind() == magnetar_fs::ErrorKind::AlreadyExists => {}
                Err(error) => {
                    return saved.warnings.push(Warning::NotRemoved { sequence, error: CheckpointError::from(error) });
                }
            }
        }
    }

    /// Removes the oldest of those that were set aside, until the others are few and small enough.
    fn bound_aside(&mut self, saved: &mut Saved) -> Result<()> {
        let aside = Survey::of(&*self.folder, self.options.key.as_ref())?.aside;
        let (mut files, mut bytes) = (aside.len(), aside.iter().map(|aside| aside.entry.bytes).sum::<u64>());
        for aside in aside {
            if files <= limits::SET_ASIDE_FILES_MAX && bytes <= limits::SET_ASIDE_BYTES_MAX {
                break;
            }
            self.take_away(aside.sequence, &aside.entry.name, saved);
            files -= 1;
            bytes -= aside.entry.bytes;
        }
        Ok(())
    }
}
