//! Records that make room for others under their numbers, and the children that mean those.
//!
//! A record was deleted at its origin and another made under its number, while a child referred to that number all along: the
//! deletion waits for the child, the new record for the number, and the child for the new record. Owns placing all of them
//! together, with what is held of them. Invariant: it is kept only when every child that was to let go of a dying record does
//! so by a change that stands; else no trace is left, and each goes its own way. So no child ever comes to mean another record
//! than at its origin. Leaves to `leaving` which children those are.

use std::collections::{BTreeMap, BTreeSet};

use packhorse_shared::change::{RecordChange, TableChanges};
use packhorse_shared::id::TableId;
use packhorse_shared::replica::{Held, KeyKind, Placement, Result, TableShape};
use packhorse_shared::value::Key;

use super::identity::{Births, Place, is_dead, numbered};
use super::leaving::Leaving;
use super::references::Undo;
use super::swap::Candidate;
use super::{Item, Placer, Step};
use crate::merge::{self, Authority};

/// Records, by table and key.
pub(super) type Records = BTreeSet<(TableId, Key)>;

/// How often it is tried, each time without those that could not be placed the time before.
const TRIES: usize = 8;

/// What came of a try.
enum Outcome<'t> {
    /// All stands; this is refused for other reasons.
    Kept(Vec<Item<'t>>),
    /// Nothing does, because of these children.
    TakenBack(Records),
}

/// What a part is tried with.
struct Try<'r, 't, 'h> {
    refused: &'r [Item<'t>],
    held: &'r [Candidate<'h>],
    dying: &'r Records,
    leaving: &'r Leaving,
}

/// What a part has left, and can be mended of what it has placed.
#[derive(Default)]
struct Tried<'t, 'h> {
    left: Vec<Item<'t>>,
    /// Of what is held.
    waiting: Vec<Candidate<'h>>,
    /// Whether anything was placed in expectation of something else.
    on_trust: bool,
    undos: Vec<Undo<'t>>,
    held_undos: Vec<Undo<'h>>,
}

