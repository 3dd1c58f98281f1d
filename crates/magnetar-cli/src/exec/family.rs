//! Processes that have become children of this one, and the end of them.
//!
//! A process whose parent dies becomes the child of the nearest *subreaper* above it. That is how a command which daemonises is
//! found again: no process can take that from its descendants. Only Linux has it.

use std::{collections::HashSet, io, time::Duration};

use rustix::{
    io::Errno,
    process::{Pid, Signal, getpgid, kill_process, kill_process_group},
};
use tokio::time::{Instant, sleep};

/// How long the first look at what is left is waited for, and the longest wait between looks.
const PAUSE_MIN: Duration = Duration::from_millis(1);
const PAUSE_MAX: Duration = Duration::from_millis(50);

/// Makes this process the one to which orphans among its descendants fall.
pub(super) fn adopt() -> io::Result<()> {
    #[cfg(target_os = "linux")]
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    Ok(())
}

/// The children of this process that are alive, except some that are known. What has ended among the others is reaped.
pub(super) fn orphans(is_known: impl Fn(Pid) -> bool) -> Vec<Pid> {
    // An error means that it is no child any more.
    let lives = |pid: &Pid| wait4::try_wait4_pid(number(*pid)).is_ok_and(|ended| ended.is_none());
    children().into_iter().filter(|pid| !is_known(*pid)).filter(lives).collect()
}

/// Ends everything that `find` finds, until it finds nothing: asks by SIGTERM, and kills what is still there after the grace.
///
/// What may not be killed, because it runs with the rights of another user, is left alone.
pub(super) async fn end(grace: Duration, find: impl Fn() -> Vec<Pid>) {
    let deadline = Instant::now() + grace;
    let (mut asked, mut spared) = (HashSet::new(), HashSet::new());
    let mut pause = PAUSE_MIN;
    loop {
        let left: Vec<Pid> = find().into_iter().filter(|pid| !spared.contains(pid)).collect();
        if left.is_empty() {
            return;
        }
        for pid in left {
            let may = if Instant::now() >= deadline {
                signal(pid, Signal::KILL)
            } else {
                // One that is stopped hears nothing else until it goes on.
                !asked.insert(pid) || signal(pid, Signal::TERM) && signal(pid, Signal::CONT)
            };
            if !may {
                spared.insert(pid);
            }
        }
        sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// Sends a signal to a process, and to its whole process group where it leads one. Returns whether that is allowed.
pub(super) fn signal(pid: Pid, signal: Signal) -> bool {
    let leads = getpgid(Some(pid)).is_ok_and(|group| group == pid);
    let sent = if leads { kill_process_group(pid, signal) } else { kill_process(pid, signal) };
    sent != Err(Errno::PERM)
}

/// The process as a plain number.
pub(super) fn number(pid: Pid) -> u32 {
    pid.as_raw_nonzero().get().unsigned_abs()
}

/// Whether a process is in this process group.
pub(super) fn is_in_group(pid: Pid, group: Pid) -> bool {
    getpgid(Some(pid)) == Ok(group)
}

/// Whether a process was started with this variable, or by one that was: then its value goes on behind a slash.
///
/// One that was started with another environment, or has written over it, is not known by it.
pub(super) fn is_marked(pid: Pid, variable: &str, value: &str) -> bool {
    let environment = std::fs::read(format!("/proc/{}/environ", number(pid))).unwrap_or_default();
    let marked = |entry: &[u8]| {
        let rest = entry.strip_prefix(variable.as_bytes())?.strip_prefix(b"=")?.strip_prefix(value.as_bytes())?;
        Some(rest.is_empty() || rest.starts_with(b"/"))
    };
    environment.split(|byte| *byte == 0).any(|entry| marked(entry) == Some(true))
}

/// Orphans fall to the main thread, and the supervisor has no other.
#[cfg(target_os = "linux")]
fn children() -> Vec<Pid> {
    let own = std::process::id();
    let list = std::fs::read_to_string(format!("/proc/{own}/task/{own}/children")).unwrap_or_default();
    list.split_whitespace().filter_map(|pid| pid.parse().ok().and_then(Pid::from_raw)).collect()
}

#[cfg(not(target_os = "linux"))]
fn children() -> Vec<Pid> {
    Vec::new()
}
