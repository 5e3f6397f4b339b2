//! Records that were deleted and come back when another with the same identity was made since: they are one, as if whoever made
//! the other had made the first again.
//!
//! A child elsewhere brings back its dead parent, which the hub has no room for: it holds one that was made since with the same
//! email. Owns telling such a pair. Invariant: the two never stood side by side, so that nobody has known them apart: the one was
//! born when the other was dead, and has had its identity since it was born. Only the root decides it, since who else knows
//! the dead one may have brought it back by then. Leaves to `unite` what becomes of the two.

use packhorse_shared::change::{RecordChange, TableChanges};
use packhorse_shared::clock::Stamp;
use packhorse_shared::replica::{Buried, Present, Remains, Residence, Result, TableShape};
use packhorse_shared::value::{Key, Value};

use super::Placer;
use super::absent::Gathered;
use super::unite::field_of;
use crate::merge::Authority;

impl Placer<'_> {
    /// Makes a record that comes back one with the same that was made since it died.
    pub(super) fn rejoin(
        &mut self,
        tables: &[TableShape],
        table: &TableShape,
        of: &TableChanges,
        record: &RecordChange,
    ) -> Result<()> {
        let Some((key, left, dead)) = self.coming_back(table, of, record)? else { return Ok(()) };
        let Some(values) = self.identity_left(tables, (table, of, record), &left.remains)? else { return Ok(()) };
        let standing = self.identified_by(tables, (table, of), &values)?;
        let Some((ours, present)) = standing.filter(|(_, present)| is_made_since(table, present, dead)) else {
            return Ok(());
        };
        self.note_rejoined(table, &key, &ours)?;
        self.transaction.unbury(table, &key, left.birth)?;
        let known = Residence { key, birth: left.birth };
        self.note_union(table, known, Residence { key: ours.clone(), birth: present.birth })?;
        self.unite_with(table, record, (ours, present))
    }

    /// What is left here of a change's record if that was deleted and lives again, with its key here and when it died.
    fn coming_back(
        &mut self,
        table: &TableShape,
        of: &TableChanges,
        record: &RecordChange,
    ) -> Result<Option<(Key, Buried, Stamp)>> {
        let theirs = Residence { key: record.key.clone(), birth: record.birth };
        if self.arrival.authority() != Authority::Here || self.moves.of(table.id, &theirs).is_some() {
            return Ok(None);
        }
        let number = record.birth.map(|birth| self.transaction.number_of(table, birth)).transpose()?.flatten();
        let key = number.map_or(theirs.key, |number| Key(vec![Value::Integer(number)]));
        let here = RecordChange { key: key.clone(), ..record.clone() };
        let standing = self.transaction.find(table, &key)?;
        if standing.is_some_and(|present| self.arrival.is_same_standing(&present, &here, &table.column_ids())) {
            return Ok(None);
        }
        let Gathered { birth, known, remains } = self.gathered(table, of, &here)?;
        let died = known.and_then(|known| known.dead).and(remains.dead).filter(|_| remains.living());
        Ok(died.map(|dead| (key, Buried { birth, remains }, dead.stamp)))
    }

    /// What a record is known by that a change brings back: by its new values, and those that were left.
    fn identity_left(
        &mut self,
        tables: &[TableShape],
        (table, of, record): (&TableShape, &TableChanges, &RecordChange),
        left: &Remains,
    ) -> Result<Option<Vec<Value>>> {
        let mut values = Vec::new();
        for column in &table.identity {
            let value = match field_of(table, of, record, *column) {
                Some(_) => self.identifying(tables, table, of, record, *column)?,
                None => left.get(*column).map(|field| field.value.clone()),
            };
            values.extend(value.filter(|value| *value != Value::Null));
        }
        Ok(Some(values).filter(|values| values.len() == table.identity.len()))
    }

    fn note_rejoined(&mut self, table: &TableShape, key: &Key, ours: &Key) -> Result<()> {
        let text = format!(
            "{0} {key} was deleted but lives on elsewhere: it is one with {0} {ours}, which was made since and is the same",
            table.name
        );
        self.transaction.note(&text, self.now)
    }
}

/// Whether a record was born after another died, as what it is.
fn is_made_since(table: &TableShape, present: &Present, dead: Stamp) -> bool {
    let Some(birth) = present.birth.filter(|birth| *birth > dead) else { return false };
    table.identity.iter().all(|column| present.marks.get(*column).is_none_or(|mark| mark.stamp <= birth))
}
