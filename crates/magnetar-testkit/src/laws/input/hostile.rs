//! Text and bytes come back as they went in, whatever they look like.

use magnetar_core::{
    Expect, Extra, JobRef, JobSpec, JobState,
    JobStatus::{Done, Failed},
    Lane, NewChunk,
};

use crate::{
    harness::World,
    law::{Law, laws},
    laws::{
        shape::{NONE, SPACE, take},
        support::{chunk, fence, ids, job_of, plain_job},
    },
};

pub(in crate::laws) const LAWS: &[Law] = laws![
    payload_comes_back_byte_for_byte,
    expected_checksum_comes_back_as_it_is,
    recorded_checksum_comes_back_as_it_is,
    error_comes_back_as_it_is,
    result_comes_back_byte_for_byte,
    extra_comes_back_as_it_is,
    keys_that_look_alike_are_different,
    names_that_look_alike_are_different,
    lanes_that_look_alike_are_different,
    spaces_that_look_alike_are_different,
    record_keys_that_look_alike_are_different,
    hostile_text_survives_an_orderly_close,
];

/// What a quoting mistake, a pattern, a codec or a trim would change, and texts that a loose comparison takes for one.
const HOSTILE: [&str; 22] = [
    "'; DROP TABLE chunks; --",
    "\"quoted\" 'text' `here`",
    "line\nbreak\r\n\ttab",
    "\u{0}nul\u{0}inside",
    "nul at the end\u{0}",
    "%s %_ ?1 :a $1 {} \\ \\0 \\x00",
    " spaces around ",
    "spaces around",
    " ",
    "NULL",
    "0",
    "00",
    "-1e400",
    "case",
    "CASE",
    "caf\u{e9}",
    "cafe\u{301}",
    "\u{feff}bom",
    "\u{202e}right to left",
    "☃ 🚀 \u{10ffff}",
    "ﬀ ß ı İ",
    "{\"json\": [1]}",
];

/// Those that may name a lane or a space.
fn without_nul() -> impl Iterator<Item = &'static str> {
    HOSTILE.into_iter().filter(|text| !text.contains('\0'))
}

