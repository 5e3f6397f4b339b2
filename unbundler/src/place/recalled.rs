//! Records that were deleted and their numbers given to others, and to which something in limbo refers.
//!
//! What a remote said of a record that was withdrawn from it may refer to one of whose death it had not heard. Where the child
//! stands, a living child brings back its dead parent, and its own end does so; what is in limbo stands nowhere below. So the
//! root, which alone gives numbers, brings the parent back under a new number, and tells so as of any that comes back (see
//! `moved`): what was held for it means that from then on. Invariant: all of it comes back with what it refers to, or nothing.

use packhorse_shared::change::{Passage, RecordChange, TableChanges};
use packhorse_shared::clock::Stamp;
use packhorse_shared::id::LinkId;
use packhorse_shared::marks::Mark;
use packhorse_shared::replica::{Buried, Placement, Present, Remains, Residence, Result, TableShape};
use packhorse_shared::value::{Key, Value};

use super::Placer;
use super::parent::number_said;
use super::references::{Brought, another};
use crate::merge::{self, Authority};

impl Placer<'_> {
    /// Brings back whom a change means that was refused for this reason, if nobody else will.
    pub(super) fn recall(
        &mut self,
        table: &TableShape,
        of: &TableChanges,
        record: &RecordChange,
        reason: &str,
    ) -> Result<()> {
        if of.passage != Passage::Limbo || self.arrival.authority() != Authority::Here {
            return Ok(());
        }
        for (at, field) in record.fields.iter().enumerate() {
            let Some(number) = number_said(table, of, field) else { continue };
            let Some(parent) = self.refers(table, (of, record), at)? else { continue };
            if another(parent, &field.value) == reason {
                let child = format!("{} {}", table.name, record.key);
                return self.recall_meant(parent, number, field.refers_to, &child);
            }
        }
        Ok(())
    }

    fn recall_meant(&mut self, parent: &str, number: i64, birth: Option<Stamp>, child: &str) -> Result<()> {
        let tables = self.transaction.tables();
        let Some(parent) = tables.iter().find(|table| table.name == parent) else { return Ok(()) };
        let key = Key(vec![Value::Integer(number)]);
        let mut left = self.transaction.remains(parent, &key)?.into_iter();
        let meant = left.find(|left| left.birth == birth && left.remains.dead.is_some());
        let Some(Buried { birth, remains }) = meant else { return Ok(()) };
        let before = self.placed;
        self.transaction.begin_part()?;
        match self.bring_back_elsewhere(parent, Residence { key, birth }, &remains, child)? {
            Some((from, to)) if self.transaction.keep_part()? == Placement::Placed => {
                self.moves.note(parent.id, from, to);
                Ok(())
            }
            _ => {
                self.placed = before;
                self.transaction.take_back_part()
            }
        }
    }

    /// Gives a record that comes back a number and a birth of its own; tells from where it comes and where it is then.
    fn bring_back_elsewhere(
        &mut self,
        table: &TableShape,
        from: Residence,
        left: &Remains,
        child: &str,
    ) -> Result<Option<(Residence, Residence)>> {
        if table.columns.iter().any(|column| left.get(column.id).is_none()) {
            return Ok(None);
        }
        let Ok(fields) = self.meant(table, left, None)? else { return Ok(None) };
        let Some(number) = self.free_number(table)? else { return Ok(None) };
        let key = Key(vec![Value::Integer(number)]);
        if self.transaction.insert(table, &key, &fields)? != Placement::Placed {
            return Ok(None);
        }
        let birth = self.transaction.tick();
        let mark = Mark { stamp: self.transaction.tick(), cut: self.arrival.cut, via: LinkId::LOCAL };
        let before = merge::marks_left(left);
        let mut marks = before.clone();
        merge::live_on(&mut marks, &table.column_ids(), &table.identity, mark, self.arrival.horizon);
        let to = Residence { key, birth: Some(birth) };
        self.transaction.unbury(table, &from.key, from.birth)?;
        self.tell_unions(table, &to, Present { birth: to.birth, marks })?;
        self.transaction.note_move(table, &from, &to)?;
        self.placed.revived += 1;
        let (name, old, new) = (&table.name, &from.key, &to.key);
        let text = format!(
            "{name} {old} was deleted and its number given to another, but {child} refers to it: it is {name} {new} now"
        );
        self.transaction.note(&text, self.now)?;
        let missing = self.transaction.missing_parents(table, &to.key)?;
        for parent in self.meant_by_left(missing, &before)? {
            let was_known = parent.remains != Remains::default();
            if was_known && self.bring_back(&parent, &format!("{name} {new}"))? != Brought::Done {
                return Ok(None);
            }
        }
        Ok(Some((from, to)))
    }
}
