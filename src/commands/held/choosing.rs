//! Which records a person means: what is held, by its number, or what stands, by its table and key.

use packhorse_shared::replica::{Held, Replica, TableShape, TracedFate};
use packhorse_unbundler::place::Party;

use super::NUMBERED;
use crate::failure::Failure;
use crate::node::Node;

const HINT: &str = "type the number of what is held, or TABLE:KEY (contacts:7); the values of a key of several columns are \
                    separated by commas, and a value that holds commas or quotes stands in single quotes, as in SQL";

/// The record that was typed.
pub fn party(node: &Node, all: &[Held], typed: &str) -> Result<Party, Failure> {
    let Some((name, _)) = typed.split_once(':') else {
        return Ok(Party::Held(all[NUMBERED.choose(all, |held| held.id, typed)?].id));
    };
    let Some((table, key)) = table_in(node.replica.tables(), typed) else {
        return Err(Failure::usage(format!("no table \"{name}\" is synced")).hint(HINT));
    };
    let words = if table.keys.len() == 1 { vec![unquoted(key)] } else { values_in(key) };
    if words.len() != table.keys.len() {
        let (name, columns) = (&table.name, table.keys.join(", "));
        return Err(
            Failure::usage(format!("\"{key}\" is no key of {name}, which has the columns {columns}")).hint(HINT)
        );
    }
    let traces = node.replica.trace(table, &words)?;
    match traces.into_iter().find(|trace| trace.fate == TracedFate::Stands) {
        Some(trace) => Ok(Party::Standing { table: table.name.clone(), key: trace.key }),
        None => Err(Failure::usage(format!("no record of {} with the key {key} stands here", table.name)).hint(HINT)),
    }
}

/// The table that is named before a colon, of which its name may hold some itself, and what follows that.
fn table_in<'t, 'k>(tables: &'t [TableShape], typed: &'k str) -> Option<(&'t TableShape, &'k str)> {
    let mut parts = typed.match_indices(':').map(|(at, _)| (&typed[..at], &typed[at + 1..]));
    parts.find_map(|(name, key)| TableShape::named(tables, name).map(|table| (table, key)))
}

/// The values of a key, between commas that stand in no quotes.
fn values_in(key: &str) -> Vec<String> {
    let mut is_quoted = false;
    let parts = key.split(|letter| {
        is_quoted ^= letter == '\'';
        letter == ',' && !is_quoted
    });
    parts.map(unquoted).collect()
}

/// A value without the quotes around it, if there are any.
fn unquoted(value: &str) -> String {
    let inner = value.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
    inner.map_or_else(|| value.to_owned(), |inner| inner.replace("''", "'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_values_of_a_key_may_hold_commas_and_quotes() {
        assert_eq!(values_in("7,vip"), ["7", "vip"]);
        assert_eq!(values_in("'a,b','it''s',"), ["a,b", "it's", ""]);
        assert_eq!(unquoted("it's"), "it's");
        assert_eq!(unquoted("'"), "'");
    }
}
