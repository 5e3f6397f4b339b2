//! Names in SQL: quoting those of the application, and deriving our own from them.

/// The prefix of every table, index and trigger of ours.
pub(super) const PREFIX: &str = "_packhorse_";

/// An identifier in double quotes, whatever it is made of.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text literal.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Whether a table or trigger is one of ours.
pub(super) fn is_ours(name: &str) -> bool {
    name.get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX))
}

/// The quoted name of the table that holds the marks of a synced table's living records.
pub(super) fn marks_table(table: &str) -> String {
    quoted(&format!("{PREFIX}m_{table}"))
}

/// The quoted name of the table that holds what is left of a synced table's absent records.
pub(super) fn remains_table(table: &str) -> String {
    quoted(&format!("{PREFIX}t_{table}"))
}

/// The quoted name of the table that holds the last values of a synced table's records that were deleted since the last
/// harvest.
pub(super) fn last_table(table: &str) -> String {
    quoted(&format!("{PREFIX}d_{table}"))
}

/// The quoted name of the table that holds what is remembered of a synced table's counters.
pub(super) fn counters_table(table: &str) -> String {
    quoted(&format!("{PREFIX}c_{table}"))
}

/// `k1, k2, ..., kN`: the key columns of our own tables.
pub(super) fn key_names(count: usize) -> String {
    joined(count, ", ", |at| format!("k{}", at + 1))
}

/// `count` pieces made from their position, joined.
pub(super) fn joined(count: usize, between: &str, piece: impl Fn(usize) -> String) -> String {
    (0..count).map(piece).collect::<Vec<_>>().join(between)
}

/// The names, quoted and joined by commas.
pub(super) fn quoted_list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(quoted).collect::<Vec<_>>().join(", ")
}
