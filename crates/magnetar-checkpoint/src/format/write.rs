//! Writing a file, in one pass and without holding it in memory.

use std::{
    collections::HashMap,
    io::{self, Write},
};

use serde::{Serialize, Serializer};

use super::{
    header::Header,
    seal::{Key, Sealing},
    trailer,
};
use crate::checkpoint::Checkpoint;

/// Writes a checkpoint, and returns the digits of its digest. The header says which it is; the checkpoint's own sequence is not looked at.
///
/// # Errors
/// Those of the target.
pub(crate) fn write(target: &mut dyn Write, header: &Header, checkpoint: &Checkpoint, key: Option<&Key>) -> io::Result<String> {
    let mut file = Sealing::new(target, key);
    let line = serde_json::to_string(header)?;
    let open = line.strip_suffix('}').unwrap_or(&line);
    write!(file, "{open},\n\"queued_jobs\":")?;
    serde_json::to_writer(&mut file, &checkpoint.queued_jobs)?;
    file.write_all(b",\n\"in_progress_jobs\":")?;
    serde_json::to_writer(&mut file, &checkpoint.in_progress_jobs)?;
    file.write_all(b",\n\"worker_assignments\":")?;
    serde_json::to_writer(&mut file, &InOrder(&checkpoint.worker_assignments))?;
    file.write_all(b",\n\"metadata\":")?;
    serde_json::to_writer(&mut file, &InOrder(&checkpoint.metadata))?;
    file.write_all(b",\n\"jobs\":")?;
    serde_json::to_writer(&mut file, &checkpoint.jobs)?;
    file.write_all(b",\n")?;
    let before_digest = trailer::before_digest(file.bytes());
    file.write_all(before_digest.as_bytes())?;
    let (digits, target) = file.finish()?;
    target.write_all(trailer::end(&digits).as_bytes())?;
    Ok(digits)
}

/// A map in order of its keys, at the cost of one reference each.
struct InOrder<'m>(&'m HashMap<String, String>);

impl Serialize for InOrder<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut keys: Vec<&String> = self.0.keys().collect();
        keys.sort_unstable();
        serializer.collect_map(keys.into_iter().filter_map(|key| self.0.get_key_value(key)))
    }
}
