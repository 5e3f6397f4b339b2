//! Ranges that a table has lost, given again whenever a remote's database is opened.
//!
//! The application's migrations rebuild tables: the new one may lack AUTOINCREMENT, which only the remote's copy had, or its
//! place in `sqlite_sequence`, and its next number would be one of the hub's. Invariants: what a range has given is not given
//! again; a table is otherwise as it was, down to its records, indexes and triggers, since of what is stored only the text
//! of its statement changes. Leaves it to [`super::ranges`] which tables have a range, and to what waits where one cannot be
//! given again (see `unbundler`) to keep numbers apart.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use super::catalogue::{Catalogue, Entry};
use super::fault::{Fault, Outcome};
use super::names::literal;
use super::numbers;
use super::ranges::{self, has_range};
use super::remake;
use super::schema::with_autoincrement;
use super::state::{self, Progress};
use crate::replica::KeyKind;

/// Gives back the ranges that were lost.
pub(super) fn regain(writer: &mut Connection, catalogue: &Catalogue) -> Outcome<()> {
    if state::numbers_from(writer)?.is_none() || lost(writer, catalogue)?.is_empty() {
        return Ok(());
    }
    let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Under the lock once more: two commands may have noticed at the same time.
    for entry in lost(&transaction, catalogue)? {
        if give_again(&transaction, entry)? {
            note(&transaction, &entry.shape.name)?;
        }
    }
    Ok(transaction.commit()?)
}

/// The tables that are to have a range and have none.
fn lost<'c>(connection: &Connection, catalogue: &'c Catalogue) -> Outcome<Vec<&'c Entry>> {
    let mut lost = Vec::new();
    for entry in catalogue.entries().iter().filter(|entry| entry.shape.key_kind == KeyKind::Assigned) {
        let table = &entry.shape.name;
        if !state::has_numbers_as_is(connection, table)?
            && !has_range(connection, table)?
            && statement_with(connection, table)?.is_some()
        {
            lost.push(entry);
        }
    }
    Ok(lost)
}

/// A table's statement, and the same with AUTOINCREMENT, if that makes the same table.
pub(super) fn statement_with(connection: &Connection, table: &str) -> Outcome<Option<(String, String)>> {
    let sql = "SELECT sql FROM main.sqlite_schema WHERE type = 'table' AND name = ?1 COLLATE NOCASE";
    let stands: Option<String> = connection.query_row(sql, [table], |row| row.get(0)).optional()?;
    let Some(stands) = stands else { return Ok(None) };
    let Some(wanted) = with_autoincrement(&stands) else { return Ok(None) };
    let is_same = stands == wanted || remake::makes_the_same(table, &stands, &wanted)?;
    Ok(is_same.then_some((stands, wanted)))
}

/// Gives a table its range again; false if that cannot be done.
fn give_again(connection: &Connection, entry: &Entry) -> Outcome<bool> {
    let table = &entry.shape.name;
    let Some((stands, wanted)) = statement_with(connection, table)? else { return Ok(false) };
    let Some(next) = numbers::free(connection, entry, &BTreeSet::new())? else { return Ok(false) };
    if stands != wanted {
        restate(connection, table, &wanted)?;
    }
    ranges::start(connection, table, next - 1)?;
    Ok(true)
}

/// Changes the text of a table's statement, as SQLite's documentation of ALTER TABLE tells to where what is stored of the
/// table stays the same. A new schema version has every other connection read it.
fn restate(connection: &Connection, table: &str, sql: &str) -> Outcome<()> {
    let version: i64 = connection.query_row("PRAGMA schema_version", [], |row| row.get(0))?;
    connection.execute_batch("PRAGMA writable_schema = ON")?;
    let change = "UPDATE main.sqlite_schema SET sql = ?2 WHERE type = 'table' AND name = ?1 COLLATE NOCASE";
    let changed = connection.execute(change, params![table, sql]);
    let next = version.wrapping_add(1);
    connection.execute_batch(&format!("PRAGMA schema_version = {next}; PRAGMA writable_schema = RESET"))?;
    match changed? {
        1 => Ok(()),
        _ => Err(Fault::Damaged(format!("table {table} has no statement of its own"))),
    }
}

fn note(connection: &Connection, table: &str) -> Outcome<()> {
    let at = Progress::load(connection)?.clock.latest().time().0;
    let text =
        format!("the numbers of new records in {table} had lost their range, as after a migration; they have it again");
    connection
        .execute_batch(&format!("INSERT INTO _packhorse_notices (at, text) VALUES ({at}, {})", literal(&text)))?;
    tracing::warn!(table, "new numbers had lost their range, as after a migration; they have it again");
    Ok(())
}
