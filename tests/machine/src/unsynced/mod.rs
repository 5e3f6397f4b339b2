//! What a power cut would take: the content that is not synced and the names whose folders are not.
//!
//! Owns the memory of it, which the disk and SQLite's files share, since a database that SQLite wrote is synced and
//! renamed by the disk; and the cut itself, on the real files. Invariants: it is asked for what it needs before a call
//! and told when the call has been made; what is synced, and what belongs to another machine, is never touched. Leaves
//! to its users the calls themselves.

mod content;
mod names;
mod outside;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::dice::Dice;
use content::Content;
use names::{Arrived, Change, Grave, Names};

/// What a simulation cannot go on without.
const READABLE: &str = "the files of the simulation can be read and written";

thread_local!(static UNSYNCED: RefCell<Unsynced> = RefCell::default());

#[derive(Debug, Default)]
struct Unsynced {
    /// Files with content that is not synced, and when each began to have it.
    contents: BTreeMap<PathBuf, (u64, Content)>,
    /// How many have begun so far.
    begun: u64,
    /// How long a file was when it was last synced.
    lengths: BTreeMap<PathBuf, u64>,
    names: Names,
    /// Roots that are on other machines.
    elsewhere: Vec<PathBuf>,
}

/// A file as it was when it lost its name.
#[derive(Debug)]
pub(crate) struct Last {
    bytes: Vec<u8>,
    permissions: fs::Permissions,
}

/// What a power cut took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PowerCut {
    /// How many files hold something else than before.
    pub contents: usize,
    /// How many changes of names were taken back.
    pub names: usize,
}

impl Unsynced {
    fn is_elsewhere(&self, path: &Path) -> bool {
        self.elsewhere.iter().any(|root| path.starts_with(root))
    }

    fn content(&mut self, path: &Path, length: u64) -> &mut Content {
        let begun = &mut self.begun;
        let entry = self.contents.entry(path.to_owned()).or_insert_with(|| {
            *begun += 1;
            (*begun, Content::new(length))
        });
        &mut entry.1
    }

    fn bury(&mut self, path: &Path, last: Last) -> Grave {
        self.lengths.remove(path);
        Grave { last, content: self.contents.remove(path).map(|(_, content)| content) }
    }

    /// What lies at one path, or below it, lies at another.
    fn moved(&mut self, from: &Path, to: &Path) {
        rekey(&mut self.contents, from, to);
        rekey(&mut self.lengths, from, to);
    }

    fn forget(&mut self, roots: &[PathBuf]) {
        let is_below = |path: &Path| roots.iter().any(|root| path.starts_with(root));
        self.contents.retain(|path, _| !is_below(path));
        self.lengths.retain(|path, _| !is_below(path));
        self.names.take(is_below);
        for (path, length) in roots.iter().flat_map(|root| outside::files(root)) {
            self.lengths.insert(path, length);
        }
    }

    /// Files written to behind our back.
    fn find_tails(&mut self, roots: &[PathBuf]) -> io::Result<()> {
        for (path, length) in roots.iter().flat_map(|root| outside::files(root)) {
            let synced = self.lengths.get(&path).copied().unwrap_or_default();
            let known = self.contents.get(&path).map_or(synced, |(_, content)| content.length());
            if known < length {
                let tail = outside::tail(&path, known)?;
                self.content(&path, known).write(known, &tail, &mut |at, into| read_old(&path, at, into))?;
            }
        }
        Ok(())
    }

    fn cut_contents(&mut self, roots: &[PathBuf], names: &mut Names, dice: &mut Dice) -> io::Result<usize> {
        let is_below = |path: &Path| roots.iter().any(|root| path.starts_with(root));
        let mut below: Vec<(&PathBuf, &(u64, Content))> =
            self.contents.iter().filter(|(path, _)| is_below(path)).collect();
        // Paths may begin with a random name; the order in which they were written to is always the same.
        below.sort_by_key(|(_, (begun, _))| *begun);
        let mut changed = 0;
        for (path, (_, content)) in below {
            let Ok(bytes) = fs::read(path) else { continue };
            let left = content.after_cut(&bytes, dice);
            if left != bytes {
                fs::write(path, left)?;
                changed += 1;
            }
        }
        for grave in names.graves() {
            if let Some(content) = grave.content.take() {
                grave.last.bytes = content.after_cut(&grave.last.bytes, dice);
            }
        }
        Ok(changed)
    }

    fn cut(&mut self, roots: &[PathBuf], dice: &mut Dice) -> io::Result<PowerCut> {
        self.find_tails(roots)?;
        let mut names = self.names.take(|path| roots.iter().any(|root| path.starts_with(root)));
        let contents = self.cut_contents(roots, &mut names, dice)?;
        let lost = names.cut(dice);
        for index in roots.iter().flat_map(|root| outside::shared_memory(root)) {
            fs::remove_file(index)?;
        }
        self.forget(roots);
        Ok(PowerCut { contents, names: lost })
    }
}

fn rekey<T>(map: &mut BTreeMap<PathBuf, T>, from: &Path, to: &Path) {
    let moved: Vec<PathBuf> = map.keys().filter(|path| path.starts_with(from)).cloned().collect();
    for path in moved {
        let (Ok(rest), Some(value)) = (path.strip_prefix(from), map.remove(&path)) else { continue };
        let place = if rest.as_os_str().is_empty() { to.to_owned() } else { to.join(rest) };
        map.insert(place, value);
    }
}

