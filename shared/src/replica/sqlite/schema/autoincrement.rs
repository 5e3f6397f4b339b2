//! AUTOINCREMENT put into a CREATE TABLE statement.
//!
//! Invariant: what comes back is the statement as it was with nothing but that one word more, in the place that SQLite's
//! grammar has for it. Whether the table may have it, and is otherwise the same, is for SQLite to say: this only reads.

use crate::sql_text::{Piece, matching, pieces};

const WORD: &str = "AUTOINCREMENT";

/// The statement with AUTOINCREMENT at its primary key; as it was if it has it. None if no place for it is found.
pub(in super::super) fn with_autoincrement(sql: &str) -> Option<String> {
    let pieces = pieces(sql);
    let [create, table, ..] = pieces.as_slice() else { return None };
    if !create.is("create") || !table.is("table") {
        return None;
    }
    let open = pieces.iter().position(|piece| piece.text == "(")?;
    let body = pieces.get(open + 1..matching(&pieces, open)?)?;
    let after_key = primary_key(body)?;
    let (last, next) = match body.get(after_key) {
        Some(piece) if piece.text == "(" => {
            let close = matching(body, after_key)?;
            if close == after_key + 1 {
                return None;
            }
            (close - 1, close)
        }
        _ => after_clauses(body, after_key)?,
    };
    if [last, next].into_iter().any(|at| body.get(at).is_some_and(|piece| piece.is(WORD))) {
        return Some(sql.to_owned());
    }
    let at = body.get(last)?.end();
    Some(format!("{} {WORD}{}", sql.get(..at)?, sql.get(at..)?))
}

