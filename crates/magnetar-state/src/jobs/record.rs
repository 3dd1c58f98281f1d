//! A record of a job store as a token or a lock.

use magnetar_core::{Expect, JobStore, Op, Record};

use crate::error::{Result, StateError};

/// What turns bytes into a name and what is kept under it.
type Decode<T> = fn(&str, &[u8]) -> Result<(String, T)>;

/// What was read: what a write of the same record must still find there.
pub(super) struct Read<T> {
    value: Option<T>,
    version: Option<u64>,
}

impl<T> Read<T> {
    /// What stands there.
    pub(super) fn value(&self) -> Option<&T> {
        self.value.as_ref()
    }

    /// The op that puts something else there, if nobody came first.
    pub(super) fn replacement(&self, space: &str, name: &str, value: Vec<u8>) -> Op {
        let expect = self.version.map_or(Expect::Absent, Expect::Version);
        Op::PutRecord { space: space.to_owned(), key: name.as_bytes().to_vec(), value: Some(value), expect }
    }
}

/// Reads a record.
pub(super) async fn read<T>(jobs: &dyn JobStore, space: &str, name: &str, as_what: Decode<T>) -> Result<Read<T>> {
    let Some(record) = jobs.get_record(space, name.as_bytes()).await? else { return Ok(Read { value: None, version: None }) };
    let (_, value) = decode(space, &record, as_what)?;
    Ok(Read { value: Some(value), version: Some(record.version) })
}

/// What a record says, if it says it of its own name.
pub(super) fn decode<T>(space: &str, record: &Record, as_what: Decode<T>) -> Result<(String, T)> {
    let place = format!("record {:?} of space {space:?}", String::from_utf8_lossy(&record.key));
    let (name, value) = as_what(&place, &record.value)?;
    if name.as_bytes() == record.key {
        Ok((name, value))
    } else {
        Err(StateError::corrupt(place, "it is the record of another name"))
    }
}
