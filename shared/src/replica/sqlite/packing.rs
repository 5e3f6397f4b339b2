//! The database of a remote database package, and its adoption at the remote.
//!
//! The remote's database is made by copying what the remote may have into an empty copy of the schema, in one read
//! snapshot: nothing else of the main database's file is ever in it. Rows stream from file to file inside SQLite, so
//! memory does not follow their number.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::SqliteReplica;
use super::catalogue::Catalogue;
use super::counters;
use super::fault::{Fault, Outcome};
use super::membership::{self, rows};
use super::metadata::{Metadata, unpack_birth};
use super::names::{PREFIX, is_ours, joined, key_names, quoted, quoted_list};
use super::open;
use super::prepare::add_table;
use super::ranges::{self, Ranges};
use super::remake;
use super::schema::candidates;
use super::search;
use super::state::{self, Progress};
use super::terms;
use crate::clock::{Reading, WallTime};
use crate::id::{Cut, LinkId, NodeId, NodeName};
use crate::keys::PublicKeys;
use crate::link::Link;
use crate::marks::{Marks, Roster};
use crate::replica::{
    Copied, Identity, Present, RemoteCopy, Result, SharedRows, SharedTable, StoredLink, TableShape, Terms, WhyNoRange,
};

/// The number that the link to the hub has in a remote's database: it is the first.
const LINK_TO_HUB: LinkId = LinkId(1);

/// Who adopts a restored package's database, and as whose remote.
pub struct Adoption<'a> {
    /// Who the new node is.
    pub identity: Identity,
    /// Its hub.
    pub hub: &'a NodeName,
    /// The hub's installation.
    pub hub_node: NodeId,
    /// The hub's public keys.
    pub hub_keys: &'a PublicKeys,
    /// The state of the link to it.
    pub link: &'a Link,
    /// The reading that the node's clock starts from: nothing that is in the package is later.
    pub clock: Reading,
}

impl SqliteReplica {
    pub(super) fn try_copy(&mut self, now: WallTime, target: &Path, wanted: RemoteCopy<'_>) -> Outcome<Copied> {
        // What stops us before the first row is copied stands in the main database, not in the new one.
        let path = self.path.clone();
        let at_source = |fault: Fault| Fault::Said(fault.at(&path, "be read"));
        let settings = open::reader(&path).and_then(|source| Settings::of(&source)).map_err(at_source)?;
        let copy = Copy::open(target, &path, &settings)?;
        self.lock_judged(now).map_err(at_source)?;
        let begun = copy.begin();
        self.writer.execute_batch("ROLLBACK")?;
        begun.map_err(at_source)?;
        let progress = copy.progress()?;
        membership::fit::must_be(&self.writer, &self.catalogue, wanted.membership, progress.cut)?;
        let (horizon, births) = (state::horizon(&copy.connection)?, state::births(&copy.connection)?);
        let mut ranges = Ranges::plan(&copy.connection, self.catalogue.shapes(), wanted)?;
        let (mut records, mut skipped) = (0, Vec::new());
        copy.schema("table", &mut ranges, &mut skipped)?;
        for table in wanted.tables {
            records += copy.rows(table, &ranges)?;
        }
        for kind in ["view", "index", "trigger"] {
            copy.schema(kind, &mut ranges, &mut skipped)?;
        }
        let terms = membership::terms(&self.writer, &self.catalogue, wanted.membership)?;
        let about = About { hub: self.identity, clock: progress.clock.latest(), tables: wanted.tables, terms };
        copy.metadata(&about, &self.catalogue)?;
        ranges.store(&copy.connection)?;
        // What has no marks here has none there.
        state::set_horizon(&copy.connection, horizon)?;
        state::set_births(&copy.connection, births)?;
        let no_range = ranges.none_in(&copy.connection)?;
        copy.finish()?;
        Ok(Copied { cut: progress.cut, clock: progress.clock.latest(), records, skipped, no_range })
    }
}

/// The new database with the main one attached to it, in one transaction over both.
struct Copy {
    connection: Connection,
}

