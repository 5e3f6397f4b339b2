//! The expression by which a set chooses a table's rows: it compiles, reads its row and nothing else, and says the same of a
//! row whenever it is asked.
//!
//! It is tried in a scratch database in memory that has the table alone: first as a condition under an authorizer, which lets
//! it read that table, then as an index, which SQLite lets depend on nothing but the row. Invariant: what is told of it stands
//! at the byte of the text that its owner wrote.

use rusqlite::{Connection, Error, ErrorCode};

use super::rewritten::Rewritten;
use super::scratch::{guard, scratch, unguard};
use super::{Looked, listed};
use crate::replica::sqlite::fault::Outcome;
use crate::replica::sqlite::membership::fit::in_brief;
use crate::replica::sqlite::names::quoted;
use crate::set::expression::parameters;
use crate::set::{Finding, Rule};
use crate::sql_text::pieces;

/// Functions whose answers depend on the time if their arguments say so.
const OF_TIME: [&str; 7] = ["date", "time", "datetime", "julianday", "unixepoch", "strftime", "timediff"];

/// The arguments that say so.
const OF_NOW: [&str; 3] = ["'now'", "'localtime'", "'utc'"];

/// Checks it.
pub(super) fn check(
    connection: &Connection,
    looked: &Looked<'_>,
    text: &str,
    findings: &mut Vec<Finding>,
) -> Outcome<()> {
    let table = &looked.table.name;
    if let Err(error) = parameters(text) {
        findings.push(Finding::expression(table, text, &error));
        return Ok(());
    }
    let found = beyond_the_row(table, text).or_else(|| changing(table, text));
    match found {
        Some(found) => findings.push(found),
        None => findings.extend(compiled(connection, looked, text)?),
    }
    Ok(())
}

/// A look at something else than the row, which the word that begins it gives away, or a table's name where a list stands.
fn beyond_the_row(table: &str, text: &str) -> Option<Finding> {
    let all = pieces(text);
    let is_look = |at: usize| {
        let begins = ["SELECT", "EXISTS", "VALUES"].iter().any(|word| all[at].is(word));
        let is_listed = at > 0 && all[at - 1].is("IN") && !matches!(all[at].text, "(" | ":");
        begins || is_listed
    };
    let at = (0..all.len()).find(|at| is_look(*at))?;
    Some(reaches_out(table).at(text, all[at].start))
}

fn reaches_out(table: &str) -> Finding {
    let mend = "compare columns of this table with parameters; what hangs on another table follows it by a foreign key";
    Finding::error(Rule::Expression, table, "this reaches beyond the row", mend)
}

/// The current time, where functions of time are given it in words; SQLite would notice only when it meets a row.
fn changing(table: &str, text: &str) -> Option<Finding> {
    let all = pieces(text);
    let is_call = |at: usize| OF_TIME.iter().any(|name| all[at].is(name)) && all.get(at + 1).is_some_and(|p| p.is("("));
    let first = (0..all.len()).find(|at| is_call(*at))?;
    let is_bare = |at: usize| is_call(at) && all.get(at + 2).is_some_and(|piece| piece.is(")"));
    let says_now = |at: usize| OF_NOW.iter().any(|word| all[at].is(word));
    let at = (first..all.len()).find(|at| is_bare(*at) || says_now(*at))?;
    Some(not_the_same(table).at(text, all[at].start))
}

fn not_the_same(table: &str) -> Finding {
    let mend = "it must say the same of a row whenever it is asked: leave out what changes by itself (time, chance, \
                counters), or keep it in a column";
    Finding::error(Rule::Expression, table, "this is not the same every time", mend)
}

/// What SQLite finds wrong with it.
fn compiled(connection: &Connection, looked: &Looked<'_>, text: &str) -> Outcome<Option<Finding>> {
    let name = &looked.entry.shape.name;
    let Some(mut scratch) = scratch(connection, name)? else { return Ok(None) };
    let alone = Rewritten::of(text, name);
    let condition = "SELECT (";
    guard(&mut scratch, name)?;
    let done = scratch.prepare(&format!("{condition}{}\n) FROM main.{}", alone.sql, quoted(name))).map(drop);
    if let Err(error) = done {
        return Ok(Some(told(looked, text, &error, &|offset| alone.origin(offset, condition.len()))));
    }
    unguard(&mut scratch)?;
    let index = format!("CREATE INDEX _packhorse_check ON {} ((", quoted(name));
    let done = scratch.execute_batch(&format!("{index}{}\n))", alone.sql));
    Ok(done.err().map(|error| told(looked, text, &error, &|offset| alone.origin(offset, index.len()))))
}

/// SQLite's refusal in our words, at the place in the text that it means.
fn told(looked: &Looked<'_>, text: &str, error: &Error, origin: &dyn Fn(usize) -> usize) -> Finding {
    let table = &looked.table.name;
    let (message, at) = match error {
        Error::SqlInputError { msg, offset, .. } => (msg.clone(), usize::try_from(*offset).ok().map(origin)),
        Error::SqliteFailure(_, Some(message)) => (message.clone(), None),
        other => (other.to_string(), None),
    };
    let is_refused = error.sqlite_error_code() == Some(ErrorCode::AuthorizationForStatementDenied);
    let found = if is_refused
        || message.contains("subqueries prohibited")
        || message.contains("no such table")
        || message.to_ascii_lowercase().ends_with("function: match")
    {
        reaches_out(table)
    } else if message.contains("non-deterministic") {
        not_the_same(table)
    } else {
        let mend = mend(looked, text, at, &message);
        // SQLite meets the parenthesis that we put behind it.
        let breaks_off = message.starts_with("near \")\"") && at.is_some_and(|at| at >= text.len());
        let wrong = match in_brief(&message) {
            _ if breaks_off => "it breaks off",
            "Recursion limit" => "it is nested too deeply",
            words => words,
        };
        Finding::error(Rule::Expression, table, wrong, mend)
    };
    if let Some(at) = at { found.at(text, at) } else { found }
}

fn mend(looked: &Looked<'_>, text: &str, at: Option<usize>, message: &str) -> String {
    if !message.contains("no such column") {
        return "write one SQL expression over the table's columns, with parameters as :name".to_owned();
    }
    let rest = at.and_then(|at| text.get(at..)).unwrap_or_default();
    if let Some(quoted) = rest.strip_prefix('"').and_then(|rest| rest.split_once('"')) {
        return format!("if it is text, put it into single quotes: '{}'", quoted.0.replace('\'', "''"));
    }
    let names: Vec<&str> = looked.facts.columns.iter().map(|column| column.name.as_str()).collect();
    format!("its columns are: {}", listed(&names))
}
