//! Changes of which only some fields wait: those that refer to a record which has not come, while the others are placed.
//!
//! Owns which fields go together: those of one foreign key, and the two of a pair. Invariant: a record that is not here yet
//! waits whole, since it may not stand in its table in part.

use std::collections::BTreeSet;

use packhorse_shared::change::{RecordChange, TableChanges};
use packhorse_shared::replica::{Result, TableShape};

use super::Placer;
use super::column::{Column, column_of};

impl Placer<'_> {
    /// Places what of a change waits for nothing, and holds the rest for a reason; tells whether there was such a part.
    pub(super) fn place_partly(
        &mut self,
        table: &TableShape,
        of: &TableChanges,
        record: &RecordChange,
        reason: &str,
    ) -> Result<bool> {
        let standing = self.transaction.find(table, &record.key)?;
        if !standing.is_some_and(|present| self.is_meant(table, &present, record)) {
            return Ok(false);
        }
        let waiting = self.waiting_columns(table, of, record)?;
        let waits = |column: Option<Column>| matches!(column, Some(Column::Field(at, _)) if waiting.contains(&at));
        let is_free = |column: Option<Column>| matches!(column, Some(Column::Field(at, _)) if !waiting.contains(&at));
        let columns: Vec<Option<Column>> = record.fields.iter().map(|field| column_of(table, of, field)).collect();
        if waiting.is_empty() || !columns.iter().any(|column| is_free(*column)) {
            return Ok(false);
        }
        // What speaks of the key belongs to both.
        let part = |takes: &dyn Fn(Option<Column>) -> bool| {
            let fields = record.fields.iter().zip(&columns).filter(|(_, column)| column.is_none() || takes(**column));
            let fields = fields.map(|(field, _)| field.clone()).collect();
            RecordChange { key: record.key.clone(), whole: false, fields, ..*record }
        };
        self.hold(of, &part(&waits), reason)?;
        let (coming, spoken) = (std::mem::take(&mut self.coming), std::mem::take(&mut self.spoken));
        let placed = self.round(&[TableShape::alone(of, part(&is_free))]);
        (self.coming, self.spoken) = (coming, spoken);
        placed.map(|()| true)
    }

    /// The columns that wait, with those that go along with them.
    fn waiting_columns(
        &mut self,
        table: &TableShape,
        of: &TableChanges,
        record: &RecordChange,
    ) -> Result<BTreeSet<usize>> {
        let mut waiting = BTreeSet::new();
        for (at, field) in record.fields.iter().enumerate() {
            let Some(Column::Field(column, _)) = column_of(table, of, field) else { continue };
            if self.awaited_by(table, of, record, at)?.is_some() {
                waiting.insert(column);
            }
        }
        let mut along = BTreeSet::new();
        for at in &waiting {
            let Some(column) = table.columns.get(*at) else { continue };
            let foreign = table.parents.iter().map(|parent| &parent.columns);
            let with = foreign.filter(|parts| parts.iter().any(|(here, _)| here.eq_ignore_ascii_case(&column.name)));
            along.extend(with.flatten().filter_map(|(here, _)| table.position(here)));
            along.extend(table.names_parent(*at));
        }
        Ok(&waiting | &along)
    }
}
