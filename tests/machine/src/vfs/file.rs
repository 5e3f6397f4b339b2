//! An open file of SQLite's: the system's own file behind a header of ours.
//!
//! Owns the calls about it. Invariants: on a thread without a simulation every call is the system's file's; a refused
//! call changes nothing, but for a write that may have written half; locks are never refused, nor reads to a run that has
//! been killed, so that it lets go of what it holds.
#![allow(unsafe_code, reason = "SQLite calls these functions, and is called, by C pointers")]

use std::ffi::{c_int, c_void};
use std::io;
use std::path::PathBuf;

use rusqlite::ffi;

use crate::fate::{self, Fault, Refusal};
use crate::{is_armed, unsynced};

/// How far behind the beginning of our file the system's begins: a multiple of what any of its fields is aligned to.
pub(super) const HEADER: usize = size_of::<SimFile>().next_multiple_of(16);

/// Which of the system's promises about a device are not passed on: writes that are whole or not there.
const ATOMIC: c_int =
    0x0000_01ff | ffi::SQLITE_IOCAP_SAFE_APPEND | ffi::SQLITE_IOCAP_SEQUENTIAL | ffi::SQLITE_IOCAP_BATCH_ATOMIC;

/// The files whose first sync is also one of their folder, as the system's VFS has it.
const NAMES_FOLDER: c_int = ffi::SQLITE_OPEN_WAL | ffi::SQLITE_OPEN_MAIN_JOURNAL | ffi::SQLITE_OPEN_SUPER_JOURNAL;

/// The header.
#[repr(C)]
pub(super) struct SimFile {
    base: ffi::sqlite3_file,
    about: *mut About,
}

/// What is remembered of an open file.
struct About {
    /// None for a temporary file.
    path: Option<PathBuf>,
    /// Whether the next sync is also one of the folder.
    names_folder: bool,
}

static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    // The second version has no memory-mapped reading, which would pass us by.
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

// SAFETY of every function below: SQLite calls those in `METHODS` with a file that `SimFile::open` has set up and `close`
// has not seen yet, from one thread at a time, and with arguments as its documentation has it; the same arguments are given
// on. The others are called with such a file, or one that is being opened.

/// The system's file.
///
/// # Safety
///
/// `file` is one of ours.
pub(super) unsafe fn system_file(file: *mut ffi::sqlite3_file) -> *mut ffi::sqlite3_file {
    // SAFETY: SQLite makes room for our header and the system's file behind it (`szOsFile`).
    unsafe { file.byte_add(HEADER) }
}

/// Calls a method of the system's file; one that it does not have answers as given.
macro_rules! system {
    ($file:ident . $method:ident ( $($arg:expr),* ) else $none:expr) => {{
        let system = system_file($file);
        match (*system).pMethods.as_ref().and_then(|methods| methods.$method) {
            Some(call) => call(system, $($arg),*),
            None => $none,
        }
    }};
}

/// Closes the system's file, if it is open.
///
/// # Safety
///
/// `file` is one of ours, and its system's file is not used afterwards.
pub(super) unsafe fn close_system(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { system!(file.xClose() else ffi::SQLITE_OK) }
}

impl SimFile {
    /// Sets up room for a file: nothing is open.
    ///
    /// # Safety
    ///
    /// `file` has room for one.
    pub(super) unsafe fn clear(file: *mut ffi::sqlite3_file) {
        // SAFETY: the caller's promise; the room is aligned for any type, as SQLite allocates it.
        unsafe {
            let base = ffi::sqlite3_file { pMethods: std::ptr::null() };
            file.cast::<Self>().write(Self { base, about: std::ptr::null_mut() });
            (*system_file(file)).pMethods = std::ptr::null();
        }
    }

    /// The system's file is open: so is ours.
    ///
    /// # Safety
    ///
    /// `file` has been cleared.
    pub(super) unsafe fn open(file: *mut ffi::sqlite3_file, path: Option<PathBuf>, flags: c_int) {
        let names_folder = flags & ffi::SQLITE_OPEN_CREATE != 0 && flags & NAMES_FOLDER != 0;
        let about = Box::into_raw(Box::new(About { path, names_folder }));
        // SAFETY: the caller's promise.
        unsafe { file.cast::<Self>().write(Self { base: ffi::sqlite3_file { pMethods: &raw const METHODS }, about }) }
    }

