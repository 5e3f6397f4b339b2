//! A database in memory that has one table of the application's, as its schema writes it, and not a row.

use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};

use crate::replica::sqlite::fault::Outcome;
use crate::replica::sqlite::open::accept_old_quoting;

/// What no condition can be made of, or what would reach beyond the database if a build of SQLite let it.
const DENIED: [&str; 3] = ["match", "load_extension", "fts3_tokenizer"];

/// Makes it; None if the table is gone.
pub(super) fn scratch(connection: &Connection, table: &str) -> Outcome<Option<Connection>> {
    let sql = "SELECT sql FROM main.sqlite_schema WHERE type = 'table' AND name = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([table])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let scratch = Connection::open_in_memory()?;
    accept_old_quoting(&scratch)?;
    scratch.execute_batch(&row.get::<_, String>(0)?)?;
    // What a person writes now: text in double quotes is a column that is not there.
    scratch.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
    scratch.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DDL, false)?;
    Ok(Some(scratch))
}

/// Lets the next statement select from the table once, and do nothing else. (Whether a match is possible, SQLite would tell only
/// when it meets a row.)
pub(super) fn guard(scratch: &mut Connection, table: &str) -> Outcome<()> {
    let (table, selected) = (table.to_owned(), AtomicBool::new(false));
    Ok(scratch.authorizer(Some(move |context: AuthContext<'_>| match context.action {
        AuthAction::Select if !selected.swap(true, Ordering::Relaxed) => Authorization::Allow,
        AuthAction::Read { table_name, .. } if table_name.eq_ignore_ascii_case(&table) => Authorization::Allow,
        AuthAction::Function { function_name }
            if !DENIED.iter().any(|name| function_name.eq_ignore_ascii_case(name)) =>
        {
            Authorization::Allow
        }
        _ => Authorization::Deny,
    }))?)
}

/// Lets it do anything again.
pub(super) fn unguard(scratch: &mut Connection) -> Outcome<()> {
    Ok(scratch.authorizer(None::<fn(AuthContext<'_>) -> Authorization>)?)
}
