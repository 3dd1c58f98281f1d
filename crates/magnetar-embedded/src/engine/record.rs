//! Records: small values with versions, written in the same group as what they stand for.

use magnetar_core::{Expect, Rejection, Reply};

use super::Step;
use crate::{key, look, row::RecordRow, stop::Stop, table::Table};

impl Step<'_, '_> {
    pub(super) fn put_record(&mut self, space: &str, name: &[u8], value: Option<&[u8]>, expect: Expect) -> Result<Reply, Stop> {
        let row_key = key::record(space, name);
        let found = look::get::<RecordRow>(self.txn, Table::Record, &row_key)?.map(|record| record.version);
        let expected = match expect {
            Expect::Any => found,
            Expect::Absent => None,
            Expect::Version(version) => Some(version),
        };
        if expected != found {
            let key = String::from_utf8_lossy(name).escape_default().to_string();
            return Err(Rejection::Version { space: space.to_owned(), key, expected, found }.into());
        }
        let Some(value) = value else {
            self.txn.remove(Table::Record, row_key);
            return Ok(Reply::Version(None));
        };
        let mut meta = self.txn.meta()?;
        meta.last_version += 1;
        self.txn.put_meta(&meta)?;
        self.txn.put(Table::Record, row_key, &RecordRow { version: meta.last_version, value: value.to_vec() });
        Ok(Reply::Version(Some(meta.last_version)))
    }
}
