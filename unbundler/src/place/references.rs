//! What foreign keys ask for: a living child brings back its dead parent, what refers to a record that was deleted here
//! waits, and a number that is another record's here is not referred to.

use std::collections::BTreeSet;

use packhorse_shared::change::{FieldChange, Passage, RecordChange, TableChanges};
use packhorse_shared::clock::Stamp;
use packhorse_shared::id::{Cut, LinkId, TableId};
use packhorse_shared::marks::{Mark, Marks};
use packhorse_shared::replica::{Missing, Placement, Present, Remains, Result, TableShape};
use packhorse_shared::value::{Key, Value};

use super::column::{Column, column_of};
use super::undone::Taken;
use super::{Item, Placer};
use crate::merge::{self, Fate};

/// A change that was placed and would have to be taken back if what it refers to is gone.
pub(super) struct Undo<'a> {
    pub table: &'a TableShape,
    pub change: &'a RecordChange,
    pub of: &'a TableChanges,
    /// The birth under which the record is kept here.
    pub birth: Option<Stamp>,
    /// Whether it was told that the record had died, whatever becomes of that.
    pub had_died: bool,
    pub before: Before,
}

/// What was there before.
pub(super) enum Before {
    Absent(Option<Remains>),
    Standing(Present, Vec<(usize, Value)>),
}

