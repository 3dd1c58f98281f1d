//! Child processes: this test binary once more, in a role.

use std::{
    env, fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

/// The variables that name the role and the store.
const ROLE: &str = "MAGNETAR_TEST_ROLE";
const STORE: &str = "MAGNETAR_TEST_STORE";

/// What begins a line that a child says, among what the test harness writes.
const SAYS: &str = "says: ";

/// A child in a role. It is killed when this is dropped.
pub(crate) struct Process {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

/// The command that runs a test binary in a role: the test `child` alone, which plays it.
pub(crate) fn command(program: &Path, role: &str, store: &Path) -> Command {
    with_role(Command::new(program), role, store)
}

/// Another command that ends in running a test binary, told of its role.
pub(crate) fn with_role(mut command: Command, role: &str, store: &Path) -> Command {
    command.args(["--exact", "child", "--nocapture", "--test-threads=1"]).env(ROLE, role).env(STORE, store);
    command
}

pub(crate) fn this_program() -> PathBuf {
    env::current_exe().unwrap()
}

/// In a child: its role, and where its store is.
pub(crate) fn role() -> Option<(String, PathBuf)> {
    Some((env::var(ROLE).ok()?, PathBuf::from(env::var_os(STORE)?)))
}

/// In a child: tells the parent something.
pub(crate) fn say(text: impl std::fmt::Display) {
    let mut out = std::io::stdout().lock();
    // The harness may have begun the line.
    writeln!(out, "\n{SAYS}{text}").unwrap();
    out.flush().unwrap();
}

/// In a child: waits for the parent's word.
pub(crate) fn listen() -> String {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    line.trim().to_owned()
}

impl Process {
    pub(crate) fn in_role(role: &str, store: &Path) -> Self {
        Self::of(&mut command(&this_program(), role, store))
    }

    pub(crate) fn of(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, input, output }
    }

    /// The next thing the child says; none once it has ended.
    pub(crate) fn next(&mut self) -> Option<String> {
        let mut line = String::new();
        while self.output.read_line(&mut line).unwrap() > 0 {
            if let Some(text) = line.trim_end().strip_prefix(SAYS) {
                return Some(text.to_owned());
            }
            line.clear();
        }
        None
    }

    pub(crate) fn expect(&mut self, text: &str) {
        assert_eq!(self.next().as_deref(), Some(text));
    }

    pub(crate) fn tell(&mut self, text: &str) {
        writeln!(self.input, "{text}").unwrap();
        self.input.flush().unwrap();
    }

    /// Everything the child says until it ends, which must be in good order.
    pub(crate) fn rest(mut self) -> Vec<String> {
        let rest = std::iter::from_fn(|| self.next()).collect();
        let status = self.child.wait().unwrap();
        assert!(status.success(), "a child failed ({status}) after it said {rest:?}");
        rest
    }

    /// Sends a signal to this one process, by its number.
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").args([format!("-{name}"), self.child.id().to_string()]).status().unwrap();
        assert!(status.success(), "kill -{name} failed");
    }

    /// Kills it as `kill -9` does, and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        self.signal("KILL");
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The names in a folder, sorted.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
