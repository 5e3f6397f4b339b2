//! Two records for one person made into one because somebody says so: what refers to the one refers to the other from now on, and
//! the first is deleted.
//!
//! All of that are edits made here and now, which travel as such; either record may be held. Invariant: nothing that refers to the
//! one who goes is lost. It goes over, or all is refused. Leaves to `handed_over` and `handed_on` what goes over, and to `give_way`
//! how the other ends place that together.

use packhorse_shared::change::{Passage, RecordChange, TableChanges};
use packhorse_shared::replica::{Held, Result, TableShape};
use packhorse_shared::value::Key;

use super::handed_on::{Goer, Gone};
use super::{Placer, Step};
use crate::merge;

/// One of the two records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Party {
    /// It stands in its table.
    Standing {
        /// The table.
        table: String,
        /// Its key.
        key: Key,
    },
    /// Something of it is held, under this number.
    Held(i64),
}

/// Done, or why not.
pub(super) type Refusable<T> = std::result::Result<T, String>;

/// A record as one of the two.
enum Found {
    Standing(Key),
    Waiting(Box<Held>, Box<RecordChange>),
}

impl Placer<'_> {
    /// Makes one record of two, of which the first is kept; tells the key under which it stands.
    pub(super) fn join(&mut self, keep: &Party, other: &Party) -> Result<Refusable<Key>> {
        let tables = self.transaction.tables();
        let ((table, keep), (of_other, other)) = match (self.party(&tables, keep)?, self.party(&tables, other)?) {
            (Ok(keep), Ok(other)) => (keep, other),
            (Err(why), _) | (_, Err(why)) => return Ok(Err(why)),
        };
        if table.id != of_other.id {
            return Ok(Err("the two are of different tables".to_owned()));
        }
        match (keep, other) {
            (Found::Standing(keep), Found::Standing(other)) if keep == other => {
                Ok(Err("the two are the same record".to_owned()))
            }
            (Found::Standing(keep), Found::Standing(other)) => self.join_standing(table, &keep, &other),
            (Found::Waiting(keep, record), Found::Standing(other)) => {
                self.join_into_held(table, (&keep, &record), &other)
            }
            (Found::Standing(keep), Found::Waiting(other, record)) => self.join_held(table, keep, (&other, &record)),
            (Found::Waiting(..), Found::Waiting(..)) => {
                Ok(Err("neither of the two stands in its table: see to what one of them waits for first".to_owned()))
            }
        }
    }

    fn party<'t>(&mut self, tables: &'t [TableShape], party: &Party) -> Result<Refusable<(&'t TableShape, Found)>> {
        match party {
            Party::Standing { table: name, key } => {
                let Some(table) = TableShape::named(tables, name) else {
                    return Ok(Err(format!("table \"{name}\" is not synced in this database")));
                };
                let stands = self.transaction.find(table, key)?.is_some();
                Ok(stands
                    .then(|| (table, Found::Standing(key.clone())))
                    .ok_or_else(|| format!("there is no {name} {key}")))
            }
            Party::Held(id) => {
                let held = self.transaction.held()?.into_iter().find(|held| held.id == *id);
                let held = held.and_then(|held| Some((held.change.records.first()?.clone(), held)));
                let Some((record, held)) = held else { return Ok(Err(format!("nothing is held under {id} any more"))) };
                let table = match self.fitting(tables, &held.change) {
                    Ok(table) => table,
                    Err(why) => return Ok(Err(why)),
                };
                if let Some((key, _)) = self.standing_as(table, &record)? {
                    return Ok(Ok((table, Found::Standing(key))));
                }
                if !record.whole || record.dead.is_some() {
                    return Ok(Err(format!("what is held under {id} is not all of a record")));
                }
                Ok(Ok((table, Found::Waiting(Box::new(held), Box::new(record)))))
            }
        }
    }

    fn join_standing(&mut self, table: &TableShape, keep: &Key, other: &Key) -> Result<Refusable<Key>> {
        let (from, to) = (self.end(table, other)?, self.end(table, keep)?);
        let children = self.transaction.living_children(table, other)?;
        if let Err(why) = self.hand_over(&children, &from, &to)? {
            return Ok(Err(why));
        }
        match self.die_for(table, other)? {
            Ok(()) => self.renew(table, keep).map(|()| Ok(keep.clone())),
            Err(why) => Ok(Err(why)),
        }
    }

    /// The one that is held takes the place of the one that stands.
    fn join_into_held(
        &mut self,
        table: &TableShape,
        (keep, record): (&Held, &RecordChange),
        other: &Key,
    ) -> Result<Refusable<Key>> {
        let from = self.end(table, other)?;
        let children = self.transaction.living_children(table, other)?;
        self.dying.extend(children.iter().cloned());
        let dead = self.die_for(table, other);
        self.dying.clear();
        if let Err(why) = dead? {
            return Ok(Err(why));
        }
        if self.retry_held(&|held| held.id == keep.id)?.is_empty() {
            let why = self.transaction.held()?.into_iter().find(|held| held.id == keep.id).map(|held| held.reason);
            return Ok(Err(why.unwrap_or_else(|| "it has no room even so".to_owned())));
        }
        let Some((key, _)) = self.standing_as(table, record)? else {
            return Ok(Err("it did not come to stand".to_owned()));
        };
        // What came with it is there before what refers to the other goes over: some of that may say the same.
        while !self.retry_held(&|_| true)?.is_empty() {}
        let to = self.end(table, &key)?;
        match self.hand_over(&children, &from, &to)? {
            Ok(()) => self.renew(table, &key).map(|()| Ok(key)),
            Err(why) => Ok(Err(why)),
        }
    }

    /// The one that is held goes, and what is held with it refers to the one that stands.
    fn join_held(
        &mut self,
        table: &TableShape,
        keep: Key,
        (other, record): (&Held, &RecordChange),
    ) -> Result<Refusable<Key>> {
        let birth = self.transaction.find(table, &keep)?.and_then(|present| present.birth);
        let why = format!("`packhorse held merge` made it one with {} {keep}", table.name);
        let gone = Gone { goer: Goer { table, record }, to: self.end(table, &keep)?, birth, why };
        let arrival = self.arrival_of(other);
        let here = std::mem::replace(&mut self.arrival, arrival);
        let unmade = self.unmake((table, &other.change, record), &gone.why);
        self.arrival = here;
        unmade?;
        self.transaction.release(other.id)?;
        self.held = None;
        match self.hand_on(&gone)? {
            Ok(()) => self.renew(table, &keep).map(|()| Ok(keep)),
            Err(why) => Ok(Err(why)),
        }
    }

    /// Edits the one that is kept anew, as it is: whoever makes the same two into the other at the same time takes away the one or
    /// the other, and not both.
    pub(super) fn renew(&mut self, table: &TableShape, key: &Key) -> Result<()> {
        let Some(mut present) = self.transaction.find(table, key)? else { return Ok(()) };
        let mark = self.decided();
        merge::live_on(&mut present.marks, &table.column_ids(), &table.identity, mark, self.arrival.horizon);
        self.transaction.mark(table, key, &present)
    }

    /// Deletes a record that stands.
    pub(super) fn die_for(&mut self, table: &TableShape, key: &Key) -> Result<Refusable<()>> {
        let Some(present) = self.transaction.find(table, key)? else { return Ok(Ok(())) };
        let dead = self.transaction.tick();
        let record =
            RecordChange { key: key.clone(), birth: present.birth, dead: Some(dead), whole: false, fields: Vec::new() };
        let of = TableChanges {
            table: table.name.clone(),
            passage: Passage::Within,
            key_columns: table.keys.clone(),
            columns: Vec::new(),
            records: Vec::new(),
        };
        Ok(match self.delete(table, &of, &record, present, dead)? {
            Step::Done | Step::Nothing => Ok(()),
            Step::HasChild(child) => Err(format!("{child} still refers to {} {key}", table.name)),
            Step::Refused(words) | Step::MayNotDie(words) => {
                Err(format!("{} {key} cannot be deleted: {words}", table.name))
            }
            Step::NumberTaken => Err(format!("{} {key} cannot be deleted", table.name)),
        })
    }
}
