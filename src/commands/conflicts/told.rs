//! A conflict as JSON tells it, and as people read its record.

use packhorse_shared::replica::sqlite::SqliteReplica;
use packhorse_shared::replica::{ConflictState, Noted, Side, TableShape, Version};
use serde::Serialize;

use crate::exact::{stamp, value};
use crate::failure::Failure;
use crate::people::People;
use crate::wording::timestamp;

/// One conflict; fields are only ever added.
#[derive(Serialize)]
pub struct Told {
    id: i64,
    table: String,
    key: Vec<serde_json::Value>,
    title: Option<String>,
    column: String,
    node: Option<String>,
    kept: ToldVersion,
    lost: ToldVersion,
    /// Whose value stood: "ours" or "theirs".
    stands: &'static str,
    noted: Option<String>,
    open: bool,
}

#[derive(Serialize)]
struct ToldVersion {
    value: serde_json::Value,
    stamp: String,
    at: Option<String>,
    node: Option<String>,
}

impl Told {
    /// A conflict.
    pub fn of(noted: &Noted, title: Option<String>, people: &People) -> Self {
        let version = |version: &Version| ToldVersion {
            value: value(&version.value),
            stamp: stamp(version.stamp),
            at: people.made(version.stamp).and_then(|_| timestamp(version.stamp.reading.time())),
            node: people.made(version.stamp),
        };
        Self {
            id: noted.id,
            table: noted.table.clone(),
            key: noted.key.0.iter().map(value).collect(),
            title,
            column: noted.column.clone(),
            node: people.brought(noted.link),
            kept: version(&noted.kept),
            lost: version(&noted.lost),
            stands: if noted.stands == Side::Ours { "ours" } else { "theirs" },
            noted: timestamp(noted.noted),
            open: noted.state == ConflictState::Open,
        }
    }
}

/// What people know a conflict's record by, if its table says that and it stands.
pub fn title(replica: &SqliteReplica, noted: &Noted) -> Result<Option<String>, Failure> {
    let table = TableShape::named(packhorse_shared::replica::Replica::tables(replica), &noted.table);
    table.map_or(Ok(None), |table| Ok(replica.title(table, &noted.key)?))
}

/// "contacts 7 (Ada Bell)".
pub fn name(noted: &Noted, title: Option<&str>) -> String {
    let title = title.map(|title| format!(" ({title})")).unwrap_or_default();
    format!("{} {}{title}", noted.table, noted.key)
}
