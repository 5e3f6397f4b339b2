//! What a table of a set follows: foreign keys whose parents are in the set, down to one whose rows are chosen otherwise.

use super::{Looked, in_set, listed};
use crate::replica::KeyKind;
use crate::replica::sqlite::catalogue::{Catalogue, Entry};
use crate::replica::sqlite::membership::plan::{find, foreign_key};
use crate::set::{Finding, Rows, Rule, SetTable};

/// Checks the foreign keys that a table follows.
pub(super) fn check(
    looked: &Looked<'_>,
    keys: &[String],
    tables: &[SetTable],
    catalogue: &Catalogue,
    findings: &mut Vec<Finding>,
) {
    let table = &looked.table.name;
    for key in keys {
        let Some(parent) = foreign_key(looked.entry, key, catalogue) else {
            let wrong = format!("it follows \"{key}\", which is no foreign key to a synced table");
            findings.push(Finding::error(Rule::Follow, table, wrong, told(&foreign_keys(looked.entry))));
            continue;
        };
        if in_set(tables, &parent.table).is_none() {
            let wrong = format!("it follows {key} to {}, which is not in the set", parent.table);
            let mend = format!("add {} to the set, before it or together with it", parent.table);
            findings.push(Finding::error(Rule::Follow, table, wrong, mend));
        }
    }
}

fn told(keys: &[String]) -> String {
    let names: Vec<&str> = keys.iter().map(String::as_str).collect();
    match names.as_slice() {
        [] => "it has none: choose its rows by where, or share all of them".to_owned(),
        names => format!("those that it has: {}", listed(names)),
    }
}

/// What can be followed, with where it leads.
fn foreign_keys(entry: &Entry) -> Vec<String> {
    let shape = &entry.shape;
    let declared = shape.parents.iter().map(|parent| {
        let columns: Vec<&str> = parent.columns.iter().map(|pair| pair.0.as_str()).collect();
        format!("{} (to {})", columns.join(","), parent.table)
    });
    let of_key = shape.keys.iter().zip(&shape.key_refers_to).filter(|_| shape.key_kind == KeyKind::Natural);
    let of_columns = shape.columns.iter().map(|column| (&column.name, &column.refers_to));
    let configured = of_key.chain(of_columns).filter(|(name, _)| !shape.declares(name));
    let configured = configured.filter_map(|(name, to)| Some(format!("{name} (to {})", to.as_ref()?)));
    declared.chain(configured).collect()
}

/// Names the tables that follow each other in a circle, or themselves, and nothing else: nothing could ever be in them.
pub(super) fn check_bases(tables: &[SetTable], catalogue: &Catalogue, findings: &mut Vec<Finding>) {
    let mut based: Vec<bool> = tables.iter().map(|table| !matches!(table.rows, Rows::Follow(_))).collect();
    // Each round bases one table at least, or is the last.
    for _ in tables {
        for at in 0..tables.len() {
            let is_based = |parent: &str| {
                let place = tables.iter().position(|table| table.name.eq_ignore_ascii_case(parent));
                place.is_none_or(|place| based[place])
            };
            // What is wrong with a follow itself is told elsewhere.
            let now = parents(&tables[at], catalogue).is_none_or(|parents| parents.iter().any(|to| is_based(to)));
            based[at] = based[at] || now;
        }
    }
    for (table, _) in tables.iter().zip(based).filter(|(_, based)| !based) {
        let followed = parents(table, catalogue).unwrap_or_default();
        let wrong = if followed.iter().all(|parent| parent.eq_ignore_ascii_case(&table.name)) {
            "it follows only itself: nothing could ever be in it".to_owned()
        } else {
            format!(
                "it follows {}, which in the end follows nothing else: nothing could ever be in it",
                followed.join(", ")
            )
        };
        let mend = "follow another foreign key as well, or choose the rows of one of the tables by where";
        findings.push(Finding::error(Rule::Base, &table.name, wrong, mend));
    }
}

/// The parents of a table that follows; None if it does not, or not all of them can be told.
fn parents(table: &SetTable, catalogue: &Catalogue) -> Option<Vec<String>> {
    let Rows::Follow(keys) = &table.rows else { return None };
    let entry = find(catalogue, &table.name).ok()?;
    keys.iter().map(|key| Some(foreign_key(entry, key, catalogue)?.table)).collect()
}
