//! Opening: a file that is there, or one that is made first.

use std::{
    fmt,
    fs::{File, OpenOptions},
    io::Read,
    path::Path,
};

use magnetar_core::{Error, ErrorKind, Result};
use magnetar_embedded::files::{FileId, Identity, Place, refuse, system_error};
use redb::{Builder, Database, StorageBackend, backends::FileBackend};

use crate::{
    error::error,
    guard::{checked, guarded},
    schema,
};

/// How redb files begin.
const MAGIC: [u8; 9] = *b"redb\x1a\x0a\xa9\x0d\x0a";
/// How SQLite files begin.
const SQLITE: &[u8] = b"SQLite fo";

/// The most memory that redb takes for pages, in bytes.
const CACHE_BYTES_MAX: usize = 256 << 20;

/// Opens the store at a place, which is made where there is nothing.
pub(crate) fn open(place: &Place) -> Result<(Database, Identity)> {
    let file = place.file();
    place.create_where_absent(|new| schema::create(new, &file.display()))?;
    existing(file)
}

/// Opens the store in a file that is there.
pub(crate) fn existing(path: &Path) -> Result<(Database, Identity)> {
    let failed = |cause| system_error("open", path, cause);
    let mut file = OpenOptions::new().read(true).write(true).open(path).map_err(failed)?;
    let opened = FileId::of(&file.metadata().map_err(failed)?);
    check_magic(&mut file, path)?;
    let name = path.display();
    let database = guarded("open", &name, || {
        FileBackend::new(file).and_then(|file| builder().create_with_backend(file)).map_err(|cause| error("open", &name, cause))
    })?;
    let database = checked(database, &name, |database| schema::bring_up(database, &name))?;
    Ok((database, Identity::new(path, opened)))
}

/// Opens the store in a storage of the caller's, which is made where there is nothing.
pub(crate) fn on_storage(storage: impl StorageBackend, name: &dyn fmt::Display) -> Result<Database> {
    let open = || builder().create_with_backend(storage).map_err(|cause| error("open", name, cause));
    checked(guarded("open", name, open)?, name, |database| {
        if schema::is_blank(database, name)? {
            schema::write(database, name)?;
        }
        schema::bring_up(database, name)
    })
}

pub(crate) fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE_BYTES_MAX);
    builder
}

/// Refuses the file of another program before redb calls it damaged.
fn check_magic(file: &mut File, path: &Path) -> Result<()> {
    let mut start = Vec::with_capacity(MAGIC.len());
    file.take(MAGIC.len() as u64).read_to_end(&mut start).map_err(|cause| system_error("read", path, cause))?;
    let name = path.display();
    if start == MAGIC {
        Ok(())
    } else if MAGIC.starts_with(&start) {
        let message = format!("open {name}: all but its first {} bytes are gone; restore it from a copy", start.len());
        Err(Error::new(ErrorKind::Corrupt, message))
    } else if start == SQLITE {
        Err(refuse(path, format!("it is a SQLite file; open it as sqlite://{name}")))
    } else {
        Err(refuse(path, "it is not a redb file; another program wrote it, so name another file"))
    }
}
