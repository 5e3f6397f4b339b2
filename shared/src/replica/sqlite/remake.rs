//! A table of the main database made in a remote's copy with AUTOINCREMENT.
//!
//! Invariant: it is made so only if SQLite tells of it exactly what it tells of the main database's, its columns, keys,
//! indexes and foreign keys; else nothing is made. Leaves the statement's text to [`super::schema`].

use rusqlite::Connection;

use super::fault::Outcome;
use super::names::quoted;
use super::open;
use super::packing::is_about_the_statement;
use super::schema;

/// What SQLite tells of a table: `?1` is its name, `?2` the database that holds it. Indexes with a statement of their own
/// are made later.
const TOLD: [&str; 4] = [
    "SELECT type, ncol, wr, strict FROM pragma_table_list(?1) WHERE schema = ?2",
    "SELECT name, type, \"notnull\", dflt_value, pk, hidden FROM pragma_table_xinfo(?1, ?2) ORDER BY cid",
    "SELECT i.name, i.\"unique\", i.origin, i.partial, x.seqno, x.cid, x.name, x.\"desc\", x.coll, x.key \
     FROM pragma_index_list(?1, ?2) i, pragma_index_xinfo(i.name, ?2) x WHERE i.origin <> 'c' ORDER BY i.name, x.seqno",
    "SELECT * FROM pragma_foreign_key_list(?1, ?2) ORDER BY id, seq",
];

/// Makes a table of the database attached as `hub` in the main one, with AUTOINCREMENT. False, and not made, if that
/// cannot be or makes another table of it.
pub(super) fn with_autoincrement(connection: &Connection, table: &str, sql: &str) -> Outcome<bool> {
    let Some(changed) = schema::with_autoincrement(sql) else { return Ok(false) };
    match connection.execute_batch(&changed) {
        Err(error) if is_about_the_statement(&error) => return Ok(false),
        other => other?,
    }
    let is_same = told_of(connection, table, "main")? == told_of(connection, table, "hub")?;
    if !is_same {
        connection.execute_batch(&format!("DROP TABLE main.{}", quoted(table)))?;
    }
    Ok(is_same)
}

/// Whether two statements make the same table but for AUTOINCREMENT, as far as SQLite tells.
pub(super) fn makes_the_same(table: &str, one: &str, other: &str) -> Outcome<bool> {
    let scratch = Connection::open_in_memory()?;
    open::accept_old_quoting(&scratch)?;
    let mut told = Vec::new();
    for sql in [one, other] {
        match scratch.execute_batch(sql) {
            Err(error) if is_about_the_statement(&error) => return Ok(false),
            made => made?,
        }
        told.push(told_of(&scratch, table, "main")?);
        scratch.execute_batch(&format!("DROP TABLE {}", quoted(table)))?;
    }
    Ok(told.first() == told.get(1))
}

fn told_of(connection: &Connection, table: &str, database: &str) -> Outcome<Vec<String>> {
    let mut told = Vec::new();
    for sql in TOLD {
        let mut statement = connection.prepare(sql)?;
        let count = statement.column_count();
        let mut rows = statement.query([table, database])?;
        while let Some(row) = rows.next()? {
            for at in 0..count {
                told.push(format!("{:?}", row.get_ref(at)?));
            }
        }
    }
    Ok(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT COLLATE NOCASE UNIQUE, b REFERENCES t (a))";

    /// Whether a table is made with AUTOINCREMENT by a statement, and whether it is there then; the hub's was made by
    /// another.
    fn made(hub: &str, sql: &str) -> (bool, bool) {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("ATTACH ':memory:' AS hub").unwrap();
        connection.execute_batch(&hub.replace("TABLE t", "TABLE hub.t")).unwrap();
        let made = with_autoincrement(&connection, "t", sql).unwrap();
        let there = "SELECT count(*) FROM main.sqlite_schema WHERE name = 't' AND sql LIKE '%AUTOINCREMENT%'";
        (made, connection.query_row(there, [], |row| row.get::<_, i64>(0)).unwrap() == 1)
    }

    #[test]
    fn the_same_table_with_autoincrement_is_made() {
        assert_eq!(made(TABLE, TABLE), (true, true));
    }

    #[test]
    fn a_table_that_differs_in_anything_else_is_not_made() {
        for (from, to) in [
            ("a TEXT", "a CHAR"),
            ("COLLATE NOCASE ", ""),
            ("UNIQUE", ""),
            ("TEXT", "TEXT NOT NULL"),
            ("TEXT", "TEXT DEFAULT 'x'"),
            ("REFERENCES t (a)", ""),
            ("REFERENCES t (a)", "REFERENCES t (a) ON DELETE CASCADE"),
            ("b REF", "c REF"),
            (", b", ", e, b"),
            ("(a))", "(a), e AS (a))"),
            ("(a))", "(a), UNIQUE (b))"),
        ] {
            assert_eq!(made(TABLE, &TABLE.replace(from, to)), (false, false), "{from} -> {to}");
        }
    }

    #[test]
    fn what_cannot_have_it_is_not_made() {
        for sql in ["CREATE TABLE t (id INT PRIMARY KEY)", "CREATE TABLE t (id INTEGER PRIMARY KEY) WITHOUT ROWID"] {
            assert_eq!(made(sql, sql), (false, false), "{sql}");
        }
    }
}
