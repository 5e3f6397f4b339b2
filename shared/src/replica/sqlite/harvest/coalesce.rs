//! What the log rows of one record come to.
//!
//! Pure. The rows come in the order in which they were logged; whether the record stands in its table at the end is
//! told from outside and has the last word, since `REPLACE` can evict without a trace and over-logging is allowed.

use std::collections::BTreeMap;

use super::super::capture::Op;
use crate::clock::WallTime;
use crate::id::ColumnId;
use crate::replica::KeyKind;

/// The columns that a log row says changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) enum Touched {
    /// Every column.
    All,
    /// These.
    Some(Vec<ColumnId>),
}

/// One log row about the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Entry {
    /// The row's id.
    pub row: i64,
    pub op: Op,
    pub touched: Touched,
    pub at: WallTime,
}

/// Which fields of a record took a value, and when.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Taken {
    /// Every field did at this time (a birth, or a replacement).
    pub all: Option<WallTime>,
    /// These did, later than that.
    pub fields: BTreeMap<ColumnId, WallTime>,
}

impl Taken {
    fn of_all(at: WallTime) -> Self {
        Self { all: Some(at), fields: BTreeMap::new() }
    }

    /// When a field took its value, if it did.
    pub fn when(&self, column: ColumnId) -> Option<WallTime> {
        self.fields.get(&column).copied().or(self.all)
    }

    /// Whether no field did.
    pub fn is_nothing(&self) -> bool {
        self.all.is_none() && self.fields.is_empty()
    }

    /// When the last one did.
    pub fn latest(&self) -> Option<WallTime> {
        self.fields.values().copied().chain(self.all).max()
    }
}

/// The end of a record that was there before the last harvest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Death {
    /// When it was deleted.
    pub at: WallTime,
    /// The log row of its deletion, with which its last values are kept; none if it went without a trace.
    pub row: Option<i64>,
    /// What was done to it since the last harvest, before its deletion.
    pub taken: Taken,
}

impl Death {
    /// That of a record that went without a trace: what became of its fields before is not known.
    pub fn unseen(at: WallTime) -> Self {
        Self { at, ..Self::default() }
    }
}

/// What happened to a record since the last harvest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Edits {
    /// The record that stood under the key before was deleted.
    pub died: Option<Death>,
    /// A new record was made under the key, and stands.
    pub born: Option<WallTime>,
    /// The log row that says so: the same, whatever else is harvested with it.
    pub born_by: i64,
    /// What was done to the record that stands.
    pub taken: Taken,
    /// Whether a record stands under the key now.
    pub stands: bool,
}

/// Tells what the rows come to. `stands`: whether the table holds the key at the end of the log.
pub(in super::super) fn coalesce(entries: &[Entry], stands: bool, key_kind: KeyKind) -> Edits {
    let mut walk = Walk { key_kind, edits: Edits::default(), alive: None, suspect: None };
    for (at, entry) in entries.iter().enumerate().filter(|(at, _)| !is_echo(entries, *at)) {
        walk.step(entry, replaces(entries, at));
    }
    let (last, last_row) = entries.last().map_or((WallTime(0), 0), |entry| (entry.at, entry.row));
    if walk.alive == Some(true) && !stands || walk.suspect.is_some() && walk.alive.is_none() && !stands {
        walk.die(walk.suspect.unwrap_or(last), None);
    } else if walk.alive == Some(false) && stands {
        walk.insert(last, last_row);
    }
    walk.edits.stands = stands;
    walk.edits
}

/// Whether the insertion at this place replaced the record that stood under its key: the guard's row comes before it,
/// directly, or with the deletion between that SQLite reports when recursive triggers are on, within one statement.
/// Suspicions may stand anywhere between: the record that is replaced may hold a UNIQUE key of the new one as well.
fn replaces(entries: &[Entry], at: usize) -> bool {
    let Some((insert, before)) = entries.get(..=at).and_then(<[Entry]>::split_last) else { return false };
    let mut back = before.iter().rev().filter(|entry| entry.op != Op::Suspect);
    insert.op == Op::Insert
        && match back.next().map(|entry| entry.op) {
            Some(Op::Held) => true,
            Some(Op::Delete) => back.next().is_some_and(|held| held.op == Op::Held && held.at == insert.at),
            _ => false,
        }
}

/// Whether a row is logged by a statement that says more with another row: the deletion that a replacement reports when
/// recursive triggers are on, and the update that changes a key, where it comes before the deletion under the old one.
/// What such an update changed besides is the other key's.
fn is_echo(entries: &[Entry], at: usize) -> bool {
    let mut rest = entries.iter().enumerate().skip(at).filter(|(_, entry)| entry.op != Op::Suspect);
    let (Some((_, entry)), Some((next_at, next))) = (rest.next(), rest.next()) else { return false };
    let is_update_beside = |other: &Entry| other.op == Op::Update && other.at == next.at;
    match (entry.op, next.op) {
        (Op::Delete, Op::Insert) => replaces(entries, next_at),
        (Op::Update, Op::Moved) => {
            entry.at == next.at && !rest.next().is_some_and(|(_, after)| is_update_beside(after))
        }
        _ => false,
    }
}

