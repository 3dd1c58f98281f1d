//! What is in a folder as it is seen, what of it is durable, and what is on its way there.

use std::{collections::BTreeMap, io, sync::Arc};

/// A file, whatever its names.
pub(super) type FileNo = usize;

/// A folder.
#[derive(Clone, Debug, Default)]
pub(super) struct State {
    files: Vec<File>,
    names: BTreeMap<String, FileNo>,
    pub(super) durable_names: BTreeMap<String, FileNo>,
    pub(super) changes: Vec<Change>,
}

/// What is in a file.
#[derive(Clone, Debug, Default)]
pub(super) struct File {
    seen: Arc<Vec<u8>>,
    pub(super) durable: Arc<Vec<u8>>,
    pub(super) writes: Vec<Unflushed>,
}

/// A write that is not flushed.
#[derive(Clone, Debug)]
pub(super) struct Unflushed {
    pub(super) at: usize,
    pub(super) bytes: Arc<[u8]>,
    /// A flush has failed over it, and no later one sees to it.
    is_dropped: bool,
}

/// A change of names that is not flushed.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) what: NameChange,
    /// A flush has failed over it, and no later one sees to it.
    is_dropped: bool,
}

#[derive(Clone, Debug)]
pub(super) enum NameChange {
    Create {
        name: String,
        file: FileNo,
    },
    Remove {
        name: String,
    },
    /// It is one step of the filesystem where something is replaced, and may come in two where nothing is.
    Rename {
        from: String,
        to: String,
        file: FileNo,
        replaces: bool,
    },
}

impl State {
    /// A folder right after a power cut: what is there is durable.
    pub(super) fn after(names: &BTreeMap<String, FileNo>, bytes_of: impl Fn(FileNo) -> Vec<u8>) -> Self {
        let mut state = Self::default();
        for (name, file) in names {
            state.put(name, bytes_of(*file));
        }
        state
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &String> {
        self.names.keys()
    }

    /// Names, with the size and the number of the file. A file is only ever written until it has its name.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&String, u64, u64)> {
        self.names.iter().map(|(name, file)| (name, self.file(*file).seen.len() as u64, *file as u64))
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.names.contains_key(name)
    }

    pub(super) fn bytes_of(&self, name: &str) -> Option<Arc<Vec<u8>>> {
        self.names.get(name).map(|file| Arc::clone(&self.file(*file).seen))
    }

    pub(super) fn file(&self, file: FileNo) -> &File {
        self.files.get(file).expect("a number is given out for each file")
    }

    pub(super) fn put(&mut self, name: &str, bytes: Vec<u8>) {
        let bytes = Arc::new(bytes);
        self.files.push(File { seen: Arc::clone(&bytes), durable: bytes, writes: Vec::new() });
        self.names.insert(name.to_owned(), self.files.len() - 1);
        self.durable_names.insert(name.to_owned(), self.files.len() - 1);
    }

    pub(super) fn rot(&mut self, name: &str, bit: usize) {
        let Some(file) = self.names.get(name).copied() else { return };
        let file = self.file_mut(file);
        for bytes in [&mut file.seen, &mut file.durable] {
            if let Some(byte) = Arc::make_mut(bytes).get_mut(bit / 8) {
                *byte ^= 1 << (bit % 8);
            }
        }
    }

    pub(super) fn create(&mut self, name: &str) -> io::Result<FileNo> {
        if self.has(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        self.files.push(File::default());
        let file = self.files.len() - 1;
        self.names.insert(name.to_owned(), file);
        self.change(NameChange::Create { name: name.to_owned(), file });
        Ok(file)
    }

    pub(super) fn write(&mut self, file: FileNo, bytes: &[u8]) {
        let file = self.file_mut(file);
        let at = file.seen.len();
        Arc::make_mut(&mut file.seen).extend_from_slice(bytes);
        file.writes.push(Unflushed { at, bytes: bytes.into(), is_dropped: false });
    }

    pub(super) fn sync_file(&mut self, file: FileNo) {
        let file = self.file_mut(file);
        let mut durable = Arc::clone(&file.durable);
        for write in file.writes.iter().filter(|write| !write.is_dropped) {
            write.lay(Arc::make_mut(&mut durable));
        }
        file.durable = durable;
        file.writes.retain(|write| write.is_dropped);
    }

    /// The pages of the file are clean from now on, though they were not written.
    pub(super) fn drop_writes(&mut self, file: FileNo) {
        self.file_mut(file).writes.iter_mut().for_each(|write| write.is_dropped = true);
    }

    pub(super) fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        let file = self.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        let replaces = self.names.insert(to.to_owned(), file).is_some();
        self.change(NameChange::Rename { from: from.to_owned(), to: to.to_owned(), file, replaces });
        Ok(())
    }

