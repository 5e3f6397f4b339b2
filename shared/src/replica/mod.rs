//! A database as a participant: what it shares, what changed in it, and how changes from elsewhere get into it.
//!
//! Owns the traits between the database and the rest of Packhorse. [`sqlite`] is the one implementation; which one
//! a node uses is chosen when it opens its database. Invariant of every implementation: a change is seen by others
//! only together with its stamp, and cursors, applied sequences and stamps are stored in the same transaction as the
//! data that they speak of. Leaves to `bundler` what a link is owed, and to `unbundler` which of two values wins.

mod about;
mod conflict;
mod error;
mod held;
mod missing;
mod moved;
mod number;
mod numbering;
mod reference;
mod remains;
mod shape;
mod sharing;
pub mod sqlite;
mod terms;

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::Path;

use crate::change::TableChanges;
use crate::clock::{Reading, Stamp, WallTime};
use crate::horizon::Horizon;
use crate::id::{Cut, Epoch, LinkId, NetworkId, NodeId, NodeName, TableId};
use crate::link::{Forgettable, Link, Sweep};
use crate::marks::Marks;
use crate::set::BoundSet;
use crate::value::{Key, Value};

pub use about::{About, Numbers, OwnNumbers, ReferenceAbout, RefersTo, SaidBy, TableAbout, TriggerAbout, TriggerRule};
pub use conflict::Conflict;
pub use error::ReplicaError;
pub use held::{Held, Refusal};
pub use missing::Missing;
pub use moved::{Moves, Residence};
pub use numbering::{NoRange, RemoteCopy, WhyNoRange};
pub use reference::{Pair, Reference, Refers};
pub use remains::{Remains, RemainsField};
pub use shape::{ColumnShape, KeyKind, LeftOut, Parent, TableShape, WhyLeftOut};
pub use sharing::{Belonging, MembershipId, SharedRows, SharedTable, Spoken};
pub use terms::{DamagedTerms, SharedColumns, Terms};

/// Shorthand for results of a replica.
pub type Result<T> = std::result::Result<T, ReplicaError>;

/// Who a database's node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The network that it belongs to.
    pub network: NetworkId,
    /// Its installation.
    pub node: NodeId,
}

/// A link as the database keeps it.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredLink {
    /// Its number here.
    pub id: LinkId,
    /// The node at the other end.
    pub peer: NodeName,
    /// The installation met there first, once there was contact.
    pub node: Option<NodeId>,
    /// Its state.
    pub state: Link,
}

/// What a harvest found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Harvested {
    /// Records with new marks.
    pub records: u64,
    /// Log rows that could not be attributed to a record because its key holds a NULL.
    pub without_key: u64,
}

/// Counts for `status`, cheap to get while others write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Captured changes not yet harvested (log rows).
    pub unharvested: u64,
    /// When the oldest of them was made.
    pub oldest_unharvested: Option<WallTime>,
}

/// What was copied for a remote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// The cut of the main database that the copy holds.
    pub cut: Cut,
    /// The node's clock in it.
    pub clock: Reading,
    /// How many records were copied.
    pub records: u64,
    /// Parts of the schema that could not be copied, and why.
    pub skipped: Vec<String>,
    /// The tables with assigned keys whose new numbers start as they do here, and why; the others got a range.
    pub no_range: Vec<NoRange>,
}

/// A database that takes part.
pub trait Replica {
    /// Who this node is.
    fn identity(&self) -> Identity;

    /// The synced tables.
    fn tables(&self) -> &[TableShape];

    /// Turns the captured changes into stamped ones. Holds the write lock for some tens of milliseconds at a time;
    /// started over after a kill it comes to the same result.
    fn harvest(&mut self, now: WallTime) -> Result<Harvested>;

    /// Every link, by number.
    fn links(&mut self) -> Result<Vec<StoredLink>>;

    /// Adds a link; its number is returned. An error if there is one to this peer.
    fn add_link(&mut self, peer: &NodeName, state: &Link) -> Result<LinkId>;

    /// Stores a link's state durably.
    fn save_link(&mut self, link: &StoredLink) -> Result<()>;

    /// The membership of a sync set with its parameters' values, made and looked at if there is none yet. A set that does not
    /// fit the database is refused.
    fn membership(&mut self, set: &BoundSet) -> Result<MembershipId>;

    /// Lets a link share that from now on. `acked`: what its peer has; None if it starts from a package that holds just that.
    fn share(&mut self, now: WallTime, link: LinkId, membership: MembershipId, acked: Option<Cut>) -> Result<()>;

    /// What a membership's set shares.
    fn shared_by(&mut self, membership: MembershipId) -> Result<Vec<SharedTable>>;

