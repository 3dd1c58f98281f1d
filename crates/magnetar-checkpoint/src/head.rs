//! The file that says what was acknowledged last, so that a checkpoint whose file is gone is missed, and no sequence is used twice.

use std::{
    collections::BTreeSet,
    io::{self, Read, Write},
};

use magnetar_fs::Folder;
use serde::{Deserialize, Serialize};

use crate::{
    error::{CheckpointError, Result},
    format::{Key, Seal, StoreId},
    limits, names,
};

const FORMAT: &str = "magnetar-checkpoint-head";
const VERSION: u64 = 1;
const SEAL: &str = ",\n\"sha256\":\"";
const END: &str = "\"}\n";

/// What is known of a folder apart from its files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Head {
    format: String,
    version: u64,
    keyed: bool,
    pub(crate) store_id: StoreId,
    /// The number of the manager that saved last.
    pub(crate) epoch: u64,
    /// The newest checkpoint that was acknowledged; 0 where none was.
    pub(crate) sequence: u64,
    /// The digits of its digest.
    pub(crate) digest: String,
    pub(crate) timestamp_secs: u64,
    /// Checkpoints up to this one were cleared: those that are still there count as gone.
    pub(crate) cleared: u64,
    /// Checkpoints that are kept whatever their age.
    pub(crate) pins: BTreeSet<u64>,
}

/// What is found where it should be.
#[derive(Debug)]
pub(crate) enum Found {
    Nothing,
    Damaged(String),
    Head(Head),
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Claim {
    format: Option<String>,
    version: Option<u64>,
    keyed: Option<bool>,
}

impl Head {
    pub(crate) fn new(store_id: StoreId, keyed: bool) -> Self {
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            keyed,
            store_id,
            epoch: 0,
            sequence: 0,
            digest: String::new(),
            timestamp_secs: 0,
            cleared: 0,
            pins: BTreeSet::new(),
        }
    }

    pub(crate) fn write(&self, target: &mut dyn Write, key: Option<&Key>) -> io::Result<()> {
        let text = serde_json::to_string(self)?;
        let sealed = format!("{}{SEAL}", text.strip_suffix('}').unwrap_or(&text));
        let mut seal = Seal::new(key);
        seal.update(sealed.as_bytes());
        write!(target, "{sealed}{}{END}", seal.digits())
    }

    /// Reads what is in a folder.
    ///
    /// # Errors
    /// `Newer`, `KeyMissing`, and what the system says; damage is none.
    pub(crate) fn read(folder: &dyn Folder, key: Option<&Key>) -> Result<Found> {
        let file = folder.path().join(names::HEAD);
        let failed = |error| CheckpointError::from(magnetar_fs::Error::system("read", &file, error));
        let source = match folder.open(names::HEAD) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
            other => other.map_err(failed)?,
        };
        let mut text = Vec::new();
        source.take(limits::HEAD_BYTES_MAX).read_to_end(&mut text).map_err(failed)?;
        match parse(&text, key) {
            Ok(head) => Ok(Found::Head(head)),
            Err(why) => match serde_json::from_slice::<Claim>(&text).unwrap_or_default() {
                Claim { format: Some(format), version: Some(version), .. } if format == FORMAT && version > VERSION => {
                    Err(CheckpointError::Newer { file, version })
                }
                Claim { keyed: Some(true), .. } if key.is_none() => Err(CheckpointError::KeyMissing { file }),
                _ => Ok(Found::Damaged(why)),
            },
        }
    }
}

fn parse(text: &[u8], key: Option<&Key>) -> Result<Head, String> {
    let none = || "it is not what says what was saved last".to_owned();
    let text = str::from_utf8(text).map_err(|_| none())?;
    let (fields, rest) = text.split_once(SEAL).ok_or_else(none)?;
    let digits = rest.strip_suffix(END).ok_or_else(none)?;
    let head: Head = serde_json::from_str(&format!("{fields}}}")).map_err(|error| format!("{}: {error}", none()))?;
    if head.format != FORMAT || head.version != VERSION || head.keyed != key.is_some() {
        return Err(none());
    }
    let mut seal = Seal::new(key);
    seal.update(fields.as_bytes());
    seal.update(SEAL.as_bytes());
    if !seal.verifies(digits) {
        return Err("its digest is not that of its content".to_owned());
    }
    Ok(head)
}
