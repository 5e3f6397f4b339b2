//! Select: what a link is owed of each table (DESIGN section 5).
//!
//! Owns the rule by which a field travels: it changed after the cut that the peer's last bundle ended at, and did not
//! come by the peer's own link. Nothing is decided here that the receiver could not decide again: a field sent twice
//! does no harm.

use packhorse_shared::change::{EXISTENCE, FieldChange, RecordChange, TableChanges};
use packhorse_shared::clock::{Stamp, WallTime};
use packhorse_shared::id::{Cut, LinkId};
use packhorse_shared::link::Extent;
use packhorse_shared::marks::{Mark, Marks};
use packhorse_shared::replica::{ChangedRecord, Life, Remains, Result, Snapshot, TableShape};
use packhorse_shared::value::{Key, Value};

/// What a link is owed.
#[derive(Clone, Copy, Debug)]
pub struct Owed {
    /// The link.
    pub link: LinkId,
    /// The peer's bundles hold everything up to here.
    pub since: Cut,
    /// How much of what changed since is to travel.
    pub extent: Extent,
}

impl Owed {
    fn includes(&self, mark: Mark) -> bool {
        mark.cut > self.since && (self.extent == Extent::Everything || mark.via != self.link)
    }
}

/// The changes that were selected.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Selection {
    /// By table; tables without changes are not in it.
    pub tables: Vec<TableChanges>,
    /// When the oldest of them was made.
    pub oldest: Option<WallTime>,
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

/// Selects from every table that the link shares.
pub fn select(snapshot: &dyn Snapshot, tables: &[TableShape], owed: Owed) -> Result<Selection> {
    let mut selection = Selection::default();
    for table in tables {
        let mut selector = Selector { snapshot, table, owed, records: Vec::new(), oldest: None };
        snapshot.changed_since(table, owed.since, &mut |record| selector.consider(record))?;
        selection.oldest = earlier(selection.oldest, selector.oldest);
        if !selector.records.is_empty() {
            selection.tables.push(selector.finish());
        }
    }
    Ok(selection)
}

fn earlier(a: Option<WallTime>, b: Option<WallTime>) -> Option<WallTime> {
    a.into_iter().chain(b).min()
}

struct Selector<'a> {
    snapshot: &'a dyn Snapshot,
    table: &'a TableShape,
    owed: Owed,
    records: Vec<RecordChange>,
    oldest: Option<WallTime>,
}

impl Selector<'_> {
    fn consider(&mut self, record: &dyn ChangedRecord) -> Result<()> {
        let change = match record.life() {
            Life::Present(marks) => self.present(record, marks)?,
            Life::Absent(remains) => self.absent(record, remains),
        };
        let Some(change) = change else { return Ok(()) };
        let stamps = change.fields.iter().map(|field| field.stamp).chain(change.dead);
        let oldest = stamps.filter(|stamp| *stamp > Stamp::ZERO).map(|stamp| stamp.reading.time()).min();
        self.oldest = earlier(self.oldest, oldest);
        self.records.push(change);
        Ok(())
    }

    fn present(&self, record: &dyn ChangedRecord, marks: &Marks) -> Result<Option<RecordChange>> {
        if self.table.columns.is_empty() {
            return Ok(self.existence(record, marks));
        }
        let owed = |at: &usize| {
            let mark = self.table.columns.get(*at).and_then(|column| marks.get(column.id));
            mark.is_some_and(|mark| self.owed.includes(mark))
        };
        let all = 0..self.table.columns.len();
        let mut chosen: Vec<usize> = all.clone().filter(owed).collect();
        if chosen.is_empty() {
            return Ok(None);
        }
        if self.owed.extent != Extent::Changes {
            chosen = all.collect();
        }
        let fields = chosen.iter().map(|&at| self.field(record, marks, at)).collect::<Result<Vec<_>>>()?;
        let whole = fields.len() == self.table.columns.len();
        Ok(Some(RecordChange { key: record.key().clone(), birth: record.birth(), dead: None, whole, fields }))
    }

    /// A record that has only a key travels as the stamp of its making.
    fn existence(&self, record: &dyn ChangedRecord, marks: &Marks) -> Option<RecordChange> {
        let mark = marks.get(packhorse_shared::id::ColumnId::EXISTENCE).filter(|mark| self.owed.includes(*mark))?;
        let field = FieldChange { column: 0, value: Value::Null, stamp: mark.stamp, refers_to: None };
        let (key, birth) = (record.key().clone(), record.birth());
        Some(RecordChange { key, birth, dead: None, whole: true, fields: vec![field] })
    }

    fn field(&self, record: &dyn ChangedRecord, marks: &Marks, at: usize) -> Result<FieldChange> {
        let value = record.value(at)?;
        let mark = self.table.columns.get(at).and_then(|column| marks.get(column.id));
        let refers_to = self.referred_birth(at, &value)?;
        Ok(FieldChange { column: at, value, stamp: mark.map_or(Stamp::ZERO, |mark| mark.stamp), refers_to })
    }

    fn referred_birth(&self, at: usize, value: &Value) -> Result<Option<Stamp>> {
        let parent = self.table.columns.get(at).and_then(|column| column.refers_to.as_deref());
        match (parent, value) {
            (Some(parent), Value::Integer(_)) => self.snapshot.birth_of(parent, &Key(vec![value.clone()])),
            _ => Ok(None),
        }
    }

    /// Edits travel even if the record has since been deleted: elsewhere a later edit may bring it back.
    fn absent(&self, record: &dyn ChangedRecord, remains: &Remains) -> Option<RecordChange> {
        let dead = remains.dead.filter(|mark| self.owed.includes(*mark)).map(|mark| mark.stamp);
        let mut fields = Vec::new();
        for field in &remains.fields {
            let Some(mark) = field.mark.filter(|mark| self.owed.includes(*mark)) else { continue };
            let position = self.table.columns.iter().position(|column| column.id == field.column);
            let is_existence = field.column == packhorse_shared::id::ColumnId::EXISTENCE;
            let Some(column) = position.or(is_existence.then_some(0)) else { continue };
            fields.push(FieldChange { column, value: field.value.clone(), stamp: mark.stamp, refers_to: None });
        }
        fields.sort_by_key(|field| field.column);
        let (key, birth) = (record.key().clone(), record.birth());
        (dead.is_some() || !fields.is_empty()).then_some(RecordChange { key, birth, dead, whole: false, fields })
    }

    /// Sorts the records and names only the columns that occur: a bundle with one changed field names one column.
    fn finish(mut self) -> TableChanges {
        self.records.sort_by(|a, b| (&a.key, a.birth).cmp(&(&b.key, b.birth)));
        let mut occurring: Vec<usize> =
            self.records.iter().flat_map(|record| record.fields.iter().map(|field| field.column)).collect();
        occurring.sort_unstable();
        occurring.dedup();
        for field in self.records.iter_mut().flat_map(|record| &mut record.fields) {
            field.column = occurring.binary_search(&field.column).unwrap_or(field.column);
        }
        let name = |&at: &usize| self.table.columns.get(at).map_or(EXISTENCE, |column| &column.name).to_owned();
        TableChanges {
            table: self.table.name.clone(),
            key_columns: self.table.keys.clone(),
            columns: occurring.iter().map(name).collect(),
            records: self.records,
        }
    }
}
