//! Records that a hub has decided on twice: it gave one that came back a number and a birth, was put back to before that, and
//! has given it others since.
//!
//! Whoever heard both words knows that the two are one, and the hub learns it from whom it asks. Owns finding such pairs, at both
//! ends. Invariant: what the hub has decided last stands, and the record that it decided on before goes into that.

use packhorse_shared::change::TableChanges;
use packhorse_shared::id::LinkId;
use packhorse_shared::marks::Mark;
use packhorse_shared::replica::{KeyKind, Placement, Present, Residence, Result, TableShape};
use packhorse_shared::value::{Key, Value};

use super::Placer;
use super::united::union_told;

impl Placer<'_> {
    /// What a record is known as here by another word than one that says what it is now.
    pub(super) fn decided_otherwise(&self, table: &TableShape, from: &Residence, to: &Residence) -> Option<Residence> {
        let known = self.moves.of(table.id, from)?;
        // A birth that was dropped tells nothing; of two that are known, each is a decision.
        let are_two = known.birth.is_some() && to.birth.is_some() && known.birth != to.birth;
        are_two.then(|| known.clone())
    }

    /// What remotes have heard before this end lost it, of records on which it has decided anew: what they call by that birth
    /// is the record that stands.
    pub(super) fn hear_earlier_words(&mut self, tables: &[TableShape], bundle: &[TableChanges]) -> Result<()> {
        for changes in bundle {
            let table = TableShape::named(tables, &changes.table);
            let Some(table) = table.filter(|table| table.key_kind == KeyKind::Assigned) else { continue };
            for record in &changes.records {
                let from = Residence { key: record.key.clone(), birth: record.birth };
                let Some(theirs) = union_told(table, changes, record) else { continue };
                let Some(ours) = self.decided_otherwise(table, &from, &theirs) else { continue };
                if self.moves.of(table.id, &theirs) != Some(&ours) {
                    self.go_into(table, theirs, ours)?;
                }
            }
        }
        Ok(())
    }

    /// A record of an earlier decision becomes that of the later one, if that stands, and everybody is told.
    fn go_into(&mut self, table: &TableShape, earlier: Residence, now: Residence) -> Result<()> {
        let standing = self.transaction.find(table, &now.key)?.filter(|present| present.birth == now.birth);
        let Some(mut present) = standing else { return Ok(()) };
        if let Some((key, other)) = self.still_standing(table, &earlier, None, |_| false)? {
            match self.take_into(table, (&key, other), (&now.key, present))? {
                Ok(united) => present = united,
                Err(_) => return Ok(()),
            }
        }
        self.note_union(table, earlier.clone(), now.clone())?;
        self.take_in_part(table, &earlier, &now, &mut present)?;
        self.tell_unions(table, &now, present)
    }

    /// What came only in part of a record goes into the one that it is one with, as far as it is later.
    pub(super) fn take_in_part(
        &mut self,
        table: &TableShape,
        from: &Residence,
        into: &Residence,
        present: &mut Present,
    ) -> Result<()> {
        let number = from.birth.map(|birth| self.transaction.number_of(table, birth)).transpose()?.flatten();
        let key = number.map_or_else(|| from.key.clone(), |number| Key(vec![Value::Integer(number)]));
        let left = self.transaction.remains(table, &key)?.into_iter();
        let mut left = left.filter(|left| left.birth == from.birth && left.birth.is_some());
        let Some(left) = left.find(|left| left.remains.dead.is_none() && !left.remains.withdrawn) else {
            return Ok(());
        };
        let (mut fields, mut marks) = (Vec::new(), present.marks.clone());
        for (at, column) in table.columns.iter().enumerate() {
            let Some(field) = left.remains.get(column.id) else { continue };
            let known = marks.get(column.id).map_or(self.arrival.horizon.stamp(), |mark| mark.stamp);
            if let Some(mark) = field.mark.filter(|mark| mark.stamp > known) {
                marks.set(column.id, Mark { cut: self.arrival.cut, via: LinkId::LOCAL, ..mark });
                fields.push((at, field.value.clone()));
            }
        }
        // What has no room goes on lying there, and is told in the name of the record that it is.
        if self.transaction.update(table, &into.key, &fields)? == Placement::Placed {
            present.marks = marks;
            self.transaction.unbury(table, &key, left.birth)?;
        }
        Ok(())
    }
}
