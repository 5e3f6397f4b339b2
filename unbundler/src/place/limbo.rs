//! What a remote made or changed so that it refers to a record that was withdrawn here: this node's hub decides what becomes of
//! it (DESIGN section 4).
//!
//! Invariant: no record that stands here refers to one that was withdrawn. It is taken off with all that refers to it, is kept
//! in limbo whole, and told to the hub as what does not stand here: if it is shared all the same, it comes back from there.

use std::collections::BTreeSet;

use packhorse_shared::change::{FieldChange, RecordChange, TableChanges};
use packhorse_shared::id::{ColumnId, TableId};
use packhorse_shared::replica::{Buried, Missing, Placement, Remains, RemainsField, Result, TableShape, Whom};
use packhorse_shared::value::{Key, Value};

use super::Placer;
use super::column::{Column, column_of};
use super::references::{Before, Undo};
use super::standing::remains_of;
use super::undone::Taken;
use crate::merge::{self, Authority};

impl Placer<'_> {
    /// Whether what a change refers to was withdrawn here, and the change is one of our own remotes' that our hub can judge; or
    /// whether it leads out of what our hub shares: by a word on a record that had died there and lives on by an edit or a child
    /// of ours; or by the hub's own word, as that was put back to before it withdrew what is meant, and is to tell everything yet.
    pub(super) fn is_for_hub(&mut self, missing: &Missing, undo: &Undo<'_>) -> Result<bool> {
        match self.arrival.authority() {
            Authority::HereForNow if missing.remains.withdrawn => Ok(missing.remains.dead.is_none()),
            Authority::HereForNow => self.is_forgotten(missing),
            Authority::Sender if undo.had_died || self.arrival.awaits_answer && says(undo, missing) => {
                self.is_forgotten(missing)
            }
            Authority::Sender | Authority::Here => Ok(false),
        }
    }

    /// Whether nothing is known of what is missing, as our hub does not share it, or has it taken off and heard of that.
    fn is_forgotten(&mut self, missing: &Missing) -> Result<bool> {
        let tables = self.transaction.tables();
        let table = TableShape::with_id(&tables, missing.table).filter(|_| missing.remains == Remains::default());
        let Some(table) = table else { return Ok(false) };
        Ok(self.transaction.has_part(table)? && !self.is_held(missing)?)
    }

    /// Takes off what was placed, with all that refers to it. Where the database refuses that it waits as any other does.
    pub(super) fn send_on(&mut self, missing: &Missing, undo: &Undo<'_>) -> Result<Taken> {
        let tables = self.transaction.tables();
        let shape = |id: TableId| TableShape::with_id(&tables, id);
        if let Some(table) = shape(missing.table) {
            let left = Buried { birth: missing.birth, remains: missing.remains.clone() };
            self.tell_remotes_again(table, &missing.key, left)?;
        }
        match self.all_in_limbo(missing, undo)? {
            Taken::Back => Ok(Taken::Back),
            Taken::NotBack => self.wait_for(missing, undo),
        }
    }

    /// Takes it off, unless the database refuses that.
    pub(super) fn all_in_limbo(&mut self, missing: &Missing, undo: &Undo<'_>) -> Result<Taken> {
        let tables = self.transaction.tables();
        let shape = |id: TableId| TableShape::with_id(&tables, id);
        for (id, key) in self.with_descendants(undo.table, &undo.change.key)? {
            let Some(table) = shape(id) else { continue };
            let withdrawn = (table.id == undo.table.id && key == undo.change.key).then_some(missing);
            if self.put_in_limbo(table, &key, withdrawn)? != Placement::Placed {
                return Ok(Taken::NotBack);
            }
        }
        self.placed.records = self.placed.records.saturating_sub(1);
        if matches!(undo.before, Before::Absent(_)) {
            self.placed.withdrawn = self.placed.withdrawn.saturating_sub(1);
        }
        Ok(Taken::Back)
    }

    /// Who still refers to it may go on to do so until it hears of that, and has all that it refers to in its turn for as long:
    /// so long is that to be known here.
    fn tell_remotes_again(&mut self, table: &TableShape, key: &Key, left: Buried) -> Result<()> {
        let mut waiting = vec![(table.clone(), key.clone(), left)];
        let mut known = BTreeSet::new();
        while let Some((table, key, left)) = waiting.pop() {
            if !left.remains.withdrawn || !known.insert((table.id, key.clone(), left.birth)) {
                continue;
            }
            waiting.extend(self.left_parents(&table, &left.remains)?);
            let mut limbo = left.remains;
            limbo.fields.retain(|field| field.column != ColumnId::EXISTENCE || table.columns.is_empty());
            self.note_for_remotes(&mut limbo, left.birth)?;
            self.transaction.bury(&table, &key, left.birth, &limbo)?;
        }
        Ok(())
    }

    /// What is left of those to whom what is left of a record refers.
    fn left_parents(&mut self, table: &TableShape, left: &Remains) -> Result<Vec<(TableShape, Key, Buried)>> {
        let (tables, mut parents) = (self.transaction.tables(), Vec::new());
        for column in &table.columns {
            let Some(field) = left.get(column.id) else { continue };
            let parent = column.parent(|by| left.get(by).map(|field| field.value.clone()));
            let parent = parent.and_then(|name| TableShape::named(&tables, name));
            let (Some(parent), Some(number)) = (parent, table.number_in(&column.name, &field.value)) else { continue };
            let key = Key(vec![Value::Integer(number)]);
            let left = self.transaction.remains(parent, &key)?.into_iter();
            let is_meant = |left: &Buried| field.meant == Whom::Unknown || field.meant == Whom::known(left.birth);
            parents.extend(left.filter(is_meant).map(|left| (parent.clone(), key.clone(), left)));
        }
        Ok(parents)
    }

    /// A record and all that refers to it, whatever refers to that, and so on; itself last.
    fn with_descendants(&mut self, table: &TableShape, key: &Key) -> Result<Vec<(TableId, Key)>> {
        let tables = self.transaction.tables();
        let mut found = vec![(table.id, key.clone())];
        let (mut known, mut at) = (BTreeSet::from([found[0].clone()]), 0);
        while let Some((id, key)) = found.get(at).cloned() {
            at += 1;
            let Some(table) = TableShape::with_id(&tables, id) else { continue };
            let children = self.transaction.living_children(table, &key)?;
            found.extend(children.into_iter().filter(|child| known.insert(child.clone())));
        }
        found.reverse();
        Ok(found)
    }

    /// Whom what is kept of a standing record refers to is kept by birth: a number may be given again while it waits.
    pub(super) fn name_meant(&mut self, table: &TableShape, key: &Key, left: &mut Remains) -> Result<()> {
        let tables = self.transaction.tables();
        for at in 0..table.columns.len() {
            let Some(field) = table.columns.get(at).and_then(|column| left.get(column.id)).cloned() else { continue };
            let Some(number) = table.columns.get(at).and_then(|column| table.number_in(&column.name, &field.value))
            else {
                continue;
            };
            let parent = self.parent(table, at, key, &|_| None)?;
            let Some(parent) = parent.and_then(|name| TableShape::named(&tables, name)) else { continue };
            let standing = self.transaction.find(parent, &Key(vec![Value::Integer(number)]))?;
            let meant = standing.map_or(Whom::Unknown, |present| Whom::known(present.birth));
            left.set(RemainsField { meant, ..field });
        }
        Ok(())
    }

    /// Takes off a record that stands, with all that refers to it, and keeps it as it would be by a change that cannot be placed
    /// here. Nothing is done where the database refuses that.
    pub(super) fn change_in_limbo(
        &mut self,
        table: &TableShape,
        of: &TableChanges,
        record: &RecordChange,
    ) -> Result<bool> {
        let tables = self.transaction.tables();
        let Some(birth) = self.transaction.find(table, &record.key)?.map(|present| present.birth) else {
            return Ok(false);
        };
        self.transaction.begin_part()?;
        for (id, key) in self.with_descendants(table, &record.key)? {
            let Some(table) = TableShape::with_id(&tables, id) else { continue };
            if self.put_in_limbo(table, &key, None)? != Placement::Placed {
                return self.transaction.take_back_part().map(|()| false);
            }
        }
        self.transaction.keep_part()?;
        let left = self.transaction.remains(table, &record.key)?;
        let Some(Buried { mut remains, .. }) = left.into_iter().find(|left| left.birth == birth) else {
            return Ok(true);
        };
        let alive = RecordChange { dead: None, ..record.clone() };
        merge::gather(&mut remains, &alive, |field| column_of(table, of, field).map(Column::id), &self.arrival);
        self.name_said(table, &mut remains)?;
        self.transaction.bury(table, &record.key, birth, &remains).map(|()| true)
    }

    /// All of it is told, so that the hub knows that it does not stand here. `withdrawn`: what it refers to and does not stand
    /// either.
    fn put_in_limbo(&mut self, table: &TableShape, key: &Key, withdrawn: Option<&Missing>) -> Result<Placement> {
        let Some(mut present) = self.transaction.find(table, key)? else { return Ok(Placement::Placed) };
        let values = self.transaction.values(table, key)?;
        merge::send_whole(&mut present.marks, &table.column_ids(), self.arrival.cut, self.arrival.horizon);
        let mut limbo = Remains { withdrawn: true, ..remains_of(table, &present.marks, values) };
        if table.columns.is_empty() {
            let stamp = present.marks.latest_stamp().or(present.birth).unwrap_or(self.arrival.horizon.stamp());
            let mark = Some(self.arrival.mark(stamp));
            limbo.set(RemainsField::new(ColumnId::EXISTENCE, mark, Value::Null));
        }
        self.name_meant(table, key, &mut limbo)?;
        // Others may have had its number meanwhile, of whom the record's maker did not know.
        withdrawn.into_iter().for_each(|withdrawn| name_withdrawn(&mut limbo, withdrawn));
        self.note_for_remotes(&mut limbo, present.birth)?;
        let taken_off = self.transaction.take_off(table, key, present.birth, &limbo)?;
        self.placed.withdrawn += u64::from(taken_off == Placement::Placed);
        Ok(taken_off)
    }
}

/// Whom what is kept refers to that does not stand, by what was found of that.
fn name_withdrawn(kept: &mut Remains, withdrawn: &Missing) {
    let meant = Whom::known(withdrawn.birth);
    let fields = kept.fields.iter_mut().filter(|field| withdrawn.by.contains(&field.column));
    fields.filter(|field| field.meant == Whom::Unknown).for_each(|field| field.meant = meant);
}

/// Whether a change is what refers to it.
fn says(undo: &Undo<'_>, missing: &Missing) -> bool {
    let is_by = |field: &FieldChange| {
        let column = column_of(undo.table, undo.of, field);
        column.is_some_and(|column| missing.by.contains(&column.id()))
    };
    matches!(undo.before, Before::Absent(_)) || undo.change.fields.iter().any(is_by)
}
