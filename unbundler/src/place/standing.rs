//! The changes of a record that stands in its table: new values of fields, or its deletion.

use std::collections::BTreeMap;

use packhorse_shared::change::{Passage, RecordChange, TableChanges};
use packhorse_shared::clock::Stamp;
use packhorse_shared::id::{ColumnId, LinkId};
use packhorse_shared::marks::{Mark, Marks};
use packhorse_shared::replica::{Counter, Placement, Present, Remains, RemainsField, Result, TableShape};
use packhorse_shared::seam::{Saboteur, is_at_work};
use packhorse_shared::value::Value;

use super::column::{Column, column_of};
use super::conflicts::Disputed;
use super::counted::{as_marks, counter_of, decided};
use super::mistaken::is_reference;
use super::references::{Before, Undo};
use super::rights::{May, RefusedField};
use super::{Item, Placer, Step};
use crate::merge::{self, Arrival, Authority, Decided, Fate, Past};

/// What a deletion is overruled by.
pub(super) enum Outlives {
    /// A living child, which is named.
    Child(String),
    /// The rights of its sender, as they are told.
    Right(String),
}

/// What becomes of the fields of a change: those that stand here from now on, those in conflict whichever stands, and those that
/// their sender may not write.
struct Winners<'c> {
    fields: Vec<(usize, Value)>,
    conflicts: Vec<Disputed<'c>>,
    refused: Vec<RefusedField>,
}

