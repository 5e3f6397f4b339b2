//! A record that dies so that another can stand, and what goes over from the one to the other: the deletion waits for what refers
//! to it, that for the record that it goes over to, and this for the deletion, as it has the same unique value.
//!
//! Invariant: the deletion, what goes over and whoever takes its place are placed together, or leave no trace. That other record
//! may come by the same bundle, or have been held for its value.

use std::collections::BTreeSet;

use packhorse_shared::id::TableId;
use packhorse_shared::replica::{Placement, Refusal, Result, TableShape};
use packhorse_shared::value::Key;

use super::references::Undo;
use super::swap::Candidate;
use super::{Item, Placer, Step};

type Records = BTreeSet<(TableId, Key)>;

impl Placer<'_> {
    /// Places together what waits for each other so; what is left has no room even so.
    pub(super) fn give_way<'t>(&mut self, refused: Vec<Item<'t>>, undos: &mut Vec<Undo<'t>>) -> Result<Vec<Item<'t>>> {
        let doomed = self.doomed(&refused)?;
        let living = refused.iter().filter(|(_, _, record)| record.dead.is_none());
        let going_over: Records = living.map(|(table, _, record)| (table.id, record.key.clone())).collect();
        if doomed.is_empty() || going_over.is_empty() {
            return Ok(refused);
        }
        let dying = self.without_living_children(doomed, &going_over)?;
        if dying.is_empty() {
            return Ok(refused);
        }
        let (placed, known, spoken) = (self.placed, undos.len(), self.spoken.len());
        let confirms = self.confirms.clone();
        self.transaction.begin_part()?;
        match self.gone_over(refused.clone(), (&dying, &going_over), undos)? {
            Some(left) if self.transaction.keep_part()? == Placement::Placed => Ok(left),
            _ => {
                self.transaction.take_back_part()?;
                (self.placed, self.confirms, self.held) = (placed, confirms, None);
                undos.truncate(known);
                self.spoken.truncate(spoken);
                Ok(refused)
            }
        }
    }

    /// What is still refused when these have died; None if any of them would leave somebody behind.
    fn gone_over<'t>(
        &mut self,
        refused: Vec<Item<'t>>,
        (dying, going_over): (&Records, &Records),
        undos: &mut Vec<Undo<'t>>,
    ) -> Result<Option<Vec<Item<'t>>>> {
        let is_dying =
            |(table, _, record): &Item<'t>| record.dead.is_some() && dying.contains(&(table.id, record.key.clone()));
        let (deaths, others): (Vec<_>, Vec<_>) = refused.into_iter().partition(is_dying);
        // Once they are dead nobody is found by them.
        let children = self.children_of(dying)?;
        self.dying = dying | going_over;
        let alive = self.pass(deaths, undos);
        self.dying.clear();
        if !alive?.is_empty() {
            return Ok(None);
        }
        self.place_who_was_held(dying)?;
        let left = self.pass_until_settled(others, undos)?;
        Ok((!self.are_left_behind(&children, dying)?).then_some(left))
    }

    /// Who refers to any of these records.
    fn children_of(&mut self, records: &Records) -> Result<Records> {
        let (tables, mut children) = (self.transaction.tables(), Records::new());
        for (id, key) in records {
            let Some(table) = TableShape::with_id(&tables, *id) else { continue };
            children.extend(self.transaction.living_children(table, key)?);
        }
        Ok(children)
    }

    /// Whether any of these refers to one of the dead still, or anybody to another who has the number of one by now.
    fn are_left_behind(&mut self, children: &Records, dead: &Records) -> Result<bool> {
        let tables = self.transaction.tables();
        if !self.children_of(dead)?.is_empty() {
            return Ok(true);
        }
        for (id, key) in children {
            let Some(table) = TableShape::with_id(&tables, *id) else { continue };
            let missing = self.transaction.missing_parents(table, key)?;
            if missing.into_iter().any(|missing| dead.contains(&(missing.table, missing.key))) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Those of the tables of the dead that were held because another had their values.
    fn place_who_was_held(&mut self, dead: &Records) -> Result<()> {
        let tables = self.transaction.tables();
        let mut all = self.transaction.held()?;
        all.retain(|held| Refusal::of(&held.reason).is_clash());
        let is_theirs = |candidate: &Candidate<'_>| dead.iter().any(|(table, _)| *table == candidate.item.0.id);
        let mut undos = Vec::new();
        let mut candidates = self.candidates(&tables, &all);
        candidates.retain(is_theirs);
        let mut placed = Vec::new();
        for candidate in candidates {
            match self.attempt(&candidate, &mut undos)? {
                Step::Done | Step::Nothing => placed.push(candidate),
                Step::Refused(_) | Step::NumberTaken | Step::HasChild(_) | Step::MayNotDie(_) => {}
            }
        }
        let held = self.placed.held;
        let held_again = self.mend_held(&placed, undos)?;
        self.placed.held = held;
        for held in placed.iter().filter(|it| !held_again.contains(&it.at)).filter_map(|it| all.get(it.at)) {
            self.transaction.release(held.id)?;
            self.placed.records += 1;
        }
        self.held = None;
        Ok(())
    }
}
