//! Restore: a remote database package becomes a node (DESIGN sections 5 and 7).
//!
//! Order of the durable steps: the database is unpacked, checked and adopted beside its final name; then the home is
//! made; then the database gets its name. A run that was cut short is completed by running it again: the home that it
//! left has no database yet, and its identity is used.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use packhorse_shared::bundle::package::{AccessStart, DATABASE, LINK, LinkStart};
use packhorse_shared::bundle::{BundleError, BundleReader, Kind, Limits, Manifest, Opening};
use packhorse_shared::config::{Config, InitialConfigError};
use packhorse_shared::home::{Home, Identity as HomeIdentity};
use packhorse_shared::id::{NodeId, NodeName};
use packhorse_shared::keys::envelope::EnvelopeError;
use packhorse_shared::keys::{NodeKeys, Passphrase};
use packhorse_shared::link::{Beginning, Link};
use packhorse_shared::replica::Identity;
use packhorse_shared::replica::sqlite::{Adoption, adopt, use_wal};
use packhorse_shared::seam::{Step, World, publish};

use crate::error::UnbundlerError;

/// Where things are and where they go.
#[derive(Clone, Copy, Debug)]
pub struct Site<'a> {
    /// The package.
    pub package: &'a Path,
    /// The database to be; it must not be there.
    pub database: &'a Path,
    /// The home to be.
    pub home: &'a Path,
    /// What the package may be sealed with.
    pub passphrase: Option<&'a Passphrase>,
}

/// What the configuration is made from.
#[derive(Clone, Copy, Debug)]
pub struct Start<'a> {
    /// The node's name.
    pub name: &'a NodeName,
    /// The relays that the package names.
    pub relays: &'a [String],
    /// Whether the link to the hub is sealed.
    pub sealed: bool,
    /// How the relays' servers are logged in to.
    pub access: &'a [AccessStart],
}

/// What was restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The node.
    pub name: NodeName,
    /// Its hub.
    pub hub: NodeName,
    /// How many records its database holds.
    pub records: u64,
}

/// Restores packages.
pub struct Restorer<'a> {
    /// Clock, randomness, durable files.
    pub world: World<'a>,
}

