//! A consistent view: a read transaction of redb and the tables that were looked at.

use std::{cell::OnceCell, sync::RwLockReadGuard};

use magnetar_core::Result;
use magnetar_embedded::{Show, Table, View};
use redb::{Database, ReadOnlyTable, ReadTransaction, TableDefinition};

use crate::error::error;

type Rows = ReadOnlyTable<&'static [u8], &'static [u8]>;

/// The redb table of a table of the engine.
pub(crate) const fn definition(table: Table) -> TableDefinition<'static, &'static [u8], &'static [u8]> {
    TableDefinition::new(table.name())
}

pub(crate) struct Snapshot<'a> {
    /// Each is looked up in redb's table of tables once.
    tables: [OnceCell<Rows>; Table::ALL.len()],
    transaction: ReadTransaction,
    name: &'a str,
    /// Nobody closes the database while it is looked at.
    _open: RwLockReadGuard<'a, Option<Database>>,
}

impl<'a> Snapshot<'a> {
    pub(crate) fn new(transaction: ReadTransaction, name: &'a str, open: RwLockReadGuard<'a, Option<Database>>) -> Self {
        Self { tables: [const { OnceCell::new() }; Table::ALL.len()], transaction, name, _open: open }
    }

    #[expect(clippy::indexing_slicing, reason = "there is a cell for each table")]
    fn rows(&self, table: Table) -> Result<&Rows> {
        let cell = &self.tables[table.index()];
        if let Some(rows) = cell.get() {
            return Ok(rows);
        }
        let rows = self.transaction.open_table(definition(table)).map_err(|cause| error("read", &self.name, cause))?;
        Ok(cell.get_or_init(|| rows))
    }
}

impl View for Snapshot<'_> {
    fn get(&self, table: Table, key: &[u8], show: &mut dyn FnMut(&[u8])) -> Result<()> {
        let value = self.rows(table)?.get(key).map_err(|cause| error("read", &self.name, cause))?;
        if let Some(value) = value {
            show(value.value());
        }
        Ok(())
    }

    fn scan(&self, table: Table, from: &[u8], to: &[u8], each: &mut Show<'_>) -> Result<()> {
        if from >= to {
            return Ok(());
        }
        for row in self.rows(table)?.range(from..to).map_err(|cause| error("read", &self.name, cause))? {
            let (key, value) = row.map_err(|cause| error("read", &self.name, cause))?;
            if each(key.value(), value.value()).is_break() {
                break;
            }
        }
        Ok(())
    }
}
