//! What a chunk runs: the keys of a manifest's chunk that are the command line's own.
//!
//! ```toml
//! [[chunks]]
//! id = 1
//! run = ["gzip", "-k", "{input}"]   # a program and its arguments, without a shell; placeholders are filled in
//! input = "a/data.csv"              # optional; a file, or an array of files: what the work is made from
//! output = "a/data.csv.gz"          # optional; a file that is made; its folder is made before
//! checksum = "…"                    # optional; the SHA-256 of the one input, which must fit before anything runs
//! env = { LEVEL = "9" }             # optional; variables, in which placeholders are filled in too
//! cwd = "a"                         # optional; the folder to run in, else that of the manifest
//! timeout = "5m"                    # optional; then the command and all it started is killed
//!
//! [[chunks]]
//! id = 2
//! depends_on = [1]
//! shell = 'sort "$@" > "$MAGNETAR_OUTPUT"'   # a line for /bin/sh, instead of `run`; the inputs are its arguments
//! input = ["b.csv", "c.csv"]
//! output = "sorted.csv"
//! ```
//!
//! Nothing is filled into a shell line. A file's name may hold anything, and text that is put into a line becomes part of the
//! program: a file called `; rm -rf ~` would be run. What a line needs comes as arguments and variables, which a shell does
//! not read as program.
//!
//! Relative paths begin at the manifest's folder. A chunk with another key is refused: it would be a typing error that nobody
//! notices.

mod command;
mod keys;
mod path;
mod problem;
mod template;

use std::{collections::BTreeMap, time::Duration};

use magnetar::{Extra, NewChunk};
use serde_json::{Map, Value};

pub(crate) use self::{command::Surroundings, path::Base, problem::Problem, template::Template};

/// What one chunk runs, checked.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Work {
    pub(crate) action: Action,
    /// The files that the work is made from, as they are written in the manifest.
    pub(crate) inputs: Vec<String>,
    pub(crate) output: Option<String>,
    pub(crate) env: BTreeMap<String, Template>,
    pub(crate) cwd: Option<String>,
    pub(crate) timeout: Option<Duration>,
}

/// A program or a shell line.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Action {
    /// A program and its arguments; one at least.
    Run(Vec<Template>),
    /// A line for a shell.
    Shell(String),
}

impl Work {
    /// Reads what a stored chunk runs.
    pub(crate) fn of(extra: &Extra) -> Result<Self, Problem> {
        keys::read(&extra.to_map())
    }

    /// Checks a chunk of a manifest, and makes it what is stored.
    ///
    /// The timeout becomes one of this program's own. The store's begins with the claim and takes the chunk back at once; the
    /// command's begins with the command, and nothing of it runs any more when the chunk is given back.
    pub(crate) fn prepare(chunk: &mut NewChunk) -> Result<(), Problem> {
        let mut keys = chunk.extra.to_map();
        if let Some(timeout) = chunk.timeout.take() {
            keys.insert("timeout".to_owned(), Value::String(humantime::format_duration(timeout).to_string()));
        }
        let work = keys::read(&keys)?;
        work.check_checksum(chunk.checksum.as_deref())?;
        chunk.extra = Extra::new(&keys);
        Ok(())
    }

    /// The keys of a chunk that runs a program on a file.
    pub(crate) fn each(argv: &[Value], input: &str) -> Extra {
        let run = ("run".to_owned(), Value::Array(argv.to_vec()));
        let input = ("input".to_owned(), Value::String(input.to_owned()));
        Extra::new(&Map::from_iter([run, input]))
    }

    fn check_checksum(&self, checksum: Option<&str>) -> Result<(), Problem> {
        match (checksum, self.inputs.as_slice()) {
            (None, _) => Ok(()),
            (Some(_), []) => Err(Problem::ChecksumOfNothing),
            (Some(_), [_, _, ..]) => Err(Problem::ChecksumOfMany),
            (Some(checksum), [_]) if is_sha256(checksum) => Ok(()),
            (Some(checksum), [_]) => Err(Problem::NoChecksum { found: checksum.to_owned() }),
        }
    }
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use magnetar::manifest::{Format, Manifest};

    use super::*;

    fn prepared(chunk: &str) -> Result<NewChunk, Problem> {
        let text = format!("[[chunks]]\nid = 1\n{chunk}");
        let mut chunk = Manifest::parse(&text, Format::Toml).unwrap().chunks()[0].clone();
        Work::prepare(&mut chunk).map(|()| chunk)
    }

    #[test]
    fn chunk_that_is_stored_reads_as_it_was_written() {
        let chunk =
            prepared("run = [\"gzip\", \"-k\", \"{input}\"]\ninput = \"a b\"\ntimeout = 90\nenv = {A = \"{id}\"}").unwrap();
        assert_eq!(chunk.timeout, None);
        let work = Work::of(&chunk.extra).unwrap();
        assert_eq!((work.inputs, work.timeout), (vec!["a b".to_owned()], Some(Duration::from_secs(90))));
        assert!(matches!(work.action, Action::Run(argv) if argv.len() == 3));
        assert_eq!(work.env.keys().collect::<Vec<_>>(), ["A"]);
    }

    #[test]
    fn preparing_again_changes_nothing() {
        let once = prepared("shell = \"true\"\ntimeout = \"1m 30s\"\ninput = [\"a\", \"b\"]").unwrap();
        let mut twice = once.clone();
        Work::prepare(&mut twice).unwrap();
        assert_eq!(once, twice);
    }

    #[test]
    fn checksum_is_the_sha_256_of_one_input() {
        let sum = "a".repeat(64);
        let check = |keys: &str, expected: &str| {
            assert_eq!(prepared(&format!("shell = \"true\"\n{keys}")).unwrap_err().to_string(), expected);
        };
        check(&format!("checksum = \"{sum}\""), "key `checksum` is the SHA-256 of the input, and there is no `input`");
        check(
            &format!("checksum = \"{sum}\"\ninput = [\"a\", \"b\"]"),
            "key `checksum` is the SHA-256 of one input, and there are several",
        );
        check("checksum = \"abc\"\ninput = \"a\"", "key `checksum` must be a SHA-256, 64 hexadecimal digits, found \"abc\"");
        assert!(prepared(&format!("shell = \"true\"\nchecksum = \"{sum}\"\ninput = \"a\"")).is_ok());
    }
}
