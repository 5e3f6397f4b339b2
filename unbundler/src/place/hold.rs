//! Holding what cannot be placed now, with the reason.
//!
//! Owns what is known of that while a bundle is placed, and how it stands against what is here later. Invariants: a change that
//! comes again is not held twice, and one that is held means for good whom it meant when it came. Leaves to the others why
//! something is held, and trying it again to the whole.

use std::collections::BTreeMap;

use packhorse_shared::change::{RecordChange, TableChanges};
use packhorse_shared::clock::Reading;
use packhorse_shared::horizon::Horizon;
use packhorse_shared::id::LinkId;
use packhorse_shared::replica::{Heard, Held, KeyKind, Refusal, Result, TableShape};
use packhorse_shared::seam::{Saboteur, is_at_work};
use packhorse_shared::value::{Key, Value};

use super::Placer;
use super::column::{Column, column_of};
use super::parent::{number_said, value_said};
use super::quiet::is_for_quiet;
use crate::merge::Arrival;

/// A change that is held, and why.
pub(super) struct Waits {
    pub change: TableChanges,
    pub reason: String,
}

impl Placer<'_> {
    pub(super) fn hold_all(&mut self, changes: &TableChanges, reason: &str) -> Result<()> {
        changes.records.iter().try_for_each(|record| self.hold(changes, record, reason))
    }

    pub(super) fn hold(&mut self, of: &TableChanges, record: &RecordChange, reason: &str) -> Result<()> {
        let alone = TableShape::alone(of, self.by_birth(of, record)?);
        self.placed.held += 1;
        self.refusal = Some(reason.to_owned());
        if is_at_work(Saboteur::DropHeld) {
            return Ok(());
        }
        let at = (of.table.clone(), record.key.clone());
        // What is tried again is held as it was named then, whoever has come to stand since.
        let as_it_is = TableShape::alone(of, record.clone());
        let is_known = |held: &Waits| held.change == alone || held.change == as_it_is;
        if self.held()?.get(&at).is_none_or(|held| !held.iter().any(is_known)) {
            self.transaction.hold((self.arrival.link, self.arrival.seen), &alone, reason, self.now)?;
            self.held()?.entry(at).or_default().push(Waits { change: alone, reason: reason.to_owned() });
        }
        Ok(())
    }

    /// A change that names by its birth whom it means here, and whom it refers to: while it waits, the number may become
    /// another's, and its sender may drop births that it had when it said this.
    fn by_birth(&mut self, of: &TableChanges, record: &RecordChange) -> Result<RecordChange> {
        let tables = self.transaction.tables();
        let mut named = record.clone();
        let Some(table) = TableShape::named(&tables, &of.table) else { return Ok(named) };
        if table.key_kind == KeyKind::Assigned && record.birth.is_none() {
            let standing = self.transaction.find(table, &record.key)?;
            named.birth = standing.filter(|present| self.is_meant(table, present, record)).and_then(|it| it.birth);
        }
        for (field, said) in named.fields.iter_mut().zip(&record.fields).filter(|(_, said)| said.refers_to.is_none()) {
            let Some(Column::Field(at, _)) = column_of(table, of, said) else { continue };
            let parent = self.parent(table, at, &record.key, &|at| value_said(table, of, record, at))?;
            let parent = parent.and_then(|name| TableShape::named(&tables, name));
            let (Some(parent), Some(number)) = (parent, number_said(table, of, said)) else { continue };
            if !self.is_another(&parent.name, number, None)? {
                let standing = self.transaction.find(parent, &Key(vec![Value::Integer(number)]))?;
                field.refers_to = standing.and_then(|present| present.birth);
            }
        }
        Ok(named)
    }

    /// What is held, by record, as far as this bundle was told.
    pub(super) fn held(&mut self) -> Result<&mut BTreeMap<(String, Key), Vec<Waits>>> {
        match &mut self.held {
            Some(held) => Ok(held),
            none => Ok(none.insert(by_record(self.transaction.held()?))),
        }
    }

    /// Whether all of a record is held: what comes of it meanwhile stands with that, and not with what it was when it died.
    pub(super) fn waits_whole(&mut self, table: &TableShape, record: &RecordChange) -> Result<bool> {
        let is_same = |other: &RecordChange| other.whole && other.birth == record.birth;
        let held = self.held()?.get(&(table.name.clone(), record.key.clone()));
        Ok(held.is_some_and(|held| held.iter().any(|it| it.change.records.first().is_some_and(is_same))))
    }

    /// How what is held stands against what is here.
    pub(super) fn arrival_of(&self, held: &Held) -> Arrival {
        let of_link = self.of_links.get(&held.link).copied().unwrap_or(self.arrival);
        // Whatever its sender has seen since, it had not when it said this; what another has seen says nothing of it. What is
        // held keeps the horizon below its stamps, and had not come before.
        let Heard { cut: heard, awaits_answer } = match held.link == of_link.link {
            true => Heard { cut: of_link.heard, awaits_answer: of_link.awaits_answer },
            false => self.heard.get(&held.link).copied().unwrap_or_default(),
        };
        let seen = held.seen;
        let (link, via, had) = (held.link, LinkId::LOCAL, Reading(0));
        // Nor can its birth have been dropped here; but what it refers to may have come without one since.
        let left_out = self.arrival.horizon;
        // It may have waited through a return to a backup, and its sender have changed its mind: it is told.
        let dropped = Horizon::NONE;
        let births = self.arrival.births;
        let known_to = Reading(0);
        let may_have_seen = seen;
        Arrival {
            link,
            via,
            had,
            seen,
            may_have_seen,
            heard,
            awaits_answer,
            births,
            left_out,
            dropped,
            known_to,
            ..of_link
        }
    }

    /// Counts what was held just now and needs nobody here.
    pub(super) fn count_waiting(&mut self) -> Result<()> {
        let (mut held, now) = (self.transaction.held()?, self.now);
        held.retain(|held| held.since == now);
        let count = |waits: &dyn Fn(&str) -> bool| held.iter().filter(|held| waits(&held.reason)).count() as u64;
        let all = self.placed.held;
        self.placed.waiting = count(&|reason| matches!(Refusal::of(reason), Refusal::Same(_))).min(all);
        self.placed.resting = count(&is_for_quiet).min(all - self.placed.waiting);
        let leaving = count(&|reason| matches!(Refusal::of(reason), Refusal::Leaving(_)));
        self.placed.leaving = leaving.min(all - self.placed.waiting - self.placed.resting);
        Ok(())
    }
}

fn by_record(held: Vec<Held>) -> BTreeMap<(String, Key), Vec<Waits>> {
    let mut by_record: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for Held { change, reason, .. } in held {
        if let Some(record) = change.records.first() {
            let at = (change.table.clone(), record.key.clone());
            by_record.entry(at).or_default().push(Waits { change, reason });
        }
    }
    by_record
}
