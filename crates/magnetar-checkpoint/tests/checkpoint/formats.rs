//! Files: damaged in every bit, made by others, and of all released versions.

use std::{fs, sync::Arc};

use futures_lite::future::block_on;
use magnetar_checkpoint::{Checkpoint, CheckpointError, CheckpointManager, Options, Recovery};
use magnetar_core::JobStatus;
use magnetar_testkit::folder::SimFolder;

use crate::{
    jobs::empty_store,
    support::{Place, envelope, numbered, save},
};

/// A checkpoint of format version 1, as it was released. It must be read for ever.
const GOLDEN: &str = include_str!("golden/checkpoint_v1.json");
/// Another, which holds a store of jobs.
const GOLDEN_JOBS: &str = include_str!("golden/checkpoint_v1_jobs.json");

fn on(folder: &SimFolder) -> CheckpointManager {
    CheckpointManager::on_folder(Arc::new(folder.clone()), Options::new(3))
}

fn with_file(sequence: u64, text: &str) -> CheckpointManager {
    let folder = SimFolder::new();
    folder.put(&format!("checkpoint_{sequence}.json"), text);
    on(&folder)
}

#[test]
fn golden_file_of_version_1_is_read() {
    let found = with_file(42, GOLDEN).load_latest().unwrap().unwrap();
    let mut expected = Checkpoint::new(42)
        .with_queued(vec!["encode-1".to_owned(), "a \"quoted\" \\ job\n\u{1F680}".to_owned()])
        .with_in_progress(vec!["encode-0".to_owned()])
        .with_workers([("worker-a".to_owned(), "encode-0".to_owned()), ("worker-b".to_owned(), String::new())].into())
        .with_meta("engine", "1.0")
        .with_meta("node", "n1");
    expected.timestamp_secs = 1_767_225_600;
    assert_eq!(found, expected);
}

#[test]
fn golden_file_of_version_1_with_jobs_is_restored() {
    let manager = with_file(43, GOLDEN_JOBS);
    let store = empty_store();
    block_on(async {
        manager.restore_into(&*store).await.unwrap();
        let chunk = |id| {
            let store = &store;
            async move { store.get_chunk(7, id).await.unwrap().unwrap() }
        };
        let job = store.job(7).await.unwrap().unwrap();
        assert_eq!(job.name.as_deref(), Some("encode"));
        let (first, second, third) = (chunk(1).await, chunk(2).await, chunk(3).await);
        assert_eq!((first.status, &first.checksum[..], first.result.as_deref()), (JobStatus::Done, "abc123", Some(&b"ok"[..])));
        assert_eq!((&second.payload[..], &second.lane[..], second.priority), (&b"crf=20"[..], "gpu", 3));
        assert_eq!(store.get_dependencies(7, 2).await.unwrap(), [1]);
        assert_eq!(third.payload[..], [0xff, 0]);
        let record = store.get_record("tokens", b"orders").await.unwrap().unwrap();
        assert_eq!(record.value, b"{\"at\":1}");
    });
}

#[test]
fn every_bit_that_is_flipped_is_found() {
    let folder = SimFolder::new();
    let manager = on(&folder);
    save(&manager, 1..=2);
    let (whole, older) = (folder.bytes_of("checkpoint_2.json").unwrap(), manager.load_by_sequence(1).unwrap());
    let mut newer = 0;
    for bit in 0..whole.len() * 8 {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        folder.put("checkpoint_2.json", bytes);
        match manager.load_latest() {
            Ok(found) => assert_eq!(found.as_ref(), Some(&older), "bit {bit}"),
            // The version itself has become a larger one.
            Err(CheckpointError::Newer { .. }) => newer += 1,
            Err(error) => panic!("bit {bit}: {error}"),
        }
    }
    assert_eq!(newer, 3);
}

#[test]
fn every_bit_of_the_head_that_is_flipped_is_found() {
    let folder = SimFolder::new();
    save(&on(&folder), 1..=2);
    let whole = folder.bytes_of(".magnetar-head.json").unwrap();
    for bit in 0..whole.len() * 8 {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        folder.put(".magnetar-head.json", bytes);
        match on(&folder).load_latest() {
            Ok(found) => assert_eq!(found.unwrap().sequence, 2, "bit {bit}"),
            Err(CheckpointError::Newer { .. }) => {}
            Err(error) => panic!("bit {bit}: {error}"),
        }
    }
}

#[test]
fn every_bit_of_an_envelope_that_is_flipped_is_found() {
    let whole = envelope(5).into_bytes();
    let expected = with_file(5, &envelope(5)).load_latest().unwrap().unwrap();
    let folder = SimFolder::new();
    let manager = on(&folder);
    for bit in 0..whole.len() * 8 {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        folder.put("checkpoint_5.json", bytes);
        match manager.load_latest() {
            Ok(None) => {}
            // A blank that became another kind of blank.
            Ok(Some(found)) => assert_eq!(found, expected, "bit {bit}"),
            Err(error) => panic!("bit {bit}: {error}"),
        }
    }
}

