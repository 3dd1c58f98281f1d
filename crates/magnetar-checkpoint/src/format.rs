//! The file: JSON that people can read, whose layout is fixed so that it can be written and read as a stream.
//!
//! ```text
//! {"format":"magnetar-checkpoint","version":1,"keyed":false,"store_id":"…","epoch":1,"sequence":1,"timestamp_secs":…,"lengths":{…},
//! "queued_jobs":["…"],
//! "in_progress_jobs":["…"],
//! "worker_assignments":{"…":"…"},
//! "metadata":{"…":"…"},
//! "jobs":{…},
//! "bytes":"00000000000000000512","sha256":"…"}
//! ```
//!
//! The first line says what it is and how many entries each part has; the last how many bytes the file has in all, and the SHA-256 (with a
//! key the HMAC-SHA256) of every byte before the digits. Maps are in order of their keys, so that equal checkpoints are equal bytes.

mod envelope;
mod header;
mod read;
mod seal;
mod stream;
mod trailer;
mod write;

pub(crate) use self::{
    header::{Header, StoreId},
    read::{Loaded, Source, Unread, load, verify},
    seal::{Key, Seal},
    write::write,
};

/// The version of files that are written, and the newest that can be read.
pub(crate) const VERSION: u64 = 1;
/// What a file says it is.
pub(crate) const FORMAT: &str = "magnetar-checkpoint";
