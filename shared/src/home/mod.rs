//! A node's home: the folder that holds its configuration, identity, lock and spool.
//!
//! Owns which names a home has and the order in which it is made. Invariants: the configuration is written last and
//! makes the folder a home, so that whatever kills the making leaves either no home, which making it again completes,
//! or a whole one; nothing that is already there is overwritten. Leaves the content of the spool to [`crate::spool`],
//! and where the home lies to the command line.

mod found;
mod identity;
mod keys;
mod lock;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::{fs, io};

use found::{Found, names_in};
pub use identity::Identity;
pub use lock::{Claim, Holder, HomeLock, LockError, SERVICE};

use crate::bundle::package::AccessStart;
use crate::calls::{self, Calls};
use crate::config::{Config, ConfigError, brought};
use crate::id::NodeName;
use crate::keys::NodeKeys;
use crate::ledger;
use crate::seam::{Disk, FileRefused, write_durably};

const CONFIG: &str = "packhorse.toml";
const IDENTITY: &str = "identity";
const KEYS: &str = "keys";
const OUTBOX: &str = "outbox";
const INBOX: &str = "inbox";
const TMP: &str = "tmp";
const QUARANTINE: &str = "quarantine";
const PACKING: &str = "packing";
const FOLDERS: [&str; 7] = [OUTBOX, INBOX, TMP, QUARANTINE, PACKING, ledger::FOLDER, calls::FOLDER];
/// What the making of a home may leave behind when it is killed: all of it can be made again.
const FILES_OF_MAKING: [&str; 5] = [IDENTITY, "identity.new", KEYS, "keys.new", "packhorse.toml.new"];
/// Where the service's log lies, if it is to be a file.
pub const LOGS: &str = "log";

/// A node's home folder, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    folder: PathBuf,
    identity: Identity,
}

/// A home that cannot be made or opened.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// There is no such folder.
    #[error("there is no home at {}: make one with `packhorse init` or `packhorse restore`", .0.display())]
    Missing(PathBuf),
    /// The path is that of something else.
    #[error("{} is not a folder; name another place for the home", .0.display())]
    NotAFolder(PathBuf),
    /// A folder that never was a home.
    #[error("{} is not a home: it holds no packhorse.toml; name the home folder, or make one", .0.display())]
    NotAHome(PathBuf),
    /// The making of this home was broken off.
    #[error("the home {} is not finished (packhorse.toml is missing): run the `packhorse init` or `packhorse restore` that makes it, or put packhorse.toml back from a backup", .0.display())]
    HalfMade(PathBuf),
    /// A home with bundles in it has lost its configuration.
    #[error("the home {} has lost its packhorse.toml and was in use: put the file back from a backup", .0.display())]
    ConfigLost(PathBuf),
    /// A new home was to be made where there is one.
    #[error("{} is a home already: use it, or choose another folder with --home DIR", .0.display())]
    Taken(PathBuf),
    /// A new home was to be made among other things.
    #[error("{} holds other things ({found}): choose another folder with --home DIR", path.display())]
    NotEmpty {
        /// The folder.
        path: PathBuf,
        /// The name of one thing that is there.
        found: String,
    },
    /// Another run is at work on the folder.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The identity file is gone.
    #[error("the identity file {} is missing; put it back from a backup, or `restore` into a new home", .0.display())]
    IdentityMissing(PathBuf),
    /// The identity file is not one.
    #[error("{} is damaged at line {line}: {why}; put it back from a backup", path.display())]
    IdentityDamaged {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
    /// The keys are gone, or others than their owner may read them.
    #[error("the keys in {} cannot be used: {why}", path.display())]
    Keys {
        /// The file.
        path: PathBuf,
        /// What is wrong with them, and what is to be done.
        why: String,
    },
    /// The file system refused something.
    #[error(transparent)]
    Failed(#[from] FileRefused),
}

fn failed<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> HomeError + 'a {
    FileRefused::at(action, path)
}

