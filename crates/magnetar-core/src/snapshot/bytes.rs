//! Bytes as people can read them: text where they are UTF-8, else hexadecimal digits, and so named.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Shown<'b> {
    Text(Cow<'b, str>),
    Hex { hex: Cow<'b, str> },
}

impl<'b> Shown<'b> {
    fn of(bytes: &'b [u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::Text(text.into()),
            Err(_) => Self::Hex { hex: hex::encode(bytes).into() },
        }
    }

    fn bytes<E: Error>(self) -> Result<Vec<u8>, E> {
        match self {
            Self::Text(text) => Ok(text.into_owned().into_bytes()),
            Self::Hex { hex } => {
                hex::decode(&*hex).map_err(|cause| E::custom(format_args!("bytes in hexadecimal digits: {cause}")))
            }
        }
    }
}

pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    Shown::of(bytes).serialize(serializer)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    Shown::deserialize(deserializer)?.bytes()
}

/// The same for what may be absent.
pub(super) mod optional {
    use super::{Deserialize, Deserializer, Serialize, Serializer, Shown};

    #[expect(clippy::ref_option, reason = "serde hands it so")]
    pub(in crate::snapshot) fn serialize<S: Serializer>(bytes: &Option<Vec<u8>>, serializer: S) -> Result<S::Ok, S::Error> {
        bytes.as_deref().map(Shown::of).serialize(serializer)
    }

    pub(in crate::snapshot) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<u8>>, D::Error> {
        Option::<Shown<'_>>::deserialize(deserializer)?.map(Shown::bytes).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Sample {
        #[serde(with = "super")]
        bytes: Vec<u8>,
        #[serde(default, with = "super::optional")]
        maybe: Option<Vec<u8>>,
    }

    #[track_caller]
    fn check(bytes: &[u8], maybe: Option<&[u8]>, json: &str) {
        let sample = Sample { bytes: bytes.to_vec(), maybe: maybe.map(<[u8]>::to_vec) };
        assert_eq!(serde_json::to_string(&sample).unwrap(), json);
        assert_eq!(serde_json::from_str::<Sample>(json).unwrap(), sample);
    }

    #[test]
    fn bytes_come_back_as_they_were() {
        check(b"", None, r#"{"bytes":"","maybe":null}"#);
        check("a\u{0}\u{fc}\"".as_bytes(), Some(b""), r#"{"bytes":"a\u0000ü\"","maybe":""}"#);
        check(&[0xff, 0x00], Some(&[0xc3]), r#"{"bytes":{"hex":"ff00"},"maybe":{"hex":"c3"}}"#);
    }

    #[test]
    fn digits_that_are_none_are_refused() {
        for json in [r#"{"bytes":{"hex":"f"}}"#, r#"{"bytes":{"hex":"zz"}}"#, r#"{"bytes":[1]}"#] {
            assert!(serde_json::from_str::<Sample>(json).is_err(), "{json}");
        }
    }
}
