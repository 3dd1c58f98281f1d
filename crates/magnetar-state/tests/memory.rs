//! What a token that is too large costs: nothing that grows with it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use futures_lite::future::block_on;
use magnetar_state::{
    Bson, Document, Files, Guard, MemoryStore, StateError, StateStore,
    bson::{Binary, spec::BinarySubtype},
    doc,
};

const GIGABYTE: usize = 1 << 30;

/// A document of a gigabyte. The system gives its zeros out when they are looked at, and nobody should.
fn huge() -> Document {
    doc! { "data": Binary { subtype: BinarySubtype::Generic, bytes: vec![0; GIGABYTE] } }
}

/// The most bytes that were taken besides while a store refused the token.
fn taken(save: impl FnOnce(Document) -> StateError) -> u64 {
    let token = huge();
    let mut error = None;
    let info = allocation_counter::measure(|| error = Some(save(token)));
    let error = error.unwrap();
    assert!(matches!(error, StateError::TooLarge { .. }), "{error}");
    info.bytes_max
}

#[test]
fn token_of_a_gigabyte_is_refused_without_a_copy() {
    let folder = tempfile::tempdir().unwrap();
    let files = Files::open(folder.path().join("state")).unwrap();
    let memory = MemoryStore::new();
    assert!(taken(|token| files.save("orders", token, Guard::default(), None).unwrap_err()) < 4096);
    assert!(taken(|token| block_on(memory.save("orders", token, Guard::default(), None)).unwrap_err()) < 4096);
}

#[test]
fn binary_is_written_in_base64_and_not_as_a_list_of_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let files = Files::open(folder.path()).unwrap();
    let bytes: Vec<u8> = (0..100_000_u32).map(|number| number.to_le_bytes()[0]).collect();
    let token = doc! { "data": Bson::Binary(Binary { subtype: BinarySubtype::Generic, bytes }) };
    files.save("orders", token, Guard::default(), None).unwrap();
    let size = std::fs::metadata(folder.path().join("k-orders.json")).unwrap().len();
    assert!(size < 100_000 * 4 / 3 + 1000, "{size}");
}
