//! The raw log that the triggers append to.

use rusqlite::Connection;

use super::super::fault::Outcome;

/// How many columns one word of a mask stands for: a signed 64-bit integer, with room to spare for its sign.
pub(in super::super) const WORD_BITS: usize = 62;

/// What a log row says happened to the record under its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Op {
    /// It was inserted.
    Insert,
    /// Some of its fields were updated.
    Update,
    /// It was deleted.
    Delete,
    /// It got another key, which is a deletion under this one. The update that did it is logged beside.
    Moved,
    /// It stood when an insertion under its key began: if the insertion follows, it was replaced.
    Held,
    /// It held a UNIQUE key that another record was about to take: it may have been evicted.
    Suspect,
}

impl Op {
    /// The letter in the log.
    pub fn letter(self) -> &'static str {
        match self {
            Self::Insert => "I",
            Self::Update => "U",
            Self::Delete => "D",
            Self::Moved => "M",
            Self::Held => "R",
            Self::Suspect => "S",
        }
    }

    /// The operation that a letter stands for.
    pub fn from_letter(letter: &str) -> Option<Self> {
        let all = [Self::Insert, Self::Update, Self::Delete, Self::Moved, Self::Held, Self::Suspect];
        all.into_iter().find(|op| op.letter() == letter)
    }
}

/// The log's column for the `word`th word of a mask.
fn mask_name(word: usize) -> String {
    if word == 0 { "cols".to_owned() } else { format!("cols{word}") }
}

/// The log's columns for a mask of this many words.
pub(in super::super) fn mask_names(words: usize) -> Vec<String> {
    (0..words).map(mask_name).collect()
}

/// How many words the mask of a table with this many columns has.
pub(in super::super) fn mask_words(columns: usize) -> usize {
    columns.div_ceil(WORD_BITS).max(1)
}

/// Makes the log wide enough for keys of `keys` columns and masks of this many columns. Its ids are never given twice,
/// or harvest would take new rows for old ones: harvest always leaves the last row in it. (AUTOINCREMENT would do the
/// same at the price of a second page in every small transaction of the application's, and not survive a program that
/// empties `sqlite_sequence`.)
pub(in super::super) fn ensure_log(connection: &Connection, keys: usize, columns: usize) -> Outcome<()> {
    connection.execute_batch(
        "CREATE TABLE IF NOT EXISTS _packhorse_log \
         (id INTEGER PRIMARY KEY, tbl INTEGER NOT NULL, k1, op TEXT NOT NULL, cols INTEGER, at INTEGER)",
    )?;
    let present = columns_of(connection)?;
    let wanted = (1..=keys).map(|at| format!("k{at}")).chain(mask_names(mask_words(columns)));
    for column in wanted.filter(|column| !present.contains(column)) {
        connection.execute_batch(&format!("ALTER TABLE _packhorse_log ADD COLUMN {column}"))?;
    }
    Ok(())
}

fn columns_of(connection: &Connection) -> Outcome<Vec<String>> {
    let mut statement = connection.prepare("SELECT name FROM pragma_table_info('_packhorse_log')")?;
    Ok(statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?)
}

/// How many key columns the log has.
pub(in super::super) fn key_width(connection: &Connection) -> Outcome<usize> {
    let is_key = |name: &&String| name.strip_prefix('k').is_some_and(|rest| rest.parse::<usize>().is_ok());
    Ok(columns_of(connection)?.iter().filter(is_key).count())
}

/// How many words of mask the log has.
pub(in super::super) fn mask_width(connection: &Connection) -> Outcome<usize> {
    Ok(columns_of(connection)?.iter().filter(|name| name.starts_with("cols")).count())
}
