//! Select: what a link is owed of each table (DESIGN section 5).
//!
//! Owns the rule by which a field travels: it changed after the cut that the peer's last bundle ended at, and did not
//! come by the peer's own link. Nothing is decided here that the receiver could not decide again: a field sent twice
//! does no harm.
//!
//! A long backlog is taken in parts, records in the order of their latest cut: a part ends at a cut, and a record goes
//! with the part in which its latest change lies, with all its fields since the *floor*, where the first part began.

mod words;

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use packhorse_shared::change::{EXISTENCE, FieldChange, RecordChange, TableChanges};
use packhorse_shared::clock::{Stamp, WallTime};
use packhorse_shared::id::{ColumnId, Cut, LinkId};
use packhorse_shared::link::{Extent, Reach, Sweep};
use packhorse_shared::marks::{Mark, Marks};
use packhorse_shared::replica::{ChangedRecord, Life, Remains, Result, Snapshot, TableShape};
use packhorse_shared::value::{Key, Value};

/// What a link is owed.
#[derive(Clone, Copy, Debug)]
pub struct Owed {
    /// The link.
    pub link: LinkId,
    /// Records whose latest change lies up to here are in the peer's bundles.
    pub since: Cut,
    /// Of the others, the fields that changed after this are owed.
    pub floor: Cut,
    /// How much of what changed since is to travel.
    pub extent: Extent,
}

impl Owed {
    fn includes(&self, mark: Mark) -> bool {
        mark.cut > self.floor && (self.extent == Extent::Everything || mark.via != self.link)
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

    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }
}

/// What waits for a link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pending {
    /// Records with changes.
    pub records: u64,
    /// About how many bytes they take before compression.
    pub bytes: u64,
    /// When the oldest change was made.
    pub oldest: Option<WallTime>,
}

/// Selects the next portion of what a link is owed from every table that it shares.
pub fn select(snapshot: &dyn Snapshot, tables: &[TableShape], owed: Owed, portion: Portion) -> Result<Selection> {
    let upto = snapshot.boundary(tables, owed.since, portion.records.min(RECORDS_AT_ONCE))?;
    let mut selectors = Vec::new();
    for table in tables {
        let mut selector = Selector::new(snapshot, table, owed);
        snapshot.changed_between(table, owed.since, upto, &mut |record| selector.consider(record))?;
        selectors.push(selector);
    }
    let upto = trim(&mut selectors, upto, portion.bytes);
    let stamps = selectors.iter().flat_map(|selector| &selector.chosen).filter_map(|chosen| oldest_stamp(&chosen.1));
    let oldest = stamps.min();
    let reach = if upto >= snapshot.cut() { Reach::Rest } else { Reach::Part };
    let tables = selectors.into_iter().filter(|selector| !selector.chosen.is_empty()).map(Selector::finish).collect();
    Ok(Selection { tables, oldest, upto, reach })
}

