//! A transaction being prepared: a view, the writes so far, and how to undo those of the current group.
//!
//! Everything is read and decided before the backend is asked to write, so a group that is refused leaves nothing
//! behind, on engines that cannot take back half a transaction too.

use std::collections::{BTreeSet, HashMap};

use magnetar_core::{ChunkId, Result};
use serde::Serialize;

use crate::{
    backend::{Show, View},
    key,
    row::{self, Here, Meta},
    stop::Stop,
    table::Table,
    writes::{Change, Writes},
};

pub(crate) struct Txn<'v> {
    view: &'v dyn View,
    writes: Writes,
    undo: Vec<(Table, Vec<u8>, Option<Change>)>,
    lanes: HashMap<Vec<u8>, ReadyLane>,
}

/// The head of a lane, read ahead, so that many claims of one transaction do not each walk over what the others took.
#[derive(Default)]
struct ReadyLane {
    /// Every ready key of the lane before `read_to`.
    keys: BTreeSet<Vec<u8>>,
    /// How far the lane has been read; none at its end.
    read_to: Option<Vec<u8>>,
}

/// The head of a lane: its place in the lane's order (smaller is more urgent), its chunk, its key.
pub(crate) type Head = (u16, ChunkId, Vec<u8>);

impl View for Txn<'_> {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>> {
        match self.writes.get(table, key) {
            Some(change) => Ok(change.clone()),
            None => self.view.get(table, key),
        }
    }

    fn scan(&self, table: Table, from: &[u8], to: &[u8], each: &mut Show<'_>) -> Result<()> {
        self.writes.scan(self.view, table, from, to, each)
    }
}

impl<'v> Txn<'v> {
    pub(crate) fn new(view: &'v dyn View) -> Self {
        Self { view, writes: Writes::default(), undo: Vec::new(), lanes: HashMap::new() }
    }

    /// What the backend is to make happen.
    pub(crate) fn into_writes(self) -> Writes {
        self.writes
    }

    /// From here on is a new group.
    pub(crate) fn begin_group(&mut self) {
        self.undo.clear();
    }

    /// Takes back everything since [`Txn::begin_group`].
    pub(crate) fn undo_group(&mut self) {
        while let Some((table, key, before)) = self.undo.pop() {
            self.writes.restore(table, key, before);
        }
        self.lanes.clear();
    }

    fn set(&mut self, table: Table, key: Vec<u8>, change: Change) {
        let before = self.writes.set(table, key.clone(), change);
        self.undo.push((table, key, before));
    }

    pub(crate) fn put<T: Serialize>(&mut self, table: Table, key: Vec<u8>, row: &T) {
        let bytes = row::encode(table, &key, row);
        self.set(table, key, Some(bytes));
    }

    pub(crate) fn remove(&mut self, table: Table, key: Vec<u8>) {
        self.set(table, key, None);
    }

    pub(crate) fn meta(&self) -> Result<Meta, Stop> {
        Ok(crate::look::get(self, Table::Meta, key::META)?.unwrap_or_default())
    }

    pub(crate) fn put_meta(&mut self, meta: &Meta) {
        self.put(Table::Meta, key::META.to_vec(), meta);
    }

    pub(crate) fn put_ready(&mut self, key: Vec<u8>) {
        if let Some(lane) = self.lane_of(&key)
            && lane.read_to.as_ref().is_none_or(|read_to| key < *read_to)
        {
            lane.keys.insert(key.clone());
        }
        self.put(Table::Ready, key, &Here);
    }

    pub(crate) fn remove_ready(&mut self, key: Vec<u8>) {
        if let Some(lane) = self.lane_of(&key) {
            lane.keys.remove(&key);
        }
        self.remove(Table::Ready, key);
    }

    fn lane_of(&mut self, key: &[u8]) -> Option<&mut ReadyLane> {
        let (lane, ..) = key::parse_ready(key)?;
        self.lanes.get_mut(lane)
    }

    /// What would be claimed next from a lane, reading `ahead` rows if need be.
    pub(crate) fn head(&mut self, lane: &[u8], ahead: usize) -> Result<Option<Head>, Stop> {
        loop {
            let known = match self.lanes.get(lane) {
                Some(known) => known,
                None => self
                    .lanes
                    .entry(lane.to_vec())
                    .or_insert_with(|| ReadyLane { read_to: Some(lane.to_vec()), ..ReadyLane::default() }),
            };
            if let Some(key) = known.keys.first() {
                let (_, urgency, chunk) =
                    key::parse_ready(key).ok_or_else(|| Stop::corrupt(Table::Ready, key, "has no ready key"))?;
                return Ok(Some((urgency, chunk, key.clone())));
            }
            let Some(from) = known.read_to.clone() else { return Ok(None) };
            self.read_ahead(lane, &from, ahead)?;
        }
    }

    fn read_ahead(&mut self, lane: &[u8], from: &[u8], ahead: usize) -> Result<(), Stop> {
        let rows = crate::look::rows::<Here>(self, Table::Ready, from, &key::prefix_end(lane), ahead)?;
        let read_to = rows.last().filter(|_| rows.len() == ahead).map(|(key, _)| key::behind(key));
        let keys = rows.into_iter().map(|(key, _)| key).collect();
        self.lanes.insert(lane.to_vec(), ReadyLane { keys, read_to });
        Ok(())
    }
}