    /// What a link shares.
    fn sharing(&mut self, link: &StoredLink) -> Result<Vec<SharedTable>>;

    /// Takes over what the hub says of what is shared; tells the tables of these that this database does not have.
    fn take_over(&mut self, terms: &Terms) -> Result<Vec<String>>;

    /// Forgets a link. Its number is never given again.
    fn remove_link(&mut self, link: LinkId) -> Result<()>;

    /// The latest epoch of any link that was removed.
    fn last_removed_epoch(&mut self) -> Result<Epoch>;

    /// The node's horizon.
    fn horizon(&mut self) -> Result<Horizon>;

    /// The earliest stamp of what is held.
    fn earliest_held(&mut self) -> Result<Option<Reading>>;

    /// Raises the horizon and drops the stamps and tombstones below it that everybody has acknowledged; tells of how
    /// many records. Holds the write lock for some tens of milliseconds at a time. Nothing is done unless the horizon
    /// rises.
    fn forget(&mut self, what: Forgettable) -> Result<u64>;

    /// What waits in the log, without harvesting it.
    fn tally(&mut self) -> Result<Tally>;

    /// How many changes of a link's are held.
    fn held(&mut self, link: LinkId) -> Result<u64>;

    /// Every change that is held, in the order in which they came.
    fn all_held(&mut self) -> Result<Vec<Held>>;

    /// How many conflicts with a link's peer nobody has looked at.
    fn conflicts(&mut self, link: LinkId) -> Result<u64>;

    /// Begins a consistent read in which nothing is unharvested, harvesting as often as that takes.
    fn snapshot(&mut self, now: WallTime) -> Result<Box<dyn Snapshot + '_>>;

    /// Begins a consistent read of what is stamped so far, for figures that need not be the latest.
    fn glance(&mut self) -> Result<Box<dyn Snapshot + '_>>;

    /// Counts as deleted the records of a table that have marks and stand no more: what [`ReplicaError::Vanished`] told.
    fn bury_vanished(&mut self, table: &str) -> Result<()>;

    /// Copies what is shared of these tables into a new SQLite database at `target`: an empty copy of the schema filled with what a
    /// remote may have, prepared to take part, its numbers in a range of their own. The file is complete and on the disk
    /// when this returns.
    fn copy_for_remote(&mut self, now: WallTime, target: &Path, copy: RemoteCopy<'_>) -> Result<Copied>;

    /// Begins a write transaction in which nothing is unharvested. `observed` is the sender's clock.
    fn begin_merge(&mut self, now: WallTime, observed: Reading) -> Result<Box<dyn MergeTransaction + '_>>;
}

/// One consistent view of the data and its marks.
pub trait Snapshot {
    /// The latest cut in it.
    fn cut(&self) -> Cut;

    /// The node's clock in it.
    fn clock(&self) -> Reading;

    /// Shows every record of a table that a link shares or shared whose latest change lies between two cuts (after the first,
    /// up to the second), in no particular order. The cost follows the number of records that changed.
    fn changed_between(
        &self,
        link: LinkId,
        table: &SharedTable,
        since: Cut,
        upto: Cut,
        show: &mut Show<'_>,
    ) -> Result<()>;

    /// The last cut up to which no more than `records` records of these tables changed last after `since`; at least
    /// the first such cut, and the latest one of all if there are no more.
    fn boundary(&self, link: LinkId, tables: &[SharedTable], since: Cut, records: u64) -> Result<Cut>;

    /// The node's horizon in it.
    fn horizon(&self) -> Horizon;

    /// Up to where births may be missing in it: the node's horizon, or that of one which sent it records without.
    fn births(&self) -> Horizon;

    /// Shows the records of these tables that lie before every cut, in the order of tables and keys, from a place on, until
    /// `show` has enough; tells the place reached.
    fn sweep(&self, tables: &[SharedTable], from: &Sweep, show: &mut ShowSwept<'_>) -> Result<Sweep>;

    /// The birth of the record under a key, or of the one that stood there last, if it was made since capture began; `at`:
    /// of the one that stood there when this was stamped.
    fn birth_of(&self, table: &str, key: &Key, at: Option<Stamp>) -> Result<Option<Stamp>>;

    /// What a link's peer is to be told of what is shared, as [`Terms`] in bytes, if that changed after a cut; and the cut at
    /// which it did.
    fn terms_owed(&self, link: LinkId, since: Cut) -> Result<Option<(Vec<u8>, Cut)>>;

    /// The records that are one with the one under a key, each with what that one is known by.
    fn united(&self, table: &TableShape, key: &Key) -> Result<Vec<(Residence, Residence)>>;
}

/// What [`Snapshot::changed_between`] shows its records to.
pub type Show<'a> = dyn FnMut(&dyn ChangedRecord) -> Result<()> + 'a;

/// What [`Snapshot::sweep`] shows its records to, each with the position of its table among those asked for.
pub type ShowSwept<'a> = dyn FnMut(usize, &dyn ChangedRecord) -> Result<ControlFlow<()>> + 'a;

/// A record with its marks; values are read only when asked for.
pub trait ChangedRecord {
    /// Its key.
    fn key(&self) -> &Key;

