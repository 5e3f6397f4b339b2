//! Whom what is left of a record, or what is in limbo below, refers to, where that one was deleted and its number is another's
//! by now: no record that stands anywhere refers to it, and so nobody else brings it back.
//!
//! A living record brings back what it refers to; where the number is taken, under another one, which the root gives and tells
//! (DESIGN section 6). Invariants: nobody is brought back while a bundle is placed, which may bring him itself, but for what is
//! held after it; and whoever has the number now stays who he is. Leaves to `references` those whose number is free.

use packhorse_shared::change::TableChanges;
use packhorse_shared::clock::Stamp;
use packhorse_shared::id::LinkId;
use packhorse_shared::marks::{Mark, Marks};
use packhorse_shared::replica::{Buried, Placement, Present, Residence, Result, TableShape};
use packhorse_shared::value::{Key, Value};

use super::Placer;
use crate::merge::{self, Authority};

/// The number that a reference has, its table, and whom of those who had it it means.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Displaced {
    pub table: TableShape,
    pub number: i64,
    pub meant: Meant,
}

/// Who is meant by a number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Meant {
    /// The one of this birth.
    Born(Option<Stamp>),
    /// The last who had it at that time, of those whose birth whoever says so may have dropped.
    Unnamed(Option<Stamp>),
    /// The last who had it at that time.
    At(Option<Stamp>),
}

impl Displaced {
    fn key(&self) -> Key {
        Key(vec![Value::Integer(self.number)])
    }
}

impl Placer<'_> {
    /// Brings back whom the change that was refused last refers to by what is left of it; tells whether that was done.
    pub(super) fn bring_displaced(&mut self, change: &TableChanges) -> Result<bool> {
        let mut waiting: Vec<Displaced> = self.displaced.take().into_iter().collect();
        match self.arrival.authority() {
            Authority::Here => {}
            Authority::HereForNow => return self.leave_to_hub(waiting, change),
            Authority::Sender => return Ok(false),
        }
        // Who refers to another one that was displaced waits for that, unless that goes round in a circle.
        while let Some(last) = waiting.last().cloned() {
            let Some(left) = self.displaced_one(&last)? else { return Ok(false) };
            if self.bring_elsewhere(&last, left)? {
                waiting.pop();
                if waiting.is_empty() {
                    return Ok(true);
                }
                continue;
            }
            match self.displaced.take() {
                Some(next) if !waiting.contains(&next) => waiting.push(next),
                _ => return Ok(false),
            }
        }
        Ok(false)
    }

    /// What is left of the one who is meant.
    fn displaced_one(&mut self, of: &Displaced) -> Result<Option<Buried>> {
        let left = self.transaction.remains(&of.table, &of.key())?.into_iter();
        let had_it = left.filter(|left| self.may_be_meant(of.meant, left.birth) && !left.remains.withdrawn);
        let last = had_it.max_by_key(|left| left.remains.dead.map(|dead| dead.stamp));
        let is_whole = |left: &Buried| of.table.columns.iter().all(|column| left.remains.get(column.id).is_some());
        Ok(last.filter(|left| left.remains.dead.is_some() && is_whole(left)))
    }

    /// Our hub decides: what stands here goes up with the change that would refer to who was displaced, as what does not stand
    /// here, and comes back from there with him.
    fn leave_to_hub(&mut self, displaced: Vec<Displaced>, change: &TableChanges) -> Result<bool> {
        for of in &displaced {
            if self.displaced_one(of)?.is_none() {
                return Ok(false);
            }
        }
        let tables = self.transaction.tables();
        let (table, record) = (TableShape::named(&tables, &change.table), change.records.first());
        let (Some(table), Some(record)) = (table.filter(|_| !displaced.is_empty()), record) else { return Ok(false) };
        let standing = self.transaction.find(table, &record.key)?;
        match standing.is_some_and(|present| self.is_meant(table, &present, record)) {
            true => self.change_in_limbo(table, change, record),
            false => Ok(false),
        }
    }

    fn bring_elsewhere(&mut self, of: &Displaced, left: Buried) -> Result<bool> {
        let table = &of.table;
        let Ok(fields) = self.meant(table, &left.remains, None)? else { return Ok(false) };
        let Some(number) = self.free_number(table)? else { return Ok(false) };
        let (key, marks, before) = (Key(vec![Value::Integer(number)]), merge::marks_left(&left.remains), self.placed);
        self.transaction.begin_part()?;
        let placed = self.transaction.insert(table, &key, &fields)?;
        if placed != Placement::Placed || !self.has_parents(table, &key, &marks)? {
            self.placed = before;
            return self.transaction.take_back_part().map(|()| false);
        }
        self.transaction.keep_part()?;
        let birth = Some(self.transaction.tick());
        self.come_back(table, (of.key(), left.birth), Residence { key, birth }, marks)?;
        Ok(true)
    }

    /// Whoever knows it as it was is told what it is now, and has all of it.
    fn come_back(
        &mut self,
        table: &TableShape,
        (key, birth): (Key, Option<Stamp>),
        to: Residence,
        mut marks: Marks,
    ) -> Result<()> {
        let decided = Mark { stamp: self.transaction.tick(), cut: self.arrival.cut, via: LinkId::LOCAL };
        merge::live_on(&mut marks, &table.column_ids(), &table.identity, decided, self.arrival.horizon);
        self.transaction.unbury(table, &key, birth)?;
        self.note_who_may_have(table, &key, &to.key)?;
        self.tell_unions(table, &to, Present { birth: to.birth, marks })?;
        self.placed.revived += 1;
        let text = format!(
            "{0} {key} was deleted and its number given to another, but is referred to: it is {0} {1} now",
            table.name, to.key
        );
        self.note_union(table, Residence { key, birth }, to)?;
        self.transaction.note(&text, self.now)
    }
}
