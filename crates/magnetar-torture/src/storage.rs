//! A redb storage in memory, with a tap on it.

use std::{
    fmt, io,
    sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use redb::StorageBackend;

use crate::tap::{Act, Fault, FileNo, Tap, Verdict};

/// The one file there is.
pub(crate) const FILE: FileNo = 0;

/// A file in memory. Clones are the same file, so that what is in it can be seen once redb has let go of it.
#[derive(Clone)]
pub(crate) struct Storage {
    bytes: Arc<RwLock<Vec<u8>>>,
    tap: Option<Arc<dyn Tap>>,
}

impl Storage {
    /// A file with these bytes in it, which nobody taps.
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        Self { bytes: Arc::new(RwLock::new(bytes)), tap: None }
    }

    /// The same file, tapped.
    pub(crate) fn tapped(&self, tap: Arc<dyn Tap>) -> Self {
        Self { bytes: Arc::clone(&self.bytes), tap: Some(tap) }
    }

    /// What is in the file.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.read_lock().clone()
    }

    fn read_lock(&self) -> RwLockReadGuard<'_, Vec<u8>> {
        self.bytes.read().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn write_lock(&self) -> RwLockWriteGuard<'_, Vec<u8>> {
        self.bytes.write().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Whether the act is to happen.
    fn ask(&self, act: Act<'_>) -> Result<bool, Fault> {
        match self.tap.as_ref().map_or(Verdict::Go, |tap| tap.before(act)) {
            Verdict::Go => Ok(true),
            Verdict::Swallow => Ok(false),
            Verdict::Fail(fault) => Err(fault),
        }
    }

    fn put(&self, at: u64, data: &[u8]) -> io::Result<()> {
        let mut bytes = self.write_lock();
        let at = position(at)?;
        let place = bytes.get_mut(at..at + data.len()).ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?;
        place.copy_from_slice(data);
        Ok(())
    }
}

impl fmt::Debug for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Storage")
    }
}

impl StorageBackend for Storage {
    fn len(&self) -> io::Result<u64> {
        self.ask(Act::Measure { file: FILE }).map_err(failure)?;
        Ok(self.read_lock().len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.ask(Act::Read { file: FILE, at: offset, bytes: out.len() as u64 }).map_err(failure)?;
        let bytes = self.read_lock();
        let at = position(offset)?;
        let found = at.checked_add(out.len()).and_then(|end| bytes.get(at..end));
        out.copy_from_slice(found.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        if self.ask(Act::Resize { file: FILE, bytes: len }).map_err(failure)? {
            self.write_lock().resize(position(len)?, 0);
        }
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.ask(Act::Sync { file: FILE }).map_err(failure).map(drop)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        match self.ask(Act::Write { file: FILE, at: offset, bytes: data }) {
            Ok(true) => self.put(offset, data),
            Ok(false) => Ok(()),
            Err(fault) => {
                if let (Fault::Short, Some((half, _))) = (fault, data.split_at_checked(data.len() / 2)) {
                    self.put(offset, half)?;
                }
                Err(failure(fault))
            }
        }
    }
}

fn position(at: u64) -> io::Result<usize> {
    usize::try_from(at).map_err(|_| io::ErrorKind::InvalidInput.into())
}

/// The error as a file of the system gives it.
fn failure(fault: Fault) -> io::Error {
    const EIO: i32 = 5;
    match fault {
        Fault::Device => io::Error::from_raw_os_error(EIO),
        Fault::Full | Fault::Short => io::ErrorKind::StorageFull.into(),
    }
}
