//! Whatever one row is lost or damaged: all that is whole is in the new store, which is sound.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::ControlFlow,
};

use futures_lite::future::block_on;
use magnetar_core::{
    Capabilities, Clock, Error, ErrorKind, Filter, JobId, JobRef, JobSpec, JobState, JobStatus, JobStore, NewChunk, Rejection,
    Result,
};
use magnetar_embedded::{Backend, Reader, Salvaged, Show, Table, Tx, View, salvage};

use crate::{
    audit::verdict,
    tables::{Now, Place, Tables, lived_in},
};

type Chunks = BTreeMap<(JobId, u64), JobState>;

/// Salvages a store, and sees that the new one is sound.
fn saved(from: &dyn Backend) -> (Tables, Salvaged) {
    let mut to = Tables::default();
    let salvaged = salvage(from, &mut to, Now.now()).unwrap();
    assert_eq!(verdict(&to), Vec::<String>::new(), "{salvaged:?}");
    (to, salvaged)
}

/// All chunks, as they are when nobody holds any.
fn chunks(tables: &Tables) -> Chunks {
    let store = tables.open().unwrap();
    let mut found = Chunks::new();
    block_on(async {
        for job in store.jobs().await.unwrap() {
            for mut chunk in store.chunks(job.id, Filter::All, None, 100).await.unwrap().items {
                if chunk.lease.take().is_some() {
                    chunk.status = JobStatus::Pending;
                }
                found.insert((job.id, chunk.chunk), chunk);
            }
        }
    });
    std::mem::forget(store);
    found
}

/// Whether a salvage makes the rows of a table anew.
const fn is_derived(table: Table) -> bool {
    matches!(table, Table::Meta | Table::Session | Table::Tally | Table::Ready | Table::Timer | Table::Deadline)
}

/// Which chunk a row is of, as a pair of its job's number and its id.
fn chunk_of(place: &Place) -> Option<(JobId, u64)> {
    let number = |at: usize| place.1.get(at..at + 8).map(|bytes| u64::from_be_bytes(bytes.try_into().unwrap()));
    Some((number(0)?.cast_signed(), number(8)?))
}

/// Sees that all chunks but one are as they were, and those that waited for it.
fn same_but(damaged: Option<(JobId, u64)>, was: &Chunks, is: &Chunks, place: &Place) {
    assert_eq!(was.keys().collect::<BTreeSet<_>>(), is.keys().collect::<BTreeSet<_>>(), "{place:?}");
    for (at, chunk) in was {
        let waits_for_damaged = damaged.is_some_and(|(job, id)| at.0 == job && id <= 2 && at.1 > 6);
        if Some(*at) != damaged && !waits_for_damaged {
            assert_eq!(Some(chunk), is.get(at), "{place:?}");
        }
    }
}

#[test]
fn sound_store_is_saved_whole() {
    let tables = lived_in();
    let (to, salvaged) = saved(&tables);
    assert_eq!((salvaged.jobs, salvaged.chunks, salvaged.records), (2, 16, 1));
    assert_eq!(salvaged.losses, Vec::<String>::new());
    assert_eq!(chunks(&tables), chunks(&to));
    let (old, new) = (tables.open().unwrap(), to.open().unwrap());
    block_on(async {
        assert_eq!(old.get_record("space", b"key").await.unwrap(), new.get_record("space", b"key").await.unwrap());
        for job in 1..=2 {
            let stripped = |mut job: magnetar_core::Job| {
                job.stats.processing = 0;
                job.stats.pending = 0;
                job
            };
            let (old, new) = (old.job(job).await.unwrap().unwrap(), new.job(job).await.unwrap().unwrap());
            assert_eq!(stripped(old), stripped(new));
        }
        let before = old.claim_pending(1).await.unwrap().unwrap().fence().unwrap().token();
        let after = new.claim_pending(1).await.unwrap().unwrap().fence().unwrap().token();
        assert!(before < after, "{before:?} {after:?}");
    });
}

#[test]
fn whatever_row_is_damaged_or_lost_the_others_are_saved() {
    let tables = lived_in();
    let was = chunks(&tables);
    let rows = tables.state().rows.clone();
    for (place, row) in &rows {
        let mut flipped = row.clone();
        *flipped.last_mut().unwrap() ^= 1;
        for damaged in [Some(&flipped), None] {
            let (to, salvaged) = saved(&tables.with(place, damaged));
            let hit = chunk_of(place).filter(|_| matches!(place.0, Table::Chunk | Table::Body));
            same_but(hit, &was, &chunks(&to), place);
            if damaged.is_some() && !is_derived(place.0) {
                assert!(!salvaged.losses.is_empty(), "{place:?}");
            }
        }
    }
}

