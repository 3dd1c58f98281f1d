//! `--each`: a chunk for each file that matches.

mod insert;
mod pattern;

pub(super) use self::insert::key;

use std::{
    collections::BTreeSet,
    path::{Component, Path},
};

use anyhow::Result;
use magnetar::{JobOptions, JobSpec, Location, RetryPolicy, limits};
use serde_json::Value;

use super::manifest::MAX_CRASHES;
use crate::{
    exit::{Code, fault},
    fingerprint::sha256_of,
    work::Template,
};

/// How the names of stores begin that stand in the folder where `--each` was run.
const STORE_PREFIX: &str = "magnetar-";

/// Digits of the name that is made of the command line.
const NAME_DIGITS: usize = 8;

/// A command with a place for the file.
#[derive(Clone, Debug)]
pub(super) struct Command(Vec<Value>);

impl Command {
    /// Checks the words of a command. Where none of them has a place for the file, it comes last.
    pub(super) fn parse(words: &[String]) -> Result<Self> {
        let mut has_input = false;
        for word in words {
            let template = Template::parse(word).map_err(|problem| fault(Code::Usage, format!("the command: {problem}")))?;
            has_input |= template.has_input();
        }
        let last = (!has_input).then(|| Value::from("{}"));
        Ok(Self(words.iter().map(|word| Value::from(word.as_str())).chain(last).collect()))
    }
}

/// The files that match, in order.
#[derive(Debug)]
pub(super) struct Files {
    /// Paths as the command gets them.
    paths: Vec<String>,
    command: Command,
}

impl Files {
    /// Finds the files that match, without those of the store itself.
    ///
    /// # Errors
    /// Not found where none matches; usage for a pattern that is none, and for a name that is no UTF-8.
    pub(super) fn find(patterns: &[String], command: Command, store: &Location) -> Result<Self> {
        let own = store.file().and_then(|file| std::path::absolute(file).ok());
        let mut paths = BTreeSet::new();
        for pattern in patterns {
            // A shell may have filled in names already, and a name may look like a pattern.
            if Path::new(pattern).is_file() {
                paths.insert(name_of(Path::new(pattern))?);
                continue;
            }
            for path in pattern::find(pattern)? {
                if !belongs_to_store(own.as_deref(), &path) {
                    paths.insert(name_of(&path)?);
                }
            }
        }
        if paths.is_empty() {
            let shown: Vec<_> = patterns.iter().map(|pattern| format!("{pattern:?}")).collect();
            return Err(fault(Code::NotFound, format!("no file matches {}", shown.join(", "))));
        }
        if paths.len() > limits::MANIFEST_CHUNKS_MAX {
            let (found, max) = (paths.len(), limits::MANIFEST_CHUNKS_MAX);
            return Err(fault(Code::Usage, format!("{found} files match, and a job of --each has {max} at most")));
        }
        Ok(Self { paths: paths.into_iter().collect(), command })
    }
}

/// The name of the job: the user's, else one that is the same for the same command line and another for any other.
pub(super) fn name(given: Option<&str>, patterns: &[String], command: &[String]) -> Result<String> {
    if let Some(name) = given {
        if name.is_empty() || name.contains(['/', '\0']) {
            return Err(fault(Code::Usage, format!("{name:?} is no name for a job: its store is called after it")));
        }
        return Ok(name.to_owned());
    }
    let program = command.first().map_or("", String::as_str);
    let program = Path::new(program).file_name().map_or_else(Default::default, |name| name.to_string_lossy());
    let line = serde_json::to_vec(&(patterns_of(patterns), command))?;
    let digits = sha256_of(&line);
    Ok(format!("{program}-{}", digits.get(..NAME_DIGITS).unwrap_or_default()))
}

/// What names the job: the patterns. Names that a shell has filled in differ from run to run, and count as one pattern.
fn patterns_of(patterns: &[String]) -> Vec<&str> {
    patterns.iter().map(String::as_str).filter(|text| pattern::is_pattern(text)).collect()
}

/// What a job of `--each` is made of.
pub(super) fn spec() -> JobSpec {
    let retry = RetryPolicy { max_crashes: MAX_CRASHES, ..RetryPolicy::default() };
    JobSpec { name: None, kind: "each".to_owned(), options: Some(JobOptions { retry, ..JobOptions::default() }) }
}

/// A path as it is stored, the same however it was written: without `./`.
fn name_of(path: &Path) -> Result<String> {
    let plain: std::path::PathBuf = path.components().filter(|part| *part != Component::CurDir).collect();
    plain.into_os_string().into_string().map_err(|name| {
        let shown = Path::new(&name).display();
        fault(Code::Usage, format!("the name of {shown} is no UTF-8, which a stored job must be; rename it"))
    })
}

