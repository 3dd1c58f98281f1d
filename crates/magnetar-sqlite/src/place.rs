//! Where a store is to be, with every link resolved, and that a store can be there.

use std::{
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
};

use magnetar_core::{Error, ErrorKind, Result};

use crate::{error, mounts};

/// A file that is there or may be made, in a folder that is there, on a disk of this host.
#[derive(Debug)]
pub(crate) struct Place {
    file: PathBuf,
    folder: PathBuf,
}

impl Place {
    /// Looks at a path, and opens nothing: opening a pipe would wait for its other end.
    pub(crate) fn of(path: &Path) -> Result<Self> {
        let file = resolve(path)?;
        let Some(folder) = file.parent().map(Path::to_owned) else {
            return Err(refuse(path, "it names no file; name one in a folder"));
        };
        if let Some(kind) = mounts::network_filesystem(&folder) {
            return Err(refuse(
                path,
                format!("it is on a network filesystem ({kind}), where locks cannot be trusted; put it on a disk of this host"),
            ));
        }
        Ok(Self { file, folder })
    }

    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// A hidden file beside the store, for what is being made.
    pub(crate) fn hidden(&self, number: u64) -> PathBuf {
        let mut name = OsString::from(".");
        name.push(self.file.file_name().unwrap_or_default());
        name.push(format!(".{number}.new"));
        self.folder.join(name)
    }
}

/// The file beside another whose name goes on like this.
pub(crate) fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn resolve(path: &Path) -> Result<PathBuf> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => resolve_missing(path),
        Err(error) => Err(error::from_system("open", path, error)),
        Ok(metadata) => {
            let file = fs::canonicalize(path).map_err(|error| {
                if error.kind() == io::ErrorKind::PermissionDenied || !metadata.is_symlink() {
                    return error::from_system("open", path, error);
                }
                let why = "it is a symbolic link to nowhere or in a circle; make what it points to, or name the file itself";
                refuse(path, why).with_source(error)
            })?;
            let kind = fs::metadata(&file).map_err(|error| error::from_system("open", path, error))?.file_type();
            match () {
                () if kind.is_dir() => Err(refuse(path, "it is a folder; name a file in it")),
                () if !kind.is_file() => Err(refuse(path, "it is a pipe, a socket or a device; name a file")),
                () => Ok(file),
            }
        }
    }
}

fn resolve_missing(path: &Path) -> Result<PathBuf> {
    let Some(name) = path.file_name() else { return Err(refuse(path, "it names no file; name one in a folder")) };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = fs::canonicalize(folder).map_err(|error| error::from_system("open", path, error))?;
    Ok(folder.join(name))
}

/// The error for a path that can be no store.
pub(crate) fn refuse(path: &Path, why: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Invalid, format!("open {}: {why}", path.display()))
}
