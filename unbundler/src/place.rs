//! Place: getting the outcome of a merge into the tables.
//!
//! A bundle is placed in rounds. First deletions, then everything else, since a deletion may free a unique key; then
//! what was refused once more, since another record may have stood in the way; and at the end what must be so of the
//! whole: no record refers to one that was deleted here. Invariant: a change is placed whole or held whole, and one
//! that is held never stops the rest.

use packhorse_shared::change::{EXISTENCE, FieldChange, RecordChange, TableChanges};
use packhorse_shared::clock::{Stamp, WallTime};
use packhorse_shared::id::{ColumnId, LinkId};
use packhorse_shared::marks::{Mark, Marks};
use packhorse_shared::replica::{
    Conflict, MergeTransaction, Placement, Present, Remains, RemainsField, Result, TableShape,
};
use packhorse_shared::value::Value;

use crate::merge::{self, Arrival, Fate};

/// What placing came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Placed {
    /// Records that were made, changed or deleted.
    pub records: u64,
    /// Changes that are held.
    pub held: u64,
    /// Fields over which there is a conflict.
    pub conflicts: u64,
    /// Records that were kept although deleted elsewhere.
    pub revived: u64,
}

/// What became of one record's change.
enum Step {
    Done,
    /// It is what is here already, or older.
    Nothing,
    /// The database or another record stands in the way.
    Refused(String),
    /// A living child stands in the way of a deletion.
    HasChild(String),
}

/// A change that was placed and would have to be taken back if what it refers to is gone.
struct Undo<'a> {
    table: &'a TableShape,
    change: &'a RecordChange,
    of: &'a TableChanges,
    before: Before,
}

enum Before {
    Absent(Option<Remains>),
    Standing(Present, Vec<(usize, Value)>),
}

/// Places the changes of one bundle within a transaction.
pub struct Placer<'a> {
    transaction: &'a mut dyn MergeTransaction,
    arrival: Arrival,
    now: WallTime,
    placed: Placed,
    /// What is held, once it was looked at: a change that comes again is not held twice.
    held: Option<Vec<TableChanges>>,
}

/// Places everything that a bundle brought, then tries what is held once more.
pub fn place(
    transaction: &mut dyn MergeTransaction,
    bundle: &[TableChanges],
    arrival: Arrival,
    now: WallTime,
) -> Result<Placed> {
    let mut placer = Placer { transaction, arrival, now, placed: Placed::default(), held: None };
    placer.round(bundle)?;
    placer.retry_held()?;
    Ok(placer.placed)
}

