//! What the other end found to have been overruled, or has refused: it is written down here too, so that whoever lost a value
//! hears of it.
//!
//! Owns how that is matched with what stands here. Nothing in the tables changes by it: a value that was overruled is nobody's
//! word any more. Comes after the bundle's changes, among which is what overruled it.

use std::borrow::Cow;

use packhorse_shared::change::{FieldChange, Passage, TableChanges};
use packhorse_shared::clock::Stamp;
use packhorse_shared::replica::{Belonging, Conflict, Found, Matter, Present, Result, SharedTable, Side, TableShape};
use packhorse_shared::seam::{Saboteur, is_at_work};
use packhorse_shared::value::{Key, Value};

use super::column::{Column, column_of};
use super::within::beyond;
use super::{Item, Placer};

/// What a bundle says was overruled or refused, and everything else that it says.
pub(super) fn apart(bundle: &[TableChanges]) -> (Vec<TableChanges>, Cow<'_, [TableChanges]>) {
    if !bundle.iter().any(|changes| changes.passage.is_for_people()) {
        return (Vec::new(), Cow::Borrowed(bundle));
    }
    let (words, changes): (Vec<_>, Vec<_>) =
        bundle.iter().cloned().partition(|changes| changes.passage.is_for_people());
    (words, Cow::Owned(changes))
}