impl Home {
    /// Makes a home in a new or empty folder, or completes one whose making was broken off; the identity then is the
    /// one given now, since an unfinished home has never told anybody the other one.
    pub fn create(
        disk: &dyn Disk,
        folder: &Path,
        identity: &Identity,
        keys: &NodeKeys,
        config_text: &str,
    ) -> Result<Self, HomeError> {
        let home = Self { folder: folder.to_owned(), identity: identity.clone() };
        // Looked at before anything is written, so that somebody else's folder stays untouched.
        home.check_free(config_text)?;
        disk.create_folder(folder).map_err(failed("make the home folder", folder))?;
        let _lock = home.lock(Claim::Work, "making the home")?;
        home.check_free(config_text)?;
        home.make(disk, keys, config_text)?;
        Ok(home)
    }

    /// Gives a home that was left without its database another name, keys and configuration. What it was identified by stays:
    /// a relay may bear its network already.
    pub fn remake(
        self,
        disk: &dyn Disk,
        name: &NodeName,
        keys: &NodeKeys,
        config_text: &str,
    ) -> Result<Self, HomeError> {
        let remade = Self { identity: Identity { name: name.clone(), ..self.identity }, folder: self.folder };
        remade.make(disk, keys, config_text)?;
        Ok(remade)
    }

    /// Puts down what a package has brought to log in to relays with: files that only their owner may read.
    pub fn set_access(&self, disk: &dyn Disk, access: &[AccessStart]) -> Result<(), HomeError> {
        // What an earlier restore has left may be another remote's.
        self.clear_access(disk)?;
        let folder = self.folder.join(brought::FOLDER);
        if !access.is_empty() {
            disk.create_folder(&folder).map_err(failed("make a folder of the home", &folder))?;
        }
        let files = access.iter().enumerate().flat_map(|(at, start)| brought::files(at, start));
        for file in files {
            let path = folder.join(file.name);
            write_durably(disk, &path, file.content)
                .map_err(failed("write what relays are logged in to with", &path))?;
        }
        Ok(())
    }

    fn clear_access(&self, disk: &dyn Disk) -> Result<(), HomeError> {
        let folder = self.folder.join(brought::FOLDER);
        for name in names_in(&folder)?.iter().filter(|name| brought::is_name(name)) {
            let path = folder.join(name);
            disk.remove(&path).map_err(failed("remove a file of the home", &path))?;
        }
        Ok(())
    }

    /// Takes a home away again whose database was never prepared. Only what [`Self::create`] makes is removed.
    pub fn abandon(self, disk: &dyn Disk) -> Result<(), HomeError> {
        for name in [CONFIG, IDENTITY, KEYS].into_iter().chain(Claim::ALL.map(Claim::file)) {
            let path = self.folder.join(name);
            disk.remove(&path).map_err(failed("remove a file of the home", &path))?;
        }
        let calls = self.calls();
        calls.abandon(disk).map_err(failed("remove a file of the home", calls.folder()))?;
        self.clear_access(disk)?;
        let access = self.folder.join(brought::FOLDER);
        if access.is_dir() {
            fs::remove_dir(&access).map_err(failed("remove a folder of the home", &access))?;
        }
        for folder in FOLDERS.map(|name| self.folder.join(name)).into_iter().chain([self.folder]) {
            fs::remove_dir(&folder).map_err(failed("remove a folder of the home", &folder))?;
        }
        Ok(())
    }

    /// Opens a home.
    pub fn open(folder: &Path) -> Result<Self, HomeError> {
        match Found::look(folder)? {
            Found::Nothing => Err(HomeError::Missing(folder.to_owned())),
            Found::Unfinished => Err(HomeError::HalfMade(folder.to_owned())),
            Found::Used => Err(HomeError::ConfigLost(folder.to_owned())),
            Found::Empty | Found::Other(_) => Err(HomeError::NotAHome(folder.to_owned())),
            Found::Home => Ok(Self { folder: folder.to_owned(), identity: Identity::load(&folder.join(IDENTITY))? }),
        }
    }