/// Selects the next portion of the records before every cut, whole, for a peer that asked for everything; tells how far that
/// has come. The link's cut stays where it is.
pub fn sweep(
    snapshot: &dyn Snapshot,
    tables: &[TableShape],
    owed: Owed,
    from: &Sweep,
    portion: Portion,
) -> Result<(Selection, Sweep)> {
    let mut selectors: Vec<_> = tables.iter().map(|table| Selector::new(snapshot, table, owed)).collect();
    let (mut records, mut bytes) = (0, 0);
    let reached = snapshot.sweep(tables, from, &mut |at, record| {
        let Some(selector) = selectors.get_mut(at) else { return Ok(ControlFlow::Continue(())) };
        let whole = selector.whole(record)?;
        records += 1;
        bytes += whole.size();
        selector.chosen.push((owed.since, whole));
        let enough = records >= portion.records || bytes >= portion.bytes;
        Ok(if enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })?;
    let tables = selectors.into_iter().filter(|selector| !selector.chosen.is_empty()).map(Selector::finish).collect();
    Ok((Selection { tables, oldest: None, upto: owed.since, reach: Reach::Part }, reached))
}

/// Counts all that a link is owed, a portion at a time.
pub fn pending(snapshot: &dyn Snapshot, tables: &[TableShape], mut owed: Owed) -> Result<Pending> {
    let mut pending = Pending::default();
    loop {
        let selection = select(snapshot, tables, owed, Portion { records: RECORDS_AT_ONCE, bytes: u64::MAX })?;
        pending.records += selection.records();
        pending.bytes += selection.size();
        pending.oldest = pending.oldest.into_iter().chain(selection.oldest).min();
        if selection.reach == Reach::Rest {
            return Ok(pending);
        }
        owed.since = selection.upto;
    }
}

/// Drops the records after the last cut up to which they fit, and tells that cut.
fn trim(selectors: &mut [Selector<'_>], upto: Cut, bytes: u64) -> Cut {
    let mut sizes: BTreeMap<Cut, u64> = BTreeMap::new();
    for (cut, record) in selectors.iter().flat_map(|selector| &selector.chosen) {
        *sizes.entry(*cut).or_default() += record.size();
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
    selectors.iter_mut().for_each(|selector| selector.chosen.retain(|(cut, _)| *cut <= upto));
    upto
}

fn oldest_stamp(change: &RecordChange) -> Option<WallTime> {
    let stamps = change.fields.iter().map(|field| field.stamp).chain(change.dead);
    stamps.filter(|stamp| *stamp > Stamp::ZERO).map(|stamp| stamp.reading.time()).min()
}

struct Selector<'a> {
    snapshot: &'a dyn Snapshot,
    table: &'a TableShape,
    owed: Owed,
    /// What a field without a mark counts as stamped with.
    unmarked: Stamp,
    /// The changes, each with the cut of its record's latest change.
    chosen: Vec<(Cut, RecordChange)>,
}

impl<'a> Selector<'a> {
    fn new(snapshot: &'a dyn Snapshot, table: &'a TableShape, owed: Owed) -> Self {
        Self { snapshot, table, owed, unmarked: snapshot.horizon().stamp(), chosen: Vec::new() }
    }

    fn consider(&mut self, record: &dyn ChangedRecord) -> Result<()> {
        let change = match record.life() {
            Life::Present(marks) => self.present(record, marks)?,
            Life::Absent(remains) => self.absent(record, remains)?,
        };
        self.chosen.extend(change.map(|change| (record.cut(), change)));
        let words = self.unions(record)?.into_iter().chain(self.namesake(record)?);
        self.chosen.extend(words.map(|word| (record.cut(), word)));
        Ok(())
    }

    fn present(&self, record: &dyn ChangedRecord, marks: &Marks) -> Result<Option<RecordChange>> {
        if self.table.columns.is_empty() {
            return self.existence(record, marks);
        }
        let owed = |at: &usize| {
            let mark = self.table.columns.get(*at).and_then(|column| marks.get(column.id));
            mark.is_some_and(|mark| self.owed.includes(mark))
        };
        let all = 0..self.table.columns.len();
        let mut chosen: Vec<usize> = all.clone().filter(owed).collect();
        let confirms = marks.own(ColumnId::EXISTENCE).filter(|mark| self.owed.includes(*mark));
        if chosen.is_empty() && confirms.is_none() {
            return Ok(None);
        }
        if self.owed.extent != Extent::Changes {
            chosen = all.collect();
        }
        let mut fields = chosen.iter().map(|&at| self.field(record, marks, at)).collect::<Result<Vec<_>>>()?;
        let whole = fields.len() == self.table.columns.len();
        fields.extend(confirms.map(|mark| self.existence_of(mark.stamp)));
        fields.extend(self.key_references(record.key(), None)?);
        Ok(Some(RecordChange { key: record.key().clone(), birth: record.birth(), dead: None, whole, fields }))
    }

    /// A record that lies before every cut, whole.
    fn whole(&self, record: &dyn ChangedRecord) -> Result<RecordChange> {
        let unmarked = Marks::default();
        let marks = match record.life() {
            Life::Present(marks) => marks,
            Life::Absent(_) => &unmarked,
        };
        let all = 0..self.table.columns.len();
        let mut fields = all.map(|at| self.field(record, marks, at)).collect::<Result<Vec<_>>>()?;
        if fields.is_empty() {
            let mark = marks.get(ColumnId::EXISTENCE);
            fields.push(self.existence_of(mark.map_or(self.unmarked, |mark| mark.stamp)));
        }
        fields.extend(self.key_references(record.key(), None)?);
        Ok(RecordChange { key: record.key().clone(), birth: record.birth(), dead: None, whole: true, fields })
    }

    /// A record that has only a key travels as the stamp of its making.
    fn existence(&self, record: &dyn ChangedRecord, marks: &Marks) -> Result<Option<RecordChange>> {
        let mark = marks.get(ColumnId::EXISTENCE).filter(|mark| self.owed.includes(*mark));
        let Some(mark) = mark else { return Ok(None) };
        let mut fields = vec![self.existence_of(mark.stamp)];
        fields.extend(self.key_references(record.key(), None)?);
        Ok(Some(RecordChange { key: record.key().clone(), birth: record.birth(), dead: None, whole: true, fields }))
    }

    /// The field that says that the record is, under its number: all that one without fields has to say, and the word by
    /// which a record that another node made is told the number that it has here.
    fn existence_of(&self, stamp: Stamp) -> FieldChange {
        FieldChange { column: self.table.columns.len(), value: Value::Null, stamp, refers_to: None }
    }

    /// The births of the records whose numbers are in a key, as fields under the names of the key's columns; `left`: of what
    /// is left of a record with this birth, which is that of the youngest.
    fn key_references(&self, key: &Key, left: Option<Option<Stamp>>) -> Result<Vec<FieldChange>> {
        let mut references = Vec::new();
        let columns = self.table.keys.iter().zip(&self.table.key_refers_to);
        let is_only = self.table.numbers_borne(key).count() == 1;
        for (at, ((name, parent), value)) in columns.zip(&key.0).enumerate() {
            let birth = match left {
                Some(own) if is_only => own.filter(|_| parent.is_some()),
                _ => {
                    let until = left.map(|own| own.unwrap_or(Stamp::ZERO));
                    self.birth_in(parent.as_deref(), name, value, until)?
                }
            };
            let column = self.table.columns.len() + 1 + at;
            let reference =
                |birth| FieldChange { column, value: value.clone(), stamp: Stamp::ZERO, refers_to: Some(birth) };
            references.extend(birth.map(reference));
        }
        Ok(references)
    }

    fn field(&self, record: &dyn ChangedRecord, marks: &Marks, at: usize) -> Result<FieldChange> {
        let value = record.value(at)?;
        let mark = self.table.columns.get(at).and_then(|column| marks.get(column.id));
        let refers_to = self.referred_birth(at, &value, None, &|named| record.value(named).map(Some))?;
        Ok(FieldChange { column: at, value, stamp: mark.map_or(self.unmarked, |mark| mark.stamp), refers_to })
    }

    /// The birth of the record that a field refers to; `named` tells the record's other values, by position.
    fn referred_birth(
        &self,
        at: usize,
        value: &Value,
        at_time: Option<Stamp>,
        named: &dyn Fn(usize) -> Result<Option<Value>>,
    ) -> Result<Option<Stamp>> {
        let Some(column) = self.table.columns.get(at) else { return Ok(None) };
        let Some(pair) = &column.pair else {
            return self.birth_in(column.refers_to.as_deref(), &column.name, value, at_time);
        };
        let by = self.table.columns.iter().position(|column| column.id == pair.column);
        let kind = by.map(named).transpose()?.flatten();
        self.birth_in(kind.as_ref().and_then(|kind| pair.table(kind)), &column.name, value, at_time)
    }

    /// The birth of the record of a table that a column's value refers to, or referred to at a time.
    fn birth_in(
        &self,
        parent: Option<&str>,
        column: &str,
        value: &Value,
        at_time: Option<Stamp>,
    ) -> Result<Option<Stamp>> {
        match (parent, self.table.number_in(column, value)) {
            (Some(parent), Some(number)) => self.snapshot.birth_of(parent, &Key(vec![Value::Integer(number)]), at_time),
            _ => Ok(None),
        }
    }

    /// Edits travel even if the record has since been deleted: elsewhere a later edit may bring it back. They say that it was,
    /// since one that stands has the number under which it travels.
    fn absent(&self, record: &dyn ChangedRecord, remains: &Remains) -> Result<Option<RecordChange>> {
        let is_told = remains.dead.is_some_and(|mark| self.owed.includes(mark));
        // It referred to whoever was there until then, and a number may have been given again since.
        let ended = remains.dead.map(|mark| mark.stamp);
        let mut fields = Vec::new();
        for field in &remains.fields {
            let Some(mark) = field.mark.filter(|mark| self.owed.includes(*mark)) else { continue };
            let position = self.table.columns.iter().position(|column| column.id == field.column);
            let is_existence = field.column == ColumnId::EXISTENCE;
            let Some(column) = position.or(is_existence.then_some(0)) else { continue };
            let left = |at: usize| self.table.columns.get(at).and_then(|column| remains.get(column.id));
            let refers_to = self
                .referred_birth(column, &field.value, ended, &|named| Ok(left(named).map(|left| left.value.clone())))?;
            fields.push(FieldChange { column, value: field.value.clone(), stamp: mark.stamp, refers_to });
        }
        fields.sort_by_key(|field| field.column);
        let (key, birth) = (record.key().clone(), record.birth());
        let is_owed = is_told || !fields.is_empty();
        if is_owed {
            fields.extend(self.key_references(record.key(), Some(record.birth()))?);
        }
        Ok(is_owed.then_some(RecordChange { key, birth, dead: ended, whole: false, fields }))
    }

    fn key_column(&self, at: usize) -> Option<&String> {
        self.table.keys.get(at.checked_sub(self.table.columns.len() + 1)?)
    }

    /// Sorts the records and names only the columns that occur: a bundle with one changed field names one column.
    fn finish(mut self) -> TableChanges {
        let chosen = std::mem::take(&mut self.chosen);
        let mut records: Vec<RecordChange> = chosen.into_iter().map(|(_, change)| change).collect();
        // A bundle says one thing of one record: the word that it is known by another number comes first, and the one that merely
        // names it last.
        let rank = |record: &RecordChange| (!self.is_union(record), self.is_name(record));
        records.sort_by(|a, b| (&a.key, a.birth, rank(a)).cmp(&(&b.key, b.birth, rank(b))));
        records.dedup_by(|later, first| later.key == first.key && later.birth == first.birth);
        let mut occurring: Vec<usize> =
            records.iter().flat_map(|record| record.fields.iter().map(|field| field.column)).collect();
        occurring.sort_unstable();
        occurring.dedup();
        for field in records.iter_mut().flat_map(|record| &mut record.fields) {
            field.column = occurring.binary_search(&field.column).unwrap_or(field.column);
        }
        let name = |&at: &usize| self.table.columns.get(at).map(|column| &column.name).or_else(|| self.key_column(at));
        let name = |at: &usize| name(at).map_or(EXISTENCE, String::as_str).to_owned();
        TableChanges {
            table: self.table.name.clone(),
            key_columns: self.table.keys.clone(),
            columns: occurring.iter().map(name).collect(),
            records,
        }
    }
}
