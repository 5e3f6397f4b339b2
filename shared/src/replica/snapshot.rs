//! One consistent view of a database: what changed of what a link shares, and what there is of each record.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use super::audience::{Audience, Seen, Standings};
use super::{Belonging, Buried, Overruled, Remains, Residence, Result, SharedTable, TableShape};
use crate::clock::{Reading, Stamp};
use crate::horizon::Horizon;
use crate::id::{ColumnId, Cut, LinkId, TableId};
use crate::link::Sweep;
use crate::marks::Marks;
use crate::value::{Key, Value};

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
    ) -> Result<()> {
        let audience = Audience::of([(link, table.rows)]);
        self.changed_for(&audience, &table.shape, since, upto, &mut |record, standings| match standings
            .of(link, table.rows)
        {
            Some(belonging) => show(&Seen { record, belonging }),
            None => Ok(()),
        })
    }

    /// The same for many links at once: each record is shown once, with how it stands to whom. The cost follows the number of
    /// records that changed, and of memberships and links that each concerns.
    fn changed_for(
        &self,
        audience: &Audience,
        table: &TableShape,
        since: Cut,
        upto: Cut,
        show: &mut ShowToMany<'_>,
    ) -> Result<()>;

    /// Fails if what a link shares could not be judged as of this snapshot, because its set does not fit the database any more.
    fn must_be_judged(&self, link: LinkId) -> Result<()>;

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

    /// The birth of the record that was given a number here, and stands under it without one.
    fn given_birth(&self, table: &str, key: &Key) -> Result<Option<Stamp>>;

    /// Whether a record stands under a key.
    fn stands(&self, table: &TableShape, key: &Key) -> Result<bool>;

    /// How the record under a key stands to what a link shares; None if it never was shared and the peer does not have it.
    fn belonging(&self, link: LinkId, table: &SharedTable, key: &Key) -> Result<Option<Belonging>>;

    /// What is left of the records that do not stand and are known to have had a key.
    fn left_under(&self, table: &TableShape, key: &Key) -> Result<Vec<Buried>>;

    /// The clock when it was judged that a record which stands to what is shared as it does since a cut does so.
    fn judged_at(&self, cut: Cut) -> Result<Reading>;

    /// What a link's peer is to be told of what is shared, as [`super::Terms`] in bytes, if that changed after a cut, or whenever
    /// it did if none is given; and the cut at which it did.
    fn terms_owed(&self, link: LinkId, since: Option<Cut>) -> Result<Option<(Vec<u8>, Cut)>>;

    /// The columns of which this node's hub may not have told everything since it shares them: what has no mark there may be
    /// the default.
    fn untold(&self) -> Result<BTreeSet<(TableId, ColumnId)>>;

    /// What was overruled here of a table that a link shares, since a cut, by what came over the link or of what came: of each
    /// field the latest, by key.
    fn overruled(&self, link: LinkId, table: &SharedTable, since: Cut) -> Result<Vec<Overruled>>;

    /// The records that are one with the one under a key, each with what that one is known by.
    fn united(&self, table: &TableShape, key: &Key) -> Result<Vec<(Residence, Residence)>>;
}

/// What [`Snapshot::changed_between`] shows its records to.
pub type Show<'a> = dyn FnMut(&dyn ChangedRecord) -> Result<()> + 'a;

/// What [`Snapshot::changed_for`] shows its records to: how each stands is told beside it.
pub type ShowToMany<'a> = dyn FnMut(&dyn ChangedRecord, &Standings) -> Result<()> + 'a;

/// What [`Snapshot::sweep`] shows its records to, each with the position of its table among those asked for.
pub type ShowSwept<'a> = dyn FnMut(usize, &dyn ChangedRecord) -> Result<ControlFlow<()>> + 'a;

/// A record with its marks; values are read only when asked for.
pub trait ChangedRecord {
    /// Its key.
    fn key(&self) -> &Key;

    /// Its birth, if it was made since capture began and its key is assigned; where its key bears the numbers of others, that of
    /// the youngest of these.
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
