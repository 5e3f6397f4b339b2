//! SQLite's words without anybody's data.
//!
//! Pure. SQLite's own words hold a value where the application's trigger refuses a record in words of its own, or one of its
//! functions cannot read what a record holds. A log must not show it; a person at the node may see it.

use std::error::Error;

use rusqlite::ffi::SQLITE_CONSTRAINT_TRIGGER;

/// What a cause says without the values in it, if it is SQLite's.
pub fn without_values(cause: &(dyn Error + 'static)) -> Option<String> {
    match cause.downcast_ref()? {
        rusqlite::Error::SqliteFailure(code, Some(words)) => Some(shortened(code.extended_code, words)),
        _ => None,
    }
}

fn shortened(code: i32, words: &str) -> String {
    if code == SQLITE_CONSTRAINT_TRIGGER {
        return "a trigger of the application refused it, in words that are not shown here".to_owned();
    }
    let quotes = ['\'', '"'];
    // The value may hold quotes itself.
    let (Some(first), Some(last)) = (words.find(quotes), words.rfind(quotes)) else { return words.to_owned() };
    let (before, after) = (words.get(..first).unwrap_or_default(), words.get(last + 1..).unwrap_or_default());
    format!("{before}(not shown){after}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_in_the_words_of_sqlite_are_left_out() {
        assert_eq!(shortened(1, "bad JSON path: '$.it''s \"x'"), "bad JSON path: (not shown)");
        assert_eq!(shortened(1, "fts5: syntax error near \"x\""), "fts5: syntax error near (not shown)");
        assert_eq!(shortened(1, "unrecognized token: \"'"), "unrecognized token: (not shown)");
        assert_eq!(shortened(1, "no such table: main.t"), "no such table: main.t");
        assert_eq!(shortened(2067, "UNIQUE constraint failed: t.a"), "UNIQUE constraint failed: t.a");
        assert!(!shortened(SQLITE_CONSTRAINT_TRIGGER, "no room for 7391").contains("7391"));
    }

    #[test]
    fn errors_of_sqlite_are_known_and_no_others() {
        let connection = rusqlite::Connection::open_in_memory().unwrap();
        let error = connection.query_row("SELECT json_extract('{}', 'secret')", [], |_| Ok(())).unwrap_err();
        assert_eq!(without_values(&error), Some("bad JSON path: (not shown)".to_owned()));
        assert_eq!(without_values(&std::io::Error::other("x")), None);
    }
}
