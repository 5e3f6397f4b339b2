//! What is said of each record of one table: its changes, that it comes in whole, or that it is withdrawn.

use std::collections::{BTreeMap, BTreeSet};

use packhorse_shared::change::{EXISTENCE, FieldChange, Passage, RecordChange, TableChanges};
use packhorse_shared::clock::{Reading, Stamp};
use packhorse_shared::id::{ColumnId, Cut, TableId};
use packhorse_shared::link::{Extent, Role};
use packhorse_shared::marks::Marks;
use packhorse_shared::replica::{
    Belonging, ChangedRecord, ColumnShape, Life, Remains, Result, SharedRows, SharedTable, Snapshot, Whom,
};
use packhorse_shared::seam::{Saboteur, is_at_work};
use packhorse_shared::value::Value;

use super::Owed;

/// That a record comes in; since when is told of all that do.
const ENTERED: Passage = Passage::Entered { since: Reading(0) };

/// Chooses from one table.
pub(super) struct Selector<'a> {
    pub(super) snapshot: &'a dyn Snapshot,
    pub(super) table: &'a SharedTable,
    pub(super) owed: Owed,
    /// What a field without a mark counts as stamped with.
    unmarked: Stamp,
    /// The columns that came into what our hub shares, and of which it has not told everything: what has no mark there may be the
    /// default, and is nobody's word.
    untold: BTreeSet<(TableId, ColumnId)>,
    /// The last cut at which any of the chosen came in.
    latest_entered: Cut,
    pub(super) chosen: Vec<Chosen>,
}

/// A change that was chosen.
pub(super) struct Chosen {
    /// The cut of its record's latest change.
    pub cut: Cut,
    pub passage: Passage,
    pub change: RecordChange,
}

impl<'a> Selector<'a> {
    pub fn new(snapshot: &'a dyn Snapshot, table: &'a SharedTable, owed: Owed) -> Result<Self> {
        let unmarked = snapshot.horizon().stamp();
        let untold = if owed.peer == Role::Hub { snapshot.untold()? } else { BTreeSet::new() };
        Ok(Self { snapshot, table, owed, unmarked, untold, latest_entered: Cut(0), chosen: Vec::new() })
    }

    pub fn consider(&mut self, record: &dyn ChangedRecord) -> Result<()> {
        let (passage, change) = match (record.belonging(), record.life()) {
            (Belonging::LeftAt(at), _) => {
                let is_owed = at > self.owed.floor;
                (Passage::Withdrawn, is_owed.then(|| self.withdrawn(record)).transpose()?)
            }
            // What its hub withdraws from this node goes from those behind it.
            (_, Life::Absent(remains)) if remains.withdrawn && self.owed.peer == Role::Remote => {
                let is_owed = remains.latest_cut() > self.owed.floor;
                (Passage::Withdrawn, is_owed.then(|| self.withdrawn(record)).transpose()?)
            }
            (Belonging::Since(at), Life::Present(marks)) if at > self.owed.floor => {
                self.latest_entered = self.latest_entered.max(at);
                (ENTERED, Some(self.entered(record, marks)?))
            }
            (_, Life::Present(marks)) => (Passage::Within, self.present(record, marks)?),
            (_, Life::Absent(remains)) if self.is_of_another(record)? => {
                let death = Remains { fields: Vec::new(), ..remains.clone() };
                (Passage::Within, self.absent(record, &death)?)
            }
            (_, Life::Absent(remains)) if remains.withdrawn && remains.dead.is_none() => {
                (Passage::Limbo, self.absent(record, remains)?)
            }
            (_, Life::Absent(remains)) => (Passage::Within, self.absent(record, remains)?),
        };
        let (cut, is_told) = (record.cut(), change.is_some());
        self.chosen.extend(change.map(|change| Chosen { cut, passage, change }));
        let words = self.unions(record, is_told)?.into_iter().chain(self.namesakes(record)?);
        self.chosen.extend(words.map(|change| Chosen { cut, passage: Passage::Within, change }));
        Ok(())
    }

    /// Whether others had or have the key of a record that does not stand, and it is not known to be shared itself: what is
    /// shared is known by its key. It is told that it died; if it lives after all it will stand elsewhere, and come in there.
    fn is_of_another(&self, record: &dyn ChangedRecord) -> Result<bool> {
        let by_key = matches!(self.table.rows, SharedRows::Members(_));
        let (shape, key) = (&self.table.shape, record.key());
        Ok(by_key && (self.snapshot.stands(shape, key)? || self.snapshot.left_under(shape, key)?.len() > 1))
    }

    fn columns(&self) -> impl Iterator<Item = (usize, &ColumnShape)> {
        self.table.columns.iter().filter_map(|at| Some((*at, self.table.shape.columns.get(*at)?)))
    }

