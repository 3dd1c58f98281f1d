//! Names of keys: any text is a safe file name of its own, or refused, and comes back.

use magnetar_fs::name::{KEY_BYTES_MAX, NAME_BYTES_MAX, Named, of_key, parse};

use crate::cut;

/// Takes the two halves of an input, at its first NUL, as two keys, and as two names.
pub fn run(bytes: &[u8]) {
    let text = String::from_utf8_lossy(cut(bytes));
    let (one, other) = text.split_once('\0').unwrap_or((&text, ""));
    let named = of_key(one);
    assert_eq!(named.is_ok(), !one.is_empty() && one.len() <= KEY_BYTES_MAX, "{one:?}");
    if let Ok(name) = named {
        assert!(name.len() <= NAME_BYTES_MAX + 2 && name.bytes().all(is_safe) && name.as_bytes().get(1) == Some(&b'-'), "{name}");
        match parse(&name) {
            Some(Named::Key(key)) => assert_eq!(key, one),
            named => assert_eq!(named, Some(Named::Hashed), "{name}"),
        }
        assert_eq!(of_key(other).is_ok_and(|of_other| of_other == name), one == other, "{one:?} and {other:?}");
    }
    // Whatever is taken for a name of ours is one: a foreign file is never read.
    for file in [one, other] {
        if let Some(Named::Key(key)) = parse(file) {
            assert_eq!(of_key(&key).as_deref(), Ok(file));
        }
    }
}

fn is_safe(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'%')
}
