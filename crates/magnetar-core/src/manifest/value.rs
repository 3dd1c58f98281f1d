//! A value of any format as JSON, with the first thing about it that cannot be kept.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Number, Value};

use super::Problem;
use crate::{error::Rejection, limits};

/// Levels that values may be nested, from the chunk down: below what the parsers of both formats allow, so that the
/// error is this one and not theirs.
pub(super) const DEPTH_MAX: usize = 64;

/// Values that one chunk may hold: more cannot fit into its dependencies and its extra, whose every value takes a byte
/// at least. Without it a document of `[0,0,0,…` would need a hundred times its size.
const VALUES_MAX: usize = limits::DEPENDENCIES_MAX + limits::EXTRA_BYTES_MAX;

/// Names of a path that an error shows.
const PATH_NAMES_SHOWN: usize = 8;

/// The key under which `toml` hands out a datetime. There is no public name for it.
const DATETIME: &str = "$__toml_private_datetime";

/// The key under which `serde_json` hands out a number when some crate of the build turns on `arbitrary_precision`.
const NUMBER: &str = "$serde_json::private::Number";

/// A value, and the first problem with it. It reads to its end even so: then the chunk that it belongs to has an id.
#[derive(Debug)]
pub(super) struct Loose {
    value: Value,
    notes: Notes,
}

impl Loose {
    /// The value of this key, and what of it could not be kept. Datetimes are texts; what could not be kept is null.
    pub(super) fn open(self, key: Option<&str>) -> (Value, Option<Problem>) {
        let Self { value, mut notes } = self;
        if let Some(key) = key {
            notes.within(key);
        }
        (value, notes.into_problem())
    }
}

impl<'de> Deserialize<'de> for Loose {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut notes = Notes { values_left: VALUES_MAX, first: None, path: Vec::new() };
        let value = Node { depth: 0, notes: &mut notes }.deserialize(deserializer)?;
        Ok(Self { value, notes })
    }
}

/// How a value is named in an error.
pub(super) fn found(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(value) => format!("the number {value}"),
        Value::String(value) => format!("the text {:?}", shortened(value)),
        Value::Array(_) => "an array".to_owned(),
        Value::Object(_) => "a table".to_owned(),
    }
}

/// The beginning of a text, for an error.
pub(super) fn shortened(text: &str) -> String {
    const CHARS_SHOWN: usize = 40;
    match text.char_indices().nth(CHARS_SHOWN).and_then(|(end, _)| text.get(..end)) {
        Some(beginning) => format!("{beginning}…"),
        None => text.to_owned(),
    }
}

#[derive(Debug)]
enum Unfit {
    Number(String),
    Depth,
    Repeated,
    Values,
}

#[derive(Debug)]
struct Notes {
    values_left: usize,
    first: Option<Unfit>,
    /// The keys around the first, the innermost in front.
    path: Vec<String>,
}

impl Notes {
    fn note(&mut self, unfit: Unfit) {
        self.first.get_or_insert(unfit);
    }

    /// Says that what was noted lies within this key.
    fn within(&mut self, key: &str) {
        if self.first.is_some() {
            self.path.push(shortened(key));
        }
    }

    /// Whether one more value may be held.
    fn has_room(&mut self) -> bool {
        let Some(left) = self.values_left.checked_sub(1) else {
            self.note(Unfit::Values);
            return false;
        };
        self.values_left = left;
        true
    }

    fn into_problem(self) -> Option<Problem> {
        let unfit = self.first?;
        let mut key = self.path.iter().rev().take(PATH_NAMES_SHOWN).map(String::as_str).collect::<Vec<_>>().join(".");
        if self.path.len() > PATH_NAMES_SHOWN {
            key.push_str(".…");
        }
        Some(match unfit {
            Unfit::Number(found) => Problem::NotJson { key, found },
            Unfit::Depth => Problem::TooDeep { key, max: DEPTH_MAX },
            Unfit::Repeated => Problem::RepeatedKey { key },
            Unfit::Values => Problem::Rejected(Rejection::TooLarge {
                what: "the number of values of a chunk".to_owned(),
                size: VALUES_MAX as u64 + 1,
                max: VALUES_MAX as u64,
            }),
        })
    }
}

struct Node<'n> {
    depth: usize,
    notes: &'n mut Notes,
}

impl Node<'_> {
    fn below(&mut self) -> Node<'_> {
        Node { depth: self.depth + 1, notes: self.notes }
    }

    fn unfit(self, unfit: Unfit) -> Value {
        self.notes.note(unfit);
        Value::Null
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i128<E>(self, value: i128) -> Result<Value, E> {
        Ok(self.unfit(Unfit::Number(format!("{value}, an integer of more than 64 bits"))))
    }

    fn visit_u128<E>(self, value: u128) -> Result<Value, E> {
        Ok(self.unfit(Unfit::Number(format!("{value}, an integer of more than 64 bits"))))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(match Number::from_f64(value) {
            Some(number) => Value::Number(number),
            None => self.unfit(Unfit::Number(value.to_string().to_lowercase())),
        })
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        let is_too_deep = self.depth >= DEPTH_MAX;
        while !is_too_deep && self.notes.has_room() {
            match seq.next_element_seed(self.below())? {
                Some(value) => values.push(value),
                None => return Ok(values.into()),
            }
        }
        if is_too_deep {
            self.notes.note(Unfit::Depth);
        }
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(values.into())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Value, A::Error> {
        let mut table = Map::new();
        // A datetime is no level, so the depth is judged behind the first key.
        let is_too_deep = self.depth >= DEPTH_MAX;
        while self.notes.has_room() {
            let Some(key) = map.next_key::<String>()? else {
                return Ok(table.into());
            };
            match key.as_str() {
                DATETIME if table.is_empty() => return map.next_value().map(Value::String),
                NUMBER if table.is_empty() => return number(&map.next_value::<String>()?),
                _ if is_too_deep => {
                    map.next_value::<IgnoredAny>()?;
                    break;
                }
                _ => self.entry(key, &mut table, &mut map)?,
            }
        }
        if is_too_deep {
            self.notes.note(Unfit::Depth);
        }
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(table.into())
    }
}

impl Node<'_> {
    /// Reads the value of a key.
    fn entry<'de, A: MapAccess<'de>>(
        &mut self,
        key: String,
        table: &mut Map<String, Value>,
        map: &mut A,
    ) -> Result<(), A::Error> {
        let was_fit = self.notes.first.is_none();
        let value = map.next_value_seed(self.below())?;
        if was_fit {
            if table.contains_key(&key) {
                self.notes.note(Unfit::Repeated);
            }
            self.notes.within(&key);
        }
        table.insert(key, value);
        Ok(())
    }
}

fn number<E: Error>(text: &str) -> Result<Value, E> {
    text.parse().map(Value::Number).map_err(E::custom)
}
