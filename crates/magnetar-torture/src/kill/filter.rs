//! Which calls of the kernel change a file or its name, and the filter that stops a process at each of them and at no other.

#![expect(unsafe_code, reason = "no safe crate that is here installs a filter")]

use anyhow::{Context, Result};
use libc::{sock_filter, sock_fprog};

use super::sys::checked;

/// A call, by its name and number.
type Call = (&'static str, libc::c_long);

/// The calls that always stop.
const CALLS: &[Call] = &[
    ("write", libc::SYS_write),
    ("writev", libc::SYS_writev),
    ("pwrite64", libc::SYS_pwrite64),
    ("pwritev", libc::SYS_pwritev),
    ("pwritev2", libc::SYS_pwritev2),
    ("copy_file_range", libc::SYS_copy_file_range),
    ("sendfile", libc::SYS_sendfile),
    ("fsync", libc::SYS_fsync),
    ("fdatasync", libc::SYS_fdatasync),
    ("sync_file_range", libc::SYS_sync_file_range),
    ("msync", libc::SYS_msync),
    ("truncate", libc::SYS_truncate),
    ("ftruncate", libc::SYS_ftruncate),
    ("fallocate", libc::SYS_fallocate),
    ("renameat", libc::SYS_renameat),
    ("renameat2", libc::SYS_renameat2),
    ("unlinkat", libc::SYS_unlinkat),
    ("linkat", libc::SYS_linkat),
    ("symlinkat", libc::SYS_symlinkat),
    ("mkdirat", libc::SYS_mkdirat),
    ("fchmod", libc::SYS_fchmod),
    ("fchown", libc::SYS_fchown),
    #[cfg(target_arch = "x86_64")]
    ("rename", libc::SYS_rename),
    #[cfg(target_arch = "x86_64")]
    ("unlink", libc::SYS_unlink),
    #[cfg(target_arch = "x86_64")]
    ("rmdir", libc::SYS_rmdir),
    #[cfg(target_arch = "x86_64")]
    ("link", libc::SYS_link),
    #[cfg(target_arch = "x86_64")]
    ("symlink", libc::SYS_symlink),
    #[cfg(target_arch = "x86_64")]
    ("mkdir", libc::SYS_mkdir),
    #[cfg(target_arch = "x86_64")]
    ("creat", libc::SYS_creat),
];

/// The calls that stop where they may make a file, with the argument that says so.
const OPENS: &[(Call, u32)] = &[
    (("openat", libc::SYS_openat), 2),
    #[cfg(target_arch = "x86_64")]
    (("open", libc::SYS_open), 1),
];

/// The name of the call with this number among the filter's.
pub(crate) fn name(index: usize) -> &'static str {
    let opens = OPENS.iter().map(|((name, _), _)| *name);
    CALLS.iter().map(|(name, _)| *name).chain(opens).nth(index).unwrap_or("an unknown call")
}

/// Has every thread of this process that starts from now on stop for the tracer before each of the calls.
pub(crate) fn install() -> Result<()> {
    let program = program()?;
    let mut program = sock_fprog { len: u16::try_from(program.len())?, filter: program.leak().as_mut_ptr() };
    // SAFETY: takes numbers, and touches no memory.
    checked(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }).context("give up new privileges")?;
    // SAFETY: the program and what it points to live on, and its length is that of the filter.
    let answer = unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, std::ptr::from_mut(&mut program)) };
    checked(answer).context("install the filter")
}

/// The filter as the kernel takes it: a call's index goes to the tracer with the stop.
fn program() -> Result<Vec<sock_filter>> {
    // In `seccomp_data` the number of the call is first, and its arguments begin at byte 16. Their low halves come first on every
    // processor that this runs on.
    let load = |offset: u32| statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset);
    let answer = |value: u32| statement(libc::BPF_RET | libc::BPF_K, value);
    let mut program = vec![load(0)?];
    for (index, (_, number)) in CALLS.iter().enumerate() {
        program.push(jump(libc::BPF_JEQ, u32::try_from(*number)?, 0, 1)?);
        program.push(answer(libc::SECCOMP_RET_TRACE | u32::try_from(index)?)?);
    }
    for (index, ((_, number), argument)) in OPENS.iter().enumerate() {
        program.push(jump(libc::BPF_JEQ, u32::try_from(*number)?, 0, 4)?);
        program.push(load(16 + 8 * argument)?);
        program.push(jump(libc::BPF_JSET, u32::try_from(libc::O_CREAT)?, 0, 1)?);
        program.push(answer(libc::SECCOMP_RET_TRACE | u32::try_from(CALLS.len() + index)?)?);
        program.push(answer(libc::SECCOMP_RET_ALLOW)?);
    }
    program.push(answer(libc::SECCOMP_RET_ALLOW)?);
    Ok(program)
}

fn statement(code: u32, value: u32) -> Result<sock_filter> {
    Ok(sock_filter { code: u16::try_from(code)?, jt: 0, jf: 0, k: value })
}

fn jump(test: u32, value: u32, if_true: u8, if_false: u8) -> Result<sock_filter> {
    let code = u16::try_from(libc::BPF_JMP | test | libc::BPF_K)?;
    Ok(sock_filter { code, jt: if_true, jf: if_false, k: value })
}
