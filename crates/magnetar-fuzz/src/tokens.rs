//! Resume tokens: whatever stands in a folder, it is loaded as it is, or refused with an error that says why, and never panics. And any token that
//! is not refused comes back as it was.
//!
//! The first byte of an input says what the rest is: the file of a token, the file of a lock, the BSON of a token, or a token as extended JSON.

use std::{sync::Arc, time::Duration};

use magnetar_state::{
    Bson, Document, Epoch, Expect, FileOptions, Files, Guard, Loaded, StateError, Version, bson, bytes as token_bytes, check,
};
use magnetar_testkit::{ManualClock, SimFolder};

use crate::cut;

const COLLECTION: &str = "shop.orders";
const LOCK: &str = "work";

/// Reads an input, and saves what was read.
pub fn run(bytes: &[u8]) {
    let Some((kind, rest)) = cut(bytes).split_first() else { return };
    match kind % 4 {
        0 => token_file(rest),
        1 => lock_file(rest),
        2 => token_bytes::token(rest).into_iter().for_each(token),
        _ => extended_json(rest).into_iter().for_each(token),
    }
}

fn open(folder: &SimFolder) -> Files {
    let options = FileOptions::new("simulated").clock(Arc::new(ManualClock::default()));
    options.open_in(Arc::new(folder.clone())).expect("memory that works")
}

fn token_file(bytes: &[u8]) {
    let folder = SimFolder::new();
    folder.put("k-shop%2eorders.json", bytes);
    let files = open(&folder);
    let page = files.list(None, 10).expect("memory that works");
    let loaded = match files.load(COLLECTION) {
        Ok(loaded) => loaded,
        Err(error) => {
            assert_eq!(page.damaged.len(), 1, "what cannot be loaded is listed as damaged");
            assert!(files.save(COLLECTION, Document::new(), Guard::epoch(Epoch::new(u64::MAX)), None).is_err());
            return is_about_the_file(&error);
        }
    };
    assert_eq!(page.entries.iter().map(|listed| &listed.loaded).eq([&loaded]), loaded != Loaded::Absent);
    let Loaded::Found(entry) = loaded else { return };
    check::measure(&entry.token).expect("what was read can be saved");
    let guard = Guard::epoch(entry.epoch).expect(Expect::Version(entry.version));
    match files.save(COLLECTION, entry.token.clone(), guard, None) {
        Ok(saved) => assert_eq!(saved.version, Version::new(entry.version.get() + 1)),
        Err(error) => assert!(matches!(error, StateError::Exhausted { .. }), "what was read can be saved: {error}"),
    }
    token(entry.token);
}

fn lock_file(bytes: &[u8]) {
    let folder = SimFolder::new();
    folder.put("k-work.lock.json", bytes);
    let files = open(&folder);
    match files.holder(LOCK) {
        Err(error) => is_about_the_file(&error),
        Ok(Some(_)) => assert!(matches!(files.acquire(LOCK, Duration::from_secs(1)), Err(StateError::Locked { .. }))),
        Ok(None) => match files.acquire(LOCK, Duration::from_secs(1)) {
            Ok(lock) => assert_eq!(files.holder(LOCK).expect("it is there"), Some(lock.epoch())),
            Err(error) => assert!(matches!(error, StateError::Exhausted { .. }), "a lock that is free can be taken: {error}"),
        },
    }
}

fn is_about_the_file(error: &StateError) {
    assert!(matches!(error, StateError::Corrupt { .. } | StateError::Newer { .. }), "memory that works: {error}");
}

fn extended_json(bytes: &[u8]) -> Option<Document> {
    match Bson::try_from(serde_json::from_slice::<serde_json::Value>(bytes).ok()?).ok()? {
        Bson::Document(token) => Some(token),
        other => Some(bson::doc! { "value": other }),
    }
}

/// Whatever is measured as fit is saved, and loaded as the very same bytes.
fn token(token: Document) {
    let Ok(size) = check::measure(&token) else { return };
    let sealed = token_bytes::of_token(&token).expect("what is fit is BSON");
    assert!(size.abs_diff(sealed.len()) <= 4 * sealed.len(), "measured as {size}, and is {}", sealed.len());
    let files = open(&SimFolder::new());
    files.save(COLLECTION, token, Guard::default(), None).expect("what is fit is saved");
    let Loaded::Found(entry) = files.load(COLLECTION).expect("what was saved is loaded") else { panic!("it was saved") };
    assert_eq!(token_bytes::of_token(&entry.token).expect("it was before"), sealed, "another token came back");
}
