//! The control of rotten files: bare tables of both engines, with rows that have no checksum. The same flips must show wrong data
//! there, or they do not hit what is alive.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use anyhow::Result;
use fastrand::Rng;
use redb::{Database, ReadableDatabase, TableDefinition};
use rusqlite::Connection;

use super::{
    alive::Alive,
    files::{Harm, flip},
};
use crate::{folder, panics, site::SqliteSite, storage::Storage, vfs};

const TABLE: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("bare");
/// Rows of the table, and their bytes.
const ROWS: (u32, usize) = (300, 100);

/// What came of flips in a file without checksums of rows.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bare {
    /// How many bits were flipped, one at a time.
    pub flips: u64,
    /// How often wrong rows were read and nothing said so.
    pub wrong: u64,
}

type Row = (Vec<u8>, Vec<u8>);

/// Flips so many bits of a bare redb table.
///
/// # Errors
/// What redb says where nothing is harmed.
pub fn bare_redb(seed: u64, flips: u64) -> Result<Bare> {
    let storage = Storage::new(Vec::new());
    let rows = rows(seed);
    let database = Database::builder().create_with_backend(storage.clone())?;
    let transaction = database.begin_write()?;
    for (key, value) in &rows {
        transaction.open_table(TABLE)?.insert(key.as_slice(), value.as_slice())?;
    }
    transaction.commit()?;
    drop(database);
    let alive = Arc::new(Alive::default());
    let read = |storage: Storage| {
        let database = Database::builder().create_with_backend(storage)?;
        let table = database.begin_read()?.open_table(TABLE)?;
        let mut found = Vec::new();
        for row in table.range::<&[u8]>(..)? {
            let (key, value) = row?;
            found.push((key.value().to_vec(), value.value().to_vec()));
        }
        Ok(found)
    };
    read(Storage::new(storage.bytes()).tapped(Arc::clone(&alive) as _))?;
    count(seed, &storage.bytes(), &rows, flips, &alive, &|bytes| read(Storage::new(bytes)))
}

/// Flips so many bits of a bare SQLite table.
///
/// # Errors
/// What SQLite says where nothing is harmed.
pub fn bare_sqlite(seed: u64, flips: u64) -> Result<Bare> {
    let folder = folder::in_memory()?;
    let site = SqliteSite::new(&folder, "store")?;
    let path = site.path(SqliteSite::MAIN);
    let rows = rows(seed);
    let connection = Connection::open(&path)?;
    connection.execute_batch("CREATE TABLE bare(k BLOB NOT NULL PRIMARY KEY, v BLOB NOT NULL) WITHOUT ROWID, STRICT; BEGIN")?;
    for (key, value) in &rows {
        connection.execute("INSERT INTO bare VALUES(?, ?)", [key, value])?;
    }
    connection.execute_batch("COMMIT")?;
    drop(connection);
    let bytes = std::fs::read(&path)?;
    let alive = Arc::new(Alive::default());
    let read = |bytes: Vec<u8>| {
        site.lay([(SqliteSite::MAIN, bytes.as_slice())])?;
        let connection = Connection::open(&path)?;
        let mut select = connection.prepare("SELECT k, v FROM bare ORDER BY k")?;
        let found = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
        Ok(found)
    };
    vfs::tapped(Arc::clone(&alive) as _, || read(bytes.clone()))?;
    count(seed, &bytes, &rows, flips, &alive, &read)
}

fn rows(seed: u64) -> Vec<Row> {
    let mut random = Rng::with_seed(seed);
    (0..ROWS.0).map(|key| (key.to_be_bytes().to_vec(), (0..ROWS.1).map(|_| random.u8(..)).collect())).collect()
}

fn count(
    seed: u64,
    whole: &[u8],
    rows: &[Row],
    flips: u64,
    alive: &Alive,
    read: &dyn Fn(Vec<u8>) -> Result<Vec<Row>>,
) -> Result<Bare> {
    let mut random = Rng::with_seed(seed);
    anyhow::ensure!(read(whole.to_vec())? == rows, "what is whole is read as it is");
    let mut bare = Bare::default();
    for _ in 0..flips {
        let bytes = flip(whole, Harm::draw(whole, alive, &mut random));
        // A panic of the engine says enough.
        let (found, _) = panics::watch(|| catch_unwind(AssertUnwindSafe(|| read(bytes))));
        bare.flips += 1;
        bare.wrong += u64::from(matches!(found, Ok(Ok(found)) if found != rows));
    }
    Ok(bare)
}
