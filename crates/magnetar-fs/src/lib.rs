//! One folder of files that are written whole or not at all.
//!
//! [`Folder`] is the little that is asked of a filesystem, [`Disk`] a folder of the system, and [`Writer`] the one way in which
//! a file comes to be or changes: written under another name, flushed, read back, published, and the folder flushed. What a
//! crash leaves is the file as it was or as it was to be. [`name`] makes safe file names of any keys.
//!
//! ```
//! use std::{io::Read, sync::Arc};
//!
//! use magnetar_fs::{Disk, Folder, Writer};
//!
//! # let temporary = tempfile::tempdir()?;
//! # let path = temporary.path().join("state");
//! let folder = Arc::new(Disk::open(&path)?);
//! let mut writer = Writer::lock(folder.clone())?;
//! writer.replace("greeting", &mut |file| file.write_all(b"hello"))?;
//!
//! let mut text = String::new();
//! folder.open("greeting")?.read_to_string(&mut text)?;
//! assert_eq!(text, "hello");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod checked;
mod disk;
mod error;
mod folder;
pub mod name;
mod writer;

pub use self::{
    disk::Disk,
    error::{Error, ErrorKind, Result},
    folder::{Entry, Folder, Kind, Lock, NewFile, OpenFile, Stamp},
    writer::{Fill, LOCK_FILE, Writer, Written},
};