#[test]
fn job_that_has_lost_its_id_gets_one_that_no_other_has() {
    let tables = Tables::default();
    let store = tables.open().unwrap();
    block_on(async {
        for id in [5, JobId::MAX] {
            store.ensure_job(JobRef::Id(id), JobSpec::default()).await.unwrap();
            store.insert(id, vec![NewChunk::new(1)]).await.unwrap();
        }
        store.close().await.unwrap();
    });
    let first = |table| tables.state().rows.keys().find(|place| place.0 == table).cloned().unwrap();
    let (job, id) = (first(Table::Job), first(Table::JobId));
    let (to, _) = saved(&tables.with(&job, None).with(&id, None));
    assert_eq!(chunks(&to).into_keys().collect::<Vec<_>>(), [(1, 1), (JobId::MAX, 1)]);
}

#[test]
fn lost_chunk_and_lost_payload_end_as_failed_and_say_so() {
    let tables = lived_in();
    for table in [Table::Chunk, Table::Body] {
        // Chunk 5 of job 1 is ready.
        let place = (table, [1_u64.to_be_bytes(), 5_u64.to_be_bytes()].concat());
        let (to, salvaged) = saved(&tables.with(&place, None));
        let chunk = chunks(&to).remove(&(1, 5)).unwrap();
        assert_eq!((chunk.status, chunk.key.as_deref()), (JobStatus::Failed, Some("key 5")));
        assert!(chunk.error.unwrap().starts_with("lost: "));
        assert!(salvaged.losses.iter().any(|loss| loss.contains("chunk 5 of job 1")), "{:?}", salvaged.losses);
    }
}

#[test]
fn store_that_holds_something_is_not_salvaged_into() {
    let tables = lived_in();
    let refused = salvage(&tables, &mut tables.clone(), Now.now()).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Invalid);
}

/// Tables of which a part cannot be read, as where pages of a file are gone.
struct Torn {
    tables: Tables,
    table: Table,
    hole: std::ops::Range<Vec<u8>>,
}

struct TornView<'t> {
    view: Box<dyn View + 't>,
    torn: &'t Torn,
}

impl View for TornView<'_> {
    fn get(&self, table: Table, key: &[u8], show: &mut dyn FnMut(&[u8])) -> Result<()> {
        self.view.get(table, key, show)
    }

    fn scan(&self, table: Table, from: &[u8], to: &[u8], each: &mut Show<'_>) -> Result<()> {
        let hole = &self.torn.hole;
        if table != self.torn.table || from >= hole.end.as_slice() || to <= hole.start.as_slice() {
            return self.view.scan(table, from, to, each);
        }
        let mut is_over = false;
        self.view.scan(table, from, from.max(&hole.start), &mut |key, row| {
            let flow = each(key, row);
            is_over = flow == ControlFlow::Break(());
            flow
        })?;
        if is_over { Ok(()) } else { Err(Rejection::corrupt("a page is gone").into()) }
    }
}

impl Reader for &'static Torn {
    fn view(&mut self) -> Result<Box<dyn View + '_>> {
        let view = Box::leak(Box::new(self.tables.clone())).view()?;
        Ok(Box::new(TornView { view, torn: self }))
    }
}

impl Backend for &'static Torn {
    fn begin(&mut self) -> Result<Box<dyn Tx + '_>> {
        Err(Error::new(ErrorKind::Backend, "nobody writes to what is damaged"))
    }

    fn reader(&self) -> Result<Box<dyn Reader>> {
        Ok(Box::new(*self))
    }

    fn capabilities(&self) -> Capabilities {
        self.tables.capabilities()
    }

    fn lock_folder(&self) -> Option<std::path::PathBuf> {
        None
    }
}

#[test]
fn what_stands_before_and_behind_an_unreadable_part_is_saved() {
    let tables = lived_in();
    let was = chunks(&tables);
    let spot = |job: u64, chunk: u64| [job.to_be_bytes(), chunk.to_be_bytes()].concat();
    for (from, to) in [((1, 0), (1, 4)), ((1, 3), (1, 6)), ((1, 3), (2, 3)), ((2, 8), (9, 0))] {
        let torn = Torn { tables: tables.clone(), table: Table::Chunk, hole: spot(from.0, from.1)..spot(to.0, to.1) };
        let (saved, salvaged) = saved(&&*Box::leak(Box::new(torn)));
        let is = chunks(&saved);
        assert_eq!(is.len(), was.len(), "other rows tell of those that are lost");
        for ((job, id), chunk) in &is {
            let at = (job.cast_unsigned(), *id);
            let is_hit = from <= at && at < to;
            assert_eq!(is_hit, chunk.error.as_deref().is_some_and(|error| error.starts_with("lost: ")), "{at:?}");
        }
        assert!(salvaged.losses.iter().any(|loss| loss.contains("cannot be read")), "{:?}", salvaged.losses);
    }
}
