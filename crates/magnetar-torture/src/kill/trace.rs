//! A tracer that lets a process run to its k-th call that changes a file, and kills it there.

#![expect(unsafe_code, reason = "no safe crate that is here has ptrace")]

use std::{
    fs, io,
    path::{Path, PathBuf},
    ptr,
};

use anyhow::{Context, Result, bail, ensure};
use libc::{c_int, c_long, c_uint, c_ulong, pid_t};

use super::{
    filter,
    process::{self, Orders},
    sys::{self, Signal, checked},
};

/// The end of a process that may not be traced here.
const NOT_PERMITTED: i32 = 77;
/// After so many seconds a traced process is ended by the kernel. It takes less than one.
const SECONDS_MAX: c_uint = 60;

/// Which side of a call the process is killed at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// Before it has happened.
    Entry,
    /// After it has happened, before the process knows.
    Exit,
}

/// How a traced process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It was killed at this call.
    Killed(&'static str),
    /// It came to its end, having made so many calls.
    Whole(u64),
    /// Tracing is not permitted here.
    NotPermitted,
}

/// In a worker: has the process that started this one trace it, and goes on when that says so. It stops at each call of the
/// [`filter`] from then on.
pub(crate) fn be_traced() -> Result<()> {
    // SAFETY: takes a number.
    unsafe { libc::alarm(SECONDS_MAX) };
    if request(libc::PTRACE_TRACEME, 0, 0).is_err() {
        std::process::exit(NOT_PERMITTED);
    }
    // SAFETY: takes a number.
    checked(unsafe { libc::raise(libc::SIGSTOP) }).context("stop for the tracer")?;
    if filter::install().is_err() {
        std::process::exit(NOT_PERMITTED);
    }
    Ok(())
}

/// Runs a worker to its `kth` call, counted from 1 over all its threads, and kills it there.
///
/// The caller's thread must have no other child: what it waits for is told apart by nothing else.
///
/// # Errors
/// What the kernel says, or what the worker said where it ended badly.
pub(crate) fn run(program: &Path, orders: &Orders, moment: Moment, kth: u64) -> Result<End> {
    Traced::start(program, orders)?.run_to(moment, kth)
}

/// A process that is traced. It is killed and waited for when this is dropped.
struct Traced {
    pid: pid_t,
    is_gone: bool,
    said: PathBuf,
}

/// What a wait has found.
enum Event {
    /// A thread has ended, or the whole process where its number is the process's.
    Ended { thread: pid_t, status: c_int },
    /// A thread has stopped.
    Stopped { thread: pid_t, signal: c_int, event: c_int },
}

impl Traced {
    fn start(program: &Path, orders: &Orders) -> Result<Self> {
        let (child, said) = process::spawn(program, orders)?;
        let pid = pid_t::try_from(child.id())?;
        // From here on it is waited for by its number, with all its threads.
        drop(child);
        Ok(Self { pid, is_gone: false, said })
    }

