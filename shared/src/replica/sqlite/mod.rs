//! SQLite as a replica.
//!
//! The application's database is opened twice: one connection writes, another reads consistent views beside it. Our
//! tables lie in the application's own file, so that they live and die in its transactions and its backups.

mod approvals;
mod arrivals;
mod bearing;
mod begin;
mod bystanders;
mod capture;
mod catalogue;
mod conflicts;
mod counters;
mod discreet;
mod fault;
mod forget;
mod harvest;
mod holding;
mod identities;
mod in_the_way;
mod membership;
mod merging;
mod metadata;
mod missing;
mod moves;
mod names;
mod namesakes;
mod numbers;
mod open;
mod packing;
mod policies;
mod prepare;
mod quiet;
mod ranges;
mod references;
mod referring;
mod regain;
mod remake;
mod repair;
mod rights;
mod schema;
mod search;
mod sharing;
mod silence;
mod slices;
mod snapshot;
mod state;
mod sweeping;
mod telling;
mod terms;
mod tracing;
mod values;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use self::catalogue::Catalogue;
use self::fault::{Fault, Outcome};
use self::merging::SqliteMerge;
use self::references::Origin;
use self::silence::Loud;
use self::snapshot::SqliteSnapshot;
use self::state::Progress;
use crate::clock::{Reading, WallTime};
use crate::horizon::Horizon;
use crate::id::{Cut, Epoch, LinkId, NodeName, TableId};
use crate::keys::{KeyNumber, PublicKeys};
use crate::link::{Forgettable, Link};
use crate::replica::{
    Approval, Copied, Harvested, Held, Identity, MembershipId, MergeTransaction, Noted, Notice, Reference, RemoteCopy,
    Replica, ReplicaError, Result, SharedTable, Snapshot, StoredLink, TableShape, Tally, Terms,
};
use crate::seam::{Disk, Steps, Uninterrupted};
use crate::set::BoundSet;

pub use discreet::without_values;
pub use open::Journal;
pub use packing::{Adoption, adopt, use_wal};
pub use prepare::{Choice, JournalWish, Prepared, SyncedTable, examine, prepare};

/// A database that has been prepared, opened.
pub struct SqliteReplica {
    path: PathBuf,
    writer: Connection,
    reader: Connection,
    journal: Journal,
    identity: Identity,
    catalogue: Catalogue,
    loud: Loud,
    steps: &'static dyn Steps,
    /// What the database said when others were last asked about (see [`Replica::others_wrote`]).
    version: Option<i64>,
}

impl SqliteReplica {
    /// Opens a database. Capture that an application's change of schema left outdated is renewed.
    pub fn open(path: &Path) -> Result<Self> {
        Self::try_open(path).map_err(|fault| fault.at(path, "be opened"))
    }

    fn try_open(path: &Path) -> Outcome<Self> {
        let mut writer = open::writer(path)?;
        let reader = open::reader(path)?;
        match state::format(&writer)? {
            None => return Err(ReplicaError::NotPrepared { path: path.to_owned() }.into()),
            Some(found) if found > state::FORMAT => {
                let path = path.to_owned();
                return Err(ReplicaError::NewerFormat { path, found, known: state::FORMAT }.into());
            }
            Some(_) => {}
        }
        let journal = open::journal(&writer)?;
        let catalogue = repair::renew_capture(&mut writer)?;
        regain::regain(&mut writer, &catalogue)?;
        let identity = state::identity(&writer)?;
        let loud = silence::silence(&mut writer, &catalogue)?;
        let steps = &Uninterrupted;
        Ok(Self { path: path.to_owned(), writer, reader, journal, identity, catalogue, loud, steps, version: None })
    }

    /// Takes over what the configuration says of tables' identities, by table and columns; the schema says the rest.
    pub fn set_identities(&mut self, wanted: &BTreeMap<String, Vec<String>>) -> Result<()> {
        let done = self.try_set_identities(wanted);
        done.map_err(|fault| fault.at(&self.path, "take over what its configuration says"))
    }

    fn try_set_identities(&mut self, wanted: &BTreeMap<String, Vec<String>>) -> Outcome<()> {
        let wanted = identities::named(&self.writer, &self.catalogue, wanted)?;
        if wanted == identities::load(&self.writer)? {
            return Ok(());
        }
        let transaction = self.writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
        identities::store(&transaction, &wanted)?;
        transaction.commit()?;
        let (found, _) = schema::candidates(&self.writer)?;
        self.catalogue = Catalogue::load(&self.writer, &found)?;
        Ok(())
    }

    /// The same, telling of its durable steps.
    pub fn with_steps(self, steps: &'static dyn Steps) -> Self {
        Self { steps, ..self }
    }

