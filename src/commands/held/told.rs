//! A held change as JSON tells it.

use packhorse_shared::change::{EXISTENCE, FieldChange, RecordChange};
use packhorse_shared::replica::Held;
use packhorse_shared::value::Key;
use serde::Serialize;
use serde_json::{Map, json};

use super::why;
use crate::exact::{stamp, value};
use crate::people::People;
use crate::wording::timestamp;

/// One held change; fields are only ever added.
#[derive(Serialize)]
pub struct Told {
    id: i64,
    table: String,
    key: Vec<serde_json::Value>,
    node: Option<String>,
    since: Option<String>,
    deletes: bool,
    reason: String,
    /// The database's own words, or ours, from which the reason is made.
    refusal: String,
    next_step: String,
}

/// The same with everything that is known of it.
#[derive(Serialize)]
pub struct Shown {
    #[serde(flatten)]
    told: Told,
    birth: Option<String>,
    deleted: Option<String>,
    whole: bool,
    /// The key of the record that stands in its way, if it is one.
    in_the_way: Option<Vec<serde_json::Value>>,
    fields: Map<String, serde_json::Value>,
}

impl Told {
    /// A held change in brief.
    pub fn of(held: &Held, people: &People) -> Self {
        let record = record(held);
        Self {
            id: held.id,
            table: held.change.table.clone(),
            key: record.map(|record| record.key.0.iter().map(value).collect()).unwrap_or_default(),
            node: people.brought(held.link),
            since: timestamp(held.since),
            deletes: record.is_some_and(|record| record.dead.is_some()),
            reason: why::reason(held),
            refusal: held.reason.clone(),
            next_step: why::next_step(held),
        }
    }
}

impl Shown {
    /// Everything about a held change. `refers_to`: the table that a column refers to, where that is known.
    pub fn of(
        held: &Held,
        people: &People,
        in_the_way: Option<&Key>,
        refers_to: impl Fn(&str) -> Option<String>,
    ) -> Self {
        let record = record(held);
        let mut fields = Map::new();
        for (column, field) in named_fields(held) {
            let refers_to = refers_to(column);
            let birth = field.refers_to.map(stamp);
            let known = json!({
                "value": value(&field.value),
                "stamp": stamp(field.stamp),
                "node": people.made(field.stamp),
                "refers_to": refers_to,
                "refers_to_birth": birth,
            });
            fields.insert(column.to_owned(), known);
        }
        Self {
            told: Told::of(held, people),
            birth: record.and_then(|record| record.birth).map(stamp),
            deleted: record.and_then(|record| record.dead).map(stamp),
            whole: record.is_some_and(|record| record.whole),
            in_the_way: in_the_way.map(|key| key.0.iter().map(value).collect()),
            fields,
        }
    }
}

/// The one record that a held change is of.
pub fn record(held: &Held) -> Option<&RecordChange> {
    held.change.records.first()
}

/// "contacts 7", as people read it.
pub fn name(held: &Held) -> String {
    record(held).map_or_else(|| held.change.table.clone(), |record| format!("{} {}", held.change.table, record.key))
}

/// The fields that take a new value, by column name.
pub fn named_fields(held: &Held) -> impl Iterator<Item = (&str, &FieldChange)> {
    let fields = record(held).into_iter().flat_map(|record| &record.fields);
    let named = fields.filter_map(|field| Some((held.change.columns.get(field.column)?.as_str(), field)));
    named.filter(|(column, _)| *column != EXISTENCE)
}