impl Copy {
    fn open(target: &Path, source: &Path, settings: &Settings) -> Outcome<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(target, flags)?;
        connection.execute_batch(&format!(
            "PRAGMA encoding = '{}'; PRAGMA page_size = {}; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; \
             PRAGMA foreign_keys = OFF; PRAGMA user_version = {}; PRAGMA application_id = {};",
            settings.encoding, settings.page_size, settings.user_version, settings.application_id
        ))?;
        let path = source.to_str().ok_or_else(|| Fault::Damaged("its path is not text".to_owned()))?;
        open::accept_old_quoting(&connection)?;
        connection.execute("ATTACH ?1 AS hub", [path])?;
        Ok(Self { connection })
    }

    /// A read transaction begins with its first read, not with BEGIN.
    fn begin(&self) -> Outcome<()> {
        self.connection.execute_batch("BEGIN")?;
        Ok(self.connection.query_row("SELECT count(*) FROM hub._packhorse_state", [], |_| Ok(()))?)
    }

    fn progress(&self) -> Outcome<Progress> {
        // The new database has no such tables yet, so the names find the main one's.
        Progress::load(&self.connection)
    }

    /// Makes everything of one kind in the schema, in the order in which it was made. What our own connection cannot
    /// make belongs to a table that is not synced (see `init`) and is passed over.
    fn schema(&self, kind: &str, ranges: &mut Ranges, skipped: &mut Vec<String>) -> Outcome<()> {
        let mut statement = self.connection.prepare(
            "SELECT name, sql FROM hub.sqlite_schema WHERE type = ?1 AND sql IS NOT NULL \
             AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT IN \
             (SELECT name FROM pragma_table_list WHERE schema = 'hub' AND type = 'shadow') ORDER BY rowid",
        )?;
        let rows = statement.query_map([kind], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let parts: Vec<(String, String)> = rows.collect::<rusqlite::Result<_>>()?;
        for (name, sql) in parts.iter().filter(|(name, _)| !is_ours(name)) {
            if kind == "table" && ranges.start_of(name).is_some() {
                if remake::with_autoincrement(&self.connection, name, sql)? {
                    continue;
                }
                ranges.withdraw(name, WhyNoRange::Statement);
            }
            match self.connection.execute_batch(sql) {
                Err(error) if is_about_the_statement(&error) => skipped.push(format!("{kind} {name}: {error}")),
                other => other?,
            }
        }
        Ok(())
    }

    /// Copies what is shared of a table's rows. Those whose key holds a NULL are not synced and stay behind; columns that are
    /// not shared take their defaults.
    fn rows(&self, table: &SharedTable, ranges: &Ranges) -> Outcome<u64> {
        let shape = &table.shape;
        let columns = table.columns.iter().filter_map(|at| shape.columns.get(*at)).map(|column| column.name.as_str());
        let list = quoted_list(shape.keys.iter().map(String::as_str).chain(columns));
        let whole = joined(shape.keys.len(), " AND ", |at| format!("t.{} IS NOT NULL", quoted(&shape.keys[at])));
        let (name, members) = (
            quoted(&shape.name),
            members_only(table, "t", &shape.keys.iter().map(|key| quoted(key)).collect::<Vec<_>>()),
        );
        let sql = format!("INSERT INTO main.{name} ({list}) SELECT {list} FROM hub.{name} t WHERE {whole}{members}");
        let copied = self.connection.execute(&sql, [])? as u64;
        match ranges.start_of(&shape.name) {
            Some(start) => ranges::start(&self.connection, &shape.name, start)?,
            None => self.number_sequence(&shape.name)?,
        }
        Ok(copied)
    }

    /// A number that AUTOINCREMENT has given must not be given again.
    fn number_sequence(&self, table: &str) -> Outcome<()> {
        let there = "SELECT count(*) FROM hub.sqlite_schema WHERE name = 'sqlite_sequence'";
        if self.connection.query_row(there, [], |row| row.get::<_, i64>(0))? == 0 {
            return Ok(());
        }
        self.connection.execute("DELETE FROM main.sqlite_sequence WHERE name = ?1", [table]).or_else(absent_is_none)?;
        let copy =
            "INSERT INTO main.sqlite_sequence (name, seq) SELECT name, seq FROM hub.sqlite_sequence WHERE name = ?1";
        self.connection.execute(copy, [table]).or_else(absent_is_none)?;
        Ok(())
    }

    /// Prepares the new database for the tables, and copies births and stamps: an edit at the remote must be known to
    /// be later than what it edits, and a record must be known by its birth.
    fn metadata(&self, about: &About<'_>, source: &Catalogue) -> Outcome<()> {
        let About { hub, clock, tables, terms } = about;
        let nodes = state::roster(&self.connection)?;
        // The remote's own identity is made when the package is restored.
        state::create(&self.connection, Identity { network: hub.network, node: hub.node }, *clock)?;
        // What was prepared while a name found the main database's table would go on reading that one.
        self.connection.flush_prepared_statement_cache();
        let mut roster = state::roster(&self.connection)?;
        let (found, _) = candidates(&self.connection)?;
        for candidate in found.iter().filter(|candidate| tables.iter().any(|table| table.shape.name == candidate.name))
        {
            add_table(&self.connection, candidate)?;
        }
        terms::keep(&self.connection, &Catalogue::load(&self.connection, &found)?, terms)?;
        // Counted from the values that it brings, whatever is written before its first run.
        counters::keep_up(&self.connection, &Catalogue::load(&self.connection, &found)?)?;
        let target = Catalogue::load(&self.connection, &found)?;
        for table in *tables {
            self.marks(table, source, &target, &nodes, &mut roster)?;
        }
        Ok(())
    }

    fn marks(
        &self,
        table: &SharedTable,
        source: &Catalogue,
        target: &Catalogue,
        from: &Roster,
        to: &mut Roster,
    ) -> Outcome<()> {
        let name = &table.shape.name;
        let find = |catalogue: &Catalogue| catalogue.named(name).cloned();
        let (Some(source), Some(target)) = (find(source), find(target)) else { return Ok(()) };
        let own: Vec<String> = (1..=source.shape.keys.len()).map(|at| format!("k{at}")).collect();
        let (keys, members) = (key_names(own.len()), members_only(table, "m", &own));
        let name = quoted(&format!("{PREFIX}m_{name}"));
        let sql = format!("SELECT {keys}, birth, marks FROM hub.{name} m WHERE true{members}");
        let mut statement = self.connection.prepare(&sql)?;
        let mut rows = statement.query([])?;
        let width = source.shape.keys.len();
        while let Some(row) = rows.next()? {
            let birth = row.get_ref(width)?.as_blob_or_null().map_err(rusqlite::Error::from)?;
            let marks = row.get_ref(width + 1)?.as_blob().map_err(rusqlite::Error::from)?;
            let mut present = Present { birth: unpack_birth(birth, from)?, marks: Marks::unpack(marks, from)? };
            present.marks = renumbered(&present.marks, table, &target.shape);
            for node in nodes_of(&present) {
                state::enlist(&self.connection, to, node)?;
            }
            let metadata: &Metadata = &target.metadata;
            metadata.put_marks(&self.connection, &metadata.key(row)?, &present, to)?;
        }
        Ok(())
    }

    fn finish(self) -> Outcome<()> {
        search::rebuild(&self.connection)?;
        self.connection.execute_batch("COMMIT; DETACH hub; PRAGMA journal_mode = DELETE")?;
        self.connection.close().map_err(|(_, error)| Fault::Sqlite(error))
    }
}

