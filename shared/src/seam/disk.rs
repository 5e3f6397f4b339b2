//! The file calls that durability rests on, the reading of what was kept so, and the two ways in which the rest of the code
//! uses them.
//!
//! Invariant: a name that [`publish`] or [`write_durably`] gives to a file appears only when its whole content is on
//! the disk, and stays after a power cut.

use std::fs::{self, DirEntry, File, Permissions};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use super::saboteur::{Saboteur, is_at_work};

/// Something that the file system refused.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} ({}): {source}", path.display())]
pub struct FileRefused {
    /// What was tried, in words.
    pub action: &'static str,
    /// Where.
    pub path: PathBuf,
    /// Why.
    pub source: io::Error,
}

impl FileRefused {
    /// What makes one of the system's own words.
    pub(crate) fn at<'a, E: From<Self>>(action: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> E + 'a {
        move |source| Self { action, path: path.to_owned(), source }.into()
    }
}

/// A file being written whose content can be forced to the disk.
pub trait DurableFile: Write {
    /// Returns when everything written is on the disk.
    fn sync(&mut self) -> io::Result<()>;
}

/// A file that is read, at any place in it.
pub trait ReadableFile: Read + Seek {}

impl<F: Read + Seek> ReadableFile for F {}

/// File calls that matter for durability, and the reading of spools and relays. Reading is the system's own, unless a test
/// lets it fail.
pub trait Disk: Sync {
    /// Makes a new file, readable by its owner alone; fails if the name is taken.
    fn create_new(&self, path: &Path) -> io::Result<Box<dyn DurableFile>>;
    /// The same for a file that others may use if its folder is shared with them.
    fn create_for_all(&self, path: &Path) -> io::Result<Box<dyn DurableFile>> {
        self.create_new(path)
    }
    /// Makes a folder and what leads to it; success if it is there.
    fn create_folder(&self, path: &Path) -> io::Result<()>;
    /// Shares a folder, in one that nobody else may write into, with whoever another one is shared with.
    fn share_folder(&self, _path: &Path, _like: &Path) -> io::Result<()> {
        Ok(())
    }
    /// Gives a file another name in one step, replacing what bore it.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Takes a file away; success if there is none.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Returns when the file's content is on the disk.
    fn sync_file(&self, path: &Path) -> io::Result<()>;
    /// Returns when the folder's names are on the disk.
    fn sync_folder(&self, path: &Path) -> io::Result<()>;
    /// Opens a file that is there, to be read. No link is followed.
    fn open(&self, path: &Path) -> io::Result<Box<dyn ReadableFile>> {
        Ok(Box::new(File::open(path)?))
    }
    /// What is in a folder.
    fn list(&self, folder: &Path) -> io::Result<Vec<DirEntry>> {
        fs::read_dir(folder)?.collect()
    }
}

/// Moves a complete, synced file to its final name and makes the name durable, in both folders.
pub fn publish(disk: &dyn Disk, from: &Path, to: &Path) -> io::Result<()> {
    disk.rename(from, to)?;
    if is_at_work(Saboteur::ForgetFolderSync) {
        return Ok(());
    }
    to.parent().map_or(Ok(()), |folder| disk.sync_folder(folder))?;
    match from.parent().filter(|folder| Some(*folder) != to.parent()) {
        Some(folder) => disk.sync_folder(folder),
        None => Ok(()),
    }
}

/// Writes a whole small file, through a temporary one beside it, replacing what bore the name.
pub fn write_durably(disk: &dyn Disk, path: &Path, content: &[u8]) -> io::Result<()> {
    write_beside(disk.create_new(&cleared(disk, path)?)?, disk, path, content, None)
}

/// The same for a file that others may use if its folder is shared with them.
pub fn write_for_all(disk: &dyn Disk, path: &Path, content: &[u8]) -> io::Result<()> {
    write_beside(disk.create_for_all(&cleared(disk, path)?)?, disk, path, content, None)
}

/// The same for a file that is there: whoever may read it now may read it then. Not for a folder in which others may write, who
/// could exchange the temporary one.
pub fn rewrite_durably(disk: &dyn Disk, path: &Path, content: &[u8]) -> io::Result<()> {
    let permissions = fs::metadata(path)?.permissions();
    write_beside(disk.create_new(&cleared(disk, path)?)?, disk, path, content, Some(permissions))
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    PathBuf::from(name)
}

/// The place of the temporary file, with nothing there.
fn cleared(disk: &dyn Disk, path: &Path) -> io::Result<PathBuf> {
    let beside = beside(path);
    disk.remove(&beside).map(|()| beside)
}

fn write_beside(
    mut file: Box<dyn DurableFile>,
    disk: &dyn Disk,
    path: &Path,
    content: &[u8],
    permissions: Option<Permissions>,
) -> io::Result<()> {
    let beside = &beside(path);
    file.write_all(content)?;
    file.sync()?;
    drop(file);
    if let Some(permissions) = permissions {
        fs::set_permissions(beside, permissions)?;
    }
    publish(disk, beside, path)
}
