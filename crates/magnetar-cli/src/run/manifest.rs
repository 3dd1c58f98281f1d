//! Reading a manifest: its job, and its chunks as they are stored.

mod place;

use std::{
    fs::{self, File},
    io::{self, BufReader},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use magnetar::{
    JobSpec, NewChunk,
    manifest::{Format, Lines, Manifest},
};
use serde::{Deserialize, de::IgnoredAny};

use crate::{
    exit::{Code, fault},
    work::{Problem, Work},
};

/// Lost workers after which a chunk is given up, where the manifest does not say otherwise.
///
/// Core's number is for handlers that run in the worker's own process, and may be what kills it. A command is a process of its
/// own: what kills `magnetar run` is nearly always somebody who wants it to stop, and who may do so again.
pub(super) const MAX_CRASHES: u32 = 20;

/// A manifest that has been checked from its first to its last chunk.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) spec: JobSpec,
    pub(super) chunks: Chunks,
}

/// The chunks of a manifest.
#[derive(Debug)]
pub(super) enum Chunks {
    /// All of them.
    Held(Vec<NewChunk>),
    /// As many as are in a file of JSON lines, which is read again each time.
    Lines(PathBuf),
}

/// Reads and checks a manifest.
pub(super) fn read(path: &Path) -> Result<Read> {
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
    match extension.as_deref() {
        Some("toml") => document(path, Format::Toml),
        Some("json") => document(path, Format::Json),
        Some("jsonl" | "ndjson") => lines(path),
        _ => Err(fault(
            Code::Usage,
            format!("{}: a manifest is NAME.toml, NAME.json or NAME.jsonl; its name says how it is written", path.display()),
        )),
    }
}

fn document(path: &Path, format: Format) -> Result<Read> {
    let bytes = fs::read(path).map_err(|error| unreadable(path, &error))?;
    let manifest = Manifest::parse_bytes(&bytes, format).with_context(|| path.display().to_string())?;
    // It has been read as a text, so it is one.
    let text = str::from_utf8(&bytes)?;
    let mut chunks = manifest.chunks().to_vec();
    for (index, chunk) in chunks.iter_mut().enumerate() {
        Work::prepare(chunk).map_err(|problem| {
            let line = place::line_in(text, format, index, problem.key());
            refused(path, chunk, line, &problem)
        })?;
    }
    let mut spec = manifest.spec().clone();
    if !sets_max_crashes(text, format) {
        spec.options.get_or_insert_default().retry.max_crashes = MAX_CRASHES;
    }
    Ok(Read { spec, chunks: Chunks::Held(chunks) })
}

fn lines(path: &Path) -> Result<Read> {
    let mut stream = stream(path)?;
    let mut spec = stream.spec().with_context(|| path.display().to_string())?;
    for (index, chunk) in stream.enumerate() {
        let mut chunk = chunk.with_context(|| path.display().to_string())?;
        Work::prepare(&mut chunk).map_err(|problem| refused(path, &chunk, place::line_of(path, index), &problem))?;
    }
    if !place::header(path).is_some_and(|header| sets_max_crashes(&header, Format::Json)) {
        spec.options.get_or_insert_default().retry.max_crashes = MAX_CRASHES;
    }
    Ok(Read { spec, chunks: Chunks::Lines(path.to_owned()) })
}

impl Chunks {
    /// The chunks, where all of them are held.
    pub(super) fn held(&self) -> Option<&[NewChunk]> {
        match self {
            Self::Held(chunks) => Some(chunks),
            Self::Lines(_) => None,
        }
    }

    /// The chunks as they are stored, one after the other.
    pub(super) fn all(&self) -> Result<Box<dyn Iterator<Item = Result<NewChunk>> + Send + '_>> {
        Ok(match self {
            Self::Held(chunks) => Box::new(chunks.iter().cloned().map(Ok)),
            Self::Lines(path) => Box::new(stream(path)?.map(|chunk| {
                let mut chunk = chunk.with_context(|| path.display().to_string())?;
                Work::prepare(&mut chunk).with_context(|| format!("{} has changed while it was read", path.display()))?;
                Ok(chunk)
            })),
        })
    }
}

fn stream(path: &Path) -> Result<Lines<BufReader<File>>> {
    let file = File::open(path).map_err(|error| unreadable(path, &error))?;
    Ok(Lines::new(BufReader::new(file)))
}

fn unreadable(path: &Path, error: &io::Error) -> anyhow::Error {
    let code = match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Code::NotFound,
        _ => Code::Usage,
    };
    fault(code, format!("read the manifest {}: {error}", path.display()))
}

fn refused(path: &Path, chunk: &NewChunk, line: Option<usize>, problem: &Problem) -> anyhow::Error {
    let line = line.map(|line| format!(" (line {line})")).unwrap_or_default();
    let id = chunk.id.unwrap_or_default();
    fault(Code::Usage, format!("{}: chunk {id}{line}: {problem}", path.display()))
}

