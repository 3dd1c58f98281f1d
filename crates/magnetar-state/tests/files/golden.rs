//! Files of format 1, as the first version wrote them: every version reads them, and this one writes them so.

use std::{fs, path::PathBuf, time::Duration};

use magnetar_state::{Epoch, Expect, Files, Guard, Loaded, Timestamp, Version, WriteId, bson, doc};
use magnetar_testkit::{SimFolder, state::samples};

use super::open_in;

/// A file, and what was done for it.
type Made = (&'static str, fn(&Files));

const FILES: [Made; 5] = [
    ("k-shop%2eorders.json", |files| {
        let guard = Guard::epoch(Epoch::new(3)).write_id(WriteId::new(0x0123_4567_89ab_cdef));
        let token = doc! { "_data": "8263A1", "at": bson::Timestamp { time: 1, increment: 2 } };
        files.save("shop.orders", token, guard, Some(Duration::from_hours(24))).unwrap();
    }),
    ("k-every.json", |files| {
        files.save("every", doc! { "types": samples::every_type() }, Guard::default(), None).unwrap();
    }),
    ("k-alike.json", |files| {
        files.save("alike", doc! { "$oid": "abababababababababababab" }, Guard::default(), None).unwrap();
    }),
    ("k-cleared.json", |files| {
        files.save("cleared", doc! {}, Guard::epoch(Epoch::new(u64::MAX)), None).unwrap();
        let guard = Guard::epoch(Epoch::new(u64::MAX)).expect(Expect::Version(Version::new(1)));
        files.clear("cleared", guard).unwrap();
    }),
    ("k-work.lock.json", |files| {
        files.acquire("work", Duration::from_secs(30)).unwrap();
    }),
];

fn golden(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

#[test]
fn files_are_written_as_ever() {
    let folder = SimFolder::new();
    let files = open_in(&folder);
    for (name, make) in FILES {
        make(&files);
        let written = String::from_utf8(folder.bytes_of(name).unwrap()).unwrap();
        if std::env::var_os("MAGNETAR_WRITE_GOLDEN").is_some() {
            fs::write(golden(name), &written).unwrap();
        }
        assert_eq!(written, fs::read_to_string(golden(name)).unwrap(), "{name}");
    }
}

#[test]
fn files_of_the_first_format_are_read() {
    let folder = SimFolder::new();
    for (name, _) in FILES {
        folder.put(name, fs::read(golden(name)).unwrap());
    }
    let files = open_in(&folder);
    let found = |collection: &str| match files.load(collection).unwrap() {
        Loaded::Found(entry) => entry,
        other => panic!("{other:?}"),
    };
    let orders = found("shop.orders");
    assert_eq!((orders.version, orders.epoch, orders.saved_at), (Version::new(1), Epoch::new(3), samples::BEGINNING));
    assert_eq!(orders.expires_at, Some(Timestamp::from_millis(1_767_312_000_000)));
    assert_eq!(orders.token, doc! { "_data": "8263A1", "at": bson::Timestamp { time: 1, increment: 2 } });
    assert_eq!(found("every").token, doc! { "types": samples::every_type() });
    assert_eq!(found("alike").token, doc! { "$oid": "abababababababababababab" });
    assert_eq!(files.load("cleared").unwrap(), Loaded::Absent);
    assert_eq!(files.clear("cleared", Guard::epoch(Epoch::new(u64::MAX))).unwrap().version, Version::new(2));
    assert_eq!(files.holder("work").unwrap(), Some(Epoch::new(1)));
}
