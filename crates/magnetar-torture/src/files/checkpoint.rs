//! Checkpoints on a folder that loses what was not flushed.

use std::sync::Arc;

use anyhow::{Result, bail, ensure};
use magnetar_checkpoint::{Checkpoint, CheckpointManager, Options, Recovery};
use magnetar_testkit::SimFolder;

use super::Subject;

/// The store of checkpoints.
#[derive(Clone, Copy, Debug, Default)]
pub struct CheckpointFiles;

const NUMBER: &str = "number";
const RETAINED: usize = 2;
/// Bytes of padding: a file in one sector more, or less.
const PADDING_BYTES: u64 = 500;

impl Subject for CheckpointFiles {
    /// The newest checkpoint, and the sequence by which it is known to be newer than those before.
    type Sight = Option<u64>;
    type Handle = CheckpointManager;

    const RIG: &'static str = "files-checkpoint";
    const OPS: usize = 2;

    fn open(&self, folder: &SimFolder) -> Result<CheckpointManager> {
        Ok(CheckpointManager::on_folder(Arc::new(folder.clone()), Options::new(RETAINED)))
    }

    fn act(&self, manager: &CheckpointManager, op: usize, number: u64) -> Result<()> {
        if op == 0 {
            let padding = "x".repeat(usize::try_from(number % 3 * PADDING_BYTES)?);
            manager.save_checkpoint(Checkpoint::new(0).with_queued(vec![padding]).with_meta(NUMBER, number.to_string()))?;
        } else {
            manager.clear()?;
        }
        Ok(())
    }

    fn nothing(&self) -> Option<u64> {
        None
    }

    fn after(&self, _before: &Option<u64>, op: usize, number: u64) -> Option<u64> {
        (op == 0).then_some(number)
    }

    fn look(&self, folder: &SimFolder) -> Result<Option<u64>> {
        let recovered = match self.open(folder)?.recover()? {
            Recovery::Fresh => return Ok(None),
            Recovery::Recovered(recovered) => recovered,
            other => bail!("there is a kind of recovery that the rig does not know: {other:?}"),
        };
        ensure!(!recovered.is_fallback(), "there are damaged or missing ones: {:?}, {:?}", recovered.skipped, recovered.missing);
        let number = recovered.checkpoint.metadata.get(NUMBER).map(|number| number.parse::<u64>()).transpose()?;
        ensure!(number.is_some(), "it is none that was saved: {:?}", recovered.checkpoint);
        Ok(number)
    }
}