    fn present(&self, record: &dyn ChangedRecord, marks: &Marks) -> Result<Option<RecordChange>> {
        if self.table.shape.columns.is_empty() {
            return self.existence(record, marks);
        }
        let owed = |column: &ColumnShape| marks.get(column.id).is_some_and(|mark| self.owed.includes(mark));
        let mut chosen: Vec<usize> = self.columns().filter(|(_, column)| owed(column)).map(|(at, _)| at).collect();
        let confirms = self.confirmation(marks);
        // What changed of it may be what is not shared: it lies before no cut for that, where the others are gone through.
        let is_asked = self.owed.extent == Extent::Everything;
        if chosen.is_empty() && confirms.is_none() && !is_asked {
            return Ok(None);
        }
        if self.owed.extent != Extent::Changes {
            chosen = self.table.columns.clone();
        }
        let mut fields = chosen.iter().map(|&at| self.field(record, marks, at)).collect::<Result<Vec<_>>>()?;
        let whole = fields.len() == self.table.columns.len() || self.is_all_of_new(record, marks, &chosen);
        fields.extend(confirms);
        fields.extend(self.key_references(record.key(), None)?);
        Ok(Some(RecordChange { key: record.key().clone(), birth: self.birth_told(record)?, dead: None, whole, fields }))
    }

    /// Whether these columns are all on which anything is known of a record that a hub may never have heard of. One that went
    /// out of the set and came back has its default and no mark until that tells of it, and would be waited for in vain. Below
    /// the horizon those without a mark are old, and so is the record.
    fn is_all_of_new(&self, record: &dyn ChangedRecord, marks: &Marks, chosen: &[usize]) -> bool {
        let is_young = self.snapshot.horizon().birth(record.birth()).is_some();
        let mut others = self.columns().filter(|(at, _)| !chosen.contains(at));
        self.owed.peer == Role::Hub && is_young && others.all(|(_, column)| marks.get(column.id).is_none())
    }

    /// The word that the number of a record stands, if that is owed.
    fn confirmation(&self, marks: &Marks) -> Option<FieldChange> {
        let mark = marks.own(ColumnId::EXISTENCE).filter(|mark| self.owed.includes(*mark));
        mark.filter(|_| !is_at_work(Saboteur::NeverConfirm)).map(|mark| self.existence_of(mark.stamp))
    }

    /// A record that its peer is without, whole.
    fn entered(&self, record: &dyn ChangedRecord, marks: &Marks) -> Result<RecordChange> {
        let confirms = self.confirmation(marks).filter(|_| !self.table.shape.columns.is_empty());
        self.whole_and(record, marks, confirms)
    }

    /// That a record is shared no more.
    fn withdrawn(&self, record: &dyn ChangedRecord) -> Result<RecordChange> {
        let (key, birth) = (record.key().clone(), record.birth());
        let fields = self.key_references(&key, None)?;
        Ok(RecordChange { key, birth, dead: None, whole: false, fields })
    }

    /// A record that lies before every cut, whole.
    pub fn whole(&self, record: &dyn ChangedRecord) -> Result<RecordChange> {
        let unmarked = Marks::default();
        let marks = match record.life() {
            Life::Present(marks) => marks,
            Life::Absent(_) => &unmarked,
        };
        self.whole_and(record, marks, None)
    }

    fn whole_and(
        &self,
        record: &dyn ChangedRecord,
        marks: &Marks,
        confirms: Option<FieldChange>,
    ) -> Result<RecordChange> {
        let all = self.table.columns.iter();
        let mut fields = all.map(|&at| self.field(record, marks, at)).collect::<Result<Vec<_>>>()?;
        if self.table.shape.columns.is_empty() {
            let mark = marks.get(ColumnId::EXISTENCE);
            fields.push(self.existence_of(mark.map_or(self.unmarked, |mark| mark.stamp)));
        }
        fields.extend(confirms);
        fields.extend(self.key_references(record.key(), None)?);
        Ok(RecordChange { key: record.key().clone(), birth: self.birth_told(record)?, dead: None, whole: true, fields })
    }

    /// A record that has only a key travels as the stamp of its making.
    fn existence(&self, record: &dyn ChangedRecord, marks: &Marks) -> Result<Option<RecordChange>> {
        let mark = marks.get(ColumnId::EXISTENCE).filter(|mark| self.owed.includes(*mark));
        let Some(mark) = mark else { return Ok(None) };
        let mut fields = vec![self.existence_of(mark.stamp)];
        fields.extend(self.key_references(record.key(), None)?);
        Ok(Some(RecordChange {
            key: record.key().clone(),
            birth: self.birth_told(record)?,
            dead: None,
            whole: true,
            fields,
        }))
    }

    /// The field that says that the record is, under its number: all that one without fields has to say, and the word by
    /// which a record that another node made is told the number that it has here.
    pub(super) fn existence_of(&self, stamp: Stamp) -> FieldChange {
        FieldChange { column: self.table.shape.columns.len(), value: Value::Null, stamp, refers_to: None }
    }