impl Placer<'_> {
    fn round(&mut self, bundle: &[TableChanges]) -> Result<()> {
        let tables = self.transaction.tables();
        let mut work: Vec<(&TableShape, &TableChanges, &RecordChange)> = Vec::new();
        for changes in bundle {
            match self.fitting(&tables, changes) {
                Ok(table) => work.extend(changes.records.iter().map(|record| (table, changes, record))),
                Err(reason) => self.hold_all(changes, &reason)?,
            }
        }
        let (deaths, others): (Vec<_>, Vec<_>) = work.into_iter().partition(|(_, _, record)| record.dead.is_some());
        let mut undos = Vec::new();
        let refused = self.pass(deaths, &mut undos)?;
        let refused = [self.pass(others, &mut undos)?, refused].concat();
        let refused = self.pass_until_settled(refused, &mut undos)?;
        for (table, changes, record) in refused {
            self.give_up(table, changes, record, &mut undos)?;
        }
        self.take_back_orphans(undos)
    }

    /// The table here that a table's changes are for. What this database lacks is held until it has it.
    fn fitting<'t>(
        &self,
        tables: &'t [TableShape],
        changes: &TableChanges,
    ) -> std::result::Result<&'t TableShape, String> {
        let table = tables.iter().find(|table| table.name.eq_ignore_ascii_case(&changes.table));
        let table = table.ok_or_else(|| format!("table \"{}\" is not synced in this database", changes.table))?;
        let same =
            |a: &[String], b: &[String]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.eq_ignore_ascii_case(b));
        if !same(&table.keys, &changes.key_columns) {
            return Err(format!("table \"{}\" has another primary key in this database", changes.table));
        }
        let unknown = |name: &&String| name.as_str() != EXISTENCE && table.position(name).is_none();
        match changes.columns.iter().find(unknown) {
            Some(column) => Err(format!("table \"{}\" has no column \"{column}\" in this database", changes.table)),
            None => Ok(table),
        }
    }

    fn hold_all(&mut self, changes: &TableChanges, reason: &str) -> Result<()> {
        changes.records.iter().try_for_each(|record| self.hold(changes, record, reason))
    }

    fn hold(&mut self, of: &TableChanges, record: &RecordChange, reason: &str) -> Result<()> {
        let alone = TableShape::alone(of, record.clone());
        self.placed.held += 1;
        let held = match &mut self.held {
            Some(held) => held,
            none => none.insert(self.transaction.held()?.into_iter().map(|held| held.change).collect()),
        };
        if !held.contains(&alone) {
            self.transaction.hold(self.arrival.link, &alone, reason, self.now)?;
            held.push(alone);
        }
        Ok(())
    }

    fn pass<'t>(&mut self, work: Vec<Item<'t>>, undos: &mut Vec<Undo<'t>>) -> Result<Vec<Item<'t>>> {
        let mut refused = Vec::new();
        for item in work {
            match self.record(item, undos)? {
                Step::Done => self.placed.records += 1,
                Step::Nothing => {}
                Step::Refused(_) | Step::HasChild(_) => refused.push(item),
            }
        }
        Ok(refused)
    }

    fn pass_until_settled<'t>(
        &mut self,
        mut refused: Vec<Item<'t>>,
        undos: &mut Vec<Undo<'t>>,
    ) -> Result<Vec<Item<'t>>> {
        loop {
            let before = refused.len();
            refused = self.pass(refused, undos)?;
            if refused.is_empty() || refused.len() == before {
                return Ok(refused);
            }
        }
    }

    /// What is still refused at the end is held; a deletion that a living child refuses is overruled by it.
    fn give_up<'t>(
        &mut self,
        table: &'t TableShape,
        of: &'t TableChanges,
        record: &'t RecordChange,
        undos: &mut Vec<Undo<'t>>,
    ) -> Result<()> {
        match self.record((table, of, record), undos)? {
            Step::Done => self.placed.records += 1,
            Step::Nothing => {}
            Step::Refused(reason) => self.hold(of, record, &reason)?,
            Step::HasChild(child) => self.revive(table, record, &child)?,
        }
        Ok(())
    }

    fn record<'t>(&mut self, (table, of, record): Item<'t>, undos: &mut Vec<Undo<'t>>) -> Result<Step> {
        let standing = self.transaction.find(table, &record.key)?;
        match standing {
            Some(present) if present.birth == record.birth => self.standing(table, of, record, present, undos),
            occupant => self.absent(table, of, record, occupant.is_some(), undos),
        }
    }

    fn standing<'t>(
        &mut self,
        table: &'t TableShape,
        of: &'t TableChanges,
        record: &'t RecordChange,
        mut present: Present,
        undos: &mut Vec<Undo<'t>>,
    ) -> Result<Step> {
        let fate = merge::fate(&present.marks, record);
        if let Fate::Dies(dead) = fate {
            return self.delete(table, of, record, present, dead);
        }
        let before = present.clone();
        let (fields, conflicts) = self.winners(table, of, record, &mut present);
        if fate == Fate::Outlives {
            merge::send_whole(&mut present.marks, &table.column_ids(), self.arrival.cut);
        }
        if present == before && conflicts.is_empty() {
            return Ok(Step::Nothing);
        }
        let refers = fields.iter().any(|field| is_reference(table, field.0));
        let old = match refers || !conflicts.is_empty() {
            true => self.transaction.values(table, &record.key)?,
            false => Vec::new(),
        };
        if let Placement::Refused(reason) = self.transaction.update(table, &record.key, &fields)? {
            return Ok(Step::Refused(reason));
        }
        self.note_conflicts(table, record, &before.marks, &conflicts, &old)?;
        if present == before {
            return Ok(Step::Nothing);
        }
        present.marks.fold(&table.column_ids());
        self.transaction.mark(table, &record.key, &present)?;
        if refers {
            let replaced = fields.iter().filter_map(|field| Some((field.0, old.get(field.0)?.clone()))).collect();
            undos.push(Undo { table, change: record, of, before: Before::Standing(before, replaced) });
        }
        Ok(Step::Done)
    }

    /// The incoming fields that stand, marked, and those that are in conflict whichever stands.
    fn winners<'c>(
        &self,
        table: &TableShape,
        of: &TableChanges,
        record: &'c RecordChange,
        present: &mut Present,
    ) -> (Vec<(usize, Value)>, Vec<Disputed<'c>>) {
        let (mut fields, mut conflicts) = (Vec::new(), Vec::new());
        for field in &record.fields {
            let Some(column) = column_of(table, of, field) else { continue };
            let verdict = merge::field(present.marks.get(column.id()), field.stamp, &self.arrival);
            if let (Column::Field(at, _), true) = (column, verdict.is_conflict()) {
                conflicts.push((field, at, verdict));
            }
            if verdict.is_theirs() {
                present.marks.set(column.id(), self.arrival.mark(field.stamp));
                if let Column::Field(at, _) = column {
                    fields.push((at, field.value.clone()));
                }
            }
        }
        (fields, conflicts)
    }

    fn note_conflicts(
        &mut self,
        table: &TableShape,
        record: &RecordChange,
        before: &Marks,
        conflicts: &[Disputed<'_>],
        old: &[Value],
    ) -> Result<()> {
        for (field, at, verdict) in conflicts {
            let (Some(column), Some(ours)) = (table.columns.get(*at), old.get(*at)) else { continue };
            let Some(mark) = before.get(column.id) else { continue };
            if *ours == field.value {
                continue;
            }
            let (ours, theirs) = ((ours, mark.stamp), (&field.value, field.stamp));
            let (kept, lost) = if verdict.is_theirs() { (theirs, ours) } else { (ours, theirs) };
            let conflict = Conflict { key: &record.key, column: &column.name, kept, lost };
            self.transaction.note_conflict(self.arrival.link, &table.name, &conflict, self.now)?;
            self.placed.conflicts += 1;
        }
        Ok(())
    }

    fn delete(
        &mut self,
        table: &TableShape,
        of: &TableChanges,
        record: &RecordChange,
        present: Present,
        dead: Stamp,
    ) -> Result<Step> {
        if let Some(child) = self.transaction.living_child(table, &record.key)? {
            return Ok(Step::HasChild(child));
        }
        let values = self.transaction.values(table, &record.key)?;
        let mut remains = remains_of(table, &present.marks, values);
        merge::gather(&mut remains, record, |field| column_of(table, of, field).map(Column::id), &self.arrival);
        remains.dead = Some(self.arrival.mark(dead));
        if let Placement::Refused(reason) = self.transaction.delete(table, &record.key)? {
            return Ok(Step::Refused(reason));
        }
        self.transaction.bury(table, &record.key, record.birth, &remains)?;
        Ok(Step::Done)
    }

    fn absent<'t>(
        &mut self,
        table: &'t TableShape,
        of: &'t TableChanges,
        record: &'t RecordChange,
        occupied: bool,
        undos: &mut Vec<Undo<'t>>,
    ) -> Result<Step> {
        let known = self.transaction.remains(table, &record.key, record.birth)?;
        let mut remains = known.clone().unwrap_or_default();
        merge::gather(&mut remains, record, |field| column_of(table, of, field).map(Column::id), &self.arrival);
        if known.as_ref() == Some(&remains) {
            return Ok(Step::Nothing);
        }
        let has_all = table.columns.iter().all(|column| remains.get(column.id).is_some());
        if !remains.living() || !(record.whole || has_all) {
            self.transaction.bury(table, &record.key, record.birth, &remains)?;
            return Ok(Step::Done);
        }
        if occupied {
            return Ok(Step::Refused(format!("another record stands under {} in this database", record.key)));
        }
        let fields = values_of(table, &remains);
        if let Placement::Refused(reason) = self.transaction.insert(table, &record.key, &fields)? {
            return Ok(Step::Refused(reason));
        }
        let present = self.arisen(table, record, &remains, known.as_ref());
        self.transaction.unbury(table, &record.key, record.birth)?;
        self.transaction.mark(table, &record.key, &present)?;
        undos.push(Undo { table, change: record, of, before: Before::Absent(known) });
        Ok(Step::Done)
    }

    /// The marks of a record that has just been placed. One that was pieced together goes whole to everybody, since
    /// whoever sent the last piece may lack the others.
    fn arisen(&self, table: &TableShape, record: &RecordChange, remains: &Remains, known: Option<&Remains>) -> Present {
        let mut marks = Marks::default();
        for field in &remains.fields {
            let stamp = field.mark.map_or(Stamp::ZERO, |mark| mark.stamp);
            let came_now = field.mark.is_some_and(|mark| mark.cut == self.arrival.cut);
            let via = if came_now { self.arrival.link } else { LinkId::LOCAL };
            marks.set(field.column, Mark { stamp, cut: self.arrival.cut, via });
        }
        if known.is_some() && !record.whole {
            merge::send_whole(&mut marks, &table.column_ids(), self.arrival.cut);
        }
        marks.fold(&table.column_ids());
        Present { birth: record.birth, marks }
    }

    /// A living child brings back its dead parent: nothing vanishes without someone deciding it. That is a decision
    /// made here and so a new edit of every field.
    fn revive(&mut self, table: &TableShape, record: &RecordChange, child: &str) -> Result<()> {
        let stamp = self.transaction.tick();
        let mark = Mark { stamp, cut: self.arrival.cut, via: LinkId::LOCAL };
        let present = Present { birth: record.birth, marks: Marks::of_all(mark) };
        self.transaction.mark(table, &record.key, &present)?;
        self.placed.revived += 1;
        let text = format!("{} {} was deleted elsewhere but is kept: {child} refers to it", table.name, record.key);
        self.transaction.note(&text, self.now)
    }

    /// What refers to a record that was deleted here waits until that comes back: its own end will bring it back.
    fn take_back_orphans(&mut self, undos: Vec<Undo<'_>>) -> Result<()> {
        for undo in undos {
            let missing = self.transaction.missing_parents(undo.table, &undo.change.key)?;
            let Some(parent) = missing.first() else { continue };
            self.take_back(&undo)?;
            self.placed.records = self.placed.records.saturating_sub(1);
            self.hold(undo.of, undo.change, &format!("it refers to {parent}, which was deleted here"))?;
        }
        Ok(())
    }

    fn take_back(&mut self, undo: &Undo<'_>) -> Result<()> {
        let (table, key) = (undo.table, &undo.change.key);
        match &undo.before {
            Before::Standing(present, values) => {
                self.transaction.update(table, key, values)?;
                self.transaction.mark(table, key, present)
            }
            Before::Absent(remains) => {
                self.transaction.delete(table, key)?;
                self.transaction.bury(table, key, undo.change.birth, &remains.clone().unwrap_or_default())?;
                match remains {
                    Some(_) => Ok(()),
                    None => self.transaction.unbury(table, key, undo.change.birth),
                }
            }
        }
    }

    /// Every change may have made room for what is held. What still has none stays as it is.
    fn retry_held(&mut self) -> Result<()> {
        let before = self.placed;
        for held in self.transaction.held()? {
            let arrival = Arrival { link: held.link, ..self.arrival };
            let here = std::mem::replace(&mut self.arrival, arrival);
            self.placed.held = 0;
            let done = self.round(std::slice::from_ref(&held.change));
            self.arrival = here;
            done?;
            if self.placed.held == 0 {
                self.transaction.release(held.id)?;
            }
        }
        self.placed.held = before.held;
        Ok(())
    }
}

