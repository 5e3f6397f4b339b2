//! What stands between SQLite and the system: a VFS around the system's own, the default of the whole process.
//!
//! Owns the calls that are not about an open file: opening, deleting, time, sleep and randomness. Invariants: on a thread
//! without a simulation every call is the system's; a refused call is answered as the system's VFS answers where its own
//! call fails so. Leaves the calls about an open file to `file`, and what a power cut takes to `unsynced`.
#![allow(unsafe_code, reason = "SQLite calls these functions, and is called, by C pointers")]

mod file;

use std::ffi::{CStr, OsStr, c_char, c_int, c_void};
use std::path::{Path, PathBuf};
use std::sync::Once;

use rusqlite::ffi;

use crate::{clock, fate, is_armed, unsynced};
use file::SimFile;

/// Milliseconds from the beginning of SQLite's days to that of Unix's.
const JULIAN_EPOCH_MILLIS: i64 = 210_866_760_000_000;
const MILLIS_PER_DAY: f64 = 86_400_000.0;

static INSTALLED: Once = Once::new();

/// Makes this the VFS of every connection that is opened from now on in this process.
pub(crate) fn install() {
    INSTALLED.call_once(|| {
        // The count of memory in use is one lock for all threads. It is refused, and does no harm, where SQLite is in use already.
        // SAFETY: the option takes one int.
        unsafe { ffi::sqlite3_config(ffi::SQLITE_CONFIG_MEMSTATUS, 0 as c_int) };
        // SAFETY: SQLite initialises itself in `find`, which returns a VFS that is never taken away. What is registered
        // lives for ever (it is leaked) and is complete before it is registered.
        let code = unsafe {
            let system = ffi::sqlite3_vfs_find(std::ptr::null());
            assert!(!system.is_null(), "SQLite has a VFS of its own");
            ffi::sqlite3_vfs_register(Box::into_raw(Box::new(around(system))), 1)
        };
        assert_eq!(code, ffi::SQLITE_OK, "the VFS is registered");
    });
}

/// Lets SQLite's own generator begin anew, from the randomness of whichever thread asks first.
pub(crate) fn reseed() {
    // SAFETY: without a buffer nothing is written; SQLite documents this as the way to reset the generator.
    unsafe { ffi::sqlite3_randomness(0, std::ptr::null_mut()) }
}

/// # Safety
///
/// `system` points to a VFS that stays where it is.
unsafe fn around(system: *mut ffi::sqlite3_vfs) -> ffi::sqlite3_vfs {
    // SAFETY: the caller's promise.
    let (size, longest) = unsafe { ((*system).szOsFile, (*system).mxPathname) };
    ffi::sqlite3_vfs {
        iVersion: 2,
        szOsFile: file::HEADER as c_int + size,
        mxPathname: longest,
        pNext: std::ptr::null_mut(),
        zName: c"simulated-machine".as_ptr(),
        pAppData: system.cast(),
        xOpen: Some(open),
        xDelete: Some(delete),
        xAccess: Some(access),
        xFullPathname: Some(full_pathname),
        xDlOpen: Some(dl_open),
        xDlError: Some(dl_error),
        xDlSym: Some(dl_sym),
        xDlClose: Some(dl_close),
        xRandomness: Some(randomness),
        xSleep: Some(sleep),
        xCurrentTime: Some(current_time),
        xGetLastError: Some(last_error),
        xCurrentTimeInt64: Some(current_time_int64),
        xSetSystemCall: None,
        xGetSystemCall: None,
        xNextSystemCall: None,
    }
}

/// Calls a method of the system's VFS; one that it does not have answers as given.
macro_rules! system {
    ($vfs:ident . $method:ident ( $($arg:expr),* ) else $none:expr) => {{
        let system: *mut ffi::sqlite3_vfs = (*$vfs).pAppData.cast();
        match (*system).$method {
            Some(call) => call(system, $($arg),*),
            None => $none,
        }
    }};
}

// SAFETY of every function below: SQLite calls them with the VFS that `install` registered, whose `pAppData` is the
// system's, and with arguments as its documentation has it; the same arguments are given on.

/// The path that SQLite names; None for a temporary file.
///
/// # Safety
///
/// `name` is null or ends with a zero.
unsafe fn path_of(name: *const c_char) -> Option<PathBuf> {
    if name.is_null() {
        return None;
    }
    // SAFETY: the caller's promise.
    let name = unsafe { CStr::from_ptr(name) };
    #[cfg(unix)]
    let name: &OsStr = std::os::unix::ffi::OsStrExt::from_bytes(name.to_bytes());
    #[cfg(not(unix))]
    let name = OsStr::new(name.to_str().ok()?);
    Some(Path::new(name).to_owned())
}

unsafe extern "C" fn open(
    vfs: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    // SAFETY: as above; `file` has room for our header and the system's file behind it.
    unsafe {
        SimFile::clear(file);
        let path = path_of(name);
        let is_new = path.as_ref().is_none_or(|path| !path.exists());
        if flags & ffi::SQLITE_OPEN_CREATE != 0 && is_new && fate::meet("db-open").is_err() {
            return ffi::SQLITE_CANTOPEN;
        }
        if !is_new && fate::meet_reading(fate::DB_OPEN_OLD).is_err() {
            return ffi::SQLITE_CANTOPEN;
        }
        let code = system!(vfs.xOpen(name, file::system_file(file), flags, out_flags) else ffi::SQLITE_ERROR);
        if code != ffi::SQLITE_OK {
            file::close_system(file);
            return code;
        }
        if let Some(path) = path.as_ref().filter(|_| is_new && is_armed()) {
            unsynced::made(path);
        }
        SimFile::open(file, path, flags);
        code
    }
}

