//! Forgetting: dropping the marks and tombstones that nobody needs any more (DESIGN section 5, compaction).
//!
//! Goes through the metadata in the order of cuts, in short transactions. Invariants: the horizon is raised before the
//! first mark below it is dropped; it stays below the births of those who have a number by which something is held that means
//! another, and below the deaths of those for whom something waits (`namesakes`); a mark stays while remains lie under its key,
//! which it tells apart, and while something is held of its record, which meets what its sender had not seen; what came of a
//! record only in part is never dropped, nor the birth of one whose number the hub will change, or was another's before. A run
//! that was cut short is simply run again. Leaves what may be forgotten to [`crate::link::Forgettable`].

use std::collections::BTreeSet;

use rusqlite::{Connection, Row, TransactionBehavior, params};

use super::arrivals;
use super::catalogue::{Catalogue, Entry};
use super::conflicts;
use super::fault::Outcome;
use super::holding;
use super::membership::prune::prune;
use super::metadata::unpack_birth;
use super::moves;
use super::namesakes;
use super::ranges::REMOTES;
use super::state;
use crate::clock::Reading;
use crate::horizon::Horizon;
use crate::id::{Cut, NodeId};
use crate::link::Forgettable;
use crate::marks::{Marks, Roster};
use crate::replica::{Held, KeyKind, Remains};
use crate::seam::{Step, Steps};
use crate::value::{Key, Value};

/// How many records are dropped under one hold of the write lock: some ten milliseconds.
const RECORDS_PER_LOCK: usize = 2_000;

/// A row that can be dropped: its key, and for remains the birth as it is stored.
type Droppable = (Key, Vec<u8>);

/// Which of a table's two metadata tables.
#[derive(Clone, Copy)]
enum Kind {
    Remains,
    Marks,
}

/// Drops what may be forgotten, if the horizon rises by it; tells how many records' metadata went.
pub(super) fn forget(
    writer: &mut Connection,
    catalogue: &Catalogue,
    node: NodeId,
    what: Forgettable,
    steps: &dyn Steps,
) -> Outcome<u64> {
    let progress = state::Progress::load(writer)?;
    let (roster, horizon) = (state::roster(writer)?, state::horizon(writer)?);
    let apart = namesakes::earliest(writer, catalogue, node, &roster, horizon)?;
    let bound = apart.map_or(what.horizon, |birth| Horizon::before(Reading(birth.0.saturating_sub(1))));
    let what = Forgettable { cut: what.cut.min(progress.cut), horizon: what.horizon.min(bound) };
    if what.horizon <= horizon || what.cut == Cut(0) {
        return Ok(0);
    }
    conflicts::settle(writer, catalogue)?;
    arrivals::prune(writer)?;
    state::set_horizon(writer, what.horizon)?;
    steps.reached(Step::HorizonRaised)?;
    prune(writer, catalogue, what.cut)?;
    let has_hub = state::numbers_from(writer)?.is_some();
    let held = holding::held(writer, node)?;
    let mut dropped = 0;
    for entry in catalogue.entries() {
        let waiting = &keys_held(entry, &held);
        for kind in [Kind::Remains, Kind::Marks] {
            dropped += Pass { entry, kind, waiting, what, has_hub, roster: &roster, steps }.run(writer)?;
        }
    }
    Ok(dropped)
}

/// The keys in a table of what is held.
fn keys_held<'h>(entry: &Entry, held: &'h [Held]) -> BTreeSet<&'h Key> {
    let its = held.iter().filter(|held| held.change.table.eq_ignore_ascii_case(&entry.shape.name));
    its.flat_map(|held| &held.change.records).map(|record| &record.key).collect()
}

/// Going through one metadata table.
struct Pass<'a> {
    entry: &'a Entry,
    kind: Kind,
    waiting: &'a BTreeSet<&'a Key>,
    what: Forgettable,
    has_hub: bool,
    roster: &'a Roster,
    steps: &'a dyn Steps,
}

