//! A database as a participant: what it shares, what changed in it, and how changes from elsewhere get into it.
//!
//! Owns the traits between the database and the rest of Packhorse. [`sqlite`] is the one implementation; which one
//! a node uses is chosen when it opens its database. Invariant of every implementation: a change is seen by others
//! only together with its stamp, and cursors, applied sequences and stamps are stored in the same transaction as the
//! data that they speak of. Leaves to `bundler` what a link is owed, and to `unbundler` which of two values wins.

mod about;
mod affinity;
mod approval;
mod audience;
mod conflict;
mod counter;
mod error;
mod held;
mod missing;
mod moved;
mod notice;
mod number;
mod numbering;
mod policy;
mod reference;
mod remains;
mod shape;
mod sharing;
mod snapshot;
pub mod sqlite;
mod terms;
mod trace;
mod transaction;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::clock::{Reading, WallTime};
use crate::horizon::Horizon;
use crate::id::{Cut, Epoch, LinkId, NetworkId, NodeId, NodeName, TableId};
use crate::keys::{KeyNumber, PublicKeys};
use crate::link::{Forgettable, Link};
use crate::set::BoundSet;

pub use about::{About, Numbers, OwnNumbers, ReferenceAbout, RefersTo, SaidBy, TableAbout, TriggerAbout, TriggerRule};
pub use affinity::Affinity;
pub use approval::{Approval, Word};
pub use audience::{Audience, Seen, Standings};
pub use conflict::{Conflict, ConflictState, Found, Matter, Noted, Overruled, Side, Version};
pub use counter::{Bounds, Counter, Difference, is_number, is_same_number};
pub use error::ReplicaError;
pub use held::{Held, Refusal};
pub use missing::Missing;
pub use moved::{Moves, Residence};
pub use notice::Notice;
pub use numbering::{NoRange, RemoteCopy, WhyNoRange};
pub use policy::{Granularity, Policy, Prefer, Rules};
pub use reference::{Pair, Reference, Refers};
pub use remains::{Remains, RemainsField, Whom};
pub use shape::{ColumnShape, KeyKind, LeftOut, Parent, TableShape, WhyLeftOut};
pub use sharing::{Belonging, MembershipId, SharedRows, SharedTable, Spoken, ToldOf, Trial, Volume};
pub use snapshot::{ChangedRecord, Life, Show, ShowSwept, ShowToMany, Snapshot};
pub use terms::{DamagedTerms, SharedColumns, Terms};
pub use trace::{Arrival, Trace, TracedFate, TracedField};
pub use transaction::{Buried, Heard, MergeTransaction, Placement, Present};

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
    /// The peer's public keys.
    pub keys: PublicKeys,
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
    fn add_link(&mut self, peer: &NodeName, keys: &PublicKeys, state: &Link) -> Result<LinkId>;

    /// Stores a link's state durably.
    fn save_link(&mut self, link: &StoredLink) -> Result<()>;

    /// The membership of a sync set with its parameters' values, made and looked at if there is none yet. A set that does not
    /// fit the database is refused.
    fn membership(&mut self, set: &BoundSet) -> Result<MembershipId>;

    /// Lets a link share that from now on. `acked`: what its peer has; None if it starts from a package that holds just that.
    fn share(&mut self, now: WallTime, link: LinkId, membership: MembershipId, acked: Option<Cut>) -> Result<()>;

    /// What a membership's set shares.
    fn shared_by(&mut self, membership: MembershipId) -> Result<Vec<SharedTable>>;

    /// Every link, by number, with what it shares; of links that share a membership it is the same in memory.
    fn all_sharing(&mut self) -> Result<Vec<(StoredLink, Arc<[SharedTable]>)>>;

    /// Takes over what the hub says of what is shared; tells the tables of these that this database does not have.
    fn take_over(&mut self, terms: &Terms, now: WallTime) -> Result<Vec<String>>;

    /// Forgets a link. Its number is never given again.
    fn remove_link(&mut self, link: LinkId) -> Result<()>;

    /// The greatest number of the keys of any link that was removed, or 0: a name that is given again gets later ones.
    fn last_removed_key(&mut self) -> Result<KeyNumber>;

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

    /// How many changes of each link's are held; links without any are not in it.
    fn held(&mut self) -> Result<BTreeMap<LinkId, u64>>;

    /// Every change that is held, in the order in which they came.
    fn all_held(&mut self) -> Result<Vec<Held>>;

    /// Whether any of these tables changed since everything that is held was tried last.
    fn changed_since_tried(&mut self, tables: &[TableId]) -> Result<bool>;

    /// Which records of a bundle are placed already, by their places in it: see [`MergeTransaction::note_slice`].
    fn sliced(&mut self, bundle: &str) -> Result<Vec<u64>>;

    /// Whether another program has written to the database since this was asked last.
    fn others_wrote(&mut self) -> Result<bool>;

    /// What people ought to know of, the oldest first.
    fn notices(&mut self) -> Result<Vec<Notice>>;

    /// How many conflicts with each link's peer are open; links without any are not in it. The cost follows the number of those
    /// that nobody has settled.
    fn conflicts(&mut self) -> Result<BTreeMap<LinkId, u64>>;

    /// Lets a bundle wait for a person's word.
    fn ask_approval(&mut self, asked: &Approval) -> Result<()>;

    /// Every conflict, in the order in which they were found.
    fn all_conflicts(&mut self) -> Result<Vec<Noted>>;

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