    /// Returns when everything that can be read here is on the disk. A commit whose last wait for the disk failed is told to be
    /// none, and yet it can be read: its rollback journal is gone, or the whole of it is in the write-ahead log.
    pub fn wait_for_disk(&self, disk: &dyn Disk) -> io::Result<()> {
        match self.journal {
            Journal::Wal => match disk.sync_file(&self.log_path()) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                done => done,
            },
            Journal::Rollback => self.path.parent().map_or(Ok(()), |folder| disk.sync_folder(folder)),
        }
    }

    fn log_path(&self) -> PathBuf {
        let mut log = self.path.as_os_str().to_owned();
        log.push("-wal");
        log.into()
    }

    /// The database's file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes these the references that the node's own configuration names. One that does not fit the database is refused.
    pub fn configure_references(&mut self, wanted: &[Reference]) -> Result<()> {
        references::check(self.tables(), wanted)?;
        self.try_configure_references(wanted).map_err(self.fault("be written"))
    }

    fn try_configure_references(&mut self, wanted: &[Reference]) -> Outcome<()> {
        if references::are(&self.reader, Origin::Configuration, wanted)? {
            return Ok(());
        }
        let transaction = self.writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
        references::replace(&transaction, Origin::Configuration, wanted)?;
        transaction.commit()?;
        let (found, _) = schema::candidates(&self.writer)?;
        self.catalogue = Catalogue::load(&self.writer, &found)?;
        Ok(())
    }

    fn fault<'a>(&'a self, doing: &'static str) -> impl FnOnce(Fault) -> ReplicaError + 'a {
        move |fault| fault.at(&self.path, doing)
    }

    fn count_held(&self) -> Outcome<BTreeMap<LinkId, u64>> {
        let mut statement = self.reader.prepare_cached("SELECT link, count(*) FROM _packhorse_held GROUP BY link")?;
        let counts = statement.query_map([], |row| Ok((LinkId(row.get(0)?), row.get::<_, i64>(1)?)))?;
        let counts = counts.map(|count| count.map(|(link, count)| (link, u64::try_from(count).unwrap_or(0))));
        Ok(counts.collect::<rusqlite::Result<_>>()?)
    }

    fn try_tally(&self) -> Outcome<Tally> {
        let from = Progress::load(&self.reader)?.harvested_to;
        let masks = capture::mask_names(capture::mask_width(&self.reader)?);
        let nothing = masks.iter().map(|mask| format!("ifnull({mask}, 0) = 0")).collect::<Vec<_>>().join(" AND ");
        let sql = format!(
            "SELECT count(*), min(at) FROM _packhorse_log WHERE id > ?1 AND op NOT IN ('R', 'S') AND NOT (op = 'U' AND {nothing})"
        );
        let (count, oldest): (i64, Option<i64>) =
            self.reader.prepare_cached(&sql)?.query_row([from], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let oldest_unharvested = oldest.and_then(|at| u64::try_from(at).ok()).map(WallTime);
        Ok(Tally { unharvested: u64::try_from(count).unwrap_or(0), oldest_unharvested })
    }

    fn try_add_link(&self, peer: &NodeName, keys: &PublicKeys, state: &Link) -> Outcome<LinkId> {
        let sql = "SELECT 1 FROM _packhorse_links WHERE peer = ?1";
        if self.writer.query_row(sql, [peer.as_str()], |_| Ok(())).optional()?.is_some() {
            return Err(ReplicaError::LinkExists { peer: peer.to_string() }.into());
        }
        state::add_link(&self.writer, peer, keys, state)
    }
}

impl Replica for SqliteReplica {
    fn identity(&self) -> Identity {
        self.identity
    }

    fn tables(&self) -> &[TableShape] {
        self.catalogue.shapes()
    }

    fn harvest(&mut self, now: WallTime) -> Result<Harvested> {
        self.try_harvest(now).map_err(self.fault("be harvested"))
    }

    fn links(&mut self) -> Result<Vec<StoredLink>> {
        state::links(&self.reader).map_err(self.fault("give its links"))
    }

    fn add_link(&mut self, peer: &NodeName, keys: &PublicKeys, state: &Link) -> Result<LinkId> {
        self.try_add_link(peer, keys, state).map_err(self.fault("take a new link"))
    }

    fn save_link(&mut self, link: &StoredLink) -> Result<()> {
        state::save_link(&self.writer, link).map_err(self.fault("keep a link's state"))
    }

    fn membership(&mut self, set: &BoundSet) -> Result<MembershipId> {
        self.try_membership(set).map_err(self.fault("look at a sync set"))
    }

    fn share(&mut self, now: WallTime, link: LinkId, membership: MembershipId, acked: Option<Cut>) -> Result<()> {
        self.try_share(now, link, membership, acked).map_err(self.fault("be written"))
    }

    fn shared_by(&mut self, membership: MembershipId) -> Result<Vec<SharedTable>> {
        membership::of(&self.reader, &self.catalogue, membership).map_err(self.fault("be read"))
    }

