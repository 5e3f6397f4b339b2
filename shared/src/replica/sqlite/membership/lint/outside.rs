//! References that can point outside a set: what the remote's record would refer to is not there.
//!
//! Invariant: a reference is safe if its parent is shared whole, if the parent's membership alone brings the record in (it is
//! the table's only follow), or if one of its columns is not shared. Everything else is named.

use super::facts::Content;
use super::{Looked, in_set, is_shared};
use crate::replica::KeyKind;
use crate::replica::sqlite::catalogue::Catalogue;
use crate::replica::sqlite::membership::plan::{find, foreign_key};
use crate::set::{Finding, Rows, Rule, SetTable};

/// A reference to another table.
struct Reference {
    columns: Vec<String>,
    parent: String,
}

/// Names the references of a table that can.
pub(super) fn check(looked: &Looked<'_>, tables: &[SetTable], catalogue: &Catalogue, findings: &mut Vec<Finding>) {
    let follows = follows(looked, catalogue);
    for reference in references(looked) {
        let parent = in_set(tables, &reference.parent);
        let is_whole = parent.is_some_and(|parent| parent.rows == Rows::All);
        let is_followed = follows.iter().any(|follow| follow.is(&reference));
        let is_shared = reference.columns.iter().all(|column| is_shared(looked.table, &looked.entry.shape, column));
        if is_whole || !is_shared || (is_followed && follows.len() == 1) {
            continue;
        }
        let parent = Parent { is_in_set: parent.is_some(), is_synced: find(catalogue, &reference.parent).is_ok() };
        findings.push(finding(looked, &reference, &parent, is_followed));
    }
}

/// How the other end of a reference stands.
struct Parent {
    is_in_set: bool,
    is_synced: bool,
}

fn finding(looked: &Looked<'_>, reference: &Reference, parent: &Parent, is_followed: bool) -> Finding {
    let (table, column, to) = (&looked.table.name, reference.columns.join(","), &reference.parent);
    let wrong = match (parent.is_synced, parent.is_in_set, is_followed) {
        (false, ..) => format!("its {column} refers to {to}, which is not synced: at the remote that is empty"),
        (_, false, _) => format!("its {column} refers to {to}, which is not in the set"),
        (_, _, true) => format!(
            "its {column} can refer to a record of {to} outside the set: of several parents that are followed any suffices"
        ),
        _ => format!("its {column} can refer to a record of {to} outside the set"),
    };
    let spare = reference.columns.iter().find_map(|column| Some((column, left_out(looked, column)?)));
    let leave_out =
        spare.map(|(column, then)| format!("leave {column} out of its `columns`, so that it {then} at the remote"));
    let share = parent.is_synced.then(|| format!("share {to} whole"));
    let ways: Vec<String> = share.into_iter().chain(leave_out).collect();
    let mend = match ways.as_slice() {
        [] => format!("leave the table out of the set: its {column} cannot be empty"),
        ways => ways.join(", or "),
    };
    let found = Finding::error(Rule::Reference, table, wrong, mend);
    // Whoever follows several has said that any of them suffices; the others are empty until what they mean comes in.
    if is_followed && spare.is_some() { found.warning() } else { found }
}

/// What the table follows, each once.
fn follows(looked: &Looked<'_>, catalogue: &Catalogue) -> Vec<Reference> {
    let Rows::Follow(keys) = &looked.table.rows else { return Vec::new() };
    let mut follows: Vec<Reference> = Vec::new();
    for parent in keys.iter().filter_map(|key| foreign_key(looked.entry, key, catalogue)) {
        let columns = parent.columns.into_iter().map(|pair| pair.0).collect();
        let follow = Reference { columns, parent: parent.table };
        if !follows.iter().any(|known| known.is(&follow)) {
            follows.push(follow);
        }
    }
    follows
}

/// Everything by which the table refers to others: what it declares, and what the configuration says.
fn references(looked: &Looked<'_>) -> Vec<Reference> {
    let shape = &looked.entry.shape;
    let declared = looked.facts.foreign_keys.iter();
    let mut all: Vec<Reference> =
        declared.map(|key| Reference { columns: key.columns.clone(), parent: key.parent.clone() }).collect();
    let one = |column: &str, parent: &str| Reference { columns: vec![column.to_owned()], parent: parent.to_owned() };
    let of_key = shape.keys.iter().zip(&shape.key_refers_to).filter(|_| shape.key_kind == KeyKind::Natural);
    let of_columns = shape.columns.iter().map(|column| (&column.name, &column.refers_to));
    let configured = of_key.chain(of_columns).filter(|(name, _)| !shape.declares(name));
    all.extend(configured.filter_map(|(name, to)| Some(one(name, to.as_ref()?))));
    for column in &shape.columns {
        let named = column.pair.iter().flat_map(|pair| &pair.tables);
        let mut parents: Vec<&str> = named.map(|(_, parent)| parent.as_str()).collect();
        parents.sort_unstable();
        parents.dedup();
        all.extend(parents.into_iter().map(|parent| one(&column.name, parent)));
    }
    all
}

/// What becomes of a column that is not shared, if it need not be.
fn left_out(looked: &Looked<'_>, column: &str) -> Option<&'static str> {
    looked.entry.shape.position(column)?;
    match looked.facts.content(column)? {
        Content::Nothing => Some("is empty"),
        Content::Default => Some("holds its default"),
        Content::Needed | Content::Generated => None,
    }
}

impl Reference {
    fn is(&self, other: &Self) -> bool {
        let has = |columns: &[String], column: &String| columns.iter().any(|c| c.eq_ignore_ascii_case(column));
        self.parent.eq_ignore_ascii_case(&other.parent)
            && self.columns.len() == other.columns.len()
            && self.columns.iter().all(|column| has(&other.columns, column))
    }
}
