//! Every target over its corpus, and over mutations of it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

use fastrand::Rng;
use magnetar_fuzz::{TARGETS, Target, mutate::mutate};

/// Mutations of each corpus, unless told.
const RUNS: u64 = 3000;

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap())
}

fn corpus(target: &Target) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target.name);
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| fs::read(file).unwrap()).collect()
}

fn run(target: &Target, input: &[u8], which: &str) {
    let ran = catch_unwind(AssertUnwindSafe(|| (target.run)(input)));
    assert!(ran.is_ok(), "{}, {which}: \"{}\"", target.name, input.escape_ascii());
}

fn check(name: &str) {
    let target = TARGETS.into_iter().find(|target| target.name == name).unwrap();
    let corpus = corpus(&target);
    assert!(corpus.len() >= 5, "{name} has a corpus of {}", corpus.len());
    run(&target, b"", "the empty input");
    corpus.iter().enumerate().for_each(|(at, input)| run(&target, input, &format!("file {at} of the corpus")));
    let (seed, runs) = (number("MAGNETAR_SEED", 1), number("MAGNETAR_FUZZ_RUNS", RUNS));
    let mut rng = Rng::with_seed(seed);
    for number in 0..runs {
        let (input, other) = (rng.choice(&corpus).unwrap().clone(), rng.choice(&corpus).unwrap().clone());
        let input = mutate(&mut rng, &input, &other);
        run(&target, &input, &format!("mutation {number} of seed {seed}"));
    }
}

#[test]
fn any_toml_manifest_is_read_or_refused() {
    check("manifest_toml");
}

#[test]
fn any_json_manifest_is_read_or_refused() {
    check("manifest_json");
}

#[test]
fn any_json_lines_are_read_or_refused() {
    check("manifest_lines");
}

#[test]
fn any_row_is_right_or_damaged() {
    check("rows");
}

#[test]
fn any_groups_do_what_the_model_does() {
    check("groups");
}

#[test]
fn any_checkpoint_is_loaded_as_it_is_or_refused() {
    check("checkpoint_decode");
}

#[test]
fn any_token_is_read_as_it_was_or_refused() {
    check("token_decode");
}

#[test]
fn any_key_is_a_safe_name_of_its_own_or_refused() {
    check("key_escape");
}
