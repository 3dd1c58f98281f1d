//! Where programs are. Looking through `PATH` takes as long as a tenth of a short command, so it is done once for each name.

use std::{
    collections::HashMap,
    env,
    ffi::{OsStr, OsString},
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Child,
};

use crate::exec::command::Command;

/// Names that are remembered at most.
const NAMES_MAX: usize = 1000;

/// The places of programs that were started by name.
#[derive(Debug, Default)]
pub(super) struct Programs(HashMap<OsString, PathBuf>);

impl Programs {
    /// Starts a command by the place of its program. Where that is not known, or not right any more, the system looks for it.
    pub(super) fn start(&mut self, command: &Command, start: impl Fn(&OsStr) -> io::Result<Child>) -> io::Result<Child> {
        if !command.env.iter().any(|(name, _)| name == "PATH")
            && let Some(place) = self.place(&command.program)
        {
            match start(place.as_os_str()) {
                Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied) => {
                    self.0.remove(&command.program);
                }
                started => return started,
            }
        }
        start(&command.program)
    }

    fn place(&mut self, name: &OsStr) -> Option<&Path> {
        if name.as_encoded_bytes().contains(&b'/') {
            return None;
        }
        if !self.0.contains_key(name) {
            let place = env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(name)).find(|path| may_execute(path))?;
            if self.0.len() >= NAMES_MAX {
                self.0.clear();
            }
            self.0.insert(name.to_owned(), place);
        }
        // A relative folder in PATH would be another one where the command runs.
        self.0.get(name).map(PathBuf::as_path).filter(|place| place.is_absolute())
    }
}

fn may_execute(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}
