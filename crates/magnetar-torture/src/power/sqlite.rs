//! Power cuts under SQLite.

use std::{fs, os::unix::fs::MetadataExt, sync::Arc};

use anyhow::{Context, Result, ensure};
use magnetar_sqlite::SqliteBackend;

use super::{
    check::check_unborn,
    flaw::PowerFlaw,
    history::{Deed, History, State},
    player::Image,
    recorder::Recorder,
    round::{self, Birth, Engine},
    workload::record,
};
use crate::{
    folder,
    rig::{Counts, Rig},
    site::{Site, SqliteSite},
    vfs,
    workload::{HandClock, Script},
};

const MAIN: &str = SqliteSite::MAIN;
/// The shared memory of the log, of which a cut may leave anything.
const SHARED: (&str, usize) = ("jobs.db-shm", 32 << 10);

/// Cuts the power under a SQLite store.
#[derive(Clone, Copy, Debug, Default)]
pub struct PowerSqlite {
    /// What is wrong, for a control.
    pub flaw: Option<PowerFlaw>,
}

impl Rig for PowerSqlite {
    fn name(&self) -> &'static str {
        "power-sqlite"
    }

    fn round(&self, seed: u64) -> Result<Counts> {
        let folder = folder::in_memory()?;
        let (work, image) = (SqliteSite::new(&folder, "work")?, SqliteSite::new(&folder, "image")?);
        round::play(&Sqlite { flaw: self.flaw, work, image }, seed)
    }
}

struct Sqlite {
    flaw: Option<PowerFlaw>,
    /// Where the store is that is worked on.
    work: SqliteSite,
    /// Where images are opened.
    image: SqliteSite,
}

fn named(names: &[String], name: usize) -> &str {
    names.get(name).map_or(MAIN, String::as_str)
}

fn files<'i>(image: &'i Image, names: &'i [String]) -> impl Iterator<Item = (&'i str, &'i [u8])> {
    image.iter().map(|(name, bytes)| (named(names, *name), bytes.as_slice()))
}

impl Engine for Sqlite {
    /// The database is built and flushed under a hidden name, and renamed. What is recorded here is what happens under that name;
    /// what happens behind it is in the history of the work.
    fn create(&self, _clock: &Arc<HandClock>) -> Result<Birth> {
        self.work.clear()?;
        let recorder = Arc::new(Recorder::new(&[], self.flaw));
        let path = self.work.path(MAIN);
        vfs::tapped(Arc::clone(&recorder) as _, || SqliteBackend::open(&path).map(drop))?;
        let (mut deeds, names) = recorder.take();
        let published = names.iter().position(|name| name == MAIN).context("the store is opened under its name")?;
        let at = deeds.iter().position(|deed| matches!(deed, Deed::Link { name, .. } if *name == published));
        deeds.truncate(at.context("the store is opened under its name")?);
        let history = History { deeds, names, at_first: Vec::new(), states: Vec::new() };
        Ok(Birth { history, files: Image::from([(0, fs::read(&path)?)]), names: vec![MAIN.to_owned()] })
    }

    fn check_birth(&self, image: &Image, names: &[String], clock: &Arc<HandClock>) -> Result<()> {
        self.image.clear()?;
        let path = self.image.path(MAIN);
        fs::write(&path, b"")?;
        let inode = fs::metadata(&path)?.ino();
        let hidden: Vec<_> = image.keys().map(|name| self.image.path(&renamed(named(names, *name), inode))).collect();
        for (path, bytes) in hidden.iter().zip(image.values()) {
            fs::write(path, bytes)?;
        }
        check_unborn(&|clock| self.image.open(clock), clock)?;
        let left = hidden.iter().find(|path| path.exists());
        ensure!(left.is_none(), "the leftover {left:?} is not removed");
        Ok(())
    }

    fn record(&self, files: &Image, names: &[String], from: &State, script: &mut Script, turns: usize) -> Result<History> {
        self.work.lay(self::files(files, names))?;
        let known: Vec<_> = files.keys().map(|name| named(names, *name)).collect();
        let recorder = Arc::new(Recorder::new(&known, self.flaw));
        let at_first = files.values().cloned().collect();
        vfs::tapped(Arc::clone(&recorder) as _, || record(&self.work, &recorder, (at_first, from), script, turns))
    }

    fn lay(&self, image: &Image, names: &[String]) -> Result<()> {
        self.image.lay(files(image, names))?;
        let (name, bytes) = SHARED;
        if image.len() % 2 == 1 || image.values().map(Vec::len).sum::<usize>() % 3 == 0 {
            fs::write(self.image.path(name), vec![0x5a; bytes])?;
        }
        Ok(())
    }

    fn site(&self) -> &dyn Site {
        &self.image
    }

    /// DESIGN allows it; today every commit is flushed.
    fn may_undo_claims(&self) -> bool {
        true
    }
}

/// The hidden name under which a store is made in the place of an empty file of this number.
fn renamed(name: &str, inode: u64) -> String {
    let behind = name.split_once(".new").map_or("", |(_, behind)| behind);
    format!(".{MAIN}.{inode}.new{behind}")
}
