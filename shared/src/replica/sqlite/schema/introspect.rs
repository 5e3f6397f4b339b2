//! Which tables there are, their keys, columns and foreign keys, from SQLite's own pragmas.

use std::collections::BTreeMap;

use rusqlite::Connection;

use super::super::fault::Outcome;
use super::super::names::{is_ours, joined, quoted, quoted_list};
use crate::replica::{Affinity, KeyKind, LeftOut, Parent, WhyLeftOut};

/// A column that takes part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct CandidateColumn {
    pub name: String,
    pub affinity: Affinity,
    /// The default, as SQL.
    pub default: Option<String>,
}

/// A table that could be synced.
#[derive(Clone, Debug)]
pub(in super::super) struct Candidate {
    pub name: String,
    pub keys: Vec<String>,
    pub key_affinities: Vec<Affinity>,
    pub key_kind: KeyKind,
    /// Whether the key is another name for SQLite's rowid.
    pub rowid_key: bool,
    pub columns: Vec<CandidateColumn>,
    pub parents: Vec<Parent>,
}

struct Column {
    name: String,
    declared: String,
    key_position: i64,
    hidden: i64,
    default: Option<String>,
}

/// Every table that has a key, and those that are left out whatever is chosen. Views and our own tables are neither.
pub(in super::super) fn candidates(connection: &Connection) -> Outcome<(Vec<Candidate>, Vec<LeftOut>)> {
    let mut statement = connection.prepare(
        "SELECT name, type, wr, strict FROM pragma_table_list WHERE schema = 'main' AND type <> 'view' \
         AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name",
    )?;
    let mut rows = statement.query([])?;
    let (mut found, mut left_out) = (Vec::new(), Vec::new());
    while let Some(row) = rows.next()? {
        let (name, kind): (String, String) = (row.get(0)?, row.get(1)?);
        if is_ours(&name) {
            continue;
        }
        let without_rowid: bool = row.get(2)?;
        match kind.as_str() {
            "virtual" => left_out.push(LeftOut { table: name, why: WhyLeftOut::Virtual }),
            "shadow" => left_out.push(LeftOut { table: name, why: WhyLeftOut::Shadow }),
            _ => match candidate(connection, &name, without_rowid, row.get(3)?)? {
                Some(candidate) => found.push(candidate),
                None => left_out.push(LeftOut { table: name, why: WhyLeftOut::NoPrimaryKey }),
            },
        }
    }
    resolve_parents(&mut found);
    Ok((found, left_out))
}

/// Why a name is none of a table that there is.
pub(in super::super) fn why_unknown(connection: &Connection, name: &str) -> Outcome<&'static str> {
    let sql =
        "SELECT count(*) FROM pragma_table_list WHERE schema = 'main' AND type = 'view' AND name = ?1 COLLATE NOCASE";
    let views: i64 = connection.query_row(sql, [name], |row| row.get(0))?;
    Ok(if views > 0 { "it is a view" } else { "there is no such table" })
}

fn candidate(connection: &Connection, name: &str, without_rowid: bool, strict: bool) -> Outcome<Option<Candidate>> {
    let all = columns(connection, name)?;
    let mut keys: Vec<&Column> = all.iter().filter(|column| column.key_position > 0).collect();
    keys.sort_by_key(|column| column.key_position);
    let key_kind = match keys.as_slice() {
        [] => return Ok(None),
        [only] if only.declared.to_ascii_uppercase().contains("INT") => KeyKind::Assigned,
        _ => KeyKind::Natural,
    };
    let alias = matches!(keys.as_slice(), [only] if only.declared.eq_ignore_ascii_case("INTEGER"));
    let taking_part = all.iter().filter(|column| column.key_position == 0 && column.hidden == 0);
    Ok(Some(Candidate {
        name: name.to_owned(),
        keys: keys.iter().map(|column| column.name.clone()).collect(),
        key_affinities: keys.iter().map(|column| Affinity::of(&column.declared, strict)).collect(),
        key_kind,
        rowid_key: alias && !without_rowid && !has_key_index(connection, name)?,
        columns: taking_part
            .map(|column| CandidateColumn {
                name: column.name.clone(),
                affinity: Affinity::of(&column.declared, strict),
                default: column.default.clone(),
            })
            .collect(),
        parents: parents(connection, name)?,
    }))
}

