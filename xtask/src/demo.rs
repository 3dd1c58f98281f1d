//! The demo: a manifest of work over the workspace's own source files, as `docs/demo/words.toml`.
//!
//! It is in the repository, so that it runs on a fresh clone; this makes it anew when files came or went, and the lint says when
//! that is due.

use std::{collections::BTreeMap, fmt::Write, fs};

use anyhow::{Context, Result, ensure};

use crate::{git, run};

const MANIFEST: &str = "docs/demo/words.toml";
/// From the manifest's folder to the top, and to where the results go.
const TOP: &str = "../..";
const RESULTS: &str = "../../target/demo";

const HEADER: &str = r#"# The words of this workspace's own source files: a list for each file, one for each crate, and a report.
# Made by `cargo xtask demo`. Run it:  cargo run --release -- run docs/demo/words.toml

name = "words"

[[chunks]]
id = 1
shell = 'mkdir -p ../../target/demo'
"#;

const FILE: &str = r#"LC_ALL=C tr -cs "A-Za-z0-9_" "[\n*]" < "$1" | LC_ALL=C sort > "$MAGNETAR_OUTPUT""#;
const CRATE: &str = r#"LC_ALL=C sort -m "$@" > "$MAGNETAR_OUTPUT""#;
const REPORT: &str = r#"
  {
    for words in "$@"; do
      printf "%8d words, %6d of them different, in %s\n" \
        "$(wc -l < "$words")" "$(LC_ALL=C uniq "$words" | wc -l)" "$(basename "$words" .words)"
    done
    echo
    echo "The most frequent:"
    LC_ALL=C sort -m "$@" | LC_ALL=C uniq -c | LC_ALL=C sort -k1,1nr -k2 | head -n 20
  } > "$MAGNETAR_OUTPUT"
"#;

/// Writes the manifest.
pub(crate) fn write() -> Result<()> {
    fs::write(MANIFEST, manifest(&sources()?)).with_context(|| format!("cannot write {MANIFEST}"))?;
    println!("{MANIFEST}");
    Ok(())
}

/// Refuses a manifest that does not fit the source files.
pub(crate) fn check() -> Result<()> {
    run::timed("demo", &"cargo xtask demo, compared", || {
        let stored = fs::read_to_string(MANIFEST).with_context(|| format!("cannot read {MANIFEST}"))?;
        ensure!(stored == manifest(&sources()?), "{MANIFEST} does not fit the source files; run `cargo xtask demo`");
        Ok(())
    })
}

fn sources() -> Result<Vec<String>> {
    git::files(&["benches/*.rs", "crates/*.rs", "xtask/*.rs"])
}

/// One chunk for the folder, one for each file, one for each crate, one for the report.
fn manifest(files: &[String]) -> String {
    let mut text = HEADER.to_owned();
    let mut crates: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    let mut next = 2;
    for file in files {
        let name = file.strip_prefix("crates/").unwrap_or(file).split('/').next().unwrap_or(file);
        crates.entry(name).or_default().push(next);
        chunk(&mut text, next, &[1], &[format!("{TOP}/{file}")], &format!("{next}.words"), FILE);
        next += 1;
    }
    let merges: Vec<(u64, &str)> = (next..).zip(crates.keys().copied()).collect();
    for (id, name) in &merges {
        let parts = crates.get(name).map(Vec::as_slice).unwrap_or_default();
        let lists: Vec<_> = parts.iter().map(|part| format!("{RESULTS}/{part}.words")).collect();
        chunk(&mut text, *id, parts, &lists, &format!("{name}.words"), CRATE);
    }
    let lists: Vec<_> = merges.iter().map(|(_, name)| format!("{RESULTS}/{name}.words")).collect();
    let ids: Vec<u64> = merges.iter().map(|(id, _)| *id).collect();
    chunk(&mut text, next + merges.len() as u64, &ids, &lists, "report.txt", REPORT);
    text
}

fn chunk(text: &mut String, id: u64, depends_on: &[u64], inputs: &[String], output: &str, shell: &str) {
    let quote = if shell.contains('\n') { "'''" } else { "'" };
    // Writing into a string does not fail.
    let _ = writeln!(
        text,
        "\n[[chunks]]\nid = {id}\ndepends_on = {depends_on:?}\ninput = {inputs:?}\noutput = \"{RESULTS}/{output}\"\nshell = {quote}{shell}{quote}"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_has_a_chunk_each_crate_a_merge_and_the_report_waits_for_all_merges() {
        let files = ["benches/pair.rs", "crates/a/src/lib.rs", "crates/a/src/row.rs"].map(str::to_owned);
        let text = manifest(&files);
        for part in [
            "id = 4\ndepends_on = [1]\ninput = [\"../../crates/a/src/row.rs\"]\noutput = \"../../target/demo/4.words\"\n",
            "id = 5\ndepends_on = [3, 4]\ninput = [\"../../target/demo/3.words\", \"../../target/demo/4.words\"]\n",
            "id = 7\ndepends_on = [5, 6]\ninput = [\"../../target/demo/a.words\", \"../../target/demo/benches.words\"]\n",
        ] {
            assert!(text.contains(part), "{part}\nis not in\n{text}");
        }
    }
}
