//! Whether an engine shows the keys of each table in their order.
//!
//! Where a bit of a key has flipped, it may not. An audit that reads page by page, each behind the last key of the one before, then
//! goes round for ever, so rigs leave such files out until it looks at that.

use anyhow::Result;
use magnetar_embedded::Table;
use redb::{Database, ReadableDatabase, TableDefinition};
use rusqlite::Connection;

use crate::{site::SqliteSite, storage::Storage};

/// No store of a rig has nearly as many rows in a table.
const ROWS_MAX: usize = 100_000;

/// Whether the keys that SQLite shows ascend, as far as it shows any.
pub(super) fn ascends_in_sqlite(site: &SqliteSite) -> bool {
    let Ok(connection) = Connection::open(site.path(SqliteSite::MAIN)) else { return true };
    Table::ALL.into_iter().all(|table| {
        let Ok(mut select) = connection.prepare(&format!("SELECT k FROM {} ORDER BY k", table.name())) else { return true };
        let Ok(keys) = select.query_map([], |row| row.get::<_, Vec<u8>>(0)) else { return true };
        ascends(keys.map_while(Result::ok))
    })
}

/// Whether the keys that redb shows ascend, as far as it shows any.
pub(super) fn ascends_in_redb(bytes: Vec<u8>) -> bool {
    let Ok(database) = Database::builder().create_with_backend(Storage::new(bytes)) else { return true };
    let Ok(transaction) = database.begin_read() else { return true };
    Table::ALL.into_iter().all(|table| {
        let definition: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new(table.name());
        let Ok(rows) = transaction.open_table(definition) else { return true };
        let Ok(range) = rows.range::<&[u8]>(..) else { return true };
        ascends(range.map_while(Result::ok).map(|(key, _)| key.value().to_vec()))
    })
}

fn ascends(keys: impl Iterator<Item = Vec<u8>>) -> bool {
    let (mut last, mut count) = (None, 0);
    for key in keys {
        count += 1;
        if count > ROWS_MAX || last.as_ref().is_some_and(|last| *last >= key) {
            return false;
        }
        last = Some(key);
    }
    true
}
