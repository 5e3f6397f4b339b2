//! Select: what a link is owed of each table (DESIGN section 5).
//!
//! Owns the rule by which a field travels: it changed after the cut that the peer's last bundle ended at, and did not
//! come by the peer's own link. Nothing is decided here that the receiver could not decide again: a field sent twice
//! does no harm.
//!
//! A long backlog is taken in parts, records in the order of their latest cut: a part ends at a cut, and a record goes
//! with the part in which its latest change lies, with all its fields since the *floor*, where the first part began.

mod births;
mod overruled;
mod selector;
#[cfg(test)]
mod sweep_tests;
mod waiting;
#[cfg(test)]
mod waiting_tests;
mod words;

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use packhorse_shared::change::{Passage, RecordChange, TableChanges};
use packhorse_shared::clock::{Stamp, WallTime};
use packhorse_shared::id::{Cut, LinkId};
use packhorse_shared::link::{Extent, Reach, Role, Sweep};
use packhorse_shared::marks::Mark;
use packhorse_shared::replica::{Result, SharedTable, Snapshot};
use packhorse_shared::seam::{Saboteur, is_at_work};
use selector::{Chosen, Selector};

pub use waiting::{Pending, pending, pending_of_all};

/// What a link is owed.
#[derive(Clone, Copy, Debug)]
pub struct Owed {
    /// The link.
    pub link: LinkId,
    /// What its peer is.
    pub peer: Role,
    /// Records whose latest change lies up to here are in the peer's bundles.
    pub since: Cut,
    /// Of the others, the fields that changed after this are owed.
    pub floor: Cut,
    /// How much of what changed since is to travel.
    pub extent: Extent,
}

impl Owed {
    fn includes(&self, mark: Mark) -> bool {
        let echoes = self.extent == Extent::Everything || is_at_work(Saboteur::DropEchoRule);
        mark.cut > self.floor && (echoes || mark.via != self.link)
    }
}

/// How much is taken at once. At least the changes of one cut are.
#[derive(Clone, Copy, Debug)]
pub struct Portion {
    /// Records.
    pub records: u64,
    /// About how many bytes before compression.
    pub bytes: u64,
}

/// How many records are looked at in one go: what bounds the memory that a selection takes.
pub const RECORDS_AT_ONCE: u64 = 20_000;

/// The changes that were selected.
#[derive(Clone, Debug, PartialEq)]
pub struct Selection {
    /// By table; tables without changes are not in it.
    pub tables: Vec<TableChanges>,
    /// What the peer is to be told of what is shared, if that changed.
    pub terms: Option<Vec<u8>>,
    /// When the oldest of them was made.
    pub oldest: Option<WallTime>,
    /// The cut that they end at.
    pub upto: Cut,
    /// Whether that is all that is owed.
    pub reach: Reach,
}

impl Selection {
    /// How many records changed.
    pub fn records(&self) -> u64 {
        self.tables.iter().map(|table| table.records.len() as u64).sum()
    }

    /// About how many bytes they take before compression.
    pub fn size(&self) -> u64 {
        self.tables.iter().map(TableChanges::size).sum()
    }

    /// Whether it withdraws any record.
    pub fn withdraws(&self) -> bool {
        self.tables.iter().any(|table| table.passage == Passage::Withdrawn)
    }

    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty() && self.terms.is_none()
    }
}

/// Selects the next portion of what a link is owed from every table that it shares.
pub fn select(snapshot: &dyn Snapshot, tables: &[SharedTable], owed: Owed, portion: Portion) -> Result<Selection> {
    let upto = snapshot.boundary(owed.link, tables, owed.since, portion.records.min(RECORDS_AT_ONCE))?;
    let mut selectors = Vec::new();
    for table in tables {
        let mut selector = Selector::new(snapshot, table, owed)?;
        snapshot.changed_between(owed.link, table, owed.since, upto, &mut |record| selector.consider(record))?;
        selectors.push(selector);
    }
    let upto = trim(&mut selectors, upto, portion.bytes);
    let is_first = owed.since == owed.floor;
    if is_first {
        selectors.iter_mut().try_for_each(Selector::add_overruled)?;
    }
    let stamps =
        selectors.iter().flat_map(|selector| &selector.chosen).filter_map(|chosen| oldest_stamp(&chosen.change));
    let oldest = stamps.min();
    let reach = if upto >= snapshot.cut() { Reach::Rest } else { Reach::Part };
    let tables = finished(selectors)?;
    // What comes in by new terms must find them there.
    let terms = if is_first { terms(snapshot, owed)? } else { None };
    Ok(Selection { tables, terms, oldest, upto, reach })
}

