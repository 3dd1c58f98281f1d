//! The program under test in a folder of its own, and jobs for it to look at.

pub(crate) mod jobs;
pub(crate) mod normal;
pub(crate) mod terminal;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use tempfile::TempDir;

pub(crate) use self::normal::normal;

/// A folder of a test's own. Commands run in it, so no path of the host is in what they print.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.at(name), text).unwrap();
    }

    /// The program, with no more of the surroundings than it needs.
    pub(crate) fn command(&self, args: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_magnetar"));
        command.args(words(args)).current_dir(self.path()).env_clear().stdin(Stdio::null());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("TERM", "xterm-256color");
        command
    }

    /// Runs the program to its end.
    pub(crate) fn run(&self, args: &str) -> Ran {
        let mut ran = Ran::of(args, &self.command(args).output().unwrap());
        // Stores are told by their whole path.
        let folder = fs::canonicalize(self.path()).unwrap();
        for text in [&mut ran.stdout, &mut ran.stderr] {
            *text = text.replace(folder.to_str().unwrap(), "/folder");
        }
        ran
    }

    /// Runs the program, and has what it prints in a form that is the same each time.
    pub(crate) fn shown(&self, args: &str) -> String {
        self.run(args).shown()
    }
}

/// Words between blanks; those in single quotes may hold some.
fn words(line: &str) -> Vec<String> {
    let quoted = |(place, part): (usize, &str)| -> Vec<String> {
        if place % 2 == 1 { vec![part.to_owned()] } else { part.split_whitespace().map(str::to_owned).collect() }
    };
    line.split('\'').enumerate().flat_map(quoted).collect()
}

/// What came of the program.
pub(crate) struct Ran {
    args: String,
    /// The exit code; none where a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    pub(crate) fn of(args: &str, output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        Self { args: args.to_owned(), code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }

    /// The whole of it, for a snapshot.
    pub(crate) fn shown(&self) -> String {
        let code = self.code.map_or("none".to_owned(), |code| code.to_string());
        let stderr = if self.stderr.is_empty() { String::new() } else { format!("---- stderr\n{}", self.stderr) };
        normal(&format!("$ magnetar {}\n{}{stderr}---- exit code {code}", self.args, self.stdout))
    }

    /// The same, if it ended so.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}", self.shown());
        self
    }
}
