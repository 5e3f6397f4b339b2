//! Package: the `.rdb` file from which a new remote starts (DESIGN section 7).
//!
//! The same container as a bundle's: a manifest, the remote's database, and where its link begins. Order of the
//! durable steps: the file is complete and synced beside its final name; then the link's state opens the epoch that
//! the package speaks of; then the file gets its name. A kill in between leaves a link that waits for a package to be
//! made again.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use packhorse_shared::bundle::package::{AccessStart, DATABASE, KeysStart, LINK, LinkStart};
use packhorse_shared::bundle::{Addressee, BundleWriter, Counts, FORMAT, Kind, Manifest, Sealing};
use packhorse_shared::clock::WallTime;
use packhorse_shared::id::{LinkId, NodeName};
use packhorse_shared::keys::envelope::SealedTo;
use packhorse_shared::keys::{Passphrase, PublicKeys};
use packhorse_shared::link::{Link, Role};
use packhorse_shared::replica::{Copied, MembershipId, NoRange, RemoteCopy, Replica, SharedTable, StoredLink};
use packhorse_shared::seam::{Step, World, publish};
use packhorse_shared::spool::Spool;
use packhorse_shared::trust::Trust;

use crate::error::BundlerError;
use crate::pack::{schema_fingerprint, set_fingerprint};
use crate::seal::beyond;

/// What a package is made of.
pub struct Order<'a> {
    /// The remote.
    pub remote: &'a NodeName,
    /// The membership of its set.
    pub membership: MembershipId,
    /// The tables that it shares.
    pub tables: &'a [SharedTable],
    /// Those of them whose numbers are left as they are.
    pub as_is: &'a [String],
    /// The relays as the remote reaches them, in the order in which they are tried.
    pub relays: Vec<String>,
    /// How their servers are logged in to.
    pub access: Vec<AccessStart>,
    /// Where the file goes; it must not be there.
    pub file: &'a Path,
    /// With what it is sealed; without, whoever has it can read it.
    pub passphrase: Option<&'a Passphrase>,
}

/// What was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packed {
    /// How many records it holds.
    pub records: u64,
    /// Its length in bytes.
    pub bytes: u64,
    /// Parts of the schema that it lacks, and why.
    pub skipped: Vec<String>,
    /// Tables whose new numbers start there as they do here, and why.
    pub no_range: Vec<NoRange>,
}

/// Makes packages at one hub.
pub struct Packer<'a> {
    /// Clock, randomness, durable files.
    pub world: World<'a>,
    /// Where the database is made.
    pub spool: &'a Spool<'a>,
    /// The hub.
    pub node: &'a NodeName,
    /// Its keys, and which links are sealed.
    pub trust: &'a Trust,
}