    /// Its birth, if it was made since capture began and its key is assigned.
    fn birth(&self) -> Option<Stamp>;

    /// Where its latest change lies, or that of how it stands to what is shared.
    fn cut(&self) -> Cut;

    /// How it stands to what is shared.
    fn belonging(&self) -> Belonging;

    /// What there is of it.
    fn life(&self) -> Life<'_>;

    /// The value of a living record's field, by position in [`TableShape::columns`].
    fn value(&self, column: usize) -> Result<Value>;
}

/// Whether a record stands in its table.
#[derive(Clone, Copy, Debug)]
pub enum Life<'a> {
    /// It does; these are its marks.
    Present(&'a Marks),
    /// It does not: deleted, or come only in part.
    Absent(&'a Remains),
}

/// A record that stands in its table, as a merge needs it.
#[derive(Clone, Debug, PartialEq)]
pub struct Present {
    /// Its birth, as in [`ChangedRecord::birth`].
    pub birth: Option<Stamp>,
    /// Its marks.
    pub marks: Marks,
}

/// What is left of a record, with the birth under which it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Buried {
    /// Its birth, as in [`ChangedRecord::birth`].
    pub birth: Option<Stamp>,
    /// What is left.
    pub remains: Remains,
}

/// What became of a write that a constraint could refuse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Placement {
    /// It stands.
    Placed,
    /// The database refused it, in these words.
    Refused(String),
}

/// A write transaction in which changes from elsewhere are placed. Dropped without [`Self::commit`] it leaves no
/// trace. Nothing that it writes is captured.
pub trait MergeTransaction {
    /// The cut of everything that this transaction changes.
    fn cut(&self) -> Cut;

    /// Takes a stamp for a decision made here and now (a revival).
    fn tick(&mut self) -> Stamp;

    /// The synced tables.
    fn tables(&self) -> std::sync::Arc<[TableShape]>;

    /// The record under a key, if it stands in its table.
    fn find(&mut self, table: &TableShape, key: &Key) -> Result<Option<Present>>;

    /// What is left of every record under a key that does not.
    fn remains(&mut self, table: &TableShape, key: &Key) -> Result<Vec<Buried>>;

    /// The node's horizon.
    fn horizon(&mut self) -> Result<Horizon>;

    /// Up to where births may be missing here, now that something comes from a node where they may be up to `theirs`.
    fn births(&mut self, theirs: Horizon) -> Result<Horizon>;

    /// Every value of a record that stands, in the order of [`TableShape::columns`].
    fn values(&mut self, table: &TableShape, key: &Key) -> Result<Vec<Value>>;

    /// Puts a record into its table; columns not named take their default.
    fn insert(&mut self, table: &TableShape, key: &Key, fields: &[(usize, Value)]) -> Result<Placement>;

    /// Changes fields of a record that stands.
    fn update(&mut self, table: &TableShape, key: &Key, fields: &[(usize, Value)]) -> Result<Placement>;

    /// Takes a record out of its table.
    fn delete(&mut self, table: &TableShape, key: &Key) -> Result<Placement>;

    /// Stores the marks of a record that stands.
    fn mark(&mut self, table: &TableShape, key: &Key, present: &Present) -> Result<()>;

    /// Stores what is left of a record that does not stand, and forgets its marks if it was the one under the key.
    fn bury(&mut self, table: &TableShape, key: &Key, birth: Option<Stamp>, remains: &Remains) -> Result<()>;

    /// Forgets what was left of a record that stands again.
    fn unbury(&mut self, table: &TableShape, key: &Key, birth: Option<Stamp>) -> Result<()>;

    /// Takes a record off its table and forgets it, or what is left of it, but for edits that its hub has not acknowledged.
    fn take_off(&mut self, table: &TableShape, key: &Key, birth: Option<Stamp>, limbo: &Remains) -> Result<Placement>;

    /// Whether this node has only some of the rows that its hub has of a table.
    fn has_part(&mut self, table: &TableShape) -> Result<bool>;

    /// Whether this node is a hub: what is taken off here goes from its remotes too.
    fn has_remotes(&mut self) -> Result<bool>;

