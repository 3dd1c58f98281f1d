//! Files and locks of a simulated folder.

use std::{
    io::{self, Cursor, Read, Seek, SeekFrom, Write},
    sync::Arc,
};

use magnetar_fs::{Lock, NewFile, OpenFile};

use super::{Flaw, SimFolder, state::FileNo};

/// A file that is being read, as it was when it was opened.
pub(super) struct Reading {
    folder: SimFolder,
    bytes: Cursor<Shared>,
}

struct Shared(Arc<Vec<u8>>);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Reading {
    pub(super) fn new(folder: SimFolder, bytes: Arc<Vec<u8>>) -> Self {
        Self { folder, bytes: Cursor::new(Shared(bytes)) }
    }
}

impl Read for Reading {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.folder.sim().begin()?;
        self.bytes.read(buffer)
    }
}

impl Seek for Reading {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.bytes.seek(to)
    }
}

impl OpenFile for Reading {
    fn size_bytes(&self) -> u64 {
        self.bytes.get_ref().as_ref().len() as u64
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
            let mut bytes = bytes.get(..fits).unwrap_or_default().to_vec();
            if let (Some(Flaw::FlippedBit), Some(last)) = (sim.flaw, bytes.last_mut()) {
                *last ^= 1;
            }
            sim.state.write(self.file, &bytes);
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