impl Packer<'_> {
    /// Makes a remote's package and opens its link. A link that there was before is taken over by the new package: the
    /// old installation is refused from then on.
    pub fn pack(&self, replica: &mut dyn Replica, order: &Order<'_>) -> Result<Packed, BundlerError> {
        require_free(order.file)?;
        let now = self.world.clock.now();
        let database = self.spool.fresh_packing(&format!("{}.db", order.remote))?;
        // Made before SQLite makes it: nobody else may read what becomes a sealed package.
        drop(self.world.disk.create_new(&database).map_err(failed("make", &database))?);
        let copy = RemoteCopy { membership: order.membership, tables: order.tables, as_is: order.as_is };
        let beyond = beyond(replica)?;
        let written = replica.copy_for_remote(now, &database, copy).map_err(BundlerError::from).and_then(|copied| {
            self.reached(Step::PackageDatabaseMade, order)?;
            let keys = self.keys(replica, order, now)?;
            let mut link = self.opened_link(replica, order.remote, keys.own().public(), now, &copied)?;
            let complete_to = beyond.complete_to(copied.clock, link.id);
            link.state.tell(complete_to);
            let (epoch, clock, relays) = (link.state.epoch(), copied.clock, order.relays.clone());
            let start = LinkStart { epoch, clock, complete_to, relays, keys, access: order.access.clone() };
            let bytes = self.write(replica, order, &copied, &start, &database)?;
            Ok((copied, link, bytes))
        });
        let removed = self.world.disk.remove(&database).map_err(failed("remove", &database));
        let (copied, link, bytes) = written?;
        let placed = removed.and_then(|()| self.place(replica, order, &link));
        if placed.is_err() {
            // Without its name nobody can use it, and the error itself is what is to be told.
            let _ = self.world.disk.remove(&draft(order.file));
        }
        placed?;
        Ok(Packed { records: copied.records, bytes, skipped: copied.skipped, no_range: copied.no_range })
    }

    /// Opens the link, then gives the package its name.
    fn place(&self, replica: &mut dyn Replica, order: &Order<'_>, link: &StoredLink) -> Result<(), BundlerError> {
        self.reached(Step::PackageDrafted, order)?;
        let now = self.world.clock.now();
        if link.id == LinkId::LOCAL {
            let id = replica.add_link(&link.peer, &link.keys, &link.state)?;
            replica.share(now, id, order.membership, None)?;
        } else {
            replica.save_link(link)?;
            replica.share(now, link.id, order.membership, None)?;
        }
        self.reached(Step::PackageLinkOpened, order)?;
        publish(self.world.disk, &draft(order.file), order.file).map_err(failed("put in place", order.file))?;
        self.reached(Step::PackagePublished, order)
    }

    fn reached(&self, step: Step, order: &Order<'_>) -> Result<(), BundlerError> {
        self.world.steps.reached(step).map_err(failed("go on making", order.file))
    }

    /// The link as the package begins it, not stored yet; a new one has no number yet.
    fn opened_link(
        &self,
        replica: &mut dyn Replica,
        remote: &NodeName,
        keys: PublicKeys,
        now: WallTime,
        copied: &Copied,
    ) -> Result<StoredLink, BundlerError> {
        match replica.links()?.into_iter().find(|link| link.peer == *remote) {
            Some(mut link) => {
                link.state.repack(now, copied.cut, copied.clock);
                (link.node, link.keys) = (None, keys);
                Ok(link)
            }
            None => {
                let after = replica.last_removed_epoch()?;
                let state = Link::new(Role::Remote, now, copied.cut, copied.clock, after);
                Ok(StoredLink { id: LinkId::LOCAL, peer: remote.clone(), node: None, keys, state })
            }
        }
    }

    /// The keys that a package brings: those that the link knows already, so that an installation that was replaced can be told
    /// so. Of a remote that was revoked these are new ones.
    fn keys(&self, replica: &mut dyn Replica, order: &Order<'_>, now: WallTime) -> Result<KeysStart, BundlerError> {
        let known = replica.links()?.into_iter().find(|link| link.peer == *order.remote).map(|link| link.keys.number());
        let number = match known {
            Some(number) => number,
            None => replica.last_removed_key()?.next(now),
        };
        let ours = self.trust.keys();
        let secret = ours.of_remote(order.remote, number).secret();
        Ok(KeysStart { number, secret, hub: ours.public(), sealed: self.trust.is_sealed(order.remote) })
    }

    fn write(
        &self,
        replica: &dyn Replica,
        order: &Order<'_>,
        copied: &Copied,
        start: &LinkStart,
        database: &Path,
    ) -> Result<u64, BundlerError> {
        let draft = draft(order.file);
        let written = self.write_draft(replica, order, copied, start, database, &draft);
        if written.is_err() {
            // A part of a package is of no use to anybody; the error itself is what is to be told.
            let _ = self.world.disk.remove(&draft);
        }
        written
    }

    fn write_draft(
        &self,
        replica: &dyn Replica,
        order: &Order<'_>,
        copied: &Copied,
        start: &LinkStart,
        database: &Path,
        draft: &Path,
    ) -> Result<u64, BundlerError> {
        let mut members = BundleWriter::new();
        members.file(DATABASE, File::open(database).map_err(failed("open", database))?);
        let start = start.to_bytes().map_err(|source| BundlerError::Write { path: draft.to_owned(), source })?;
        members.bytes(LINK, start);
        let from = self.trust.keys();
        members.sealing(order.passphrase.map(|given| Sealing { from, to: SealedTo::Passphrase(given) }));
        let disk = self.world.disk;
        disk.remove(draft).map_err(failed("make", order.file))?;
        let mut file = disk.create_new(draft).map_err(failed("make", order.file))?;
        let mut buffered = BufWriter::new(&mut file);
        let written = members
            .write(self.manifest(replica, order, copied), &mut buffered)
            .map_err(|source| BundlerError::Write { path: draft.to_owned(), source })?;
        buffered.flush().map_err(failed("write", draft))?;
        drop(buffered);
        file.sync().map_err(failed("sync", draft))?;
        Ok(written.length)
    }

    fn manifest(&self, replica: &dyn Replica, order: &Order<'_>, copied: &Copied) -> Manifest {
        let identity = replica.identity();
        Manifest {
            format: FORMAT,
            kind: Kind::Package,
            network: identity.network,
            from: self.node.clone(),
            to: order.remote.clone(),
            addressee: Addressee::Anybody,
            node: identity.node,
            header: None,
            counts: Counts { records: copied.records, ..Counts::default() },
            schema: schema_fingerprint(order.tables),
            set: set_fingerprint(order.tables),
            members: Vec::new(),
        }
    }
}

/// Whether a package can be made there: asked before anything is done for its sake.
pub fn require_free(file: &Path) -> Result<(), BundlerError> {
    in_the_way(file).map_or(Ok(()), |path| Err(BundlerError::Taken { path }))
}

/// What stands where a package or its draft is to be. A link that leads nowhere is somebody's, too; a draft that was cut
/// short is ours and is made again.
fn in_the_way(file: &Path) -> Option<PathBuf> {
    let draft = draft(file);
    if file.symlink_metadata().is_ok() { Some(file.to_owned()) } else { draft.is_dir().then_some(draft) }
}

/// The name under which a package is made before it gets its own.
fn draft(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".new");
    PathBuf::from(name)
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> BundlerError {
    let path = path.to_owned();
    move |source| BundlerError::File { doing, path, source }
}