/// Whether the manifest says itself after how many lost workers a chunk is given up.
fn sets_max_crashes(text: &str, format: Format) -> bool {
    #[derive(Deserialize)]
    struct Header {
        manifest: Option<Box<Header>>,
        retry: Option<Retry>,
    }
    #[derive(Deserialize)]
    struct Retry {
        max_crashes: Option<IgnoredAny>,
    }
    let header: Option<Header> = match format {
        Format::Toml => toml::from_str(text).ok(),
        _ => serde_json::from_str(text).ok(),
    };
    header.is_some_and(|header| {
        let header = header.manifest.map_or_else(|| header.retry, |inner| inner.retry);
        header.is_some_and(|retry| retry.max_crashes.is_some())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(name: &str, text: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        (folder, path)
    }

    fn error(name: &str, text: &str) -> String {
        let (folder, path) = written(name, text);
        format!("{:#}", read(&path).unwrap_err()).replace(&format!("{}/", folder.path().display()), "")
    }

    #[test]
    fn refusal_names_file_chunk_and_line() {
        let problem = "unknown key `imput`, did you mean `input`?";
        let toml =
            "name = \"x\"\n\n[[chunks]]\nid = 1\nshell = \"true\"\n\n[[chunks]]\nid = 7\nshell = \"true\"\nimput = \"a\"\n";
        assert_eq!(error("a.toml", toml), format!("a.toml: chunk 7 (line 10): {problem}"));
        let json =
            "{\"chunks\": [\n  {\"id\": 1, \"shell\": \"true\"},\n  {\"id\": 7,\n   \"shell\": \"true\",\n   \"imput\": 1}\n]}";
        assert_eq!(error("a.json", json), format!("a.json: chunk 7 (line 5): {problem}"));
        let lines = "{\"manifest\": {}}\n\n{\"id\": 1, \"shell\": \"true\"}\n{\"id\": 7, \"imput\": 1, \"shell\": \"true\"}\n";
        assert_eq!(error("a.jsonl", lines), format!("a.jsonl: chunk 7 (line 4): {problem}"));
        assert_eq!(
            error("a.toml", "[[chunks]]\nid = 1\n"),
            "a.toml: chunk 1 (line 1): there is neither `run` nor `shell`; each chunk says what is to be run"
        );
        assert_eq!(error("a.toml", "[[chunks]]\nid = 1\nid = 2\n"), "a.toml: line 3: duplicate key");
    }

    #[test]
    fn what_is_no_manifest_is_told_apart_from_what_is_not_there() {
        let code = |path: &Path| crate::exit::code_of(&read(path).unwrap_err());
        let (folder, path) = written("a.yaml", "chunks: 1");
        assert_eq!(code(&path), Code::Usage);
        assert_eq!(code(&folder.path().join("b.toml")), Code::NotFound);
        assert_eq!(code(&folder.path().join("b.jsonl")), Code::NotFound);
    }

    #[test]
    fn chunk_may_lose_its_worker_often_unless_the_manifest_says_otherwise() {
        let check = |name: &str, text: &str, expected: u32| {
            let (_folder, path) = written(name, text);
            assert_eq!(read(&path).unwrap().spec.options.unwrap().retry.max_crashes, expected, "{text}");
        };
        let chunk = "[[chunks]]\nid = 1\nshell = \"true\"\n";
        check("a.toml", chunk, MAX_CRASHES);
        check("a.toml", &format!("[retry]\nretries = 1\n{chunk}"), MAX_CRASHES);
        check("a.toml", &format!("[retry]\nmax_crashes = 3\n{chunk}"), 3);
        check("a.json", "{\"retry\": {\"max_crashes\": 3}, \"chunks\": [{\"id\": 1, \"shell\": \"true\"}]}", 3);
        check("a.jsonl", "{\"manifest\": {\"retry\": {\"max_crashes\": 3}}}\n{\"id\": 1, \"shell\": \"true\"}", 3);
        check("a.jsonl", "{\"id\": 1, \"shell\": \"true\"}", MAX_CRASHES);
    }

    #[test]
    fn lines_are_read_again_each_time() {
        let (_folder, path) =
            written("a.jsonl", "{\"id\": 1, \"shell\": \"true\"}\n{\"id\": 2, \"shell\": \"true\", \"timeout\": 5}\n");
        let read = read(&path).unwrap();
        for _ in 0..2 {
            let chunks: Vec<_> = read.chunks.all().unwrap().map(Result::unwrap).collect();
            assert_eq!(chunks.len(), 2);
            assert!(chunks[1].timeout.is_none() && chunks[1].extra.as_json().contains("\"timeout\":\"5s\""));
        }
    }
}
