//! The columns that a set shares of a table: they are there, they are more than the key, and the others can be left out.

use super::facts::Content;
use super::{Looked, listed};
use crate::id::ColumnId;
use crate::set::{Finding, Rule};

/// Checks them.
pub(super) fn check(looked: &Looked<'_>, findings: &mut Vec<Finding>) {
    let (table, shape) = (&looked.table.name, &looked.entry.shape);
    let Some(named) = &looked.table.columns else { return };
    let before = findings.len();
    findings.extend(named.iter().filter_map(|name| misfit(looked, name)));
    let is_named = |column: &str| named.iter().any(|name| name.eq_ignore_ascii_case(column));
    let leaves_only_the_key = !shape.columns.is_empty() && !shape.columns.iter().any(|column| is_named(&column.name));
    if leaves_only_the_key && findings.len() == before {
        let others: Vec<&str> = shape.columns.iter().map(|column| column.name.as_str()).collect();
        let mend = format!("name one more of {}, or leave out `columns` to share all of them", listed(&others));
        findings.push(Finding::error(Rule::Columns, table, "its `columns` leave nothing but the key", mend));
    }
    findings.extend(torn_apart(looked, &is_named));
    let columns = shape.columns.iter().map(|column| column.name.as_str());
    for column in columns.filter(|column| !is_named(column)) {
        let why = match looked.facts.content(column) {
            Some(Content::Needed) => "which is NOT NULL and has no default".to_owned(),
            Some(Content::Default) => match met_twice(looked, column, &is_named) {
                Some(key) => format!("whose default UNIQUE ({}) allows only once", key.join(", ")),
                None => continue,
            },
            _ => continue,
        };
        let wrong = format!("its `columns` leave out \"{column}\", {why}");
        findings.push(Finding::error(Rule::Needed, table, wrong, format!("add {column} to the columns")));
    }
}

/// Columns that change together by the table's policy and of which only some are shared: what the remote changes of them would be
/// mixed with what the others hold.
fn torn_apart(looked: &Looked<'_>, is_named: &dyn Fn(&str) -> bool) -> Vec<Finding> {
    let (table, shape) = (&looked.table.name, &looked.entry.shape);
    let name = |id: &ColumnId| shape.columns.iter().find(|column| column.id == *id).map(|column| column.name.as_str());
    let mut findings = Vec::new();
    // Of a record that is merged as one the remote's is what it shares.
    for group in shape.rules.together.iter().filter(|group| group.len() < shape.columns.len()) {
        let names: Vec<&str> = group.iter().filter_map(name).collect();
        let (shared, left_out): (Vec<&str>, Vec<&str>) = names.into_iter().partition(|name| is_named(name));
        if !shared.is_empty() && !left_out.is_empty() {
            let (left_out, shared) = (listed(&left_out), listed(&shared));
            let wrong =
                format!("its `columns` leave out {left_out}, which by its policy change together with {shared}");
            let mend = format!("add {left_out} to the columns, or leave out {shared} too");
            findings.push(Finding::error(Rule::Together, table, wrong, mend).warning());
        }
    }
    findings
}

/// A UNIQUE key with this column in which none of those that are left out is empty at the remote: records that differ by them
/// would not there.
fn met_twice<'a>(looked: &'a Looked<'_>, column: &str, is_named: &dyn Fn(&str) -> bool) -> Option<&'a Vec<String>> {
    let is_shared =
        |name: &str| is_named(name) || looked.entry.shape.keys.iter().any(|key| key.eq_ignore_ascii_case(name));
    let is_filled = |name: &String| is_shared(name) || looked.facts.content(name) == Some(Content::Default);
    let has_it = |key: &&Vec<String>| key.iter().any(|name| name.eq_ignore_ascii_case(column));
    looked.facts.unique.iter().filter(has_it).find(|key| key.iter().all(is_filled))
}

fn misfit(looked: &Looked<'_>, name: &str) -> Option<Finding> {
    let shape = &looked.entry.shape;
    let is_key = shape.keys.iter().any(|key| key.eq_ignore_ascii_case(name));
    if is_key || shape.position(name).is_some() {
        return None;
    }
    let table = &looked.table.name;
    if looked.facts.content(name) == Some(Content::Generated) {
        let wrong = format!("its column \"{name}\" is generated and is not synced: every node works it out itself");
        return Some(Finding::error(Rule::Columns, table, wrong, "leave it out of the columns"));
    }
    let names = shape.keys.iter().chain(shape.columns.iter().map(|column| &column.name));
    let names: Vec<&str> = names.map(String::as_str).collect();
    let mend = format!("its columns are: {}", listed(&names));
    Some(Finding::error(Rule::Columns, table, format!("it has no column \"{name}\""), mend))
}
