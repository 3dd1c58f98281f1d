//! Checkpoints: whatever stands in a folder, it is loaded as it is, or refused with an error that says why, and never panics.
//!
//! The first byte of an input says what the rest is: a checkpoint's file as it stands; one whose last line is made to fit, so that what is
//! behind the digest is reached; or the file that says what was acknowledged.

use std::sync::Arc;

use magnetar_checkpoint::{CheckpointError, CheckpointManager, Options, Recovery};
use magnetar_testkit::SimFolder;
use sha2::{Digest, Sha256};

use crate::cut;

const SEQUENCE: u64 = 42;
/// The last line of a file: its length in 20 digits, and its digest in 64.
const LAST_LINE_BYTES: usize = 9 + 20 + 12 + 64 + 3;

/// Reads an input, and saves what was read.
pub fn run(bytes: &[u8]) {
    let Some((kind, rest)) = cut(bytes).split_first() else { return };
    let folder = SimFolder::new();
    match kind % 3 {
        0 => folder.put(&format!("checkpoint_{SEQUENCE}.json"), rest),
        1 => folder.put(&format!("checkpoint_{SEQUENCE}.json"), sealed(rest)),
        _ => folder.put(".magnetar-head.json", rest),
    }
    let manager = CheckpointManager::on_folder(Arc::new(folder.clone()), Options::new(2));
    let found = match manager.recover() {
        Ok(Recovery::Recovered(recovered)) => recovered.checkpoint,
        Ok(_) | Err(CheckpointError::AllCorrupt { .. }) => return save(&manager),
        Err(CheckpointError::Newer { .. } | CheckpointError::KeyMissing { .. }) => return,
        Err(error) => panic!("memory that works and a file that is small: {error}"),
    };
    assert_eq!(found.sequence, SEQUENCE);
    assert_eq!(manager.load_by_sequence(SEQUENCE).ok().as_ref(), Some(&found));
    let sequence = manager.save_checkpoint(found.clone()).expect("what was read can be saved");
    let mut again = manager.load_by_sequence(sequence).expect("what was saved can be read");
    again.sequence = SEQUENCE;
    assert_eq!(again, found);
}

/// Whatever was found, a checkpoint can be saved beside it, unless nothing tells which sequences were used.
fn save(manager: &CheckpointManager) {
    match manager.save_checkpoint(magnetar_checkpoint::Checkpoint::default()) {
        Ok(sequence) => assert_eq!(manager.load_latest().expect("it is there").expect("it verifies").sequence, sequence),
        Err(CheckpointError::Corrupt { .. } | CheckpointError::Exhausted { .. }) => {}
        Err(error) => panic!("memory that works: {error}"),
    }
}

/// The file with a last line that fits.
fn sealed(bytes: &[u8]) -> Vec<u8> {
    let mut file = bytes.to_vec();
    if let Some(at) = file.windows(9).rposition(|window| window == b"\"bytes\":\"") {
        file.truncate(at);
    }
    let length = file.len() + LAST_LINE_BYTES;
    file.extend_from_slice(format!("\"bytes\":\"{length:020}\",\"sha256\":\"").as_bytes());
    let digits = Sha256::digest(&file).iter().fold(String::new(), |digits, byte| format!("{digits}{byte:02x}"));
    file.extend_from_slice(format!("{digits}\"}}\n").as_bytes());
    file
}