unsafe extern "C" fn delete(vfs: *mut ffi::sqlite3_vfs, name: *const c_char, sync_folder: c_int) -> c_int {
    // SAFETY: as above.
    unsafe {
        let path = path_of(name).filter(|path| is_armed() && path.exists());
        let Some(path) = path else { return system!(vfs.xDelete(name, sync_folder) else ffi::SQLITE_IOERR_DELETE) };
        if fate::meet("db-delete").is_err() {
            return ffi::SQLITE_IOERR_DELETE;
        }
        let last = unsynced::last(&path);
        let code = system!(vfs.xDelete(name, 0) else ffi::SQLITE_IOERR_DELETE);
        if let Some(last) = last.filter(|_| code == ffi::SQLITE_OK) {
            unsynced::removed(&path, last);
        }
        if code != ffi::SQLITE_OK || sync_folder == 0 {
            return code;
        }
        if fate::meet("db-sync-folder").is_err() {
            return ffi::SQLITE_IOERR_DIR_FSYNC;
        }
        path.parent().into_iter().for_each(unsynced::folder_synced);
        code
    }
}

unsafe extern "C" fn access(vfs: *mut ffi::sqlite3_vfs, name: *const c_char, flags: c_int, out: *mut c_int) -> c_int {
    // SAFETY: as above.
    unsafe { system!(vfs.xAccess(name, flags, out) else ffi::SQLITE_IOERR_ACCESS) }
}

unsafe extern "C" fn full_pathname(
    vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    room: c_int,
    out: *mut c_char,
) -> c_int {
    // SAFETY: as above.
    unsafe { system!(vfs.xFullPathname(name, room, out) else ffi::SQLITE_CANTOPEN) }
}

unsafe extern "C" fn dl_open(vfs: *mut ffi::sqlite3_vfs, name: *const c_char) -> *mut c_void {
    // SAFETY: as above.
    unsafe { system!(vfs.xDlOpen(name) else std::ptr::null_mut()) }
}

unsafe extern "C" fn dl_error(vfs: *mut ffi::sqlite3_vfs, room: c_int, out: *mut c_char) {
    // SAFETY: as above.
    unsafe { system!(vfs.xDlError(room, out) else ()) }
}

/// What a loaded library's name stands for.
type Symbol = unsafe extern "C" fn(*mut ffi::sqlite3_vfs, *mut c_void, *const c_char);

unsafe extern "C" fn dl_sym(vfs: *mut ffi::sqlite3_vfs, library: *mut c_void, name: *const c_char) -> Option<Symbol> {
    // SAFETY: as above.
    unsafe { system!(vfs.xDlSym(library, name) else None) }
}

unsafe extern "C" fn dl_close(vfs: *mut ffi::sqlite3_vfs, library: *mut c_void) {
    // SAFETY: as above.
    unsafe { system!(vfs.xDlClose(library) else ()) }
}

unsafe extern "C" fn randomness(vfs: *mut ffi::sqlite3_vfs, count: c_int, out: *mut c_char) -> c_int {
    if !is_armed() {
        // SAFETY: as above.
        return unsafe { system!(vfs.xRandomness(count, out) else 0) };
    }
    // SAFETY: SQLite gives room for `count` bytes.
    let bytes = unsafe { std::slice::from_raw_parts_mut(out.cast::<u8>(), usize::try_from(count).unwrap_or(0)) };
    bytes.iter_mut().for_each(|byte| *byte = clock::byte_for_sqlite());
    count
}

/// A single thread waits in vain for itself, so only virtual time passes.
unsafe extern "C" fn sleep(vfs: *mut ffi::sqlite3_vfs, micros: c_int) -> c_int {
    if !is_armed() {
        // SAFETY: as above.
        return unsafe { system!(vfs.xSleep(micros) else 0) };
    }
    clock::advance(u64::try_from(micros).unwrap_or(0).div_ceil(1000));
    micros
}

unsafe extern "C" fn current_time(vfs: *mut ffi::sqlite3_vfs, out: *mut f64) -> c_int {
    let mut millis = 0;
    // SAFETY: as above; `out` is room for a number.
    unsafe {
        let code = current_time_int64(vfs, &raw mut millis);
        *out = millis as f64 / MILLIS_PER_DAY;
        code
    }
}

unsafe extern "C" fn current_time_int64(vfs: *mut ffi::sqlite3_vfs, out: *mut ffi::sqlite3_int64) -> c_int {
    if !is_armed() {
        // SAFETY: as above.
        return unsafe { system!(vfs.xCurrentTimeInt64(out) else ffi::SQLITE_ERROR) };
    }
    let now = JULIAN_EPOCH_MILLIS.saturating_add_unsigned(clock::now());
    // SAFETY: `out` is room for a number.
    unsafe { *out = now };
    ffi::SQLITE_OK
}

unsafe extern "C" fn last_error(vfs: *mut ffi::sqlite3_vfs, room: c_int, out: *mut c_char) -> c_int {
    // SAFETY: as above.
    unsafe { system!(vfs.xGetLastError(room, out) else 0) }
}
