//! The number ranges of remotes: where the numbers start that a node gives to its own new records.
//!
//! A number must never come to mean somebody else under a running application (DESIGN section 6). A remote's own numbers
//! therefore start far above those of its hub, which never adopts them. Invariants: a remote's range starts above every
//! number that stands in, or was given by, the table that it is copied from; all ranges lie below 2^31, for applications
//! that keep numbers in 32 bits; a table has a range only if SQLite itself keeps to it, which takes AUTOINCREMENT. Leaves
//! the making of the tables to [`super::packing`], and what becomes of a provisional record's number to the merge.

use std::ops::Range;

use rusqlite::{Connection, OptionalExtension, params};

use super::fault::Outcome;
use super::names::quoted;
use super::state;
use crate::link::Role;
use crate::replica::{KeyKind, NoRange, RemoteCopy, TableShape, WhyNoRange};

/// Where the numbers of the root's remotes start.
const DEPTH_1: i64 = 1_000_000_000;

/// Where the numbers of their remotes start.
const DEPTH_2: i64 = 1_500_000_000;

/// How many numbers there are from one start to the next.
pub(super) const EACH: i64 = DEPTH_2 - DEPTH_1;

/// The numbers that only the databases of remotes give: what is a record's number for good lies outside.
pub(super) const REMOTES: Range<i64> = DEPTH_1..1 << 31;

/// Whether a table's new records get numbers in this node's own range. Never at the root, nor where the application has
/// set the sequence back or made the table anew.
pub(super) fn has_range(connection: &Connection, table: &str) -> Outcome<bool> {
    let Some(from) = state::numbers_from(connection)? else { return Ok(false) };
    if state::has_numbers_as_is(connection, table)? {
        return Ok(false);
    }
    Ok(sequence(connection, "main", table)?.is_some_and(|last| last >= from))
}

/// Lets a new table with AUTOINCREMENT, filled already, give numbers from here on.
pub(super) fn start(connection: &Connection, table: &str, from: i64) -> Outcome<()> {
    connection.execute("DELETE FROM main.sqlite_sequence WHERE name = ?1", [table])?;
    connection.execute("INSERT INTO main.sqlite_sequence (name, seq) VALUES (?1, ?2)", params![table, from])?;
    Ok(())
}

/// Which tables get a range in a remote's copy, and which do not.
pub(super) struct Ranges {
    start: Option<i64>,
    given: Vec<String>,
    none: Vec<NoRange>,
}

impl Ranges {
    /// Decides, from the main database attached as `hub` to one that holds no tables yet.
    pub fn plan(connection: &Connection, shapes: &[TableShape], copy: RemoteCopy<'_>) -> Outcome<Self> {
        let start = start_of_remotes(connection)?;
        let mut plan = Self { start: start.as_ref().ok().copied(), given: Vec::new(), none: Vec::new() };
        let wanted = shapes.iter().filter(|shape| copy.shares(&shape.name));
        for shape in wanted.filter(|shape| shape.key_kind == KeyKind::Assigned) {
            let is_as_is = copy.as_is.iter().any(|name| name.eq_ignore_ascii_case(&shape.name));
            let why = match &start {
                _ if is_as_is => Some(WhyNoRange::AsIs),
                Err(why) => Some(why.clone()),
                Ok(start) => why_not(connection, "hub", shape, *start)?,
            };
            match why {
                Some(why) => plan.none.push(NoRange { table: shape.name.clone(), why }),
                None => plan.given.push(shape.name.clone()),
            }
        }
        Ok(plan)
    }

    /// Where a table's numbers start in the copy, if it gets a range.
    pub fn start_of(&self, table: &str) -> Option<i64> {
        self.start.filter(|_| self.given.iter().any(|name| name == table))
    }

    /// Takes a table's range back: it could not be made.
    pub fn withdraw(&mut self, table: &str, why: WhyNoRange) {
        self.given.retain(|name| name != table);
        self.none.push(NoRange { table: table.to_owned(), why });
    }

    /// Lets the new database know of its ranges.
    pub fn store(&self, connection: &Connection) -> Outcome<()> {
        if let Some(start) = self.start {
            state::set_numbers_from(connection, start)?;
        }
        self.none.iter().try_for_each(|none| state::set_numbers_as_is(connection, none))
    }

    /// The tables without a range, once the copy is made: what it does not itself say to have one counts as having none.
    pub fn none_in(mut self, connection: &Connection) -> Outcome<Vec<NoRange>> {
        for table in std::mem::take(&mut self.given) {
            if !has_range(connection, &table)? {
                self.none.push(NoRange { table, why: WhyNoRange::Statement });
            }
        }
        self.none.sort_by(|one, other| one.table.cmp(&other.table));
        Ok(self.none)
    }
}

/// Where the numbers of this node's remotes start. Without a hub it is the root.
pub(super) fn start_of_remotes(connection: &Connection) -> Outcome<std::result::Result<i64, WhyNoRange>> {
    let has_hub = state::links(connection)?.iter().any(|link| link.state.role() == Role::Hub);
    Ok(match (has_hub, state::numbers_from(connection)?) {
        (false, _) => Ok(DEPTH_1),
        (true, Some(DEPTH_1)) => Ok(DEPTH_2),
        (true, Some(_)) => Err(WhyNoRange::TooDeep),
        (true, None) => Err(WhyNoRange::NoneHere),
    })
}