    /// What is remembered of it.
    ///
    /// # Safety
    ///
    /// `file` is open, and nothing else holds what this returns.
    unsafe fn about<'a>(file: *mut ffi::sqlite3_file) -> &'a mut About {
        // SAFETY: the caller's promise; `open` has set it, and `close` has not taken it yet.
        unsafe { &mut *(*file.cast::<Self>()).about }
    }
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: as above; SQLite does not use the file afterwards.
    unsafe {
        drop(Box::from_raw((*file.cast::<SimFile>()).about));
        let code = close_system(file);
        SimFile::clear(file);
        code
    }
}

unsafe extern "C" fn read(file: *mut ffi::sqlite3_file, into: *mut c_void, count: c_int, offset: i64) -> c_int {
    if fate::meet_reading(fate::DB_READ).is_err() {
        return ffi::SQLITE_IOERR_READ;
    }
    // SAFETY: as above.
    unsafe { read_system(file, into, count, offset) }
}

/// # Safety
///
/// As for `read`.
unsafe fn read_system(file: *mut ffi::sqlite3_file, into: *mut c_void, count: c_int, offset: i64) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { system!(file.xRead(into, count, offset) else ffi::SQLITE_IOERR_READ) }
}

/// Reads the file as it is; what lies beyond its end is zeros.
///
/// # Safety
///
/// `file` is open.
unsafe fn read_old(file: *mut ffi::sqlite3_file, at: u64, into: &mut [u8]) -> io::Result<()> {
    let (Ok(at), Ok(count)) = (i64::try_from(at), c_int::try_from(into.len())) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    // SAFETY: the caller's promise; the buffer is as long as told.
    match unsafe { read_system(file, into.as_mut_ptr().cast(), count, at) } {
        ffi::SQLITE_OK | ffi::SQLITE_IOERR_SHORT_READ => Ok(()),
        code => Err(io::Error::other(format!("SQLite's code {code}"))),
    }
}

/// # Safety
///
/// `file` is open.
unsafe fn length(file: *mut ffi::sqlite3_file) -> u64 {
    let mut size = 0;
    // SAFETY: the caller's promise.
    unsafe { file_size(file, &raw mut size) };
    u64::try_from(size).unwrap_or(0)
}

unsafe extern "C" fn write(file: *mut ffi::sqlite3_file, from: *const c_void, count: c_int, offset: i64) -> c_int {
    // SAFETY: as above.
    unsafe {
        match fate::meet("db-write") {
            Ok(()) => write_noted(file, from, count, offset),
            Err(Refusal::Dead) => ffi::SQLITE_IOERR_WRITE,
            Err(Refusal::Failed(fault)) => {
                write_noted(file, from, count / 2, offset);
                if fault == Fault::Full { ffi::SQLITE_FULL } else { ffi::SQLITE_IOERR_WRITE }
            }
        }
    }
}

/// # Safety
///
/// As for `write`.
unsafe fn write_noted(file: *mut ffi::sqlite3_file, from: *const c_void, count: c_int, offset: i64) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        if is_armed()
            && let Some(path) = &SimFile::about(file).path
            && let (Ok(at), Ok(size)) = (u64::try_from(offset), usize::try_from(count))
        {
            let bytes = std::slice::from_raw_parts(from.cast::<u8>(), size);
            unsynced::writing(path, length(file), at, bytes, &mut |at, into| read_old(file, at, into));
        }
        system!(file.xWrite(from, count, offset) else ffi::SQLITE_IOERR_WRITE)
    }
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, size: i64) -> c_int {
    if fate::meet("db-truncate").is_err() {
        return ffi::SQLITE_IOERR_TRUNCATE;
    }
    // SAFETY: as above.
    unsafe {
        if is_armed()
            && let Some(path) = &SimFile::about(file).path
            && let Ok(new) = u64::try_from(size)
        {
            unsynced::cutting(path, length(file), new, &mut |at, into| read_old(file, at, into));
        }
        system!(file.xTruncate(size) else ffi::SQLITE_IOERR_TRUNCATE)
    }
}