    fn all_sharing(&mut self) -> Result<Vec<(StoredLink, Arc<[SharedTable]>)>> {
        membership::all_sharing(&self.reader, &self.catalogue).map_err(self.fault("give its links"))
    }

    fn take_over(&mut self, terms: &Terms, now: WallTime) -> Result<Vec<String>> {
        self.try_take_over(terms, now).map_err(self.fault("take over what its hub says"))
    }

    fn remove_link(&mut self, link: LinkId) -> Result<()> {
        let path = &self.path;
        state::remove_link(&mut self.writer, &self.catalogue, link).map_err(|fault| fault.at(path, "forget a link"))
    }

    fn last_removed_key(&mut self) -> Result<KeyNumber> {
        state::last_removed_key(&self.reader).map_err(self.fault("be read"))
    }

    fn last_removed_epoch(&mut self) -> Result<Epoch> {
        state::last_removed_epoch(&self.reader).map_err(self.fault("be read"))
    }

    fn horizon(&mut self) -> Result<Horizon> {
        state::horizon(&self.reader).map_err(self.fault("be read"))
    }

    fn earliest_held(&mut self) -> Result<Option<Reading>> {
        holding::earliest(&self.reader, self.identity.node).map_err(self.fault("be read"))
    }

    fn forget(&mut self, what: Forgettable) -> Result<u64> {
        let path = &self.path;
        forget::forget(&mut self.writer, &self.catalogue, self.identity.node, what, self.steps)
            .map_err(|fault| fault.at(path, "forget old stamps"))
    }

    fn tally(&mut self) -> Result<Tally> {
        self.try_tally().map_err(self.fault("be counted"))
    }

    fn held(&mut self) -> Result<BTreeMap<LinkId, u64>> {
        self.count_held().map_err(self.fault("be counted"))
    }

    fn all_held(&mut self) -> Result<Vec<Held>> {
        holding::held(&self.reader, self.identity.node).map_err(self.fault("be read"))
    }

    fn sliced(&mut self, bundle: &str) -> Result<Vec<u64>> {
        slices::done(&self.reader, bundle).map_err(self.fault("be read"))
    }

    fn others_wrote(&mut self) -> Result<bool> {
        let version = self.writer.query_row("PRAGMA data_version", [], |row| row.get(0));
        let version = version.map_err(|error| self.fault("be read")(error.into()))?;
        Ok(self.version.replace(version).is_some_and(|before| before != version))
    }

    fn changed_since_tried(&mut self, tables: &[TableId]) -> Result<bool> {
        holding::is_untried(&self.reader, &self.catalogue, tables).map_err(self.fault("be read"))
    }

    fn notices(&mut self) -> Result<Vec<Notice>> {
        state::notices(&self.reader).map_err(self.fault("be read"))
    }

    fn conflicts(&mut self) -> Result<BTreeMap<LinkId, u64>> {
        conflicts::open_by_link(&self.reader, &self.catalogue).map_err(self.fault("be counted"))
    }

    fn ask_approval(&mut self, asked: &Approval) -> Result<()> {
        approvals::ask(&self.writer, asked).map_err(self.fault("be written"))
    }

    fn all_conflicts(&mut self) -> Result<Vec<Noted>> {
        conflicts::all(&self.reader, &self.catalogue).map_err(self.fault("be read"))
    }

    fn snapshot(&mut self, now: WallTime) -> Result<Box<dyn Snapshot + '_>> {
        self.begin_quiet_read(now).map_err(self.fault("be read"))?;
        SqliteSnapshot::begun(&self.reader, &self.path, &self.catalogue).map(|snapshot| Box::new(snapshot) as _)
    }

    fn glance(&mut self) -> Result<Box<dyn Snapshot + '_>> {
        self.begin_read().map_err(self.fault("be read"))?;
        SqliteSnapshot::begun(&self.reader, &self.path, &self.catalogue).map(|snapshot| Box::new(snapshot) as _)
    }

    fn bury_vanished(&mut self, table: &str) -> Result<()> {
        let shape = TableShape::named(self.catalogue.shapes(), table);
        let keys = shape.map(|shape| shape.keys.as_slice()).unwrap_or_default();
        repair::log_vanished(&self.writer, table, keys).map_err(self.fault("be written"))
    }

    fn copy_for_remote(&mut self, now: WallTime, target: &Path, copy: RemoteCopy<'_>) -> Result<Copied> {
        self.try_copy(now, target, copy).map_err(|fault| fault.at(target, "be made"))
    }

    fn begin_merge(&mut self, now: WallTime, observed: Reading) -> Result<Box<dyn MergeTransaction + '_>> {
        self.lock_quiet(now).map_err(self.fault("be written"))?;
        SqliteMerge::begun(self, now, observed).map(|merge| Box::new(merge) as _)
    }
}
