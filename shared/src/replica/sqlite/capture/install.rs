//! Putting the triggers in place, and seeing whether they still are.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::super::fault::{Fault, Outcome};
use super::super::names::{PREFIX, quoted};
use super::super::schema::{Candidate, unique_indexes};
use super::last::ensure_last;
use super::triggers::{Trigger, triggers_of};
use crate::id::{ColumnId, TableId};

/// How capture on a table stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum CaptureState {
    /// As it should be for the table's present schema.
    Intact,
    /// It was never dropped, but the table or its indexes changed since.
    Outdated,
    /// Triggers are missing or altered: changes may have gone unseen.
    Lost,
}

/// Compares a table's triggers with those that its present schema asks for.
pub(in super::super) fn capture_state(connection: &Connection, table: &Candidate) -> Outcome<CaptureState> {
    let present = present_triggers(connection, &table.name)?;
    let Some((capture, columns)) = latest_capture(connection, &table.name)? else { return Ok(CaptureState::Lost) };
    let wanted = triggers_of(table, &unique_indexes(connection, &table.name)?, &columns, capture);
    let intact = |trigger: &Trigger| present.get(&trigger.name) == Some(&trigger.sql);
    if present.len() == wanted.len() && wanted.iter().all(intact) {
        return Ok(CaptureState::Intact);
    }
    let essential = ["insert", "update", "delete", "rekey", "guard_insert", "guard_rekey"];
    let complete = essential.iter().all(|part| present.contains_key(&format!("{PREFIX}{part}_{}", table.name)));
    Ok(if complete { CaptureState::Outdated } else { CaptureState::Lost })
}

/// Our triggers on a table, with their text.
fn present_triggers(connection: &Connection, table: &str) -> Outcome<BTreeMap<String, String>> {
    let mut statement = connection.prepare(
        "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = ?1 COLLATE NOCASE \
         AND name LIKE '\\_packhorse\\_%' ESCAPE '\\'",
    )?;
    Ok(statement.query_map([table], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<rusqlite::Result<_>>()?)
}

/// The id and the columns of a table's latest capture.
fn latest_capture(connection: &Connection, table: &str) -> Outcome<Option<(i64, Vec<ColumnId>)>> {
    let sql = "SELECT c.id, c.columns FROM _packhorse_captures c JOIN _packhorse_tables t ON t.id = c.tbl \
               WHERE t.name = ?1 ORDER BY c.id DESC LIMIT 1";
    let read = |row: &Row<'_>| Ok((row.get(0)?, row.get::<_, String>(1)?));
    let latest = connection.query_row(sql, [table], read).optional()?;
    Ok(latest.map(|(id, columns)| (id, listed(&columns))))
}

/// The columns that a capture lists.
pub(in super::super) fn listed(columns: &str) -> Vec<ColumnId> {
    columns.split(',').filter_map(|id| id.parse().ok()).map(ColumnId).collect()
}

/// Replaces a table's capture by one for its present schema, under a new capture id. Belongs in a transaction.
pub(in super::super) fn install(
    connection: &Connection,
    table: &Candidate,
    id: TableId,
    columns: &[ColumnId],
) -> Outcome<()> {
    remove_stale(connection, &table.name)?;
    let list: Vec<String> = columns.iter().map(|column| column.0.to_string()).collect();
    connection
        .execute("INSERT INTO _packhorse_captures (tbl, columns) VALUES (?1, ?2)", params![id.0, list.join(",")])?;
    let capture = connection.last_insert_rowid();
    ensure_last(connection, &table.name, columns)?;
    for trigger in triggers_of(table, &unique_indexes(connection, &table.name)?, columns, capture) {
        connection.execute_batch(&trigger.sql).map_err(Fault::from)?;
    }
    Ok(())
}

/// Drops every trigger of ours on a table.
fn remove_stale(connection: &Connection, table: &str) -> Outcome<()> {
    for name in present_triggers(connection, table)?.keys() {
        connection.execute_batch(&format!("DROP TRIGGER {}", quoted(name)))?;
    }
    Ok(())
}
