//! The remote's side of uniting: its hub has decided that a record made here is one with another.
//!
//! Owns the word by which that is told, and what it asks for here: our record becomes the hub's, or goes into it if that
//! stands already. Invariant: what cannot be done yet is held, and nothing of it is done.

use std::collections::BTreeMap;

use packhorse_shared::change::{EXISTENCE, RecordChange, TableChanges};
use packhorse_shared::clock::Stamp;
use packhorse_shared::id::{LinkId, TableId};
use packhorse_shared::marks::Mark;
use packhorse_shared::replica::{KeyKind, Placement, Present, Refusal, Residence, Result, TableShape};
use packhorse_shared::value::{Key, Value};

use super::Placer;
use super::column::column_of;
use super::follow::says_only_number;
use super::identity::{Part, number_of};
use crate::merge::Authority;

/// Done, or refused in these words.
type Refusable = std::result::Result<(), String>;

/// What records are one with, by table and birth.
type Unions = BTreeMap<(TableId, Stamp), Residence>;

/// What a change's record is one with, if that is what it says: its existence is that of the record which it names
/// (FORMAT.md).
pub(super) fn union_told(table: &TableShape, of: &TableChanges, record: &RecordChange) -> Option<Residence> {
    let said = || record.fields.iter().find(|field| matches!(field.value, Value::Integer(_)));
    let field = says_only_number(table, of, record).then(said)??;
    Some(Residence { key: Key(vec![field.value.clone()]), birth: field.refers_to })
}

/// The numbers that records have left which are one with others.
pub(super) fn left_by_unions(tables: &[TableShape], bundle: &[TableChanges]) -> Vec<(TableId, i64)> {
    let mut numbers = Vec::new();
    for changes in bundle {
        let table = TableShape::named(tables, &changes.table);
        let Some(table) = table.filter(|table| table.key_kind == KeyKind::Assigned) else { continue };
        let told = changes.records.iter().filter(|record| union_told(table, changes, record).is_some());
        numbers.extend(told.filter_map(|record| Some((table.id, number_of(&record.key)?))));
    }
    numbers
}

/// Whether a record has a value by the same change as what a bundle says of another: no two records have that.
pub(super) fn shares_a_change(table: &TableShape, ours: &Present, theirs: &Residence, bundle: &[TableChanges]) -> bool {
    let of_table = bundle.iter().filter(|of| table.name.eq_ignore_ascii_case(&of.table));
    let is_theirs = |record: &&RecordChange| theirs.birth.is_some() && record.birth == theirs.birth;
    let mut fields = of_table
        .flat_map(|of| of.records.iter().filter(is_theirs).flat_map(move |it| it.fields.iter().map(move |f| (of, f))));
    fields.any(|(of, field)| {
        let ours = column_of(table, of, field).and_then(|column| ours.marks.get(column.id()));
        !field.stamp.is_of_horizon() && ours.is_some_and(|mark| mark.stamp == field.stamp)
    })
}

