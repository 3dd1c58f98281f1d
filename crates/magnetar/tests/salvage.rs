//! Pages of a store are overwritten with garbage: a salvage puts the rest into a sound store, or says why it cannot.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    path::{Path, PathBuf},
};

use futures_lite::future::block_on;
use magnetar::{Filter, JobRef, JobSpec, JobState, JobStatus, JobStore, Lane, Location, NewChunk, Salvaged};

const JOB: i64 = 7;
const CHUNKS: u64 = 600;
const PAGE_BYTES: usize = 4096;
/// How many pages of each store are spoilt, one at a time.
const PAGES: u64 = 40;

/// A store with chunks of every kind, and everything in it.
fn lived_in(file: &Path) -> Vec<JobState> {
    block_on(async {
        let store = Location::of_file(file).unwrap().open().await.unwrap();
        let chunks = (1..=CHUNKS).map(|id| {
            let mut chunk = NewChunk::new(id);
            chunk.payload = id.to_le_bytes().repeat(40);
            chunk.depends_on = if id > 500 { vec![id - 500] } else { Vec::new() };
            chunk
        });
        store.ensure_job(JobRef::Id(JOB), JobSpec::default()).await.unwrap();
        store.insert(JOB, chunks.collect()).await.unwrap();
        for chunk in store.claim(vec![Lane::of(JOB)], 200).await.unwrap() {
            store.complete(&chunk.fence().unwrap(), b"result".to_vec()).await.unwrap();
        }
        let all = everything(&*store).await;
        store.close().await.unwrap();
        all
    })
}

async fn everything(store: &dyn JobStore) -> Vec<JobState> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = store.chunks(JOB, Filter::All, after, 500).await.unwrap();
        all.extend(page.items);
        after = page.next;
        if after.is_none() {
            return all;
        }
    }
}

/// Whether a chunk is as it was, but for what its parent's loss means to it.
fn is_same(was: &JobState, is: &JobState) -> bool {
    let counted = |state: &JobState| {
        let mut state = state.clone();
        (state.unmet, state.bad, state.status, state.ended_at) = (0, 0, JobStatus::Pending, None);
        state
    };
    let is_skipped = was.chunk > 500 && is.status == JobStatus::Skipped;
    was == is || (is_skipped && counted(was) == counted(is))
}

/// Sees that a salvaged store is sound, and returns how many chunks are as they were. Where some are not, losses are told.
fn check(file: &Path, was: &[JobState], salvaged: &Salvaged) -> usize {
    block_on(async {
        let store = Location::of_file(file).unwrap().open().await.unwrap();
        let mut problems = store.audit_store().await.unwrap().problems;
        for job in store.jobs().await.unwrap() {
            problems.extend(store.audit(job.id).await.unwrap().problems);
        }
        assert_eq!(problems, Vec::<String>::new());
        let is = everything(&*store).await;
        let mut whole = 0;
        for was in was {
            match is.iter().find(|is| is.chunk == was.chunk) {
                Some(is) if is_same(was, is) => whole += 1,
                found => assert!(!salvaged.losses.is_empty(), "chunk {} became {found:?}, and nobody says so", was.chunk),
            }
        }
        store.close().await.unwrap();
        whole
    })
}

fn files(folder: &Path, extension: &str) -> (PathBuf, PathBuf) {
    (folder.join(format!("jobs.{extension}")), folder.join(format!("saved.{extension}")))
}

fn spoil_pages_one_by_one(extension: &str) {
    let folder = tempfile::tempdir().unwrap();
    let (file, saved) = files(folder.path(), extension);
    let was = lived_in(&file);
    let bytes = fs::read(&file).unwrap();
    let pages = bytes.len() / PAGE_BYTES;
    let (mut opened, mut whole) = (0, 0);
    for step in 0..PAGES {
        let page = 1 + usize::try_from(step).unwrap() * (pages - 1) / usize::try_from(PAGES).unwrap();
        let mut spoilt = bytes.clone();
        spoilt.get_mut(page * PAGE_BYTES..(page + 1) * PAGE_BYTES).unwrap().fill(0xa5 ^ u8::try_from(step).unwrap());
        fs::write(&file, &spoilt).unwrap();
        let (from, to) = (Location::of_file(&file).unwrap(), Location::of_file(&saved).unwrap());
        match from.salvage_to(&to) {
            Ok(salvaged) => {
                opened += 1;
                whole += check(&saved, &was, &salvaged);
                fs::remove_file(&saved).unwrap();
            }
            Err(error) => {
                assert!(error.is_corrupt(), "page {page}: {error}");
                assert!(!saved.exists());
            }
        }
    }
    assert!(opened > 0, "no store could be opened");
    assert!(whole > opened * was.len() / 2, "{whole} chunks of {opened} stores were saved");
}

#[test]
fn sqlite_pages_that_are_garbage_cost_no_more_than_what_was_in_them() {
    spoil_pages_one_by_one("db");
}

#[test]
fn redb_pages_that_are_garbage_cost_no_more_than_what_was_in_them() {
    spoil_pages_one_by_one("redb");
}