#[test]
fn file_cut_off_anywhere_or_with_more_behind_it_is_found() {
    let folder = SimFolder::new();
    let manager = on(&folder);
    save(&manager, 1..=1);
    let whole = folder.bytes_of("checkpoint_1.json").unwrap();
    for len in 0..whole.len() {
        folder.put("checkpoint_1.json", &whole[..len]);
        assert!(matches!(manager.recover(), Err(CheckpointError::AllCorrupt { .. })), "{len}");
    }
    folder.put("checkpoint_1.json", [&whole[..], b"\n"].concat());
    assert!(matches!(manager.recover(), Err(CheckpointError::AllCorrupt { .. })));
    folder.put("checkpoint_1.json", whole);
    assert!(matches!(manager.recover(), Ok(Recovery::Recovered(_))));
}

#[test]
fn hostile_files_are_damage_and_cost_no_memory() {
    let deep = format!("{{\"hash\":{}", "[".repeat(1_000_000));
    let counts = GOLDEN.replace("\"queued_jobs\":2", "\"queued_jobs\":9223372036854775807");
    let sums =
        GOLDEN.replace("\"queued_jobs\":2,\"in_progress_jobs\":1", "\"queued_jobs\":18446744073709551615,\"in_progress_jobs\":1");
    let deeper = format!("{{\"format\":\"magnetar-checkpoint\",{}", "{\"a\":".repeat(1_000_000));
    let hostile = [
        "",
        "{",
        "{}",
        "[]",
        "null",
        "\u{0}",
        "{\"hash\":1}",
        "{\"hash\":\"\",\"payload\":\"\"}",
        &deep,
        &deeper,
        &counts,
        &sums,
    ];
    for text in hostile {
        let manager = with_file(42, text);
        let peak = allocation_counter::measure(|| {
            let outcome = manager.recover();
            assert!(matches!(outcome, Err(CheckpointError::AllCorrupt { .. })), "{outcome:?}");
        });
        assert!(peak.bytes_max < 4 * text.len() as u64 + 1_000_000, "{} bytes for {}", peak.bytes_max, text.len());
    }
}

#[test]
fn newer_version_is_told_however_the_file_is_laid_out() {
    let first = GOLDEN.replacen("\"version\":1", "\"version\":2", 1);
    let json: serde_json::Value = serde_json::from_str(&first).unwrap();
    let (sorted, pretty) = (json.to_string(), serde_json::to_string_pretty(&json).unwrap());
    for text in [&first, &sorted, &pretty] {
        let error = with_file(42, text).load_latest().unwrap_err();
        assert!(matches!(error, CheckpointError::Newer { version: 2, .. }), "{error}");
    }
}

#[test]
fn file_on_disk_and_in_memory_are_the_same() {
    let (place, folder) = (Place::new(), SimFolder::new());
    let mut checkpoint = numbered(1);
    checkpoint.timestamp_secs = 1;
    place.manager(1).save_checkpoint(checkpoint.clone()).unwrap();
    on(&folder).save_checkpoint(checkpoint).unwrap();
    let parts = |text: &[u8]| String::from_utf8_lossy(text).lines().skip(1).take(5).map(ToOwned::to_owned).collect::<Vec<_>>();
    assert_eq!(parts(&fs::read(place.file(1)).unwrap()), parts(&folder.bytes_of("checkpoint_1.json").unwrap()));
}

#[test]
fn file_that_would_be_too_large_is_not_written() {
    let place = Place::new();
    let manager = place.open(Options::new(2).file_bytes_max(5000));
    save(&manager, 1..=1);
    let large = numbered(2).with_queued(vec!["x".repeat(5000)]);
    assert!(matches!(manager.save_checkpoint(large), Err(CheckpointError::TooLarge { max: 5000, .. })));
    assert_eq!(manager.save_checkpoint(numbered(2)).unwrap(), 2);
    assert_eq!(place.names(), ["checkpoint_1.json", "checkpoint_2.json"]);
}

#[test]
fn with_a_key_nothing_counts_that_is_not_signed_with_it() {
    let place = Place::new();
    save(&place.manager(3), 1..=1);
    for key in [&b"key"[..], b"another"] {
        let manager = place.open(Options::new(3).key(key));
        assert!(matches!(manager.recover(), Err(CheckpointError::AllCorrupt { .. })));
        let sequence = manager.save_checkpoint(numbered(2)).unwrap();
        assert_eq!(manager.load_latest().unwrap().unwrap().sequence, sequence);
    }
    let (legacy, signed) = (Place::new(), Options::new(3).key(b"key"));
    legacy.plant("checkpoint_5.json", &envelope(5));
    assert!(matches!(legacy.open(signed).recover(), Err(CheckpointError::AllCorrupt { .. })));
}
