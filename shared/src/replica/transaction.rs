//! The write transaction of a merge: what stands, what is left, and every write that placing a change takes.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Approval, Belonging, Conflict, Counter, Held, Missing, Moves, Remains, Residence, Result, SharedTable, Spoken,
    StoredLink, TableShape, ToldOf,
};
use crate::change::TableChanges;
use crate::clock::{Reading, Stamp, WallTime};
use crate::horizon::Horizon;
use crate::id::{ColumnId, Cut, LinkId, TableId};
use crate::marks::Marks;
use crate::set::Rights;
use crate::value::{Key, Value};

/// A record that stands in its table, as a merge needs it.
#[derive(Clone, Debug, PartialEq)]
pub struct Present {
    /// Its birth, as in [`super::ChangedRecord::birth`].
    pub birth: Option<Stamp>,
    /// Its marks.
    pub marks: Marks,
}

/// What is left of a record, with the birth under which it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Buried {
    /// Its birth, as in [`super::ChangedRecord::birth`].
    pub birth: Option<Stamp>,
    /// What is left.
    pub remains: Remains,
}

/// How far the two ends of a link have heard each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// Up to where the peer has applied our changes, and all that it said before that has come.
    pub cut: Cut,
    /// Whether the peer is to tell everything that it has, and has not told all of it yet.
    pub awaits_answer: bool,
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

    /// The node's clock: no stamp here is later, of those that were known when the transaction began or observed by it.
    fn clock(&self) -> Reading;

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

    /// Says by which link what is written from now on comes: its peer knows by how much that changes counters.
    fn comes_by(&mut self, link: LinkId);

    /// What is remembered of a record's counters.
    fn counters(&mut self, table: &TableShape, key: &Key) -> Result<BTreeMap<ColumnId, Counter>>;

    /// Notes under which stamps what was written to counters just now had come.
    fn note_said(&mut self, table: &TableShape, key: &Key, said: &[(ColumnId, Stamp)]) -> Result<()>;

    /// Forgets what is remembered of the counters of a record that does not stand.
    fn forget_counters(&mut self, table: &TableShape, key: &Key) -> Result<()>;

    /// Forgets by how much counters have changed: it is not known any more what of that a peer knows.
    fn forget_differences(&mut self) -> Result<()>;

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

    /// What the peer of each link has heard, and we of it.
    fn heard(&mut self) -> Result<BTreeMap<LinkId, Heard>>;

    /// The links of this node's remotes, if it is a hub.
    fn remotes(&mut self) -> Result<Vec<LinkId>>;

    /// Forgets what is left of withdrawn records of which the hub is known to have heard that they went: it has what was edited.
    /// What a remote was not told yet, or may still refer to in what is on its way, stays.
    fn forget_withdrawn(&mut self) -> Result<()>;

    /// What a link shares.
    fn sharing(&mut self, link: LinkId) -> Result<Vec<SharedTable>>;

    /// What a link's remote may do to the records of tables where it may not do everything.
    fn rights(&mut self, link: LinkId) -> Result<BTreeMap<TableId, Rights>>;

    /// The columns that have come into what a link shares since its peer has seen our changes last.
    fn gained(&mut self, of: (LinkId, Cut)) -> Result<BTreeSet<(TableId, ColumnId)>>;

    /// The columns of which this node's hub may not have told everything since it shares them: what has no mark there may be
    /// the default.
    fn untold(&mut self) -> Result<BTreeSet<(TableId, ColumnId)>>;

    /// How the record under a key stands to what a link shares; None if it never was shared and its peer has never spoken of
    /// it.
    fn belonging(&mut self, link: LinkId, table: &SharedTable, key: &Key) -> Result<Option<Belonging>>;

    /// Whether what stands under a key came in since it was last looked at whom it is shared with.
    fn is_unjudged(&mut self, table: &SharedTable, key: &Key) -> Result<bool>;

    /// Up to which cut of ours a link's peer was told what the record under a key is. `of`: the link, and up to where its peer
    /// has seen our changes at all. `withdrawn`: when the record was withdrawn here, if it was.
    fn told_of(&mut self, of: (LinkId, Cut), table: &SharedTable, key: &Key, withdrawn: Option<Cut>) -> Result<ToldOf>;

    /// Whether a link's peer that has a record under a key, having seen our changes up to a cut, does not have it from us: it has
    /// come into what the link shares since, or had left that.
    fn is_new_to(&mut self, of: (LinkId, Cut), table: &SharedTable, key: &Key) -> Result<bool>;

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

    /// The living records that refer to this one.
    fn living_children(&mut self, table: &TableShape, key: &Key) -> Result<Vec<(TableId, Key)>>;

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

    /// The key of the record that has the unique values which these fields would give to the record under another key, as the
    /// words of a refusal tell.
    fn in_the_way(
        &mut self,
        table: &TableShape,
        key: &Key,
        fields: &[(usize, Value)],
        words: &str,
    ) -> Result<Option<Key>>;

    /// Keeps a change that cannot be placed now. `of`: the link that brought it, whose peer had seen our changes up to this cut
    /// when it said that.
    fn hold(&mut self, of: (LinkId, Cut), change: &TableChanges, reason: &str, now: WallTime) -> Result<()>;

    /// Everything held.
    fn held(&mut self) -> Result<Vec<Held>>;

    /// Keeps a held change on, for another reason than before.
    fn hold_on(&mut self, id: i64, reason: &str) -> Result<()>;

    /// Lets a held change go: it was placed or is overtaken.
    fn release(&mut self, id: i64) -> Result<()>;

    /// Notes that everything held was tried in view of all that there is.
    fn note_tried(&mut self) -> Result<()>;

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

    /// Whether a record of a table does not stand since its making was refused by this word.
    fn is_refusal(&mut self, table: &str, word: Stamp) -> Result<bool>;

    /// Writes a notice for the people at this node.
    fn note(&mut self, text: &str, now: WallTime) -> Result<()>;

    /// Notes which records of a bundle that a link brought this transaction has placed, by their places in it: the rest is to
    /// come.
    fn note_slice(&mut self, link: LinkId, bundle: &str, done: &[u64]) -> Result<()>;

    /// How many records a table has.
    fn count(&mut self, table: &TableShape) -> Result<u64>;

    /// What is known of a bundle that waited for a person's word, if it did.
    fn approval(&mut self, bundle: &str) -> Result<Option<Approval>>;

    /// Notes that what this transaction changes was brought by a bundle, which waits for nobody any more.
    fn note_arrival(&mut self, link: LinkId, bundle: &str) -> Result<()>;

    /// Stores a link's state.
    fn save_link(&mut self, link: &StoredLink) -> Result<()>;

    /// Makes everything durable and visible at once.
    fn commit(self: Box<Self>) -> Result<()>;
}
