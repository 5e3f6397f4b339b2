//! The text of the capture triggers of one table.
//!
//! The order in which SQLite fires several triggers is undefined, so no trigger relies on another's row standing
//! before or after its own.

use super::super::names::{PREFIX, last_table, quoted, quoted_list};
use super::super::schema::{Candidate, CandidateColumn, UniqueIndex};
use super::last::last_column;
use super::log::{Op, WORD_BITS, mask_names, mask_words};
use crate::id::ColumnId;
use crate::replica::Affinity;

/// The wall clock in milliseconds, in words that SQLite 3.35 knows. Without an argument it need not be parsed.
const NOW: &str = "CAST((julianday() - 2440587.5) * 86400000.0 AS INTEGER)";

/// A trigger: its name and its whole CREATE statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Trigger {
    pub name: String,
    pub sql: String,
}

/// Every capture trigger of a table, logging under `capture`; `columns` are the numbers of its columns.
pub(in super::super) fn triggers_of(
    table: &Candidate,
    unique: &[UniqueIndex],
    columns: &[ColumnId],
    capture: i64,
) -> Vec<Trigger> {
    let writer = Writer { table, columns, capture };
    let mut triggers = vec![
        writer.trigger("insert", "AFTER INSERT", "", &[writer.log("NEW", Op::Insert)]),
        writer.trigger("delete", "AFTER DELETE", "", &writer.log_deletion(Op::Delete)),
        writer.trigger("update", "AFTER UPDATE", "", &[writer.log_update()]),
        writer.trigger(
            "rekey",
            &format!("AFTER {}", writer.update_of_key()),
            &writer.key_changed(),
            &[writer.log_deletion(Op::Moved), vec![writer.log("NEW", Op::Insert)]].concat(),
        ),
        writer.guard_insert(unique),
        writer.guard_rekey(),
    ];
    if !unique.is_empty() {
        triggers.push(writer.guard_update(unique));
    }
    triggers
}

struct Writer<'a> {
    table: &'a Candidate,
    columns: &'a [ColumnId],
    capture: i64,
}

