//! What no store takes: names, tokens and times that are beyond the limits. For those who write stores.
//!
//! Everything is measured in place, without a copy, and before anything is read or locked.

use std::time::Duration;

use bson::{Bson, Document};

use crate::{
    error::{Result, StateError},
    limits,
};

/// Refuses a collection's name that no store takes: empty, too long, or with a NUL.
pub fn collection(name: &str) -> Result<()> {
    limit("a collection's name in bytes", name.len(), limits::NAME_BYTES_MAX)?;
    text("a collection's name", name)
}

/// Refuses a lock's name that no store takes: as a collection's.
pub fn lock(name: &str) -> Result<()> {
    limit("a lock's name in bytes", name.len(), limits::NAME_BYTES_MAX)?;
    text("a lock's name", name)
}

fn text(what: &str, name: &str) -> Result<()> {
    if name.is_empty() {
        return Err(StateError::invalid(format!("{what} cannot be empty")));
    }
    if name.contains('\0') {
        return Err(StateError::invalid(format!("{what} cannot have a NUL in it")));
    }
    Ok(())
}

/// A time to live in whole milliseconds, rounded up, so that a short one never becomes none.
pub fn ttl(ttl: Duration) -> Result<Duration> {
    if ttl.is_zero() {
        return Err(StateError::invalid("a time to live of nothing is over before it begins"));
    }
    let millis = ttl.as_nanos().div_ceil(1_000_000);
    Ok(Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX)))
}

/// Refuses a limit of a page that shows nothing or too much.
pub fn page(rows: usize) -> Result<()> {
    if rows == 0 {
        return Err(StateError::invalid("a page of 0 collections shows nothing; ask for 1 or more"));
    }
    limit("a page in collections", rows, limits::PAGE_ENTRIES_MAX)
}

/// Refuses a token that is too large, too deep, or that BSON cannot hold. What is refused is taken apart piece by piece: a
/// document drops what is in it by recursion, and one that is deep enough would end the process.
pub fn token(token: Document) -> Result<Document> {
    match measure(&token) {
        Ok(_) => Ok(token),
        Err(error) => {
            dismantle(token);
            Err(error)
        }
    }
}

/// The bytes of a token as BSON.
///
/// # Errors
/// `TooLarge` where it is too large or too deep, `Invalid` where BSON cannot hold it. Measuring ends there.
pub fn measure(token: &Document) -> Result<usize> {
    let mut meter = Meter { bytes: 0 };
    meter.document(token, 1)?;
    Ok(meter.bytes)
}

fn limit(what: &'static str, size: usize, max: usize) -> Result<()> {
    if size <= max { Ok(()) } else { Err(StateError::TooLarge { what, size: size as u64, max: max as u64 }) }
}

struct Meter {
    bytes: usize,
}

impl Meter {
    fn add(&mut self, bytes: usize) -> Result<()> {
        self.bytes = self.bytes.saturating_add(bytes);
        limit("a token in bytes", self.bytes, limits::TOKEN_BYTES_MAX)
    }

    fn document(&mut self, document: &Document, depth: usize) -> Result<()> {
        limit("a token in levels", depth, limits::TOKEN_DEPTH_MAX)?;
        self.add(5)?;
        document.iter().try_for_each(|(key, value)| self.element(key, value, depth))
    }

    fn array(&mut self, values: &[Bson], depth: usize) -> Result<()> {
        limit("a token in levels", depth, limits::TOKEN_DEPTH_MAX)?;
        self.add(5)?;
        // Keys of an array are its indices as text.
        values.iter().enumerate().try_for_each(|(at, value)| self.element(&at.to_string(), value, depth))
    }

    fn element(&mut self, key: &str, value: &Bson, depth: usize) -> Result<()> {
        self.add(1)?;
        self.c_string(key)?;
        self.value(value, depth)
    }

    /// Text that ends with a NUL, and can have none within.
    fn c_string(&mut self, text: &str) -> Result<()> {
        self.add(text.len() + 1)?;
        if text.contains('\0') {
            return Err(StateError::invalid("a token cannot have a key or a regular expression with a NUL in it"));
        }
        Ok(())
    }

    fn value(&mut self, value: &Bson, depth: usize) -> Result<()> {
        match value {
            Bson::Null | Bson::Undefined | Bson::MaxKey | Bson::MinKey => Ok(()),
            Bson::Boolean(_) => self.add(1),
            Bson::Int32(_) => self.add(4),
            Bson::Double(_) | Bson::Int64(_) | Bson::Timestamp(_) | Bson::DateTime(_) => self.add(8),
            Bson::ObjectId(_) => self.add(12),
            Bson::Decimal128(_) => self.add(16),
            Bson::String(text) | Bson::JavaScriptCode(text) | Bson::Symbol(text) => self.add(text.len() + 5),
            Bson::Binary(binary) => self.add(binary.bytes.len() + 9),
            Bson::RegularExpression(regex) => self.c_string(&regex.pattern).and_then(|()| self.c_string(&regex.options)),
            Bson::JavaScriptCodeWithScope(code) => {
                self.add(code.code.len() + 9)?;
                self.document(&code.scope, depth + 1)
            }
            Bson::Document(document) => self.document(document, depth + 1),
            Bson::Array(values) => self.array(values, depth + 1),
            // Its parts are private, and it is of a kind that nobody has made since 2010: only a server's bytes have one.
            Bson::DbPointer(pointer) => self.add(format!("{pointer:?}").len()),
        }
    }
}

/// Drops a document without recursion.
fn dismantle(document: Document) {
    let mut rest: Vec<Bson> = document.into_iter().map(|(_, value)| value).collect();
    while let Some(value) = rest.pop() {
        match value {
            Bson::Document(document) => rest.extend(document.into_iter().map(|(_, value)| value)),
            Bson::Array(values) => rest.extend(values),
            Bson::JavaScriptCodeWithScope(code) => rest.extend(code.scope.into_iter().map(|(_, value)| value)),
            _ => {}
        }
    }
}
