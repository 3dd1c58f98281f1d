//! A token comes back as it was given, and what no store can hold is refused before it is copied.

use magnetar_state::{
    Bson, Document, StateError,
    bson::{self, Binary, Regex, spec::BinarySubtype},
    doc, limits,
};

use super::{ORDERS, World, changes_nothing};
use crate::{
    law::{Law, laws},
    state::samples,
};

pub(super) const LAWS: &[Law<World>] = laws![
    every_type_is_kept,
    values_at_the_edge_are_kept,
    document_that_looks_like_extended_json_stays_what_it_is,
    order_of_keys_is_kept,
    empty_token_is_a_token,
    token_of_the_largest_size_is_kept,
    token_of_awkward_bytes_is_kept_up_to_the_largest_size,
    token_beyond_the_largest_size_is_refused,
    token_of_a_gigabyte_is_refused,
    token_of_the_deepest_level_is_kept,
    token_that_is_too_deep_is_refused,
    token_of_a_hundred_thousand_levels_is_refused,
    key_with_a_nul_is_refused,
];

/// Compared as bytes: not a number is equal to nothing, and some types are equal to others.
async fn kept(world: &World, token: Document) {
    world.store().save_resume_token(ORDERS, token.clone()).await.unwrap_or_else(|error| panic!("{error}: {token:?}"));
    let loaded = world.store().load_resume_token(ORDERS).await.unwrap_or_else(|error| panic!("{error}: {token:?}")).unwrap();
    assert_eq!(bson::to_vec(&loaded).unwrap(), bson::to_vec(&token).unwrap(), "{loaded:?} is not {token:?}");
}

async fn every_type_is_kept(world: &mut World) {
    for value in samples::every_type() {
        kept(world, doc! { "value": value.clone(), "in": [value.clone(), { "a": value }] }).await;
    }
    kept(world, doc! { "all": samples::every_type() }).await;
}

async fn values_at_the_edge_are_kept(world: &mut World) {
    for value in samples::edges() {
        kept(world, doc! { "value": value.clone(), "in": [value] }).await;
    }
    kept(world, doc! { "value": f64::NAN }).await;
    kept(world, doc! { "value": f64::from_bits(0xfff8_dead_beef_0001) }).await;
    // The audit compares by value, and what is not a number is not equal to itself.
    kept(world, doc! {}).await;
}

async fn document_that_looks_like_extended_json_stays_what_it_is(world: &mut World) {
    for token in samples::look_alikes() {
        kept(world, token.clone()).await;
        kept(world, doc! { "in": [token] }).await;
    }
}

async fn order_of_keys_is_kept(world: &mut World) {
    kept(world, doc! { "b": 1, "a": 2, "": 3, "B": 4, "ä": 5, "$": 6, ".": 7, "a.b": 8, "10": 9, "9": 10 }).await;
}

async fn empty_token_is_a_token(world: &mut World) {
    kept(world, doc! {}).await;
    kept(world, doc! { "": {} , "a": [] }).await;
}

async fn token_of_the_largest_size_is_kept(world: &mut World) {
    let token = samples::large(limits::TOKEN_BYTES_MAX);
    assert_eq!(bson::to_vec(&token).unwrap().len(), limits::TOKEN_BYTES_MAX);
    kept(world, token).await;
}

async fn token_of_awkward_bytes_is_kept_up_to_the_largest_size(world: &mut World) {
    let controls = "\u{1}".repeat(limits::TOKEN_BYTES_MAX - 100);
    kept(world, doc! { "data": controls }).await;
    let room = limits::TOKEN_BYTES_MAX / 8 - 100;
    kept(world, doc! { "all": vec![Bson::MinKey; room] }).await;
    let bytes = vec![0xff; limits::TOKEN_BYTES_MAX - 100];
    kept(world, doc! { "data": Binary { subtype: BinarySubtype::Generic, bytes } }).await;
}

async fn token_beyond_the_largest_size_is_refused(world: &mut World) {
    world.store().save_resume_token(ORDERS, samples::token(1)).await.unwrap();
    let many: Vec<i32> = (0..100_000).collect();
    for token in [samples::large(limits::TOKEN_BYTES_MAX + 1), doc! { "all": many }] {
        let error = changes_nothing(world, ORDERS, world.store().save_resume_token(ORDERS, token)).await;
        assert!(matches!(error, StateError::TooLarge { max, .. } if max == limits::TOKEN_BYTES_MAX as u64), "{error}");
    }
}

async fn token_of_a_gigabyte_is_refused(world: &mut World) {
    let bytes = vec![0; 1 << 30];
    let token = doc! { "data": Binary { subtype: BinarySubtype::Generic, bytes } };
    let error = changes_nothing(world, ORDERS, world.store().save_resume_token(ORDERS, token)).await;
    assert!(matches!(error, StateError::TooLarge { size, .. } if size >= 1 << 30), "{error}");
}

async fn token_of_the_deepest_level_is_kept(world: &mut World) {
    kept(world, samples::deep(limits::TOKEN_DEPTH_MAX)).await;
    let binary = Bson::Binary(Binary { subtype: BinarySubtype::Generic, bytes: vec![1] });
    let array = (2..limits::TOKEN_DEPTH_MAX).fold(Bson::Array(vec![binary]), |inner, _| Bson::Array(vec![inner]));
    kept(world, doc! { "a": array }).await;
}

async fn token_that_is_too_deep_is_refused(world: &mut World) {
    let array = (1..=limits::TOKEN_DEPTH_MAX).fold(Bson::Null, |inner, _| Bson::Array(vec![inner]));
    let code = Bson::JavaScriptCodeWithScope(bson::JavaScriptCodeWithScope {
        code: "x".into(),
        scope: samples::deep(limits::TOKEN_DEPTH_MAX),
    });
    for token in [samples::deep(limits::TOKEN_DEPTH_MAX + 1), doc! { "a": array }, doc! { "a": code }] {
        let error = changes_nothing(world, ORDERS, world.store().save_resume_token(ORDERS, token)).await;
        assert!(matches!(error, StateError::TooLarge { max, .. } if max == limits::TOKEN_DEPTH_MAX as u64), "{error}");
    }
}

async fn token_of_a_hundred_thousand_levels_is_refused(world: &mut World) {
    let error = changes_nothing(world, ORDERS, world.store().save_resume_token(ORDERS, samples::deep(100_000))).await;
    assert!(matches!(error, StateError::TooLarge { .. }), "{error}");
}

async fn key_with_a_nul_is_refused(world: &mut World) {
    let regex = |pattern: &str, options: &str| Regex { pattern: pattern.into(), options: options.into() };
    for token in [doc! { "a\0b": 1 }, doc! { "a": [{ "\0": 1 }] }, doc! { "a": regex("\0", "") }, doc! { "a": regex("", "i\0") }]
    {
        let error = changes_nothing(world, ORDERS, world.store().save_resume_token(ORDERS, token)).await;
        assert!(matches!(error, StateError::Invalid { .. }), "{error}");
    }
}
