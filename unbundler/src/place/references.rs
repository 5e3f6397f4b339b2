//! What foreign keys ask for: a living child brings back its dead parent, what refers to a record that was deleted here
//! waits, and a number that is another record's here is not referred to.

use std::collections::BTreeSet;

use packhorse_shared::change::{RecordChange, TableChanges};
use packhorse_shared::clock::Stamp;
use packhorse_shared::id::TableId;
use packhorse_shared::replica::{Placement, Present, Remains, Result, TableShape};
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
        let standing = standing.filter(|present| self.arrival.is_same(present.birth, record.birth));
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
            let (Some(birth), Some(Column::Field(at, _))) = (field.refers_to, column_of(table, of, field)) else {
                continue;
            };
            let parent = table.columns.get(at).and_then(|column| column.refers_to.as_deref());
            let (Some(parent), true) = (parent, fields.contains(&(at, field.value.clone()))) else { continue };
            if self.is_another(parent, &field.value, birth)? {
                return Ok(Some(format!("it refers to {parent} {}, which is another record here", field.value)));
            }
        }
        Ok(None)
    }

    fn is_another(&mut self, parent: &str, number: &Value, birth: Stamp) -> Result<bool> {
        let tables = self.transaction.tables();
        let Some(parent) = tables.iter().find(|table| table.name == parent) else { return Ok(false) };
        let standing = self.transaction.find(parent, &Key(vec![number.clone()]))?;
        Ok(standing.is_some_and(|present| !self.arrival.is_same(present.birth, Some(birth))))
    }

    /// What refers to a record that was deleted here, unseen by whoever referred to it, waits until that comes back: its
    /// own end will bring it back. Who had seen the deletion means the reference as it is.
    pub(super) fn take_back_orphans(&mut self, undos: Vec<Undo<'_>>) -> Result<()> {
        for undo in undos {
            let missing = self.transaction.missing_parents(undo.table, &undo.change.key, self.arrival.seen)?;
            let Some(parent) = missing.first() else { continue };
            if self.take_back(&undo)? == Taken::NotBack {
                continue;
            }
            self.placed.records = self.placed.records.saturating_sub(1);
            self.hold(undo.of, undo.change, &format!("it refers to {parent}, which was deleted here"))?;
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
