//! Paths of a manifest: relative ones begin at its folder.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

/// The folder at which relative paths begin.
#[derive(Clone, Debug)]
pub(crate) struct Base(PathBuf);

impl Base {
    /// The folder of a manifest, or another. It is an absolute path.
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self(folder)
    }

    /// Where a path leads.
    pub(crate) fn resolve(&self, path: &str) -> PathBuf {
        self.0.join(path)
    }

    /// The folder that a command runs in.
    pub(super) fn cwd(&self, cwd: Option<&str>) -> PathBuf {
        cwd.map_or_else(|| self.0.clone(), |cwd| self.resolve(cwd))
    }

    /// A path as a command gets it: as it is written, where the command runs in the folder at which it begins.
    ///
    /// A name with a dash in front would be taken for an option by most programs, and gets a `./`.
    pub(super) fn for_command(&self, path: &str, cwd: Option<&str>) -> OsString {
        match cwd {
            Some(_) => self.resolve(path).into_os_string(),
            None if path.starts_with('-') => format!("./{path}").into(),
            None => path.into(),
        }
    }

    /// A program as the system finds it: a name without a slash is looked for in `PATH`, a path begins at the folder.
    pub(super) fn program(&self, program: OsString) -> OsString {
        if program.as_encoded_bytes().contains(&b'/') { self.0.join(Path::new(&program)).into_os_string() } else { program }
    }
}
