//! Runs that go on while a test looks, and what they leave in files.

use std::{
    fs,
    io::Read,
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use crate::support::{Folder, Ran};

/// How long something that must happen is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// A program that runs. It is killed where a test ends before it.
pub(super) struct Running(Option<Child>);

impl Running {
    /// Starts `magnetar run` with these arguments.
    pub(super) fn start(folder: &Folder, args: &str) -> Self {
        let mut command = folder.command(args);
        Self::of(&mut command)
    }

    /// Starts a program whose output is taken at its end.
    pub(super) fn of(command: &mut Command) -> Self {
        Self(Some(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()))
    }

    pub(super) fn pid(&self) -> Pid {
        pid(self.0.as_ref().unwrap().id())
    }

    pub(super) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// Kills it as `kill -9` does, and waits until it is gone: it, and not what it started.
    pub(super) fn kill(mut self) {
        let mut child = self.0.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Waits for its end.
    pub(super) fn end(mut self) -> Ran {
        let child = self.0.take().unwrap();
        Ran::of("run", &child.wait_with_output().unwrap())
    }

    /// Its exit code, if it has ended.
    pub(super) fn has_ended(&mut self) -> bool {
        self.0.as_mut().unwrap().try_wait().unwrap().is_some()
    }

    /// The supervisors that it has started.
    pub(super) fn supervisors(&self) -> Vec<Pid> {
        let pid = self.pid().as_raw_nonzero();
        let list = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        list.split_whitespace().map(|pid| self::pid(pid.parse().unwrap())).collect()
    }
}

impl From<Child> for Running {
    fn from(child: Child) -> Self {
        Self(Some(child))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

pub(super) fn pid(number: u32) -> Pid {
    Pid::from_raw(i32::try_from(number).unwrap()).unwrap()
}

/// Waits until something is so.
#[track_caller]
pub(super) fn until(what: &str, is_so: impl FnMut() -> bool) {
    assert!(comes_true(is_so), "{what} has not come true");
}

/// Whether something comes true in time.
#[expect(clippy::disallowed_methods, reason = "another process makes it true, and gives no sign but that")]
pub(super) fn comes_true(mut is_so: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        if Instant::now() > deadline {
            return false;
        }
        thread::sleep(Duration::from_millis(2));
    }
    true
}

/// Whether a process is there. A zombie is not: it does nothing any more.
pub(super) fn lives(pid: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap_or_default();
    let state = stat.rsplit_once(") ").map_or("", |(_, rest)| rest).chars().next();
    test_kill_process(pid).is_ok() && !matches!(state, None | Some('Z' | 'X'))
}

impl Folder {
    /// A file's text; empty where there is none.
    pub(super) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.at(name)).unwrap_or_default()
    }

    /// A file's lines.
    pub(super) fn lines(&self, name: &str) -> Vec<String> {
        self.read(name).lines().map(str::to_owned).collect()
    }

    /// The processes whose numbers stand in a file, one a line.
    pub(super) fn pids(&self, name: &str) -> Vec<Pid> {
        self.lines(name).iter().filter_map(|line| line.parse().ok()).map(pid).collect()
    }
}

/// Reads everything, as long as anybody holds the other end.
pub(super) fn read_all(mut from: impl Read) -> String {
    let mut text = String::new();
    from.read_to_string(&mut text).unwrap();
    text
}

/// What came of a command that ran to its end.
pub(super) fn ran(command: &mut Command) -> Output {
    command.output().unwrap()
}
