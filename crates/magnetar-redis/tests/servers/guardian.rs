//! A shell that stands between a test and its server: it kills the server as soon as nobody holds its input open any more. So a server does not
//! outlive the test's process, whatever ends that.

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};

/// Runs the words after the first two, tells its pid, and waits. The server is a child that has not been waited for, so its pid is still its own
/// when it is killed.
const SCRIPT: &str = r#"
log=$1; folder=$2; shift 2
"$@" </dev/null >>"$log" 2>&1 &
pid=$!
echo "$pid"
read -r word
kill -9 "$pid"
wait "$pid"
[ "$word" = keep ] || rm -rf -- "$folder"
"#;

pub(crate) struct Guardian {
    shell: Child,
    input: Option<ChildStdin>,
    server: Pid,
}

impl Guardian {
    /// Runs a program, with its output in a file. Its folder goes when it goes.
    pub(crate) fn start(words: &[&str], log: &Path, folder: &Path) -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", SCRIPT, "guardian"]).arg(log).arg(folder).args(words);
        let mut shell = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let input = shell.stdin.take();
        let mut line = String::new();
        BufReader::new(shell.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let server = Pid::from_raw(line.trim().parse().unwrap()).unwrap();
        Self { shell, input, server }
    }

    pub(crate) fn pid(&self) -> i32 {
        self.server.as_raw_pid()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.server, signal).unwrap();
    }

    /// Kills the server and leaves its folder.
    pub(crate) fn kill_and_keep(mut self) {
        self.input.as_mut().unwrap().write_all(b"keep\n").unwrap();
    }
}

impl Drop for Guardian {
    fn drop(&mut self) {
        drop(self.input.take());
        self.shell.wait().unwrap();
    }
}