impl Placer<'_> {
    /// The numbers of records here that a bundle lets die and gives to others.
    pub(super) fn vacated_by(
        &mut self,
        tables: &[TableShape],
        bundle: &[TableChanges],
    ) -> Result<BTreeSet<(TableId, i64)>> {
        let mut vacated = BTreeSet::new();
        for changes in bundle {
            let table = TableShape::named(tables, &changes.table);
            let Some(table) = table.filter(|table| table.key_kind == KeyKind::Assigned) else { continue };
            // Whoever comes in is told of apart from who dies.
            let of_table = bundle.iter().filter(|other| other.table.eq_ignore_ascii_case(&changes.table));
            let dead = of_table.flat_map(|other| &other.records).filter(|record| is_dead(record));
            let dead: BTreeMap<&Key, &RecordChange> = dead.map(|record| (&record.key, record)).collect();
            if dead.is_empty() {
                continue;
            }
            for (number, record) in changes.records.iter().filter_map(|record| Some((numbered(record)?.0, record))) {
                let before = dead.get(&record.key).filter(|before| before.birth != record.birth);
                if let Some(before) = before
                    && self.is_doomed(table, before)?
                {
                    vacated.insert((table.id, number));
                }
            }
        }
        Ok(vacated)
    }

    /// Records whose key holds a number follow their parent to the one that it gets here, and leave the sender without what
    /// stands here under the old key, if that is another: it goes there whole.
    pub(super) fn send_under_old_keys(
        &mut self,
        tables: &[TableShape],
        bundle: &[TableChanges],
        rekeyed: BTreeSet<Place>,
    ) -> Result<()> {
        if self.arrival.authority() == Authority::Sender {
            return Ok(());
        }
        for (at, number) in rekeyed {
            let Some(changes) = bundle.get(at) else { continue };
            let table = TableShape::named(tables, &changes.table);
            let (Some(table), Some(record)) = (table, changes.records.get(number)) else { continue };
            if let Some(mut present) = self.transaction.find(table, &record.key)? {
                merge::send_whole(&mut present.marks, &table.column_ids(), self.arrival.cut, self.arrival.horizon);
                self.transaction.mark(table, &record.key, &present)?;
            }
        }
        Ok(())
    }

    /// Places what waits in such a circle; what is left is refused for other reasons.
    pub(super) fn make_room_for_new<'t>(
        &mut self,
        refused: Vec<Item<'t>>,
        undos: &mut Vec<Undo<'t>>,
    ) -> Result<Vec<Item<'t>>> {
        let doomed = self.doomed(&refused)?;
        if doomed.is_empty() {
            return Ok(refused);
        }
        let all = doomed.iter().map(|(table, key)| (table.id, (*key).clone())).collect();
        let (tables, held) = (self.transaction.tables(), self.transaction.held()?);
        let candidates = self.candidates(&tables, &held);
        let mut leaving = self.leaving(&refused, &candidates, &all)?;
        for _ in 0..TRIES {
            let dying = self.without_living_children(doomed.clone(), &leaving.keys().cloned().collect())?;
            leaving.retain(|_, lets_go| !lets_go.is_disjoint(&dying));
            if leaving.is_empty() {
                break;
            }
            let with = Try { refused: &refused, held: &candidates, dying: &dying, leaving: &leaving };
            match self.try_together(&with, &held, undos)? {
                Outcome::Kept(left) => return Ok(left),
                Outcome::TakenBack(stuck) if stuck.is_empty() => break,
                Outcome::TakenBack(stuck) => leaving.retain(|child, _| !stuck.contains(child)),
            }
        }
        Ok(refused)
    }

    fn try_together<'t>(
        &mut self,
        with: &Try<'_, 't, '_>,
        held: &[Held],
        undos: &mut Vec<Undo<'t>>,
    ) -> Result<Outcome<'t>> {
        let (placed, confirms, spoken) = (self.placed, self.confirms.clone(), self.spoken.len());
        self.transaction.begin_part()?;
        self.dying = with.dying.iter().chain(with.leaving.keys()).cloned().collect();
        let tried = self.in_part(with);
        self.dying.clear();
        self.coming.clear();
        let tried = tried?;
        let stuck = with.stuck(&tried);
        let is_whole = stuck.is_empty() && self.has_come(&tried)?;
        if is_whole && self.transaction.keep_part()? == Placement::Placed {
            undos.extend(tried.undos);
            self.release_placed(with.held, &tried.waiting, tried.held_undos, held)?;
            return Ok(Outcome::Kept(tried.left));
        }
        self.transaction.take_back_part()?;
        (self.placed, self.confirms) = (placed, confirms);
        self.spoken.truncate(spoken);
        Ok(Outcome::TakenBack(stuck))
    }

    /// Places all that can be: first what waits for nothing but the deaths, then what waits for each other besides.
    fn in_part<'t, 'h>(&mut self, with: &Try<'_, 't, 'h>) -> Result<Tried<'t, 'h>> {
        let (left, waiting) = (with.refused.to_vec(), with.held.to_vec());
        let mut tried = Tried { left, waiting, ..Tried::default() };
        self.settle(&mut tried)?;
        if !with.stuck(&tried).is_empty() {
            (self.coming, tried.on_trust) = (tried.births(), true);
            self.settle(&mut tried)?;
        }
        Ok(tried)
    }

    fn settle(&mut self, tried: &mut Tried<'_, '_>) -> Result<()> {
        loop {
            let before = tried.left.len() + tried.waiting.len();
            tried.left = self.pass(std::mem::take(&mut tried.left), &mut tried.undos)?;
            let mut waiting = Vec::new();
            for candidate in std::mem::take(&mut tried.waiting) {
                match self.attempt(&candidate, &mut tried.held_undos)? {
                    Step::Done => self.placed.records += 1,
                    Step::Nothing => {}
                    Step::Refused(_) | Step::NumberTaken | Step::HasChild(_) | Step::MayNotDie(_) => {
                        waiting.push(candidate)
                    }
                }
            }
            tried.waiting = waiting;
            if tried.left.len() + tried.waiting.len() == before {
                return Ok(());
            }
        }
    }

    /// Whether everything has come that anything was placed in expectation of.
    fn has_come(&mut self, tried: &Tried<'_, '_>) -> Result<bool> {
        for (table, _, record) in tried.unplaced() {
            let is_numbered = table.key_kind == KeyKind::Assigned;
            if let Some(birth) = record.birth.filter(|_| tried.on_trust && is_numbered)
                && self.transaction.number_of(table, birth)?.is_none()
            {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Lets go of what was held and stands now, unless a reference keeps it so.
    fn release_placed<'h>(
        &mut self,
        all: &[Candidate<'h>],
        waiting: &[Candidate<'h>],
        undos: Vec<Undo<'h>>,
        held: &[Held],
    ) -> Result<()> {
        let waiting: BTreeSet<usize> = waiting.iter().map(|candidate| candidate.at).collect();
        let placed: Vec<_> = all.iter().filter(|candidate| !waiting.contains(&candidate.at)).copied().collect();
        let known = self.placed.held;
        let held_again = self.mend_held(&placed, undos)?;
        self.placed.held = known;
        for candidate in placed.iter().filter(|candidate| !held_again.contains(&candidate.at)) {
            if let Some(held) = held.get(candidate.at) {
                self.transaction.release(held.id)?;
            }
        }
        self.held = None;
        Ok(())
    }
}

impl Try<'_, '_, '_> {
    /// The children that were to let go and did not.
    fn stuck(&self, tried: &Tried<'_, '_>) -> Records {
        let unplaced = tried.unplaced().map(|(table, _, record)| (table.id, record.key.clone()));
        unplaced.filter(|child| self.leaving.contains_key(child)).collect()
    }
}

impl<'t, 'h> Tried<'t, 'h> {
    fn unplaced(&self) -> impl Iterator<Item = Item<'_>> {
        self.left.iter().copied().chain(self.waiting.iter().map(|candidate| candidate.item))
    }

    fn births(&self) -> Births {
        self.unplaced().filter_map(|(table, _, record)| Some((table.id, record.birth?))).collect()
    }
}
