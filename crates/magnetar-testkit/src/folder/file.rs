//! Files and locks of a simulated folder.

use std::{
    io::{self, Read, Write},
    sync::Arc,
};

use magnetar_fs::{Lock, NewFile, OpenFile};

use super::{Flaw, SimFolder, state::FileNo};

/// A file that is being read, as it was when it was opened.
pub(super) struct Reading {
    folder: SimFolder,
    bytes: Arc<Vec<u8>>,
    at: usize,
}

impl Reading {
    pub(super) fn new(folder: SimFolder, bytes: Arc<Vec<u8>>) -> Self {
        Self { folder, bytes, at: 0 }
    }
}

impl Read for Reading {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.folder.sim().begin()?;
        let read = self.bytes.get(self.at..).unwrap_or_default().read(buffer)?;
        self.at += read;
        Ok(read)
    }
}

impl OpenFile for Reading {
    fn size_bytes(&self) -> u64 {
        self.bytes.len() as u64
    }
}

/// A file that is being written.
pub(super) struct Writing {
    folder: SimFolder,
    file: FileNo,
}

impl Writing {
    pub(super) fn new(folder: SimFolder, file: FileNo) -> Self {
        Self { folder, file }
    }
}

impl Write for Writing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.folder.act(|sim| {
            let room = sim.faults.room_bytes.map_or(u64::MAX, |room| room.saturating_sub(sim.bytes_written));
            let fits = bytes.len().min(usize::try_from(room).unwrap_or(usize::MAX));
            if fits == 0 && !bytes.is_empty() {
                return Err(io::ErrorKind::StorageFull.into());
            }
            sim.state.write(self.file, bytes.get(..fits).unwrap_or_default());
            sim.bytes_written += fits as u64;
            Ok(fits)
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl NewFile for Writing {
    fn sync(&mut self) -> io::Result<()> {
        let mut sim = self.folder.sim();
        if let Err(error) = sim.begin() {
            sim.state.drop_writes(self.file);
            sim.keep_moment();
            return Err(error);
        }
        if !matches!(sim.flaw, Some(Flaw::NoFileSync)) {
            sim.state.sync_file(self.file);
        }
        sim.keep_moment();
        Ok(())
    }
}

/// A lock that is held.
#[derive(Debug)]
pub(super) struct Held {
    folder: SimFolder,
    name: String,
}

impl Held {
    pub(super) fn new(folder: SimFolder, name: &str) -> Self {
        Self { folder, name: name.to_owned() }
    }
}

impl Lock for Held {}

impl Drop for Held {
    fn drop(&mut self) {
        self.folder.sim().locks.retain(|lock| *lock != self.name);
    }
}