impl Placer<'_> {
    /// Writes down what a bundle says was overruled or refused.
    pub(super) fn hear_overruled(&mut self, bundle: &[TableChanges]) -> Result<()> {
        let tables = self.transaction.tables();
        for of in bundle {
            // What this database lacks nobody here has lost.
            let Ok(table) = self.fitting(&tables, of) else { continue };
            let shared = self.shared(table)?.map(|(sharing, at)| sharing[at].clone());
            if self.is_from_remote() && shared.as_ref().is_none_or(|shared| !beyond(shared, of).is_empty()) {
                continue;
            }
            for record in &of.records {
                self.hear_of_record((table, of, record), shared.as_ref())?;
            }
        }
        Ok(())
    }

    /// `shared`: what the remote that says so shares of the table, if a remote does.
    fn hear_of_record(&mut self, (table, of, record): Item<'_>, shared: Option<&SharedTable>) -> Result<()> {
        let key = self.key_here(table, &record.key, record.birth)?;
        let belonging = shared.map(|shared| self.transaction.belonging(self.arrival.link, shared, &key)).transpose()?;
        if belonging.is_some_and(|belonging| !matches!(belonging, Some(Belonging::Since(_)))) {
            return Ok(());
        }
        let present = self.transaction.find(table, &key)?;
        if let (Passage::Refused, Some(refused)) = (of.passage, record.dead) {
            self.hear_refused_whole((table, of, record), &key, (refused, present.is_some()))?;
        }
        let Some(present) = present else { return self.hear_refused_of_one_gone((table, of, record), &key) };
        let values = self.transaction.values(table, &key)?;
        for field in &record.fields {
            self.hear_of_field((table, of), field, (&key, &present), &values)?;
        }
        Ok(())
    }

    fn hear_of_field(
        &mut self,
        (table, of): (&TableShape, &TableChanges),
        field: &FieldChange,
        (key, present): (&Key, &Present),
        values: &[Value],
    ) -> Result<()> {
        let Some(Column::Field(at, id)) = column_of(table, of, field) else { return Ok(()) };
        let (Some(column), Some(kept)) = (table.columns.get(at), values.get(at)) else { return Ok(()) };
        let mark = present.marks.get(id);
        let stands_as = mark.map_or(self.arrival.horizon.stamp(), |mark| mark.stamp);
        let lost = self.overruled_value(table, at, field)?;
        // What did not come that overruled it is to come; and what says the same took nothing away. What is refused goes, though
        // the word on it may be in a later part.
        if of.passage != Passage::Refused && (lost == *kept || stands_as <= field.stamp) {
            return Ok(());
        }
        let stands = if mark.is_some_and(|mark| mark.via == self.arrival.link) { Side::Theirs } else { Side::Ours };
        let matter = if of.passage == Passage::Refused { Matter::Refusal } else { Matter::Conflict };
        let (column, birth, found) = (&column.name, present.birth, Found::There);
        let (kept, lost) = ((kept, stands_as), (&lost, field.stamp));
        let heard = Conflict { key, birth, column, kept, lost, stands_as, stands, found, matter };
        let new = self.transaction.note_conflict(self.arrival.link, &table.name, &heard, self.now)?;
        if new && matter == Matter::Refusal {
            let text =
                format!("the hub refused a change of {} {key}, and has undone it: {column} = {}", table.name, lost.0);
            return self.note_refusal(&text);
        }
        self.placed.conflicts += u64::from(new);
        Ok(())
    }

    /// `refused`: the stamp of what was done to the record, and whether it stands here now.
    fn hear_refused_whole(
        &mut self,
        (table, _, record): Item<'_>,
        key: &Key,
        (refused, stands): (Stamp, bool),
    ) -> Result<()> {
        let (kept, lost) = ((&Value::Null, refused), (&Value::Null, refused));
        let (birth, found, matter) = (record.birth, Found::There, Matter::Refusal);
        let (column, stands_as, side) = ("", refused, Side::Theirs);
        let heard = Conflict { key, birth, column, kept, lost, stands_as, stands: side, found, matter };
        if self.transaction.note_conflict(self.arrival.link, &table.name, &heard, self.now)? {
            let what = if stands { "the deletion" } else { "the making" };
            self.note_refusal(&format!("the hub refused {what} of {} {key}, and has undone it", table.name))?;
        }
        Ok(())
    }

    /// What the hub has refused of a record that does not stand here any more was lost here all the same.
    fn hear_refused_of_one_gone(&mut self, (table, of, record): Item<'_>, key: &Key) -> Result<()> {
        for field in record.fields.iter().filter(|_| of.passage == Passage::Refused) {
            let Some(Column::Field(at, _)) = column_of(table, of, field) else { continue };
            let Some(column) = table.columns.get(at) else { continue };
            let lost = self.overruled_value(table, at, field)?;
            let (kept, lost, column) = ((&Value::Null, field.stamp), (&lost, field.stamp), &column.name);
            let (birth, found, matter) = (record.birth, Found::There, Matter::Refusal);
            let (stands_as, stands) = (field.stamp, Side::Theirs);
            let heard = Conflict { key, birth, column, kept, lost, stands_as, stands, found, matter };
            if self.transaction.note_conflict(self.arrival.link, &table.name, &heard, self.now)? {
                let value = lost.0;
                self.note_refusal(&format!("the hub refused a change of {} {key}: {column} = {value}", table.name))?;
            }
        }
        Ok(())
    }

    fn note_refusal(&mut self, text: &str) -> Result<()> {
        if is_at_work(Saboteur::RefuseSilently) {
            return Ok(());
        }
        self.placed.undone += 1;
        self.transaction.note(text, self.now)
    }

    /// The value as it is here: a number that is known by a birth is the one that it has here.
    fn overruled_value(&mut self, table: &TableShape, at: usize, field: &FieldChange) -> Result<Value> {
        let parent = table.columns.get(at).and_then(|column| column.refers_to.as_deref());
        let number = match (field.refers_to, parent) {
            (Some(birth), Some(parent)) => self.number_in(parent, birth)?,
            _ => None,
        };
        Ok(number.map_or_else(|| field.value.clone(), Value::Integer))
    }

    fn number_in(&mut self, table: &str, birth: Stamp) -> Result<Option<i64>> {
        let tables = self.transaction.tables();
        TableShape::named(&tables, table).map_or(Ok(None), |table| self.transaction.number_of(table, birth))
    }
}
