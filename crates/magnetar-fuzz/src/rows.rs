//! Rows: whatever stands where a row should, a store says what was there, or that it is damaged, and never panics.
//!
//! An input names a row of a store that has one of everything, and what becomes of it. Rows are the same bytes in every engine:
//! SQLite and redb keep them as values under the same keys.

use std::{
    fmt::Debug,
    sync::{Arc, OnceLock},
    time::Duration,
};

use futures_lite::future::block_on;
use magnetar_core::{
    Answer, Claim, Clock, Error, Expect, Fence, Filter, Group, JobRef, JobSpec, JobStatus, JobStore, JobUpdate, Lane, NewChunk,
    Op, Query, Result, Timestamp, Until,
};
use magnetar_embedded::{Options, Store, Table};

use crate::{
    cut,
    draw::Draw,
    tables::{Rows, Tables},
};

const JOB: i64 = 7;
const OTHER_JOB: i64 = -3;
const VERSION: u8 = 1;

/// A clock that stands still.
struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_767_225_600_000)
    }
}

/// What becomes of a row.
enum Damage {
    /// Whether the row could be told from a sound one: not where its checksum was made anew.
    Seen,
    Unseen,
}

/// Damages a row as the input says, reads everything, and asks for everything.
pub fn run(bytes: &[u8]) {
    let mut draw = Draw::new(cut(bytes));
    let sound = sound();
    let mut rows = sound.rows.clone();
    let damage = damage(&mut rows, &mut draw);
    if rows == sound.rows {
        return;
    }
    let tables = Tables::new(rows.clone());
    let Some(store) = open(&tables) else { return };
    for (query, answer) in sound.queries.iter().zip(&sound.answers) {
        let read = block_on(store.read(query.clone()));
        match (&damage, read) {
            (_, Err(error)) => refused(query, &error),
            // An audit tells of damage instead of failing over it.
            (Damage::Seen, Ok(found)) if !matches!(query, Query::Audit(_) | Query::AuditStore) => {
                assert_eq!(&found, answer, "{query:?} is answered with what was never written");
            }
            (_, Ok(_)) => {}
        }
    }
    for group in &sound.groups {
        match block_on(store.submit(vec![group.clone()])) {
            Ok(_) => {}
            Err(error) => refused(group, &error),
        }
    }
    drop(store);
    let mut anew = Tables::default();
    if let Err(error) = magnetar_embedded::salvage(&Tables::new(rows), &mut anew, Still.now()) {
        refused(&"salvage", &error);
    }
}

/// A call may fail over damage, as long as it is the store that says so, and no panic below it.
fn refused(asked: &dyn Debug, error: &Error) {
    assert!(!error.to_string().contains("panicked"), "{asked:?} ends in a panic: {error}");
}

fn open(tables: &Tables) -> Option<Store> {
    let mut options = Options::default();
    options.upkeep_every = Duration::ZERO;
    Store::inline(Box::new(tables.clone()), options, Arc::new(Still)).inspect_err(|error| refused(&"open", error)).ok()
}

fn damage(rows: &mut Rows, draw: &mut Draw<'_>) -> Damage {
    let keys: Vec<_> = rows.keys().cloned().collect();
    let (table, key) = keys[draw.below(keys.len())].clone();
    let row = rows.get(&(table, key.clone())).cloned().unwrap_or_default();
    let kind = draw.below(6);
    // A run of ready chunks that is sound in itself may say that it is as long as the numbers go, which an audit would believe.
    if table == Table::Ready && matches!(kind, 1 | 2) {
        return Damage::Seen;
    }
    match kind {
        // Anything at all.
        0 => drop(rows.insert((table, key), draw.rest().to_vec())),
        // Anything with a checksum that fits.
        1 => {
            let row = with_checksum(table, &key, draw.rest());
            rows.insert((table, key), row);
            return Damage::Unseen;
        }
        // A few bits of what was there, with a checksum that fits.
        2 => {
            let body = row.split_last_chunk::<4>().map(|(body, _)| &body[1..]).unwrap_or_default();
            let row = with_checksum(table, &key, &flipped(body, draw));
            rows.insert((table, key), row);
            return Damage::Unseen;
        }
        // A few bits of what was there.
        3 => {
            let row = flipped(&row, draw);
            rows.insert((table, key), row);
        }
        // A row that belongs elsewhere.
        4 => {
            let (from, other) = &keys[draw.below(keys.len())];
            let row = rows.get(&(*from, other.clone())).cloned().unwrap_or_default();
            rows.insert((table, key), row);
        }
        // A row more, under any key of any table, sound in itself.
        _ => {
            let table = draw.pick(&Table::ALL);
            if table == Table::Ready {
                return Damage::Seen;
            }
            let key = draw.bytes(40).to_vec();
            let row = with_checksum(table, &key, draw.rest());
            rows.insert((table, key), row);
            return Damage::Unseen;
        }
    }
    Damage::Seen
}

fn flipped(bytes: &[u8], draw: &mut Draw<'_>) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=draw.below(4) {
        let at = draw.below(bytes.len());
        if let Some(byte) = bytes.get_mut(at) {
            *byte ^= draw.byte();
        }
    }
    bytes
}

/// A row of these fields, as the store would have written it.
fn with_checksum(table: Table, key: &[u8], fields: &[u8]) -> Vec<u8> {
    let mut row = vec![VERSION];
    row.extend_from_slice(fields);
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&[table as u8]);
    hasher.update(key);
    hasher.update(&row);
    row.extend_from_slice(&hasher.finalize().to_le_bytes());
    row
}