struct Walk {
    key_kind: KeyKind,
    edits: Edits,
    /// Whether a record stands, once something was said of it.
    alive: Option<bool>,
    suspect: Option<WallTime>,
}

impl Walk {
    fn step(&mut self, entry: &Entry, replaces: bool) {
        match entry.op {
            Op::Insert if replaces => self.replace(entry.at),
            Op::Insert => self.insert(entry.at, entry.row),
            Op::Update => self.update(entry),
            Op::Delete | Op::Moved => self.die(entry.at, Some(entry.row)),
            Op::Held => self.alive = self.alive.or(Some(true)),
            Op::Suspect => self.suspect = Some(entry.at),
        }
    }

    fn insert(&mut self, at: WallTime, row: i64) {
        let stood = self.alive == Some(true) || self.alive.is_none() && self.suspect.is_some();
        if stood && self.edits.born.is_none() {
            // It stood, and went without a trace before this one came.
            self.edits.died.get_or_insert_with(|| Death::unseen(self.suspect.unwrap_or(at)));
        }
        // Under a natural key it is the same record again.
        if self.key_kind == KeyKind::Assigned || self.edits.died.is_none() {
            (self.edits.born, self.edits.born_by) = (Some(at), row);
        }
        self.replace(at);
    }

    fn replace(&mut self, at: WallTime) {
        self.edits.taken = Taken::of_all(at);
        self.alive = Some(true);
    }

    fn update(&mut self, entry: &Entry) {
        if self.alive == Some(false) {
            // One statement that changed the key: its deletion may be logged before its update, under the old key.
            return;
        }
        self.alive = Some(true);
        match &entry.touched {
            Touched::All => self.edits.taken = Taken::of_all(entry.at),
            Touched::Some(columns) => self.edits.taken.fields.extend(columns.iter().map(|&column| (column, entry.at))),
        }
    }

