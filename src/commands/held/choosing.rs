//! Which records a person means: what is held, by its number, or what stands, by its table and key.

use packhorse_shared::replica::{Held, Replica, TableShape, TracedFate};
use packhorse_unbundler::place::Party;

use super::NUMBERED;
use crate::failure::Failure;
use crate::node::Node;

const HINT: &str = "type the number of what is held, or TABLE:KEY (contacts:7); the values of a key of several columns are \
                    separated by commas";

/// The record that was typed.
pub fn party(node: &Node, all: &[Held], typed: &str) -> Result<Party, Failure> {
    let Some((name, key)) = typed.split_once(':') else {
        return Ok(Party::Held(all[NUMBERED.choose(all, |held| held.id, typed)?].id));
    };
    let Some(table) = TableShape::named(node.replica.tables(), name) else {
        return Err(Failure::usage(format!("no table \"{name}\" is synced")).hint(HINT));
    };
    let words: Vec<String> = match table.keys.len() {
        1 => vec![key.to_owned()],
        _ => key.split(',').map(str::to_owned).collect(),
    };
    if words.len() != table.keys.len() {
        let columns = table.keys.join(", ");
        return Err(
            Failure::usage(format!("\"{key}\" is no key of {name}, which has the columns {columns}")).hint(HINT)
        );
    }
    let traces = node.replica.trace(table, &words)?;
    match traces.into_iter().find(|trace| trace.fate == TracedFate::Stands) {
        Some(trace) => Ok(Party::Standing { table: table.name.clone(), key: trace.key }),
        None => Err(Failure::usage(format!("no record of {name} with the key {key} stands here")).hint(HINT)),
    }
}
