//! Where a store is to be, with every link resolved, and that a store can be there.

use std::{
    fs::{self, FileType},
    io,
    path::{Path, PathBuf},
};

use magnetar_core::{Error, ErrorKind, Result};

use super::{mounts, refuse, system_error};

/// A file that is there or may be made, in a folder that is there, on a disk of this host.
///
/// Links are resolved, so whoever comes by another name finds the same file, and the same files beside it.
#[derive(Debug)]
pub struct Place {
    file: PathBuf,
    folder: PathBuf,
}

impl Place {
    /// Looks at a path, and opens nothing: opening a pipe would wait for its other end.
    ///
    /// # Errors
    /// - `Invalid` for what can be no file: a folder, a FIFO, a socket, a device, a path that leads through a file, a name
    ///   that is too long.
    /// - `Unavailable` for a missing folder, and a symbolic link to nowhere or in a circle.
    /// - `Unsupported` for a network filesystem, whose locks and flushes cannot be relied on.
    /// - `ReadOnly` for a folder that this user may not look into.
    pub fn of(path: &Path) -> Result<Self> {
        let file = resolve(path)?;
        let Some(folder) = file.parent().map(Path::to_owned) else { return Err(nameless(path)) };
        refuse_network(path, mounts::network_filesystem(&folder))?;
        Ok(Self { file, folder })
    }

    /// The path without links.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The folder that the file is in.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }
}

fn refuse_network(path: &Path, filesystem: Option<&str>) -> Result<()> {
    let Some(kind) = filesystem else { return Ok(()) };
    Err(Error::new(
        ErrorKind::Unsupported,
        format!(
            "open {}: it is on a network filesystem ({kind}), where locks cannot be trusted; put it on a disk of this host",
            path.display()
        ),
    ))
}

fn resolve(path: &Path) -> Result<PathBuf> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => resolve_missing(path),
        Err(error) => Err(system_error("open", path, error)),
        Ok(metadata) => {
            let follow = |error| if metadata.is_symlink() { broken_link(path, error) } else { system_error("open", path, error) };
            let file = fs::canonicalize(path).map_err(follow)?;
            let kind = fs::metadata(&file).map_err(|error| system_error("open", path, error))?.file_type();
            refuse_other_than_file(path, kind)?;
            Ok(file)
        }
    }
}

fn resolve_missing(path: &Path) -> Result<PathBuf> {
    let Some(name) = path.file_name() else { return Err(nameless(path)) };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = fs::canonicalize(folder).map_err(|error| system_error("open", path, error))?;
    Ok(folder.join(name))
}

/// Refuses everything that is there and is no file, and says what it is.
pub(super) fn refuse_other_than_file(path: &Path, kind: FileType) -> Result<()> {
    if kind.is_file() {
        return Ok(());
    }
    if kind.is_dir() {
        return Err(refuse(path, "it is a folder; name a file in it"));
    }
    Err(refuse(path, format!("it is {}; name a file", what_it_is(kind))))
}

#[cfg(unix)]
fn what_it_is(kind: FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt;

    match () {
        () if kind.is_fifo() => "a FIFO",
        () if kind.is_socket() => "a socket",
        () if kind.is_block_device() || kind.is_char_device() => "a device",
        () => "no file",
    }
}

#[cfg(not(unix))]
fn what_it_is(_kind: FileType) -> &'static str {
    "no file"
}

/// The error of following a symbolic link. The system has no name of its own for a circle.
fn broken_link(path: &Path, cause: io::Error) -> Error {
    if matches!(cause.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::NotADirectory | io::ErrorKind::InvalidFilename) {
        return system_error("open", path, cause);
    }
    let why = "it is a symbolic link to nowhere or in a circle; make what it points to, or name the file itself";
    Error::new(ErrorKind::Unavailable, format!("open {}: {why}", path.display())).with_source(cause)
}

fn nameless(path: &Path) -> Error {
    refuse(path, "it names no file; name one in a folder")
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::{
        os::unix::{fs::symlink, net::UnixListener},
        process::Command,
    };

    use super::*;

    #[track_caller]
    fn check(path: &Path, kind: ErrorKind, says: &str) {
        let error = Place::of(path).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        let text = error.to_string();
        assert!(text.starts_with(&format!("open {}: ", path.display())) && text.contains(says), "{text}");
    }

    #[test]
    fn path_that_can_be_no_store_is_refused_and_said_to_be_what_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        check(Path::new(""), ErrorKind::Invalid, "names no file");
        check(&at("missing/.."), ErrorKind::Invalid, "names no file");
        check(Path::new("/"), ErrorKind::Invalid, "a folder");
        check(folder.path(), ErrorKind::Invalid, "a folder");
        check(Path::new("/dev/null"), ErrorKind::Invalid, "a device");
        assert!(Command::new("mkfifo").arg(at("fifo")).status().unwrap().success());
        check(&at("fifo"), ErrorKind::Invalid, "a FIFO");
        let _socket = UnixListener::bind(at("socket")).unwrap();
        check(&at("socket"), ErrorKind::Invalid, "a socket");
        fs::write(at("file"), "x").unwrap();
        check(&at("file/jobs"), ErrorKind::Invalid, "a file where a folder must be");
        check(&at("file/missing/jobs"), ErrorKind::Invalid, "a file where a folder must be");
        check(&at(&"x".repeat(300)), ErrorKind::Invalid, "no file can have this name");
    }

    #[test]
    fn folder_or_link_that_leads_nowhere_is_unavailable() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        check(&at("missing/jobs"), ErrorKind::Unavailable, "create the folder first");
        symlink(at("nowhere"), at("link")).unwrap();
        check(&at("link"), ErrorKind::Unavailable, "symbolic link to nowhere");
        symlink(at("circle"), at("circle")).unwrap();
        check(&at("circle"), ErrorKind::Unavailable, "in a circle");
        fs::write(at("file"), "x").unwrap();
        symlink(at("file/jobs"), at("through")).unwrap();
        check(&at("through"), ErrorKind::Invalid, "a file where a folder must be");
        assert!(!at("nowhere").exists());
    }

    #[test]
    fn links_are_resolved_also_in_the_folder_of_a_file_that_is_not_there_yet() {
        let folder = tempfile::tempdir().unwrap();
        let real = fs::canonicalize(folder.path()).unwrap();
        fs::create_dir(real.join("folder")).unwrap();
        symlink("folder", real.join("way")).unwrap();
        let missing = Place::of(&real.join("way/jobs")).unwrap();
        assert_eq!((missing.file(), missing.folder()), (&*real.join("folder/jobs"), &*real.join("folder")));
        fs::write(real.join("folder/jobs"), "x").unwrap();
        symlink("way/jobs", real.join("link")).unwrap();
        assert_eq!(Place::of(&real.join("link")).unwrap().file(), real.join("folder/jobs"));
    }

    #[test]
    fn network_filesystem_is_unsupported_and_named() {
        let error = refuse_network(Path::new("jobs.db"), Some("nfs4")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().starts_with("open jobs.db: it is on a network filesystem (nfs4)"), "{error}");
        refuse_network(Path::new("jobs.db"), None).unwrap();
    }
}