/// Selects the next portion of the records before every cut, whole, for a peer that asked for everything; tells how far that
/// has come. The link's cut stays where it is.
pub fn sweep(
    snapshot: &dyn Snapshot,
    tables: &[SharedTable],
    owed: Owed,
    from: &Sweep,
    portion: Portion,
) -> Result<(Selection, Sweep)> {
    let selectors: Result<Vec<_>> = tables.iter().map(|table| Selector::new(snapshot, table, owed)).collect();
    let mut selectors = selectors?;
    let (mut records, mut bytes) = (0, 0);
    let reached = snapshot.sweep(tables, from, &mut |at, record| {
        let Some(selector) = selectors.get_mut(at) else { return Ok(ControlFlow::Continue(())) };
        let whole = selector.whole(record)?;
        records += 1;
        bytes += whole.size();
        let said = std::iter::once(whole).chain(selector.unions(record, true)?);
        let said = said.map(|change| Chosen { cut: owed.since, passage: Passage::Within, change });
        selector.chosen.extend(said);
        let enough = records >= portion.records || bytes >= portion.bytes;
        Ok(if enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })?;
    let tables = finished(selectors)?;
    let terms = if *from == Sweep::Begin { terms(snapshot, owed)? } else { None };
    Ok((Selection { tables, terms, oldest: None, upto: owed.since, reach: Reach::Part }, reached))
}

/// What the peer is to be told of what is shared. A remote that asks for everything may have been told otherwise by its hub, which
/// has lost that with a return to a backup.
fn terms(snapshot: &dyn Snapshot, owed: Owed) -> Result<Option<Vec<u8>>> {
    let is_asked = owed.peer == Role::Remote && owed.extent == Extent::Everything;
    let terms = snapshot.terms_owed(owed.link, Some(owed.floor).filter(|_| !is_asked))?;
    Ok(terms.map(|(terms, _)| terms))
}

fn finished(selectors: Vec<Selector<'_>>) -> Result<Vec<TableChanges>> {
    let tables: Vec<Vec<TableChanges>> = selectors.into_iter().map(Selector::finish).collect::<Result<_>>()?;
    Ok(tables.concat())
}

/// Drops the records after the last cut up to which they fit, and tells that cut.
fn trim(selectors: &mut [Selector<'_>], upto: Cut, bytes: u64) -> Cut {
    let mut sizes: BTreeMap<Cut, u64> = BTreeMap::new();
    for Chosen { cut, change, .. } in selectors.iter().flat_map(|selector| &selector.chosen) {
        *sizes.entry(*cut).or_default() += change.size();
    }
    let (mut total, mut fitting) = (0u64, None);
    for (&cut, size) in &sizes {
        total = total.saturating_add(*size);
        if total > bytes && fitting.is_some() {
            break;
        }
        fitting = Some(cut);
    }
    if sizes.last_key_value().map(|(cut, _)| *cut) == fitting {
        return upto;
    }
    let upto = fitting.unwrap_or(upto);
    selectors.iter_mut().for_each(|selector| selector.chosen.retain(|chosen| chosen.cut <= upto));
    upto
}

fn oldest_stamp(change: &RecordChange) -> Option<WallTime> {
    let stamps = change.fields.iter().map(|field| field.stamp).chain(change.dead);
    stamps.filter(|stamp| *stamp > Stamp::ZERO).map(|stamp| stamp.reading.time()).min()
}
