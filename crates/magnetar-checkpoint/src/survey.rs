//! What is in a folder, as far as it is ours.

use magnetar_fs::{Entry, Folder, Kind};

use crate::{
    error::{CheckpointError, Result},
    format::Key,
    head::{Found, Head},
    limits, names,
};

/// A look at a folder.
#[derive(Debug)]
pub(crate) struct Survey {
    pub(crate) head: Option<Head>,
    /// What is wrong with the file that says what was acknowledged.
    pub(crate) head_damage: Option<String>,
    /// The checkpoints, newest first.
    pub(crate) checkpoints: Vec<Candidate>,
    /// Checkpoints that were cleared and are still there.
    pub(crate) cleared: Vec<u64>,
    /// Those that were set aside, oldest first, with their names and sizes.
    pub(crate) aside: Vec<Aside>,
    /// The largest sequence that was ever given out, as far as the folder tells.
    pub(crate) newest_known: u64,
}

/// A file that may be a checkpoint.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) sequence: u64,
    pub(crate) entry: Entry,
}

/// A file that was set aside.
#[derive(Clone, Debug)]
pub(crate) struct Aside {
    pub(crate) sequence: u64,
    pub(crate) entry: Entry,
}

impl Survey {
    /// Looks at a folder.
    ///
    /// # Errors
    /// What the system says; `Newer` and `KeyMissing` for the file that says what was acknowledged.
    pub(crate) fn of(folder: &dyn Folder, key: Option<&Key>) -> Result<Self> {
        let (head, head_damage) = match Head::read(folder, key)? {
            Found::Nothing => (None, None),
            Found::Damaged(why) => (None, Some(why)),
            Found::Head(head) => (Some(head), None),
        };
        let entries = folder.list().map_err(|error| magnetar_fs::Error::system("list", folder.path(), error))?;
        let (acknowledged, cleared_to) = head.as_ref().map_or((0, 0), |head| (head.sequence, head.cleared));
        let mut survey = Self {
            head,
            head_damage,
            checkpoints: Vec::new(),
            cleared: Vec::new(),
            aside: Vec::new(),
            newest_known: acknowledged.max(cleared_to),
        };
        // What is far beyond everything that was given out was not made here.
        let last_of_ours = survey.newest_known.saturating_add(limits::SEQUENCE_LEAP_MAX);
        for entry in entries {
            let (sequence, is_aside) = match (names::sequence(&entry.name), names::sequence_aside(&entry.name)) {
                (Some(sequence), _) => (sequence, false),
                (None, Some(sequence)) => (sequence, true),
                (None, None) => continue,
            };
            if sequence > last_of_ours {
                continue;
            }
            // Whatever has the name, it cannot be given again.
            survey.newest_known = survey.newest_known.max(sequence);
            match entry.kind {
                Kind::File if is_aside => survey.aside.push(Aside { sequence, entry }),
                Kind::File if sequence <= cleared_to => survey.cleared.push(sequence),
                Kind::File => survey.checkpoints.push(Candidate { sequence, entry }),
                _ => {}
            }
        }
        survey.checkpoints.sort_unstable_by_key(|candidate| std::cmp::Reverse(candidate.sequence));
        survey.aside.sort_unstable_by(|one, other| (one.sequence, &one.entry.name).cmp(&(other.sequence, &other.entry.name)));
        Ok(survey)
    }

    /// The newest that was acknowledged, was not cleared, and has no file.
    pub(crate) fn missing(&self) -> Option<u64> {
        let head = self.head.as_ref()?;
        let is_there = |sequence| self.checkpoints.iter().any(|candidate| candidate.sequence == sequence);
        (head.sequence > head.cleared && !is_there(head.sequence)).then_some(head.sequence)
    }

    /// Whether nothing was ever saved here, or everything was cleared.
    pub(crate) fn is_fresh(&self) -> bool {
        self.checkpoints.is_empty() && self.aside.is_empty() && self.head_damage.is_none() && self.missing().is_none()
    }

    /// The largest sequence, where it can be known.
    ///
    /// # Errors
    /// `Corrupt` where the file that says it is damaged and nothing else tells.
    pub(crate) fn last_sequence(&self, folder: &dyn Folder) -> Result<u64> {
        match &self.head_damage {
            Some(why) if self.newest_known == 0 => Err(CheckpointError::Corrupt {
                file: folder.path().join(names::HEAD),
                why: format!("{why}, and nothing else tells which sequences were used; remove it to begin anew"),
            }),
            _ => Ok(self.newest_known),
        }
    }
}
