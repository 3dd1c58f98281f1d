//! One run of a job at a time, unless others join it.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
};

use anyhow::{Context, Result};
use magnetar::Location;
use magnetar_embedded::files::{Place, lock_folder};

use crate::exit::{Code, fault};

/// Held by the run that is not a joined one.
const FIRST: &str = "run";
/// Held, shared, by joined runs.
const JOINED: &str = "join";

/// The right to run a job, as locks beside its store. They go with this process, however it ends.
#[derive(Debug)]
pub(super) struct Turn {
    _locks: Vec<File>,
    /// Whether nobody else runs it.
    pub(super) is_alone: bool,
}

impl Turn {
    /// Takes the turn, alone or joining others.
    ///
    /// # Errors
    /// A conflict where another run has it, and this one is not to join.
    pub(super) fn take(location: &Location, join: bool) -> Result<Self> {
        let Some(file) = location.file() else { return Ok(Self { _locks: Vec::new(), is_alone: true }) };
        let folder = lock_folder(Place::of(file)?.file());
        let in_folder = || format!("make a lock file in {}; the folder must be writable", folder.display());
        match fs::DirBuilder::new().mode(0o700).create(&folder) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(error).with_context(in_folder),
            _ => {}
        }
        let mut first = open(&folder.join(FIRST)).with_context(in_folder)?;
        let joined = open(&folder.join(JOINED)).with_context(in_folder)?;
        let is_first = is_free(first.try_lock())?;
        // Held for a moment by whoever is first, and shared by those who joined, so it tells whether there are any.
        let is_alone = is_first && is_free(joined.try_lock())?;
        if join && !is_alone {
            drop(first);
            joined.lock_shared().context("join the run")?;
            return Ok(Self { _locks: vec![joined], is_alone });
        }
        if !is_alone {
            return Err(refusal(&mut first, is_first));
        }
        drop(joined);
        // Whoever is refused is told who it is; nothing depends on it.
        let _ = first.set_len(0).and_then(|()| write!(first, "{}", std::process::id()));
        Ok(Self { _locks: vec![first], is_alone })
    }
}

fn refusal(first: &mut File, is_first: bool) -> anyhow::Error {
    let mut process = String::new();
    let who = match first.read_to_string(&mut process) {
        Ok(_) if !is_first && !process.is_empty() => format!("by process {process}"),
        _ => "elsewhere".to_owned(),
    };
    fault(
        Code::Conflict,
        format!("the job is running already, {who}; `magnetar watch` shows how far it is, and `--join` works along with it"),
    )
}

fn open(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

fn is_free(tried: Result<(), TryLockError>) -> Result<bool> {
    match tried {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error).context("lock the job"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::code_of;

    #[test]
    fn second_run_is_refused_until_the_first_is_over() {
        let folder = tempfile::tempdir().unwrap();
        let location = Location::of_file(folder.path().join("jobs.db")).unwrap();
        let first = Turn::take(&location, false).unwrap();
        let error = Turn::take(&location, false).unwrap_err();
        assert_eq!(code_of(&error), Code::Conflict);
        assert!(error.to_string().contains(&format!("process {}", std::process::id())), "{error}");
        drop(first);
        assert!(Turn::take(&location, false).unwrap().is_alone);
    }

    #[test]
    fn runs_join_and_the_last_of_them_still_has_the_turn() {
        let folder = tempfile::tempdir().unwrap();
        let location = Location::of_file(folder.path().join("jobs.db")).unwrap();
        let first = Turn::take(&location, true).unwrap();
        assert!(first.is_alone);
        let joined = [Turn::take(&location, true).unwrap(), Turn::take(&location, true).unwrap()];
        assert!(joined.iter().all(|turn| !turn.is_alone));
        drop(first);
        assert!(Turn::take(&location, false).unwrap_err().to_string().contains("elsewhere"));
        drop(joined);
        assert!(Turn::take(&location, false).unwrap().is_alone);
    }
}