/// A store with one of everything, and what it says.
struct Sound {
    rows: Rows,
    queries: Vec<Query>,
    answers: Vec<Answer>,
    groups: Vec<Group>,
}

fn sound() -> &'static Sound {
    static SOUND: OnceLock<Sound> = OnceLock::new();
    SOUND.get_or_init(|| {
        let tables = Tables::default();
        let store = open(&tables).expect("empty tables open");
        let fences = block_on(fill(&store)).expect("a sound store takes it");
        let rows = (*tables.rows()).clone();
        // The handle goes on as one that died: its session and what it holds are part of the store.
        std::mem::forget(store);
        let again = open(&Tables::new(rows.clone())).expect("a sound store opens");
        let queries = queries();
        let answers = queries.iter().map(|query| block_on(again.read(query.clone())).expect("a sound store answers")).collect();
        Sound { rows, queries, answers, groups: groups(&fences) }
    })
}

async fn fill(store: &Store) -> Result<Vec<Fence>> {
    let spec = JobSpec { name: Some("named".to_owned()), kind: "kind".to_owned(), ..JobSpec::default() };
    store.ensure_job(JobRef::Id(JOB), spec).await?;
    store.ensure_job(JobRef::Id(OTHER_JOB), JobSpec::default()).await?;
    let late = Timestamp::from_millis(1_767_300_000_000);
    let mut chunks: Vec<_> = (1..=9).map(NewChunk::new).collect();
    chunks[1] = NewChunk::new(2).depends_on([1]).checksum("sum").payload(*b"payload").key("key");
    chunks[2] = NewChunk::new(3).timeout(Duration::from_mins(1)).priority(3);
    chunks[3] = NewChunk::new(4).not_before(late).lane("lane").max_fails(2);
    store.insert(JOB, chunks).await?;
    store.insert(OTHER_JOB, vec![NewChunk::new(1)]).await?;
    store.add_dependency(JOB, 9, vec![2, 8]).await?;
    store.put_record("space", b"record", Some(b"value".to_vec()), Expect::Any).await?;
    let mut fences = Vec::new();
    for chunk in store.claim_pending_batch(JOB, 5).await? {
        fences.extend(chunk.fence());
    }
    if let [first, second, third, ..] = fences[..] {
        store.fail(&first, "broken".to_owned()).await?;
        store.complete(&second, b"result".to_vec()).await?;
        store.apply(vec![Op::Park { fence: third, until: Until::Ended(vec![(OTHER_JOB, 1)]) }]).await?;
    }
    store.mark_failed(JOB, 8, "given up".to_owned()).await?;
    Ok(fences)
}

fn queries() -> Vec<Query> {
    let mut queries = vec![
        Query::Job(JOB),
        Query::JobByName("named".to_owned()),
        Query::Jobs { after: None, limit: 10 },
        Query::Stats(JOB),
        Query::Record { space: "space".to_owned(), key: b"record".to_vec() },
        Query::Records { space: "space".to_owned(), prefix: Vec::new(), after: None, limit: 10 },
        Query::Audit(JOB),
        Query::Audit(OTHER_JOB),
        Query::AuditStore,
    ];
    for filter in [Filter::All, Filter::Unblocked, Filter::Held, Filter::Status(JobStatus::Processing)] {
        queries.push(Query::Chunks { job: JOB, filter, after: None, limit: 100 });
        queries.push(Query::Ids { job: JOB, filter, after: None, limit: 100 });
    }
    for chunk in 1..=9 {
        queries.push(Query::Chunk { job: JOB, chunk });
        queries.push(Query::Dependencies { job: JOB, chunk });
    }
    queries
}

/// One of every op, on whatever is damaged.
fn groups(fences: &[Fence]) -> Vec<Group> {
    let lane = |name: &str| Lane { job: JOB, name: name.to_owned() };
    let mark = |chunk_id, status| JobUpdate { chunk_id, status, checksum: None, error: None };
    let mut groups = vec![
        vec![Op::Reap],
        vec![Op::EnsureJob { job: JobRef::Name("named".to_owned()), spec: JobSpec::default() }],
        vec![Op::Insert {
            job: JobRef::Id(JOB),
            chunks: vec![NewChunk::numbered().key("key"), NewChunk::new(20).depends_on([1, 2, 3])].into(),
        }],
        vec![Op::Claim(Claim { lanes: vec![lane(""), lane("lane")], limit: 100 })],
        vec![Op::Mark { job: JOB, update: mark(4, JobStatus::Done) }],
        vec![Op::Mark { job: JOB, update: mark(8, JobStatus::Pending) }],
        vec![Op::Depend { job: JOB, chunk: 9, on: vec![(JOB, 6), (OTHER_JOB, 1)] }],
        vec![Op::Reopen { job: JOB, chunks: vec![1] }],
        vec![Op::PutRecord { space: "space".to_owned(), key: b"record".to_vec(), value: None, expect: Expect::Any }],
        vec![Op::Prune { job: JOB, ended_before: Timestamp::from_millis(u64::MAX), after: None, limit: 100 }],
        vec![Op::Pause { job: JOB }],
        vec![Op::Resume { job: JOB }],
    ];
    groups.extend(fences.iter().map(|fence| vec![Op::Complete { fence: *fence, result: Vec::new(), checksum: None }]));
    groups.push(vec![Op::DeleteJob { job: OTHER_JOB }]);
    groups.push(vec![Op::DeleteJob { job: JOB }]);
    groups.push(vec![Op::Reap]);
    groups
}
