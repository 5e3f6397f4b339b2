//! Holding what cannot be placed now, with the reason.
//!
//! Owns what is known of that while a bundle is placed. Invariant: a change that comes again is not held twice. Leaves to the
//! others why something is held, and trying it again to the whole.

use std::collections::BTreeMap;

use packhorse_shared::change::{RecordChange, TableChanges};
use packhorse_shared::replica::{Held, Refusal, Result, TableShape};
use packhorse_shared::seam::{Saboteur, is_at_work};
use packhorse_shared::value::Key;

use super::Placer;
use super::quiet::is_for_quiet;

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
        let alone = TableShape::alone(of, record.clone());
        self.placed.held += 1;
        self.refusal = Some(reason.to_owned());
        if is_at_work(Saboteur::DropHeld) {
            return Ok(());
        }
        let at = (of.table.clone(), record.key.clone());
        if self.held()?.get(&at).is_none_or(|held| !held.iter().any(|held| held.change == alone)) {
            self.transaction.hold(self.arrival.link, &alone, reason, self.now)?;
            self.held()?.entry(at).or_default().push(Waits { change: alone, reason: reason.to_owned() });
        }
        Ok(())
    }

    /// What is held, by record, as far as this bundle was told.
    pub(super) fn held(&mut self) -> Result<&mut BTreeMap<(String, Key), Vec<Waits>>> {
        match &mut self.held {
            Some(held) => Ok(held),
            none => Ok(none.insert(by_record(self.transaction.held()?))),
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