/// The simulation's disk does not wait: what is synced is only noted.
unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, flags: c_int) -> c_int {
    if !is_armed() {
        // SAFETY: as above.
        return unsafe { system!(file.xSync(flags) else ffi::SQLITE_IOERR_FSYNC) };
    }
    if fate::meet("db-sync").is_err() {
        return ffi::SQLITE_IOERR_FSYNC;
    }
    // SAFETY: as above.
    let (about, length) = unsafe { (SimFile::about(file), length(file)) };
    if let Some(path) = &about.path {
        unsynced::synced(path, length);
        if std::mem::take(&mut about.names_folder) {
            path.parent().into_iter().for_each(unsynced::folder_synced);
        }
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn file_size(file: *mut ffi::sqlite3_file, out: *mut i64) -> c_int {
    // SAFETY: as above.
    unsafe { system!(file.xFileSize(out) else ffi::SQLITE_IOERR_FSTAT) }
}

unsafe extern "C" fn lock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    // SAFETY: as above.
    unsafe { system!(file.xLock(level) else ffi::SQLITE_IOERR_LOCK) }
}

unsafe extern "C" fn unlock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    // SAFETY: as above.
    unsafe { system!(file.xUnlock(level) else ffi::SQLITE_IOERR_UNLOCK) }
}

unsafe extern "C" fn check_reserved_lock(file: *mut ffi::sqlite3_file, out: *mut c_int) -> c_int {
    // SAFETY: as above.
    unsafe { system!(file.xCheckReservedLock(out) else ffi::SQLITE_IOERR_CHECKRESERVEDLOCK) }
}

/// Room is not made beforehand and nothing is mapped into memory: both would change the file past us.
unsafe extern "C" fn file_control(file: *mut ffi::sqlite3_file, operation: c_int, argument: *mut c_void) -> c_int {
    match operation {
        ffi::SQLITE_FCNTL_SIZE_HINT | ffi::SQLITE_FCNTL_CHUNK_SIZE | ffi::SQLITE_FCNTL_MMAP_SIZE if is_armed() => {
            ffi::SQLITE_NOTFOUND
        }
        // SAFETY: as above.
        _ => unsafe { system!(file.xFileControl(operation, argument) else ffi::SQLITE_NOTFOUND) },
    }
}

unsafe extern "C" fn sector_size(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: as above; 0 lets SQLite take its own.
    unsafe { system!(file.xSectorSize() else 0) }
}

unsafe extern "C" fn device_characteristics(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: as above.
    let found = unsafe { system!(file.xDeviceCharacteristics() else 0) };
    if is_armed() { found & !ATOMIC } else { found }
}

/// A killed run makes no shared memory; what it has mapped it may go on reading.
unsafe extern "C" fn shm_map(
    file: *mut ffi::sqlite3_file,
    region: c_int,
    size: c_int,
    extend: c_int,
    out: *mut *mut c_void,
) -> c_int {
    if fate::is_dead() {
        return ffi::SQLITE_IOERR_SHMMAP;
    }
    // SAFETY: as above.
    unsafe { system!(file.xShmMap(region, size, extend, out) else ffi::SQLITE_IOERR_SHMMAP) }
}

unsafe extern "C" fn shm_lock(file: *mut ffi::sqlite3_file, offset: c_int, count: c_int, flags: c_int) -> c_int {
    // SAFETY: as above.
    unsafe { system!(file.xShmLock(offset, count, flags) else ffi::SQLITE_IOERR_SHMLOCK) }
}

unsafe extern "C" fn shm_barrier(file: *mut ffi::sqlite3_file) {
    // SAFETY: as above.
    unsafe { system!(file.xShmBarrier() else ()) }
}

/// A killed run leaves its shared memory lying.
unsafe extern "C" fn shm_unmap(file: *mut ffi::sqlite3_file, delete: c_int) -> c_int {
    let delete = if fate::is_dead() { 0 } else { delete };
    // SAFETY: as above.
    unsafe { system!(file.xShmUnmap(delete) else ffi::SQLITE_OK) }
}
