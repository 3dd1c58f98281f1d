//! Files whose paths match a pattern, as a shell finds them.
//!
//! `*` and `?` stay within one name, `[…]` is one of some characters, `{…,…}` one of some texts, `**` any number of folders,
//! none too. Names that begin with a dot are found only where the pattern's name begins with one. Links to files count as
//! files; `**` follows no links to folders, which may lead in circles.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::Result;
use globset::{GlobBuilder, GlobMatcher};

use crate::exit::{Code, fault};

/// One name of a pattern.
#[derive(Debug)]
enum Part {
    /// This name.
    Exactly(String),
    /// Every name that matches.
    Matching { matcher: GlobMatcher, finds_hidden: bool },
    /// Any number of folders.
    Folders,
}

/// Whether a text can match anything but itself.
pub(super) fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '[', ']', '{', '}', '\\'])
}

/// Finds the files, in no order.
///
/// # Errors
/// Usage where the pattern is none; what the system says to a folder that cannot be read.
pub(super) fn find(pattern: &str) -> Result<Vec<PathBuf>> {
    let (root, names) = match pattern.strip_prefix('/') {
        Some(names) => (PathBuf::from("/"), names),
        None => (PathBuf::new(), pattern),
    };
    let parts: Vec<Part> =
        names.split('/').filter(|name| !name.is_empty()).map(|name| part(pattern, name)).collect::<Result<_>>()?;
    let mut found = Vec::new();
    walk(&root, &parts, &mut found)
        .map_err(|(folder, error)| fault(Code::Unavailable, format!("look for files in {}: {error}", folder.display())))?;
    Ok(found)
}

fn part(pattern: &str, name: &str) -> Result<Part> {
    if name == "**" {
        return Ok(Part::Folders);
    }
    if !is_pattern(name) {
        return Ok(Part::Exactly(name.to_owned()));
    }
    let glob = GlobBuilder::new(name).literal_separator(true).backslash_escape(true).build();
    let glob = glob.map_err(|error| fault(Code::Usage, format!("{pattern:?} is no pattern: {}", error.kind())))?;
    Ok(Part::Matching { matcher: glob.compile_matcher(), finds_hidden: name.starts_with('.') })
}

type Walked = Result<(), (PathBuf, io::Error)>;

/// Goes on from a folder with the names that are left.
fn walk(folder: &Path, parts: &[Part], found: &mut Vec<PathBuf>) -> Walked {
    let Some((part, rest)) = parts.split_first() else { return Ok(()) };
    match part {
        Part::Exactly(name) => step(folder.join(name), rest, found),
        Part::Matching { matcher, finds_hidden } => {
            for entry in entries(folder)? {
                let name = entry.file_name();
                if (*finds_hidden || !is_hidden(&name)) && matcher.is_match(Path::new(&name)) {
                    step(folder.join(name), rest, found)?;
                }
            }
            Ok(())
        }
        Part::Folders => {
            walk(folder, rest, found)?;
            for entry in entries(folder)? {
                let name = entry.file_name();
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) && !is_hidden(&name) {
                    walk(&folder.join(name), parts, found)?;
                }
            }
            Ok(())
        }
    }
}

/// Takes a path that matches so far: the file at its end, or a folder on the way.
fn step(path: PathBuf, rest: &[Part], found: &mut Vec<PathBuf>) -> Walked {
    if rest.is_empty() {
        if path.is_file() {
            found.push(path);
        }
        return Ok(());
    }
    if path.is_dir() { walk(&path, rest, found) } else { Ok(()) }
}

/// What is in a folder; nothing where it is gone by now.
fn entries(folder: &Path) -> Result<Vec<fs::DirEntry>, (PathBuf, io::Error)> {
    let here = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    match fs::read_dir(here).and_then(Iterator::collect) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        read => read.map_err(|error| (here.to_owned(), error)),
    }
}

fn is_hidden(name: &std::ffi::OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_found_as_a_shell_finds_them() {
        let folder = tempfile::tempdir().unwrap();
        for file in ["a.txt", "b.txt", "b.csv", ".h.txt", "d/a.txt", "d/e/a.txt", "d/.h/a.txt", "x*y"] {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        std::os::unix::fs::symlink("../d", folder.path().join("d/up")).unwrap();
        let check = |pattern: &str, expected: &[&str]| {
            let found = find(&format!("{}/{pattern}", folder.path().display())).unwrap();
            let strip = |path: &PathBuf| path.strip_prefix(folder.path()).unwrap().to_str().unwrap().to_owned();
            let mut found: Vec<String> = found.iter().map(strip).collect();
            found.sort();
            assert_eq!(found, expected, "{pattern}");
        };
        check("*.txt", &["a.txt", "b.txt"]);
        check("{a,b}.{txt,csv}", &["a.txt", "b.csv", "b.txt"]);
        check("[!a].*", &["b.csv", "b.txt"]);
        check("?.txt", &["a.txt", "b.txt"]);
        check(".*", &[".h.txt"]);
        check("*", &["a.txt", "b.csv", "b.txt", "x*y"]);
        check("x\\*y", &["x*y"]);
        check("*/a.txt", &["d/a.txt"]);
        check("**/a.txt", &["a.txt", "d/a.txt", "d/e/a.txt"]);
        check("d/**", &[]);
        check("d/**/*", &["d/a.txt", "d/e/a.txt"]);
        check("d/up/a.txt", &["d/up/a.txt"]);
        check("d", &[]);
        check("none/*", &[]);
    }
}
