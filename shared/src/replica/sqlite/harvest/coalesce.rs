//! What the log rows of one record come to.
//!
//! Pure. The rows come in the order in which they were logged; whether the record stands in its table at the end is
//! told from outside and has the last word, since `REPLACE` can evict without a trace and over-logging is allowed.

use std::collections::BTreeMap;

use super::super::capture::Op;
use crate::clock::WallTime;
use crate::id::ColumnId;

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
    pub op: Op,
    pub touched: Touched,
    pub at: WallTime,
}

/// What happened to a record since the last harvest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Edits {
    /// The record that stood under the key before was deleted.
    pub died: Option<WallTime>,
    /// A new record was made under the key, and stands.
    pub born: Option<WallTime>,
    /// Every field took a value at this time (a birth, or a replacement).
    pub all: Option<WallTime>,
    /// These fields took a value, later than that.
    pub fields: BTreeMap<ColumnId, WallTime>,
    /// Whether a record stands under the key now.
    pub stands: bool,
}

/// Tells what the rows come to. `stands`: whether the table holds the key at the end of the log.
pub(in super::super) fn coalesce(entries: &[Entry], stands: bool) -> Edits {
    let mut walk = Walk::default();
    for (at, entry) in entries.iter().enumerate() {
        walk.step(entry, replaces(entries, at));
    }
    let last = entries.last().map_or(WallTime(0), |entry| entry.at);
    if walk.alive == Some(true) && !stands || walk.suspect.is_some() && walk.alive.is_none() && !stands {
        walk.die(walk.suspect.unwrap_or(last));
    } else if walk.alive == Some(false) && stands {
        walk.insert(last);
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

#[derive(Default)]
struct Walk {
    edits: Edits,
    /// Whether a record stands, once something was said of it.
    alive: Option<bool>,
    suspect: Option<WallTime>,
}

impl Walk {
    fn step(&mut self, entry: &Entry, replaces: bool) {
        match entry.op {
            Op::Insert if replaces => self.replace(entry.at),
            Op::Insert => self.insert(entry.at),
            Op::Update => self.update(entry),
            Op::Delete => self.die(entry.at),
            Op::Held => self.alive = self.alive.or(Some(true)),
            Op::Suspect => self.suspect = Some(entry.at),
        }
    }

    fn insert(&mut self, at: WallTime) {
        let stood = self.alive == Some(true) || self.alive.is_none() && self.suspect.is_some();
        if stood && self.edits.born.is_none() {
            // It stood, and went without a trace before this one came.
            self.edits.died = self.edits.died.or(self.suspect).or(Some(at));
        }
        self.edits.born = Some(at);
        self.edits.all = Some(at);
        self.edits.fields.clear();
        self.alive = Some(true);
    }

    fn replace(&mut self, at: WallTime) {
        // A deletion reported on the way of a replacement was none.
        if self.alive == Some(false) && self.edits.died == Some(at) {
            self.edits.died = None;
        }
        self.edits.all = Some(at);
        self.edits.fields.clear();
        self.alive = Some(true);
    }

    fn update(&mut self, entry: &Entry) {
        if self.alive == Some(false) {
            // One statement that changed the key: its deletion may be logged before its update, under the old key.
            return;
        }
        self.alive = Some(true);
        match &entry.touched {
            Touched::All => {
                self.edits.all = Some(entry.at);
                self.edits.fields.clear();
            }
            Touched::Some(columns) => self.edits.fields.extend(columns.iter().map(|&column| (column, entry.at))),
        }
    }

    fn die(&mut self, at: WallTime) {
        let was_born_here = self.edits.born.take().is_some();
        if !was_born_here {
            self.edits.died = self.edits.died.or(Some(at));
        }
        self.edits.all = None;
        self.edits.fields.clear();
        self.alive = Some(false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(script: &str) -> Vec<Entry> {
        let letter = |at: usize, c: char| Entry {
            op: Op::from_letter(&c.to_string()).unwrap(),
            touched: if c == 'U' { Touched::Some(vec![ColumnId(1)]) } else { Touched::All },
            at: WallTime(10 + at as u64),
        };
        script.chars().enumerate().map(|(at, c)| letter(at, c)).collect()
    }

    /// (died, born, all fields, single fields)
    fn shape(script: &str, stands: bool) -> (bool, bool, bool, usize) {
        let edits = coalesce(&rows(script), stands);
        (edits.died.is_some(), edits.born.is_some(), edits.all.is_some(), edits.fields.len())
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
            let edits = coalesce(&entries, true);
            assert_eq!((edits.died, edits.born, edits.all), (None, None, Some(WallTime(5))), "{script}");
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

    #[test]
    fn the_last_edit_of_a_field_gives_its_time() {
        let edits = coalesce(&rows("UU"), true);
        assert_eq!(edits.fields.get(&ColumnId(1)), Some(&WallTime(11)));
    }
}