    fn die(&mut self, at: WallTime, row: Option<i64>) {
        let was_dead = self.alive == Some(false);
        let was_born_here = self.edits.born.take().is_some();
        let taken = std::mem::take(&mut self.edits.taken);
        self.alive = Some(false);
        // Of the records that had one number, the first is the one that others know.
        let is_another = self.key_kind == KeyKind::Assigned && self.edits.died.is_some();
        if !was_dead && !was_born_here && !is_another {
            self.edits.died = Some(Death { at, row, taken });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(script: &str) -> Vec<Entry> {
        let letter = |at: usize, c: char| Entry {
            row: at as i64,
            op: Op::from_letter(&c.to_string()).unwrap(),
            touched: if c == 'U' { Touched::Some(vec![ColumnId(1)]) } else { Touched::All },
            at: WallTime(10 + at as u64),
        };
        script.chars().enumerate().map(|(at, c)| letter(at, c)).collect()
    }

    /// (died, born, all fields, single fields)
    fn shape(script: &str, stands: bool) -> (bool, bool, bool, usize) {
        let edits = coalesce(&rows(script), stands, KeyKind::Assigned);
        (edits.died.is_some(), edits.born.is_some(), edits.taken.all.is_some(), edits.taken.fields.len())
    }

    #[test]
    fn plain_histories() {
        assert_eq!(shape("I", true), (false, true, true, 0));
        assert_eq!(shape("U", true), (false, false, false, 1));
        assert_eq!(shape("D", false), (true, false, false, 0));
        assert_eq!(shape("IUU", true), (false, true, true, 1));
        assert_eq!(shape("UD", false), (true, false, false, 0));
    }

    #[test]
    fn made_and_deleted_between_two_harvests_leaves_nothing() {
        assert_eq!(shape("ID", false), (false, false, false, 0));
        assert_eq!(shape("IUDID", false), (false, false, false, 0));
    }

    #[test]
    fn a_record_made_and_moved_to_another_key_leaves_nothing_in_whichever_order_it_was_logged() {
        assert_eq!(shape("IUD", false), (false, false, false, 0));
        assert_eq!(shape("IDU", false), (false, false, false, 0));
        assert_eq!(shape("DU", false), (true, false, false, 0));
    }

    #[test]
    fn a_number_given_again_is_a_death_and_a_birth() {
        assert_eq!(shape("DI", true), (true, true, true, 0));
        assert_eq!(shape("DIDIU", true), (true, true, true, 1));
        assert_eq!(shape("DID", false), (true, false, false, 0));
    }

    #[test]
    fn a_replacement_is_an_edit_of_all_fields_and_never_a_birth() {
        assert_eq!(shape("RI", true), (false, false, true, 0));
        assert_eq!(shape("RSSI", true), (false, false, true, 0));
        assert_eq!(shape("URI", true), (false, false, true, 0));
        assert_eq!(shape("IRI", true), (false, true, true, 0));
    }

    #[test]
    fn a_replacement_under_recursive_triggers_is_one_too() {
        for script in ["RDI", "RSDI", "RDSI", "RSSDI"] {
            let mut entries = rows(script);
            entries.iter_mut().for_each(|entry| entry.at = WallTime(5));
            let edits = coalesce(&entries, true, KeyKind::Assigned);
            assert_eq!((edits.died, edits.born, edits.taken.all), (None, None, Some(WallTime(5))), "{script}");
        }
        // Ignored by the application first, deleted and inserted later, the same rows are what they look like.
        assert_eq!(shape("RDI", true), (true, true, true, 0));
    }

    #[test]
    fn an_insert_that_was_ignored_or_became_an_update() {
        assert_eq!(shape("R", true), (false, false, false, 0));
        assert_eq!(shape("RU", true), (false, false, false, 1));
    }

    #[test]
    fn a_suspect_is_dead_only_if_it_is_gone() {
        assert_eq!(shape("S", true), (false, false, false, 0));
        assert_eq!(shape("S", false), (true, false, false, 0));
        assert_eq!(shape("IS", false), (false, false, false, 0));
        assert_eq!(shape("US", false), (true, false, false, 0));
    }

    #[test]
    fn what_the_table_holds_has_the_last_word() {
        assert_eq!(shape("U", false), (true, false, false, 0));
        assert_eq!(shape("D", true), (true, true, true, 0));
        assert_eq!(shape("SI", true), (true, true, true, 0));
    }

    /// All rows of one statement.
    fn at_once(script: &str) -> Vec<Entry> {
        rows(script).into_iter().map(|entry| Entry { at: WallTime(5), ..entry }).collect()
    }

    /// (log row of the last values, all fields taken before it, single ones)
    fn death(script: &str, kind: KeyKind) -> Option<(Option<i64>, bool, usize)> {
        let died = coalesce(&rows(script), false, kind).died?;
        Some((died.row, died.taken.all.is_some(), died.taken.fields.len()))
    }

    #[test]
    fn the_last_values_are_those_of_the_record_that_others_know() {
        let assigned = |script| death(script, KeyKind::Assigned);
        assert_eq!(assigned("D"), Some((Some(0), false, 0)));
        assert_eq!(assigned("UD"), Some((Some(1), false, 1)));
        assert_eq!(assigned("M"), Some((Some(0), false, 0)));
        assert_eq!(assigned("RID"), Some((Some(2), true, 0)));
        assert_eq!(assigned("RIUD"), Some((Some(3), true, 1)));
        assert_eq!(assigned("UDIUD"), Some((Some(1), false, 1)));
        assert_eq!(assigned("DD"), Some((Some(0), false, 0)));
        assert_eq!(assigned("ID"), None);
        // Evicted without a trace, and its number given again: whose values the deletion has is another record.
        assert_eq!(assigned("SID"), Some((None, false, 0)));
        assert_eq!(assigned("US"), Some((None, false, 1)));
    }

    #[test]
    fn under_a_natural_key_what_was_made_again_is_the_same_record() {
        let natural = |script| death(script, KeyKind::Natural);
        assert_eq!(natural("UDID"), Some((Some(3), true, 0)));
        assert_eq!(natural("DIUD"), Some((Some(3), true, 1)));
        assert_eq!(natural("SID"), Some((Some(2), true, 0)));
        assert_eq!(natural("ID"), None);
        let stands = coalesce(&rows("DI"), true, KeyKind::Natural);
        assert_eq!((stands.taken.all, stands.stands), (Some(WallTime(11)), true));
    }

    #[test]
    fn an_update_that_changes_the_key_is_no_edit_of_what_stood_under_the_old_one() {
        let taken =
            |entries: &[Entry]| coalesce(entries, false, KeyKind::Assigned).died.map(|died| died.taken.fields.len());
        assert_eq!(taken(&at_once("UM")), Some(0));
        assert_eq!(taken(&at_once("MU")), Some(0));
        // The first is an edit, whichever order the other two come in, and however fast they follow it.
        assert_eq!(taken(&at_once("UUM")), Some(1));
        assert_eq!(taken(&at_once("UMU")), Some(1));
        assert_eq!(taken(&at_once("UD")), Some(1));
    }

    #[test]
    fn a_record_made_and_replaced_under_recursive_triggers_keeps_its_birth() {
        let mut entries = at_once("IRDI");
        entries[0].at = WallTime(4);
        let edits = coalesce(&entries, true, KeyKind::Assigned);
        assert_eq!((edits.died, edits.born, edits.taken.all), (None, Some(WallTime(4)), Some(WallTime(5))));
    }

    #[test]
    fn the_last_edit_of_a_field_gives_its_time() {
        let edits = coalesce(&rows("UU"), true, KeyKind::Assigned);
        assert_eq!(edits.taken.fields.get(&ColumnId(1)), Some(&WallTime(11)));
    }
}
