//! Which triggers run during a merge.
//!
//! Capture triggers must not log what a merge writes, and the application's triggers must not write synced tables a
//! second time: their effects arrive as data. Those that write elsewhere (search indexes, an audit) run. SQLite's
//! authorizer names the trigger on whose behalf a write is compiled, and to answer *ignore* makes that write nothing.
//! A deletion cannot be ignored so; tables whose triggers delete synced records are written with triggers off, and
//! search tables are built anew afterwards.

use std::collections::{BTreeMap, BTreeSet, HashSet};
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
    /// What the application's triggers do that writing to a table sets off, by table.
    pub effects: BTreeMap<TableId, Effects>,
}

/// What triggers do, by their names.
pub(super) type Effects = BTreeMap<String, Effect>;

/// What one trigger does.
#[derive(Clone, Debug, Default)]
pub(super) struct Effect {
    /// The synced tables that it would write: nothing of that is done.
    pub ignored: BTreeSet<String>,
    /// The synced tables that it deletes from.
    pub deletes: BTreeSet<String>,
    /// Whether it writes anything else.
    pub writes_elsewhere: bool,
}

/// What the triggers of the statements that are being compiled do.
#[derive(Default)]
struct Seen {
    effects: Effects,
    deletes_synced: bool,
    deletes_unsynced: bool,
}

impl Seen {
    fn by(&mut self, trigger: &str) -> &mut Effect {
        self.effects.entry(trigger.to_owned()).or_default()
    }
}

/// Sets the connection's authorizer, once and for all its statements, and tells which tables have triggers that
/// delete records elsewhere.
pub(super) fn silence(connection: &mut Connection, catalogue: &Catalogue) -> Outcome<Loud> {
    let synced: HashSet<String> = catalogue.shapes().iter().map(|shape| shape.name.to_ascii_lowercase()).collect();
    let search = virtual_tables(connection)?;
    let seen = Arc::new(Mutex::new(Seen::default()));
    let sees = Arc::clone(&seen);
    connection.authorizer(Some(move |context: AuthContext<'_>| judge(&context, &synced, &search, &sees)))?;
    let mut loud = Loud::default();
    for entry in catalogue.entries() {
        compile_writes(connection, entry)?;
        let found = std::mem::take(&mut *seen.lock().unwrap_or_else(PoisonError::into_inner));
        loud.synced.extend(found.deletes_synced.then_some(entry.shape.id));
        loud.unsynced.extend(found.deletes_unsynced.then_some(entry.shape.id));
        loud.effects.insert(entry.shape.id, found.effects);
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
    seen: &Mutex<Seen>,
) -> Authorization {
    let Some(trigger) = context.accessor else { return Authorization::Allow };
    let is_synced = |table: &str| is_ours(table) || synced.contains(&table.to_ascii_lowercase());
    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    match context.action {
        AuthAction::Insert { .. } | AuthAction::Update { .. } if is_ours(trigger) => Authorization::Ignore,
        AuthAction::Insert { table_name } | AuthAction::Update { table_name, .. } if is_synced(table_name) => {
            seen.by(trigger).ignored.insert(table_name.to_owned());
            Authorization::Ignore
        }
        AuthAction::Insert { .. } | AuthAction::Update { .. } => {
            seen.by(trigger).writes_elsewhere = true;
            Authorization::Allow
        }
        AuthAction::Delete { table_name } => {
            if is_synced(table_name) {
                seen.by(trigger).deletes.insert(table_name.to_owned());
                seen.deletes_synced = true;
            } else {
                seen.by(trigger).writes_elsewhere = true;
                seen.deletes_unsynced |= !search.contains(&table_name.to_ascii_lowercase());
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
