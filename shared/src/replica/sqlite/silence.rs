//! Which triggers run during a merge.
//!
//! Capture triggers must not log what a merge writes, and the application's triggers must not write synced tables a
//! second time: their effects arrive as data. Those that write elsewhere (search indexes, an audit) run. SQLite's
//! authorizer names the trigger on whose behalf a write is compiled, and to answer *ignore* makes that write nothing.
//! A deletion cannot be ignored so; tables whose triggers delete synced records are written with triggers off, and
//! search tables are built anew afterwards.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};

use super::catalogue::{Catalogue, Entry};
use super::fault::Outcome;
use super::names::is_ours;
use crate::id::TableId;

/// Tables whose triggers delete records elsewhere.
#[derive(Default)]
pub(super) struct Loud {
    /// Those whose triggers delete synced records.
    pub synced: HashSet<TableId>,
    /// Those whose triggers delete records of tables that are not synced (search tables do not count): what goes with a
    /// record there does not come back with it.
    pub unsynced: HashSet<TableId>,
}

/// What the triggers of the statement that is being compiled delete.
#[derive(Default)]
struct Deletes {
    synced: bool,
    unsynced: bool,
}

/// Sets the connection's authorizer, once and for all its statements, and tells which tables have triggers that
/// delete records elsewhere.
pub(super) fn silence(connection: &mut Connection, catalogue: &Catalogue) -> Outcome<Loud> {
    let synced: HashSet<String> = catalogue.shapes().iter().map(|shape| shape.name.to_ascii_lowercase()).collect();
    let search = virtual_tables(connection)?;
    let deletes = Arc::new(Mutex::new(Deletes::default()));
    let seen = Arc::clone(&deletes);
    connection.authorizer(Some(move |context: AuthContext<'_>| judge(&context, &synced, &search, &seen)))?;
    let mut loud = Loud::default();
    for entry in catalogue.entries() {
        *deletes.lock().unwrap_or_else(PoisonError::into_inner) = Deletes::default();
        compile_writes(connection, entry)?;
        let found = deletes.lock().unwrap_or_else(PoisonError::into_inner);
        loud.synced.extend(found.synced.then_some(entry.shape.id));
        loud.unsynced.extend(found.unsynced.then_some(entry.shape.id));
    }
    Ok(loud)
}

fn virtual_tables(connection: &Connection) -> Outcome<HashSet<String>> {
    let sql = "SELECT lower(name) FROM main.sqlite_schema WHERE type = 'table' AND sql LIKE 'CREATE VIRTUAL TABLE%'";
    let mut statement = connection.prepare(sql)?;
    Ok(statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?)
}

fn judge(
    context: &AuthContext<'_>,
    synced: &HashSet<String>,
    search: &HashSet<String>,
    deletes: &Mutex<Deletes>,
) -> Authorization {
    let Some(trigger) = context.accessor else { return Authorization::Allow };
    let is_synced = |table: &str| is_ours(table) || synced.contains(&table.to_ascii_lowercase());
    match context.action {
        AuthAction::Insert { table_name } | AuthAction::Update { table_name, .. }
            if is_ours(trigger) || is_synced(table_name) =>
        {
            Authorization::Ignore
        }
        AuthAction::Delete { table_name } => {
            let mut deletes = deletes.lock().unwrap_or_else(PoisonError::into_inner);
            if is_synced(table_name) {
                deletes.synced = true;
            } else if !search.contains(&table_name.to_ascii_lowercase()) {
                deletes.unsynced = true;
            }
            Authorization::Allow
        }
        _ => Authorization::Allow,
    }
}

fn compile_writes(connection: &Connection, entry: &Entry) -> Outcome<()> {
    let columns: Vec<&str> = entry.shape.columns.iter().map(|column| column.name.as_str()).collect();
    connection.prepare(&entry.sql.insert(&columns))?;
    connection.prepare(&entry.sql.delete)?;
    if !columns.is_empty() {
        connection.prepare(&entry.sql.update(&columns))?;
    }
    Ok(())
}

/// Runs `write` with every trigger off.
pub(super) fn without_triggers<T>(connection: &Connection, write: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
    let done = write();
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, true)?;
    done
}
