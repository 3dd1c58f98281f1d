//! Tokens and names that stores have stumbled over, for laws, fuzzing and rigs.

use magnetar_state::{
    Bson, Document, Timestamp,
    bson::{
        Binary, DateTime, Decimal128, JavaScriptCodeWithScope, Regex, Timestamp as BsonTimestamp, oid::ObjectId,
        spec::BinarySubtype,
    },
    doc, limits,
};

/// A token that says a number.
pub fn token(number: i64) -> Document {
    doc! { "_data": format!("8263{number:08x}"), "number": number }
}

/// A value of every type of BSON, but for the one that only a server can make.
pub fn every_type() -> Vec<Bson> {
    let decimal = Decimal128::from_bytes([0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x3c, 0x30]);
    let scope = doc! { "x": 1, "y": { "z": [1_i64, 2_i32, 3.0] } };
    vec![
        Bson::Double(1.5),
        Bson::String("text".into()),
        Bson::Array(vec![Bson::Int32(1), Bson::Int64(1), Bson::Double(1.0), Bson::Null]),
        Bson::Document(doc! { "a": { "b": { "c": [] } } }),
        Bson::Boolean(true),
        Bson::Boolean(false),
        Bson::Null,
        Bson::RegularExpression(Regex { pattern: "^a/\"b".into(), options: "imx".into() }),
        Bson::JavaScriptCode("function () { return \"x\"; }".into()),
        Bson::JavaScriptCodeWithScope(JavaScriptCodeWithScope { code: "x + y".into(), scope }),
        Bson::Int32(i32::MIN),
        Bson::Int32(i32::MAX),
        Bson::Int64(i64::MIN),
        Bson::Int64(i64::MAX),
        Bson::Int64(1),
        Bson::Timestamp(BsonTimestamp { time: u32::MAX, increment: 1 }),
        Bson::Binary(Binary { subtype: BinarySubtype::Generic, bytes: vec![0, 1, 254, 255] }),
        Bson::Binary(Binary { subtype: BinarySubtype::Uuid, bytes: (0..16).collect() }),
        Bson::Binary(Binary { subtype: BinarySubtype::Md5, bytes: Vec::new() }),
        Bson::Binary(Binary { subtype: BinarySubtype::UserDefined(0x80), bytes: vec![7] }),
        Bson::ObjectId(ObjectId::from_bytes([0xab; 12])),
        Bson::DateTime(DateTime::from_millis(1_767_225_600_123)),
        Bson::DateTime(DateTime::MIN),
        Bson::DateTime(DateTime::MAX),
        Bson::Symbol("symbol".into()),
        Bson::Decimal128(decimal),
        Bson::Undefined,
        Bson::MaxKey,
        Bson::MinKey,
    ]
}

/// Values that a text form may change: numbers at the edge, numbers written in more than one way, order of options.
pub fn edges() -> Vec<Bson> {
    let not_the_shortest = Decimal128::from_bytes([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x40, 0xb0]);
    let beyond_the_largest = Decimal128::from_bytes([0xff; 16]);
    vec![
        Bson::Double(-0.0),
        Bson::Double(f64::INFINITY),
        Bson::Double(f64::NEG_INFINITY),
        Bson::Double(f64::MIN_POSITIVE / 2.0),
        Bson::Double(f64::MAX),
        Bson::Double(0.1 + 0.2),
        Bson::Double(9_007_199_254_740_992.0),
        Bson::Decimal128(not_the_shortest),
        Bson::Decimal128(beyond_the_largest),
        Bson::DateTime(DateTime::from_millis(-1)),
        Bson::DateTime(DateTime::from_millis(253_402_300_800_000)),
        Bson::RegularExpression(Regex { pattern: String::new(), options: "xmi".into() }),
        Bson::Binary(Binary { subtype: BinarySubtype::BinaryOld, bytes: vec![1, 2, 3] }),
        Bson::String("\0\u{1}\u{7f}\u{2028}\u{feff}\"\\/\u{202e}".into()),
        Bson::String("e\u{301} \u{e9} \u{1f600}".into()),
    ]
}

/// Documents that look like the extended JSON of something else.
pub fn look_alikes() -> Vec<Document> {
    vec![
        doc! { "$oid": "abababababababababababab" },
        doc! { "id": { "$oid": "abababababababababababab" } },
        doc! { "id": { "$oid": "nothing of the kind" } },
        doc! { "$numberInt": "7" },
        doc! { "n": { "$numberLong": "7" } },
        doc! { "n": { "$numberDouble": "NaN" } },
        doc! { "at": { "$date": "2026-01-01T00:00:00Z" } },
        doc! { "at": { "$date": { "$numberLong": "0" } } },
        doc! { "at": { "$timestamp": { "t": 1, "i": 2 } } },
        doc! { "b": { "$binary": { "base64": "AAAA", "subType": "00" } } },
        doc! { "u": { "$uuid": "00010203-0405-0607-0809-0a0b0c0d0e0f" } },
        doc! { "k": { "$minKey": 1 } },
        doc! { "c": { "$code": "x", "$scope": {} } },
        doc! { "r": { "$regularExpression": { "pattern": "a", "options": "" } } },
        doc! { "$ref": "orders", "$id": 7 },
        doc! { "$unknown": { "": "" } },
    ]
}

/// A document of this many levels.
pub fn deep(levels: usize) -> Document {
    (1..levels).fold(doc! {}, |inner, _| doc! { "a": inner })
}

/// A document of exactly this many bytes, at least 20, as BSON.
pub fn large(bytes: usize) -> Document {
    doc! { "data": "x".repeat(bytes - 16) }
}

/// Names that must stay apart, and be given back as they were.
pub fn names() -> Vec<String> {
    let longest = limits::NAME_BYTES_MAX;
    let mut names: Vec<String> = [
        "../../etc/passwd",
        "/etc/passwd",
        "..",
        ".",
        "a/b",
        "a_b",
        "a b",
        "a\\b",
        "a:b",
        "a:b:c",
        "a",
        "A",
        "orders",
        "Orders",
        "ORDERS",
        "CON",
        "con",
        "nul",
        "COM1",
        "aux.json",
        "k-a",
        "k-A",
        "h-a",
        "%2e",
        "%",
        "%%",
        "-",
        "--",
        "~",
        "$HOME",
        ".lock",
        ".tmp",
        "a.json",
        "a.prev",
        "lock",
        "locks",
        "state",
        " ",
        " a",
        "a ",
        "a.",
        "\n",
        "a\nb",
        "\t",
        "\u{7f}",
        "\u{1b}[31m",
        "é",
        "e\u{301}",
        "\u{1f600}",
        "\u{1f468}\u{200d}\u{1f469}",
        "ß",
        "ẞ",
        "ſ",
        "K",
        "\u{212a}",
        "İ",
        "ı",
        "\u{202e}cba",
        "\u{feff}a",
        "{a}",
        "a}{b",
        "*",
        "?",
        "[a]",
        "'; DROP TABLE records; --",
        "\"",
        "'",
        "*?<>|",
        "\u{10ffff}",
    ]
    .map(str::to_owned)
    .to_vec();
    names.push("x".repeat(longest));
    names.push(format!("{}y", "x".repeat(longest - 1)));
    names.push(format!("{}\u{1f600}", "X".repeat(longest - 4)));
    // Where a name turns into a hash because its escaped form is long.
    names.extend([99, 100, 101, 200, 255, 256].map(|length| "n".repeat(length)));
    names
}

/// The instant that a manual clock begins with.
pub const BEGINNING: Timestamp = Timestamp::from_millis(1_767_225_600_000);
