//! References that no foreign key declares: the table `_packhorse_references`.
//!
//! Owns their memory and the judgement whether they fit the database. What a remote's package brought stays beside what
//! the node's own configuration says, which goes first. The table is made when the first is stored.

use rusqlite::{Connection, params};

use super::fault::Outcome;
use crate::replica::{KeyKind, Reference, Refers, ReplicaError, TableShape};

const TABLE: &str = "CREATE TABLE IF NOT EXISTS main._packhorse_references (origin TEXT NOT NULL, tbl TEXT NOT NULL, \
                     col TEXT NOT NULL, type_col TEXT, type TEXT, parent TEXT NOT NULL)";

/// Who said what a column refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// The node's own configuration.
    Configuration,
    /// The hub, in the package from which the node started.
    Package,
}

impl Origin {
    fn name(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Package => "package",
        }
    }
}

/// What holds of all: the node's own word, and the package's where there is none.
pub(super) fn all(connection: &Connection) -> Outcome<Vec<Reference>> {
    let mut all = stored(connection, Origin::Configuration)?;
    for reference in stored(connection, Origin::Package)? {
        if of_column(&all, &reference.table, &reference.column).is_none() {
            all.push(reference);
        }
    }
    Ok(all)
}

/// What was said of a column.
pub(super) fn of_column<'a>(all: &'a [Reference], table: &str, column: &str) -> Option<&'a Refers> {
    let is_it = |reference: &&Reference| {
        reference.table.eq_ignore_ascii_case(table) && reference.column.eq_ignore_ascii_case(column)
    };
    all.iter().find(is_it).map(|reference| &reference.to)
}

/// Who says what a column refers to.
pub(super) fn origin(connection: &Connection, table: &str, column: &str) -> Outcome<Origin> {
    let own = stored(connection, Origin::Configuration)?;
    let is_own = of_column(&own, table, column).is_some();
    Ok(if is_own { Origin::Configuration } else { Origin::Package })
}

/// Whether one of the two says exactly this.
pub(super) fn are(connection: &Connection, origin: Origin, wanted: &[Reference]) -> Outcome<bool> {
    Ok(stored(connection, origin)? == sorted(wanted.to_vec()))
}

fn sorted(mut references: Vec<Reference>) -> Vec<Reference> {
    references.sort_by(|a, b| (&a.table, &a.column).cmp(&(&b.table, &b.column)));
    references
}

/// Stores what one of the two says instead of what it said before.
pub(super) fn replace(connection: &Connection, origin: Origin, wanted: &[Reference]) -> Outcome<()> {
    connection.execute_batch(TABLE)?;
    connection.execute("DELETE FROM main._packhorse_references WHERE origin = ?1", [origin.name()])?;
    let sql = "INSERT INTO main._packhorse_references (origin, tbl, col, type_col, type, parent) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let mut statement = connection.prepare(sql)?;
    for Reference { table, column, to } in wanted {
        match to {
            Refers::To(parent) => {
                statement.execute(params![origin.name(), table, column, None::<&str>, None::<&str>, parent])?;
            }
            Refers::ByType { column: type_column, tables } => {
                for (named, parent) in tables {
                    statement.execute(params![origin.name(), table, column, type_column, named, parent])?;
                }
            }
        }
    }
    Ok(())
}

fn stored(connection: &Connection, origin: Origin) -> Outcome<Vec<Reference>> {
    let there = "SELECT 1 FROM main.sqlite_schema WHERE name = '_packhorse_references'";
    if !connection.prepare(there)?.exists([])? {
        return Ok(Vec::new());
    }
    let sql = "SELECT tbl, col, parent, type_col, type FROM main._packhorse_references WHERE origin = ?1";
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([origin.name()])?;
    let mut found: Vec<Reference> = Vec::new();
    while let Some(row) = rows.next()? {
        let (table, column, parent): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let (Some(by), named) = (row.get(3)?, row.get::<_, Option<String>>(4)?.unwrap_or_default()) else {
            found.push(Reference { table, column, to: Refers::To(parent) });
            continue;
        };
        let known = found.iter_mut().find(|known| known.table == table && known.column == column);
        match known.map(|known| &mut known.to) {
            Some(Refers::ByType { tables, .. }) => drop(tables.insert(named, parent)),
            _ => {
                let to = Refers::ByType { column: by, tables: [(named, parent)].into() };
                found.push(Reference { table, column, to });
            }
        }
    }
    Ok(sorted(found))
}

/// Tells of the first that does not fit the synced tables.
pub(super) fn check(tables: &[TableShape], references: &[Reference]) -> Result<(), ReplicaError> {
    for (at, reference) in references.iter().enumerate() {
        let before = references.get(..at).unwrap_or_default();
        let why = match of_column(before, &reference.table, &reference.column) {
            Some(_) => Some("it is listed twice".to_owned()),
            None => misfit(tables, reference),
        };
        if let Some(why) = why {
            let (table, column) = (reference.table.clone(), reference.column.clone());
            return Err(ReplicaError::Reference { table, column, why });
        }
    }
    Ok(())
}

/// Why a reference cannot be followed, if it cannot.
fn misfit(tables: &[TableShape], reference: &Reference) -> Option<String> {
    let Reference { table, column, to } = reference;
    let Some(shape) = TableShape::named(tables, table) else { return Some(format!("no table \"{table}\" is synced")) };
    let is_key = |column: &str| shape.keys.iter().any(|key| key.eq_ignore_ascii_case(column));
    let is_there = |column: &str| is_key(column) || shape.position(column).is_some();
    if !is_there(column) {
        return Some("the table has no such column that is synced".to_owned());
    }
    if shape.declares(column) {
        return Some("the table declares a foreign key for it, which is followed without this".to_owned());
    }
    match to {
        Refers::To(_) if is_key(column) && shape.key_kind == KeyKind::Assigned => Some(
            "it is the number of the table's own records: only a declared foreign key makes it another's".to_owned(),
        ),
        Refers::To(parent) => without_numbers(tables, parent),
        Refers::ByType { column: by, .. } if !is_there(by) => {
            Some(format!("its type column \"{by}\" is not there or not synced"))
        }
        Refers::ByType { column: by, .. } if by.eq_ignore_ascii_case(column) => {
            Some("it cannot be its own type column".to_owned())
        }
        Refers::ByType { column: by, .. } if is_key(column) || is_key(by) => {
            Some("a pair of type and number that is part of the key is not supported".to_owned())
        }
        Refers::ByType { tables: named, .. } => named.values().find_map(|parent| without_numbers(tables, parent)),
    }
}

/// Why nothing can refer to a table by numbers, if nothing can.
fn without_numbers(tables: &[TableShape], parent: &str) -> Option<String> {
    let Some(shape) = TableShape::named(tables, parent) else {
        return Some(format!("no table \"{parent}\" is synced"));
    };
    let is_numbered = shape.key_kind == KeyKind::Assigned || matches!(shape.key_refers_to.as_slice(), [Some(_)]);
    (!is_numbered)
        .then(|| format!("the records of table \"{parent}\" are not known by one number that is given to them"))
}
