//! What a manifest calls its job, read from its header alone: a manifest may hold a million chunks.

use std::{
    ffi::OsStr,
    fs::File,
    io::{BufReader, Read},
    path::Path,
};

use anyhow::Result;
use magnetar::{Location, manifest::Lines};
use serde::Deserialize;

/// Bytes of a TOML manifest in which its header must be found.
const HEADER_BYTES_MAX: u64 = 1 << 20;
/// Places where the header of a TOML manifest may end that are tried.
const TRIES_MAX: usize = 100;

/// The name of a manifest's job: what the manifest says, else the stem of its file.
pub(crate) fn job_name(manifest: &Path, name: Option<&str>) -> String {
    let stem = || manifest.file_stem().unwrap_or(manifest.as_os_str()).to_string_lossy().into_owned();
    name.map_or_else(stem, str::to_owned)
}

/// The name of a manifest's job; none where there is no manifest that can be read any more.
pub(super) fn of_manifest(path: &Path) -> Option<String> {
    let header = match extension(path.as_os_str())?.as_str() {
        "toml" => in_toml(path)?,
        "json" => in_json(path)?,
        "jsonl" | "ndjson" => in_lines(path)?,
        _ => return None,
    };
    Some(job_name(path, header.name.as_deref()))
}

/// The location that a target is; none where it is a manifest.
pub(super) fn store_in(target: &OsStr) -> Result<Option<Location>> {
    if let Some(location) = target.to_str().filter(|text| text.contains("://") || *text == "memory:") {
        return Ok(Some(location.parse()?));
    }
    match extension(target).as_deref() {
        None | Some("db" | "sqlite" | "redb" | "magnetar") => Ok(Some(Location::of_file(target)?)),
        Some(_) => Ok(None),
    }
}

fn extension(path: &OsStr) -> Option<String> {
    Path::new(path).extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase())
}

/// What is wanted of a manifest's header.
#[derive(Debug, Default, Deserialize)]
struct Header {
    name: Option<String>,
}

fn in_toml(path: &Path) -> Option<Header> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(HEADER_BYTES_MAX).read_to_end(&mut bytes).ok()?;
    header_of_toml(&String::from_utf8_lossy(&bytes))
}

/// The keys of the job stand before the first table. A line that begins like one may lie within a text or a list, where
/// what stands before it is no TOML yet.
fn header_of_toml(text: &str) -> Option<Header> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let begins_line =
        |at: &usize| text.get(..*at).and_then(|before| before.rsplit('\n').next()).is_some_and(|before| before.trim().is_empty());
    let tables = text.match_indices('[').map(|(at, _)| at).filter(begins_line);
    tables.chain([text.len()]).take(TRIES_MAX).find_map(|at| toml::from_str(text.get(..at)?).ok())
}

fn in_json(path: &Path) -> Option<Header> {
    serde_json::from_reader(BufReader::new(File::open(path).ok()?)).ok()
}

fn in_lines(path: &Path) -> Option<Header> {
    let mut lines = Lines::new(BufReader::new(File::open(path).ok()?));
    lines.spec().ok().map(|spec| Header { name: spec.name.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_is_what_the_manifest_says_else_its_stem() {
        assert_eq!(job_name(Path::new("a/nightly.toml"), None), "nightly");
        assert_eq!(job_name(Path::new("a/nightly.toml"), Some("x")), "x");
        let folder = tempfile::tempdir().unwrap();
        let check = |file: &str, text: &str, expected: Option<&str>| {
            let path = folder.path().join(file);
            std::fs::write(&path, text).unwrap();
            assert_eq!(of_manifest(&path).as_deref(), expected, "{file}: {text}");
        };
        check("stem.toml", "[[chunks]]\nid = 1\n", Some("stem"));
        check("stem.toml", "name = \"x\"\n[[chunks]]\nid = 1\n", Some("x"));
        check("stem.toml", "\u{feff}kind = '''\n[a]\n'''\nname = \"x\"\n  [retry]\nretries = 1\n", Some("x"));
        check("stem.toml", "name = \"x\"\nchunks = [\n[1],\n", None);
        check("stem.json", "{\"chunks\": [{\"id\": 1}], \"name\": \"x\"}", Some("x"));
        check("stem.json", "{\"chunks\": [{\"id\": 1}]}", Some("stem"));
        check("stem.json", "{", None);
        check("stem.jsonl", "{\"manifest\": {\"name\": \"x\"}}\n{\"id\": 1}\n", Some("x"));
        check("stem.jsonl", "{\"id\": 1}\n", Some("stem"));
        check("stem.yaml", "name: x\n", None);
        assert_eq!(of_manifest(&folder.path().join("missing.toml")), None);
    }

    #[test]
    fn header_is_found_before_damage_behind_it() {
        assert_eq!(header_of_toml("name = \"x\"\n[[chunks]]\nid = = 1").unwrap().name.as_deref(), Some("x"));
    }

    #[test]
    fn target_is_a_store_by_its_extension_or_scheme() {
        let is_store = |target: &str| store_in(OsStr::new(target)).unwrap().is_some();
        for target in ["jobs.toml.db", "jobs.SQLITE", "jobs.redb", "jobs", "sqlite://jobs.toml", "memory:"] {
            assert!(is_store(target), "{target}");
        }
        for target in ["jobs.toml", "jobs.json", "jobs.jsonl", "jobs.yaml"] {
            assert!(!is_store(target), "{target}");
        }
        assert!(store_in(OsStr::new("mysql://jobs")).is_err());
    }
}
