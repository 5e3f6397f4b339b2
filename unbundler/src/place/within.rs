//! What a remote may speak of: the tables, columns and records that it shares (DESIGN section 4).
//!
//! Invariant: a change beyond that alters nothing here; it is noted for the people at this node, and undone at its sender by
//! withdrawing the record. What a remote sends of its own it holds: a new record that is not in its set is taken, and
//! withdrawn from it.

use std::rc::Rc;

use packhorse_shared::change::{RecordChange, TableChanges};
use packhorse_shared::id::LinkId;
use packhorse_shared::replica::{Result, SharedTable, Spoken, TableShape};
use packhorse_shared::value::Key;

use super::Placer;
use super::column::{Column, column_of};
use crate::merge::{Authority, Past};

impl Placer<'_> {
    /// What a remote's bundle says within what it shares; the rest is refused. None if that is all of it.
    pub(super) fn within(&mut self, bundle: &[TableChanges]) -> Result<Option<Vec<TableChanges>>> {
        if !self.is_from_remote() {
            return Ok(None);
        }
        let (sharing, tables) = (self.sharing()?, self.transaction.tables());
        let mut within = Vec::new();
        let mut any = false;
        for changes in bundle {
            let Some(table) = tables.iter().find(|table| table.name.eq_ignore_ascii_case(&changes.table)) else {
                within.push(changes.clone());
                continue;
            };
            let Some(shared) = sharing.iter().find(|shared| shared.shape.id == table.id) else {
                any = true;
                changes.records.iter().try_for_each(|record| self.refuse(table, record, "the table"))?;
                continue;
            };
            let mut changes = changes.clone();
            any |= self.drop_columns(shared, &mut changes)?;
            within.push(changes);
        }
        Ok(any.then_some(within))
    }

    /// Takes out the fields of columns that are not shared; tells whether there were any.
    fn drop_columns(&mut self, shared: &SharedTable, changes: &mut TableChanges) -> Result<bool> {
        let (table, before) = (&shared.shape, changes.clone());
        let is_beyond = |field: &_| matches!(column_of(table, &before, field), Some(Column::Field(at, _)) if !shared.columns.contains(&at));
        let mut any = false;
        for record in &mut changes.records {
            let count = record.fields.len();
            record.fields.retain(|field| !is_beyond(field));
            if record.fields.len() < count {
                any = true;
                self.refuse(table, record, "a column that was changed")?;
            }
        }
        Ok(any)
    }

    /// Whether a change is of a record that its sender does not share and has not made: it is refused.
    pub(super) fn is_beyond(&mut self, table: &TableShape, record: &RecordChange) -> Result<bool> {
        // What came into its set since the backup that we come from is not known here.
        if self.arrival.past == Past::Lost {
            return Ok(false);
        }
        let Some(shared) = self.shared(table)? else { return Ok(false) };
        let link = self.arrival.link;
        if self.transaction.belonging(link, &shared, &record.key)?.is_some() {
            return Ok(false);
        }
        let standing = self.transaction.find(table, &record.key)?;
        let is_it = |present: &_| self.arrival.is_same_standing(present, record, &table.column_ids());
        if !standing.as_ref().is_some_and(is_it) {
            return Ok(false);
        }
        self.refuse(table, record, "the record")?;
        self.transaction.note_spoken_of(link, &shared, &record.key, Spoken::Beyond)?;
        Ok(true)
    }

    /// What a remote sends, it holds.
    pub(super) fn note_spoken_of(&mut self, table: &TableShape, record: &RecordChange) -> Result<()> {
        if record.dead.is_some() || record.fields.is_empty() {
            return Ok(());
        }
        let spoken = if record.whole && self.arrival.past == Past::Known { Spoken::Whole } else { Spoken::InPart };
        self.note_spoken(table, &record.key, spoken)
    }

    /// The same of what stands under a key here, which its sender may know by another.
    pub(super) fn note_spoken(&mut self, table: &TableShape, key: &Key, spoken: Spoken) -> Result<()> {
        let Some(shared) = self.shared(table)? else { return Ok(()) };
        self.transaction.note_spoken_of(self.arrival.link, &shared, key, spoken)
    }

    /// What the remote that speaks shares of a table.
    fn shared(&mut self, table: &TableShape) -> Result<Option<SharedTable>> {
        if !self.is_from_remote() {
            return Ok(None);
        }
        Ok(self.sharing()?.iter().find(|shared| shared.shape.id == table.id).cloned())
    }

    fn is_from_remote(&self) -> bool {
        self.arrival.link != LinkId::LOCAL && self.arrival.authority() != Authority::Sender
    }

    fn sharing(&mut self) -> Result<Rc<[SharedTable]>> {
        let link = self.arrival.link;
        if let Some(known) = self.sharing.get(&link) {
            return Ok(Rc::clone(known));
        }
        let shared: Rc<[SharedTable]> = self.transaction.sharing(link)?.into();
        self.sharing.insert(link, Rc::clone(&shared));
        Ok(shared)
    }

    fn refuse(&mut self, table: &TableShape, record: &RecordChange, what: &str) -> Result<()> {
        self.placed.refused += 1;
        let text = format!("a change of {} {} was refused: {what} is outside its sender's set", table.name, record.key);
        self.transaction.note(&text, self.now)
    }
}
