//! The life of one command, from its start until nothing is left of it.

use std::{
    io,
    os::unix::process::{CommandExt, ExitStatusExt},
    path::Path,
    process::{Child, ExitStatus, Stdio},
    time::Duration,
};

use rustix::{
    io::Errno,
    process::{Pid, Signal, kill_process_group},
};
use tokio::{
    sync::Notify,
    time::{Instant, sleep, timeout},
};

use super::{
    KILL_GRACE, Shared,
    output::{Output, pump},
};
use crate::exec::{
    command::Command,
    family,
    outcome::{End, Outcome},
};

/// What a command and all that it starts carry in their environment.
const MARKER: &str = "MAGNETAR_RUN";

/// The name of this supervisor: its number, behind the name of the attempt that it runs in, if it runs in one.
pub(super) fn name() -> String {
    let number = std::process::id();
    match std::env::var(MARKER) {
        Ok(outer) => format!("{outer}/{number}"),
        Err(_) => number.to_string(),
    }
}

/// Starts a command, and returns when it has ended and nothing is left of it.
pub(super) async fn attend(shared: &Shared, id: u64, command: Command, stop: &Notify) -> Outcome {
    let marker = format!("{}.{id}", shared.name);
    let begun = Instant::now();
    match start(shared, &command, &marker) {
        Ok((pid, stdout, stderr)) => {
            let life = Life { shared, pid, marker, begun };
            life.lead(command.timeout, stop, stdout, stderr).await
        }
        Err(error) => Outcome::bare(not_started(&command, &error)),
    }
}

fn start(shared: &Shared, command: &Command, marker: &str) -> io::Result<(Pid, Output, Output)> {
    let mut child = shared.programs.borrow_mut().start(command, |program| {
        std::process::Command::new(program)
            .arg0(&command.program)
            .args(&command.args)
            .envs(command.env.iter().map(|(name, value)| (name, value)))
            .env(MARKER, marker)
            .current_dir(&command.cwd)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
    })?;
    outputs(&mut child).and_then(|(stdout, stderr)| Ok((pid(&child)?, stdout, stderr))).inspect_err(|_| {
        // It must not go on unattended.
        let _ = child.kill().and_then(|()| child.wait());
    })
}

fn outputs(child: &mut Child) -> io::Result<(Output, Output)> {
    let missing = || io::Error::other("a pipe of a command is missing");
    let stdout = child.stdout.take().ok_or_else(missing)?;
    let stderr = child.stderr.take().ok_or_else(missing)?;
    Ok((Output::new(stdout), Output::new(stderr)))
}

fn pid(child: &Child) -> io::Result<Pid> {
    i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or_else(|| io::Error::other("a command has no number"))
}

/// A command that was started. It leads a process group of its own number.
struct Life<'a> {
    shared: &'a Shared,
    pid: Pid,
    marker: String,
    begun: Instant,
}

impl Life<'_> {
    async fn lead(self, limit: Option<Duration>, stop: &Notify, mut stdout: Output, mut stderr: Output) -> Outcome {
        let death = self.shared.deaths.expect(self.pid);
        let (why, elapsed) = tokio::select! {
            ended = self.end(limit, stop, &death) => ended,
            never = pump(&mut stdout, &mut stderr) => match never {},
        };
        let used = self.shared.deaths.reap(self.pid);
        let end = why.unwrap_or_else(|| match &used {
            Ok(Some(used)) => end_of(used.status),
            _ => End::Lost,
        });
        let peak_bytes = used.ok().flatten().map_or(0, |used| used.rusage.maxrss);
        let buffer = &mut *self.shared.buffer.borrow_mut();
        Outcome { end, elapsed, peak_bytes, stdout: stdout.finish(buffer), stderr: stderr.finish(buffer) }
    }

    /// Waits until the command has died, by itself or because it must, and nothing that it started is left. Returns why it had
    /// to, and how long it ran.
    async fn end(&self, limit: Option<Duration>, stop: &Notify, death: &Notify) -> (Option<End>, Duration) {
        let why = tokio::select! {
            biased;
            () = death.notified() => None,
            () = stop.notified() => Some(End::Stopped),
            over = over(limit) => Some(over),
        };
        if why.is_some() {
            self.signal(Signal::TERM);
            // One that is stopped hears nothing else until it goes on.
            self.signal(Signal::CONT);
            if timeout(KILL_GRACE, death.notified()).await.is_err() {
                self.signal(Signal::KILL);
                death.notified().await;
            }
        }
        let elapsed = self.begun.elapsed();
        family::end(KILL_GRACE, || self.left()).await;
        // The dead leader holds the group's number, so nobody else has it.
        let _ = kill_process_group(self.pid, Signal::KILL);
        (why, elapsed)
    }

    fn signal(&self, signal: Signal) {
        let _ = kill_process_group(self.pid, signal);
        // It may have gone over to another group.
        family::signal(self.pid, signal);
    }

    /// What the command has left behind: in its group, or elsewhere with its mark.
    fn left(&self) -> Vec<Pid> {
        let mut orphans = family::orphans(|pid| self.shared.deaths.is_unreaped(pid));
        orphans.retain(|pid| family::is_in_group(*pid, self.pid) || family::is_marked(*pid, MARKER, &self.marker));
        orphans
    }
}

/// Returns when the limit is over.
async fn over(limit: Option<Duration>) -> End {
    match limit {
        Some(limit) => {
            sleep(limit).await;
            End::TimedOut(limit)
        }
        None => std::future::pending().await,
    }
}

fn end_of(status: ExitStatus) -> End {
    match (status.code(), status.signal()) {
        (Some(code), _) => End::Exited(code),
        (None, Some(signal)) => End::Signalled(signal),
        (None, None) => End::Lost,
    }
}

fn not_started(command: &Command, error: &io::Error) -> End {
    let (program, cwd) = (Path::new(&command.program).display(), Path::new(&command.cwd));
    let (reason, is_permanent) = match error.kind() {
        io::ErrorKind::NotFound if !cwd.is_dir() => (format!("there is no folder {} to run in", cwd.display()), true),
        io::ErrorKind::NotFound if is_path(command) && Path::new(&command.program).exists() => {
            (format!("the interpreter that {program} names in its first line is missing"), true)
        }
        io::ErrorKind::NotFound if is_path(command) => (format!("there is no program {program}"), true),
        io::ErrorKind::NotFound => (format!("there is no program {program} in PATH"), true),
        io::ErrorKind::PermissionDenied => (format!("{program} may not be executed"), true),
        io::ErrorKind::ArgumentListTooLong => (format!("the arguments and variables of {program} are too long"), true),
        io::ErrorKind::InvalidInput => (format!("an argument or a variable of {program} holds a NUL"), true),
        _ => (format!("{program} cannot be started: {error}"), error.raw_os_error() == Some(Errno::NOEXEC.raw_os_error())),
    };
    End::NotStarted { error: reason, is_permanent }
}

fn is_path(command: &Command) -> bool {
    command.program.as_encoded_bytes().contains(&b'/')
}