/// A file's bytes from a place on; zeros where there are none.
fn read_old(path: &Path, at: u64, into: &mut [u8]) -> io::Result<()> {
    use std::io::{Read, Seek, SeekFrom};
    let mut file = fs::File::open(path)?;
    file.seek(SeekFrom::Start(at))?;
    let mut filled = 0;
    while filled < into.len() {
        match file.read(&mut into[filled..])? {
            0 => break,
            count => filled += count,
        }
    }
    Ok(())
}

/// Does something with the memory, unless the path is on another machine.
fn with(path: &Path, work: impl FnOnce(&mut Unsynced)) {
    UNSYNCED.with_borrow_mut(|unsynced| {
        if !unsynced.is_elsewhere(path) {
            work(unsynced)
        }
    });
}

/// Bytes are about to be written to a file of this length; `read` reads the file as it is.
pub(crate) fn writing(
    path: &Path,
    length: u64,
    offset: u64,
    bytes: &[u8],
    read: &mut dyn FnMut(u64, &mut [u8]) -> io::Result<()>,
) {
    with(path, |unsynced| {
        let kept = unsynced.content(path, length).write(offset, bytes, read);
        kept.expect(READABLE);
    });
}

/// A file of this length is about to be given another; `read` reads the file as it is.
pub(crate) fn cutting(path: &Path, length: u64, new: u64, read: &mut dyn FnMut(u64, &mut [u8]) -> io::Result<()>) {
    with(path, |unsynced| {
        let kept = unsynced.content(path, length).cut(new, read);
        kept.expect(READABLE);
    });
}

/// Bytes are about to be added to the end of a file that is written from its beginning to its end.
pub(crate) fn appending(path: &Path, length: u64, bytes: &[u8]) {
    writing(path, length, length, bytes, &mut |at, into| read_old(path, at, into));
}

/// The file's content is on the disk, in this length.
pub(crate) fn synced(path: &Path, length: u64) {
    with(path, |unsynced| {
        unsynced.contents.remove(path);
        unsynced.lengths.insert(path.to_owned(), length);
    });
}

/// The folder's names are on the disk.
pub(crate) fn folder_synced(folder: &Path) {
    with(folder, |unsynced| unsynced.names.sync(folder));
}

/// A new, empty file has been made.
pub(crate) fn made(path: &Path) {
    with(path, |unsynced| {
        unsynced.contents.remove(path);
        unsynced.lengths.insert(path.to_owned(), 0);
        unsynced.names.push(Change::File { path: path.to_owned() });
    });
}

/// A new folder has been made.
pub(crate) fn folder_made(path: &Path) {
    with(path, |unsynced| unsynced.names.push(Change::Folder { path: path.to_owned() }));
}

/// A file that is about to lose its name; None if it is no file.
pub(crate) fn last(path: &Path) -> Option<Last> {
    let about = path.symlink_metadata().ok().filter(fs::Metadata::is_file)?;
    Some(Last { bytes: fs::read(path).ok()?, permissions: about.permissions() })
}

/// A file that was as told has been removed.
pub(crate) fn removed(path: &Path, last: Last) {
    with(path, |unsynced| {
        let was = unsynced.bury(path, last);
        unsynced.names.push(Change::Removed { path: path.to_owned(), was });
    });
}

/// A file or folder has been renamed, in the place of a file that was as told.
pub(crate) fn renamed(from: &Path, to: &Path, replaced: Option<Last>) {
    UNSYNCED.with_borrow_mut(|unsynced| {
        let replaced = replaced.map(|last| unsynced.bury(to, last));
        unsynced.moved(from, to);
        if [from, to].into_iter().any(|path| unsynced.is_elsewhere(path)) {
            return;
        }
        let (from, to) = (from.to_owned(), to.to_owned());
        unsynced.names.push(Change::Renamed { from, to, replaced, arrived: Arrived::Unsure });
    });
}

/// What lies below this root is on another machine: its power is never cut, and nothing of it is remembered. For as long
/// as the simulation lasts.
pub fn elsewhere(root: &Path) {
    let root = whole(root);
    UNSYNCED.with_borrow_mut(|unsynced| {
        unsynced.forget(std::slice::from_ref(&root));
        unsynced.elsewhere.push(root);
    });
}

/// All that lies below these roots is on the disk for certain, as after a quiet minute. To be called when the scene is
/// made, and when files have been put there by other means, such as a backup that was copied back.
pub fn settle(roots: &[&Path]) {
    let roots: Vec<PathBuf> = roots.iter().map(|root| whole(root)).collect();
    UNSYNCED.with_borrow_mut(|unsynced| unsynced.forget(&roots));
}

/// Whether a power cut could change what is in this file, or give or take its name.
pub fn is_at_risk(path: &Path) -> bool {
    let path = whole(path);
    UNSYNCED.with_borrow(|unsynced| unsynced.contents.contains_key(&path) || unsynced.names.concern(&path))
}

/// Cuts the power of the machine on which these roots lie: takes from the real files below them what may be lost, as the
/// seed has it, and nothing from others. No connection may be open to a database below them, and no file.
///
/// # Panics
///
/// If the real files cannot be read or written.
pub fn power_cut(roots: &[&Path], seed: u64) -> PowerCut {
    let roots: Vec<PathBuf> = roots.iter().map(|root| whole(root)).collect();
    let cut = UNSYNCED.with_borrow_mut(|unsynced| unsynced.cut(&roots, &mut Dice::new(seed)));
    cut.expect(READABLE)
}

/// Begins anew.
pub(crate) fn clear() {
    UNSYNCED.set(Unsynced::default());
}

/// A path as the memory knows it: whole, and without links on the way to it.
pub(crate) fn whole(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let (Some(folder), Some(name)) = (absolute.parent(), absolute.file_name()) else { return absolute };
    folder.canonicalize().map_or(absolute.clone(), |folder| folder.join(name))
}