impl Restorer<'_> {
    /// Makes the node. `node`: the identity of the new installation. `config`: writes the text of its configuration.
    pub fn restore(
        &self,
        site: &Site<'_>,
        node: NodeId,
        config: &dyn Fn(Start<'_>) -> Result<String, InitialConfigError>,
    ) -> Result<Restored, UnbundlerError> {
        require_free(site.database)?;
        let draft = beside(site.database);
        let unpacked = self.unpack(site, &draft);
        let made = unpacked.and_then(|(manifest, start)| self.make(site, &draft, node, config, manifest, &start));
        if made.is_err() {
            // Whatever stopped us, what it stopped is of no use to anybody; the error itself is what is to be told.
            let _ = self.world.disk.remove(&draft);
        }
        made
    }

    /// Takes the package apart. Everything in it was checked when this returns.
    fn unpack(&self, site: &Site<'_>, draft: &Path) -> Result<(Manifest, LinkStart), UnbundlerError> {
        let package = site.package;
        let open = File::open(package).map_err(failed("open", package))?;
        let refused = |source| match source {
            // No package is sealed to keys.
            BundleError::Envelope(EnvelopeError::NoKeys) => {
                UnbundlerError::NotAPackage { path: package.to_owned(), found: "a bundle" }
            }
            source => UnbundlerError::Package { path: package.to_owned(), source },
        };
        let opening = Opening { passphrase: site.passphrase, ..Opening::default() };
        let (manifest, mut members) = BundleReader::open(open, Limits::PACKAGE, &opening).map_err(refused)?;
        if site.passphrase.is_some() && !members.provenance().is_sealed {
            return Err(UnbundlerError::NotSealed { path: package.to_owned() });
        }
        if manifest.kind != Kind::Package {
            return Err(UnbundlerError::NotAPackage { path: package.to_owned(), found: "a bundle" });
        }
        let mut start = None;
        let mut database = false;
        while let Some(name) = members.peek().map(|member| member.name.clone()) {
            match name.as_str() {
                DATABASE if !database => {
                    self.write_database(site.database, draft, |to| members.copy_to(to), &refused)?;
                    database = true;
                }
                LINK => start = Some(LinkStart::from_bytes(&members.read().map_err(refused)?).map_err(refused)?),
                _ => members.skip().map_err(refused)?,
            }
        }
        members.finish().map_err(refused)?;
        let lacking = |member: &str| refused(BundleError::Damaged { member: member.to_owned() });
        let start = start.ok_or_else(|| lacking(LINK))?;
        if database { Ok((manifest, start)) } else { Err(lacking(DATABASE)) }
    }

    fn write_database(
        &self,
        database: &Path,
        draft: &Path,
        copy: impl FnOnce(&mut dyn Write) -> Result<(), BundleError>,
        refused: &dyn Fn(BundleError) -> UnbundlerError,
    ) -> Result<(), UnbundlerError> {
        let disk = self.world.disk;
        for path in companions(draft).chain([draft.to_owned()]) {
            disk.remove(&path).map_err(failed("make", database))?;
        }
        let mut file = disk.create_new(draft).map_err(failed("make", database))?;
        let mut buffered = BufWriter::new(&mut file);
        copy(&mut buffered).map_err(refused)?;
        buffered.flush().map_err(failed("write", draft))?;
        drop(buffered);
        file.sync().map_err(failed("sync", draft))
    }

    fn make(
        &self,
        site: &Site<'_>,
        draft: &Path,
        node: NodeId,
        config: &dyn Fn(Start<'_>) -> Result<String, InitialConfigError>,
        manifest: Manifest,
        start: &LinkStart,
    ) -> Result<Restored, UnbundlerError> {
        self.reached(Step::RestoreUnpacked, site)?;
        let text = config(Start {
            name: &manifest.to,
            relays: &start.relays,
            sealed: start.keys.sealed,
            access: &start.access,
        })
        .map_err(|error| UnbundlerError::Config { why: error.to_string() })?;
        let identity = HomeIdentity { network: manifest.network, node, name: manifest.to.clone() };
        let is_new = Home::open(site.home).is_err();
        let home = self.home(site.home, &identity, &start.keys.own(), &text)?;
        let brought = home.set_access(self.world.disk, &start.access).map_err(UnbundlerError::from);
        let made = brought.and_then(|()| self.settle(site, draft, &home, manifest, start));
        if made.is_err() && is_new && site.database.symlink_metadata().is_err() {
            // Nobody has heard of it yet, and the next try may be for another place. The error itself is what is to be told.
            let _ = home.abandon(self.world.disk);
        }
        made
    }

    /// Makes the unpacked database the home's, and gives it its name.
    fn settle(
        &self,
        site: &Site<'_>,
        draft: &Path,
        home: &Home,
        manifest: Manifest,
        start: &LinkStart,
    ) -> Result<Restored, UnbundlerError> {
        self.reached(Step::RestoreHomeMade, site)?;
        let identity = Identity { network: manifest.network, node: home.identity().node };
        let beginning = Beginning { epoch: start.epoch, complete_to: start.complete_to };
        let link = Link::restored_from_package(self.world.clock.now(), beginning);
        let (hub, hub_node) = (&manifest.from, manifest.node);
        let hub_keys = &start.keys.hub;
        adopt(draft, &Adoption { identity, hub, hub_node, hub_keys, link: &link, clock: start.clock })?;
        self.world.disk.sync_file(draft).map_err(failed("sync", draft))?;
        self.reached(Step::RestoreAdopted, site)?;
        publish(self.world.disk, draft, site.database).map_err(failed("put in place", site.database))?;
        self.reached(Step::RestorePublished, site)?;
        use_wal(site.database);
        Ok(Restored { name: manifest.to, hub: manifest.from, records: manifest.counts.records })
    }

    fn reached(&self, step: Step, site: &Site<'_>) -> Result<(), UnbundlerError> {
        self.world.steps.reached(step).map_err(failed("go on restoring", site.database))
    }

    /// A new home, or this node's own that has no database: the one that a run that was cut short left.
    fn home(
        &self,
        folder: &Path,
        identity: &HomeIdentity,
        keys: &NodeKeys,
        config: &str,
    ) -> Result<Home, UnbundlerError> {
        let is_left = |home: &Home| {
            let found = home.identity();
            (found.network, &found.name) == (identity.network, &identity.name) && !has_database(home)
        };
        let home = match Home::open(folder) {
            Ok(left) if is_left(&left) => left.remake(self.world.disk, &identity.name, keys, config)?,
            _ => Home::create(self.world.disk, folder, identity, keys, config)?,
        };
        Ok(home)
    }
}

/// Whether a home's database is there: such a home is in use.
fn has_database(home: &Home) -> bool {
    Config::load(&home.config_path()).map_or(true, |config| home.folder().join(config.node.database).exists())
}

/// The name under which a database is made before it gets its own.
fn beside(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(".new");
    PathBuf::from(name)
}

/// Whether a database can be made there: asked before a package is fetched from far away.
pub fn require_free(database: &Path) -> Result<(), UnbundlerError> {
    in_the_way(database, &beside(database)).map_or(Ok(()), |path| Err(UnbundlerError::DatabaseThere { path }))
}

/// What stands where the database or its draft is to be. A log or journal of a database that was moved away would be played
/// into the new one, and a link that leads nowhere is somebody's; a draft that was cut short is ours and is made again.
fn in_the_way(database: &Path, draft: &Path) -> Option<PathBuf> {
    let mut places = std::iter::once(database.to_owned()).chain(companions(database));
    let found = places.find(|path| path.symlink_metadata().is_ok());
    found.or_else(|| draft.is_dir().then(|| draft.to_owned()))
}

/// The files that SQLite keeps beside a database and takes for its latest changes.
fn companions(database: &Path) -> impl Iterator<Item = PathBuf> {
    ["-wal", "-shm", "-journal"].into_iter().map(|ending| {
        let mut name = database.as_os_str().to_owned();
        name.push(ending);
        PathBuf::from(name)
    })
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> UnbundlerError {
    let path = path.to_owned();
    move |source| UnbundlerError::File { doing, path, source }
}
