//! The few calls of the kernel that the standard library has not: signals to one process, and dying with one's parent.

#![expect(unsafe_code, reason = "no safe crate that is here has these calls")]

use std::io;

use anyhow::{Context, Result, ensure};

/// A signal that the rigs send.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Signal {
    Kill,
    Stop,
    Continue,
}

/// Sends a signal to a process. It must be a child of this one that was not waited for, so that its number is not another's.
pub(crate) fn signal(pid: u32, signal: Signal) -> Result<()> {
    let number = match signal {
        Signal::Kill => libc::SIGKILL,
        Signal::Stop => libc::SIGSTOP,
        Signal::Continue => libc::SIGCONT,
    };
    // SAFETY: takes two numbers, and touches no memory.
    checked(unsafe { libc::kill(libc::pid_t::try_from(pid)?, number) }).with_context(|| format!("send {signal:?} to {pid}"))
}

/// Has this process killed when the thread that started it ends, however that ends.
pub(crate) fn die_with_parent(parent: u32) -> Result<()> {
    // SAFETY: takes numbers, and touches no memory.
    checked(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) }).context("die with the parent")?;
    // It may have gone before.
    ensure!(std::os::unix::process::parent_id() == parent, "the rig that started this worker is gone");
    Ok(())
}

/// Kills this very process, as `kill -9` does.
pub(crate) fn kill_self() -> Result<()> {
    signal(std::process::id(), Signal::Kill)
}

/// The error of a call that answers -1 for one.
pub(crate) fn checked(answer: libc::c_int) -> io::Result<()> {
    if answer == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
