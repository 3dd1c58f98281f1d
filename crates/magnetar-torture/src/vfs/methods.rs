//! What is done to an open file, asked of the tap first.
//!
//! A file is opened by the system's VFS, in memory that SQLite provides. Then its table of functions is replaced by a copy with
//! six of ours in it, which call the system's with the same file. Behind the system's part of the memory is a tail of ours: the
//! number that the tap gave the file.

use std::{
    ffi::{c_int, c_void},
    ptr, slice,
    sync::{Mutex, PoisonError},
};

use rusqlite::ffi::{self, sqlite3_file, sqlite3_int64, sqlite3_io_methods};

use super::ask;
use crate::tap::{Act, Fault, FileNo, Verdict};

/// How much longer our files are than the system's.
pub(super) const TAIL_BYTES: c_int = 16;

const _: () = assert!(size_of::<Tail>() == 16);

/// Behind the system's part of a file.
#[repr(C)]
#[derive(Clone, Copy)]
struct Tail {
    number: FileNo,
    /// 1 where the tap saw it being opened.
    is_tapped: u64,
}

/// The table of functions that a file of ours points at. SQLite sees its first field.
#[repr(C)]
struct Methods {
    ours: sqlite3_io_methods,
    system: *const sqlite3_io_methods,
    /// Where a file's tail begins.
    tail: usize,
}

// SAFETY: it is never written to, and what it points at is static in SQLite.
unsafe impl Sync for Methods {}
// SAFETY: as above.
unsafe impl Send for Methods {}

/// One table for each that the system's VFS uses, which are two or three; they live as long as the process.
static TABLES: Mutex<Vec<&'static Methods>> = Mutex::new(Vec::new());

/// Puts our functions into a file that the system's VFS has opened.
///
/// # Safety
/// The file is open, and followed by room for a tail where the system's part of `system_bytes` ends.
pub(super) unsafe fn wrap(file: *mut sqlite3_file, system_bytes: c_int, number: Option<FileNo>) {
    // SAFETY: the caller promises an open file, whose functions are set and static.
    unsafe {
        let table = table((*file).pMethods, usize::try_from(system_bytes).unwrap_or_default());
        (*file).pMethods = &raw const table.ours;
        let tail = Tail { number: number.unwrap_or_default(), is_tapped: u64::from(number.is_some()) };
        file.byte_add(table.tail).cast::<Tail>().write_unaligned(tail);
    }
}

/// # Safety
/// `system` is a table of the system's VFS.
unsafe fn table(system: *const sqlite3_io_methods, tail: usize) -> &'static Methods {
    let mut tables = TABLES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = tables.iter().find(|table| table.system == system) {
        return known;
    }
    // SAFETY: the caller promises it.
    let mut ours = unsafe { *system };
    // Memory-mapped reads would go past us.
    ours.iVersion = ours.iVersion.min(2);
    ours.xRead = Some(read);
    ours.xWrite = Some(write);
    ours.xTruncate = Some(truncate);
    ours.xSync = Some(sync);
    ours.xFileSize = Some(file_size);
    ours.xShmMap = ours.xShmMap.map(|_| shm_map as _);
    let table: &'static Methods = Box::leak(Box::new(Methods { ours, system, tail }));
    tables.push(table);
    table
}

/// The system's functions for a file, and its number where it is tapped.
///
/// # Safety
/// The file is one that [`wrap`] was called for, and open.
unsafe fn parts(file: *mut sqlite3_file) -> (&'static sqlite3_io_methods, Option<FileNo>) {
    // SAFETY: `wrap` made the file's functions the first field of a leaked `Methods`, and wrote its tail.
    unsafe {
        let table = &*(*file).pMethods.cast::<Methods>();
        let tail = file.byte_add(table.tail).cast::<Tail>().read_unaligned();
        (&*table.system, (tail.is_tapped == 1).then_some(tail.number))
    }
}

/// What the tap says about an act on a file.
fn decide<'a>(number: Option<FileNo>, act: impl FnOnce(FileNo) -> Act<'a>) -> Verdict {
    number.map_or(Verdict::Go, |number| ask(act(number)))
}

/// SQLite's code of a fault: its own of the act for a device that failed.
fn code(fault: Fault, of_act: c_int) -> c_int {
    if fault == Fault::Device { of_act } else { ffi::SQLITE_FULL }
}