/// What the copy's metadata begins with.
struct About<'a> {
    hub: Identity,
    clock: Reading,
    tables: &'a [SharedTable],
    /// What the two share, and what goes with it: the remote needs no configuration of its own.
    terms: Terms,
}

/// The condition, beginning with AND, that a record whose key stands in these columns of `alias` is a member.
fn members_only(table: &SharedTable, alias: &str, keys: &[String]) -> String {
    let SharedRows::Members(of) = table.rows else { return String::new() };
    let members = rows::members_table(&table.shape.name);
    let keys: Vec<String> = keys.iter().map(|key| format!("{alias}.{key}")).collect();
    format!(" AND EXISTS (SELECT 1 FROM hub.{members} s WHERE {})", rows::is_member(of, &keys))
}

/// Whether SQLite refused what a statement says, and not for want of room or the like.
pub(super) fn is_about_the_statement(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{AuthorizationForStatementDenied, ConstraintViolation, TypeMismatch, Unknown};
    let code = error.sqlite_error_code();
    matches!(code, None | Some(Unknown | AuthorizationForStatementDenied | ConstraintViolation | TypeMismatch))
}

/// What has no AUTOINCREMENT in the copy has no row to set.
fn absent_is_none(error: rusqlite::Error) -> rusqlite::Result<usize> {
    match &error {
        rusqlite::Error::SqliteFailure(_, Some(text)) if text.starts_with("no such table") => Ok(0),
        rusqlite::Error::SqlInputError { msg, .. } if msg.starts_with("no such table") => Ok(0),
        _ => Err(error),
    }
}

