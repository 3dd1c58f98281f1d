//! Rebuilds what a power cut may leave.

use std::collections::BTreeMap;

use fastrand::Rng;

use super::history::{Deed, History};

/// What a disk writes at once.
const SECTOR_BYTES: usize = 512;

/// What becomes of what was not flushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// All of it is gone.
    SyncedOnly,
    /// All of it is there.
    All,
    /// Each write is there or not.
    Some,
    /// Each sector of each write is there or not.
    Torn,
}

impl Style {
    /// One at random; those that can go wrong in many ways are drawn more often.
    pub(super) fn draw(random: &mut Rng) -> Self {
        match random.u8(..10) {
            0 => Self::SyncedOnly,
            1 => Self::All,
            2..6 => Self::Some,
            _ => Self::Torn,
        }
    }
}

/// The files that a cut leaves, by name.
pub(super) type Image = BTreeMap<usize, Vec<u8>>;

/// Goes through a history, from cut to cut.
pub(super) struct Player<'h> {
    history: &'h History,
    /// How many deeds were done.
    at: usize,
    /// What is flushed of each file.
    files: Vec<Vec<u8>>,
    /// Which file each name leads to, as far as that is flushed.
    names: BTreeMap<usize, usize>,
    /// Deeds that are not flushed.
    pending: Vec<usize>,
}

impl<'h> Player<'h> {
    /// Begins before the first deed.
    pub(super) fn new(history: &'h History) -> Self {
        let files = history.at_first.clone();
        let names = (0..files.len()).map(|file| (file, file)).collect();
        Self { history, at: 0, files, names, pending: Vec::new() }
    }

    /// Goes on to a later cut.
    pub(super) fn advance(&mut self, cut: usize) {
        while self.at < cut {
            let Some(deed) = self.history.deeds.get(self.at) else { return };
            match deed {
                Deed::Sync { file } => self.settle(|deed| of_file(deed) == Some(*file)),
                Deed::SyncNames => self.settle(|deed| of_file(deed).is_none()),
                _ => self.pending.push(self.at),
            }
            self.at += 1;
        }
    }

    /// Makes what was done, of a kind, survive.
    fn settle(&mut self, is_synced: impl Fn(&Deed) -> bool) {
        let history = self.history;
        let pending = std::mem::take(&mut self.pending);
        for at in pending {
            match history.deeds.get(at) {
                Some(deed) if is_synced(deed) => self.apply(deed),
                _ => self.pending.push(at),
            }
        }
    }

    fn apply(&mut self, deed: &Deed) {
        let Some(file) = of_file(deed) else { return apply_to_names(deed, &mut self.names) };
        if self.files.len() <= file {
            self.files.resize_with(file + 1, Vec::new);
        }
        if let Some(bytes) = self.files.get_mut(file) {
            apply_to_file(deed, bytes);
        }
    }

    /// What a cut here may leave.
    pub(super) fn image(&self, style: Style, random: &mut Rng) -> Image {
        let names = self.names_after(style, random);
        names.into_iter().map(|(name, file)| (name, self.file_after(file, style, random))).collect()
    }

    fn pending(&self) -> impl Iterator<Item = &'h Deed> {
        let history = self.history;
        self.pending.iter().filter_map(|at| history.deeds.get(*at))
    }

    /// Each name is somewhere between what is flushed and now: what was done to one happens in order.
    fn names_after(&self, style: Style, random: &mut Rng) -> BTreeMap<usize, usize> {
        let mut names = self.names.clone();
        let mut stopped = BTreeMap::new();
        for deed in self.pending() {
            let (Deed::Link { name, .. } | Deed::Unlink { name }) = deed else { continue };
            let is_stopped = stopped.entry(*name).or_insert(false);
            *is_stopped = *is_stopped || !survives(style, random);
            if !*is_stopped {
                apply_to_names(deed, &mut names);
            }
        }
        names
    }

    fn file_after(&self, file: usize, style: Style, random: &mut Rng) -> Vec<u8> {
        let mut bytes = self.files.get(file).cloned().unwrap_or_default();
        for deed in self.pending().filter(|deed| of_file(deed) == Some(file)) {
            match deed {
                Deed::Write { at, bytes: written, .. } if style == Style::Torn => tear(&mut bytes, *at, written, random),
                _ if survives(style, random) => apply_to_file(deed, &mut bytes),
                _ => {}
            }
        }
        bytes
    }
}

fn survives(style: Style, random: &mut Rng) -> bool {
    match style {
        Style::SyncedOnly => false,
        Style::All => true,
        Style::Some | Style::Torn => random.bool(),
    }
}

/// The file that a deed was done to; none for one that was done to a name.
fn of_file(deed: &Deed) -> Option<usize> {
    match deed {
        Deed::Write { file, .. } | Deed::Resize { file, .. } | Deed::Sync { file } => Some(*file),
        Deed::Link { .. } | Deed::Unlink { .. } | Deed::SyncNames => None,
    }
}

fn apply_to_names(deed: &Deed, names: &mut BTreeMap<usize, usize>) {
    match deed {
        Deed::Link { name, file } => drop(names.insert(*name, *file)),
        Deed::Unlink { name } => drop(names.remove(name)),
        _ => {}
    }
}

fn apply_to_file(deed: &Deed, file: &mut Vec<u8>) {
    match deed {
        Deed::Write { at, bytes, .. } => put(file, *at, bytes),
        Deed::Resize { bytes, .. } => file.resize(position(*bytes), 0),
        _ => {}
    }
}

/// Writes those sectors of a write that a coin is tossed for.
fn tear(file: &mut Vec<u8>, at: u64, bytes: &[u8], random: &mut Rng) {
    let (mut at, mut rest) = (at, bytes);
    while !rest.is_empty() {
        let to_edge = SECTOR_BYTES - position(at) % SECTOR_BYTES;
        let (sector, behind) = rest.split_at(to_edge.min(rest.len()));
        if random.bool() {
            put(file, at, sector);
        }
        at += sector.len() as u64;
        rest = behind;
    }
}

fn put(file: &mut Vec<u8>, at: u64, bytes: &[u8]) {
    let at = position(at);
    if file.len() < at + bytes.len() {
        file.resize(at + bytes.len(), 0);
    }
    if let Some(place) = file.get_mut(at..at + bytes.len()) {
        place.copy_from_slice(bytes);
    }
}

fn position(at: u64) -> usize {
    usize::try_from(at).unwrap_or(usize::MAX)
}
