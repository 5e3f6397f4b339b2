//! A trace as JSON tells it.

use packhorse_shared::clock::Stamp;
use packhorse_shared::marks::Mark;
use packhorse_shared::replica::{ConflictState, Noted, TableShape, TracedFate, TracedField};
use serde::Serialize;
use serde_json::{Map, json};

use super::gather::{Gathered, Reach};
use crate::exact::{stamp, value};
use crate::people::People;
use crate::wording::timestamp;

/// One record; fields are only ever added.
#[derive(Serialize)]
pub struct Told {
    table: String,
    key: Vec<serde_json::Value>,
    title: Option<String>,
    /// "stands", "deleted", "withdrawn" or "incomplete".
    fate: &'static str,
    made: Option<serde_json::Value>,
    deleted: Option<serde_json::Value>,
    fields: Map<String, serde_json::Value>,
    /// When it was made or deleted and the hub refused that.
    refused: Vec<serde_json::Value>,
    /// The numbers of the changes of it that are held.
    held: Vec<i64>,
    links: Vec<serde_json::Value>,
}

impl Told {
    /// What is known of a record.
    pub fn of(table: &TableShape, gathered: &Gathered, people: &People) -> Self {
        let trace = &gathered.trace;
        let (fate, deleted) = match trace.fate {
            TracedFate::Stands => ("stands", None),
            TracedFate::Deleted(mark) => ("deleted", Some(change(mark, gathered, people))),
            TracedFate::Withdrawn => ("withdrawn", None),
            TracedFate::Incomplete => ("incomplete", None),
        };
        let field = |one: &TracedField| (one.column.clone(), field(one, gathered, people));
        let link = |(node, reach): &(_, Reach)| json!({ "node": node, "has": has(*reach) });
        Self {
            table: table.name.clone(),
            key: trace.key.0.iter().map(value).collect(),
            title: gathered.title.clone(),
            fate,
            made: trace.birth.map(|birth| made(birth, people)),
            deleted,
            fields: trace.fields.iter().map(field).collect(),
            refused: refused("", gathered).map(|noted| made(noted.lost.stamp, people)).collect(),
            held: gathered.held.iter().map(|held| held.id).collect(),
            links: gathered.reach.iter().map(link).collect(),
        }
    }
}

/// What the hub has refused of a column, or without one of the record.
fn refused<'g>(column: &'g str, gathered: &'g Gathered) -> impl Iterator<Item = &'g Noted> {
    gathered.refusals.iter().filter(move |noted| noted.column.eq_ignore_ascii_case(column))
}

fn field(field: &TracedField, gathered: &Gathered, people: &People) -> serde_json::Value {
    let its = gathered.conflicts.iter().filter(|noted| noted.column.eq_ignore_ascii_case(&field.column));
    let overruled = its.map(|noted| {
        json!({
            "value": value(&noted.lost.value),
            "made": made(noted.lost.stamp, people),
            "by": value(&noted.kept.value),
            "conflict": noted.id,
            "open": noted.state == ConflictState::Open,
        })
    });
    let refused = refused(&field.column, gathered)
        .map(|noted| json!({ "value": value(&noted.lost.value), "made": made(noted.lost.stamp, people) }));
    json!({
        "value": value(&field.value),
        "change": field.change.map(|mark| change(mark, gathered, people)),
        "overruled": overruled.collect::<Vec<_>>(),
        "refused": refused.collect::<Vec<_>>(),
    })
}

fn change(mark: Mark, gathered: &Gathered, people: &People) -> serde_json::Value {
    let came = gathered.arrivals.get(&mark.cut).map(|arrival| {
        json!({ "node": people.brought(arrival.link), "bundle": arrival.bundle, "at": timestamp(arrival.at) })
    });
    let mut told = made(mark.stamp, people);
    told["came"] = json!(came);
    told
}

/// When and by whom; of what is forgotten null.
fn made(at: Stamp, people: &People) -> serde_json::Value {
    let node = people.made(at);
    json!({ "at": node.as_ref().and_then(|_| timestamp(at.reading.time())), "node": node, "stamp": stamp(at) })
}

fn has(reach: Reach) -> &'static str {
    match reach {
        Reach::NotShared => "not shared",
        Reach::Has => "all",
        Reach::Sealed => "sealed",
        Reach::Waits => "waits",
    }
}