/// The marks as the remote keeps them: before its first cut, come by the link to the hub, under its column numbers.
fn renumbered(marks: &Marks, source: &SharedTable, target: &TableShape) -> Marks {
    let mut renumbered = Marks::default();
    for column in source.columns.iter().filter_map(|at| source.shape.columns.get(*at)) {
        let (Some(mark), Some(at)) = (marks.get(column.id), target.position(&column.name)) else { continue };
        if let Some(column) = target.columns.get(at) {
            renumbered.set(column.id, crate::marks::Mark { stamp: mark.stamp, cut: Cut(0), via: LINK_TO_HUB });
        }
    }
    renumbered.fold(&target.column_ids());
    renumbered
}

fn nodes_of(present: &Present) -> Vec<NodeId> {
    let mut nodes: Vec<NodeId> = present.birth.iter().map(|birth| birth.node).collect();
    present.marks.clone().for_each(|mark| nodes.push(mark.stamp.node));
    nodes
}

struct Settings {
    encoding: String,
    page_size: i64,
    user_version: i64,
    application_id: i64,
}

impl Settings {
    fn of(source: &Connection) -> Outcome<Self> {
        let number = |pragma: &str| source.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get(0));
        Ok(Self {
            encoding: source.query_row("PRAGMA encoding", [], |row| row.get(0))?,
            page_size: number("page_size")?,
            user_version: number("user_version")?,
            application_id: number("application_id")?,
        })
    }
}

/// Makes a restored package's database this node's own. Done twice it is an error, and changes nothing. The file keeps
/// its rollback journal, so that it can still be moved to its place; [`use_wal`] follows.
pub fn adopt(path: &Path, adoption: &Adoption<'_>) -> Result<()> {
    try_adopt(path, adoption).map_err(|fault| fault.at(path, "be adopted"))
}

fn try_adopt(path: &Path, adoption: &Adoption<'_>) -> Outcome<()> {
    let mut connection = open::writer(path)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    state::rename_self(&transaction, adoption.identity.node)?;
    let mut progress = Progress::load(&transaction)?;
    progress.clock.observe(adoption.clock);
    progress.store(&transaction)?;
    let id = state::add_link(&transaction, adoption.hub, adoption.hub_keys, adoption.link)?;
    if id != LINK_TO_HUB {
        return Err(Fault::Damaged("the package's database has a link already".to_owned()));
    }
    let (peer, state) = (adoption.hub.clone(), adoption.link.clone());
    let keys = adoption.hub_keys.clone();
    state::save_link(&transaction, &StoredLink { id, peer, node: Some(adoption.hub_node), keys, state })?;
    transaction.commit()?;
    connection.close().map_err(|(_, error)| Fault::Sqlite(error))
}

/// Switches a database to the write-ahead log, with which readers and writers do not wait for each other, if it can be.
pub fn use_wal(path: &Path) {
    match open::writer(path) {
        Ok(connection) => drop(open::try_wal(&connection, path)),
        Err(fault) => open::warn_of_wal(path, &fault.at(path, "switch to the write-ahead log")),
    }
}
