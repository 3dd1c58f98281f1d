//! Which backend a location names.

use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
};

use magnetar_core::{Error, ErrorKind, JobStore, Result};
use magnetar_embedded::Options;
use magnetar_memory::MemoryStore;

/// Where a store is: what [`open`] understands, for whoever wants to look at it first.
///
/// ```
/// use magnetar::Location;
///
/// let location: Location = "jobs.db".parse()?;
/// assert_eq!(location.file(), Some("jobs.db".as_ref()));
/// # Ok::<(), magnetar::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    backend: Backend,
    /// The location as it may be shown: without credentials.
    shown: String,
}

/// A backend, with the path of its file.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Backend {
    Memory,
    Sqlite(PathBuf),
    Redb(PathBuf),
    Postgres,
}

/// Opens the store at a location, and creates it where there is none.
///
/// | location | backend | feature |
/// |---|---|---|
/// | `memory:` | in memory, for tests | |
/// | `jobs.db`, `jobs.sqlite`, a path without extension, `sqlite://PATH` | SQLite | `sqlite`, a default |
/// | `jobs.redb`, `jobs.magnetar`, `redb://PATH` | redb | `redb` |
/// | `postgres://…`, `postgresql://…` | PostgreSQL | not built yet |
///
/// What follows `sqlite://` or `redb://` is a path as it is: `sqlite://jobs.db` is a file in the current folder, and
/// `sqlite:///var/lib/jobs.db` one at the root.
///
/// # Errors
/// `Invalid` for a location that names no backend, `Unsupported` for one whose feature is off (the error names it) or whose
/// backend this version does not have, and what the backend says: see `open` of each store.
pub async fn open(location: &str) -> Result<Arc<dyn JobStore>> {
    location.parse::<Location>()?.open().await
}

impl Location {
    /// The location of a file, whose extension names the backend. For paths that are no UTF-8, and those that look like an address.
    ///
    /// # Errors
    /// `Invalid` for an empty path, or an extension that names no backend.
    pub fn of_file(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        let shown = path.display().to_string();
        let extension = path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
        let backend = match extension.as_deref() {
            _ if path.as_os_str().is_empty() => return Err(no_backend(&shown)),
            None | Some("db" | "sqlite") => Backend::Sqlite(path),
            Some("redb" | "magnetar") => Backend::Redb(path),
            Some(_) => return Err(no_backend(&shown)),
        };
        Ok(Self { backend, shown })
    }

    /// The file that the store is in; none for a store that is in no file of this host.
    pub fn file(&self) -> Option<&Path> {
        match &self.backend {
            Backend::Sqlite(path) | Backend::Redb(path) => Some(path),
            Backend::Memory | Backend::Postgres => None,
        }
    }

    /// Opens the store, and creates it where there is none.
    ///
    /// # Errors
    /// `Unsupported` for a backend whose feature is off, or that this version does not have, and what the backend says.
    pub async fn open(&self) -> Result<Arc<dyn JobStore>> {
        self.open_with(Options::default()).await
    }

    /// Opens the store as [`open`](Self::open) does, and runs it with these options, where its engine is the embedded one.
    ///
    /// # Errors
    /// As [`open`](Self::open), and what a [`LockHeir`](crate::LockHeir) among the options says.
    pub async fn open_with(&self, options: Options) -> Result<Arc<dyn JobStore>> {
        match &self.backend {
            Backend::Memory => Ok(Arc::new(MemoryStore::open_with(options).await?)),
            #[cfg(feature = "sqlite")]
            Backend::Sqlite(path) => Ok(Arc::new(magnetar_sqlite::SqliteStore::open_with(path, options).await?)),
            #[cfg(not(feature = "sqlite"))]
            Backend::Sqlite(_) => Err(self.switched_off("SQLite", "sqlite")),
            #[cfg(feature = "redb")]
            Backend::Redb(path) => Ok(Arc::new(magnetar_redb::RedbStore::open_with(path, options).await?)),
            #[cfg(not(feature = "redb"))]
            Backend::Redb(_) => Err(self.switched_off("redb", "redb")),
            Backend::Postgres => Err(Error::new(
                ErrorKind::Unsupported,
                format!(
                    "open {:?}: the PostgreSQL backend is not built yet in this version; name a file, as in \"jobs.db\"",
                    self.shown
                ),
            )),
        }
    }