/// Whether a path is a store's file, what stands beside it under its name, or within that. Stores of other jobs of `--each`
/// count too, as far as their names tell.
fn belongs_to_store(store: Option<&Path>, path: &Path) -> bool {
    let path = std::path::absolute(path).unwrap_or_default();
    let is_own = |part: &Path| {
        let store = store.filter(|store| store.parent() == part.parent());
        let names = store.and_then(Path::file_name).zip(part.file_name());
        let rest = names.and_then(|(own, name)| name.as_encoded_bytes().strip_prefix(own.as_encoded_bytes()));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"-"))
    };
    let is_anothers = |part: &Path| {
        let name = part.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(STORE_PREFIX) && name.contains(".db")
    };
    path.ancestors().any(|part| is_own(part) || is_anothers(part))
}

/// Where the store of a job of this name is, where the user does not say.
pub(super) fn location(name: &str) -> Result<Location> {
    Ok(Location::of_file(format!("{STORE_PREFIX}{name}.db"))?)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::exit::code_of;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    fn find(folder: &Path, pattern: &str) -> Result<Vec<String>> {
        let pattern = format!("{}/{pattern}", folder.display());
        let store = Location::of_file(folder.join("own.db"))?;
        let files = Files::find(&[pattern], Command::parse(&words(&["true"]))?, &store)?;
        let prefix = format!("{}/", folder.display());
        Ok(files.paths.iter().map(|path| path.strip_prefix(&prefix).unwrap().to_owned()).collect())
    }

    #[test]
    fn file_comes_last_where_the_command_names_no_place() {
        let check = |given: &[&str], expected: &[&str]| assert_eq!(Command::parse(&words(given)).unwrap().0, expected);
        check(&["gzip", "-k"], &["gzip", "-k", "{}"]);
        check(&["gzip", "{}", "-k"], &["gzip", "{}", "-k"]);
        check(&["cp", "{input}", "out/{name}"], &["cp", "{input}", "out/{name}"]);
        assert_eq!(code_of(&Command::parse(&words(&["awk", "{print}"])).unwrap_err()), Code::Usage);
    }

    #[test]
    fn files_are_found_whatever_they_are_called() {
        let folder = tempfile::tempdir().unwrap();
        let names = ["a b", "c\nd", "-rf", "quo'te\"", "x[1]", "{y}", "ü"];
        for name in names.iter().chain(&[".hidden", "own.db", "own.db-wal", "magnetar-x-12345678.db"]) {
            fs::write(folder.path().join(name), "").unwrap();
        }
        fs::create_dir(folder.path().join("folder")).unwrap();
        let mut expected = names;
        expected.sort_unstable();
        assert_eq!(find(folder.path(), "*").unwrap(), expected);
        assert_eq!(find(folder.path(), "x[1]").unwrap(), ["x[1]"]);
        assert_eq!(find(folder.path(), ".*").unwrap(), [".hidden"]);
    }

    #[test]
    fn no_match_no_pattern_and_no_utf_8_are_refused() {
        use std::{ffi::OsString, os::unix::ffi::OsStringExt};

        let folder = tempfile::tempdir().unwrap();
        let error = find(folder.path(), "*.txt").unwrap_err();
        assert_eq!(code_of(&error), Code::NotFound);
        assert!(error.to_string().contains("*.txt"), "{error}");
        assert_eq!(code_of(&find(folder.path(), "[a").unwrap_err()), Code::Usage);
        fs::write(folder.path().join(OsString::from_vec(b"a\xff.txt".to_vec())), "").unwrap();
        let error = find(folder.path(), "*.txt").unwrap_err();
        assert_eq!(code_of(&error), Code::Usage);
        assert!(error.to_string().contains("no UTF-8"), "{error}");
    }

    #[test]
    fn name_is_the_same_for_the_same_command_line_only() {
        let of = |patterns: &[&str], command: &[&str]| name(None, &words(patterns), &words(command)).unwrap();
        let once = of(&["*.txt"], &["/bin/gzip", "-k"]);
        assert!(once.starts_with("gzip-") && once.len() == "gzip-".len() + NAME_DIGITS);
        assert_eq!(of(&["*.txt"], &["/bin/gzip", "-k"]), once);
        assert_ne!(of(&["*.csv"], &["/bin/gzip", "-k"]), once);
        assert_ne!(of(&["*.txt"], &["/bin/gzip", "-9"]), once);
        assert_eq!(of(&["a", "b"], &["gzip"]), of(&["c"], &["gzip"]));
        assert_eq!(name(Some("thumbs"), &[], &[]).unwrap(), "thumbs");
        assert!(name(Some("a/b"), &[], &[]).is_err());
    }

    #[test]
    fn files_of_stores_are_known_wherever_they_stand() {
        let check = |path: &str, expected: bool| {
            assert_eq!(belongs_to_store(Some(Path::new("/d/own.db")), Path::new(path)), expected, "{path}");
        };
        check("/d/own.db", true);
        check("/d/own.db-shm", true);
        check("/d/own.db-sessions/session-1", true);
        check("/d/own.dbx", false);
        check("/e/own.db", false);
        check("/e/magnetar-gzip-1234abcd.db-wal", true);
        check("/e/magnetar.txt", false);
    }
}
