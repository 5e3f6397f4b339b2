//! Conflicts: two values of a field that were made without seeing each other are written down, whichever stands.
//!
//! Owns what the sender of a change had seen of its record: no more than it had been told. Of a record that left its set it was
//! told nothing since, whatever it has acknowledged; what is kept in limbo meets what the hub has once that is told.

use packhorse_shared::change::{FieldChange, Passage};
use packhorse_shared::clock::{Reading, Stamp};
use packhorse_shared::id::{ColumnId, Cut};
use packhorse_shared::marks::{Mark, Marks};
use packhorse_shared::replica::{Conflict, Found, Matter, Present, Remains, Result, Side, TableShape};
use packhorse_shared::value::{Key, Value};

use super::column::{Column, column_of};
use super::{Item, Placer};
use crate::merge::{self, Arrival, Past};

/// A field in conflict: the incoming change, the column's position, and which value stands.
pub(super) type Disputed<'c> = (&'c FieldChange, usize, merge::Field);

impl Placer<'_> {
    /// How the sender of a change stands to the record here, whose fields of which it speaks have these marks. `withdrawn`:
    /// when it was withdrawn from this node, if it was.
    pub(super) fn in_sight(
        &mut self,
        (table, of, record): Item<'_>,
        marks: impl IntoIterator<Item = Option<Mark>>,
        withdrawn: Option<Cut>,
    ) -> Result<Arrival> {
        let arrival = self.arrival;
        // What was never acknowledged nobody takes for seen.
        let may_be_seen =
            |mark: Option<Mark>| mark.map_or(record.whole, |it| it.via != arrival.link && it.cut <= arrival.seen);
        if !marks.into_iter().any(may_be_seen) {
            return Ok(arrival);
        }
        let Some((sharing, at)) = self.shared(table)? else { return Ok(arrival) };
        let who = (arrival.link, arrival.seen);
        // A node that was put back says all again, also of what it was told of once; and what is in limbo it may have had.
        let stands = of.passage != Passage::Limbo && withdrawn.is_none();
        let may_be_made = record.whole && stands && arrival.past == Past::Known;
        if may_be_made && self.transaction.is_new_to(who, &sharing[at], &record.key)? {
            return Ok(Arrival {
                seen: Cut(0),
                may_have_seen: Cut(0),
                knew_genesis: false,
                known_to: Reading(0),
                ..arrival
            });
        }
        let told = self.transaction.told_of(who, &sharing[at], &record.key, withdrawn)?;
        let known_to = if told.surely < arrival.seen { Reading(0) } else { arrival.known_to };
        let may_have_seen = if told.maybe < arrival.seen { told.maybe } else { arrival.may_have_seen };
        Ok(Arrival { seen: told.surely, may_have_seen, known_to, ..arrival })
    }

    /// Writes down where a change meets what is kept in limbo, but for the counters to which that was added.
    pub(super) fn note_conflicts_in_limbo(
        &mut self,
        (table, of, record): Item<'_>,
        limbo: &Remains,
        counted: &[ColumnId],
    ) -> Result<()> {
        let noted = limbo.get(ColumnId::EXISTENCE).and_then(|field| field.mark);
        // What nobody has changed was marked with the leaving itself, and speaks against nothing.
        let is_change = |mark: &Mark| noted.is_none_or(|noted| (noted.cut, noted.via) != (mark.cut, mark.via));
        let marks = limbo.fields.iter().filter_map(|field| field.mark).filter(is_change).map(Some);
        let sight = self.in_sight((table, of, record), marks, noted.map(|mark| mark.cut))?;
        for field in &record.fields {
            let Some(Column::Field(at, id)) = column_of(table, of, field) else { continue };
            if counted.contains(&id) {
                continue;
            }
            let Some((kept, mark)) = limbo.get(id).and_then(|kept| Some((kept, kept.mark.filter(is_change)?))) else {
                continue;
            };
            let verdict = merge::field(Some(mark), field.stamp, &sight);
            if verdict.is_conflict() {
                let stands_as = mark.stamp.max(field.stamp);
                self.note_conflict(
                    (table, &record.key, record.birth),
                    (field, at, verdict),
                    (&kept.value, mark.stamp),
                    stands_as,
                )?;
            }
        }
        Ok(())
    }

    /// Writes down these. `before`, `old`: the marks and the values that were here; `present`: what is there now.
    pub(super) fn note_conflicts(
        &mut self,
        (table, key): (&TableShape, &Key),
        (before, present): (&Marks, &Present),
        conflicts: &[Disputed<'_>],
        old: &[Value],
    ) -> Result<()> {
        for disputed in conflicts {
            let (Some(column), Some(ours)) = (table.columns.get(disputed.1), old.get(disputed.1)) else { continue };
            let stamp_in = |marks: &Marks| marks.get(column.id).map_or(self.arrival.horizon.stamp(), |mark| mark.stamp);
            let (stamp, stands_as) = (stamp_in(before), stamp_in(&present.marks));
            self.note_conflict((table, key, present.birth), *disputed, (ours, stamp), stands_as)?;
        }
        Ok(())
    }

    fn note_conflict(
        &mut self,
        (table, key, birth): (&TableShape, &Key, Option<Stamp>),
        (field, at, verdict): Disputed<'_>,
        ours: (&Value, Stamp),
        stands_as: Stamp,
    ) -> Result<()> {
        let Some(column) = table.columns.get(at).filter(|_| *ours.0 != field.value) else { return Ok(()) };
        let theirs = (&field.value, field.stamp);
        let (kept, lost, stands) =
            if verdict.is_theirs() { (theirs, ours, Side::Theirs) } else { (ours, theirs, Side::Ours) };
        let (column, matter) = (&column.name, Matter::Conflict);
        let conflict = Conflict { key, birth, column, kept, lost, stands_as, stands, found: Found::Here, matter };
        // A change that was held meets what it met before whenever it is tried again.
        let new = self.transaction.note_conflict(self.arrival.link, &table.name, &conflict, self.now)?;
        self.placed.conflicts += u64::from(new);
        Ok(())
    }
}