    /// The tables of the store, which are created where there are none.
    pub(crate) fn backend(&self) -> Result<Box<dyn magnetar_embedded::Backend>> {
        match &self.backend {
            #[cfg(feature = "sqlite")]
            Backend::Sqlite(path) => Ok(Box::new(magnetar_sqlite::SqliteBackend::open(path)?)),
            #[cfg(not(feature = "sqlite"))]
            Backend::Sqlite(_) => Err(self.switched_off("SQLite", "sqlite")),
            #[cfg(feature = "redb")]
            Backend::Redb(path) => Ok(Box::new(magnetar_redb::RedbBackend::open(path)?)),
            #[cfg(not(feature = "redb"))]
            Backend::Redb(_) => Err(self.switched_off("redb", "redb")),
            Backend::Memory | Backend::Postgres => {
                Err(Error::new(ErrorKind::Unsupported, format!("open the tables of {self}: they are in no file")))
            }
        }
    }

    /// The same kind of store in another file.
    pub(crate) fn at(&self, path: PathBuf) -> Self {
        let shown = path.display().to_string();
        let backend = match &self.backend {
            Backend::Redb(_) => Backend::Redb(path),
            _ => Backend::Sqlite(path),
        };
        Self { backend, shown }
    }

    #[cfg(not(all(feature = "sqlite", feature = "redb")))]
    fn switched_off(&self, backend: &str, feature: &str) -> Error {
        Error::new(
            ErrorKind::Unsupported,
            format!("open {:?}: the {backend} backend is switched off; build magnetar with its feature `{feature}`", self.shown),
        )
    }
}

impl FromStr for Location {
    type Err = Error;

    /// Understands a location as [`open`] does.
    fn from_str(location: &str) -> Result<Self> {
        let Some((scheme, rest)) = location.split_once(':').filter(|(scheme, _)| is_scheme(scheme)) else {
            return Self::of_file(location);
        };
        let path = rest.strip_prefix("//").filter(|path| !path.is_empty()).map(PathBuf::from);
        let backend = match (scheme.to_ascii_lowercase().as_str(), path) {
            ("memory", None) if rest.is_empty() => Backend::Memory,
            ("sqlite", Some(path)) => Backend::Sqlite(path),
            ("redb", Some(path)) => Backend::Redb(path),
            ("postgres" | "postgresql", Some(_)) => Backend::Postgres,
            _ => return Err(no_backend(location)),
        };
        // An address of a server may hold a password; a path is shown as it is.
        let shown = if backend == Backend::Postgres { shown(location) } else { location.to_owned() };
        Ok(Self { backend, shown })
    }
}

/// The location without the credentials that it may hold.
impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.shown)
    }
}

/// Whether this is the scheme of an address, rather than a drive's letter or a path that holds a colon.
fn is_scheme(text: &str) -> bool {
    text.len() > 1 && text.chars().all(|letter| letter.is_ascii_alphabetic())
}

fn no_backend(location: &str) -> Error {
    let known = "NAME.db, NAME.sqlite or sqlite://PATH, NAME.redb, NAME.magnetar or redb://PATH, postgres://…, memory:";
    Error::new(ErrorKind::Invalid, format!("open {:?}: it names no backend; there are {known}", shown(location)))
}

