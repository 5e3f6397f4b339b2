//! Placing what can be placed by itself, ahead of the rest of its bundle.
//!
//! Owns which changes these are: edits of records that stand, known beyond doubt, in fields that refer to nobody; and new records
//! whose number is decided and that refer to nobody but those that stand. Invariant: each comes to what it would have come to with
//! the rest, and what is refused is left to that as if it had not been tried.

use packhorse_shared::change::{Passage, TableChanges};
use packhorse_shared::clock::WallTime;
use packhorse_shared::config::Span;
use packhorse_shared::id::ColumnId;
use packhorse_shared::replica::{KeyKind, MergeTransaction, Residence, Result, TableShape};
use packhorse_shared::value::{Key, Value};

use super::column::{Column, column_of};
use super::fitting::{has_same_key, unknown_columns, unlike_in};
use super::parent::number_said;
use super::within::beyond;
use super::{Item, Placed, Placer, Step};
use crate::merge::{Arrival, Authority, Past};

/// Places parts of a bundle, within a transaction.
pub struct AheadPlacer<'a>(Placer<'a>);

impl<'a> AheadPlacer<'a> {
    /// `arrival`: how the bundle stands against what is here.
    pub fn new(
        transaction: &'a mut dyn MergeTransaction,
        arrival: Arrival,
        now: WallTime,
        quiet: Span,
    ) -> Result<Self> {
        Placer::new(transaction, arrival, now, quiet).map(Self)
    }

    /// Whether anything of such a bundle may be placed ahead: where one end has lost something every change may depend on others.
    pub fn may(&self) -> bool {
        let placer = &self.0;
        let nothing_lost = placer.arrival.past == Past::Known && !placer.arrival.awaits_answer;
        nothing_lost && placer.regained.is_empty() && placer.untold.is_empty()
    }

    /// Places one record's change if it can be; tells whether it was.
    pub fn place(&mut self, of: &TableChanges, at: usize) -> Result<bool> {
        self.0.place_ahead(of, at)
    }

    /// Ends a slice; tells what it came to.
    pub fn end(mut self) -> Result<Placed> {
        self.0.note_all_spoken_of()?;
        Ok(self.0.placed)
    }
}

impl Placer<'_> {
    fn place_ahead(&mut self, of: &TableChanges, at: usize) -> Result<bool> {
        let tables = self.transaction.tables();
        let table = TableShape::named(&tables, &of.table).filter(|table| has_same_key(table, of));
        let (Some(table), Some(record)) = (table, of.records.get(at)) else { return Ok(false) };
        let item = (table, of, record);
        if !self.is_by_itself(item)? {
            return Ok(false);
        }
        let mut undos = Vec::new();
        match self.record(item, &mut undos)? {
            Step::Done => self.placed.records += 1,
            Step::Nothing => {}
            Step::Refused(_) | Step::NumberTaken | Step::HasChild(_) | Step::MayNotDie(_) => return Ok(false),
        }
        Ok(true)
    }

    fn is_by_itself(&mut self, item: Item<'_>) -> Result<bool> {
        let (table, of, record) = item;
        let is_plain = of.passage == Passage::Within && record.dead.is_none() && !table.bears_numbers();
        if !is_plain || !unknown_columns(table, of).is_empty() || unlike_in(table, of, record).is_some() {
            return Ok(false);
        }
        let shared = self.shared(table)?.map(|(sharing, at)| sharing[at].clone());
        if self.is_from_remote() && shared.is_none_or(|shared| !beyond(&shared, of).is_empty()) {
            return Ok(false);
        }
        let known_as = Residence { key: record.key.clone(), birth: record.birth };
        let at = (of.table.clone(), record.key.clone());
        if self.moves.of(table.id, &known_as).is_some() || self.held()?.contains_key(&at) {
            return Ok(false);
        }
        match (self.transaction.find(table, &record.key)?, record.whole) {
            (Some(present), false) => Ok(present.birth == record.birth && refers_to_nobody(item)),
            (None, true) => self.is_new_by_itself(item),
            _ => Ok(false),
        }
    }

    /// Whether a new record keeps the number that it comes with, nothing is known here of it or of another under that, and all that
    /// it refers to stands.
    fn is_new_by_itself(&mut self, item: Item<'_>) -> Result<bool> {
        let (table, _, record) = item;
        let is_decided = table.key_kind == KeyKind::Natural || self.arrival.authority() == Authority::Sender;
        // Where its birth may have been dropped it may be another that had the number.
        let births = self.arrival.births;
        let is_certain =
            table.key_kind == KeyKind::Natural || record.birth.map_or(births.is_none(), |birth| !births.covers(birth));
        if !is_decided || !is_certain || !self.transaction.remains(table, &record.key)?.is_empty() {
            return Ok(false);
        }
        if let Some(birth) = record.birth
            && self.transaction.number_of(table, birth)?.is_some()
        {
            return Ok(false);
        }
        let by_numbers = |columns: &[(String, String)]| match columns {
            [(here, _)] => table.position(here).is_some_and(|at| table.columns[at].refers_to.is_some()),
            _ => false,
        };
        Ok(table.parents.iter().all(|parent| by_numbers(&parent.columns)) && self.refers_to_standing(item)?)
    }

    fn refers_to_standing(&mut self, (table, of, record): Item<'_>) -> Result<bool> {
        let tables = self.transaction.tables();
        for field in &record.fields {
            let Some(Column::Field(at, id)) = column_of(table, of, field) else { return Ok(false) };
            if id == ColumnId::EXISTENCE || table.columns[at].pair.is_some() {
                return Ok(false);
            }
            let Some(parent) = table.columns[at].refers_to.as_deref().and_then(|name| TableShape::named(&tables, name))
            else {
                continue;
            };
            if field.value == Value::Null {
                continue;
            }
            let Some(number) = number_said(table, of, field) else { return Ok(false) };
            let meant = Residence { key: Key(vec![Value::Integer(number)]), birth: field.refers_to };
            let standing = self.transaction.find(parent, &meant.key)?;
            let is_it = standing.is_some_and(|present| present.birth == meant.birth);
            if !is_it || self.moves.of(parent.id, &meant).is_some() {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn refers_to_nobody((table, of, record): Item<'_>) -> bool {
    let declares = |name: &str| {
        let columns = table.parents.iter().flat_map(|parent| &parent.columns);
        columns.into_iter().any(|(here, _)| here.eq_ignore_ascii_case(name))
    };
    record.fields.iter().all(|field| match column_of(table, of, field) {
        Some(Column::Field(at, _)) => {
            let column = &table.columns[at];
            column.refers_to.is_none() && column.pair.is_none() && !declares(&column.name) && field.refers_to.is_none()
        }
        _ => false,
    })
}