impl Placer<'_> {
    /// Records that refer to each other in a circle and were all deleted: each would keep the next alive for ever.
    pub(super) fn die_together<'t>(
        &mut self,
        refused: Vec<Item<'t>>,
        undos: &mut Vec<Undo<'t>>,
    ) -> Result<Vec<Item<'t>>> {
        let doomed = self.doomed(&refused)?;
        self.dying = self.without_living_children(doomed, &BTreeSet::new())?;
        if self.dying.is_empty() {
            return Ok(refused);
        }
        let refused = self.pass(refused, undos);
        self.dying.clear();
        refused
    }

    /// The records that are to die by these changes.
    pub(super) fn doomed<'t>(&mut self, refused: &[Item<'t>]) -> Result<Vec<(&'t TableShape, &'t Key)>> {
        let mut doomed = Vec::new();
        for (table, _, record) in refused.iter().filter(|(_, _, record)| record.dead.is_some()) {
            if self.is_doomed(table, record)? {
                doomed.push((*table, &record.key));
            }
        }
        Ok(doomed)
    }

    /// Whether a deletion is the last word on a record that stands, and its sender may delete that.
    pub(super) fn is_doomed(&mut self, table: &TableShape, record: &RecordChange) -> Result<bool> {
        let standing = self.transaction.find(table, &record.key)?;
        let Some(present) = standing.filter(|present| self.is_meant(table, present, record)) else { return Ok(false) };
        let fate = merge::fate(&present.marks, &table.column_ids(), record, &self.arrival);
        Ok(matches!(fate, Fate::Dies(_)) && self.may_not_delete(table, &record.key, &present)?.is_none())
    }

    /// Of these, the ones to which nobody refers who stays. `leaving` are known not to refer to them for long.
    pub(super) fn without_living_children(
        &mut self,
        mut doomed: Vec<(&TableShape, &Key)>,
        leaving: &BTreeSet<(TableId, Key)>,
    ) -> Result<BTreeSet<(TableId, Key)>> {
        loop {
            let dying: BTreeSet<_> = doomed.iter().map(|(table, key)| (table.id, (*key).clone())).collect();
            let not_staying = &dying | leaving;
            let before = doomed.len();
            let mut left = Vec::new();
            for (table, key) in doomed {
                if self.transaction.living_child(table, key, &not_staying)?.is_none() {
                    left.push((table, key));
                }
            }
            if left.len() == before {
                return Ok(dying);
            }
            doomed = left;
        }
    }

    /// What refers to a record that was deleted here. If its sender did not know of that, its own end will bring that
    /// record back, and until then it waits; if it did know, it means the reference as it is. If the reference does not
    /// come from the sender, nobody else may notice: the record is brought back here, or, if it has no room, waited for.
    pub(super) fn mend_references(&mut self, mut undos: Vec<Undo<'_>>) -> Result<()> {
        // What is taken back may be what others refer to that were looked at before.
        loop {
            let (count, mut placed) = (undos.len(), Vec::new());
            for undo in undos {
                let mend = |placer: &mut Self| placer.mend_reference(&undo);
                if self.as_said(undo.table, undo.change, mend)? == Taken::NotBack {
                    placed.push(undo);
                }
            }
            if placed.len() == count {
                return Ok(());
            }
            undos = placed;
        }
    }

    fn mend_reference(&mut self, undo: &Undo<'_>) -> Result<Taken> {
        if let Some(reason) = self.came_to_mean_another(undo)? {
            return self.hold_after_all(undo, &reason);
        }
        match self.lacks(undo)? {
            Some(missing) if self.is_of_refused_making(&missing)? => self.refuse_with(&missing, undo),
            Some(missing) if self.is_for_hub(&missing, undo)? => self.send_on(&missing, undo),
            Some(missing) => self.wait_for(&missing, undo),
            None => Ok(Taken::NotBack),
        }
    }

    /// What a change that was placed has to wait for after all.
    pub(super) fn lacks(&mut self, undo: &Undo<'_>) -> Result<Option<Missing>> {
        let missing = self.transaction.missing_parents(undo.table, &undo.change.key)?;
        if missing.is_empty() {
            return Ok(None);
        }
        let standing = self.transaction.find(undo.table, &undo.change.key)?;
        let marks = standing.map(|present| present.marks).unwrap_or_default();
        let missing = self.meant_by(undo, missing, &marks)?;
        for missing in &missing {
            if self.is_for_hub(missing, undo)? {
                return Ok(Some(missing.clone()));
            }
        }
        let mut judged = Vec::new();
        for missing in self.known_missing(missing)? {
            if self.is_of_refused_making(&missing)? {
                return Ok(Some(missing));
            }
            match self.will(&missing, undo, &marks)? {
                // By what it knows its record stands, and what brings that back waits here, or for our hub to give it a number.
                Will::Knowing if missing.remains.living() || self.is_held(&missing)? => return Ok(Some(missing)),
                Will::Knowing => {}
                will => judged.push((will, missing)),
            }
        }
        if let Some(at) = judged.iter().position(|(will, _)| *will == Will::Unknowing) {
            return Ok(Some(judged.swap_remove(at).1));
        }
        let child = format!("{} {}", undo.table.name, undo.change.key);
        for (_, parent) in judged {
            let waits = match self.bring_all_back(&parent, &child)? {
                Brought::Done => false,
                Brought::Unknown => self.is_held(&parent)?,
                Brought::NoRoom => true,
            };
            if waits {
                return Ok(Some(parent));
            }
        }
        Ok(None)
    }

    /// Of these, the ones of which something is left or held here. A reference to what nobody knows was so at its origin.
    fn known_missing(&mut self, missing: Vec<Missing>) -> Result<Vec<Missing>> {
        if missing.iter().all(|missing| missing.remains != Remains::default()) {
            return Ok(missing);
        }
        let mut known = Vec::new();
        for missing in missing {
            if missing.remains != Remains::default() || self.is_held(&missing)? {
                known.push(missing);
            }
        }
        Ok(known)
    }

    /// Whether what is missing waits here itself.
    pub(super) fn is_held(&mut self, missing: &Missing) -> Result<bool> {
        let tables = self.transaction.tables();
        let Some(table) = TableShape::with_id(&tables, missing.table) else { return Ok(false) };
        Ok(self.held()?.contains_key(&(table.name.clone(), missing.key.clone())))
    }

    fn will(&mut self, missing: &Missing, undo: &Undo<'_>, marks: &Marks) -> Result<Will> {
        let sent = |field: &&FieldChange| {
            let column = column_of(undo.table, undo.of, field).map(Column::id);
            let column = column.filter(|column| missing.by.contains(column));
            column.is_some_and(|column| marks.get(column).is_none_or(|mark| mark.stamp == field.stamp))
        };
        let reference = undo.change.fields.iter().find(sent).map(|field| field.stamp);
        let Some(reference) = reference else { return Ok(Will::Nobodys) };
        // What it took off itself it brings nobody back for, whatever it knew.
        if undo.of.passage == Passage::Limbo {
            return Ok(Will::Nobodys);
        }
        // What its sender has seen by now says nothing of the time when it made what was held.
        let own = reference.node == self.arrival.sender && self.arrival.via == self.arrival.link;
        // And who has the record deleted brings back nobody for it.
        let stands = own && !undo.had_died;
        let told = self.told_of(missing)?;
        Ok(match missing.remains.dead {
            Some(dead) if dead.cut <= told && reference > dead.stamp && stands => Will::Knowing,
            // Who passed it on has decided already, but may not have had the values to bring anything back; and whoever was told
            // that it does not share it any more, and not that it is dead, never will.
            Some(dead) if dead.cut <= self.arrival.heard => Will::Nobodys,
            _ => Will::Unknowing,
        })
    }

    /// Up to where the sender was told what became of a record that does not stand here: of one that had left its set before,
    /// nothing since.
    fn told_of(&mut self, missing: &Missing) -> Result<Cut> {
        let tables = self.transaction.tables();
        let of = (self.arrival.link, self.arrival.seen);
        let shared = TableShape::with_id(&tables, missing.table).map(|table| self.shared(table)).transpose()?.flatten();
        match shared {
            Some((sharing, at)) => Ok(self.transaction.told_of(of, &sharing[at], &missing.key, None)?.surely),
            None => Ok(self.arrival.seen),
        }
    }

    /// Why a change that was placed refers to another record than at its origin after all: whom it means was gone when it was
    /// placed, and the number was given to another since.
    fn came_to_mean_another(&mut self, undo: &Undo<'_>) -> Result<Option<String>> {
        let (table, of, record) = (undo.table, undo.of, undo.change);
        let Some(standing) = self.transaction.find(table, &record.key)? else { return Ok(None) };
        let placed = record.fields.iter().filter_map(|field| match column_of(table, of, field) {
            Some(Column::Field(at, id)) if standing.marks.get(id).map(|mark| mark.stamp) == Some(field.stamp) => {
                Some((at, field.value.clone()))
            }
            _ => None,
        });
        let placed: Vec<(usize, Value)> = placed.collect();
        if placed.is_empty() { Ok(None) } else { self.mistaken(table, of, record, &placed) }
    }

    /// Why a change waits for a record that does not stand here.
    pub(super) fn not_standing(&mut self, missing: &Missing) -> Result<String> {
        let tables = self.transaction.tables();
        let parent = TableShape::with_id(&tables, missing.table).map_or("", |table| table.name.as_str());
        let why = match missing.remains.dead {
            Some(_) => "was deleted here",
            None if self.is_held(missing)? => "is held itself",
            None => "has not come yet",
        };
        Ok(format!("it refers to {parent} {}, which {why}", missing.key))
    }

    /// Brings back what a living record refers to, with all that refers to in its turn, or nothing of it.
    pub(super) fn bring_all_back(&mut self, parent: &Missing, child: &str) -> Result<Brought> {
        let before = self.placed;
        self.transaction.begin_part()?;
        let brought = self.bring_back(parent, child)?;
        if brought == Brought::NoRoom {
            self.placed = before;
            self.transaction.take_back_part()?;
        } else {
            self.transaction.keep_part()?;
        }
        Ok(brought)
    }

    /// Brings back what a living record refers to. Where not all of its values are known (a record that was evicted or
    /// deleted unseen leaves none) another end has to.
    pub(super) fn bring_back(&mut self, parent: &Missing, child: &str) -> Result<Brought> {
        let tables = self.transaction.tables();
        let Some(table) = TableShape::with_id(&tables, parent.table) else { return Ok(Brought::Unknown) };
        if table.columns.iter().any(|column| parent.remains.get(column.id).is_none()) {
            return Ok(Brought::Unknown);
        }
        let Ok(fields) = self.meant(table, &parent.remains, None)? else { return Ok(Brought::NoRoom) };
        if self.transaction.insert(table, &parent.key, &fields)? != Placement::Placed {
            return Ok(Brought::NoRoom);
        }
        let mark = Mark { stamp: self.transaction.tick(), cut: self.arrival.cut, via: LinkId::LOCAL };
        let before = merge::marks_left(&parent.remains);
        let mut marks = before.clone();
        merge::live_on(&mut marks, &table.column_ids(), &table.identity, mark, self.arrival.horizon);
        let present = Present { birth: parent.birth, marks };
        self.transaction.unbury(table, &parent.key, parent.birth)?;
        self.transaction.mark(table, &parent.key, &present)?;
        self.placed.revived += 1;
        let text = format!("{} {} was deleted but is brought back: {child} refers to it", table.name, parent.key);
        self.transaction.note(&text, self.now)?;
        Ok(if self.has_parents(table, &parent.key, &before)? { Brought::Done } else { Brought::NoRoom })
    }

    /// Whether what a record refers to stands, or is brought back by it.
    pub(super) fn has_parents(&mut self, table: &TableShape, key: &Key, marks: &Marks) -> Result<bool> {
        let child = format!("{} {key}", table.name);
        let missing = self.transaction.missing_parents(table, key)?;
        for parent in self.meant_by_left(missing, marks)? {
            // What refers to what nobody ever knew here was so at its origin.
            let was_known = parent.remains != Remains::default();
            if was_known && self.bring_back(&parent, &child)? != Brought::Done {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Who stands behind a reference to a record that was deleted here.
#[derive(PartialEq, Eq)]
enum Will {
    /// The sender, who knew of the deletion.
    Knowing,
    /// The sender, who did not.
    Unknowing,
    /// Nobody who would bring that record back.
    Nobodys,
}

/// What became of a record that was to be brought back.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Brought {
    /// It stands.
    Done,
    /// Not all of its values are known here: it is left to an end that knows them.
    Unknown,
    /// Another record has its number or one of its unique values, or the number of what it refers to.
    NoRoom,
}
