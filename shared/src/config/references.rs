//! `references` of `[table.NAME]`: which columns hold other records' numbers without a declared foreign key.
//!
//! Owns their form in the file. Leaves to the database whether its tables and columns are so.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::de::{Error, MapAccess, Visitor, value::MapAccessDeserializer};
use serde::{Deserialize, Deserializer};

use super::section::{filled, filled_text};
use super::{Config, TablePolicy};
use crate::replica::{Reference, Refers};

impl Config {
    /// Every configured reference.
    pub fn references(&self) -> Vec<Reference> {
        let of_table = |(table, policy): (&String, &TablePolicy)| {
            let columns = policy.references.clone().into_iter();
            let table = table.clone();
            columns.map(move |(column, to)| Reference { table: table.clone(), column, to }).collect::<Vec<_>>()
        };
        self.tables.iter().flat_map(of_table).collect()
    }
}

/// Reads the references of a table by column.
pub(super) fn references<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<String, Refers>, D::Error> {
    let read = BTreeMap::<String, Written>::deserialize(from)?;
    let mut seen = BTreeSet::new();
    for column in read.keys() {
        // The database does not tell names apart by case either.
        if !seen.insert(column.to_ascii_lowercase()) {
            return Err(Error::custom(format!("the column \"{column}\" is listed twice")));
        }
    }
    read.into_iter().map(|(column, written)| Ok((filled(column)?, written.0))).collect()
}

struct Written(Refers);

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(WrittenVisitor).map(Self)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ByType {
    #[serde(rename = "type", deserialize_with = "filled_text")]
    column: String,
    #[serde(deserialize_with = "tables_by_type")]
    tables: BTreeMap<String, String>,
}

struct WrittenVisitor;

impl<'de> Visitor<'de> for WrittenVisitor {
    type Value = Refers;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table's name, or { type = \"a column\", tables = { \"a value of it\" = \"a table\" } }")
    }

    fn visit_str<E: Error>(self, table: &str) -> Result<Refers, E> {
        filled(table.to_owned()).map(Refers::To)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Refers, A::Error> {
        let ByType { column, tables } = ByType::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Refers::ByType { column, tables })
    }
}

fn tables_by_type<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<String, String>, D::Error> {
    let tables = BTreeMap::<String, String>::deserialize(from)?;
    if tables.is_empty() {
        return Err(Error::custom("it is empty; name a table for at least one value of the type column"));
    }
    tables.into_iter().map(|(value, table)| Ok((filled(value)?, filled(table)?))).collect()
}
