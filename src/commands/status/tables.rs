//! What `packhorse status --tables` tells of each table: its key and numbers, what its columns refer to, and what becomes of
//! the application's triggers when a bundle is applied.

use std::collections::{BTreeMap, BTreeSet};

use packhorse_shared::link::Role;
use packhorse_shared::replica::{
    About, KeyKind, LeftOut, ReferenceAbout, RefersTo, Replica, SaidBy, TableAbout, TableShape, TriggerAbout,
    TriggerRule,
};
use serde::Serialize;

use super::numbers::{Circumstances, NumbersTold};
use crate::failure::Failure;
use crate::node::Node;
use crate::report::result;

/// All tables; fields are only ever added.
#[derive(Serialize)]
pub struct Tables {
    tables: Vec<Table>,
    not_synced: Vec<NotSynced>,
}

#[derive(Serialize)]
struct Table {
    table: String,
    key: Vec<String>,
    kind: &'static str,
    numbers: Option<NumbersTold>,
    identity: Vec<String>,
    references: Vec<Reference>,
    triggers: Vec<Trigger>,
}

#[derive(Serialize)]
struct Reference {
    columns: Vec<String>,
    table: Option<String>,
    type_column: Option<String>,
    tables: Option<BTreeMap<String, String>>,
    said_by: &'static str,
}

#[derive(Serialize)]
struct Trigger {
    name: String,
    table: String,
    rule: &'static str,
    meaning: String,
}

#[derive(Serialize)]
struct NotSynced {
    table: String,
    reason: String,
}

impl Tables {
    /// Everything there is to tell.
    pub fn of(node: &mut Node) -> Result<Self, Failure> {
        let links = node.replica.links()?;
        let has = |role: Role| links.iter().any(|link| link.state.role() == role);
        let packs = has(Role::Remote) || !has(Role::Hub);
        let about = Circumstances { packs, quiet: node.config.merge.renumber_quiet };
        let About { tables, left_out } = node.replica.about(&node.tables_with_keys_as_is())?;
        let not_synced = |LeftOut { table, why }| NotSynced { table, reason: why.to_string() };
        Ok(Self {
            tables: tables.into_iter().map(|table| Table::of(table, &about)).collect(),
            not_synced: left_out.into_iter().map(not_synced).collect(),
        })
    }

    /// Tells people of them.
    pub fn tell(&self) {
        result("tables:");
        self.tables.iter().for_each(Table::tell);
        if !self.not_synced.is_empty() {
            result("not synced:");
        }
        for NotSynced { table, reason } in &self.not_synced {
            result(&format!("  {table}  ({reason})"));
        }
    }
}

impl Table {
    fn of(TableAbout { shape, numbers, references, triggers }: TableAbout, about: &Circumstances) -> Self {
        Self {
            kind: match shape.key_kind {
                KeyKind::Assigned => "numbers",
                KeyKind::Natural => "natural",
            },
            numbers: numbers.map(|numbers| NumbersTold::of(numbers, &shape.name, about)),
            identity: identity(&shape),
            references: references.into_iter().map(Reference::of).collect(),
            triggers: triggers.into_iter().map(Trigger::of).collect(),
            key: shape.keys,
            table: shape.name,
        }
    }

    fn tell(&self) {
        let kind = match self.kind {
            "numbers" => "numbers that whoever inserts gives: the same at two nodes may be two records",
            _ => "natural: the same key is the same record everywhere",
        };
        result(&format!("  {}  key {} ({kind})", self.table, self.key.join(", ")));
        self.numbers.iter().for_each(NumbersTold::tell);
        if !self.identity.is_empty() {
            result(&format!("    identity   {}: records made apart with the same are one", self.identity.join(", ")));
        }
        self.references.iter().for_each(|reference| result(&format!("    refers to  {}", reference.words())));
        for Trigger { name, table, meaning, .. } in &self.triggers {
            let on = if *table == self.table { String::new() } else { format!(" on {table}") };
            result(&format!("    trigger    {name}{on}: {meaning}"));
        }
    }
}

/// The names of the columns by which records made apart are one.
fn identity(shape: &TableShape) -> Vec<String> {
    let named = |id| shape.columns.iter().find(|column| column.id == id).map(|column| column.name.clone());
    shape.identity.iter().filter_map(|id| named(*id)).collect()
}

impl Reference {
    fn of(ReferenceAbout { columns, to, said_by }: ReferenceAbout) -> Self {
        let (table, type_column, tables) = match to {
            RefersTo::Table(table) => (Some(table), None, None),
            RefersTo::ByType { column, tables } => (None, Some(column), Some(tables)),
        };
        let said_by = match said_by {
            SaidBy::ForeignKey => "foreign-key",
            SaidBy::Configuration => "configuration",
            SaidBy::Package => "package",
        };
        Self { columns, table, type_column, tables, said_by }
    }

    fn words(&self) -> String {
        let by = match self.said_by {
            "foreign-key" => "a declared foreign key",
            "configuration" => "`references` in packhorse.toml",
            _ => "`references` at the hub",
        };
        let columns = self.columns.join(", ");
        match (&self.table, &self.type_column, &self.tables) {
            (Some(table), _, _) => format!("{table} by {columns} ({by})"),
            (None, Some(column), Some(tables)) => {
                let tables: Vec<String> = tables.iter().map(|(value, table)| format!("{table} ({value})")).collect();
                format!("{} by {columns}, as {column} says ({by})", tables.join(", "))
            }
            _ => columns,
        }
    }
}

impl Trigger {
    fn of(TriggerAbout { name, table, rule }: TriggerAbout) -> Self {
        let listed = |tables: &BTreeSet<String>| tables.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        let (rule, meaning) = match rule {
            TriggerRule::Runs => {
                ("runs", "it runs when a bundle is applied, since it writes nothing that is synced".to_owned())
            }
            TriggerRule::LeftOut { writes } => (
                "left-out",
                format!(
                    "it does nothing when a bundle is applied: what it wrote into {} arrives as data",
                    listed(&writes)
                ),
            ),
            TriggerRule::InPart { writes } => (
                "in-part",
                format!(
                    "it runs when a bundle is applied, but writes nothing into {}: what it wrote there arrives as data",
                    listed(&writes)
                ),
            ),
            TriggerRule::Off { because_of, deletes } => (
                "off",
                format!(
                    "every trigger of this table is off when a bundle is applied, since {because_of} deletes from {deletes}, \
                     which is synced: that arrives as data; search tables are built anew"
                ),
            ),
        };
        Self { name, table, rule, meaning }
    }
}
