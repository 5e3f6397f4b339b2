//! Whether all ended well: every node of a world alike, and both worlds alike as far as they must be.

use std::collections::BTreeSet;

use super::doubt::{Doubt, Edits};
use super::tables::{COLUMNS, Cell, Place, Rows, Table};
use super::worlds::{ModelWorld, RealWorld};

/// Everything that is wrong at the end; nothing, if all is well.
pub fn judge(model: &ModelWorld, real: &mut RealWorld, edits: &Edits) -> Vec<String> {
    let expected: Vec<Rows> = model.nodes.iter().map(|node| node.rows()).collect();
    let found: Vec<Rows> = real.nodes.iter_mut().map(|node| node.rows()).collect();
    let mut wrong: Vec<String> = real.nodes.iter_mut().flat_map(|node| node.complaints()).collect();
    wrong.extend(unlike("the model's nodes", &expected));
    wrong.extend(unlike("the real nodes", &found));
    wrong.extend(dangling(&expected[0]).map(|(child, _)| format!("{child:?} of the model refers to nobody")));
    let nowhere = |(child, parent)| format!("{child:?} of the real nodes refers to parent {parent}, which is nowhere");
    wrong.extend(dangling(&found[0]).map(nowhere));
    let revived: BTreeSet<i64> = model.revived.union(&real.revived).copied().collect();
    for place in places(&expected[0], &found[0]) {
        let (expected, found) = (expected[0].get(&place), found[0].get(&place));
        // A parent that was brought back was edited anew where and when that was noticed, which the worlds do at
        // different times: that edit may overrule another or be overruled by it, and a child that was gone again
        // before the worse line told of it brings nothing back.
        let is_revived = place.0 == Table::Parent && revived.contains(&place.1);
        if !is_revived && !alike(expected, found, edits.doubt(place)) {
            wrong.push(format!("{place:?}: the model has {expected:?}, the real nodes have {found:?}"));
        }
    }
    wrong
}

fn places(one: &Rows, other: &Rows) -> BTreeSet<Place> {
    one.keys().chain(other.keys()).copied().collect()
}

fn alike(expected: Option<&[Cell; COLUMNS]>, found: Option<&[Cell; COLUMNS]>, doubt: Doubt) -> bool {
    match (doubt, expected, found) {
        (Doubt::Existence, _, _) => true,
        (Doubt::Fields(open), Some(expected), Some(found)) => {
            (0..COLUMNS).all(|column| open[column] || expected[column] == found[column])
        }
        (Doubt::Fields(_), expected, found) => expected == found,
    }
}

fn unlike(whose: &str, rows: &[Rows]) -> Vec<String> {
    let differs = |place: &Place| rows.iter().any(|at| at.get(place) != rows[0].get(place));
    let all: BTreeSet<Place> = rows.iter().flat_map(|at| at.keys().copied()).collect();
    let tell = |place: Place| {
        let values: Vec<_> = rows.iter().map(|at| at.get(&place)).collect();
        format!("{place:?} differs between {whose}: {values:?}")
    };
    all.into_iter().filter(differs).map(tell).collect()
}

fn dangling(rows: &Rows) -> impl Iterator<Item = (Place, i64)> {
    let lost = |(place, values): (&Place, &[Cell; COLUMNS])| match values[0] {
        Cell::Number(parent) if !rows.contains_key(&(Table::Parent, parent)) => Some((*place, parent)),
        _ => None,
    };
    rows.iter().filter_map(lost)
}
