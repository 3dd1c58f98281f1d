//! redb panics over some damage. What it does behind a guard is then an error that names the file.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
};

use magnetar_core::Result;
use redb::{Database, StorageError};

use crate::error::error;

/// Lets redb do something to a file; a panic is `Corrupt`.
pub(crate) fn guarded<T>(doing: &str, name: &dyn fmt::Display, what: impl FnOnce() -> Result<T>) -> Result<T> {
    let done = catch_unwind(AssertUnwindSafe(what));
    done.unwrap_or_else(|_| Err(error(doing, name, StorageError::Corrupted("redb panicked".to_owned()))))
}

/// Closes a database. One that has panicked over damage panics again, and by then that has been said.
pub(crate) fn close(database: Database) {
    let _ = catch_unwind(AssertUnwindSafe(|| drop(database)));
}

/// Keeps a database only where it passes; one that does not is closed.
pub(crate) fn checked(
    database: Database,
    name: &dyn fmt::Display,
    check: impl FnOnce(&Database) -> Result<()>,
) -> Result<Database> {
    match guarded("open", name, || check(&database)) {
        Ok(()) => Ok(database),
        Err(error) => {
            close(database);
            Err(error)
        }
    }
}

#[cfg(test)]
mod tests {
    use magnetar_core::ErrorKind;
    use redb::backends::InMemoryBackend;

    use super::*;

    #[test]
    fn panic_over_what_is_in_a_database_is_damage_of_the_file() {
        let database = crate::open::builder().create_with_backend(InMemoryBackend::new()).unwrap();
        let refused = checked(database, &"jobs.redb", |_| panic!("called `Result::unwrap()` on an `Err` value")).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Corrupt, "{refused}");
        assert!(refused.to_string().starts_with("open jobs.redb: "), "{refused}");
    }
}
