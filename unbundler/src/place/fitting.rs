//! Whether a table's changes fit this database, whose schema need not be that of their sender.
//!
//! Invariant: what fits is placed, and the rest is kept until it does: of a record that is edited the fields of a column that this
//! database does not have (yet), or that has another type here, hold up no others. One that comes whole
//! and does not stand here yet waits whole.

use std::borrow::Cow;

use packhorse_shared::change::{EXISTENCE, FieldChange, RecordChange, TableChanges};
use packhorse_shared::replica::{Affinity, Result, TableShape};
use packhorse_shared::value::Value;

use super::Placer;
use super::column::{Column, column_of};

impl Placer<'_> {
    /// The table here that a table's changes are for. What this database lacks is held until it has it.
    pub(super) fn fitting<'t>(
        &self,
        tables: &'t [TableShape],
        changes: &TableChanges,
    ) -> std::result::Result<&'t TableShape, String> {
        let table = TableShape::named(tables, &changes.table);
        let table = table.ok_or_else(|| format!("table \"{}\" is not synced in this database", changes.table))?;
        if !has_same_key(table, changes) {
            return Err(format!("table \"{}\" has another primary key in this database", changes.table));
        }
        let unknown = unknown_columns(table, changes);
        match unknown.first().and_then(|at| changes.columns.get(*at)) {
            Some(column) => Err(no_column(table, column)),
            None => Ok(table),
        }
    }

    /// A bundle without the fields of columns that this database does not have: these are held.
    pub(super) fn hold_unknown_columns<'b>(
        &mut self,
        tables: &[TableShape],
        bundle: &'b [TableChanges],
    ) -> Result<Cow<'b, [TableChanges]>> {
        let unknown = |changes: &TableChanges| {
            let table = TableShape::named(tables, &changes.table).filter(|table| has_same_key(table, changes))?;
            Some((table, unknown_columns(table, changes))).filter(|(_, unknown)| !unknown.is_empty())
        };
        if bundle.iter().all(|changes| unknown(changes).is_none()) {
            return Ok(Cow::Borrowed(bundle));
        }
        let mut known = Vec::with_capacity(bundle.len());
        for changes in bundle {
            let Some((table, unknown)) = unknown(changes) else {
                known.push(changes.clone());
                continue;
            };
            let names = unknown.iter().filter_map(|at| changes.columns.get(*at));
            let reason = names.map(|column| no_column(table, column)).next().unwrap_or_default();
            let (mut whole, mut others) = (Vec::new(), Vec::new());
            for record in &changes.records {
                // Who has died since waits for no column.
                if record.dead.is_none() && self.has_died_since(table, changes, record)? {
                    continue;
                }
                // Placed without the column a new record would count as having had it from its beginning.
                let is_new = record.whole && self.standing_as(table, record)?.is_none();
                if is_new { &mut whole } else { &mut others }.push(record.clone());
            }
            self.hold_all(&TableChanges { records: whole, ..changes.clone() }, &reason)?;
            let (fits, rest) = apart(&TableChanges { records: others, ..changes.clone() }, &unknown);
            self.hold_all(&rest, &reason)?;
            known.push(fits);
        }
        Ok(Cow::Owned(known))
    }

    /// A bundle without the fields whose values would not stay what they are, since the column has another type here: these are
    /// held.
    pub(super) fn hold_unlike<'b>(
        &mut self,
        tables: &[TableShape],
        bundle: Cow<'b, [TableChanges]>,
    ) -> Result<Cow<'b, [TableChanges]>> {
        let unlike = |changes: &TableChanges| {
            let table = TableShape::named(tables, &changes.table).filter(|table| has_same_key(table, changes));
            table.is_some_and(|table| changes.records.iter().any(|record| unlike_in(table, changes, record).is_some()))
        };
        if !bundle.iter().any(unlike) {
            return Ok(bundle);
        }
        let mut like = bundle.into_owned();
        for changes in &mut like {
            let Some(table) = TableShape::named(tables, &changes.table).filter(|table| has_same_key(table, changes))
            else {
                continue;
            };
            let records = std::mem::take(&mut changes.records);
            for record in records {
                let kept = self.hold_unlike_of(table, changes, record)?;
                changes.records.extend(kept);
            }
        }
        Ok(Cow::Owned(like))
    }

    /// What is left of a record's change without such fields, but for those that were overtaken: these say nothing any more. One
    /// that comes whole and does not stand waits whole, as does one that is known by such a value.
    fn hold_unlike_of(
        &mut self,
        table: &TableShape,
        of: &TableChanges,
        record: RecordChange,
    ) -> Result<Option<RecordChange>> {
        let Some(reason) = unlike_in(table, of, &record) else { return Ok(Some(record)) };
        if record.dead.is_none() && self.has_died_since(table, of, &record)? {
            return Ok(None);
        }
        let standing = self.standing_as(table, &record)?.map(|(_, present)| present.marks);
        if record.whole && standing.is_none() || unlike_key(table, &record).is_some() {
            return self.hold(of, &record, &reason).map(|()| None);
        }
        let is_overtaken = |field: &FieldChange| {
            let ours = standing.as_ref().and_then(|marks| marks.get(column_of(table, of, field).map(Column::id)?));
            ours.is_some_and(|mark| mark.stamp >= field.stamp)
        };
        let (mut rest, mut like) = (RecordChange { dead: None, whole: false, ..record.clone() }, record);
        rest.fields.retain(|field| unlike_field(table, of, field).is_some() && !is_overtaken(field));
        like.fields.retain(|field| unlike_field(table, of, field).is_none());
        if !rest.fields.is_empty() {
            self.hold(of, &rest, &reason)?;
        }
        Ok(Some(like).filter(|like| !like.fields.is_empty() || like.dead.is_some()))
    }
}

