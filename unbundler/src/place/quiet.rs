//! What waits for the application to be quiet: a record gets another number only where no number can come to mean another
//! record under a running application (DESIGN section 6).
//!
//! Where a table's new numbers here start far above the hub's, that is always so. Elsewhere records keep their numbers until
//! the application has written nothing for a while. What the hub said is held meanwhile, with the reason, and is tried again
//! like everything held; everything else goes on, since records are found by their birth first. Owns when that is, and what
//! is held for it: the hub's last word on a record's number, one for each record. Leaves the renumbering to `follow` and
//! `united`.

use std::collections::{BTreeMap, BTreeSet};

use packhorse_shared::change::{EXISTENCE, FieldChange, Passage, RecordChange, TableChanges};
use packhorse_shared::clock::Stamp;
use packhorse_shared::config::Span;
use packhorse_shared::id::{LinkId, TableId};
use packhorse_shared::replica::{Held, KeyKind, Result, TableShape};
use packhorse_shared::value::{Key, Value};

use super::Placer;
use super::follow::says_only_number;
use super::identity::{number_of, numbered};
use super::named::Named;
use super::parent::number_said;
use super::united::union_told;
use crate::merge::{self, Authority};

/// How the reason begins for which such a change is held.
pub const WAITS_FOR_QUIET: &str = "it waits until the application has written nothing for ";

/// How the reason ends for which a change is held that refers to one which is held for that.
pub const REFERS_TO_WAITING: &str = ", which waits for the application to be quiet";

/// Whether a change is held for nothing but that.
pub fn is_for_quiet(reason: &str) -> bool {
    reason.starts_with(WAITS_FOR_QUIET) || reason.ends_with(REFERS_TO_WAITING)
}

/// What is known of waiting, so that it is looked up once.
#[derive(Default)]
pub(super) struct Waiting {
    /// For how long the application must have been quiet.
    span: Span,
    /// Whether the records of a table must keep their numbers for now.
    keeps: BTreeMap<TableId, bool>,
    /// What is held of records that are known by their births.
    held: Option<HeldNumbers>,
    /// The hub's records that are one with such as must keep their numbers.
    apart: BTreeSet<(TableId, Key)>,
}

#[derive(Default)]
struct HeldNumbers {
    by_birth: BTreeMap<(TableId, Stamp), Vec<HeldNumber>>,
    by_number: BTreeMap<(TableId, i64), Vec<HeldNumber>>,
}

/// A held change of a record that is known by its birth.
#[derive(Clone, Copy)]
struct HeldNumber {
    id: i64,
    link: LinkId,
    number: i64,
    birth: Stamp,
    /// Whether it says nothing but the number.
    is_word: bool,
}

impl Waiting {
    /// For this long.
    pub fn until(span: Span) -> Self {
        Self { span, ..Self::default() }
    }
}

/// Births under the numbers at which they wait.
type Births = BTreeMap<(TableId, i64), Stamp>;

