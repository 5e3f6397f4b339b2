//! A node's home: the folder with its configuration, identity and spool.
//!
//! Owns the folder's layout and the lock that keeps two runs apart. Invariant: a folder is a home when its configuration
//! is there, which is written last; one that was left half-made is completed by making it again.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::id::{NetworkId, NodeId, NodeName};
use crate::seam::{Disk, write_durably};

const CONFIG: &str = "packhorse.toml";
const IDENTITY: &str = "identity";
const LOCK: &str = "lock";
const FOLDERS: [&str; 4] = ["outbox", "inbox", "tmp", "quarantine"];

/// Who a home's node is. The database holds the same ids, so that a home cannot speak for another database; the
/// configuration holds the same name, which its peers know it by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HomeIdentity {
    /// The network.
    pub network: NetworkId,
    /// The installation.
    pub node: NodeId,
    /// The name.
    pub name: NodeName,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct IdentityFile {
    network: String,
    node: String,
    name: NodeName,
}

/// Why a folder cannot be used as a home.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// There is nothing.
    #[error("there is no home at {path}: make one with `packhorse init` or `packhorse restore`")]
    Missing {
        /// Where.
        path: PathBuf,
    },
    /// It is some other folder, or was left half-made.
    #[error(
        "{path} is not a finished home ({what} is missing): run the `packhorse init` or `packhorse restore` that \
             makes it again, or put {what} back from a backup"
    )]
    Unfinished {
        /// Where.
        path: PathBuf,
        /// What it lacks.
        what: &'static str,
    },
    /// It is a home already.
    #[error("{path} is a home already: use it, or choose another folder with --home DIR")]
    Taken {
        /// Where.
        path: PathBuf,
    },
    /// It holds other things.
    #[error("{path} holds other things ({found}): choose another folder with --home DIR")]
    NotEmpty {
        /// Where.
        path: PathBuf,
        /// One of them.
        found: String,
    },
    /// The identity cannot be read.
    #[error("{path} is damaged: restore the home from a backup")]
    DamagedIdentity {
        /// The file.
        path: PathBuf,
    },
    /// The file system said no.
    #[error("cannot {doing} {path}: {source}")]
    File {
        /// What was tried, as a verb.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Why a home cannot be worked on now.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another run works on it.
    #[error("another run works on {path} ({holder}): wait until it is done")]
    Busy {
        /// The home.
        path: PathBuf,
        /// Who, as far as it told.
        holder: String,
    },
    /// The file system said no.
    #[error("cannot lock {path}: {source}")]
    File {
        /// The lock's file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// The right to work on a home, alone, until this is dropped.
#[derive(Debug)]
pub struct HomeLock {
    _file: File,
}

/// A home.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    folder: PathBuf,
    identity: HomeIdentity,
}

/// Where a database's home is unless somebody chooses otherwise: `crm.db` has `crm.db.packhorse` beside it.
pub fn beside(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(".packhorse");
    PathBuf::from(name)
}

impl Home {
    /// Makes a home, or completes one that was left half-made: nothing refers to its identity yet.
    pub fn create(disk: &dyn Disk, folder: &Path, identity: &HomeIdentity, config: &str) -> Result<Self, HomeError> {
        if folder.join(CONFIG).exists() {
            return Err(HomeError::Taken { path: folder.to_owned() });
        }
        refuse_others(folder)?;
        for part in [folder.to_owned()].into_iter().chain(FOLDERS.map(|part| folder.join(part))) {
            disk.create_folder(&part).map_err(failed("make the folder", &part))?;
        }
        let file = folder.join(IDENTITY);
        write_durably(disk, &file, identity_text(identity).as_bytes()).map_err(failed("write", &file))?;
        let file = folder.join(CONFIG);
        write_durably(disk, &file, config.as_bytes()).map_err(failed("write", &file))?;
        Self::open(folder)
    }

    /// Opens a home.
    pub fn open(folder: &Path) -> Result<Self, HomeError> {
        let unfinished = |what| HomeError::Unfinished { path: folder.to_owned(), what };
        if !folder.is_dir() {
            return Err(HomeError::Missing { path: folder.to_owned() });
        }
        if !folder.join(CONFIG).is_file() {
            return Err(unfinished(CONFIG));
        }
        let path = folder.join(IDENTITY);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(unfinished(IDENTITY)),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                return Err(HomeError::DamagedIdentity { path });
            }
            Err(error) => return Err(failed("read", &path)(error)),
        };
        let identity = read_identity(&text).ok_or(HomeError::DamagedIdentity { path })?;
        Ok(Self { folder: folder.to_owned(), identity })
    }

    /// Gives a home that was left without its database another name and configuration. What it was identified by stays:
    /// a relay may bear its network already.
    pub fn remake(self, disk: &dyn Disk, name: &NodeName, config: &str) -> Result<Self, HomeError> {
        let identity = HomeIdentity { name: name.clone(), ..self.identity };
        for (file, text) in [(IDENTITY, identity_text(&identity)), (CONFIG, config.to_owned())] {
            let file = self.folder.join(file);
            write_durably(disk, &file, text.as_bytes()).map_err(failed("write", &file))?;
        }
        Self::open(&self.folder)
    }

    /// Takes a home away again whose database was never prepared. Only what [`Self::create`] makes is removed.
    pub fn abandon(self, disk: &dyn Disk) -> Result<(), HomeError> {
        for name in [CONFIG, IDENTITY, LOCK] {
            let path = self.folder.join(name);
            disk.remove(&path).map_err(failed("remove", &path))?;
        }
        for part in FOLDERS.map(|part| self.folder.join(part)).into_iter().chain([self.folder]) {
            fs::remove_dir(&part).map_err(failed("remove the folder", &part))?;
        }
        Ok(())
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The configuration file.
    pub fn config_path(&self) -> PathBuf {
        self.folder.join(CONFIG)
    }

    /// Who the node is.
    pub fn identity(&self) -> &HomeIdentity {
        &self.identity
    }

    /// Takes the right to work on the home. `command`: what a second run is told about this one.
    pub fn lock(&self, command: &str) -> Result<HomeLock, LockError> {
        let path = self.folder.join(LOCK);
        let failed = |source| LockError::File { path: path.clone(), source };
        let options = File::options().read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = options.map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(LockError::Busy { path: self.folder.clone(), holder: holder(&mut file) });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        let told = format!("packhorse {command}, process {}", std::process::id());
        file.set_len(0).and_then(|()| file.write_all(told.as_bytes())).map_err(failed)?;
        Ok(HomeLock { _file: file })
    }
}

