//! Files that are written to without anybody being told: those in `tmp`, which a transfer appends to, parts of files on a
//! relay, and the shared memory of a write-ahead log.
//!
//! Owns finding them. Leaves to its user what becomes of them.

use std::fs;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// The folder for what is not finished.
const TMP: &str = "tmp";

/// What the name of a part of a file ends with.
const PART: &str = "part";

/// The files in all `tmp` folders below a root, and all parts of files, with their lengths, in the order of their names.
pub(super) fn files(root: &Path) -> Vec<(PathBuf, u64)> {
    let is_in_tmp = |path: &PathBuf| path.strip_prefix(root).is_ok_and(|path| path.iter().any(|part| part == TMP));
    let is_unfinished = |path: &PathBuf| is_in_tmp(path) || path.extension().is_some_and(|end| end == PART);
    let found = below(root).into_iter().filter(is_unfinished);
    found.filter_map(|path| path.metadata().ok().map(|about| (path, about.len()))).collect()
}

/// The shared memory of databases below a root, which is nowhere on a disk.
pub(super) fn shared_memory(root: &Path) -> Vec<PathBuf> {
    let is_shared_memory =
        |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().ends_with("-shm"));
    below(root).into_iter().filter(is_shared_memory).collect()
}

/// A file's bytes from a place on.
pub(super) fn tail(path: &Path, from: u64) -> io::Result<Vec<u8>> {
    let mut file = fs::File::open(path)?;
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn below(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut found: Vec<PathBuf> = entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
    found.sort();
    let (folders, files): (Vec<_>, Vec<_>) = found
        .into_iter()
        .filter_map(|path| path.symlink_metadata().ok().map(|about| (path, about)))
        .filter(|(_, about)| about.is_dir() || about.is_file())
        .partition(|(_, about)| about.is_dir());
    let deeper = folders.into_iter().flat_map(|(folder, _)| below(&folder));
    files.into_iter().map(|(path, _)| path).chain(deeper).collect()
}
