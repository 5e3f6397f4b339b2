//! A trace as people read it.

use packhorse_shared::clock::WallTime;
use packhorse_shared::marks::Mark;
use packhorse_shared::replica::{ConflictState, Noted, TableShape, TracedFate};

use super::gather::{Gathered, Reach};
use crate::commands::held::why;
use crate::people::{FORGOTTEN, People};
use crate::report::result;
use crate::wording::{brief_value, span, timestamp};

/// How many characters of a value are shown on a line.
const SHOWN_MAX: usize = 60;

/// Writes it.
pub fn tell(table: &TableShape, gathered: &Gathered, people: &People, now: WallTime) {
    let Gathered { trace, title, .. } = gathered;
    let title = title.as_ref().map(|title| format!(" ({title})")).unwrap_or_default();
    result(&format!("{} {}{title}", table.name, trace.key));
    let fate = match trace.fate {
        TracedFate::Stands => None,
        TracedFate::Deleted(mark) => Some(format!("deleted {}", how(mark, gathered, people))),
        TracedFate::Withdrawn => {
            Some("not shared with this node any more; what it edited is kept for the hub".to_owned())
        }
        TracedFate::Incomplete => Some("has come only in part so far, and is placed when the rest comes".to_owned()),
    };
    fate.iter().for_each(|fate| result(&format!("  {fate}")));
    let made = trace.birth.map_or_else(|| FORGOTTEN.to_owned(), |birth| people.when_and_who(birth));
    result(&format!("  made {made}"));
    let wide = trace.fields.iter().map(|field| field.column.chars().count()).max().unwrap_or(0);
    for field in &trace.fields {
        let change = field.change.map_or_else(|| FORGOTTEN.to_owned(), |mark| how(mark, gathered, people));
        result(&format!("  {:<wide$}  {}  {change}", field.column, brief_value(&field.value, SHOWN_MAX)));
        let its = |noted: &&Noted| noted.column.eq_ignore_ascii_case(&field.column);
        for noted in gathered.conflicts.iter().filter(its) {
            result(&format!("  {:wide$}    {}", "", overruled(noted, people)));
        }
        for noted in gathered.refusals.iter().filter(its) {
            let (value, made) = (brief_value(&noted.lost.value, SHOWN_MAX), people.when_and_who(noted.lost.stamp));
            result(&format!("  {:wide$}    {value} of {made} was refused by the hub, and is undone", ""));
        }
    }
    for noted in gathered.refusals.iter().filter(|noted| noted.column.is_empty()) {
        let made = people.when_and_who(noted.lost.stamp);
        result(&format!("  that it was made or deleted {made} was refused by the hub, and is undone"));
    }
    for held in &gathered.held {
        let from = people.brought(held.link).unwrap_or_else(|| "a node that is linked no more".to_owned());
        let ago = span(now.0.saturating_sub(held.since.0));
        result(&format!("  held {} from {from}, for {ago}: {}", held.id, why::reason(held)));
    }
    for (node, reach) in &gathered.reach {
        result(&format!("  {node} {}", has(*reach)));
    }
}

/// "2026-11-27T20:04:18Z by alice, came 2026-11-27T20:05:00Z in alice.hq.….bundle".
fn how(mark: Mark, gathered: &Gathered, people: &People) -> String {
    let came = gathered.arrivals.get(&mark.cut).map(|arrival| {
        let from = people.brought(arrival.link).map(|node| format!(" from {node}")).unwrap_or_default();
        format!(", came {}{from} in {}", timestamp(arrival.at).unwrap_or_default(), arrival.bundle)
    });
    format!("{}{}", people.when_and_who(mark.stamp), came.unwrap_or_default())
}

/// "overruled '555 hq' of 2026-11-27T20:04:18Z by hq, who had not seen it (conflict 3, open)".
fn overruled(noted: &Noted, people: &People) -> String {
    let value = brief_value(&noted.lost.value, SHOWN_MAX);
    let state = if noted.state == ConflictState::Open { "open" } else { "settled" };
    let (lost, kept) = (people.when_and_who(noted.lost.stamp), brief_value(&noted.kept.value, SHOWN_MAX));
    format!("{value} of {lost} was overruled by {kept}, unseen (conflict {}, {state})", noted.id)
}

fn has(reach: Reach) -> &'static str {
    match reach {
        Reach::NotShared => "does not share it",
        Reach::Has => "has all of this",
        Reach::Sealed => "has not acknowledged the bundle with the latest of this yet",
        Reach::Waits => "has not been sent the latest of this yet",
    }
}
