//! What foreign keys ask for: a living child brings back its dead parent, what refers to a record that was deleted here
//! waits, and a number that is another record's here is not referred to.

use std::collections::BTreeSet;

use packhorse_shared::change::{FieldChange, RecordChange, TableChanges};
use packhorse_shared::clock::Stamp;
use packhorse_shared::id::{LinkId, TableId};
use packhorse_shared::marks::{Mark, Marks};
use packhorse_shared::replica::{ColumnShape, Missing, Placement, Present, Remains, Result, TableShape};
use packhorse_shared::value::{Key, Value};

use super::column::{Column, column_of};
use super::{Item, Placer};
use crate::merge::{self, Fate};

/// A change that was placed and would have to be taken back if what it refers to is gone.
pub(super) struct Undo<'a> {
    pub table: &'a TableShape,
    pub change: &'a RecordChange,
    pub of: &'a TableChanges,
    /// The birth under which the record is kept here.
    pub birth: Option<Stamp>,
    pub before: Before,
}

/// What was there before.
pub(super) enum Before {
    Absent(Option<Remains>),
    Standing(Present, Vec<(usize, Value)>),
}

impl Placer<'_> {
    /// Records that refer to each other in a circle and were all deleted: each would keep the next alive for ever.
    pub(super) fn die_together<'t>(
        &mut self,
        refused: Vec<Item<'t>>,
        undos: &mut Vec<Undo<'t>>,
    ) -> Result<Vec<Item<'t>>> {
        let deaths = refused.iter().filter(|(_, _, record)| record.dead.is_some());
        let mut doomed = Vec::new();
        for (table, _, record) in deaths {
            if self.is_doomed(table, record)? {
                doomed.push((*table, &record.key));
            }
        }
        self.dying = self.without_living_children(doomed)?;
        if self.dying.is_empty() {
            return Ok(refused);
        }
        let refused = self.pass(refused, undos);
        self.dying.clear();
        refused
    }

    fn is_doomed(&mut self, table: &TableShape, record: &RecordChange) -> Result<bool> {
        let standing = self.transaction.find(table, &record.key)?;
        let is_it = |present: &Present| self.arrival.is_same_standing(present, record, &table.column_ids());
        let standing = standing.filter(is_it);
        let fate = standing.map(|present| merge::fate(&present.marks, record, &self.arrival));
        Ok(matches!(fate, Some(Fate::Dies(_))))
    }

    /// Of these, the ones to which nobody refers who stays.
    fn without_living_children(&mut self, mut doomed: Vec<(&TableShape, &Key)>) -> Result<BTreeSet<(TableId, Key)>> {
        loop {
            let dying = doomed.iter().map(|(table, key)| (table.id, (*key).clone())).collect();
            let before = doomed.len();
            let mut left = Vec::new();
            for (table, key) in doomed {
                if self.transaction.living_child(table, key, &dying)?.is_none() {
                    left.push((table, key));
                }
            }
            if left.len() == before {
                return Ok(dying);
            }
            doomed = left;
        }
    }

    /// Whether one of the fields to be written would refer to another record here than at its origin: one that was
    /// given the same number.
    pub(super) fn mistaken(
        &mut self,
        table: &TableShape,
        of: &TableChanges,
        record: &RecordChange,
        fields: &[(usize, Value)],
    ) -> Result<Option<String>> {
        for field in &record.fields {
            let Some(Column::Field(at, _)) = column_of(table, of, field) else { continue };
            // What nobody has declared waits only if it is known to mean another record.
            let waits = field.refers_to.is_some() || is_reference(table, at);
            if !waits || !fields.contains(&(at, field.value.clone())) {
                continue;
            }
            let placed = |at: usize| fields.iter().find(|field| field.0 == at).map(|field| field.1.clone());
            let Some(parent) = self.parent(table, at, &record.key, &placed)? else { continue };
            if self.is_another(parent, &field.value, field.refers_to)? {
                return Ok(Some(format!("it refers to {parent} {}, which is another record here", field.value)));
            }
        }
        Ok(None)
    }

    /// Whether another record stands under a number than the one that a reference means by it.
    pub(super) fn is_another(&mut self, parent: &str, number: &Value, birth: Option<Stamp>) -> Result<bool> {
        if !matches!(number, Value::Integer(_)) {
            return Ok(false);
        }
        let tables = self.transaction.tables();
        let Some(parent) = tables.iter().find(|table| table.name == parent) else { return Ok(false) };
        let standing = self.transaction.find(parent, &Key(vec![number.clone()]))?;
        let is_it = |present| self.arrival.is_known_by(&present, birth, &parent.column_ids());
        Ok(standing.is_some_and(|present| !is_it(present)))
    }

    /// What refers to a record that was deleted here. If its sender did not know of that, its own end will bring that
    /// record back, and until then it waits; if it did know, it means the reference as it is. If the reference does not
    /// come from the sender, nobody else may notice: the record is brought back here.
    pub(super) fn mend_references(&mut self, undos: Vec<Undo<'_>>) -> Result<()> {
        for undo in undos {
            let missing = self.transaction.missing_parents(undo.table, &undo.change.key)?;
            if missing.is_empty() {
                continue;
            }
            let standing = self.transaction.find(undo.table, &undo.change.key)?;
            let marks = standing.map(|present| present.marks).unwrap_or_default();
            let judged: Vec<_> = missing.iter().map(|missing| (missing, self.will(missing, &undo, &marks))).collect();
            if let Some((waits_for, _)) = judged.iter().find(|(_, will)| *will == Will::Unknowing) {
                self.wait_for(waits_for, &undo)?;
                continue;
            }
            let child = format!("{} {}", undo.table.name, undo.change.key);
            for (parent, _) in judged.iter().filter(|(_, will)| *will == Will::Nobodys) {
                self.bring_back(parent, &child)?;
            }
        }
        Ok(())
    }

    fn will(&self, missing: &Missing, undo: &Undo<'_>, marks: &Marks) -> Will {
        let sent = |field: &&FieldChange| {
            let column = column_of(undo.table, undo.of, field).map(Column::id);
            let column = column.filter(|column| missing.by.contains(column));
            column.is_some_and(|column| marks.get(column).is_none_or(|mark| mark.stamp == field.stamp))
        };
        let reference = undo.change.fields.iter().find(sent).map(|field| field.stamp);
        let Some(reference) = reference else { return Will::Nobodys };
        let own = reference.node == self.arrival.sender;
        match missing.remains.dead {
            Some(dead) if dead.cut <= self.arrival.seen && reference > dead.stamp && own => Will::Knowing,
            // Who passed it on has decided already, but may not have had the values to bring anything back.
            Some(dead) if dead.cut <= self.arrival.seen => Will::Nobodys,
            _ => Will::Unknowing,
        }
    }

    fn wait_for(&mut self, missing: &Missing, undo: &Undo<'_>) -> Result<()> {
        if self.take_back(undo)? == Taken::NotBack {
            return Ok(());
        }
        let tables = self.transaction.tables();
        let parent = tables.iter().find(|table| table.id == missing.table).map_or("", |table| table.name.as_str());
        self.placed.records = self.placed.records.saturating_sub(1);
        self.hold(undo.of, undo.change, &format!("it refers to {parent} {}, which was deleted here", missing.key))
    }

    /// Brings back what a living record refers to: a decision made here, and so a new edit of every field. Where not all
    /// of its values are known (a record that was evicted or deleted unseen leaves none) another end has to.
    fn bring_back(&mut self, parent: &Missing, child: &str) -> Result<()> {
        let tables = self.transaction.tables();
        let Some(table) = tables.iter().find(|table| table.id == parent.table) else { return Ok(()) };
        let value = |(at, column): (usize, &ColumnShape)| Some((at, parent.remains.get(column.id)?.value.clone()));
        let fields: Option<Vec<_>> = table.columns.iter().enumerate().map(value).collect();
        let Some(fields) = fields else { return Ok(()) };
        if self.transaction.insert(table, &parent.key, &fields)? != Placement::Placed {
            return Ok(());
        }
        let mark = Mark { stamp: self.transaction.tick(), cut: self.arrival.cut, via: LinkId::LOCAL };
        let present = Present { birth: parent.birth, marks: Marks::of_all(mark) };
        self.transaction.unbury(table, &parent.key, parent.birth)?;
        self.transaction.mark(table, &parent.key, &present)?;
        self.placed.revived += 1;
        let text = format!("{} {} was deleted but is brought back: {child} refers to it", table.name, parent.key);
        self.transaction.note(&text, self.now)?;
        let child = format!("{} {}", table.name, parent.key);
        for parent in self.transaction.missing_parents(table, &parent.key)? {
            self.bring_back(&parent, &child)?;
        }
        Ok(())
    }

    fn take_back(&mut self, undo: &Undo<'_>) -> Result<Taken> {
        let (table, key) = (undo.table, &undo.change.key);
        match &undo.before {
            Before::Standing(present, values) => match self.transaction.update(table, key, values)? {
                Placement::Refused(_) => return Ok(Taken::NotBack),
                Placement::Placed => self.transaction.mark(table, key, present)?,
            },
            Before::Absent(remains) => {
                if let Placement::Refused(_) = self.transaction.delete(table, key)? {
                    return Ok(Taken::NotBack);
                }
                self.transaction.bury(table, key, undo.birth, &remains.clone().unwrap_or_default())?;
                if remains.is_none() {
                    self.transaction.unbury(table, key, undo.birth)?;
                }
            }
        }
        Ok(Taken::Back)
    }
}

/// Who stands behind a reference to a record that was deleted here.
#[derive(PartialEq, Eq)]
enum Will {
    /// The sender, who knew of the deletion.
    Knowing,
    /// The sender, who did not.
    Unknowing,
    /// Nobody who would bring that record back.
    Nobodys,
}

/// What became of a change that was to be taken back.
#[derive(PartialEq, Eq)]
enum Taken {
    Back,
    /// The database refused it: it stays, and what it refers to comes back from its own end.
    NotBack,
}

/// Whether a column is part of a declared foreign key.
pub(super) fn is_reference(table: &TableShape, at: usize) -> bool {
    let name = table.columns.get(at).map(|column| &column.name);
    table.parents.iter().any(|parent| parent.columns.iter().any(|(here, _)| Some(here) == name))
}
