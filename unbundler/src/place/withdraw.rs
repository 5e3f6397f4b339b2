//! Records that their hub shares no more: taken off the tables (DESIGN section 4). No deletion: nothing of it is told on.
//!
//! Owns what is kept of one: edits that the hub has not acknowledged, which are sent until it has. Invariant: no record that
//! stays refers to one that is taken off; the latter waits until it can go.

use std::collections::BTreeSet;

use packhorse_shared::change::{Passage, RecordChange, TableChanges};
use packhorse_shared::clock::Stamp;
use packhorse_shared::id::{ColumnId, TableId};
use packhorse_shared::marks::{Mark, Marks};
use packhorse_shared::replica::{Placement, Present, Refusal, Remains, RemainsField, Residence, Result, TableShape};
use packhorse_shared::seam::{Saboteur, is_at_work};
use packhorse_shared::value::{Key, Value};

use super::{Item, Placer};
use crate::merge::Authority;

impl Placer<'_> {
    /// Takes these off; what something refers to that stays is held.
    pub(super) fn withdraw_all(&mut self, leaving: Vec<Item<'_>>) -> Result<()> {
        // Only a hub says what its remotes share.
        if is_at_work(Saboteur::IgnoreWithdraw) || leaving.is_empty() || self.arrival.authority() != Authority::Sender {
            return Ok(());
        }
        let mut standing = Vec::new();
        for (table, _, record) in &leaving {
            // Another record under its number stays, and what that refers to with it.
            if self.meant_to_leave(table, record)?.is_some() {
                standing.push((*table, &record.key));
            }
        }
        let free = self.without_living_children(standing, &BTreeSet::new())?;
        for (table, of, record) in leaving {
            self.withdraw(table, of, record, &free)?;
        }
        Ok(())
    }

    fn withdraw(
        &mut self,
        table: &TableShape,
        of: &TableChanges,
        record: &RecordChange,
        free: &BTreeSet<(TableId, Key)>,
    ) -> Result<()> {
        let Some(present) = self.meant_to_leave(table, record)? else {
            self.withdraw_left(table, record)?;
            return self.withdraw_moved(table, record);
        };
        if !free.contains(&(table.id, record.key.clone()))
            && let Some(child) = self.transaction.living_child(table, &record.key, free)?
        {
            return self.hold(of, record, &Refusal::leaving(&child));
        }
        let values = self.transaction.values(table, &record.key)?;
        let mut limbo = self.limbo(table, &present.marks, values);
        self.note_for_remotes(&mut limbo, present.birth)?;
        match self.transaction.take_off(table, &record.key, present.birth, &limbo)? {
            Placement::Refused(reason) => self.hold(of, record, &reason),
            Placement::Placed => {
                self.placed.withdrawn += 1;
                self.release_held_of(table, &record.key)
            }
        }
    }

    /// The record that a withdrawal is of, if it stands.
    fn meant_to_leave(&mut self, table: &TableShape, record: &RecordChange) -> Result<Option<Present>> {
        let standing = self.transaction.find(table, &record.key)?;
        Ok(standing.filter(|present| self.is_meant(table, present, record)))
    }

    /// What is kept of a record that goes: edits of which the hub does not know.
    fn limbo(&self, table: &TableShape, marks: &Marks, values: Vec<Value>) -> Remains {
        let mut limbo = Remains { withdrawn: true, ..Remains::default() };
        let existence = table.columns.is_empty().then_some((ColumnId::EXISTENCE, Value::Null));
        let fields = table.columns.iter().map(|column| column.id).zip(values).chain(existence);
        for (column, value) in fields.filter(|_| !is_at_work(Saboteur::SkipLimbo)) {
            let mark = marks.get(column).filter(|mark| self.is_unheard(*mark));
            mark.into_iter()
                .for_each(|mark| limbo.set(RemainsField { column, mark: Some(mark), value: value.clone() }));
        }
        limbo
    }

    /// Our own remotes are to withdraw it too, whom they know by its birth.
    pub(super) fn note_for_remotes(&mut self, limbo: &mut Remains, birth: Option<Stamp>) -> Result<()> {
        if limbo.get(ColumnId::EXISTENCE).is_none() && self.transaction.has_remotes()? {
            let mark = self.arrival.mark(birth.unwrap_or(self.arrival.horizon.stamp()));
            limbo.set(RemainsField { column: ColumnId::EXISTENCE, mark: Some(mark), value: Value::Null });
        }
        Ok(())
    }

    fn is_unheard(&self, mark: Mark) -> bool {
        mark.via != self.arrival.link && mark.cut > self.arrival.seen
    }

    /// What came of it only in part goes too; what was deleted here stays deleted, and is told.
    fn withdraw_left(&mut self, table: &TableShape, record: &RecordChange) -> Result<()> {
        for left in self.transaction.remains(table, &record.key)? {
            let is_it = self.arrival.is_same_left(&left, record) && !self.is_named(table, left.birth, record);
            if left.remains.dead.is_some() || !is_it {
                continue;
            }
            let unheard = |field: &RemainsField| field.mark.is_some_and(|mark| self.is_unheard(mark));
            let is_kept = |field: &RemainsField| field.column == ColumnId::EXISTENCE || unheard(field);
            let fields = left.remains.fields.iter().filter(|field| is_kept(field)).cloned().collect();
            let limbo = Remains { dead: None, fields, withdrawn: true };
            self.transaction.take_off(table, &record.key, left.birth, &limbo)?;
        }
        self.release_held_of(table, &record.key)
    }

    /// What is left here of a record under what it was known by before it came back: only our remotes may have that.
    fn withdraw_moved(&mut self, table: &TableShape, record: &RecordChange) -> Result<()> {
        let now = Residence { key: record.key.clone(), birth: record.birth };
        for from in self.moves.before(table.id, &now).to_vec() {
            let left = self.transaction.remains(table, &from.key)?.into_iter().find(|left| left.birth == from.birth);
            let Some(left) = left.filter(|left| !left.remains.withdrawn) else { continue };
            let unheard = |field: &RemainsField| field.mark.is_some_and(|mark| self.is_unheard(mark));
            let fields = left.remains.fields.into_iter().filter(unheard).collect();
            let mut limbo = Remains { dead: None, fields, withdrawn: true };
            self.note_for_remotes(&mut limbo, left.birth)?;
            self.transaction.take_off(table, &from.key, left.birth, &limbo)?;
        }
        Ok(())
    }

    /// What comes in is withdrawn no more, if it waited for that.
    pub(super) fn keep_what_comes_in(&mut self, bundle: &[TableChanges]) -> Result<()> {
        let mut coming = bundle.iter().filter(|changes| matches!(changes.passage, Passage::Entered { .. })).peekable();
        if coming.peek().is_none() || self.arrival.authority() != Authority::Sender {
            return Ok(());
        }
        let coming: Vec<&TableChanges> = coming.collect();
        let (link, all) = (self.arrival.link, self.transaction.held()?.into_iter());
        for held in all.filter(|held| held.link == link && held.change.passage == Passage::Withdrawn) {
            let comes = |record: &RecordChange| coming.iter().any(|changes| comes_in(changes, &held.change, record));
            if held.change.records.iter().all(comes) {
                self.transaction.release(held.id)?;
            }
        }
        Ok(())
    }

    /// What waited of the record waits no more.
    fn release_held_of(&mut self, table: &TableShape, key: &Key) -> Result<()> {
        let at = (table.name.clone(), key.clone());
        if self.held()?.remove(&at).is_none() {
            return Ok(());
        }
        let link = self.arrival.link;
        let all = self.transaction.held()?.into_iter();
        let of_it = all.filter(|held| held.link == link && held.change.table == table.name);
        for held in of_it.filter(|held| held.change.records.iter().all(|record| record.key == *key)) {
            self.transaction.release(held.id)?;
        }
        Ok(())
    }
}

/// Whether the record of a withdrawal is among those that come in: the same one, not another under its number.
fn comes_in(coming: &TableChanges, held: &TableChanges, record: &RecordChange) -> bool {
    let is_it = |comes: &RecordChange| match record.birth {
        Some(birth) => comes.birth == Some(birth),
        None => comes.birth.is_none() && comes.key == record.key,
    };
    coming.table == held.table && coming.records.iter().any(is_it)
}