impl Placer<'_> {
    pub(super) fn standing<'t>(
        &mut self,
        table: &'t TableShape,
        of: &'t TableChanges,
        record: &'t RecordChange,
        mut present: Present,
        undos: &mut Vec<Undo<'t>>,
    ) -> Result<Step> {
        let fate = merge::fate(&present.marks, &table.column_ids(), record, &self.arrival);
        if let Fate::Dies(dead) = fate {
            return self.delete(table, of, record, present, dead);
        }
        let before = present.clone();
        let may = self.may_write(table, &record.key, &present)?;
        let here = self.values_to_compare(table, record, &may)?;
        let columns = record.fields.iter().filter_map(|field| Some(column_of(table, of, field)?.id()));
        let counters = self.transaction.counters(table, &record.key)?;
        let known = columns.map(|column| present.marks.get(column)).chain(as_marks(counters.values()));
        let sight = self.in_sight((table, of, record), known, None)?;
        let Winners { fields, conflicts, refused } =
            self.winners((table, of, record), &mut present, (&here, &may, &counters), &sight);
        if fate != Fate::Lives {
            merge::send_whole(&mut present.marks, &table.column_ids(), self.arrival.cut, self.arrival.horizon);
        }
        if present == before && conflicts.is_empty() {
            return Ok(Step::Nothing);
        }
        if let Some(reason) = self.mistaken(table, of, record, &fields)? {
            return Ok(Step::Refused(reason));
        }
        let refers = fields.iter().any(|field| is_reference(table, field.0));
        let old = match refers || !conflicts.is_empty() {
            true => self.transaction.values(table, &record.key)?,
            false => Vec::new(),
        };
        if let Placement::Refused(reason) = self.transaction.update(table, &record.key, &fields)? {
            return Ok(Step::Refused(reason));
        }
        self.note_said((table, of, record), &record.key, &fields)?;
        if fate == Fate::OutlivesUnseen {
            self.note_kept(table, record)?;
        }
        self.note_conflicts((table, &record.key), (&before.marks, &present), &conflicts, &old)?;
        if present == before {
            return Ok(Step::Nothing);
        }
        present.marks.fold(&table.column_ids());
        self.transaction.mark(table, &record.key, &present)?;
        if let (May::Not(_, why), false) = (&may, refused.is_empty()) {
            self.refused_fields(table, (&record.key, &present), (&refused, &here), why)?;
        }
        if refers {
            let replaced = fields.iter().filter_map(|field| Some((field.0, old.get(field.0)?.clone()))).collect();
            let (birth, had_died) = (present.birth, record.dead.is_some());
            let before = Before::Standing(before, replaced);
            undos.push(Undo { table, change: record, of, birth, had_died, before });
        }
        Ok(Step::Done)
    }

    /// Whether a remote that speaks of a record has not seen it as it stands here at all: our hub had withdrawn it and has let it
    /// come in again. The remote withdraws it too, and is owed all of it, what it says itself included.
    fn is_unseen_behind(&self, table: &TableShape, marks: &Marks) -> bool {
        self.arrival.authority() == Authority::HereForNow && self.knew_nothing(table, marks)
    }

    /// Whether our hub lets a record come in that had not been here, beside one that was made here under its key.
    fn is_beside_ours(&self, table: &TableShape, of: &TableChanges, marks: &Marks) -> bool {
        let is_new = matches!(of.passage, Passage::Entered { since } if since > self.arrival.had);
        is_new && self.arrival.authority() == Authority::Sender && self.knew_nothing(table, marks)
    }

    /// Whether the sender knew of nothing that is here of a record.
    fn knew_nothing(&self, table: &TableShape, marks: &Marks) -> bool {
        let unseen = |column| marks.get(column).is_some_and(|mark| !self.arrival.knew(mark));
        table.column_ids().into_iter().all(unseen)
    }

    /// Whether what stands without a mark may say nothing against what our hub says: it may be the default of a column that is
    /// shared only now, or have been changed at the hub while the record was not in our set. What a hub from before our package
    /// lets in it has been told of since, and forgotten.
    fn may_be_default(&self, table: &TableShape, of: &TableChanges, column: Column) -> bool {
        let is_by_hub = self.arrival.authority() == Authority::Sender;
        let comes_in = matches!(of.passage, Passage::Entered { .. });
        match column {
            Column::Field(_, id) if is_by_hub && self.untold.contains(&(table.id, id)) => true,
            Column::Field(..) if self.arrival.past == Past::LostThere => false,
            _ => comes_in,
        }
    }

    /// Whether our hub lets a record come in with an earlier value than we had told it: it refused ours, as the record was
    /// outside our set then, and is told again.
    fn was_refused(&self, of: &TableChanges, ours: Mark, theirs: Stamp) -> bool {
        let was_told = ours.via != self.arrival.link && ours.cut <= self.arrival.seen;
        let comes_in = matches!(of.passage, Passage::Entered { .. }) && self.arrival.authority() == Authority::Sender;
        comes_in && was_told && theirs < ours.stamp
    }

    /// Over which link a field need not go back. Its sender has it no more if the column was out of its set since it said that.
    pub(super) fn via_of(&self, table: &TableShape, column: ColumnId, mark: Mark) -> LinkId {
        if self.regained.contains(&(table.id, column)) { LinkId::LOCAL } else { mark.via }
    }

    /// The values here, if the change was told as of its sender's horizon, may be refused or may not be decided by its stamp: what
    /// says the same as here need not be noted.
    fn values_to_compare(&mut self, table: &TableShape, record: &RecordChange, may: &May) -> Result<Vec<Value>> {
        let told = record.fields.iter().any(|field| field.stamp.is_of_horizon());
        if told || *may != May::All || table.rules.decide() {
            self.transaction.values(table, &record.key)
        } else {
            Ok(Vec::new())
        }
    }

    /// The mark of a change that stands. One that is late is new to everybody, and stamped anew.
    fn mark(&mut self, stamp: Stamp) -> Mark {
        if self.arrival.is_late(stamp) {
            let stamp = self.arrival.late_stamp(stamp);
            return Mark { stamp, cut: self.arrival.cut, via: LinkId::LOCAL };
        }
        self.arrival.mark(stamp)
    }

    /// The incoming fields that stand, marked, and those that are in conflict whichever stands. `sight`: what their sender had
    /// seen.
    fn winners<'c>(
        &mut self,
        (table, of, record): Item<'c>,
        present: &mut Present,
        (here, may, counters): (&[Value], &May, &BTreeMap<ColumnId, Counter>),
        sight: &Arrival,
    ) -> Winners<'c> {
        let (mut fields, mut conflicts, mut refused) = (Vec::new(), Vec::new(), Vec::new());
        // Where both say the same there is nothing to decide; columns that change together are decided together.
        let is_disputed = record.fields.iter().any(|field| match column_of(table, of, field) {
            Some(Column::Field(at, _)) => here.get(at) != Some(&field.value),
            _ => true,
        });
        let arrival = Arrival { known_to: sight.known_to, ..self.arrival };
        let is_unseen = self.is_unseen_behind(table, &present.marks);
        let is_beside_ours = self.is_beside_ours(table, of, &present.marks);
        for field in &record.fields {
            let Some(column) = column_of(table, of, field) else { continue };
            let says_the_same = matches!(column, Column::Field(at, _) if here.get(at) == Some(&field.value));
            if field.stamp.is_of_horizon() && says_the_same && present.marks.get(column.id()).is_none() {
                continue;
            }
            let ours = present.marks.get(column.id());
            let verdict = match (of.passage, ours) {
                (_, None) if self.may_be_default(table, of, column) => merge::Field::Theirs,
                // Nobody has ever changed it there, and who made ours had not seen it all the same.
                (_, Some(_)) if is_beside_ours && field.stamp == Stamp::ZERO => merge::Field::OursOverBlind,
                _ => merge::field(ours, field.stamp, sight),
            };
            if let Some(ours) = ours.filter(|ours| self.was_refused(of, *ours, field.stamp)) {
                present.marks.set(column.id(), Mark { cut: self.arrival.cut, via: LinkId::LOCAL, ..ours });
            }
            let stamps = (ours.map_or(self.arrival.horizon.stamp(), |ours| ours.stamp), field.stamp);
            let counter = counter_of(column, counters, may).filter(|_| ours.is_some() && !is_beside_ours);
            let decided = decided(counter, field, verdict, sight).unwrap_or_else(|| match is_disputed {
                true => merge::decide(verdict, stamps, &table.rules, &arrival),
                false => Decided::ByStamp(verdict),
            });
            let (verdict, value) = match &decided {
                Decided::ByStamp(verdict) | Decided::ByPolicy(verdict) => (*verdict, &field.value),
                Decided::Sum(sum) => (merge::Field::Theirs, sum),
            };
            let is_refused = |at: usize| verdict.is_theirs() && !says_the_same && !may.write(at);
            if let Column::Field(at, _) = column
                && is_refused(at)
            {
                let decided = self.word_on(stamps.0.max(stamps.1));
                let keeps = is_at_work(Saboteur::KeepRefused);
                present.marks.set(column.id(), if keeps { self.arrival.mark(field.stamp) } else { decided });
                refused.push((at, field.value.clone(), field.stamp));
                continue;
            }
            if let (Column::Field(at, _), true) = (column, verdict.is_conflict()) {
                conflicts.push((field, at, verdict));
            }
            if let Decided::ByPolicy(_) | Decided::Sum(_) = &decided {
                present.marks.set(column.id(), self.word_on(stamps.0.max(stamps.1)));
            } else if verdict.is_theirs() {
                let mark = self.mark(field.stamp);
                let via = if is_unseen { LinkId::LOCAL } else { self.via_of(table, column.id(), mark) };
                present.marks.set(column.id(), Mark { via, ..mark });
            }
            if let (Column::Field(at, _), true) = (column, verdict.is_theirs()) {
                fields.push((at, value.clone()));
            }
        }
        Winners { fields, conflicts, refused }
    }

    fn note_kept(&mut self, table: &TableShape, record: &RecordChange) -> Result<()> {
        self.placed.kept += 1;
        let text = format!(
            "{} {} was deleted elsewhere before all that is remembered here, and is kept: delete it again if it is to go",
            table.name, record.key
        );
        self.transaction.note(&text, self.now)
    }

    pub(super) fn delete(
        &mut self,
        table: &TableShape,
        of: &TableChanges,
        record: &RecordChange,
        present: Present,
        dead: Stamp,
    ) -> Result<Step> {
        if let Some(why) = self.may_not_delete(table, &record.key, &present)? {
            return Ok(Step::MayNotDie(why));
        }
        if let Some(child) = self.transaction.living_child(table, &record.key, &self.dying)? {
            return Ok(Step::HasChild(child));
        }
        let values = self.transaction.values(table, &record.key)?;
        let mut remains = remains_of(table, &present.marks, values);
        self.name_meant(table, &record.key, &mut remains)?;
        merge::gather(&mut remains, record, |field| column_of(table, of, field).map(Column::id), &self.arrival);
        self.name_said(table, &mut remains)?;
        remains.dead = Some(self.mark(dead));
        if let Placement::Refused(reason) = self.transaction.delete(table, &record.key)? {
            return Ok(Step::Refused(reason));
        }
        self.transaction.bury(table, &record.key, present.birth, &remains)?;
        Ok(Step::Done)
    }

    /// Has a deletion overruled once it is decided what else dies with it.
    pub(super) fn outlive(&mut self, of: &TableChanges, record: &RecordChange, why: Outlives) {
        self.outlived.push((TableShape::alone(of, record.clone()), why));
    }

    /// What living children keep, once it is decided what else dies with it.
    pub(super) fn revive_all(&mut self, tables: &[TableShape]) -> Result<()> {
        for (of, why) in std::mem::take(&mut self.outlived) {
            let (Ok(table), Some(record)) = (self.fitting(tables, &of), of.records.first()) else { continue };
            match why {
                Outlives::Child(child) => self.revive(table, &of, record, &child)?,
                Outlives::Right(why) => self.refuse_death((table, &of, record), &why)?,
            }
        }
        Ok(())
    }

    /// A living child brings back its dead parent: nothing vanishes without someone deciding it. What was edited before the
    /// deletion is placed as if there had been none: it lives on with that.
    fn revive(&mut self, table: &TableShape, of: &TableChanges, record: &RecordChange, child: &str) -> Result<()> {
        if !record.fields.is_empty() {
            let (alive, mut undos) = (RecordChange { dead: None, ..record.clone() }, Vec::new());
            self.give_up(table, of, &alive, &mut undos)?;
            undos.iter_mut().for_each(|undo| undo.had_died = true);
            self.mend_references(undos)?;
        }
        // With what it leads to it may have gone to the hub, and the child with it.
        let Some(mut present) = self.transaction.find(table, &record.key)? else { return Ok(()) };
        let mark = Mark { stamp: self.transaction.tick(), cut: self.arrival.cut, via: LinkId::LOCAL };
        merge::live_on(&mut present.marks, &table.column_ids(), &table.identity, mark, self.arrival.horizon);
        self.transaction.mark(table, &record.key, &present)?;
        self.living_on.insert((table.id, record.key.clone()));
        self.placed.revived += 1;
        let text = format!("{} {} was deleted elsewhere but is kept: {child} refers to it", table.name, record.key);
        self.transaction.note(&text, self.now)
    }
}

pub(super) fn remains_of(table: &TableShape, marks: &Marks, values: Vec<Value>) -> Remains {
    let mut remains = Remains::default();
    for (column, value) in table.columns.iter().zip(values) {
        remains.set(RemainsField::new(column.id, marks.get(column.id), value));
    }
    remains
}
