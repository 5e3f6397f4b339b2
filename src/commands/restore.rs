//! `packhorse restore`: start a remote from its package.

use std::path::{Path, PathBuf};

use clap::Args;
use packhorse_shared::bundle::BundleError;
use packhorse_shared::config::InitialConfig;
use packhorse_shared::home::Home;
use packhorse_shared::id::NodeId;
use packhorse_shared::keys::Passphrase;
use packhorse_shared::keys::envelope::EnvelopeError;
use packhorse_transport::{Fetched, FileName, Location};
use packhorse_unbundler::UnbundlerError;
use packhorse_unbundler::restore::{Restored, Restorer, Site, require_free};

use super::init::database_from;
use crate::addresses;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::machine::Machine;
use crate::node::Node;
use crate::passphrase;
use crate::relay::keys::Keys;
use crate::relay::{self, packages};
use crate::report::note;
use crate::wording::count;

const EXAMPLES: &str = "\
Examples:
  packhorse restore alice.rdb --database crm.db
  packhorse restore alice.rdb --database crm.db --relay /media/stick/relay/alice
  packhorse restore sftp://alice@relay.example/packages/alice.rdb --database crm.db

A package on a server is got first; if the line breaks, the same command goes on where it ended.";

/// Unpack a remote database package: database, home and link, ready to sync
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Restore {
    /// The package: a file, or its address on a server (ftp, ftps or sftp)
    #[arg(value_name = "FILE.rdb or URL")]
    package: PathBuf,

    /// Where the database goes; it must not be there
    #[arg(long, value_name = "FILE")]
    database: PathBuf,

    /// The file whose first line is the package's passphrase; without, it is asked for
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,

    /// This node's relay folder, if it is reached otherwise than the package says
    #[arg(long, value_name = "URL")]
    relay: Vec<String>,
}

impl Restore {
    /// Runs the command.
    pub fn run(self, context: Context<'_>) -> Result<Exit, Failure> {
        addresses::understood(&self.relay)?;
        let package = Package::named(&self.package)?;
        let folder = context.home.map_or_else(|| Home::beside(&self.database), Path::to_owned);
        let mut place = Place {
            machine: context.machine,
            database: &self.database,
            relative: database_from(&folder, &self.database)?,
            relays: relay::written_whole(&self.relay)?,
            home: &folder,
            passphrase: self.passphrase_file.as_deref().map(passphrase::from_file).transpose()?,
        };
        let restored = match package {
            Package::File(path) => place.restore_or_ask(&path, &path.display().to_string())??,
            Package::OnServer(at, name) => place.restore_from(&at, &name)?,
        };
        give_first_orders(context.machine, &folder, "restore");
        note(&format!(
            "{}: restored {} from {}",
            restored.name,
            count(restored.records, "record", "records"),
            restored.hub
        ));
        note(&format!("home: {}", folder.display()));
        note("next: `packhorse sync`");
        Ok(Exit::Done)
    }
}

/// Whoever makes calls without the database finds in the home what to know of it. All else is done by now: where this fails, the
/// next command that opens the database does it.
pub(super) fn give_first_orders(machine: Machine, home: &Path, command: &str) {
    let given = Node::lock(Context { home: Some(home), machine }, command).map(drop);
    given.unwrap_or_else(|failure| note(&format!("calls have no orders yet: {}", failure.message())));
}

/// Where a package is.
enum Package {
    File(PathBuf),
    OnServer(Location, FileName),
}

impl Package {
    fn named(given: &Path) -> Result<Self, Failure> {
        let Some(address) = given.to_str().filter(|text| text.contains("://")) else {
            return Ok(Self::File(given.to_owned()));
        };
        let location = Location::parse(address)?;
        if let Some(path) = location.folder() {
            return Ok(Self::File(path.to_owned()));
        }
        let (folder, name) = location.file().ok_or_else(|| {
            Failure::usage(format!("{location} names no file"))
                .hint("name the package at its end, as in sftp://USER@HOST/packages/alice.rdb")
        })?;
        Ok(Self::OnServer(folder, name))
    }
}

/// What a package becomes, and where.
struct Place<'a> {
    machine: Machine,
    database: &'a Path,
    /// The database as the configuration is to name it.
    relative: PathBuf,
    relays: Vec<String>,
    home: &'a Path,
    passphrase: Option<Passphrase>,
}

impl Place<'_> {
    /// A passphrase is asked for only once it is known that one is needed.
    fn restore_or_ask(&mut self, package: &Path, shown: &str) -> Result<Result<Restored, UnbundlerError>, Failure> {
        match self.restore(package) {
            Err(error) if needs_passphrase(&error) => {
                self.passphrase = Some(passphrase::asked_for(shown)?);
                Ok(self.restore(package))
            }
            done => Ok(done),
        }
    }

    fn restore(&self, package: &Path) -> Result<Restored, UnbundlerError> {
        let world = self.machine.world;
        let passphrase = self.passphrase.as_ref();
        let site = Site { package, database: self.database, home: self.home, passphrase };
        Restorer { world }.restore(&site, NodeId(world.random.next_u64()), &|start| {
            let relay = if self.relays.is_empty() { start.relays } else { &self.relays };
            let (name, database, sealed, access) = (start.name, &self.relative, start.sealed, start.access);
            InitialConfig { name, database, relay, sealed, is_remote: true, access }.text()
        })
    }

    /// Gets the package first. It lies beside the database until that is made.
    fn restore_from(&mut self, folder: &Location, name: &FileName) -> Result<Restored, Failure> {
        require_free(self.database)?;
        let (disk, keys) = (self.machine.world.disk, Keys::default());
        let package = fetched_beside(self.database);
        let remove = || disk.remove(&package).map_err(|error| Failure::file("remove", &package, &error));
        loop {
            let fetched = packages::fetch(self.machine, &keys, folder, name, &package)?;
            match self.restore_or_ask(&package, &format!("{folder}/{name}"))? {
                Ok(restored) => return remove().map(|()| restored),
                Err(error) if is_damaged(&error) => {
                    remove()?;
                    // Its beginning may have been that of an older package.
                    if fetched == Fetched::Anew {
                        return Err(error.into());
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Where a package is collected, under no name that a person would give one. The same in every try.
fn fetched_beside(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(".rdb.part");
    PathBuf::from(name)
}

fn is_damaged(error: &UnbundlerError) -> bool {
    let is_other = |source: &BundleError| {
        matches!(source, BundleError::Io(_) | BundleError::Envelope(EnvelopeError::WrongPassphrase))
    };
    match error {
        UnbundlerError::Package { source, .. } => !is_other(source),
        UnbundlerError::NotAPackage { .. } => true,
        _ => false,
    }
}

fn needs_passphrase(error: &UnbundlerError) -> bool {
    let needed = |source: &BundleError| matches!(source, BundleError::Envelope(EnvelopeError::NeedsPassphrase));
    matches!(error, UnbundlerError::Package { source, .. } if needed(source))
}
