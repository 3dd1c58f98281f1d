//! Audits: everything held against everything else, row by row. What is damaged is a problem, and the audit goes on.

mod job;
mod store;

use std::{collections::HashSet, ops::ControlFlow};

use magnetar_core::Audit;
use serde::de::DeserializeOwned;

pub(crate) use self::{job::audit as of_job, store::audit as of_store};
use crate::{
    backend::View,
    digest::Digest,
    key::{self, Key},
    look, row,
    stop::Stop,
    table::Table,
};

/// How many rows are held in memory at once.
const PAGE_ROWS: usize = 1000;

/// Rows by their keys, each sound or damaged.
type Page<T> = Vec<(Key, Result<T, Stop>)>;

/// What is shown a sound row.
type ShowSound<'a, 'v, T> = dyn FnMut(&mut Auditor<'v>, &[u8], T) -> Result<(), Stop> + 'a;

/// A view, and what was found in it so far.
struct Auditor<'v> {
    view: &'v dyn View,
    audit: Audit,
    told: HashSet<String>,
}

impl<'v> Auditor<'v> {
    fn new(view: &'v dyn View) -> Self {
        Self { view, audit: Audit::default(), told: HashSet::new() }
    }

    /// Notes a problem; each is told once.
    fn problem(&mut self, what: String) {
        if self.told.insert(what.clone()) {
            self.audit.problems.push(what);
        }
    }

    /// What was read; none where it is damaged, which is a problem.
    fn sound<T>(&mut self, read: Result<T, Stop>) -> Result<Option<T>, Stop> {
        match read {
            Ok(value) => Ok(Some(value)),
            Err(stop) => {
                let problem = stop.into_problem()?;
                self.problem(problem);
                Ok(None)
            }
        }
    }

    /// Rows with `from <= key < to`, sound or damaged, as many as are held in memory at once.
    fn page<T: DeserializeOwned>(&mut self, table: Table, from: &[u8], to: &[u8]) -> Result<Page<T>, Stop> {
        let mut page = Vec::new();
        let scanned = look::scan(self.view, table, from, to, &mut |row_key, bytes| {
            page.push((Key::from_slice(row_key), row::decode(table, row_key, bytes)));
            if page.len() < PAGE_ROWS { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        self.sound(scanned)?;
        Ok(page)
    }

    /// Shows each sound row with `from <= key < to`.
    fn each<T: DeserializeOwned>(
        &mut self,
        table: Table,
        from: &[u8],
        to: &[u8],
        show: &mut ShowSound<'_, 'v, T>,
    ) -> Result<(), Stop> {
        let mut from = Key::from_slice(from);
        loop {
            let page = self.page::<T>(table, &from, to)?;
            let Some((last, _)) = page.last() else { return Ok(()) };
            from = key::behind(last);
            for (row_key, row) in page {
                if let Some(row) = self.sound(row)? {
                    show(self, &row_key, row)?;
                }
            }
        }
    }

    /// Adds up the rows with `from <= key < to`, and notes those that do not match their checksums.
    fn add_up(&mut self, digest: &mut Digest, table: Table, from: &[u8], to: &[u8]) -> Result<(), Stop> {
        let mut damaged = Vec::new();
        let scanned = look::scan(self.view, table, from, to, &mut |row_key, bytes| {
            digest.put(table, bytes);
            damaged.extend(row::verify(table, row_key, bytes).err());
            ControlFlow::Continue(())
        });
        self.sound(scanned)?;
        damaged.into_iter().try_for_each(|stop| self.sound::<()>(Err(stop)).map(drop))
    }
}
