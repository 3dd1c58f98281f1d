//! Which backend a location names.

use std::{path::Path, sync::Arc};

use magnetar_core::{Error, ErrorKind, JobStore, Result};
use magnetar_memory::MemoryStore;

/// A backend, as a location names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Backend {
    Memory,
    Sqlite,
    Redb,
    Postgres,
}

/// Opens the store at a location, and creates it where there is none.
///
/// | location | backend |
/// |---|---|
/// | `memory:` | in memory, for tests |
/// | `jobs.db`, `jobs.sqlite`, a path without extension, `sqlite://PATH` | SQLite |
/// | `jobs.redb`, `jobs.magnetar`, `redb://PATH` | redb |
/// | `postgres://…`, `postgresql://…` | PostgreSQL |
///
/// # Errors
/// `Invalid` for a location that names no backend, `Unsupported` for one whose backend this version does not have, and
/// what the backend says.
pub async fn open(location: &str) -> Result<Arc<dyn JobStore>> {
    match backend(location)? {
        Backend::Memory => Ok(Arc::new(MemoryStore::open().await?)),
        missing => Err(Error::new(
            ErrorKind::Unsupported,
            format!("open {:?}: the {missing:?} backend is not built yet in this version; there is \"memory:\"", shown(location)),
        )),
    }
}

fn backend(location: &str) -> Result<Backend> {
    if let Some((scheme, rest)) = location.split_once(':').filter(|(scheme, _)| is_scheme(scheme)) {
        return match scheme.to_ascii_lowercase().as_str() {
            "memory" if rest.is_empty() => Ok(Backend::Memory),
            "sqlite" => Ok(Backend::Sqlite),
            "redb" => Ok(Backend::Redb),
            "postgres" | "postgresql" => Ok(Backend::Postgres),
            _ => Err(no_backend(location)),
        };
    }
    let extension = Path::new(location).extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
    match extension.as_deref() {
        _ if location.is_empty() => Err(no_backend(location)),
        None | Some("db" | "sqlite") => Ok(Backend::Sqlite),
        Some("redb" | "magnetar") => Ok(Backend::Redb),
        Some(_) => Err(no_backend(location)),
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
        for (location, expected) in [
            ("memory:", Backend::Memory),
            ("jobs.db", Backend::Sqlite),
            ("jobs.SQLITE", Backend::Sqlite),
            ("jobs", Backend::Sqlite),
            ("/some/where.d/jobs", Backend::Sqlite),
            ("sqlite:///some/where", Backend::Sqlite),
            ("a:b.db", Backend::Sqlite),
            ("jobs.redb", Backend::Redb),
            ("jobs.magnetar", Backend::Redb),
            ("redb://jobs", Backend::Redb),
            ("postgres://host/db", Backend::Postgres),
            ("PostgreSQL://host/db", Backend::Postgres),
        ] {
            assert_eq!(backend(location).unwrap(), expected, "{location}");
        }
    }

    #[test]
    fn location_without_backend_is_told_which_there_are() {
        for location in ["", "jobs.csv", "mysql://host/db", "memory:jobs"] {
            let error = backend(location).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid);
            assert!(error.to_string().contains("sqlite://PATH"), "{error}");
        }
    }

    #[test]
    fn backend_that_is_not_built_says_so() {
        for location in ["jobs.db", "jobs.redb", "postgres://host/db"] {
            let error = block_on(open(location)).err().unwrap();
            assert_eq!(error.kind(), ErrorKind::Unsupported);
            assert!(error.to_string().contains("not built yet"), "{error}");
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
