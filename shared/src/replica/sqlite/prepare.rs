//! Making a database take part: metadata, capture, and an account of what is left out.
//!
//! Everything is made in one transaction: after a kill the database is either prepared or as it was.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use super::capture::{ensure_log, install};
use super::fault::{Fault, Outcome};
use super::names::quoted;
use super::open::{self, Journal};
use super::schema::{Candidate, candidates, leave_out_unwritable, why_unknown};
use super::{metadata, state};
use crate::clock::Reading;
use crate::id::{ColumnId, TableId};
use crate::replica::{Identity, LeftOut, ReplicaError, Result, WhyLeftOut};

/// Which of the tables that can be synced are to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// All of them.
    Every,
    /// These; each must be there and fit.
    Only(Vec<String>),
    /// All but these; each must be there.
    Except(Vec<String>),
}

/// What to do about the way in which the database keeps its changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JournalWish {
    /// Switch to the write-ahead log, with which readers and writers do not wait for each other.
    WriteAhead,
    /// Leave it as it is.
    Keep,
}

/// What was prepared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepared {
    /// The synced tables.
    pub synced: Vec<SyncedTable>,
    /// The others, and why.
    pub left_out: Vec<LeftOut>,
    /// Whether the journal was switched.
    pub switched_to_wal: bool,
}

/// A table that is synced from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncedTable {
    /// Its name.
    pub name: String,
    /// How many records of its cannot be synced because their key holds a NULL.
    pub without_key: u64,
}

/// Tells whether a database could be prepared so, without writing: it is one, it can be opened, it is nobody else's,
/// and the choice fits its tables.
pub fn examine(path: &Path, choice: &Choice) -> Result<()> {
    let look = || -> Outcome<()> {
        let connection = open::reader(path)?;
        refuse_prepared(&connection, path)?;
        choose(&connection, path, choice).map(|_| ())
    };
    look().map_err(|fault| fault.at(path, "be read"))
}

/// Prepares a database.
pub fn prepare(
    path: &Path,
    identity: Identity,
    clock: Reading,
    choice: &Choice,
    journal: JournalWish,
) -> Result<Prepared> {
    let work = || -> Outcome<Prepared> {
        let mut connection = open::writer(path)?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        refuse_prepared(&transaction, path)?;
        let (chosen, left_out) = choose(&transaction, path, choice)?;
        state::create(&transaction, identity, clock)?;
        let synced = chosen.iter().map(|table| add_table(&transaction, table)).collect::<Outcome<_>>()?;
        transaction.commit()?;
        let switched_to_wal = journal == JournalWish::WriteAhead
            && open::journal(&connection)? != Journal::Wal
            && open::try_wal(&connection, path) == Journal::Wal;
        Ok(Prepared { synced, left_out, switched_to_wal })
    };
    work().map_err(|fault| fault.at(path, "be prepared"))
}

fn refuse_prepared(connection: &Connection, path: &Path) -> Outcome<()> {
    match state::format(connection)? {
        None => Ok(()),
        Some(_) => Err(Fault::Said(ReplicaError::AlreadyPrepared { path: path.to_owned() })),
    }
}

fn choose(connection: &Connection, path: &Path, choice: &Choice) -> Outcome<Chosen> {
    let (found, mut left_out) = candidates(connection)?;
    let mut writable = leave_out_unwritable(connection, found, &mut left_out);
    let (Choice::Only(named) | Choice::Except(named)) = choice else {
        return at_least_one(writable, left_out, ReplicaError::NoTables { path: path.to_owned() });
    };
    for name in named {
        refuse_unknown(connection, name, choice, (&writable, &left_out))?;
    }
    if writable.is_empty() {
        return Err(Fault::Said(ReplicaError::NoTables { path: path.to_owned() }));
    }
    let wanted = |table: &Candidate| {
        let is_named = named.iter().any(|name| name.eq_ignore_ascii_case(&table.name));
        is_named == matches!(choice, Choice::Only(_))
    };
    let unwanted: Vec<_> = writable.iter().filter(|table| !wanted(table)).map(|table| table.name.clone()).collect();
    writable.retain(wanted);
    left_out.extend(unwanted.into_iter().map(|table| LeftOut { table, why: WhyLeftOut::NotChosen }));
    at_least_one(writable, left_out, ReplicaError::NothingLeft { path: path.to_owned() })
}