fn holder(file: &mut File) -> String {
    let mut told = String::new();
    let read = file.rewind().and_then(|()| file.take(200).read_to_string(&mut told));
    match read {
        Ok(_) if !told.trim().is_empty() => told.trim().to_owned(),
        _ => "it has not told who it is".to_owned(),
    }
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> HomeError {
    let path = path.to_owned();
    move |source| HomeError::File { doing, path, source }
}

/// A folder in which anything lies that is not a half-made home's is somebody's.
fn refuse_others(folder: &Path) -> Result<(), HomeError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed("read the folder", folder)(error)),
    };
    for entry in entries {
        let name = entry.map_err(failed("read the folder", folder))?.file_name().to_string_lossy().into_owned();
        let ours = [IDENTITY, LOCK].contains(&name.trim_end_matches(".new")) || FOLDERS.contains(&name.as_str());
        if !ours && name != format!("{CONFIG}.new") {
            return Err(HomeError::NotEmpty { path: folder.to_owned(), found: name });
        }
    }
    Ok(())
}

fn identity_text(identity: &HomeIdentity) -> String {
    let HomeIdentity { network, node, name } = identity;
    format!(
        "# Made once; never changed, never copied to another node.\n\
         network = \"{network}\"\nnode = \"{node}\"\nname = \"{name}\"\n"
    )
}

fn read_identity(text: &str) -> Option<HomeIdentity> {
    let file: IdentityFile = toml::from_str(text).ok()?;
    Some(HomeIdentity { network: file.network.parse().ok()?, node: file.node.parse().ok()?, name: file.name })
}