/// A chunk of each hostile text, from id 1 on.
fn each(of: impl Fn(NewChunk, &'static str) -> NewChunk) -> Vec<NewChunk> {
    (1..).zip(HOSTILE).map(|(id, text)| of(NewChunk::new(id), text)).collect()
}

/// Holds that the chunks show the texts they were made of.
async fn shows(world: &World, of: impl Fn(&JobState) -> Option<String>) {
    for (id, text) in (1..).zip(HOSTILE) {
        assert_eq!(of(&chunk(world, 7, id).await).as_deref(), Some(text));
    }
}

async fn payload_comes_back_byte_for_byte(world: &mut World) {
    let all: Vec<u8> = (0..=255).collect();
    job_of(world, 7, [NewChunk::new(1).payload(all.clone()), NewChunk::new(2).payload([0]), NewChunk::new(3)]).await;
    let claimed = world.store().claim_pending_batch(7, 3).await.unwrap();
    assert_eq!(claimed.into_iter().map(|chunk| chunk.payload).collect::<Vec<_>>(), [all, vec![0], vec![]]);
}

async fn expected_checksum_comes_back_as_it_is(world: &mut World) {
    job_of(world, 7, each(NewChunk::checksum)).await;
    shows(world, |chunk| Some(chunk.checksum.clone())).await;
    shows(world, |chunk| chunk.expected_checksum.clone()).await;
    for (claimed, text) in world.store().claim_pending_batch(7, 100).await.unwrap().iter().zip(HOSTILE) {
        assert_eq!(claimed.checksum, text);
    }
}

async fn recorded_checksum_comes_back_as_it_is(world: &mut World) {
    plain_job(world, 7, HOSTILE.len() as u64).await;
    for (id, text) in (1..).zip(HOSTILE) {
        world.store().mark_status(7, id, Done, Some(text.to_owned())).await.unwrap();
    }
    shows(world, |chunk| chunk.recorded_checksum.clone()).await;
}

async fn error_comes_back_as_it_is(world: &mut World) {
    plain_job(world, 7, HOSTILE.len() as u64).await;
    for text in HOSTILE {
        let held = fence(world.store(), 7).await;
        world.store().fail(&held, text.to_owned()).await.unwrap();
    }
    shows(world, |chunk| chunk.error.clone()).await;
}

async fn result_comes_back_byte_for_byte(world: &mut World) {
    plain_job(world, 7, HOSTILE.len() as u64).await;
    for text in HOSTILE {
        let held = fence(world.store(), 7).await;
        world.store().complete(&held, text.as_bytes().to_vec()).await.unwrap();
    }
    shows(world, |chunk| chunk.result.clone().and_then(|result| String::from_utf8(result).ok())).await;
}

async fn extra_comes_back_as_it_is(world: &mut World) {
    let chunks = each(|mut chunk, text| {
        chunk.extra = Extra::new(&[(text.to_owned(), text.into())].into_iter().collect());
        chunk
    });
    job_of(world, 7, chunks).await;
    shows(world, |chunk| chunk.extra.to_map().into_iter().next().map(|(key, _)| key)).await;
    shows(world, |chunk| Some(chunk.extra.to_map().into_iter().next()?.1.as_str()?.to_owned())).await;
}

async fn keys_that_look_alike_are_different(world: &mut World) {
    plain_job(world, 7, 0).await;
    let report = world.store().insert(7, each(NewChunk::key)).await.unwrap();
    assert_eq!(report.added, HOSTILE.len() as u64);
    shows(world, |chunk| chunk.key.clone()).await;
    for (id, text) in (1..).zip(HOSTILE) {
        let again = world.store().insert(7, vec![NewChunk::numbered().key(text)]).await.unwrap();
        assert_eq!((again.added, again.ids), (0, vec![id]), "{text:?}");
    }
}

async fn names_that_look_alike_are_different(world: &mut World) {
    let mut made = Vec::new();
    for text in HOSTILE {
        let spec = JobSpec { kind: text.to_owned(), ..JobSpec::default() };
        made.push(world.store().ensure_job(JobRef::Name(text.to_owned()), spec).await.unwrap());
    }
    for (id, text) in made.into_iter().zip(HOSTILE) {
        let job = world.store().job_by_name(text).await.unwrap().unwrap();
        assert_eq!((job.id, job.name.as_deref(), job.kind.as_str()), (id, Some(text), text));
    }
    assert_eq!(world.store().jobs().await.unwrap().len(), HOSTILE.len());
}

async fn lanes_that_look_alike_are_different(world: &mut World) {
    job_of(world, 7, (1..).zip(without_nul()).map(|(id, lane)| NewChunk::new(id).lane(lane))).await;
    assert_eq!(take(world, 7, 100).await, NONE);
    for (id, lane) in (1..).zip(without_nul()) {
        let claimed = world.store().claim(vec![Lane::named(7, lane)], 100).await.unwrap();
        assert_eq!((ids(&claimed), claimed[0].lane.as_str()), (vec![id], lane));
    }
}

async fn spaces_that_look_alike_are_different(world: &mut World) {
    for space in without_nul() {
        world.store().put_record(space, b"k", Some(space.into()), Expect::Absent).await.unwrap();
    }
    for space in without_nul() {
        let page = world.store().records(space, b"", None, 10).await.unwrap();
        assert_eq!(page.items.into_iter().map(|record| record.value).collect::<Vec<_>>(), [space.as_bytes()]);
    }
}

async fn record_keys_that_look_alike_are_different(world: &mut World) {
    for text in HOSTILE {
        world.store().put_record(SPACE, text.as_bytes(), Some(text.into()), Expect::Absent).await.unwrap();
    }
    for text in HOSTILE {
        assert_eq!(world.store().get_record(SPACE, text.as_bytes()).await.unwrap().unwrap().value, text.as_bytes());
    }
    assert_eq!(world.store().records(SPACE, b"", None, 100).await.unwrap().items.len(), HOSTILE.len());
}

async fn hostile_text_survives_an_orderly_close(world: &mut World) {
    job_of(world, 7, each(|chunk, text| chunk.checksum(text).key(text).payload(text))).await;
    for (id, text) in (1..).zip(HOSTILE) {
        world.store().mark_failed(7, id, text.to_owned()).await.unwrap();
    }
    world.reopen().await;
    shows(world, |chunk| chunk.error.clone().filter(|_| chunk.status == Failed)).await;
    shows(world, |chunk| chunk.key.clone()).await;
    shows(world, |chunk| String::from_utf8(chunk.payload.clone()).ok().filter(|payload| *payload == chunk.checksum)).await;
}