type Chosen = (Vec<Candidate>, Vec<LeftOut>);

fn at_least_one(tables: Vec<Candidate>, left: Vec<LeftOut>, none: ReplicaError) -> Outcome<Chosen> {
    if tables.is_empty() { Err(Fault::Said(none)) } else { Ok((tables, left)) }
}

/// A table that is chosen can be synced; one that is to be left out is there. `of`: those that can be, and the others.
fn refuse_unknown(
    connection: &Connection,
    name: &str,
    choice: &Choice,
    (writable, left_out): (&[Candidate], &[LeftOut]),
) -> Outcome<()> {
    let left = left_out.iter().find(|left| left.table.eq_ignore_ascii_case(name));
    let is_exception = matches!(choice, Choice::Except(_));
    if writable.iter().any(|table| table.name.eq_ignore_ascii_case(name)) || is_exception && left.is_some() {
        return Ok(());
    }
    let why = match left {
        Some(left) => left.why.to_string(),
        None => {
            let mut names: Vec<&str> = writable.iter().map(|table| table.name.as_str()).collect();
            names.extend(left_out.iter().map(|left| left.table.as_str()));
            names.sort_unstable();
            format!("{}; the tables are: {}", why_unknown(connection, name)?, names.join(", "))
        }
    };
    let table = name.to_owned();
    Err(Fault::Said(if is_exception {
        ReplicaError::NotLeftOut { table, why }
    } else {
        ReplicaError::Table { table, why }
    }))
}

pub(super) fn add_table(connection: &Connection, table: &Candidate) -> Outcome<SyncedTable> {
    connection.execute("INSERT INTO _packhorse_tables (name) VALUES (?1)", [&table.name])?;
    let number =
        u32::try_from(connection.last_insert_rowid()).map_err(|_| Fault::Damaged("table numbers ran out".into()))?;
    let id = TableId(number);
    let columns = number_columns(connection, table, id)?;
    ensure_log(connection, table.keys.len(), table.columns.len())?;
    metadata::create(connection, table)?;
    install(connection, table, id, &columns)?;
    Ok(SyncedTable { name: table.name.clone(), without_key: count_without_key(connection, table)? })
}

/// Gives every column that has none a number of its own, and tells those of all.
pub(super) fn number_columns(connection: &Connection, table: &Candidate, id: TableId) -> Outcome<Vec<ColumnId>> {
    let mut numbers = Vec::with_capacity(table.columns.len());
    for column in &table.columns {
        let known: Option<u32> = connection
            .prepare_cached("SELECT id FROM _packhorse_columns WHERE tbl = ?1 AND name = ?2")?
            .query_row(params![id.0, column.name], |row| row.get(0))
            .optional()?;
        let number = match known {
            Some(number) => number,
            None => connection
                .prepare_cached(
                    "INSERT INTO _packhorse_columns (tbl, id, name) \
                     SELECT ?1, coalesce(max(id), 0) + 1, ?2 FROM _packhorse_columns WHERE tbl = ?1 RETURNING id",
                )?
                .query_row(params![id.0, column.name], |row| row.get(0))?,
        };
        numbers.push(ColumnId(number));
    }
    Ok(numbers)
}

/// A rowid cannot be NULL, nor can a key of a table without rowids; any other key of SQLite's can.
fn count_without_key(connection: &Connection, table: &Candidate) -> Outcome<u64> {
    if table.rowid_key {
        return Ok(0);
    }
    let is_null = table.keys.iter().map(|key| format!("{} IS NULL", quoted(key))).collect::<Vec<_>>().join(" OR ");
    let sql = format!("SELECT count(*) FROM {} WHERE {is_null}", quoted(&table.name));
    let count: i64 = connection.query_row(&sql, [], |row| row.get(0))?;
    Ok(u64::try_from(count).unwrap_or(0))
}
