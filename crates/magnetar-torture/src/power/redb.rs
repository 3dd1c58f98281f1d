//! Power cuts under redb.

use std::{fs, os::unix::fs::MetadataExt, sync::Arc};

use anyhow::{Context, Result, ensure};
use magnetar_core::ErrorKind;
use magnetar_embedded::Store;
use magnetar_redb::RedbBackend;
use tempfile::TempDir;

use super::{
    check::check_unborn,
    flaw::PowerFlaw,
    history::{History, State},
    player::Image,
    recorder::Recorder,
    round::{self, Birth, Engine},
    workload::record,
};
use crate::{
    folder,
    rig::{Counts, Rig},
    site::{RedbSite, Site},
    storage::Storage,
    workload::{HandClock, Script, options},
};

const MAIN: &str = RedbSite::MAIN;

/// Cuts the power under a redb store.
#[derive(Clone, Copy, Debug, Default)]
pub struct PowerRedb {
    /// What is wrong, for a control.
    pub flaw: Option<PowerFlaw>,
}

impl Rig for PowerRedb {
    fn name(&self) -> &'static str {
        "power-redb"
    }

    fn round(&self, seed: u64) -> Result<Counts> {
        let image = RedbSite::new(Storage::new(Vec::new()));
        round::play(&Redb { flaw: self.flaw, image, folder: folder::in_memory()? }, seed)
    }
}

struct Redb {
    flaw: Option<PowerFlaw>,
    /// Where images are opened.
    image: RedbSite,
    /// Where stores that were being made are opened.
    folder: TempDir,
}

impl Redb {
    fn recorder(&self) -> Arc<Recorder> {
        Arc::new(Recorder::new(&[MAIN], self.flaw))
    }
}

impl Engine for Redb {
    fn create(&self, _clock: &Arc<HandClock>) -> Result<Birth> {
        let (storage, recorder) = (Storage::new(Vec::new()), self.recorder());
        drop(RedbBackend::on_storage(storage.tapped(Arc::clone(&recorder) as _))?);
        let (deeds, names) = recorder.take();
        let history = History { deeds, names: names.clone(), at_first: vec![Vec::new()], states: Vec::new() };
        Ok(Birth { history, files: Image::from([(0, storage.bytes())]), names })
    }

    /// In a storage of the caller's, a store that was being made opens empty or is refused; as a file it is under a hidden name,
    /// and whoever opens the store makes it anew.
    fn check_birth(&self, image: &Image, names: &[String], clock: &Arc<HandClock>) -> Result<()> {
        self.lay(image, names)?;
        match self.image.open(Arc::clone(clock)) {
            Ok(store) => drop(store),
            Err(refused) => {
                let kinds = [ErrorKind::Corrupt, ErrorKind::Invalid];
                ensure!(
                    kinds.contains(&refused.kind()),
                    "a store that was being made is refused as {:?}: {refused}",
                    refused.kind()
                );
            }
        }
        let path = self.folder.path().join(MAIN);
        fs::write(&path, b"")?;
        let hidden = self.folder.path().join(format!(".{MAIN}.{}.new", fs::metadata(&path)?.ino()));
        fs::write(&hidden, image.get(&0).context("there is a file")?)?;
        let open = |clock: Arc<HandClock>| Store::inline(Box::new(RedbBackend::open(&path)?), options(), clock);
        check_unborn(&open, clock)?;
        ensure!(!hidden.exists(), "the leftover {} is not removed", hidden.display());
        Ok(())
    }

    fn record(&self, files: &Image, _names: &[String], from: &State, script: &mut Script, turns: usize) -> Result<History> {
        let bytes = files.get(&0).context("there is a file")?.clone();
        let recorder = self.recorder();
        let storage = Storage::new(bytes.clone()).tapped(Arc::clone(&recorder) as _);
        record(&RedbSite::new(storage), &recorder, (vec![bytes], from), script, turns)
    }

    fn lay(&self, image: &Image, _names: &[String]) -> Result<()> {
        self.image.lay(Storage::new(image.get(&0).context("there is a file")?.clone()));
        Ok(())
    }

    fn site(&self) -> &dyn Site {
        &self.image
    }

    fn may_undo_claims(&self) -> bool {
        false
    }
}
