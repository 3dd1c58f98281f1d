//! A folder in memory that loses at a power cut what a filesystem may lose, and fails where it is told to.
//!
//! What is in a file and under which name it stands become durable apart from each other, each by its own flush. [`SimFolder`] keeps what
//! was not flushed as a list of writes and of changes of names; a [`Moment`] is the folder as it was after one of them, and
//! [`Moment::image`] what a power cut right then may have left: any part of the changes of names, a rename half done, and of each
//! file any part of its writes, cut off or full of zeros at any sector.

mod choice;
mod faults;
mod file;
mod image;
mod state;

use std::{
    io,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use magnetar_fs::{Entry, Folder, Kind, Lock, NewFile, OpenFile, Stamp};

pub use self::{
    choice::{Choose, every_choice},
    faults::{Fault, Faults, Flaw},
    image::Moment,
};
use self::{
    file::{Held, Reading, Writing},
    state::State,
};

/// A folder in memory. Clones are the same folder.
#[derive(Clone, Debug, Default)]
pub struct SimFolder(Arc<Mutex<Sim>>);

/// Everything behind a folder.
#[derive(Debug, Default)]
struct Sim {
    state: State,
    faults: Faults,
    flaw: Option<Flaw>,
    locks: Vec<String>,
    ops: u64,
    bytes_written: u64,
    mark: u64,
    moments: Option<Vec<Moment>>,
}

impl SimFolder {
    /// An empty folder.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same folder, on which something does not do what it should.
    #[must_use]
    pub fn with_flaw(self, flaw: Option<Flaw>) -> Self {
        self.sim().flaw = flaw;
        self
    }

    /// Lets operations fail from now on, which are counted from 0 from now on.
    pub fn set_faults(&self, faults: Faults) {
        let mut sim = self.sim();
        sim.faults = faults;
        sim.ops = 0;
        sim.bytes_written = 0;
    }

    /// How many operations there were since the faults were set.
    pub fn ops(&self) -> u64 {
        self.sim().ops
    }

    /// Keeps a moment after each change from now on, beginning with now.
    pub fn record(&self) {
        let mut sim = self.sim();
        sim.moments = Some(Vec::new());
        sim.keep_moment();
    }

    /// A number that moments carry from now on: what has been acknowledged, say.
    pub fn mark(&self, mark: u64) {
        let mut sim = self.sim();
        sim.mark = mark;
        sim.keep_moment();
    }

    /// The moments that were kept.
    pub fn take_moments(&self) -> Vec<Moment> {
        self.sim().moments.take().unwrap_or_default()
    }

    /// The folder as it is now.
    pub fn now(&self) -> Moment {
        let sim = self.sim();
        Moment::new(sim.state.clone(), sim.mark)
    }

    /// The names that are in it, in order.
    pub fn names(&self) -> Vec<String> {
        self.sim().state.names().cloned().collect()
    }

    /// What is in a file.
    pub fn bytes_of(&self, name: &str) -> Option<Vec<u8>> {
        self.sim().state.bytes_of(name).map(|bytes| bytes.to_vec())
    }

    /// Puts a file there, durably.
    pub fn put(&self, name: &str, bytes: impl Into<Vec<u8>>) {
        self.sim().state.put(name, bytes.into());
    }

    /// Flips a bit of a file, without anything else telling that it was touched.
    pub fn rot(&self, name: &str, bit: usize) {
        self.sim().state.rot(name, bit);
    }

    fn from_state(state: State) -> Self {
        Self(Arc::new(Mutex::new(Sim { state, ..Sim::default() })))
    }

    fn sim(&self) -> MutexGuard<'_, Sim> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does an operation, unless it is to fail.
    fn act<T>(&self, act: impl FnOnce(&mut Sim) -> io::Result<T>) -> io::Result<T> {
        let mut sim = self.sim();
        sim.begin()?;
        let done = act(&mut sim);
        sim.keep_moment();
        done
    }
}

impl Sim {
    /// Counts an operation, which may be one that is to fail.
    fn begin(&mut self) -> io::Result<()> {
        let op = self.ops;
        self.ops += 1;
        self.faults.at(op).map_or(Ok(()), |fault| Err(fault.error()))
    }

    fn keep_moment(&mut self) {
        if let Some(moments) = &mut self.moments {
            moments.push(Moment::new(self.state.clone(), self.mark));
        }
    }
}

impl Folder for SimFolder {
    fn path(&self) -> &Path {
        Path::new("simulated")
    }

    fn list(&self) -> io::Result<Vec<Entry>> {
        self.act(|sim| {
            let entry = |(name, bytes, file): (&String, u64, u64)| Entry {
                name: name.clone(),
                kind: Kind::File,
                bytes,
                stamp: Stamp { file, changed_at: (0, 0) },
            };
            Ok(sim.state.entries().map(entry).collect())
        })
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn OpenFile>> {
        self.act(|sim| {
            let bytes = sim.state.bytes_of(name).ok_or(io::ErrorKind::NotFound)?;
            Ok(Box::new(Reading::new(self.clone(), bytes)) as Box<dyn OpenFile>)
        })
    }

    fn create_new(&self, name: &str) -> io::Result<Box<dyn NewFile>> {
        self.act(|sim| {
            let file = sim.state.create(name)?;
            Ok(Box::new(Writing::new(self.clone(), file)) as Box<dyn NewFile>)
        })
    }

    fn rename_new(&self, from: &str, to: &str) -> io::Result<()> {
        self.act(|sim| {
            if sim.state.has(to) {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            sim.rename(from, to)
        })
    }

    fn rename_over(&self, from: &str, to: &str) -> io::Result<()> {
        self.act(|sim| sim.rename(from, to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.act(|sim| sim.state.remove(name))
    }

    fn sync(&self) -> io::Result<()> {
        let mut sim = self.sim();
        if let Err(error) = sim.begin() {
            sim.state.drop_name_changes();
            sim.keep_moment();
            return Err(error);
        }
        if sim.flaw != Some(Flaw::NoFolderSync) {
            sim.state.sync_names();
        }
        sim.keep_moment();
        Ok(())
    }

    fn try_lock(&self, name: &str) -> io::Result<Option<Box<dyn Lock>>> {
        self.act(|sim| {
            if sim.locks.iter().any(|lock| lock == name) {
                return Ok(None);
            }
            if !sim.state.has(name) {
                sim.state.create(name)?;
            }
            sim.locks.push(name.to_owned());
            Ok(Some(Box::new(Held::new(self.clone(), name)) as Box<dyn Lock>))
        })
    }
}

impl Sim {
    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        if self.flaw == Some(Flaw::InPlace) { self.state.copy_in_place(from, to) } else { self.state.rename(from, to) }
    }
}