    /// Forgets what is left of withdrawn records whose edits lie up to this cut: the hub has them, and every remote was told.
    fn forget_withdrawn(&mut self, upto: Cut) -> Result<()>;

    /// What a link shares.
    fn sharing(&mut self, link: LinkId) -> Result<Vec<SharedTable>>;

    /// How the record under a key stands to what a link shares; None if it never was shared and its peer has never spoken of
    /// it.
    fn belonging(&mut self, link: LinkId, table: &SharedTable, key: &Key) -> Result<Option<Belonging>>;

    /// Notes that a link's peer has spoken of a record that is no member yet, or not any more.
    fn note_spoken_of(&mut self, link: LinkId, table: &SharedTable, key: &Key, spoken: Spoken) -> Result<()>;

    /// What the record under a key refers to by foreign keys and does not stand here.
    fn missing_parents(&mut self, table: &TableShape, key: &Key) -> Result<Vec<Missing>>;

    /// A living record that refers to this one and is not among those `dying`, as "table key", if there is any.
    fn living_child(
        &mut self,
        table: &TableShape,
        key: &Key,
        dying: &BTreeSet<(TableId, Key)>,
    ) -> Result<Option<String>>;

    /// A number that no record of a table with assigned keys has, had or was given, of those that this node gives, and that
    /// is not `taken` either; None if there is none left.
    fn free_number(&mut self, table: &TableShape, taken: &BTreeSet<i64>) -> Result<Option<i64>>;

    /// Whether a number of another node's can be this node's for the same record: nothing has or had it here, and it is not
    /// one of those that only remotes give.
    fn may_adopt(&mut self, table: &TableShape, number: i64) -> Result<bool>;

    /// When another connection wrote to any synced table last, if this one's new records do not get numbers of a range of
    /// this node's own; else None.
    fn wrote_without_range(&mut self, table: &TableShape) -> Result<Option<WallTime>>;

    /// The number of the record with this birth that stands here or of which something is left.
    fn number_of(&mut self, table: &TableShape, birth: Stamp) -> Result<Option<i64>>;

    /// The number that the record of this birth has here, which its sender knows by another.
    fn given_number(&mut self, table: &TableShape, theirs: i64, birth: Stamp) -> Result<Option<i64>>;

    /// Gives a record that stands here another number; everything that refers to it follows. No edit: stamps stay.
    fn renumber(&mut self, table: &TableShape, from: i64, to: i64) -> Result<Placement>;

    /// Lets everything that refers to one record refer to another, and takes the first away: they are the same.
    fn absorb(&mut self, table: &TableShape, from: i64, into: i64) -> Result<Placement>;

    /// Where records are that are known under another birth.
    fn moves(&mut self) -> Result<Moves>;

    /// Notes that a record has another number from now on, or another birth.
    fn note_move(&mut self, table: &TableShape, from: &Residence, to: &Residence) -> Result<()>;

    /// The record that stands with these values of its table's identity.
    fn identical(&mut self, table: &TableShape, values: &[Value]) -> Result<Option<Key>>;

    /// Keeps a change that cannot be placed now.
    fn hold(&mut self, link: LinkId, change: &TableChanges, reason: &str, now: WallTime) -> Result<()>;

    /// Everything held.
    fn held(&mut self) -> Result<Vec<Held>>;

    /// Keeps a held change on, for another reason than before.
    fn hold_on(&mut self, id: i64, reason: &str) -> Result<()>;

    /// Lets a held change go: it was placed or is overtaken.
    fn release(&mut self, id: i64) -> Result<()>;

    /// Begins a part that can be taken back by itself. Parts do not lie in each other.
    fn begin_part(&mut self) -> Result<()>;

    /// Takes a record out of its table for a moment, within a part, so that others can take its unique values. It counts
    /// as standing, with the values that it had, until an update puts it back.
    fn park(&mut self, table: &TableShape, key: &Key) -> Result<Placement>;

    /// Puts back what is still parked and ends the part; if that is refused, the part can only be taken back.
    fn keep_part(&mut self) -> Result<Placement>;

    /// Ends the part as if nothing of it had been.
    fn take_back_part(&mut self) -> Result<()>;

    /// Writes a conflict down; false if it stands there already. The link is the one over which the other end's value
    /// came.
    fn note_conflict(&mut self, link: LinkId, table: &str, conflict: &Conflict<'_>, now: WallTime) -> Result<bool>;

    /// Writes a notice for the people at this node.
    fn note(&mut self, text: &str, now: WallTime) -> Result<()>;

    /// Stores a link's state.
    fn save_link(&mut self, link: &StoredLink) -> Result<()>;

    /// Makes everything durable and visible at once.
    fn commit(self: Box<Self>) -> Result<()>;
}