/// Why a record's change cannot be written here as it is.
pub(super) fn unlike_in(table: &TableShape, of: &TableChanges, record: &RecordChange) -> Option<String> {
    unlike_key(table, record).or_else(|| record.fields.iter().find_map(|field| unlike_field(table, of, field)))
}

fn unlike_key(table: &TableShape, record: &RecordChange) -> Option<String> {
    let mut columns = table.keys.iter().zip(&table.key_affinities).zip(&record.key.0);
    columns.find_map(|((name, affinity), value)| unlike(table, name, *affinity, value))
}

fn unlike_field(table: &TableShape, of: &TableChanges, field: &FieldChange) -> Option<String> {
    let column = table.columns.get(table.position(of.columns.get(field.column)?)?)?;
    unlike(table, &column.name, column.affinity, &field.value)
}

fn unlike(table: &TableShape, column: &str, affinity: Affinity, value: &Value) -> Option<String> {
    (!affinity.keeps(value)).then(|| {
        let kind = if affinity == Affinity::Text { "texts" } else { "numbers" };
        format!(
            "column \"{column}\" of table \"{}\" holds {kind}, and {value} would not stay that in this database",
            table.name
        )
    })
}

pub(super) fn has_same_key(table: &TableShape, changes: &TableChanges) -> bool {
    let (here, there) = (&table.keys, &changes.key_columns);
    here.len() == there.len() && here.iter().zip(there).all(|(here, there)| here.eq_ignore_ascii_case(there))
}

/// The columns of changes that a table does not have, by their positions in these.
pub(super) fn unknown_columns(table: &TableShape, changes: &TableChanges) -> Vec<usize> {
    let is_key = |name: &str| table.keys.iter().any(|key| key.eq_ignore_ascii_case(name));
    let is_known = |name: &str| name == EXISTENCE || is_key(name) || table.position(name).is_some();
    (0..changes.columns.len()).filter(|at| !is_known(&changes.columns[*at])).collect()
}

fn no_column(table: &TableShape, column: &str) -> String {
    format!("table \"{}\" has no column \"{column}\" in this database", table.name)
}

/// Changes without the fields of some columns, and these fields by themselves. Of a record of which nothing else is said only
/// these are left.
fn apart(changes: &TableChanges, columns: &[usize]) -> (TableChanges, TableChanges) {
    let empty = TableChanges { records: Vec::new(), ..changes.clone() };
    let (mut fits, mut rest) = (empty.clone(), empty);
    let position = |at: usize| columns.iter().position(|column| *column == at);
    rest.columns = columns.iter().map(|at| changes.columns[*at].clone()).collect();
    fits.columns = changes
        .columns
        .iter()
        .enumerate()
        .filter(|(at, _)| position(*at).is_none())
        .map(|(_, name)| name.clone())
        .collect();
    let before = |at: usize| columns.iter().filter(|column| **column < at).count();
    for record in &changes.records {
        let (mut known, mut unknown) = (record.clone(), RecordChange { dead: None, whole: false, ..record.clone() });
        known.fields.retain(|field| position(field.column).is_none());
        known.fields.iter_mut().for_each(|field| field.column -= before(field.column));
        unknown.fields.retain(|field| position(field.column).is_some());
        unknown.fields.iter_mut().for_each(|field| field.column = position(field.column).unwrap_or_default());
        let says_more = !known.fields.is_empty() || known.dead.is_some();
        rest.records.extend((!unknown.fields.is_empty()).then_some(unknown));
        fits.records.extend(says_more.then_some(known));
    }
    (fits, rest)
}