/// Why a table of the database attached under this name cannot have a range that starts here, as far as its statement need
/// not be read.
pub(super) fn why_not(
    connection: &Connection,
    schema: &str,
    shape: &TableShape,
    start: i64,
) -> Outcome<Option<WhyNoRange>> {
    let (table, Some(key)) = (shape.name.as_str(), shape.keys.first()) else { return Ok(None) };
    let sql = "SELECT \"table\" FROM pragma_foreign_key_list(?1, ?3) WHERE \"from\" = ?2 COLLATE NOCASE";
    let parent = connection.prepare_cached(sql)?.query_row([table, key, schema], |row| row.get(0)).optional()?;
    if let Some(parent) = parent {
        return Ok(Some(WhyNoRange::ForeignKey { parent }));
    }
    if let Some(why) = why_not_rowid(connection, schema, table)? {
        return Ok(Some(why));
    }
    let sql = format!("SELECT max({}) FROM {schema}.{}", quoted(key), quoted(table));
    let highest: Option<i64> = connection.query_row(&sql, [], |row| row.get(0))?;
    let number = highest.max(sequence(connection, schema, table)?);
    Ok(number.filter(|number| *number >= start).map(|number| WhyNoRange::Reached { number }))
}

/// Only a key that is the rowid can have AUTOINCREMENT.
fn why_not_rowid(connection: &Connection, schema: &str, table: &str) -> Outcome<Option<WhyNoRange>> {
    let sql = "SELECT wr FROM pragma_table_list(?1) WHERE schema = ?2";
    if connection.prepare_cached(sql)?.query_row([table, schema], |row| row.get(0))? {
        return Ok(Some(WhyNoRange::WithoutRowid));
    }
    let sql = "SELECT type FROM pragma_table_xinfo(?1, ?2) WHERE pk = 1";
    let kind: String = connection.prepare_cached(sql)?.query_row([table, schema], |row| row.get(0))?;
    if !kind.eq_ignore_ascii_case("INTEGER") {
        return Ok(Some(WhyNoRange::Declared { kind }));
    }
    let sql = "SELECT count(*) FROM pragma_index_list(?1, ?2) WHERE origin = 'pk'";
    let indexes: i64 = connection.prepare_cached(sql)?.query_row([table, schema], |row| row.get(0))?;
    Ok((indexes > 0).then_some(WhyNoRange::Descending))
}

/// The last number that AUTOINCREMENT gave in a table, if it has given one.
pub(super) fn sequence(connection: &Connection, schema: &str, table: &str) -> Outcome<Option<i64>> {
    let there = format!("SELECT count(*) FROM {schema}.sqlite_schema WHERE name = 'sqlite_sequence'");
    if connection.query_row(&there, [], |row| row.get::<_, i64>(0))? == 0 {
        return Ok(None);
    }
    // The application may write anything into it; what is no number is none.
    let sql = format!(
        "SELECT max(seq) FROM {schema}.sqlite_sequence WHERE name = ?1 COLLATE NOCASE AND typeof(seq) = 'integer'"
    );
    Ok(connection.query_row(&sql, [table], |row| row.get(0))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Reading;
    use crate::id::{NetworkId, NodeId};
    use crate::replica::Identity;

    /// A remote's database with the tables `t` and `as_it_is`.
    fn remote() -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        let identity = Identity { network: NetworkId(1), node: NodeId(2) };
        state::create(&connection, identity, Reading(3)).unwrap();
        let tables = "CREATE TABLE T (id INTEGER PRIMARY KEY AUTOINCREMENT);
            CREATE TABLE as_it_is (id INTEGER PRIMARY KEY AUTOINCREMENT); INSERT INTO as_it_is VALUES (2000000000)";
        connection.execute_batch(tables).unwrap();
        start(&connection, "T", DEPTH_1).unwrap();
        connection
    }

    #[test]
    fn ranges_lie_apart_and_in_32_bits() {
        const { assert!(DEPTH_1 < DEPTH_2 && DEPTH_2 < i32::MAX as i64 - 500_000_000) }
    }

    #[test]
    fn a_table_has_a_range_where_sqlite_keeps_to_one() {
        let connection = remote();
        assert!(!has_range(&connection, "t").unwrap(), "the root has none");
        state::set_numbers_from(&connection, DEPTH_1).unwrap();
        state::set_numbers_as_is(&connection, &NoRange { table: "As_It_Is".to_owned(), why: WhyNoRange::AsIs })
            .unwrap();
        assert_eq!(state::numbers_from(&connection).unwrap(), Some(DEPTH_1));
        assert!(has_range(&connection, "t").unwrap());
        assert!(!has_range(&connection, "as_it_is").unwrap(), "however high its numbers are");
        assert!(!has_range(&connection, "another").unwrap());
        connection.execute_batch("INSERT INTO t VALUES (NULL)").unwrap();
        assert!(has_range(&connection, "t").unwrap());
        for change in [
            "UPDATE sqlite_sequence SET seq = 12",
            "UPDATE sqlite_sequence SET seq = 'zzz'",
            "DELETE FROM sqlite_sequence",
            "DROP TABLE t; CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1000000001)",
        ] {
            connection.execute_batch(change).unwrap();
            assert!(!has_range(&connection, "t").unwrap(), "{change}");
        }
    }
}