    fn run_to(&mut self, moment: Moment, kth: u64) -> Result<End> {
        match self.wait()? {
            Event::Stopped { signal: libc::SIGSTOP, .. } => {}
            Event::Ended { status, .. } => return self.ended(status, 0),
            Event::Stopped { signal, .. } => bail!("the worker stopped by signal {signal} before it was traced"),
        }
        let options = libc::PTRACE_O_TRACECLONE
            | libc::PTRACE_O_TRACEFORK
            | libc::PTRACE_O_TRACEVFORK
            | libc::PTRACE_O_TRACESECCOMP
            | libc::PTRACE_O_TRACESYSGOOD
            | libc::PTRACE_O_EXITKILL;
        request(libc::PTRACE_SETOPTIONS, self.pid, options.into()).context("set the options of the trace")?;
        request(libc::PTRACE_CONT, self.pid, 0).context("go on")?;
        let mut calls = 0;
        // The call at which it is to be killed, and the thread that made it.
        let mut last: Option<(pid_t, &'static str)> = None;
        loop {
            let (thread, signal, event) = match self.wait()? {
                Event::Ended { thread, status } if thread == self.pid => return self.ended(status, calls),
                Event::Ended { .. } => continue,
                Event::Stopped { thread, signal, event } => (thread, signal, event),
            };
            if event == libc::PTRACE_EVENT_SECCOMP {
                calls += 1;
                let name = filter::name(event_data(thread)?);
                if calls == kth && moment == Moment::Entry {
                    return self.kill(name);
                }
                if calls == kth {
                    last = Some((thread, name));
                    // It stops again when the call has happened.
                    go_on(libc::PTRACE_SYSCALL, thread, 0)?;
                    continue;
                }
            } else if signal == libc::SIGTRAP | 0x80 {
                if let Some((_, name)) = last.filter(|(caller, _)| *caller == thread) {
                    return self.kill(name);
                }
            } else if event == 0 && signal != libc::SIGSTOP {
                // A signal of its own, which it gets. A new thread begins with a stop, which is the tracer's.
                go_on(libc::PTRACE_CONT, thread, signal)?;
                continue;
            }
            go_on(libc::PTRACE_CONT, thread, 0)?;
        }
    }

    fn kill(&mut self, name: &'static str) -> Result<End> {
        self.end()?;
        Ok(End::Killed(name))
    }

    /// Kills the process with all its threads, and waits until it is gone.
    fn end(&mut self) -> Result<()> {
        sys::signal(u32::try_from(self.pid)?, Signal::Kill)?;
        while !self.is_gone {
            if let Event::Ended { thread, .. } = self.wait()? {
                self.is_gone |= thread == self.pid;
            }
        }
        Ok(())
    }

    fn ended(&mut self, status: c_int, calls: u64) -> Result<End> {
        self.is_gone = true;
        if libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == NOT_PERMITTED {
            return Ok(End::NotPermitted);
        }
        let said = || fs::read_to_string(&self.said).unwrap_or_default();
        ensure!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0, "the worker failed ({status:#x}): {}", said());
        Ok(End::Whole(calls))
    }

    /// Waits for any thread of the process: of the children of this thread, that is, of which it is the only one.
    fn wait(&self) -> Result<Event> {
        let mut status = 0;
        let thread = loop {
            // SAFETY: the status is a number of ours.
            let answer = unsafe { libc::waitpid(-1, &raw mut status, libc::__WALL | libc::__WNOTHREAD) };
            match io::Error::last_os_error() {
                _ if answer > 0 => break answer,
                error if error.kind() == io::ErrorKind::Interrupted => {}
                error => return Err(error).with_context(|| format!("wait for process {}", self.pid)),
            }
        };
        if libc::WIFSTOPPED(status) {
            return Ok(Event::Stopped { thread, signal: libc::WSTOPSIG(status), event: status >> 16 });
        }
        Ok(Event::Ended { thread, status })
    }
}

impl Drop for Traced {
    fn drop(&mut self) {
        if !self.is_gone {
            // Where this fails, the process ends with its tracer, which has been asked of the kernel.
            let _ = self.end();
        }
        let _ = fs::remove_file(&self.said);
    }
}

/// Lets a thread go on. One that has died in the meantime is found by the next wait.
fn go_on(how: c_uint, thread: pid_t, signal: c_int) -> Result<()> {
    match request(how, thread, signal.into()) {
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(()),
        answer => answer.context("let a thread go on"),
    }
}

/// What comes with the event at which a thread has stopped: of a filter's, the index of the call.
fn event_data(thread: pid_t) -> Result<usize> {
    let mut data: c_ulong = 0;
    let place = ptr::from_mut(&mut data);
    // SAFETY: the kernel writes one number to where the last argument points, which is one of ours.
    let answer = unsafe { libc::ptrace(libc::PTRACE_GETEVENTMSG, thread, ptr::null_mut::<libc::c_void>(), place) };
    ensure!(answer != -1, "ask for an event: {}", io::Error::last_os_error());
    Ok(usize::try_from(data)?)
}

fn request(what: c_uint, thread: pid_t, data: c_long) -> io::Result<()> {
    // SAFETY: none of the requests that come here reads or writes memory of this process: their last argument is a number.
    let answer = unsafe { libc::ptrace(what, thread, ptr::null_mut::<libc::c_void>(), data) };
    if answer == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
