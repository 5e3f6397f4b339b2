//! What our own remotes write to records that our hub has withdrawn from here meanwhile.
//!
//! A remote that has not heard of that may let others refer to such a record. Owns letting it stand here once more, as if its
//! withdrawal had come later: with what refers to it it goes to the hub, which knows the record as held here by that and
//! withdraws it again. Invariant: nothing that a remote sends is kept from the hub by what is shared with this node, and
//! none of our remotes is sent a reference to what it lacks.

use packhorse_shared::id::ColumnId;
use packhorse_shared::replica::{Missing, Placement, Present, Remains, Result};

use super::Placer;
use crate::merge::{self, Authority};

impl Placer<'_> {
    /// Lets what was withdrawn of these stand once more; tells what is missing even so.
    pub(super) fn let_stand_again(&mut self, missing: Vec<Missing>) -> Result<Vec<Missing>> {
        if self.arrival.authority() != Authority::HereForNow {
            return Ok(missing);
        }
        let mut still = Vec::new();
        for missing in missing {
            if !missing.remains.withdrawn || !self.stands_again(&missing)? {
                still.push(missing);
            }
        }
        Ok(still)
    }

    /// Puts a record back with all that it refers to in its turn, or nothing of it.
    fn stands_again(&mut self, record: &Missing) -> Result<bool> {
        self.transaction.begin_part()?;
        if self.put_back(record)? {
            return Ok(self.transaction.keep_part()? == Placement::Placed);
        }
        self.transaction.take_back_part()?;
        Ok(false)
    }

    fn put_back(&mut self, record: &Missing) -> Result<bool> {
        let tables = self.transaction.tables();
        let Some(table) = tables.iter().find(|table| table.id == record.table) else { return Ok(false) };
        if table.columns.iter().any(|column| record.remains.get(column.id).is_none()) {
            return Ok(false);
        }
        let Ok(fields) = self.meant(table, &record.remains)? else { return Ok(false) };
        if self.transaction.insert(table, &record.key, &fields)? != Placement::Placed {
            return Ok(false);
        }
        let mut left = record.remains.clone();
        // This was the word to our remotes that it is withdrawn.
        left.fields.retain(|field| field.column != ColumnId::EXISTENCE || table.columns.is_empty());
        let mut marks = merge::marks_left(&left);
        merge::send_whole(&mut marks, &table.column_ids(), self.arrival.cut, self.arrival.horizon);
        self.transaction.unbury(table, &record.key, record.birth)?;
        self.transaction.mark(table, &record.key, &Present { birth: record.birth, marks })?;
        for parent in self.transaction.missing_parents(table, &record.key)? {
            // What refers to what nobody ever knew here was so at its origin.
            if parent.remains != Remains::default() && !(parent.remains.withdrawn && self.put_back(&parent)?) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