unsafe extern "C" fn read(file: *mut sqlite3_file, out: *mut c_void, amount: c_int, at: sqlite3_int64) -> c_int {
    // SAFETY: SQLite calls it with an open file of ours, and the rest as the system's function wants it.
    unsafe {
        let (system, number) = parts(file);
        let (from, bytes) = (at.cast_unsigned(), u64::from(amount.unsigned_abs()));
        match decide(number, |file| Act::Read { file, at: from, bytes }) {
            Verdict::Go => system.xRead.map_or(ffi::SQLITE_IOERR_READ, |read| read(file, out, amount, at)),
            // Nothing that was not read may look as if it were.
            _ => ffi::SQLITE_IOERR_READ,
        }
    }
}

unsafe extern "C" fn write(file: *mut sqlite3_file, from: *const c_void, amount: c_int, at: sqlite3_int64) -> c_int {
    // SAFETY: SQLite calls it with an open file of ours, and with `amount` bytes at `from`.
    unsafe {
        let (system, number) = parts(file);
        let Some(system_write) = system.xWrite else { return ffi::SQLITE_IOERR_WRITE };
        let bytes = slice::from_raw_parts(from.cast::<u8>(), usize::try_from(amount).unwrap_or_default());
        match decide(number, |file| Act::Write { file, at: at.cast_unsigned(), bytes }) {
            Verdict::Go => system_write(file, from, amount, at),
            Verdict::Swallow => ffi::SQLITE_OK,
            Verdict::Fail(fault) => {
                if fault == Fault::Short {
                    system_write(file, from, amount / 2, at);
                }
                code(fault, ffi::SQLITE_IOERR_WRITE)
            }
        }
    }
}

unsafe extern "C" fn truncate(file: *mut sqlite3_file, bytes: sqlite3_int64) -> c_int {
    // SAFETY: SQLite calls it with an open file of ours.
    unsafe {
        let (system, number) = parts(file);
        match decide(number, |file| Act::Resize { file, bytes: bytes.cast_unsigned() }) {
            Verdict::Go => system.xTruncate.map_or(ffi::SQLITE_IOERR_TRUNCATE, |truncate| truncate(file, bytes)),
            Verdict::Swallow => ffi::SQLITE_OK,
            Verdict::Fail(fault) => code(fault, ffi::SQLITE_IOERR_TRUNCATE),
        }
    }
}

unsafe extern "C" fn sync(file: *mut sqlite3_file, flags: c_int) -> c_int {
    // SAFETY: SQLite calls it with an open file of ours.
    unsafe {
        let (system, number) = parts(file);
        match decide(number, |file| Act::Sync { file }) {
            Verdict::Go => system.xSync.map_or(ffi::SQLITE_IOERR_FSYNC, |sync| sync(file, flags)),
            Verdict::Swallow => ffi::SQLITE_OK,
            Verdict::Fail(fault) => code(fault, ffi::SQLITE_IOERR_FSYNC),
        }
    }
}

unsafe extern "C" fn file_size(file: *mut sqlite3_file, out: *mut sqlite3_int64) -> c_int {
    // SAFETY: SQLite calls it with an open file of ours, and a place for the size.
    unsafe {
        let (system, number) = parts(file);
        match decide(number, |file| Act::Measure { file }) {
            Verdict::Go => system.xFileSize.map_or(ffi::SQLITE_IOERR_FSTAT, |size| size(file, out)),
            _ => ffi::SQLITE_IOERR_FSTAT,
        }
    }
}

unsafe extern "C" fn shm_map(
    file: *mut sqlite3_file,
    page: c_int,
    page_bytes: c_int,
    extend: c_int,
    out: *mut *mut c_void,
) -> c_int {
    // SAFETY: SQLite calls it with an open file of ours, and the rest as the system's function wants it.
    unsafe {
        let (system, number) = parts(file);
        match decide(number, |file| Act::Share { file }) {
            Verdict::Go => system.xShmMap.map_or(ffi::SQLITE_IOERR_SHMMAP, |map| map(file, page, page_bytes, extend, out)),
            Verdict::Swallow => ffi::SQLITE_IOERR_SHMMAP,
            Verdict::Fail(fault) => {
                *out = ptr::null_mut();
                code(fault, ffi::SQLITE_IOERR_SHMSIZE)
            }
        }
    }
}