impl Pass<'_> {
    fn run(&self, writer: &mut Connection) -> Outcome<u64> {
        let (mut after, mut dropped) = (None, 0);
        while after < Some(self.what.cut) {
            let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let (rows, reached) = self.portion(&transaction, after)?;
            for (key, birth) in &rows {
                match self.kind {
                    Kind::Remains => self.entry.metadata.drop_stored_remains(&transaction, key, birth)?,
                    Kind::Marks => self.entry.metadata.drop_marks(&transaction, key)?,
                }
            }
            transaction.commit()?;
            if !rows.is_empty() {
                self.steps.reached(Step::StampsForgotten)?;
            }
            (after, dropped) = (Some(reached), dropped + rows.len() as u64);
        }
        Ok(dropped)
    }

    /// The rows of the next cuts that can be dropped, and the last of these cuts. What came with a package lies at cut 0.
    fn portion(&self, connection: &Connection, after: Option<Cut>) -> Outcome<(Vec<Droppable>, Cut)> {
        let sql = match self.kind {
            Kind::Remains => self.entry.metadata.remains_by_cut(),
            Kind::Marks => self.entry.metadata.marks_by_cut(),
        };
        let mut statement = connection.prepare_cached(sql)?;
        let mut rows = statement.query(params![after.map_or(-1, |after| after.0 as i64), self.what.cut.0 as i64])?;
        let (mut droppable, mut reached) = (Vec::new(), after.unwrap_or_default());
        while let Some(row) = rows.next()? {
            let width = self.entry.shape.keys.len();
            let cut = Cut(row.get::<_, i64>(width + 2)? as u64);
            if cut > reached && droppable.len() >= RECORDS_PER_LOCK {
                return Ok((droppable, reached));
            }
            reached = cut;
            let stays = self.is_awaited(row)? || self.is_provisional(row)?;
            if !stays && self.may_go(row, width)? && !self.took_over(connection, row)? {
                let birth = row.get_ref(width)?.as_blob_or_null().map_err(rusqlite::Error::from)?;
                droppable.push((self.entry.metadata.key(row)?, birth.unwrap_or_default().to_vec()));
            }
        }
        Ok((droppable, self.what.cut))
    }

    /// Whether something of the record is held: what its sender had not seen is told from what it had by its cut.
    fn is_awaited(&self, row: &Row<'_>) -> Outcome<bool> {
        let may_be = matches!(self.kind, Kind::Marks) && !self.waiting.is_empty();
        Ok(may_be && self.waiting.contains(&self.entry.metadata.key(row)?))
    }

    /// Whether the hub will give the record another number, and name it by its birth: also one that had its number long ago,
    /// and gave it up for another record since.
    fn is_provisional(&self, row: &Row<'_>) -> Outcome<bool> {
        if !self.has_hub || self.entry.shape.key_kind != KeyKind::Assigned {
            return Ok(false);
        }
        let key = self.entry.metadata.key(row)?;
        Ok(matches!(key.0.as_slice(), [Value::Integer(number)] if REMOTES.contains(number)))
    }

    /// Whether the number was that of another record: of one without a birth, which has moved away and may still be spoken of
    /// by it, or of one that was given it, which would be taken for the one that stands if that had no birth either.
    fn took_over(&self, connection: &Connection, row: &Row<'_>) -> Outcome<bool> {
        let numbered = matches!(self.kind, Kind::Marks) && self.entry.shape.key_kind == KeyKind::Assigned;
        let (table, key) = (self.entry.shape.id, self.entry.metadata.key(row)?);
        let [Value::Integer(number)] = key.0.as_slice() else { return Ok(false) };
        if !numbered || moves::left(connection, table, *number)? {
            return Ok(numbered);
        }
        let birth = row.get_ref(key.0.len())?.as_blob_or_null().map_err(rusqlite::Error::from)?;
        match birth.filter(|birth| !birth.is_empty()) {
            Some(birth) => moves::was_given_to_another(connection, table, *number, birth),
            None => Ok(false),
        }
    }

    /// A record's birth is a reading of its own and can be later than its fields' stamps.
    fn may_go(&self, row: &Row<'_>, width: usize) -> Outcome<bool> {
        let birth = unpack_birth(row.get_ref(width)?.as_blob_or_null().map_err(rusqlite::Error::from)?, self.roster)?;
        let packed = row.get_ref(width + 1)?.as_blob().map_err(rusqlite::Error::from)?;
        let horizon = self.what.horizon;
        let is_settled = match self.kind {
            Kind::Remains => is_settled(&Remains::unpack(packed, self.roster)?, horizon),
            Kind::Marks => {
                let latest = Marks::unpack(packed, self.roster)?.latest_stamp();
                latest.is_none_or(|latest| horizon.covers(latest))
            }
        };
        Ok(is_settled && horizon.birth(birth).is_none())
    }
}

/// Whether what is left of a record is a tombstone that nothing below the horizon can overrule.
fn is_settled(remains: &Remains, horizon: Horizon) -> bool {
    let Some(dead) = remains.dead else { return false };
    !remains.living()
        && horizon.covers(dead.stamp)
        && remains.latest_field().is_none_or(|latest| horizon.covers(latest))
}
