//! SQLite's own file layer, with a tap on it.
//!
//! SQLite reaches its files through a table of functions, the VFS. The one that is registered here as the default of this process
//! opens files with the system's own VFS and then puts its own functions in the place of six: those ask the [`Tap`] of the
//! thread first. A thread without a tap works as if nothing stood in between. The product is not told of any of it.

#![expect(unsafe_code, reason = "a VFS is a C table of functions, and nothing else reaches below SQLite")]

mod methods;

use std::{
    cell::RefCell,
    ffi::{CStr, c_char, c_int},
    ptr,
    sync::{Arc, OnceLock},
};

use rusqlite::ffi;

use crate::tap::{Act, Fault, Tap, Verdict};

thread_local! {
    static TAP: RefCell<Option<Arc<dyn Tap>>> = const { RefCell::new(None) };
}

/// The system's VFS, which does the work.
static SYSTEM: OnceLock<System> = OnceLock::new();

struct System(*mut ffi::sqlite3_vfs);

// SAFETY: SQLite keeps a registered VFS for the life of the process, and reads it from every thread.
unsafe impl Send for System {}
// SAFETY: as above; nothing here writes to it.
unsafe impl Sync for System {}

/// Does something with a tap on every file that this thread touches through SQLite.
pub(crate) fn tapped<T>(tap: Arc<dyn Tap>, what: impl FnOnce() -> T) -> T {
    struct Off;

    impl Drop for Off {
        fn drop(&mut self) {
            TAP.set(None);
        }
    }

    install();
    TAP.set(Some(tap));
    let _off = Off;
    what()
}

/// Makes the tapped VFS the default of this process. Connections that are open stay as they are.
pub(crate) fn install() {
    SYSTEM.get_or_init(|| {
        // SAFETY: SQLite initialises itself in the first call, returns a VFS that stays, and copies nothing of ours: the table is
        // leaked, so that it lives as long as the process.
        unsafe {
            let system = ffi::sqlite3_vfs_find(ptr::null());
            assert!(!system.is_null(), "SQLite has a default VFS");
            let ours = Box::leak(Box::new(*system));
            ours.zName = c"magnetar-tap".as_ptr();
            ours.pNext = ptr::null_mut();
            ours.szOsFile += methods::TAIL_BYTES;
            ours.xOpen = Some(open);
            ours.xDelete = Some(delete);
            assert_eq!(ffi::sqlite3_vfs_register(ours, 1), ffi::SQLITE_OK, "SQLite takes another VFS");
            System(system)
        }
    });
}

/// The tap of this thread, if it has one.
fn tap() -> Option<Arc<dyn Tap>> {
    // A file may be closed while the thread ends, when its tap is gone already.
    TAP.try_with(|tap| tap.borrow().clone()).ok().flatten()
}

/// What the tap says about an act; it happens where there is no tap.
fn ask(act: Act<'_>) -> Verdict {
    tap().map_or(Verdict::Go, |tap| tap.before(act))
}

fn system() -> *mut ffi::sqlite3_vfs {
    SYSTEM.get().map_or(ptr::null_mut(), |system| system.0)
}

/// A name as SQLite passes it; none for a file that has no name.
///
/// # Safety
/// It is null, or a string that ends with a NUL and lives as long as the answer is used.
unsafe fn name<'a>(name: *const c_char) -> Option<&'a str> {
    if name.is_null() {
        return None;
    }
    // SAFETY: the caller promises it.
    unsafe { CStr::from_ptr(name) }.to_str().ok()
}

unsafe extern "C" fn open(
    _vfs: *mut ffi::sqlite3_vfs,
    path: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    // SAFETY: all arguments are SQLite's own, for a function of the VFS; the system's VFS gets them as they came, but for itself.
    // `file` has room for the system's file and our tail behind it, because `szOsFile` says so.
    unsafe {
        // On failure SQLite closes what has methods.
        (*file).pMethods = ptr::null();
        let name = name(path);
        if let (Some(name), Verdict::Fail(fault)) = (name, name.map_or(Verdict::Go, |name| ask(Act::Open { name }))) {
            let _ = name;
            return if fault == Fault::Device { ffi::SQLITE_IOERR } else { ffi::SQLITE_FULL };
        }
        let Some(system_open) = (*system()).xOpen else { return ffi::SQLITE_CANTOPEN };
        let opened = system_open(system(), path, file, flags, out_flags);
        if opened == ffi::SQLITE_OK {
            let number = name.and_then(|name| Some(tap()?.opened(name)));
            methods::wrap(file, (*system()).szOsFile, number);
        }
        opened
    }
}

unsafe extern "C" fn delete(_vfs: *mut ffi::sqlite3_vfs, path: *const c_char, sync_folder: c_int) -> c_int {
    // SAFETY: the arguments are SQLite's own, for a function of the VFS, and go to the system's as they came.
    unsafe {
        let verdict = name(path).map_or(Verdict::Go, |name| ask(Act::Remove { name, is_synced: sync_folder != 0 }));
        match verdict {
            Verdict::Fail(_) => ffi::SQLITE_IOERR_DELETE,
            Verdict::Swallow => ffi::SQLITE_OK,
            Verdict::Go => (*system()).xDelete.map_or(ffi::SQLITE_IOERR_DELETE, |delete| delete(system(), path, sync_folder)),
        }
    }
}