    /// As a program would do it that knows of no rename: the other file is emptied and written, and this one removed.
    pub(super) fn copy_in_place(&mut self, from: &str, to: &str) -> io::Result<()> {
        let bytes = self.bytes_of(from).ok_or(io::ErrorKind::NotFound)?;
        let file = match self.names.get(to) {
            Some(file) => *file,
            None => self.create(to)?,
        };
        let target = self.file_mut(file);
        // The emptying has reached the disk, the new content has not.
        *target = File::default();
        self.write(file, &bytes);
        self.remove(from)
    }

    pub(super) fn remove(&mut self, name: &str) -> io::Result<()> {
        self.names.remove(name).ok_or(io::ErrorKind::NotFound)?;
        self.change(NameChange::Remove { name: name.to_owned() });
        Ok(())
    }

    pub(super) fn sync_names(&mut self) {
        let changes = std::mem::take(&mut self.changes);
        let (dropped, synced): (Vec<_>, Vec<_>) = changes.into_iter().partition(|change| change.is_dropped);
        for change in &synced {
            change.what.whole(&mut self.durable_names);
        }
        // What was dropped shows no more where a later change of the same name is durable.
        let is_over = |change: &Change| synced.iter().any(|later| later.what.target() == change.what.target());
        self.changes = dropped.into_iter().filter(|change| !is_over(change)).collect();
    }

    /// The names are clean from now on, though they were not written.
    pub(super) fn drop_name_changes(&mut self) {
        self.changes.iter_mut().for_each(|change| change.is_dropped = true);
    }

    fn change(&mut self, what: NameChange) {
        self.changes.push(Change { what, is_dropped: false });
    }

    fn file_mut(&mut self, file: FileNo) -> &mut File {
        self.files.get_mut(file).expect("a number is given out for each file")
    }
}

impl Unflushed {
    /// Puts all of it where it belongs.
    pub(super) fn lay(&self, bytes: &mut Vec<u8>) {
        self.lay_part(bytes, 0..self.bytes.len());
    }

    /// Puts its beginning where it belongs, and ends there.
    pub(super) fn lay_beginning(&self, bytes: &mut Vec<u8>, len: usize) {
        let beginning = self.bytes.get(..len).unwrap_or_default().into();
        Self { bytes: beginning, ..*self }.lay(bytes);
    }

    /// Puts a part of it where it belongs, and zeros elsewhere.
    pub(super) fn lay_part(&self, bytes: &mut Vec<u8>, part: std::ops::Range<usize>) {
        let end = self.at + self.bytes.len();
        bytes.resize(bytes.len().max(end), 0);
        let to = bytes.get_mut(self.at + part.start..self.at + part.end);
        if let (Some(to), Some(from)) = (to, self.bytes.get(part)) {
            to.copy_from_slice(from);
        }
    }
}

impl NameChange {
    pub(super) fn whole(&self, names: &mut BTreeMap<String, FileNo>) {
        match self {
            Self::Create { name, file } => drop(names.insert(name.clone(), *file)),
            Self::Remove { name } => drop(names.remove(name)),
            Self::Rename { from, to, file, .. } => {
                names.remove(from);
                names.insert(to.clone(), *file);
            }
        }
    }

    fn target(&self) -> &str {
        match self {
            Self::Create { name, .. } | Self::Remove { name } => name,
            Self::Rename { to, .. } => to,
        }
    }
}