impl Placer<'_> {
    /// Whether the records of a table must keep their numbers for now.
    pub(super) fn keeps_numbers(&mut self, table: &TableShape) -> Result<bool> {
        if let Some(known) = self.waiting.keeps.get(&table.id) {
            return Ok(*known);
        }
        let span = self.waiting.span.as_millis();
        let wrote = if span == 0 { None } else { self.transaction.wrote_without_range(table)? };
        let keeps = wrote.is_some_and(|at| self.now.0.saturating_sub(at.0) < span);
        self.waiting.keeps.insert(table.id, keeps);
        Ok(keeps)
    }

    /// Whether a record of ours must keep its number although it is one with the hub's of this key, which then waits.
    pub(super) fn keeps_apart(&mut self, table: &TableShape, theirs: &Key) -> Result<bool> {
        let keeps = self.keeps_numbers(table)?;
        if keeps {
            self.waiting.apart.insert((table.id, theirs.clone()));
        }
        Ok(keeps)
    }

    /// Why a record is refused: what the database says is no help where it is one with the record that is in its way.
    pub(super) fn why_refused(&self, table: &TableShape, key: &Key, reason: String) -> String {
        match self.waiting.apart.contains(&(table.id, key.clone())) {
            true => self.waits_since("that may know the same record by another number"),
            false => reason,
        }
    }

    /// Why a change waits for a record that it refers to, which does not stand here.
    pub(super) fn not_here_yet(&mut self, table: &TableShape, number: i64, birth: Stamp) -> Result<String> {
        let at = (table.name.clone(), Key(vec![Value::Integer(number)]));
        let held = self.held()?.get(&at).into_iter().flatten();
        let of_it = held.filter(|held| held.change.records.iter().any(|record| record.birth == Some(birth)));
        let why = match of_it.map(|held| is_for_quiet(&held.reason)).max() {
            None => ", which has not come yet",
            Some(false) => ", which is held itself",
            Some(true) => REFERS_TO_WAITING,
        };
        Ok(format!("it refers to {} {number}{why}", table.name))
    }

    /// Whether there are such as wait for the application, and all of them go on waiting.
    pub(super) fn keep_waiting(&mut self, held: &[Held], waits: &dyn Fn(&Held) -> bool) -> Result<bool> {
        let tables = self.transaction.tables();
        let mut keep = false;
        for held in held.iter().filter(|held| waits(held)) {
            let table = TableShape::named(&tables, &held.change.table);
            match table {
                Some(table) if self.keeps_numbers(table)? => keep = true,
                _ => return Ok(false),
            }
        }
        Ok(keep)
    }

    /// Why something waits, in words.
    pub(super) fn waits_since(&self, why: &str) -> String {
        format!("{WAITS_FOR_QUIET}{}, since {why}", self.waiting.span)
    }

    /// Keeps the hub's word that a record has this number until the record may take it.
    pub(super) fn hold_number(&mut self, table: &TableShape, number: i64, birth: Stamp, why: &str) -> Result<()> {
        let made = FieldChange { column: 0, value: Value::Null, stamp: birth, refers_to: None };
        let key = Key(vec![Value::Integer(number)]);
        let record = RecordChange { key, birth: Some(birth), dead: None, whole: false, fields: vec![made] };
        let of = TableChanges {
            table: table.name.clone(),
            passage: Passage::Within,
            key_columns: table.keys.clone(),
            columns: vec![EXISTENCE.to_owned()],
            records: Vec::new(),
        };
        self.hold(&of, &record, why)
    }

    /// The hub has spoken of a record under a number: what is held of the record is of the one under this number, and what is
    /// held of another under it had it before. (By the numbers of then it would take them from those who have them now.)
    /// What the hub said of numbers alone counts no more.
    pub(super) fn overtake(&mut self, table: &TableShape, number: i64, birth: Stamp) -> Result<()> {
        if self.waiting.held.is_none() {
            self.waiting.held = Some(self.held_numbers()?);
        }
        let held = self.waiting.held.get_or_insert_default();
        let of_record = held.by_birth.get(&(table.id, birth)).into_iter().flatten();
        let at_number = held.by_number.get(&(table.id, number)).into_iter().flatten();
        let link = self.arrival.link;
        let others = at_number.filter(|held| held.birth != birth && held.link == link);
        let past: Vec<HeldNumber> = of_record.filter(|held| held.number != number).chain(others).copied().collect();
        if past.is_empty() {
            return Ok(());
        }
        self.waiting.held = None;
        for held in past.iter().filter(|held| held.is_word) {
            self.transaction.release(held.id)?;
        }
        for held in past.iter().filter(|held| !held.is_word) {
            let number = if held.birth == birth { Some(number) } else { self.free_number(table)? };
            if let Some(number) = number {
                self.adopted.entry(table.id).or_default().insert(number);
                self.renumber_held(table, number, held.birth)?;
            }
        }
        Ok(())
    }

    fn held_numbers(&mut self) -> Result<HeldNumbers> {
        let tables = self.transaction.tables();
        let mut all = HeldNumbers::default();
        for held in self.transaction.held()? {
            let Some((table, number, birth)) = waits_under(&tables, &held) else { continue };
            let is_word = held.change.records.iter().all(|record| says_only_number(table, &held.change, record));
            let held = HeldNumber { id: held.id, link: held.link, number, birth, is_word };
            all.by_birth.entry((table.id, birth)).or_default().push(held);
            all.by_number.entry((table.id, number)).or_default().push(held);
        }
        Ok(all)
    }

    /// A bundle of the hub's with the births that the hub has dropped, of what it is told here that waits: since it has
    /// nothing but a number to say whom it means, and that number may be another's here. None if it is so already.
    pub(super) fn with_births(&mut self, bundle: &[TableChanges]) -> Result<Option<Vec<TableChanges>>> {
        if self.arrival.authority() != Authority::Sender {
            return Ok(None);
        }
        let (tables, link) = (self.transaction.tables(), self.arrival.link);
        let held = self.transaction.held()?;
        let waiting = held.iter().filter(|held| held.link == link).filter_map(|held| waits_under(&tables, held));
        // Whom it names by a birth it has not dropped.
        let named = Named::by(&tables, bundle);
        let dropped =
            waiting.filter(|(table, _, birth)| self.arrival.births.covers(*birth) && !named.has(table, *birth));
        let births: Births = dropped.map(|(table, number, birth)| ((table.id, number), birth)).collect();
        if births.is_empty() {
            return Ok(None);
        }
        let mut named = bundle.to_vec();
        for changes in &mut named {
            let table = TableShape::named(&tables, &changes.table);
            if let Some(table) = table {
                self.name(&tables, table, changes, &births)?;
            }
        }
        Ok(Some(named))
    }

    fn name(
        &mut self,
        tables: &[TableShape],
        table: &TableShape,
        changes: &mut TableChanges,
        births: &Births,
    ) -> Result<()> {
        let before = changes.clone();
        for (record, known) in changes.records.iter_mut().zip(&before.records) {
            let own = number_of(&known.key).and_then(|number| births.get(&(table.id, number)));
            // The word on where a record is now, and what is older, are of the one who had the number before.
            let is_its = |birth: &Stamp| {
                known.dead.is_none_or(|dead| dead > *birth)
                    && !merge::is_of_before(known, Some(*birth))
                    && union_told(table, &before, known).is_none()
            };
            record.birth = record.birth.or(own.copied().filter(is_its));
            for (at, field) in record.fields.iter_mut().enumerate().filter(|(_, field)| field.refers_to.is_none()) {
                let Some(number) = number_said(table, &before, field) else { continue };
                let parent = self.refers(table, (&before, known), at)?;
                let parent = parent.and_then(|name| TableShape::named(tables, name));
                field.refers_to = parent.and_then(|parent| births.get(&(parent.id, number)).copied());
            }
        }
        Ok(())
    }
}

/// The table, number and birth of a held change of a record that is known by its birth.
fn waits_under<'t>(tables: &'t [TableShape], held: &Held) -> Option<(&'t TableShape, i64, Stamp)> {
    let table = TableShape::named(tables, &held.change.table)?;
    let record = held.change.records.first()?;
    // One that is one with another waits for no number of its own.
    let record = Some(record).filter(|record| union_told(table, &held.change, record).is_none())?;
    let (number, birth) = numbered(record)?;
    (table.key_kind == KeyKind::Assigned).then_some((table, number, birth))
}