/// A location without the credentials that it may hold.
fn shown(location: &str) -> String {
    let Some((scheme, rest)) = location.split_once("://") else { return location.to_owned() };
    let (authority, path) = rest.split_once('/').map_or((rest, ""), |(authority, path)| (authority, path));
    match authority.rsplit_once('@') {
        // What follows a host may hold a password too, as a parameter.
        Some((_, host)) => format!("{scheme}://…@{host}/…"),
        None => format!("{scheme}://{authority}/{}", path.split('?').next().unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use futures_lite::future::block_on;

    use super::*;

    #[test]
    fn location_names_its_backend() {
        let sqlite = |path| Backend::Sqlite(PathBuf::from(path));
        let redb = |path| Backend::Redb(PathBuf::from(path));
        for (location, expected) in [
            ("memory:", Backend::Memory),
            ("jobs.db", sqlite("jobs.db")),
            ("jobs.SQLITE", sqlite("jobs.SQLITE")),
            ("jobs", sqlite("jobs")),
            ("/some/where.d/jobs", sqlite("/some/where.d/jobs")),
            ("sqlite:///some/where.csv", sqlite("/some/where.csv")),
            ("SQLite://jobs", sqlite("jobs")),
            ("a:b.db", sqlite("a:b.db")),
            ("jobs.redb", redb("jobs.redb")),
            ("jobs.magnetar", redb("jobs.magnetar")),
            ("redb://jobs", redb("jobs")),
            ("postgres://host/db", Backend::Postgres),
            ("PostgreSQL://host/db", Backend::Postgres),
        ] {
            let found: Location = location.parse().unwrap();
            assert_eq!((found.backend, found.shown.as_str()), (expected, location));
        }
    }

    #[test]
    fn location_tells_its_file_where_it_has_one() {
        let file = |location: &str| location.parse::<Location>().unwrap().file().map(Path::to_owned);
        assert_eq!(file("a/jobs.db"), Some("a/jobs.db".into()));
        assert_eq!(file("redb:///a/jobs"), Some("/a/jobs".into()));
        assert_eq!((file("memory:"), file("postgres://host/db")), (None, None));
        assert_eq!(Location::of_file("sqlite://jobs").unwrap().file(), Some(Path::new("sqlite://jobs")));
    }

    #[test]
    fn location_without_backend_is_told_which_there_are() {
        for location in ["", "jobs.csv", "mysql://host/db", "memory:jobs", "sqlite:", "sqlite://", "redb:jobs"] {
            let error = location.parse::<Location>().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid);
            assert!(error.to_string().contains("sqlite://PATH"), "{error}");
        }
    }

    #[test]
    fn backend_that_is_not_built_says_so() {
        let error = block_on(open("postgres://host/db")).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains("not built yet"), "{error}");
    }

    #[cfg(not(all(feature = "sqlite", feature = "redb")))]
    #[test]
    fn backend_that_is_switched_off_names_its_feature() {
        for (feature, is_on) in [("sqlite", cfg!(feature = "sqlite")), ("redb", cfg!(feature = "redb"))] {
            if !is_on {
                let error = block_on(open(&format!("{feature}://jobs"))).err().unwrap();
                assert_eq!(error.kind(), ErrorKind::Unsupported);
                assert!(error.to_string().contains(&format!("feature `{feature}`")), "{error}");
            }
        }
    }

    #[cfg(any(feature = "sqlite", feature = "redb"))]
    #[test]
    fn store_in_a_file_opens_where_the_location_says() {
        let folder = tempfile::tempdir().unwrap();
        for backend in [
            #[cfg(feature = "sqlite")]
            "sqlite",
            #[cfg(feature = "redb")]
            "redb",
        ] {
            let path = folder.path().join(format!("jobs.{backend}"));
            let location = path.to_str().unwrap();
            for location in [location.to_owned(), format!("{backend}://{location}")] {
                assert_eq!(block_on(open(&location)).unwrap().capabilities().backend, backend);
            }
            assert!(path.is_file());
        }
    }

    #[test]
    fn credentials_are_not_shown() {
        for location in
            ["postgres://me:canary@host/db", "postgres://me:can@ary@host/db?password=canary", "mysql://host/db?password=canary"]
        {
            let error = block_on(open(location)).err().unwrap().to_string();
            assert!(!error.contains("canary") && !error.contains("ary@"), "{error}");
        }
    }

    #[test]
    fn store_in_memory_opens() {
        assert_eq!(block_on(open("memory:")).unwrap().capabilities().backend, "memory");
    }
}
