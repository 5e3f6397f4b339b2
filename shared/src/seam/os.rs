//! The real file system. The one module that knows of differences between operating systems.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use super::disk::{Disk, DurableFile};

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
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path)?;
        share(path, &file, 0o660)?;
        Ok(Box::new(OsFile(file)))
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        let is_new = |folder: &&Path| !folder.as_os_str().is_empty() && !folder.exists();
        let made: Vec<&Path> = path.ancestors().take_while(is_new).collect();
        fs::create_dir_all(path)?;
        made.iter().rev().try_for_each(|folder| share_folder(folder))?;
        // Each new folder's name lies in the one above it; an old one may have been made by a run that was cut short.
        let above = made.iter().copied().chain([path]).filter_map(Path::parent);
        above.collect::<std::collections::BTreeSet<_>>().into_iter().try_for_each(|folder| self.sync_folder(folder))
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
        OpenOptions::new().read(true).write(cfg!(windows)).open(path)?.sync_all()
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

/// Opens a file that is there for all who may use its folder, making it if there is none.
pub(crate) fn open_for_all(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).truncate(false);
    match options.open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        opened => return opened,
    }
    let file = options.create(true).open(path)?;
    share(path, &file, 0o660)?;
    Ok(file)
}

/// What is made in a folder that its owner shares with a group (mode 2770, set-group-ID) is shared with it likewise: accounts
/// that do different parts of the work hand bundles to each other. Everything else stays as private as it was made.
///
/// Goes by the handle: whoever else may write into the folder could have put something else under the name by now.
#[cfg(unix)]
fn share(path: &Path, made: &File, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    const SHARED: u32 = 0o2020;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if fs::metadata(folder)?.permissions().mode() & SHARED != SHARED {
        return Ok(());
    }
    made.set_permissions(fs::Permissions::from_mode(mode))
}

#[cfg(unix)]
fn share_folder(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt;
    let made = File::open(path)?;
    let (opened, named) = (made.metadata()?, fs::symlink_metadata(path)?);
    if (opened.dev(), opened.ino()) != (named.dev(), named.ino()) {
        return Err(io::Error::other("something else took its place as it was made"));
    }
    share(path, &made, 0o2770)
}

/// On Windows what is made in a folder inherits who may use it.
#[cfg(not(unix))]
fn share(_path: &Path, _made: &File, _mode: u32) -> io::Result<()> {
    Ok(())
}

#[cfg(not(unix))]
fn share_folder(_path: &Path) -> io::Result<()> {
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

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn what_is_made_in_a_shared_folder_is_shared_and_elsewhere_it_is_private() {
        let folder = tempfile::tempdir().unwrap();
        for (of_folder, of_file, of_lock) in [(0o2770, 0o660, 0o660), (0o770, 0o600, 0o600), (0o2750, 0o600, 0o600)] {
            let place = folder.path().join(format!("{of_folder:o}"));
            fs::create_dir(&place).unwrap();
            fs::set_permissions(&place, fs::Permissions::from_mode(of_folder)).unwrap();
            let at = |name: &str| place.join(name);
            drop(OsDisk.create_new(&at("file")).unwrap());
            OsDisk.create_folder(&at("inner/inmost")).unwrap();
            drop(open_for_all(&at("lock")).unwrap());
            drop(open_for_all(&at("lock")).unwrap());
            assert_eq!(mode(&at("file")), of_file, "{of_folder:o}");
            assert_eq!(mode(&at("inner/inmost")) & 0o020 != 0, of_folder == 0o2770, "{of_folder:o}");
            assert_eq!(mode(&at("lock")) & 0o020 != 0, of_lock == 0o660, "{of_folder:o}");
        }
    }
}
