//! What was placed and is taken back after all, as it refers to a record that does not stand here: it waits for that.
//!
//! Invariant: what is taken back refers to whom it referred to before. Where that one has died by the same bundle, since its sender
//! knew that this let go of it, the change stays, and whom it refers to now is brought back; or else, if that one has no room, the
//! one whom it referred to before.

use packhorse_shared::replica::{Missing, Placement, Remains, Result, TableShape};
use packhorse_shared::value::{Key, Value};

use super::Placer;
use super::references::{Before, Brought, Undo};
use crate::merge::Authority;

/// What became of a change that was to be taken back.
#[derive(PartialEq, Eq)]
pub(super) enum Taken {
    Back,
    /// It stays: nothing is missing, or the database refused it, or what it referred to before is gone.
    NotBack,
}

impl Placer<'_> {
    /// Holds what refers to a record that does not stand here; where it has to stay, one that was deleted is brought back. One
    /// that waits here itself is not: what refers to it goes, and comes back from our hub.
    pub(super) fn wait_for(&mut self, missing: &Missing, undo: &Undo<'_>) -> Result<Taken> {
        let reason = self.not_standing(missing)?;
        let taken = self.hold_after_all(undo, &reason)?;
        if taken == Taken::NotBack && missing.remains.dead.is_some() {
            let child = format!("{} {}", undo.table.name, undo.change.key);
            return match self.bring_all_back(missing, &child)? {
                Brought::Done => Ok(taken),
                Brought::Unknown | Brought::NoRoom => self.hold_as_before(missing, undo, &child),
            };
        } else if taken == Taken::NotBack && self.arrival.authority() != Authority::Here {
            return self.all_in_limbo(missing, undo);
        }
        Ok(taken)
    }

    /// Holds it although whom its record referred to before has died meanwhile: that record lives, and brings that one back.
    fn hold_as_before(&mut self, missing: &Missing, undo: &Undo<'_>, child: &str) -> Result<Taken> {
        let Before::Standing(_, values) = &undo.before else { return Ok(Taken::NotBack) };
        for parent in self.lost(undo.table, &undo.change.key, values)? {
            if self.bring_all_back(&parent, child)? != Brought::Done {
                return Ok(Taken::NotBack);
            }
        }
        let reason = self.not_standing(missing)?;
        self.hold_after_all(undo, &reason)
    }

    pub(super) fn hold_after_all(&mut self, undo: &Undo<'_>, reason: &str) -> Result<Taken> {
        let taken = self.take_back(undo)?;
        if taken == Taken::Back {
            self.has_not_spoken_of(undo.table, &undo.change.key);
            self.placed.records = self.placed.records.saturating_sub(1);
            self.hold(undo.of, undo.change, reason)?;
        }
        Ok(taken)
    }

    pub(super) fn take_back(&mut self, undo: &Undo<'_>) -> Result<Taken> {
        let (table, key) = (undo.table, &undo.change.key);
        match &undo.before {
            Before::Standing(_, values) if !self.lost(table, key, values)?.is_empty() => return Ok(Taken::NotBack),
            Before::Standing(present, values) => match self.transaction.update(table, key, values)? {
                Placement::Refused(_) => return Ok(Taken::NotBack),
                Placement::Placed => self.transaction.mark(table, key, present)?,
            },
            Before::Absent(remains) => {
                // Its birth may have been dropped here before it came back, and that of what is left of it be none.
                let stood_as = self.transaction.find(table, key)?.and_then(|present| present.birth);
                if let Placement::Refused(_) = self.transaction.delete(table, key)? {
                    return Ok(Taken::NotBack);
                }
                self.transaction.bury(table, key, stood_as, &Remains::default())?;
                self.transaction.unbury(table, key, stood_as)?;
                if let Some(remains) = remains {
                    self.transaction.bury(table, key, undo.birth, remains)?;
                }
            }
        }
        Ok(Taken::Back)
    }

    /// Of the records that these values of another referred to, those that have died meanwhile, and whose numbers may be others' by
    /// now; or that were taken off.
    pub(super) fn lost(&mut self, table: &TableShape, key: &Key, values: &[(usize, Value)]) -> Result<Vec<Missing>> {
        let tables = self.transaction.tables();
        let said = |at: usize| values.iter().find(|value| value.0 == at).map(|value| value.1.clone());
        let mut lost = Vec::new();
        for (at, value) in values {
            let parent = self.parent(table, *at, key, &said)?;
            let parent = parent.and_then(|name| TableShape::named(&tables, name));
            let (Some(parent), Value::Integer(_)) = (parent, value) else { continue };
            let by = table.columns.get(*at).map(|column| column.id).into_iter().collect();
            lost.extend(self.lost_under(parent, Key(vec![value.clone()]))?.map(|lost| Missing { by, ..lost }));
        }
        Ok(lost)
    }

    /// The one who was lost under a key.
    fn lost_under(&mut self, table: &TableShape, key: Key) -> Result<Option<Missing>> {
        let (of, left) = (table.id, self.transaction.remains(table, &key)?);
        let is_free = self.transaction.find(table, &key)?.is_none();
        let has_died = |left: &Remains| left.dead.is_some_and(|dead| dead.cut == self.arrival.cut);
        let lost = left.into_iter().find(|left| has_died(&left.remains) || is_free && left.remains.withdrawn);
        Ok(lost.map(|left| Missing { table: of, key, birth: left.birth, remains: left.remains, by: Vec::new() }))
    }
}