impl Placer<'_> {
    /// Makes one what the hub says is one.
    pub(super) fn hear_unions(&mut self, tables: &[TableShape], bundle: &[TableChanges]) -> Result<()> {
        let mut unknown = Unions::new();
        for changes in bundle.iter().filter(|changes| changes.columns.iter().any(|name| name == EXISTENCE)) {
            let table = TableShape::named(tables, &changes.table);
            let Some(table) = table.filter(|table| table.key_kind == KeyKind::Assigned) else { continue };
            for record in &changes.records {
                let Some(to) = union_told(table, changes, record) else { continue };
                if let Some(birth) = record.birth
                    && self.transaction.number_of(table, birth)?.is_none()
                {
                    unknown.insert((table.id, birth), to.clone());
                }
                if let Err(reason) = self.hear_union(table, record, &to, bundle)? {
                    self.hold(changes, record, &reason)?;
                    continue;
                }
                self.pass_on(table, &to)?;
            }
        }
        if unknown.is_empty() { Ok(()) } else { self.unite_held(tables, &unknown) }
    }

    /// Nodes behind this one are told in their turn.
    fn pass_on(&mut self, table: &TableShape, to: &Residence) -> Result<()> {
        match self.transaction.find(table, &to.key)? {
            Some(present) if self.arrival.is_known_by(&present, to.birth, &table.column_ids()) => {
                self.tell_unions(table, to, present)
            }
            _ => {
                let confirmed = to.birth.map(|birth| ((table.id, to.key.clone()), birth));
                self.confirms.extend(confirmed);
                Ok(())
            }
        }
    }

    /// What is held may speak of a record that never stood here and is one with another.
    fn unite_held(&mut self, tables: &[TableShape], unions: &Unions) -> Result<()> {
        for held in self.transaction.held()? {
            let Ok(table) = self.fitting(tables, &held.change) else { continue };
            let mut change = held.change.clone();
            let Some(record) = change.records.first_mut() else { continue };
            if let Some(to) = record.birth.and_then(|birth| unions.get(&(table.id, birth))) {
                (record.key, record.birth) = (to.key.clone(), to.birth);
            }
            self.unite_references(tables, (table, &held.change), record, unions)?;
            if change != held.change {
                self.transaction.release(held.id)?;
                self.transaction.hold((held.link, held.seen), &change, &held.reason, self.now)?;
                self.held = None;
            }
        }
        Ok(())
    }

    fn unite_references(
        &mut self,
        tables: &[TableShape],
        (table, of): (&TableShape, &TableChanges),
        record: &mut RecordChange,
        unions: &Unions,
    ) -> Result<()> {
        for at in 0..record.fields.len() {
            let Some(field) = record.fields.get(at).filter(|field| field.refers_to.is_some()).cloned() else {
                continue;
            };
            let Some((part, parent)) = self.referred(table, (of, record, &record.key), &field, at)? else { continue };
            let parent = TableShape::named(tables, parent).map(|table| table.id);
            let Some(to) = parent.zip(field.refers_to).and_then(|referred| unions.get(&referred)) else { continue };
            let number = to.key.0.first().cloned().unwrap_or(field.value);
            if let Part::Key(place) = part {
                record.key.0.get_mut(place).into_iter().for_each(|value| *value = number.clone());
            }
            record.fields.get_mut(at).into_iter().for_each(|field| {
                (field.value, field.refers_to) = (number.clone(), to.birth);
            });
        }
        Ok(())
    }

    fn hear_union(
        &mut self,
        table: &TableShape,
        record: &RecordChange,
        to: &Residence,
        bundle: &[TableChanges],
    ) -> Result<Refusable> {
        let ours = Residence { key: record.key.clone(), birth: record.birth };
        let told = record.fields.iter().map(|field| field.stamp).max();
        if let Some(before) = self.decided_otherwise(table, &ours, to)
            && let Err(reason) = self.be_one(table, before, to, None, bundle)?
        {
            return Ok(Err(reason));
        }
        self.be_one(table, ours, to, told, bundle)
    }

    /// Makes a record one with what the hub says it is; `told`: when it is known to have been what it is known by.
    fn be_one(
        &mut self,
        table: &TableShape,
        mut ours: Residence,
        to: &Residence,
        told: Option<Stamp>,
        bundle: &[TableChanges],
    ) -> Result<Refusable> {
        // Who does not have it, or has dropped its birth, passes the word on all the same: others behind it may have kept it.
        if let Some((key, present)) =
            self.still_standing(table, &ours, told, |present| shares_a_change(table, present, to, bundle))?
        {
            ours.key = key;
            if ours.key != to.key && self.keeps_apart(table, &to.key)? {
                return Ok(Err(self.waits_since("that may know the same record by another number")));
            }
            if let Err(reason) = self.become_one(table, &ours, to, present)? {
                return Ok(Err(reason));
            }
        } else {
            self.note_who_may_have(table, &ours.key, &to.key)?;
        }
        self.note_union(table, ours, to.clone()).map(Ok)
    }

    fn become_one(
        &mut self,
        table: &TableShape,
        ours: &Residence,
        to: &Residence,
        present: Present,
    ) -> Result<Refusable> {
        let theirs = self.transaction.find(table, &to.key)?;
        let theirs = theirs.filter(|theirs| self.arrival.is_known_by(theirs, to.birth, &table.column_ids()));
        let united = match theirs {
            Some(theirs) => self.take_into(table, (&ours.key, present), (&to.key, theirs))?,
            None => self.become_theirs(table, ours, to, present)?,
        };
        match united {
            Ok(united) => self.transaction.mark(table, &to.key, &united).map(Ok),
            Err(reason) => Ok(Err(reason)),
        }
    }

    /// Our record takes the number and the birth of the hub's.
    pub(super) fn become_theirs(
        &mut self,
        table: &TableShape,
        ours: &Residence,
        theirs: &Residence,
        mut present: Present,
    ) -> Result<std::result::Result<Present, String>> {
        let ([Value::Integer(from)], [Value::Integer(to)]) = (ours.key.0.as_slice(), theirs.key.0.as_slice()) else {
            return Ok(Err("it has no number".to_owned()));
        };
        if from != to {
            if let Some(birth) = theirs.birth {
                self.make_room(table, *to, birth)?;
            }
            if let Placement::Refused(reason) = self.transaction.renumber(table, *from, *to)? {
                return Ok(Err(reason));
            }
        }
        self.transaction.unbury(table, &theirs.key, theirs.birth)?;
        present.birth = theirs.birth;
        // Nodes behind us know it by the birth that it had: they are told of it whole.
        let all = Mark { cut: self.arrival.cut, via: LinkId::LOCAL, stamp: self.arrival.horizon.stamp() };
        for column in table.column_ids() {
            let stamp = present.marks.get(column).map_or(all.stamp, |mark| mark.stamp);
            present.marks.set(column, Mark { stamp, ..all });
        }
        Ok(Ok(present))
    }

    /// One record goes into another that is the same, with the later value of each field; what that has then, or why it
    /// cannot. All that referred to the one refers to the other.
    pub(super) fn take_into(
        &mut self,
        table: &TableShape,
        (old, ours): (&Key, Present),
        (new, theirs): (&Key, Present),
    ) -> Result<std::result::Result<Present, String>> {
        let ([Value::Integer(from)], [Value::Integer(to)]) = (old.0.as_slice(), new.0.as_slice()) else {
            return Ok(Err("it has no number".to_owned()));
        };
        let values = self.transaction.values(table, old)?;
        let (mut fields, mut united) = (Vec::new(), theirs);
        for (at, (column, value)) in table.columns.iter().zip(values).enumerate() {
            let known = united.marks.get(column.id).map_or(self.arrival.horizon.stamp(), |mark| mark.stamp);
            if let Some(mark) = ours.marks.get(column.id).filter(|mark| mark.stamp > known) {
                // It goes to everybody, as a field of the one that is left.
                united.marks.set(column.id, Mark { cut: self.arrival.cut, via: LinkId::LOCAL, ..mark });
                fields.push((at, value));
            }
        }
        self.transaction.begin_part()?;
        let mut done = self.transaction.absorb(table, *from, *to)?;
        if done == Placement::Placed {
            done = self.transaction.update(table, new, &fields)?;
        }
        match done {
            Placement::Placed => self.transaction.keep_part().map(|_| Ok(united)),
            Placement::Refused(reason) => self.transaction.take_back_part().map(|()| Err(reason)),
        }
    }

    /// Why a record of the hub's has no room, if that is because ours is the same and the hub has not heard of it yet.
    pub(super) fn same_here(
        &mut self,
        table: &TableShape,
        of: &TableChanges,
        record: &RecordChange,
        reason: &str,
    ) -> Result<Option<String>> {
        let is_hubs = self.arrival.authority() == Authority::Sender && !table.identity.is_empty();
        if !is_hubs || !Refusal::of(reason).is_clash() {
            return Ok(None);
        }
        let tables = self.transaction.tables();
        let Some(values) = self.identity_of(&tables, table, of, record)? else { return Ok(None) };
        let Some(key) = self.transaction.identical(table, &values[..])? else { return Ok(None) };
        let Some(ours) = self.transaction.find(table, &key)? else { return Ok(None) };
        let mut marks = table.columns.iter().filter_map(|column| ours.marks.get(column.id));
        let is_new = ours.birth.is_some() && !marks.any(|mark| self.arrival.knows(mark));
        let is_unseen = is_new || self.lives_on_unseen(table, of, (record, &key), &ours)?;
        Ok(is_unseen.then(|| Refusal::same(&table.name, &key)))
    }

    /// Whether the hub has deleted the record of ours in the way and made theirs since, and not heard yet that ours lives on.
    fn lives_on_unseen(
        &mut self,
        table: &TableShape,
        of: &TableChanges,
        (record, key): (&RecordChange, &Key),
        ours: &Present,
    ) -> Result<bool> {
        let edited = table.identity.first().and_then(|column| ours.marks.get(*column));
        if edited.is_none_or(|mark| self.arrival.knows(mark)) {
            return Ok(false);
        }
        // Once it is held for that, so it is until the hub has heard.
        let at = (of.table.clone(), record.key.clone());
        let mut held = self.held()?.get(&at).into_iter().flatten();
        let was_so = held.any(|held| matches!(Refusal::of(&held.reason), Refusal::Same(_)));
        Ok(was_so || self.living_on.contains(&(table.id, key.clone())))
    }
}
