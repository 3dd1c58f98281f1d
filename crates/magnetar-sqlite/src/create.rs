//! A complete database, made in an empty file that nobody else knows.

use std::{
    fs,
    path::{Path, PathBuf},
};

use magnetar_core::{Error, ErrorKind, Result};
use magnetar_embedded::files::{Place, beside, refuse};

use crate::{
    connection::{self, Role},
    error, schema,
};

/// What SQLite puts beside a database.
const COMPANIONS: [&str; 3] = ["-wal", "-journal", "-shm"];

/// Those of them that hold commits.
const LOGS: [&str; 2] = ["-wal", "-journal"];

/// Makes a store where there is no file, or one of 0 bytes.
pub(crate) fn where_absent(place: &Place) -> Result<()> {
    let file = place.file();
    place.create_where_absent(|new| {
        refuse_orphans(file)?;
        // A crash may have left some, and a failure leaves some.
        remove_companions(new);
        build(new, file).inspect_err(|_| remove_companions(new))
    })
}

/// A log without its database holds commits that a new database would throw away.
fn refuse_orphans(file: &Path) -> Result<()> {
    let orphan = LOGS.into_iter().map(|suffix| beside(file, suffix)).find(|orphan| orphan.exists());
    let Some(orphan) = orphan else { return Ok(()) };
    Err(refuse(
        file,
        format!(
            "it is missing or empty, and {} of a database that was there is left; put that database back, or remove the rest to begin anew",
            orphan.display()
        ),
    ))
}

fn build(new: &Path, file: &Path) -> Result<()> {
    let failed = |error| error::from_sqlite("create", file, error);
    let connection = connection::connect(new).map_err(|error| named(file, error))?;
    connection::configure(&connection, Role::Writer).map_err(failed)?;
    schema::mark(&connection).map_err(failed)?;
    schema::migrate(&connection, file)?;
    // Closing the last connection writes everything into the database and removes the log.
    connection.close().map_err(|(_, error)| failed(error))?;
    if beside(new, "-wal").exists() {
        return Err(Error::new(
            ErrorKind::Unavailable,
            format!("create {}: its log could not be ended; see that there is space on the disk, and try again", file.display()),
        ));
    }
    Ok(())
}

/// The same error under the name that the caller knows.
fn named(file: &Path, error: Error) -> Error {
    Error::new(error.kind(), format!("create {}", file.display())).with_source(error)
}

fn remove_companions(path: &Path) {
    let companions = COMPANIONS.into_iter().map(|suffix| beside(path, suffix));
    companions.for_each(|companion: PathBuf| {
        // What cannot be removed will be in the way of what comes next, and be named there.
        let _ = fs::remove_file(companion);
    });
}