impl Writer<'_> {
    fn trigger(&self, part: &str, event: &str, when: &str, statements: &[String]) -> Trigger {
        let name = format!("{PREFIX}{part}_{}", self.table.name);
        let body = statements.join("; ");
        let (quoted_name, table) = (quoted(&name), quoted(&self.table.name));
        let when = if when.is_empty() { String::new() } else { format!("WHEN {when} ") };
        let sql = format!("CREATE TRIGGER {quoted_name} {event} ON {table} {when}BEGIN {body}; END");
        Trigger { name, sql }
    }

    fn log_columns(&self) -> String {
        (1..=self.table.keys.len()).map(|at| format!("k{at}, ")).collect()
    }

    fn key_of(&self, row: &str) -> String {
        self.table.keys.iter().map(|key| format!("{row}.{}, ", quoted(key))).collect()
    }

    /// Logs an operation on the key of `row`, which is NEW, OLD or the table itself.
    fn log(&self, row: &str, op: Op) -> String {
        let (columns, key) = (self.log_columns(), self.key_of(row));
        format!(
            "INSERT INTO _packhorse_log (tbl, {columns}op, at) VALUES ({}, {key}'{}', {NOW})",
            self.capture,
            op.letter()
        )
    }

    /// Logs a deletion, and keeps the last values under its row's id: inside a trigger `last_insert_rowid()` is that of
    /// the trigger's own last insertion, whatever the application's statement and other triggers insert. A row that was
    /// left under that id by a log emptied by hand must not fail the application's write.
    fn log_deletion(&self, op: Op) -> Vec<String> {
        let mut statements = vec![self.log("OLD", op)];
        if !self.table.columns.is_empty() {
            let places: String = self.columns.iter().map(|&column| format!(", {}", last_column(column))).collect();
            let values: String =
                self.table.columns.iter().map(|column| format!(", OLD.{}", quoted(&column.name))).collect();
            let last = last_table(&self.table.name);
            statements.push(format!("INSERT OR REPLACE INTO {last} (id{places}) VALUES (last_insert_rowid(){values})"));
        }
        statements
    }

    /// Logs an update under the old key with the mask of what changed. There is no WHEN: an edit of a column that was
    /// added after this trigger was made leaves a mask of 0, which harvest recognises.
    fn log_update(&self) -> String {
        let words = mask_words(self.table.columns.len());
        let masks: Vec<String> = (0..words).map(|word| self.mask(word)).collect();
        let (columns, key) = (self.log_columns(), self.key_of("OLD"));
        format!(
            "INSERT INTO _packhorse_log (tbl, {columns}op, {}, at) VALUES ({}, {key}'{}', {}, {NOW})",
            mask_names(words).join(", "),
            self.capture,
            Op::Update.letter(),
            masks.join(", ")
        )
    }

    fn mask(&self, word: usize) -> String {
        let columns = self.table.columns.iter().skip(word * WORD_BITS).take(WORD_BITS);
        let bits: Vec<String> = columns.enumerate().map(|(bit, column)| shifted(&changed(column), bit)).collect();
        if bits.is_empty() { "0".to_owned() } else { bits.join(" + ") }
    }

    fn key_changed(&self) -> String {
        let changed = self.table.keys.iter().map(|key| format!("OLD.{0} IS NOT NEW.{0} COLLATE BINARY", quoted(key)));
        changed.collect::<Vec<_>>().join(" OR ")
    }

    /// True for the record that stands under NEW's key.
    fn is_under_new_key(&self) -> String {
        self.table.keys.iter().map(|key| format!("{0} = NEW.{0}", quoted(key))).collect::<Vec<_>>().join(" AND ")
    }

    /// The table as something to select from. One that is itself called old or new would stand before the rows of
    /// that name.
    fn source(&self) -> String {
        let name = quoted(&self.table.name);
        let hides_row = ["old", "new"].iter().any(|row| self.table.name.eq_ignore_ascii_case(row));
        if hides_row { format!("{name} AS \"{PREFIX}holder\"") } else { name }
    }

    /// The event of an update that may change the key. A rowid can be set by any of its names; SQLite takes those that
    /// are no columns of the table in the list, and fires by name.
    fn update_of_key(&self) -> String {
        let aliases = if self.table.rowid_key { &["rowid", "oid", "_rowid_"][..] } else { &[] };
        format!("UPDATE OF {}", quoted_list(self.table.keys.iter().map(String::as_str).chain(aliases.iter().copied())))
    }

    /// Logs the records of this table for which `condition` holds.
    fn log_where(&self, op: Op, condition: &str) -> String {
        let columns = self.log_columns();
        let key: String = self.table.keys.iter().map(|key| format!("{}, ", quoted(key))).collect();
        let table = self.source();
        format!(
            "INSERT INTO _packhorse_log (tbl, {columns}op, at) SELECT {}, {key}'{}', {NOW} FROM {table} WHERE {condition}",
            self.capture,
            op.letter()
        )
    }

    /// A trigger that logs whoever meets one of the conditions. It looks whether there is anybody first: almost always
    /// there is not, and then the log need not be opened.
    fn guard(&self, part: &str, event: &str, holders: &[(Op, String)]) -> Trigger {
        let table = self.source();
        let exists = |(_, condition): &(Op, String)| format!("EXISTS (SELECT 1 FROM {table} WHERE {condition})");
        let when = holders.iter().map(exists).collect::<Vec<_>>().join(" OR ");
        let log = |(op, condition): &(Op, String)| self.log_where(*op, condition);
        self.trigger(part, event, &when, &holders.iter().map(log).collect::<Vec<_>>())
    }

    fn guard_insert(&self, unique: &[UniqueIndex]) -> Trigger {
        let suspects = unique.iter().map(|index| (Op::Suspect, index.holder_is.clone()));
        let holders: Vec<_> = [(Op::Held, self.is_under_new_key())].into_iter().chain(suspects).collect();
        self.guard("guard_insert", "BEFORE INSERT", &holders)
    }

    /// `UPDATE OR REPLACE` that changes a key evicts whoever stands under the new one.
    fn guard_rekey(&self) -> Trigger {
        let statement = self.log_where(Op::Held, &self.is_under_new_key());
        self.trigger("guard_rekey", &format!("BEFORE {}", self.update_of_key()), &self.key_changed(), &[statement])
    }

    fn guard_update(&self, unique: &[UniqueIndex]) -> Trigger {
        let itself = self.table.keys.iter().map(|key| format!("{0} IS OLD.{0}", quoted(key)));
        let itself = itself.collect::<Vec<_>>().join(" AND ");
        let holder = |index: &UniqueIndex| (Op::Suspect, format!("{} AND NOT ({itself})", index.holder_is));
        let event = format!("BEFORE {}", self.update_of_unique(unique));
        self.guard("guard_update", &event, &unique.iter().map(holder).collect::<Vec<_>>())
    }

    /// The event of an update that may change a UNIQUE key. It is any update where a key is made of more than columns
    /// that are set by their own name: of expressions, a condition, generated columns or the rowid.
    fn update_of_unique(&self, unique: &[UniqueIndex]) -> String {
        let own = |name: &String| self.table.columns.iter().any(|column| column.name == *name);
        let mut names: Vec<&str> = Vec::new();
        for index in unique {
            match &index.columns {
                Some(columns) if columns.iter().all(own) => names.extend(columns.iter().map(String::as_str)),
                _ => return "UPDATE".to_owned(),
            }
        }
        names.sort_unstable();
        names.dedup();
        format!("UPDATE OF {}", quoted_list(names))
    }
}

/// Whether a field changed, by content and not by the column's collation, under which 'a' may equal 'A'.
fn changed(column: &CandidateColumn) -> String {
    let name = quoted(&column.name);
    let differs = format!("OLD.{name} IS NOT NEW.{name} COLLATE BINARY");
    // Where a number stays as it came, 1 and 1.0 are different contents that compare equal.
    if column.affinity == Affinity::Any {
        format!("({differs} OR typeof(OLD.{name}) <> typeof(NEW.{name}))")
    } else {
        format!("({differs})")
    }
}

/// Multiplied and added, which SQLite does faster than shifting and joining bits.
fn shifted(condition: &str, bit: usize) -> String {
    if bit == 0 { condition.to_owned() } else { format!("{condition} * {}", 1i64 << bit) }
}