    fn field(&self, record: &dyn ChangedRecord, marks: &Marks, at: usize) -> Result<FieldChange> {
        let value = record.value(at)?;
        let column = self.table.shape.columns.get(at);
        let mark = column.and_then(|column| marks.get(column.id));
        let is_untold = column.is_some_and(|column| self.untold.contains(&(self.table.shape.id, column.id)));
        let unmarked = if is_untold { Stamp::ZERO } else { self.unmarked };
        let refers_to = self.referred_birth(at, &value, None, &|named| record.value(named).map(Some))?;
        Ok(FieldChange { column: at, value, stamp: mark.map_or(unmarked, |mark| mark.stamp), refers_to })
    }

    /// Edits travel even if the record has since been deleted: elsewhere a later edit may bring it back. They say that
    /// it was, since one that stands has the number under which it travels. Those of one that was taken off while they
    /// waited travel too, and make it whole if they are all of it. Of one that may never have been shared nothing travels but
    /// that it is dead: if it was shared, whoever brings it back gets the rest from here then.
    fn absent(&self, record: &dyn ChangedRecord, remains: &Remains) -> Result<Option<RecordChange>> {
        if remains.dead.is_some() && is_at_work(Saboteur::KeepDeletionsSecret) {
            return Ok(None);
        }
        let is_told = remains.dead.is_some_and(|mark| self.owed.includes(mark));
        // It referred to whoever was there until then, and a number may have been given again since; what is in limbo, to
        // whoever was there when it was said.
        let ended = remains.dead.map(|mark| mark.stamp);
        let mut fields = Vec::new();
        for field in remains.fields.iter().filter(|_| !is_before_member(record.belonging(), remains)) {
            let Some(mark) = field.mark.filter(|mark| self.owed.includes(*mark)) else { continue };
            let position = self.columns().find(|(_, column)| column.id == field.column).map(|(at, _)| at);
            // Of a record that has fields this is only the word to remotes that it is withdrawn.
            let is_existence = field.column == ColumnId::EXISTENCE && self.table.shape.columns.is_empty();
            let Some(column) = position.or(is_existence.then_some(0)) else { continue };
            let left = |at: usize| self.table.shape.columns.get(at).and_then(|column| remains.get(column.id));
            let at_time = ended.or(remains.withdrawn.then(|| mark.stamp.latest_birth()));
            let by_time = self.referred_birth(column, &field.value, at_time, &|named| {
                Ok(left(named).map(|left| left.value.clone()))
            })?;
            let refers_to = match field.meant {
                Whom::Unknown => by_time,
                known => known.birth(),
            };
            fields.push(FieldChange { column, value: field.value.clone(), stamp: mark.stamp, refers_to });
        }
        fields.sort_by_key(|field| field.column);
        let (key, birth) = (record.key().clone(), record.birth());
        let is_owed = is_told || !fields.is_empty();
        let whole = remains.dead.is_none() && is_owed && fields.len() == self.table.columns.len();
        if is_owed {
            fields.extend(self.key_references(record.key(), Some(record.birth()))?);
        }
        Ok(is_owed.then_some(RecordChange { key, birth, dead: ended, whole, fields }))
    }

    fn key_column(&self, at: usize) -> Option<&String> {
        self.table.shape.keys.get(at.checked_sub(self.table.shape.columns.len() + 1)?)
    }

    /// What was chosen, by how it stands to what is shared.
    pub fn finish(mut self) -> Result<Vec<TableChanges>> {
        let any_entered = self.chosen.iter().any(|chosen| chosen.passage == ENTERED);
        let since = if any_entered { self.snapshot.judged_at(self.latest_entered)? } else { Reading(0) };
        let mut by_passage: BTreeMap<Passage, Vec<RecordChange>> = BTreeMap::new();
        for Chosen { passage, change, .. } in std::mem::take(&mut self.chosen) {
            let passage = if passage == ENTERED { Passage::Entered { since } } else { passage };
            by_passage.entry(passage).or_default().push(change);
        }
        Ok(by_passage.into_iter().map(|(passage, records)| self.changes(passage, records)).collect())
    }

    /// Sorts the records and names only the columns that occur: a bundle with one changed field names one column.
    fn changes(&self, passage: Passage, mut records: Vec<RecordChange>) -> TableChanges {
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
        let shape = &self.table.shape;
        let name = |&at: &usize| shape.columns.get(at).map(|column| &column.name).or_else(|| self.key_column(at));
        let name = |at: &usize| name(at).map_or(EXISTENCE, String::as_str).to_owned();
        let (table, key_columns) = (shape.name.clone(), shape.keys.clone());
        TableChanges { table, passage, key_columns, columns: occurring.iter().map(name).collect(), records }
    }
}

/// Whether it was gone when who is shared under its key came in: what is shared is noted by keys.
fn is_before_member(belonging: Belonging, remains: &Remains) -> bool {
    let Belonging::Since(at) = belonging else { return false };
    remains.dead.is_some_and(|dead| dead.cut <= at)
}