/// The place after the words PRIMARY KEY, which stand once, among the columns and constraints themselves: PRIMARY is a
/// reserved word, so that unquoted it is nobody's name.
fn primary_key(body: &[Piece<'_>]) -> Option<usize> {
    let (mut depth, mut found) = (0usize, None);
    for (at, piece) in body.iter().enumerate() {
        match piece.text {
            "(" => depth += 1,
            ")" => depth = depth.checked_sub(1)?,
            _ => {}
        }
        let is_key = piece.is("primary") && body.get(at + 1).is_some_and(|next| next.is("key"));
        if depth == 0 && is_key && found.replace(at + 2).is_some() {
            return None;
        }
    }
    found
}

/// At a column, AUTOINCREMENT follows the order and what to do on conflict: the place of the last piece before it, and
/// its own.
fn after_clauses(body: &[Piece<'_>], after_key: usize) -> Option<(usize, usize)> {
    let is = |at: usize, word: &str| body.get(at).is_some_and(|piece: &Piece<'_>| piece.is(word));
    let mut at = after_key;
    if is(at, "desc") {
        // A key in descending order is not the rowid.
        return None;
    }
    if is(at, "asc") {
        at += 1;
    }
    if is(at, "on") && is(at + 1, "conflict") {
        at += 3;
    }
    Some((at.checked_sub(1)?, at))
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;

    /// What SQLite tells of a table that was made by a statement, without its text.
    fn told(sql: &str) -> Vec<String> {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE other (id INTEGER PRIMARY KEY)").unwrap();
        connection.execute_batch(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
        let table = "(SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'sqlite_sequence' \
                     ORDER BY rowid DESC LIMIT 1)";
        let mut all = Vec::new();
        for pragma in ["table_xinfo", "index_list", "foreign_key_list"] {
            let mut statement = connection.prepare(&format!("SELECT * FROM pragma_{pragma}({table})")).unwrap();
            let count = statement.column_count();
            let mut rows = statement.query([]).unwrap();
            while let Some(row) = rows.next().unwrap() {
                all.extend((0..count).map(|at| format!("{:?}", row.get_ref(at).unwrap())));
            }
        }
        all
    }

    /// Whether a table gives the number after the one in its sequence.
    fn gives_own_numbers(sql: &str, table: &str, column: &str) -> bool {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE other (id INTEGER PRIMARY KEY)").unwrap();
        connection.execute_batch(sql).unwrap();
        connection
            .execute_batch(&format!(
                "PRAGMA foreign_keys = OFF; INSERT INTO sqlite_sequence SELECT name, 1000 FROM sqlite_schema \
                 WHERE name = {table} COLLATE NOCASE; INSERT INTO {table} DEFAULT VALUES"
            ))
            .unwrap_or_else(|error| panic!("{sql}: {error}"));
        let sql = format!("SELECT max({column}) FROM {table}");
        connection.query_row(&sql, [], |row| row.get::<_, i64>(0)).unwrap() == 1001
    }

    #[track_caller]
    fn becomes(sql: &str, expected: &str) {
        assert_eq!(with_autoincrement(sql).as_deref(), Some(expected));
        assert_eq!(told(sql), told(expected));
        assert_eq!(with_autoincrement(expected).as_deref(), Some(expected), "it has it then");
    }

    #[test]
    fn a_column_gets_it_after_order_and_conflict_clause() {
        for (key, expected) in [
            ("id INTEGER PRIMARY KEY", "id INTEGER PRIMARY KEY AUTOINCREMENT"),
            ("id integer primary\tkey, a", "id integer primary\tkey AUTOINCREMENT, a"),
            ("id InTeGeR Primary Key Asc NOT NULL, a", "id InTeGeR Primary Key Asc AUTOINCREMENT NOT NULL, a"),
            (
                "a, id INTEGER NOT NULL PRIMARY KEY ON CONFLICT FAIL",
                "a, id INTEGER NOT NULL PRIMARY KEY ON CONFLICT FAIL AUTOINCREMENT",
            ),
            (
                "id INTEGER PRIMARY KEY ASC ON CONFLICT REPLACE CHECK (id > 0)",
                "id INTEGER PRIMARY KEY ASC ON CONFLICT REPLACE AUTOINCREMENT CHECK (id > 0)",
            ),
            (
                "id INTEGER CONSTRAINT pk PRIMARY KEY CONSTRAINT c NOT NULL",
                "id INTEGER CONSTRAINT pk PRIMARY KEY AUTOINCREMENT CONSTRAINT c NOT NULL",
            ),
            (
                "id INTEGER PRIMARY/* , ( */KEY/*'*/NOT NULL -- )\n, b",
                "id INTEGER PRIMARY/* , ( */KEY AUTOINCREMENT/*'*/NOT NULL -- )\n, b",
            ),
            ("id INTEGER PRIMARY KEY--\n", "id INTEGER PRIMARY KEY AUTOINCREMENT--\n"),
            ("id INTEGER DEFAULT (max(1, 2)) PRIMARY KEY", "id INTEGER DEFAULT (max(1, 2)) PRIMARY KEY AUTOINCREMENT"),
        ] {
            let table = |body: &str| format!("CREATE TABLE t ({body})");
            becomes(&table(key), &table(expected));
        }
    }

    #[test]
    fn a_constraint_gets_it_inside_its_parentheses() {
        for (key, expected) in [
            ("PRIMARY KEY(id)", "PRIMARY KEY(id AUTOINCREMENT)"),
            ("primary key ( \"id\" )", "primary key ( \"id\" AUTOINCREMENT )"),
            ("PRIMARY KEY([id] ASC) ON CONFLICT ABORT", "PRIMARY KEY([id] ASC AUTOINCREMENT) ON CONFLICT ABORT"),
            ("PRIMARY KEY(`id` DESC)", "PRIMARY KEY(`id` DESC AUTOINCREMENT)"),
            ("PRIMARY KEY('id')", "PRIMARY KEY('id' AUTOINCREMENT)"),
            (
                "CONSTRAINT \"pk (\" PRIMARY KEY(/* ) */id/* x */)",
                "CONSTRAINT \"pk (\" PRIMARY KEY(/* ) */id AUTOINCREMENT/* x */)",
            ),
            (
                "UNIQUE (a) PRIMARY KEY (id) CHECK (a <> ')')",
                "UNIQUE (a) PRIMARY KEY (id AUTOINCREMENT) CHECK (a <> ')')",
            ),
            ("PRIMARY KEY(id COLLATE nocase)", "PRIMARY KEY(id COLLATE nocase AUTOINCREMENT)"),
        ] {
            let table = |key: &str| format!("CREATE TABLE t (id INTEGER, a, {key})");
            becomes(&table(key), &table(expected));
            assert!(gives_own_numbers(&table(expected), "'t'", "id"), "{expected}");
        }
    }

    #[test]
    fn hostile_names_texts_and_comments_are_stepped_over() {
        for (sql, expected) in [
            (
                "CREATE TABLE \"a(b PRIMARY KEY\"(\"primary key (\" INTEGER PRIMARY KEY, \"PRIMARY\" KEY)",
                "CREATE TABLE \"a(b PRIMARY KEY\"(\"primary key (\" INTEGER PRIMARY KEY AUTOINCREMENT, \"PRIMARY\" KEY)",
            ),
            (
                "CREATE TABLE 'it''s ('(x DEFAULT 'PRIMARY KEY(x)' /* PRIMARY KEY */, [primary key] INTEGER PRIMARY KEY)",
                "CREATE TABLE 'it''s ('(x DEFAULT 'PRIMARY KEY(x)' /* PRIMARY KEY */, [primary key] INTEGER PRIMARY KEY AUTOINCREMENT)",
            ),
            (
                "CREATE TABLE `t``(`(id INTEGER, x CHECK (x <> 'PRIMARY KEY' AND (x <> ')')), -- PRIMARY KEY(id)\nPRIMARY KEY(id))",
                "CREATE TABLE `t``(`(id INTEGER, x CHECK (x <> 'PRIMARY KEY' AND (x <> ')')), -- PRIMARY KEY(id)\nPRIMARY KEY(id AUTOINCREMENT))",
            ),
            (
                "CREATE TABLE [t \"(](\"q\"\"(\" INTEGER PRIMARY KEY REFERENCES other(id), y INT AS (\"q\"\"(\" + 1)) STRICT",
                "CREATE TABLE [t \"(](\"q\"\"(\" INTEGER PRIMARY KEY AUTOINCREMENT REFERENCES other(id), y INT AS (\"q\"\"(\" + 1)) STRICT",
            ),
            (
                "CREATE TABLE tschüß(größe\u{a0}x INTEGER PRIMARY KEY, \u{2003})",
                "CREATE TABLE tschüß(größe\u{a0}x INTEGER PRIMARY KEY AUTOINCREMENT, \u{2003})",
            ),
        ] {
            becomes(sql, expected);
        }
    }

    #[test]
    fn what_is_behind_the_parentheses_stays() {
        becomes(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, a ANY) STRICT",
            "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, a ANY) STRICT",
        );
    }

    #[test]
    fn a_table_that_has_it_stays_as_it_is() {
        for sql in [
            "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT)",
            "CREATE TABLE t (id INTEGER PRIMARY KEY ASC ON CONFLICT FAIL/**/autoIncrement NOT NULL)",
            "CREATE TABLE t (id INTEGER, PRIMARY KEY(id Autoincrement))",
        ] {
            becomes(sql, sql);
        }
    }

    #[test]
    fn what_has_no_place_for_it_is_none_and_never_a_panic() {
        for bad in [
            "",
            "(",
            "CREATE TABLE",
            "CREATE TABLE t",
            "CREATE TABLE t (id",
            "CREATE TABLE t (id INTEGER PRIMARY",
            "CREATE TABLE t (id INTEGER PRIMARY KEY",
            "CREATE TABLE t (a)",
            "CREATE TABLE t (id INTEGER PRIMARY KEY DESC)",
            "CREATE TABLE t (id INTEGER PRIMARY KEY, PRIMARY KEY (id))",
            "CREATE TABLE t (PRIMARY KEY ())",
            "CREATE TABLE t (id 'PRIMARY' KEY)",
            "CREATE TABLE t (id CHECK (PRIMARY KEY))",
            "CREATE TABLE t (id INTEGER PRIMARY KEY ON CONFLICT",
            "CREATE VIRTUAL TABLE t USING fts5(PRIMARY KEY)",
            "CREATE TABLE t ('",
            "CREATE TABLE t (\"ü PRIMARY KEY)",
            "CREATE TABLE t ) (PRIMARY KEY",
        ] {
            assert_eq!(with_autoincrement(bad), None, "{bad}");
        }
        assert_eq!(with_autoincrement("CREATE TABLE t (id INTEGER PRIMARY KEY ON CONFLICT)"), None);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_without_a_panic_and_nothing_but_the_word_is_new(
            parts in proptest::collection::vec(
                proptest::sample::select(&[
                    "(", ")", ",", "'", "\"", "[", "]", "`", "--", "\n", "/*", "*/", "PRIMARY ", "key", " ON", " CONFLICT ",
                    "ASC", " id ", "INTEGER ", "ü", "AUTOINCREMENT",
                ][..]),
                0..24,
            )
        ) {
            let sql = format!("CREATE TABLE t({}", parts.concat());
            if let Some(made) = with_autoincrement(&sql).filter(|made| *made != sql) {
                let at = made.bytes().zip(sql.bytes()).take_while(|(one, other)| one == other).count();
                let rest = sql.len() - at;
                proptest::prop_assert_eq!(&made[made.len() - rest..], &sql[at..]);
                proptest::prop_assert_eq!(made.len() - sql.len(), WORD.len() + 1);
            }
        }
    }
}
