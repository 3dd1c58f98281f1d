//! What must not stand in a source file: a test that is switched off, and code that is not there.

use std::{fs, io};

use anyhow::{Context, Result};

use crate::{git, run};

const REFUSED: [(&str, &str); 3] = [
    ("#[ignore", "a test that does not run holds no promise: repair it or take it out"),
    ("todo!(", "unwritten code is no part of the product"),
    ("unimplemented!(", "unwritten code is no part of the product"),
];

/// Reads every source file of the crates and the benches.
pub(crate) fn check() -> Result<()> {
    run::timed("sources", &"cargo xtask sources", || {
        let mut faults = Vec::new();
        for file in git::files(&["crates/*.rs", "benches/*.rs"])? {
            match fs::read_to_string(&file) {
                Ok(text) => faults.extend(faults_of(&file, &text)),
                // Deleted, and the deletion not committed yet.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error).with_context(|| format!("cannot read {file}")),
            }
        }
        run::no_faults(&faults)
    })
}

fn faults_of(file: &str, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let lines = (1..).zip(text.lines());
    // The example in a comment may leave a part to its reader.
    for (line, text) in lines.filter(|(_, text)| !text.trim_start().starts_with("//")) {
        for (word, why) in REFUSED.iter().filter(|(word, _)| text.contains(word)) {
            faults.push(format!("{file}:{line}: `{word}`: {why}"));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_word_is_found_with_its_place() {
        let text = "fn law() {\n    todo!()\n}\n#[ignore = \"slow\"]\nfn other() { unimplemented!(\"later\") }\n";
        assert_eq!(
            faults_of("crates/a/src/lib.rs", text),
            [
                "crates/a/src/lib.rs:2: `todo!(`: unwritten code is no part of the product",
                "crates/a/src/lib.rs:4: `#[ignore`: a test that does not run holds no promise: repair it or take it out",
                "crates/a/src/lib.rs:5: `unimplemented!(`: unwritten code is no part of the product",
            ]
        );
    }

    #[test]
    fn plain_source_is_accepted() {
        assert!(faults_of("a.rs", "//! What to do, and what to ignore.\nfn todo() {}\n    /// open(|| todo!())\n").is_empty());
    }
}