    /// The home folder that belongs beside a database: `crm.db.packhorse` for `crm.db`.
    pub fn beside(database: &Path) -> PathBuf {
        let mut name = database.file_name().map(OsString::from).unwrap_or_default();
        name.push(".packhorse");
        database.with_file_name(name)
    }

    /// Holds the home, or a part of it, for one run; the command is what a second run is told.
    pub fn lock(&self, claim: Claim, command: &str) -> Result<HomeLock, LockError> {
        HomeLock::take(&self.folder, claim, command)
    }

    /// Who holds it now, if anybody does and it can be told.
    pub fn holder(&self, claim: Claim) -> Option<Holder> {
        HomeLock::holder(&self.folder, claim)
    }

    /// What passes between those who make calls and those who have the database.
    pub fn calls(&self) -> Calls {
        Calls::of(&self.folder)
    }

    /// The folder itself.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Who the node is.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The node's keys, which nobody but its owner may be able to read.
    pub fn keys(&self) -> Result<NodeKeys, HomeError> {
        keys::read(&self.folder.join(KEYS))
    }

    /// The configuration file.
    pub fn config_path(&self) -> PathBuf {
        self.folder.join(CONFIG)
    }

    /// Reads the configuration.
    pub fn config(&self) -> Result<Config, ConfigError> {
        Config::load(&self.config_path())
    }

    /// The database file that a configuration names, which it does relative to the home.
    pub fn database(&self, config: &Config) -> PathBuf {
        self.folder.join(&config.node.database)
    }

    /// The folder of the bundles to send, one folder in it for each other node.
    pub fn outbox(&self) -> PathBuf {
        self.folder.join(OUTBOX)
    }

    /// The folder of the bundles that have arrived.
    pub fn inbox(&self) -> PathBuf {
        self.folder.join(INBOX)
    }

    /// The folder of files that are being written.
    pub fn tmp(&self) -> PathBuf {
        self.folder.join(TMP)
    }

    /// The folder of databases that are being made for packages: all that a remote may have, and nobody else's to see.
    pub fn packing(&self) -> PathBuf {
        self.folder.join(PACKING)
    }

    /// The folder of the bundle queue's books.
    pub fn ledger(&self) -> PathBuf {
        self.folder.join(ledger::FOLDER)
    }

    /// The folder of files that were refused.
    pub fn quarantine(&self) -> PathBuf {
        self.folder.join(QUARANTINE)
    }

    fn check_free(&self, config_text: &str) -> Result<(), HomeError> {
        let folder = self.folder.clone();
        match Found::look(&folder)? {
            Found::Nothing | Found::Empty | Found::Unfinished => Ok(()),
            Found::Home if self.is_made_of(config_text) => Ok(()),
            Found::Home => Err(HomeError::Taken(folder)),
            Found::Used => Err(HomeError::ConfigLost(folder)),
            Found::Other(found) => Err(HomeError::NotEmpty { path: folder, found }),
        }
    }

    /// Whether the home is this very one, whose making failed at the last sync: making it again is no harm.
    fn is_made_of(&self, config_text: &str) -> bool {
        let same_identity = Identity::load(&self.folder.join(IDENTITY)).is_ok_and(|found| found == self.identity);
        same_identity && fs::read(self.config_path()).is_ok_and(|found| found == config_text.as_bytes())
    }

    fn make(&self, disk: &dyn Disk, keys: &NodeKeys, config_text: &str) -> Result<(), HomeError> {
        for name in FOLDERS {
            let folder = self.folder.join(name);
            disk.create_folder(&folder).map_err(failed("make a folder of the home", &folder))?;
        }
        let identity = self.folder.join(IDENTITY);
        write_durably(disk, &identity, self.identity.text().as_bytes())
            .map_err(failed("write the identity", &identity))?;
        let path = self.folder.join(KEYS);
        write_durably(disk, &path, keys.to_file().as_bytes()).map_err(failed("write the keys", &path))?;
        let config = self.config_path();
        write_durably(disk, &config, config_text.as_bytes()).map_err(failed("write the configuration", &config))
    }
}
