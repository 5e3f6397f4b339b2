//! The real file system. The one module that knows of differences between operating systems.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use super::disk::{Disk, DurableFile, ReadableFile};

/// The machine's own file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsDisk;

struct OsFile(File);

impl Write for OsFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl DurableFile for OsFile {
    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_all()
    }
}

impl Disk for OsDisk {
    fn create_new(&self, path: &Path) -> io::Result<Box<dyn DurableFile>> {
        Ok(Box::new(OsFile(create_private(path)?)))
    }

    fn create_for_all(&self, path: &Path) -> io::Result<Box<dyn DurableFile>> {
        let file = create_private(path)?;
        share(path, &file)?;
        Ok(Box::new(OsFile(file)))
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        let is_new = |folder: &&Path| !folder.as_os_str().is_empty() && !folder.exists();
        let made: Vec<&Path> = path.ancestors().take_while(is_new).collect();
        fs::create_dir_all(path)?;
        // Each new folder's name lies in the one above it; an old one may have been made by a run that was cut short.
        let above = made.iter().copied().chain([path]).filter_map(Path::parent);
        above.collect::<std::collections::BTreeSet<_>>().into_iter().try_for_each(|folder| self.sync_folder(folder))
    }

    fn share_folder(&self, path: &Path, like: &Path) -> io::Result<()> {
        share_folder(path, like)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        match fs::remove_file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    fn sync_file(&self, path: &Path) -> io::Result<()> {
        open_plain(OpenOptions::new().read(true).write(cfg!(windows)), path)?.sync_all()
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn ReadableFile>> {
        Ok(Box::new(open_to_read(path)?))
    }

    #[cfg(unix)]
    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        File::open(path)?.sync_all()
    }

    /// Windows makes a rename durable with the file system's own journal and opens no folder for syncing.
    #[cfg(not(unix))]
    fn sync_folder(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }
}

/// Makes a new file that nobody but its owner may read.
fn create_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Opens a file to be read, as [`open_plain`] does.
pub(crate) fn open_to_read(path: &Path) -> io::Result<File> {
    open_plain(OpenOptions::new().read(true), path)
}

/// Opens a lock: a file for all who may use its folder, made if there is none.
pub(crate) fn open_lock(path: &Path) -> io::Result<File> {
    loop {
        match open_plain(OpenOptions::new().read(true).write(true), path) {
            Ok(file) if has_other_name(&file)? => return Err(not_plain()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            opened => return opened,
        }
        match create_private(path) {
            Ok(made) => share(path, &made)?,
            // Somebody else has just made it.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}

/// Opens what is a file and nothing else. In a folder that is shared others may have put there what leads
/// elsewhere, or what whoever opens it waits for without end.
fn open_plain(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(options, libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY);
    let file = options.open(path)?;
    let found = file.metadata()?;
    match found.is_file() {
        true => Ok(file),
        #[cfg(unix)]
        false if found.is_dir() => Err(io::Error::from_raw_os_error(libc::EISDIR)),
        false => Err(not_plain()),
    }
}

fn not_plain() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "it is not a file of its own")
}

/// Whether a file is another's, too: nothing may be written to it then.
#[cfg(unix)]
fn has_other_name(file: &File) -> io::Result<bool> {
    Ok(std::os::unix::fs::MetadataExt::nlink(&file.metadata()?) > 1)
}

#[cfg(not(unix))]
fn has_other_name(_file: &File) -> io::Result<bool> {
    Ok(false)
}

/// Set-group-ID and writable for the group: a folder that its owner shares.
#[cfg(unix)]
const SHARED: u32 = 0o2020;

/// A file in a folder that its owner shares with a group (mode 2770) is shared with it likewise: accounts that do different parts
/// of the work hand bundles to each other.
///
/// Goes by the handle: whoever else may write into the folder could have put something else under the name by now.
#[cfg(unix)]
fn share(path: &Path, made: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if fs::metadata(folder)?.permissions().mode() & SHARED != SHARED {
        return Ok(());
    }
    made.set_permissions(fs::Permissions::from_mode(0o660))
}

/// Only in a folder that nobody else may write into.
#[cfg(unix)]
fn share_folder(path: &Path, like: &Path) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let Ok(model) = fs::symlink_metadata(like) else { return Ok(()) };
    let is_shared = |mode: u32| mode & SHARED == SHARED;
    if !model.is_dir() || !is_shared(model.permissions().mode()) {
        return Ok(());
    }
    let made = File::open(path)?;
    if is_shared(made.metadata()?.permissions().mode()) || made.metadata()?.gid() != model.gid() {
        return Ok(());
    }
    made.set_permissions(fs::Permissions::from_mode(0o2770))
}

/// On Windows what is made in a folder inherits who may use it.
#[cfg(not(unix))]
fn share(_path: &Path, _made: &File) -> io::Result<()> {
    Ok(())
}

#[cfg(not(unix))]
fn share_folder(_path: &Path, _like: &Path) -> io::Result<()> {
    Ok(())
}

/// Whether nobody but its owner may read a file. (On Windows a user's files are closed to others by themselves.)
pub fn is_private(path: &Path) -> io::Result<bool> {
    let found = fs::metadata(path)?;
    #[cfg(unix)]
    return Ok(std::os::unix::fs::PermissionsExt::mode(&found.permissions()) & 0o077 == 0);
    #[cfg(not(unix))]
    Ok(found.is_file())
}