/// An incoming field that was changed here too, without seeing each other: its column here, and which stands.
type Disputed<'c> = (&'c FieldChange, usize, merge::Field);

type Item<'t> = (&'t TableShape, &'t TableChanges, &'t RecordChange);

/// What a field of a change is here.
#[derive(Clone, Copy)]
enum Column {
    /// A column, by position.
    Field(usize, ColumnId),
    /// The making of a record that has no fields.
    Existence,
}

impl Column {
    fn id(self) -> ColumnId {
        match self {
            Self::Field(_, id) => id,
            Self::Existence => ColumnId::EXISTENCE,
        }
    }
}

fn column_of(table: &TableShape, of: &TableChanges, field: &FieldChange) -> Option<Column> {
    let name = of.columns.get(field.column)?;
    if name == EXISTENCE && table.columns.is_empty() {
        return Some(Column::Existence);
    }
    let at = table.position(name)?;
    table.columns.get(at).map(|column| Column::Field(at, column.id))
}

/// Whether a column is part of a declared foreign key.
fn is_reference(table: &TableShape, at: usize) -> bool {
    let name = table.columns.get(at).map(|column| &column.name);
    table.parents.iter().any(|parent| parent.columns.iter().any(|(here, _)| Some(here) == name))
}

fn remains_of(table: &TableShape, marks: &Marks, values: Vec<Value>) -> Remains {
    let mut remains = Remains::default();
    for (column, value) in table.columns.iter().zip(values) {
        remains.set(RemainsField { column: column.id, mark: marks.get(column.id), value });
    }
    remains
}

fn values_of(table: &TableShape, remains: &Remains) -> Vec<(usize, Value)> {
    let value = |(at, id): (usize, ColumnId)| remains.get(id).map(|field| (at, field.value.clone()));
    table.columns.iter().map(|column| column.id).enumerate().filter_map(value).collect()
}
