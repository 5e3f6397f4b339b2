//! Records that their hub shares no more: taken off the tables (DESIGN section 4). No deletion: nothing of it is told on.
//!
//! Owns what is kept of one: edits that the hub has not acknowledged, which are sent until it has; and the rest of it until the
//! hub is known to have heard that it went. A hub that was put back to before it withdrew the record may have lost it: it asks
//! for everything when it hears that, and gets it back. Invariant: no record that stays refers to one that is taken off; the
//! latter waits until it can go.

use std::collections::BTreeSet;

use packhorse_shared::change::{Passage, RecordChange, TableChanges};
use packhorse_shared::clock::Stamp;
use packhorse_shared::id::{ColumnId, TableId};
use packhorse_shared::marks::{Mark, Marks};
use packhorse_shared::replica::{Placement, Present, Refusal, Remains, RemainsField, Residence, Result, TableShape};
use packhorse_shared::seam::{Saboteur, is_at_work};
use packhorse_shared::value::{Key, Value};

use super::identity::is_dead;
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
            return self.withdraw_as_known_before(table, record);
        };
        if !free.contains(&(table.id, record.key.clone()))
            && let Some(child) = self.transaction.living_child(table, &record.key, free)?
        {
            return self.hold(of, record, &Refusal::leaving(&child));
        }
        let values = self.transaction.values(table, &record.key)?;
        let mut limbo = self.limbo(table, &present.marks, values);
        self.name_meant(table, &record.key, &mut limbo)?;
        self.keep_until_heard(&mut limbo, present.birth);
        match self.transaction.take_off(table, &record.key, present.birth, &limbo)? {
            Placement::Refused(reason) => self.hold(of, record, &reason),
            Placement::Placed => {
                self.placed.withdrawn += 1;
                self.release_held_of(table, record)?;
                self.withdraw_as_known_before(table, record)
            }
        }
    }

    /// The record that a withdrawal is of, if it stands.
    fn meant_to_leave(&mut self, table: &TableShape, record: &RecordChange) -> Result<Option<Present>> {
        let standing = self.transaction.find(table, &record.key)?;
        Ok(standing.filter(|present| self.is_meant(table, present, record)))
    }

    /// What is kept of a record that goes: all of it. Only edits of which the hub does not know are sent without being asked for.
    fn limbo(&self, table: &TableShape, marks: &Marks, values: Vec<Value>) -> Remains {
        let mut limbo = Remains { withdrawn: true, ..Remains::default() };
        let existence = table.columns.is_empty().then_some((ColumnId::EXISTENCE, Value::Null));
        let fields = table.columns.iter().map(|column| column.id).zip(values).chain(existence);
        for (column, value) in fields.filter(|_| !is_at_work(Saboteur::SkipLimbo)) {
            let mark = marks.get(column).unwrap_or_else(|| self.told_by_hub(self.arrival.horizon.stamp()));
            limbo.set(RemainsField::new(column, Some(mark), value));
        }
        limbo
    }

    /// Lets what is kept of a record that goes lie at the cut at which it goes: it is forgotten once the hub has heard of that.
    fn keep_until_heard(&self, limbo: &mut Remains, birth: Option<Stamp>) {
        let known = limbo.get(ColumnId::EXISTENCE).and_then(|field| field.mark);
        if known.is_some_and(|mark| self.is_unheard(mark)) {
            return;
        }
        let stamp = known.map(|mark| mark.stamp).or(birth).unwrap_or(self.arrival.horizon.stamp());
        limbo.set(RemainsField::new(ColumnId::EXISTENCE, Some(self.told_by_hub(stamp)), Value::Null));
    }

    /// The mark of what the hub need not be told.
    fn told_by_hub(&self, stamp: Stamp) -> Mark {
        Mark { stamp, cut: self.arrival.cut, via: self.arrival.link }
    }

    /// Our own remotes are to withdraw it too, whom they know by its birth.
    pub(super) fn note_for_remotes(&mut self, limbo: &mut Remains, birth: Option<Stamp>) -> Result<()> {
        if limbo.get(ColumnId::EXISTENCE).is_none() && !self.transaction.remotes()?.is_empty() {
            let mark = self.arrival.mark(birth.unwrap_or(self.arrival.horizon.stamp()));
            limbo.set(RemainsField::new(ColumnId::EXISTENCE, Some(mark), Value::Null));
        }
        Ok(())
    }

    fn is_unheard(&self, mark: Mark) -> bool {
        !self.arrival.knows(mark)
    }

    /// What came of it only in part goes too; what was deleted here stays deleted, and is told.
    fn withdraw_left(&mut self, table: &TableShape, record: &RecordChange) -> Result<()> {
        for left in self.transaction.remains(table, &record.key)? {
            let is_it = self.arrival.is_same_left(&left, record) && !self.is_named(table, left.birth, record);
            if left.remains.dead.is_some() || !is_it {
                continue;
            }
            let mut limbo = Remains { withdrawn: true, ..left.remains };
            self.keep_until_heard(&mut limbo, left.birth);
            self.transaction.take_off(table, &record.key, left.birth, &limbo)?;
        }
        self.release_held_of(table, record)
    }

    fn limbo_of_left(&self, left: &Remains) -> Remains {
        let unheard = |field: &RemainsField| field.mark.is_some_and(|mark| self.is_unheard(mark));
        let is_kept = |field: &RemainsField| field.column == ColumnId::EXISTENCE || unheard(field);
        let fields = left.fields.iter().filter(|field| is_kept(field)).cloned().collect();
        Remains { dead: None, fields, withdrawn: true }
    }

    /// Those behind us may know the record by what it was known by before it got its number. What is left here under that was
    /// taken for dead, and lives at the hub.
    fn withdraw_as_known_before(&mut self, table: &TableShape, record: &RecordChange) -> Result<()> {
        let now = Residence { key: record.key.clone(), birth: record.birth };
        for before in self.moves.known_as(table.id, &now).to_vec() {
            let standing = self.transaction.find(table, &before.key)?;
            if standing.is_some_and(|present| present.birth == before.birth) {
                continue;
            }
            let left = self.transaction.remains(table, &before.key)?;
            let left = left.into_iter().find(|left| left.birth == before.birth);
            let mut limbo = self.limbo_of_left(&left.map(|left| left.remains).unwrap_or_default());
            self.note_for_remotes(&mut limbo, before.birth)?;
            match limbo.fields.is_empty() {
                true => self.transaction.unbury(table, &before.key, before.birth)?,
                false => self.transaction.bury(table, &before.key, before.birth, &limbo)?,
            }
        }
        Ok(())
    }

    /// What comes in is withdrawn no more, if it waited for that. Looked at before anything is placed, which that may keep
    /// waiting, and after it, when it is known what is whom now. Where all of a table is shared, what its hub has again is told
    /// like anything else that is new there.
    pub(super) fn keep_what_comes_in(&mut self, bundle: &[TableChanges]) -> Result<()> {
        let stands = |record: &RecordChange| record.whole && record.dead.is_none();
        self.let_go(bundle, |waiting| waiting == Passage::Withdrawn, stands)
    }

    /// What waits to come in and has died at its hub since waits no more. It would outlive that death, as it outlives those of
    /// which the hub knew when it let it in.
    pub(super) fn keep_out_who_died(&mut self, bundle: &[TableChanges]) -> Result<()> {
        self.let_go(bundle, |waiting| matches!(waiting, Passage::Entered { .. }), is_dead)
    }

    /// Lets go what our hub has said before and waits, of records of which it says something else now.
    fn let_go(
        &mut self,
        bundle: &[TableChanges],
        waits: impl Fn(Passage) -> bool,
        is_other: impl Fn(&RecordChange) -> bool,
    ) -> Result<()> {
        let changes = bundle.iter().filter(|changes| changes.passage != Passage::Withdrawn);
        let said = changes.flat_map(|changes| changes.records.iter().map(|record| (&changes.table, record)));
        let said: Vec<_> = said.filter(|(_, record)| is_other(record)).collect();
        if said.is_empty() || self.arrival.authority() != Authority::Sender {
            return Ok(());
        }
        let (link, tables, all) = (self.arrival.link, self.transaction.tables(), self.transaction.held()?.into_iter());
        for held in all.filter(|held| held.link == link && waits(held.change.passage)) {
            let Some(table) = TableShape::named(&tables, &held.change.table) else { continue };
            let is_said = |held: &RecordChange| {
                let mut of_table = said.iter().filter(|(name, _)| name.eq_ignore_ascii_case(&table.name));
                of_table.any(|(_, record)| self.is_said_of(table, held, record))
            };
            if held.change.records.iter().all(is_said) {
                self.transaction.release(held.id)?;
                self.held = None;
            }
        }
        Ok(())
    }

    /// Whether a bundle speaks of the record of what waits: the same one, not another under its number. It may speak of it as
    /// what it has just told that it is now.
    fn is_said_of(&self, table: &TableShape, held: &RecordChange, record: &RecordChange) -> bool {
        let known_as = Residence { key: held.key.clone(), birth: held.birth };
        let now = self.moves.of(table.id, &known_as);
        let is_now = now.is_some_and(|it| (&it.key, it.birth) == (&record.key, record.birth));
        is_now || self.is_held_of(table, held, record)
    }

    /// What waited of the record waits no more; what waits of another one under its number does.
    fn release_held_of(&mut self, table: &TableShape, record: &RecordChange) -> Result<()> {
        let at = (table.name.clone(), record.key.clone());
        if !self.held()?.contains_key(&at) {
            return Ok(());
        }
        let (link, mut of_it) = (self.arrival.link, self.transaction.held()?);
        of_it.retain(|held| held.link == link && held.change.table.eq_ignore_ascii_case(&table.name));
        of_it.retain(|held| held.change.records.iter().all(|held| self.is_held_of(table, held, record)));
        for held in of_it {
            self.transaction.release(held.id)?;
        }
        self.held = None;
        Ok(())
    }

    /// Whether what is held is of the record that its sender speaks of now. What waits knows its birth for good; the sender may
    /// have dropped it since.
    fn is_held_of(&self, table: &TableShape, held: &RecordChange, now: &RecordChange) -> bool {
        let (Some(birth), None) = (held.birth, now.birth) else {
            return held.birth == now.birth && (held.birth.is_some() || held.key == now.key);
        };
        held.key == now.key && self.arrival.left_out.covers(birth) && !self.named.has(table, birth)
    }
}
