//! Every trap and every defect of `docs/resilience.md` has a test that names it.

use std::{collections::BTreeSet, fs, path::Path};

const TRAPS: u32 = 39;
const DEFECTS: u32 = 24;

/// The numbers that names of functions in the source files of a folder carry behind this letter.
fn numbers(folder: &Path, letter: char, found: &mut BTreeSet<u32>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            numbers(&path, letter, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(path).unwrap();
            let names = text.lines().filter_map(|line| line.trim_start().trim_start_matches("async ").strip_prefix("fn "));
            let parts = names.flat_map(|name| name.split('_')).filter_map(|part| part.strip_prefix(letter));
            found.extend(parts.filter(|number| number.len() == 2).filter_map(|number| number.parse::<u32>().ok()));
        }
    }
}

#[test]
fn every_trap_and_every_defect_has_a_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (letter, last) in [('t', TRAPS), ('d', DEFECTS)] {
        let mut found = BTreeSet::new();
        for folder in ["src", "tests"] {
            numbers(&root.join(folder), letter, &mut found);
        }
        let missing: Vec<_> = (1..=last).filter(|number| !found.contains(number)).collect();
        assert!(missing.is_empty(), "no test names {letter} {missing:?}");
    }
}
