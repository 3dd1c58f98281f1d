//! Damaged files: an error, and never another token.

use std::{
    error::Error,
    fs::{self, File},
    time::Duration,
};

use magnetar_state::{Expect, Guard, Loaded, StateError};
use magnetar_testkit::{SimFolder, state::samples::token};

use super::{Place, open_in, save, save_all};

const TOKEN: &str = "k-orders.json";
const LOCK: &str = "k-work.lock.json";

/// A folder with one file of each kind.
fn given() -> SimFolder {
    let folder = SimFolder::new();
    let files = open_in(&folder);
    save_all(&files, "orders");
    files.acquire("work", Duration::from_hours(1)).unwrap();
    folder
}

#[test]
fn every_flipped_bit_is_found_or_harmless() {
    let folder = given();
    let files = open_in(&folder);
    let sound = (files.load("orders").unwrap(), files.holder("work").unwrap());
    let (mut flips, mut found) = (0, 0);
    for name in [TOKEN, LOCK] {
        let whole = folder.bytes_of(name).unwrap();
        for bit in 0..whole.len() * 8 {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            folder.put(name, bytes);
            flips += 1;
            for outcome in
                [files.load("orders").map(|loaded| loaded == sound.0), files.holder("work").map(|epoch| epoch == sound.1)]
            {
                match outcome {
                    Ok(is_sound) => assert!(is_sound, "bit {bit} of {name} gives other data"),
                    Err(StateError::Corrupt { .. } | StateError::Newer { .. }) => found += 1,
                    Err(error) => panic!("bit {bit} of {name}: {error}"),
                }
            }
        }
        folder.put(name, whole);
    }
    // Next to none is harmless: what indents the lines is checked as well by being JSON.
    assert!(flips > 3000 && found * 100 >= flips * 99, "{found} of {flips}");
}

#[test]
fn file_that_was_cut_off_or_goes_on_is_damage() {
    let folder = given();
    let files = open_in(&folder);
    let whole = folder.bytes_of(TOKEN).unwrap();
    // Without the last end of line it is still all there.
    for length in 0..whole.len() - 1 {
        folder.put(TOKEN, &whole[..length]);
        assert!(files.load("orders").unwrap_err().is_corrupt(), "{length}");
    }
    for more in ["\0", "x", "{}"] {
        folder.put(TOKEN, [&whole, more.as_bytes()].concat());
        assert!(files.load("orders").unwrap_err().is_corrupt(), "{more:?}");
    }
}

#[test]
fn damaged_file_is_not_written_over_because_nobody_knows_what_it_fences() {
    let folder = given();
    let files = open_in(&folder);
    folder.put(TOKEN, "rot");
    folder.put(LOCK, "rot");
    for guard in [Guard::default(), Guard::default().expect(Expect::Absent), Guard::epoch(magnetar_state::Epoch::new(9))] {
        assert!(files.save("orders", token(1), guard, None).unwrap_err().is_corrupt());
        assert!(files.clear("orders", guard).unwrap_err().is_corrupt());
    }
    assert!(files.acquire("work", Duration::from_secs(1)).unwrap_err().is_corrupt());
    assert_eq!(folder.bytes_of(TOKEN).unwrap(), b"rot");
    save(&files, "others", 1);
}

#[test]
fn damaged_file_is_told_with_its_place_and_keeps_nobody_from_the_others() {
    let folder = given();
    let files = open_in(&folder);
    for number in 0..5 {
        save(&files, &format!("c{number}"), number);
    }
    folder.put("k-c2.json", "rot");
    let page = files.list(None, 100).unwrap();
    assert_eq!((page.entries.len(), page.damaged.len()), (5, 1));
    assert!(page.damaged[0].is_corrupt() && page.damaged[0].to_string().contains("k-c2.json"), "{}", page.damaged[0]);
    let mut after = None;
    let (mut entries, mut damaged) = (0, 0);
    loop {
        let page = files.list(after.as_deref(), 1).unwrap();
        (entries, damaged) = (entries + page.entries.len(), damaged + page.damaged.len());
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!((entries, damaged), (5, 1));
}

#[test]
fn damaged_file_is_set_aside_when_asked_and_a_sound_one_is_not() {
    let folder = given();
    let files = open_in(&folder);
    assert_eq!(files.set_aside("orders").unwrap(), None);
    assert_eq!(files.set_aside("nothing").unwrap(), None);
    for number in 1..=3 {
        folder.put(TOKEN, format!("rot {number}"));
        let aside = files.set_aside("orders").unwrap().unwrap();
        assert!(aside.ends_with(format!("{TOKEN}.damaged-{number}")), "{aside:?}");
        assert_eq!(files.load("orders").unwrap(), Loaded::Absent);
        assert_eq!(files.save("orders", token(1), Guard::default(), None).unwrap().version.get(), 1);
    }
    assert_eq!(folder.bytes_of("k-orders.json.damaged-2").unwrap(), b"rot 2");
    assert_eq!(files.list(None, 10).unwrap().entries.len(), 1);
}

#[test]
fn file_under_the_name_of_another_is_damage() {
    let folder = given();
    let files = open_in(&folder);
    let (token_bytes, lock_bytes) = (folder.bytes_of(TOKEN).unwrap(), folder.bytes_of(LOCK).unwrap());
    let long = "n".repeat(300);
    save(&files, &long, 1);
    let hashed = folder.names().into_iter().find(|name| name.starts_with("h-")).unwrap();
    for (name, bytes, collection) in
        [("k-other.json", &token_bytes, "other"), (&*hashed, &token_bytes, &*long), ("k-orders.json", &lock_bytes, "orders")]
    {
        folder.put(name, bytes.clone());
        assert!(files.load(collection).unwrap_err().is_corrupt(), "{name}");
    }
    folder.put("k-other.lock.json", lock_bytes);
    assert!(files.holder("other").unwrap_err().is_corrupt());
    assert_eq!(files.list(None, 10).unwrap().damaged.len(), 3);
}

#[test]
fn file_that_is_far_too_large_is_not_read() {
    let place = Place::new();
    let files = place.open();
    File::create(place.file("k-orders.json")).unwrap().set_len(1 << 40).unwrap();
    let error = files.load("orders").unwrap_err();
    assert!(error.is_corrupt(), "{error}");
}

#[test]
fn older_token_is_never_shown_instead() {
    let place = Place::new();
    let files = place.open();
    save(&files, "orders", 1);
    save(&files, "orders", 2);
    fs::write(place.file("k-orders.json"), "rot").unwrap();
    assert!(files.load("orders").unwrap_err().is_corrupt());
    drop(files);
    assert!(place.open().load("orders").unwrap_err().is_corrupt());
}

#[test]
fn no_error_shows_what_is_in_a_token() {
    const CANARY: &str = "canary-5eed";
    let folder = SimFolder::new();
    let files = open_in(&folder);
    files.save("orders", magnetar_state::doc! { "_data": CANARY, "in": [CANARY] }, Guard::default(), None).unwrap();
    let whole = folder.bytes_of(TOKEN).unwrap();
    assert!(String::from_utf8_lossy(&whole).contains(CANARY));
    let mut errors = vec![files.save("orders", token(1), Guard::default().expect(Expect::Absent), None).unwrap_err()];
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        folder.put(TOKEN, bytes);
        errors.extend(files.load("orders").err());
    }
    assert!(errors.len() > whole.len() / 2);
    for error in errors {
        let mut cause: Option<&dyn Error> = Some(&error);
        while let Some(next) = cause {
            let shown = format!("{next} {next:?}");
            assert!(!shown.contains("canary"), "{shown}");
            cause = next.source();
        }
    }
}
