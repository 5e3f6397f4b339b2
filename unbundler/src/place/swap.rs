//! Records whose new unique values stand in each other's way: each change alone is refused, all together fit.
//!
//! The refused changes of one table are placed together while their records are parked, out of each other's way. What even
//! then has no room (another record has its value, or another constraint refuses it) is taken out, and the others are tried
//! once more without it. Invariant: a group is placed whole or leaves no trace.

use std::collections::{BTreeMap, BTreeSet};

use packhorse_shared::change::RecordChange;
use packhorse_shared::id::TableId;
use packhorse_shared::replica::{Held, Placement, Refusal, Result, TableShape};

use super::references::Undo;
use super::{Item, Placer, Step};
use crate::merge::Arrival;

/// How many records are parked for one group before what is left of it is held: a long chain that ends in a value which is
/// taken loses one of its records with every try. Groups of a hundred are always tried to their end.
const PARKED_MAX: usize = 20_000;

/// A refused change.
#[derive(Clone, Copy)]
pub(super) struct Candidate<'t> {
    pub item: Item<'t>,
    pub arrival: Arrival,
    /// Its place among those that were refused together.
    pub at: usize,
}

impl Placer<'_> {
    /// Places together what was refused one by one; what is left has no room even so.
    pub(super) fn swap<'t>(&mut self, refused: Vec<Item<'t>>, undos: &mut Vec<Undo<'t>>) -> Result<Vec<Item<'t>>> {
        if refused.len() < 2 {
            return Ok(refused);
        }
        let (before, arrival) = (refused.len(), self.arrival);
        let candidates = refused.into_iter().enumerate().map(|(at, item)| Candidate { item, arrival, at });
        let left = self.together(candidates.collect(), undos)?;
        let left: Vec<Item<'t>> = left.into_iter().map(|candidate| candidate.item).collect();
        if left.len() == before { Ok(left) } else { self.pass_until_settled(left, undos) }
    }

    /// The same for what is held, since the parts of a swap may have come in several bundles; tells what was placed.
    pub(super) fn swap_held(&mut self, which: &dyn Fn(&Held) -> bool) -> Result<Vec<i64>> {
        let mut all = self.transaction.held()?;
        all.retain(|held| which(held) && Refusal::of(&held.reason).is_clash());
        if all.len() < 2 {
            return Ok(Vec::new());
        }
        let tables = self.transaction.tables();
        let mut candidates = self.candidates(&tables, &all);
        let mut undos = Vec::new();
        let left = self.together(candidates.clone(), &mut undos)?;
        let left: BTreeSet<usize> = left.iter().map(|candidate| candidate.at).collect();
        candidates.retain(|candidate| !left.contains(&candidate.at));
        let held_again = self.mend_held(&candidates, undos)?;
        self.note_all_spoken_of()?;
        candidates.retain(|candidate| !held_again.contains(&candidate.at));
        let placed: Vec<i64> =
            candidates.iter().filter_map(|candidate| all.get(candidate.at)).map(|held| held.id).collect();
        placed.iter().try_for_each(|id| self.transaction.release(*id))?;
        Ok(placed)
    }

    /// What is held, as it can be placed beside what has come.
    pub(super) fn candidates<'h>(&mut self, tables: &'h [TableShape], held: &'h [Held]) -> Vec<Candidate<'h>> {
        let mut candidates = Vec::new();
        for (at, held) in held.iter().enumerate() {
            if let (Ok(table), Some(record)) = (self.fitting(tables, &held.change), held.change.records.first()) {
                let arrival = self.arrival_of(held);
                candidates.push(Candidate { item: (table, &held.change, record), arrival, at });
            }
        }
        candidates
    }

    /// Mends the references of held changes that were placed, each as it arrived; tells which go on being held for it.
    pub(super) fn mend_held(&mut self, candidates: &[Candidate<'_>], undos: Vec<Undo<'_>>) -> Result<BTreeSet<usize>> {
        let by_change: BTreeMap<*const RecordChange, &Candidate<'_>> =
            candidates.iter().map(|candidate| (std::ptr::from_ref(candidate.item.2), candidate)).collect();
        let here = self.arrival;
        let mut held_again = BTreeSet::new();
        for undo in undos {
            let Some(candidate) = by_change.get(&std::ptr::from_ref(undo.change)) else { continue };
            (self.arrival, self.placed.held) = (candidate.arrival, 0);
            self.mend_references(vec![undo])?;
            held_again.extend((self.placed.held > 0).then_some(candidate.at));
        }
        self.arrival = here;
        Ok(held_again)
    }

    fn together<'t>(
        &mut self,
        candidates: Vec<Candidate<'t>>,
        undos: &mut Vec<Undo<'t>>,
    ) -> Result<Vec<Candidate<'t>>> {
        let (mut groups, mut left) = (BTreeMap::<TableId, Vec<Candidate<'t>>>::new(), Vec::new());
        for candidate in candidates {
            match self.attempt(&candidate, undos)? {
                Step::Done => self.placed.records += 1,
                Step::Nothing => {}
                Step::Refused(words) if Refusal::of(&words).is_clash() => {
                    groups.entry(candidate.item.0.id).or_default().push(candidate);
                }
                Step::Refused(_) | Step::NumberTaken | Step::HasChild(_) | Step::MayNotDie(_) => left.push(candidate),
            }
        }
        for group in groups.into_values() {
            left.extend(self.place_group(group, undos)?);
        }
        left.sort_by_key(|candidate| candidate.at);
        Ok(left)
    }

    fn place_group<'t>(
        &mut self,
        mut group: Vec<Candidate<'t>>,
        undos: &mut Vec<Undo<'t>>,
    ) -> Result<Vec<Candidate<'t>>> {
        let (mut left, mut parked) = (Vec::new(), 0);
        while group.len() > 1 && parked < PARKED_MAX {
            parked += group.len();
            let (placed, known, spoken) = (self.placed, undos.len(), self.spoken.len());
            self.transaction.begin_part()?;
            let refused = self.place_parked(&group, undos)?;
            if refused.is_empty() && self.transaction.keep_part()? == Placement::Placed {
                return Ok(left);
            }
            self.transaction.take_back_part()?;
            self.placed = placed;
            undos.truncate(known);
            self.spoken.truncate(spoken);
            if refused.is_empty() {
                break;
            }
            let numbered = group.into_iter().enumerate();
            let (out, fitting): (Vec<_>, Vec<_>) = numbered.partition(|(at, _)| refused.contains(at));
            left.extend(out.into_iter().map(|(_, candidate)| candidate));
            group = fitting.into_iter().map(|(_, candidate)| candidate).collect();
        }
        left.extend(group);
        Ok(left)
    }

    /// Places a group whose records are parked; tells which of it, by position, are refused even so.
    fn place_parked<'t>(&mut self, group: &[Candidate<'t>], undos: &mut Vec<Undo<'t>>) -> Result<BTreeSet<usize>> {
        let mut waiting = self.park(group)?;
        if !waiting.is_empty() {
            return Ok(waiting);
        }
        waiting.extend(0..group.len());
        loop {
            let before = waiting.len();
            let mut refused = BTreeSet::new();
            for (at, candidate) in group.iter().enumerate().filter(|(at, _)| waiting.contains(at)) {
                match self.attempt(candidate, undos)? {
                    Step::Done => self.placed.records += 1,
                    Step::Nothing => {}
                    Step::Refused(_) | Step::NumberTaken | Step::HasChild(_) | Step::MayNotDie(_) => {
                        refused.insert(at);
                    }
                }
            }
            if refused.is_empty() || refused.len() == before {
                return Ok(refused);
            }
            waiting = refused;
        }
    }

    /// Parks the records of a group that stand; tells which cannot be, by position: all of them if none stands, since then
    /// nobody gives way.
    fn park(&mut self, group: &[Candidate<'_>]) -> Result<BTreeSet<usize>> {
        let (mut any, mut stuck) = (false, BTreeSet::new());
        for (at, Candidate { item: (table, _, record), arrival, .. }) in group.iter().enumerate() {
            let standing = self.transaction.find(table, &record.key)?;
            if !standing.is_some_and(|present| arrival.is_same_standing(&present, record, &table.column_ids())) {
                continue;
            }
            any = true;
            if let Placement::Refused(_) = self.transaction.park(table, &record.key)? {
                stuck.insert(at);
            }
        }
        Ok(if any { stuck } else { (0..group.len()).collect() })
    }

    pub(super) fn attempt<'t>(&mut self, candidate: &Candidate<'t>, undos: &mut Vec<Undo<'t>>) -> Result<Step> {
        let here = std::mem::replace(&mut self.arrival, candidate.arrival);
        let step = self.record(candidate.item, undos);
        self.arrival = here;
        step
    }
}
