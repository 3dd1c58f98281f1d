use bson::doc;

use super::*;

fn slot(token: Document) -> Slot {
    Slot {
        epoch: Epoch::new(3),
        version: Version::new(12),
        write_id: Some(WriteId::new(7)),
        held: Held::Token {
            token,
            saved_at: Timestamp::from_millis(1_767_225_600_000),
            expires_at: Some(Timestamp::from_millis(1_767_312_000_000)),
        },
    }
}

fn text(slot: &Slot) -> String {
    String::from_utf8(encode_slot("shop.orders", slot).unwrap()).unwrap()
}

#[test]
fn token_of_a_change_stream_is_readable() {
    assert!(text(&slot(doc! { "_data": "8263", "n": 7_i64 })).contains(
        r#"  "token": {
    "_data": "8263",
    "n": {
      "$numberLong": "7"
    }
  }"#
    ));
}

#[test]
fn what_extended_json_would_change_is_kept_as_bson() {
    for token in [doc! { "$oid": "abababababababababababab" }, doc! { "n": { "$numberInt": "7" } }] {
        let text = text(&slot(token.clone()));
        assert!(text.contains("token_bson") && !text.contains("\"token\""), "{text}");
        assert_eq!(decode_slot("there", text.as_bytes()).unwrap().1, slot(token));
    }
}

#[test]
fn every_field_is_part_of_the_hash() {
    let whole = text(&slot(doc! { "_data": "8263" }));
    for (from, to) in [
        ("shop.orders", "shop.other"),
        ("\"epoch\": 3", "\"epoch\": 4"),
        ("\"version\": 12", "\"version\": 13"),
        ("0000007\"", "0000008\""),
        ("1767225600000", "1767225600001"),
        ("1767312000000", "1767312000001"),
        ("expires_at_ms\": 1767312000000", "expires_at_ms\": null"),
        ("8263", "8264"),
    ] {
        let changed = whole.replace(from, to);
        assert_ne!(changed, whole, "{from}");
        let error = decode_slot("there", changed.as_bytes()).unwrap_err();
        assert!(error.is_corrupt() && error.to_string().contains("SHA-256"), "{from}: {error}");
    }
}

#[test]
fn field_that_is_not_known_is_damage() {
    let changed = text(&slot(doc! {})).replacen("\"epoch\"", "\"more\": 1,\n\"epoch\"", 1);
    assert!(decode_slot("there", changed.as_bytes()).unwrap_err().is_corrupt());
}

#[test]
fn newer_format_is_no_damage() {
    let newer = text(&slot(doc! {})).replace("\"format\": 1", "\"format\": 2");
    assert!(matches!(decode_slot("there", newer.as_bytes()), Err(StateError::Newer { format: 2, .. })));
    let unknown = r#"{"magnetar": "state token", "format": 7, "all": "else"}"#;
    assert!(matches!(decode_slot("there", unknown.as_bytes()), Err(StateError::Newer { format: 7, .. })));
}

#[test]
fn token_and_lock_are_not_taken_for_each_other() {
    let lock = encode_lock("shop.orders", &LockSlot { epoch: Epoch::new(1), until: None }).unwrap();
    assert!(decode_slot("there", &lock).unwrap_err().is_corrupt());
    assert!(decode_lock("there", text(&slot(doc! {})).as_bytes()).unwrap_err().is_corrupt());
}

#[test]
fn token_that_is_too_deep_for_its_reader_is_damage() {
    // 8 bytes a level, 20,000 levels: signed as if it were sound.
    let mut bytes = vec![5, 0, 0, 0, 0];
    for _ in 0..20_000 {
        let length = i32::try_from(bytes.len() + 8).unwrap();
        bytes = [&length.to_le_bytes()[..], &[3, b'a', 0], &bytes, &[0]].concat();
    }
    let mut file: TokenFile = serde_json::from_str(&text(&slot(doc! {}))).unwrap();
    (file.token, file.token_bson) = (None, Some(crate::base64::encode(&bytes)));
    file.sha256 = hash::of_token(&file, &bytes);
    let error = decode_slot("there", &envelope::write(&file).unwrap()).unwrap_err();
    assert!(error.is_corrupt() && error.to_string().contains("too deep"), "{error}");
}

#[test]
fn largest_token_has_room() {
    let controls = "\u{1}".repeat(crate::limits::TOKEN_BYTES_MAX - 100);
    for token in [doc! { "a": controls }, doc! { "all": vec![bson::Bson::MinKey; 20_000] }] {
        let bytes = encode_slot(&"\u{1}".repeat(crate::limits::NAME_BYTES_MAX), &slot(token)).unwrap();
        assert!(bytes.len() <= BYTES_MAX * 9 / 10, "{}", bytes.len());
    }
}
