//! The statements, made once from the names of the tables.

use std::sync::LazyLock;

use magnetar_embedded::Table;

/// The statements of one table.
pub(crate) struct TableSql {
    pub(crate) create: String,
    pub(crate) get: String,
    pub(crate) scan: String,
    pub(crate) put: String,
    /// As `put`, for [`ROWS_MAX`] rows.
    pub(crate) put_many: String,
    pub(crate) remove: String,
}

static TABLES: LazyLock<[TableSql; Table::ALL.len()]> = LazyLock::new(|| Table::ALL.map(TableSql::of));

/// How many rows one statement puts.
pub(crate) const ROWS_MAX: usize = 16;

/// The most statements that a connection keeps: all there are.
pub(crate) const STATEMENTS_MAX: usize = 5 * Table::ALL.len() + 8;

pub(crate) const BEGIN_WRITE: &str = "BEGIN IMMEDIATE";
pub(crate) const BEGIN_READ: &str = "BEGIN DEFERRED";
pub(crate) const VERSION: &str = "PRAGMA user_version";
pub(crate) const DATA_VERSION: &str = "PRAGMA data_version";
pub(crate) const APPLICATION_ID: &str = "PRAGMA application_id";
pub(crate) const COMMIT: &str = "COMMIT";
pub(crate) const ROLL_BACK: &str = "ROLLBACK";

/// The statements of a table.
#[expect(clippy::indexing_slicing, reason = "there are statements for each table")]
pub(crate) fn of(table: Table) -> &'static TableSql {
    &TABLES[table.index()]
}

impl TableSql {
    fn of(table: Table) -> Self {
        let name = table.name();
        // An upsert (`ON CONFLICT DO UPDATE`) takes nearly twice as long.
        let put = |rows: usize| format!("INSERT OR REPLACE INTO {name}(k, v) VALUES{}", vec!["(?, ?)"; rows].join(", "));
        Self {
            create: format!("CREATE TABLE {name}(k BLOB NOT NULL PRIMARY KEY, v BLOB NOT NULL) {}", options(table)),
            get: format!("SELECT v FROM {name} WHERE k = ?1"),
            scan: format!("SELECT k, v FROM {name} WHERE k >= ?1 AND k < ?2 ORDER BY k"),
            put: put(1),
            put_many: put(ROWS_MAX),
            remove: format!("DELETE FROM {name} WHERE k = ?1"),
        }
    }
}

/// Short rows live in the tree of their keys. Long ones do not fit there, and would each fill a page of their own beside it:
/// at 2,000 bytes that is more than twice the file, and writes take three times as long.
fn options(table: Table) -> &'static str {
    match table {
        Table::Body | Table::Record => "STRICT",
        _ => "WITHOUT ROWID, STRICT",
    }
}
