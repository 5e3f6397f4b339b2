//! The changes of a record that does not stand in its table: deleted here, come only in part, or not known yet.

use packhorse_shared::change::{FieldChange, Passage, RecordChange, TableChanges};
use packhorse_shared::clock::Stamp;
use packhorse_shared::id::{ColumnId, LinkId};
use packhorse_shared::marks::{Mark, Marks};
use packhorse_shared::replica::{Buried, Placement, Present, Remains, RemainsField, Result, TableShape};
use packhorse_shared::value::Value;

use super::column::{Column, column_of};
use super::references::{Before, Undo};
use super::rights::{By, keep_back};
use super::{Placer, Step};
use crate::merge::{self, Authority, Past};

/// What is known of a record that does not stand.
pub(super) struct Gathered {
    /// The birth under which it is kept.
    pub birth: Option<Stamp>,
    /// What was known before.
    pub known: Option<Remains>,
    /// What is known now.
    pub remains: Remains,
}

impl Placer<'_> {
    pub(super) fn absent<'t>(
        &mut self,
        table: &'t TableShape,
        of: &'t TableChanges,
        record: &'t RecordChange,
        occupied: bool,
        undos: &mut Vec<Undo<'t>>,
    ) -> Result<Step> {
        let gathered = self.gathered(table, of, record)?;
        let Gathered { birth, known, mut remains } = gathered;
        // Below the horizon it may be another record that lies here under its number, unless that waits for the rest of it.
        let is_known = known.as_ref().is_some_and(|known| birth == record.birth || known.living());
        if !is_known && self.arrival.is_forgotten(record) && !self.may_be_new_here(table, of)? {
            return self.stay_deleted(table, record, birth, known);
        }
        let limbo = known.as_ref().filter(|known| known.withdrawn && known.dead.is_none());
        let counted = self.count_from_limbo((table, of, record), (limbo.is_some(), occupied), &mut remains)?;
        if let Some(limbo) = limbo {
            self.note_conflicts_in_limbo((table, of, record), limbo, &counted)?;
        }
        let read_only = self.read_only(table)?;
        let kept_back = keep_back(table, known.as_ref(), &mut remains, &read_only);
        let is_there = |at: usize, id| remains.get(id).is_some() || read_only.contains(&at);
        let has_all = table.column_ids().into_iter().enumerate().all(|(at, id)| is_there(at, id));
        let is_whole = record.whole || has_all && !self.waits_whole(table, record)?;
        let may_stand = remains.living() && is_whole && !remains.withdrawn;
        if let Some(why) = self.may_not_make(table, (&record.key, birth), known.as_ref(), &remains)? {
            return self.refuse_making((table, of, record), birth, (remains, may_stand), (By::Right, &why));
        }
        // What lay here until there was room, or until the hub had decided, is said again in the same words.
        if known.as_ref() == Some(&remains) && !may_stand {
            return Ok(Step::Nothing);
        }
        // What its key means has another number here, or waits for one.
        if remains.living()
            && let Some(reason) = self.mistaken_key(table, of, record)?
        {
            return Ok(Step::Refused(reason));
        }
        if !may_stand {
            self.name_said(table, &mut remains)?;
            self.transaction.bury(table, &record.key, birth, &remains)?;
            return Ok(Step::Done);
        }
        if occupied {
            return Ok(Step::NumberTaken);
        }
        let fields = match self.meant(table, &remains, Some((of, record)))? {
            Ok(fields) => fields,
            Err(reason) => return Ok(Step::Refused(reason)),
        };
        if let Some(reason) = self.mistaken(table, of, record, &fields)? {
            return Ok(Step::Refused(reason));
        }
        if let Placement::Refused(reason) = self.transaction.insert(table, &record.key, &fields)? {
            return Ok(Step::Refused(reason));
        }
        let mut present = self.arisen(table, of, record, &remains, known.as_ref())?;
        if let Some(birth) = self.confirms.remove(&(table.id, record.key.clone())) {
            present.marks.set(ColumnId::EXISTENCE, self.confirmation(birth));
        }
        self.decide_kept_back(table, &mut present, &kept_back);
        self.transaction.unbury(table, &record.key, birth)?;
        self.transaction.mark(table, &record.key, &present)?;
        self.tell_kept_back(table, (&record.key, &present), kept_back)?;
        let (had_died, before) = (record.dead.is_some(), Before::Absent(known));
        undos.push(Undo { table, change: record, of, birth, had_died, before });
        Ok(Step::Done)
    }

    /// Whether a record of which nothing is known here may never have been here, or been withdrawn: not all that the hub has is,
    /// or it is shared only since a time of which not everything had come.
    fn may_be_new_here(&mut self, table: &TableShape, of: &TableChanges) -> Result<bool> {
        if matches!(of.passage, Passage::Entered { since } if since > self.arrival.had) {
            return Ok(true);
        }
        Ok(self.arrival.authority() == Authority::Sender && self.transaction.has_part(table)?)
    }

    /// Whether its hub lets a record come in whole although it has heard of a death under its key; or has heard from here that it
    /// died, and tells all of it again: it has outlived that there, maybe by what is not shared.
    fn knew_of_death(&self, of: &TableChanges, record: &RecordChange, dead: Mark) -> bool {
        let is_told_again = record.whole && record.dead.is_none() && dead.via != self.arrival.link;
        (matches!(of.passage, Passage::Entered { .. }) || is_told_again)
            && self.arrival.authority() == Authority::Sender
            && self.arrival.knew(dead)
    }

    /// Whether a record has died here after all that a change says of it, which need not wait for whom it refers to then.
    pub(super) fn has_died_since(
        &mut self,
        table: &TableShape,
        of: &TableChanges,
        record: &RecordChange,
    ) -> Result<bool> {
        let standing = self.transaction.find(table, &record.key)?;
        if standing.is_some_and(|present| self.is_meant(table, &present, record)) {
            return Ok(false);
        }
        let Gathered { known, remains, .. } = self.gathered(table, of, record)?;
        Ok(known.is_some_and(|known| known.dead.is_some()) && !remains.living())
    }

    /// What is known here of a record that does not stand, with what came of it now.
    pub(super) fn gathered(
        &mut self,
        table: &TableShape,
        of: &TableChanges,
        record: &RecordChange,
    ) -> Result<Gathered> {
        let known = self.known_remains(table, record)?;
        let birth = known.as_ref().map_or(record.birth, |known| known.birth);
        let known = known.map(|known| known.remains);
        // Below the horizon a death and a later record under the same number are stamped alike.
        let died = known.as_ref().and_then(|known| known.dead);
        let outlived = died.is_some_and(|dead| self.knew_of_death(of, record, dead));
        let mut remains = known.clone().unwrap_or_default();
        if let Some(dead) = died.filter(|_| outlived) {
            // Nor are their values, but for edits of which its hub does not know, and for what came later than the death: what
            // waited here may be told again after that.
            let counts = |mark: Mark| !self.arrival.knew(mark) || mark.stamp > dead.stamp;
            remains.dead = None;
            remains.fields.retain(|field| field.mark.is_some_and(counts));
        }
        let column = |field: &FieldChange| column_of(table, of, field).map(Column::id);
        let comes_back = record.whole && self.arrival.authority() == Authority::Sender;
        if comes_back {
            // The hub says the same in the numbers of now.
            let told: Vec<_> = record.fields.iter().map(|field| (column(field), field.stamp)).collect();
            let is_told = |field: &RemainsField| field.mark.map(|mark| (Some(field.column), mark.stamp));
            remains.fields.retain(|field| is_told(field).is_none_or(|field| !told.contains(&field)));
        }
        merge::gather(&mut remains, record, column, &self.arrival);
        if comes_back {
            remains.withdrawn = false;
            remains.fields.retain(|field| field.column != ColumnId::EXISTENCE || table.columns.is_empty());
        }
        Ok(Gathered { birth, known, remains })
    }

    /// What is left here of the record: under its birth, or, below the horizon, where births are not told apart, the
    /// latest. Who says none may have dropped one, but not one that it names; nor is who had died by the time of a birth the one
    /// that was born then, if both are named.
    fn known_remains(&mut self, table: &TableShape, record: &RecordChange) -> Result<Option<Buried>> {
        let mut all = self.transaction.remains(table, &record.key)?;
        let its_own = all.iter().position(|known| known.birth == record.birth);
        if let Some(at) = its_own.filter(|_| record.birth.is_some()) {
            return Ok(Some(all.swap_remove(at)));
        }
        let had_died = |known: &Buried| known.remains.dead.is_some_and(|dead| Some(dead.stamp) < record.birth);
        let is_named = |known: &Buried| match known.birth {
            Some(birth) => record.birth.is_none() && self.named.has(table, birth),
            None => had_died(known) && self.named.has_unborn(table, &record.key),
        };
        let same = all.into_iter().filter(|known| self.arrival.is_same_left(known, record));
        let same = same.filter(|known| !is_named(known));
        Ok(same.max_by_key(|known| known.remains.dead.map(|dead| dead.stamp).max(known.remains.latest_field())))
    }

    /// Everything said of the record had come before, and what became of it was forgotten here: it was deleted. A whole
    /// one stands at its sender (a bundle that was late, or a node that comes from an old backup), who is told again, as
    /// of the horizon at least. A hub may have deleted it after everything up to there had come to it, and has lost that since:
    /// it dies now.
    fn stay_deleted(
        &mut self,
        table: &TableShape,
        record: &RecordChange,
        birth: Option<Stamp>,
        known: Option<Remains>,
    ) -> Result<Step> {
        if !record.whole {
            return Ok(Step::Nothing);
        }
        let mut remains = known.unwrap_or_default();
        let known_to = match self.arrival.past {
            Past::LostThere => self.transaction.tick(),
            Past::Known | Past::Lost => self.arrival.horizon.stamp(),
        };
        let stamp = remains.dead.map(|dead| dead.stamp).max(Some(known_to));
        remains.dead = stamp.map(|stamp| Mark { stamp, cut: self.arrival.cut, via: LinkId::LOCAL });
        self.transaction.bury(table, &record.key, birth, &remains)?;
        Ok(Step::Done)
    }

    /// The marks of a record that has just been placed. One that was pieced together goes whole to everybody, since
    /// whoever sent the last piece may lack the others.
    fn arisen(
        &mut self,
        table: &TableShape,
        of: &TableChanges,
        record: &RecordChange,
        remains: &Remains,
        known: Option<&Remains>,
    ) -> Result<Present> {
        let has_late = record.fields.iter().any(|field| self.arrival.is_late(field.stamp));
        let came_in_pieces = known.is_some_and(|known| known.dead.is_none() && !known.withdrawn);
        if self.arrival.is_all_past(record) && (has_late || came_in_pieces) && !self.may_be_new_here(table, of)? {
            // Under its own stamps others would take it for a deleted one.
            let latest = record.fields.iter().map(|field| field.stamp).max().unwrap_or(self.arrival.horizon.stamp());
            let mark = Mark { stamp: self.arrival.late_stamp(latest), cut: self.arrival.cut, via: LinkId::LOCAL };
            return Ok(Present { birth: self.arrival.horizon.birth(record.birth), marks: Marks::of_all(mark) });
        }
        let mut marks = Marks::default();
        for field in &remains.fields {
            let stamp = field.mark.map_or(self.arrival.horizon.stamp(), |mark| mark.stamp);
            // What was held came by another link than the bundle in whose transaction it is placed.
            let came_now = field.mark.filter(|mark| mark.cut == self.arrival.cut);
            let via = came_now.map_or(LinkId::LOCAL, |mark| self.via_of(table, field.column, mark));
            marks.set(field.column, Mark { stamp, cut: self.arrival.cut, via });
        }
        // What its maker does not share took its default with the rest.
        let made = remains.fields.iter().filter_map(|field| field.mark).map(|mark| mark.stamp).min();
        for column in table.columns.iter().filter(|column| remains.get(column.id).is_none()) {
            let stamp = made.unwrap_or(self.arrival.horizon.stamp());
            marks.set(column.id, Mark { stamp, cut: self.arrival.cut, via: self.arrival.via });
        }
        if known.is_some() && !record.whole {
            merge::send_whole(&mut marks, &table.column_ids(), self.arrival.cut, self.arrival.horizon);
        }
        marks.fold(&table.column_ids());
        Ok(Present { birth: record.birth, marks })
    }
}

pub(super) fn values_of(table: &TableShape, remains: &Remains) -> Vec<(usize, Value)> {
    let value = |(at, id): (usize, ColumnId)| remains.get(id).map(|field| (at, field.value.clone()));
    table.columns.iter().map(|column| column.id).enumerate().filter_map(value).collect()
}
