//! What the schema says of a table beyond its shape: what its columns may hold, and every foreign key that it declares.

use std::collections::BTreeMap;

use rusqlite::Connection;

use crate::replica::sqlite::fault::Outcome;
use crate::replica::sqlite::names::is_ours;

/// A table, as the schema writes it.
pub(super) struct Facts {
    /// Its columns, the generated ones among them.
    pub columns: Vec<ColumnFacts>,
    /// The foreign keys that it declares, whether or not the parent is synced. One whose parent does not exist is none.
    pub foreign_keys: Vec<ForeignKey>,
    /// The columns of each UNIQUE key beside the primary one that holds for every row.
    pub unique: Vec<Vec<String>>,
}

/// A column.
pub(super) struct ColumnFacts {
    pub name: String,
    pub content: Content,
}

/// What a column holds where nothing is given.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    /// Nothing.
    Nothing,
    /// What its default says.
    Default,
    /// There is nothing that it could hold.
    Needed,
    /// What its expression says.
    Generated,
}

/// A declared foreign key.
pub(super) struct ForeignKey {
    pub parent: String,
    pub columns: Vec<String>,
}

impl Facts {
    /// Reads them.
    pub fn of(connection: &Connection, table: &str) -> Outcome<Self> {
        let (columns, unique) = (columns(connection, table)?, unique(connection, table)?);
        Ok(Self { columns, foreign_keys: foreign_keys(connection, table)?, unique })
    }

    /// A column by its name.
    pub fn column(&self, name: &str) -> Option<&ColumnFacts> {
        self.columns.iter().find(|column| column.name.eq_ignore_ascii_case(name))
    }

    /// What a column holds where nothing is given.
    pub fn content(&self, name: &str) -> Option<Content> {
        self.column(name).map(|column| column.content)
    }
}

fn columns(connection: &Connection, table: &str) -> Outcome<Vec<ColumnFacts>> {
    let sql = "SELECT name, \"notnull\", dflt_value, hidden FROM pragma_table_xinfo(?1) ORDER BY cid";
    let mut statement = connection.prepare_cached(sql)?;
    let found = statement.query_map([table], |row| {
        let default: Option<String> = row.get(2)?;
        let holds_nothing = default.is_none_or(|default| default.eq_ignore_ascii_case("NULL"));
        let content = match (row.get::<_, i64>(3)?, row.get(1)?) {
            (1.., _) => Content::Generated,
            (_, true) if holds_nothing => Content::Needed,
            _ if holds_nothing => Content::Nothing,
            _ => Content::Default,
        };
        Ok(ColumnFacts { name: row.get(0)?, content })
    })?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

fn foreign_keys(connection: &Connection, table: &str) -> Outcome<Vec<ForeignKey>> {
    let sql = "SELECT f.id, t.name, f.\"from\" FROM pragma_foreign_key_list(?1) f \
               JOIN main.sqlite_schema t ON t.type = 'table' AND t.name = f.\"table\" COLLATE NOCASE ORDER BY f.id, f.seq";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([table])?;
    let mut found: BTreeMap<i64, ForeignKey> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let parent: String = row.get(1)?;
        let key = found.entry(row.get(0)?).or_insert(ForeignKey { parent, columns: Vec::new() });
        key.columns.push(row.get(2)?);
    }
    // SQLite numbers them from the last to the first.
    Ok(found.into_values().rev().filter(|key| !is_ours(&key.parent)).collect())
}

/// Those of an expression are passed over.
fn unique(connection: &Connection, table: &str) -> Outcome<Vec<Vec<String>>> {
    let sql = "SELECT l.seq, i.name FROM pragma_index_list(?1) l JOIN pragma_index_info(l.name) i \
               WHERE l.\"unique\" AND NOT l.partial AND l.origin <> 'pk' ORDER BY l.seq, i.seqno";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([table])?;
    let mut found: BTreeMap<i64, Vec<Option<String>>> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        found.entry(row.get(0)?).or_default().push(row.get(1)?);
    }
    Ok(found.into_values().filter_map(|columns| columns.into_iter().collect()).collect())
}