fn columns(connection: &Connection, table: &str) -> Outcome<Vec<Column>> {
    let mut statement =
        connection.prepare("SELECT name, type, pk, hidden, dflt_value FROM pragma_table_xinfo(?1) ORDER BY cid")?;
    let rows = statement.query_map([table], |row| {
        Ok(Column {
            name: row.get(0)?,
            declared: row.get(1)?,
            key_position: row.get(2)?,
            hidden: row.get(3)?,
            default: row.get(4)?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// `INTEGER PRIMARY KEY DESC` is, by an old accident of SQLite's, not the rowid: it has an index of its own.
fn has_key_index(connection: &Connection, table: &str) -> Outcome<bool> {
    let count: i64 =
        connection
            .query_row("SELECT count(*) FROM pragma_index_list(?1) WHERE origin = 'pk'", [table], |row| row.get(0))?;
    Ok(count > 0)
}

fn parents(connection: &Connection, table: &str) -> Outcome<Vec<Parent>> {
    let mut statement = connection
        .prepare("SELECT id, \"table\", \"from\", \"to\" FROM pragma_foreign_key_list(?1) ORDER BY id, seq")?;
    let mut rows = statement.query([table])?;
    let mut found: BTreeMap<i64, Parent> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let parent = found.entry(row.get(0)?).or_insert(Parent { table: row.get(1)?, columns: Vec::new() });
        // An unnamed parent column means the parent's key; which is filled in once all tables are known.
        parent.columns.push((row.get(2)?, row.get::<_, Option<String>>(3)?.unwrap_or_default()));
    }
    Ok(found.into_values().collect())
}

fn resolve_parents(tables: &mut [Candidate]) {
    let keys: BTreeMap<String, (String, Vec<String>)> = tables
        .iter()
        .map(|table| (table.name.to_ascii_lowercase(), (table.name.clone(), table.keys.clone())))
        .collect();
    for table in tables {
        table.parents.retain_mut(|parent| {
            let Some((name, key)) = keys.get(&parent.table.to_ascii_lowercase()) else { return false };
            parent.table.clone_from(name);
            for (column, key_column) in parent.columns.iter_mut().zip(key) {
                if column.1.is_empty() {
                    column.1.clone_from(key_column);
                }
            }
            parent.columns.iter().all(|column| !column.1.is_empty())
        });
        // The number is the parent's.
        let (name, keys) = (table.name.clone(), table.keys.clone());
        let is_key = |parent: &Parent| {
            let here: Vec<&String> = parent.columns.iter().map(|column| &column.0).collect();
            parent.table != name && here.iter().copied().eq(&keys)
        };
        if table.parents.iter().any(is_key) {
            table.key_kind = KeyKind::Natural;
        }
    }
}

/// Moves the tables that our own connection cannot insert into, update and delete from to the list of those left out:
/// their triggers, checks, indexes or columns need what only the application has.
pub(in super::super) fn leave_out_unwritable(
    connection: &Connection,
    found: Vec<Candidate>,
    left_out: &mut Vec<LeftOut>,
) -> Vec<Candidate> {
    let mut writable = Vec::new();
    for table in found {
        match try_writing(connection, &table) {
            Ok(()) => writable.push(table),
            Err(error) => left_out.push(LeftOut { table: table.name, why: WhyLeftOut::Unwritable(reason(&error)) }),
        }
    }
    writable
}

fn reason(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqliteFailure(_, Some(text)) | rusqlite::Error::SqlInputError { msg: text, .. } => {
            text.clone()
        }
        other => other.to_string(),
    }
}

/// Prepares the statements that a merge would run. Preparing compiles everything that they would set off.
fn try_writing(connection: &Connection, table: &Candidate) -> rusqlite::Result<()> {
    let names: Vec<&str> = table.keys.iter().chain(table.columns.iter().map(|c| &c.name)).map(String::as_str).collect();
    let name = quoted(&table.name);
    let holes = joined(names.len(), ", ", |_| "?".to_owned());
    let key = table.keys.iter().map(|column| format!("{} = ?", quoted(column))).collect::<Vec<_>>().join(" AND ");
    let sets = names.iter().map(|column| format!("{} = ?", quoted(column))).collect::<Vec<_>>().join(", ");
    connection.prepare(&format!("INSERT INTO {name} ({}) VALUES ({holes})", quoted_list(names.iter().copied())))?;
    connection.prepare(&format!("UPDATE {name} SET {sets} WHERE {key}"))?;
    connection.prepare(&format!("DELETE FROM {name} WHERE {key}"))?;
    // Ordering by a column sets off its collation, which the statements above need not.
    let order = joined(names.len(), ", ", |at| (at + 1).to_string());
    connection.prepare(&format!("SELECT {} FROM {name} ORDER BY {order}", quoted_list(names.iter().copied())))?;
    Ok(())
}
