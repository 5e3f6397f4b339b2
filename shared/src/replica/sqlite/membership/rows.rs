//! The rows of memberships: which records are members, and of what a link is an exception.
//!
//! Owns the tables `_packhorse_s_TABLE` (records by membership) and `_packhorse_x_TABLE` (exceptions by link), which are
//! made when the first set wants them. A record without a row in the first has never been a member.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, params_from_iter};

use crate::id::{Cut, LinkId};
use crate::replica::sqlite::fault::{Fault, Outcome};
use crate::replica::sqlite::names::{PREFIX, joined, key_names, quoted};
use crate::replica::sqlite::values::{bind_from, key_at};
use crate::replica::{MembershipId, SharedRows, TableShape};
use crate::value::{Key, Value};

/// How a record stands to a membership.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum State {
    /// It is a member.
    Member,
    /// It was, and lives on outside.
    Left,
    /// It was until it died.
    Died,
}

/// What a link makes an exception of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Exception {
    /// Its peer has sent the record whole, and has it as it is here but for what changed since.
    Holds,
    /// Its peer has spoken of the record, and may have it.
    MayHold,
    /// Its peer may have the record, which is none of those that the link shares.
    Stray,
    /// Its peer does not have the record, although it has been a member for longer.
    Lacks,
}

/// The statements on one table's rows, as text that the connection's statement cache knows again.
#[derive(Clone, Debug)]
pub(in super::super) struct MemberRows {
    keys: usize,
    members: Statements,
    exceptions: Statements,
}

/// The statements on one of the two tables, which are built alike: of an owner (a membership or a link), a key, a kind and
/// the cut since when that is so.
#[derive(Clone, Debug)]
struct Statements {
    find: String,
    put: String,
    drop: String,
    changed: String,
    counts: String,
    any: String,
    of_key: String,
    owners: String,
}

/// The quoted name of the table of a synced table's members.
pub(in super::super) fn members_table(table: &str) -> String {
    quoted(&format!("{PREFIX}s_{table}"))
}

/// The quoted name of the table of the links' exceptions.
pub(in super::super) fn exceptions_table(table: &str) -> String {
    quoted(&format!("{PREFIX}x_{table}"))
}

/// The statement that finds the keys, as k1 to kN, of the records that are shared, where `members` is the table's own of members.
pub(in super::super) fn shared_keys(shape: &TableShape, rows: SharedRows, members: &str) -> String {
    let keys = shape.keys.len();
    match rows {
        SharedRows::All => {
            // Compared as they are written, whatever the column's own collation.
            let key = |at: usize| format!("{} COLLATE BINARY AS k{}", quoted(&shape.keys[at]), at + 1);
            let whole = joined(keys, " AND ", |at| format!("{} IS NOT NULL", quoted(&shape.keys[at])));
            format!("SELECT {} FROM {} WHERE {whole}", joined(keys, ", ", key), quoted(&shape.name))
        }
        SharedRows::Members(of) => {
            let (names, member) = (key_names(keys), State::Member.kind());
            format!("SELECT {names} FROM {members} WHERE owner = {} AND kind = {member}", of.0)
        }
    }
}

/// The condition that the row `s` of a members' table is that of a member whose key stands in these columns.
pub(in super::super) fn is_member(of: MembershipId, columns: &[String]) -> String {
    // The plus takes the column's affinity away, under which the key of ours could not be looked up by its index.
    let same = joined(columns.len(), " AND ", |at| format!("s.k{} = +{}", at + 1, columns[at]));
    format!("s.owner = {} AND s.kind = {} AND {same}", of.0, State::Member.kind())
}

/// Makes both tables, if they are not there.
pub(in super::super) fn create(connection: &Connection, table: &str, keys: usize) -> Outcome<()> {
    let (members, exceptions, names) = (members_table(table), exceptions_table(table), key_names(keys));
    Ok(connection.execute_batch(&format!(
        "CREATE TABLE IF NOT EXISTS {members} (owner INTEGER NOT NULL, {names}, kind INTEGER NOT NULL,
             cut INTEGER NOT NULL, PRIMARY KEY ({names}, owner)) WITHOUT ROWID;
         CREATE INDEX IF NOT EXISTS {} ON {members} (owner, cut);
         CREATE TABLE IF NOT EXISTS {exceptions} (owner INTEGER NOT NULL, {names}, kind INTEGER NOT NULL,
             cut INTEGER NOT NULL, PRIMARY KEY ({names}, owner)) WITHOUT ROWID;
         CREATE INDEX IF NOT EXISTS {} ON {exceptions} (owner, cut);",
        quoted(&format!("{PREFIX}sc_{table}")),
        quoted(&format!("{PREFIX}xc_{table}")),
    ))?)
}

/// Makes the first of them for a trial: a temporary table that hides the real one.
pub(in super::super) fn create_temporary(connection: &Connection, table: &str, keys: usize) -> Outcome<()> {
    let (members, names) = (members_table(table), key_names(keys));
    Ok(connection.execute_batch(&format!(
        "CREATE TEMP TABLE {members} (owner INTEGER NOT NULL, {names}, kind INTEGER NOT NULL, cut INTEGER NOT NULL, \
         PRIMARY KEY ({names}, owner)) WITHOUT ROWID"
    ))?)
}

/// Whether a table has such rows at all.
pub(in super::super) fn are_there(connection: &Connection, table: &str) -> Outcome<bool> {
    let sql = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1";
    Ok(connection.prepare_cached(sql)?.exists([format!("{PREFIX}s_{table}")])?)
}

impl Statements {
    fn of(table: &str, keys: usize) -> Self {
        let names = key_names(keys);
        let is_it = joined(keys, " AND ", |at| format!("k{0} = ?{1}", at + 1, at + 2));
        let holes = joined(keys, ", ", |at| format!("?{}", at + 2));
        Self {
            find: format!("SELECT kind, cut FROM {table} WHERE owner = ?1 AND {is_it}"),
            put: format!(
                "INSERT OR REPLACE INTO {table} (owner, {names}, kind, cut) VALUES (?1, {holes}, ?{}, ?{})",
                keys + 2,
                keys + 3
            ),
            drop: format!("DELETE FROM {table} WHERE owner = ?1 AND {is_it}"),
            changed: format!("SELECT {names} FROM {table} WHERE owner = ?1 AND cut > ?2 AND cut <= ?3"),
            counts: format!(
                "SELECT cut, count(*) FROM {table} WHERE cut > ?1 AND owner = ?2 GROUP BY cut ORDER BY cut"
            ),
            any: format!("SELECT 1 FROM {table} WHERE owner = ?1 LIMIT 1"),
            of_key: format!(
                "SELECT owner, kind, cut FROM {table} WHERE {}",
                joined(keys, " AND ", |at| format!("k{0} = ?{0}", at + 1))
            ),
            // From one owner to the next by the index: they are few, and their rows may be many.
            owners: format!(
                "WITH RECURSIVE o (owner) AS (SELECT min(owner) FROM {table} UNION ALL \
                 SELECT (SELECT min(t.owner) FROM {table} t WHERE t.owner > o.owner) FROM o WHERE o.owner IS NOT NULL) \
                 SELECT owner FROM o WHERE owner IS NOT NULL"
            ),
        }
    }

    fn find(&self, connection: &Connection, owner: i64, key: &Key) -> Outcome<Option<(i64, Cut)>> {
        let mut statement = connection.prepare_cached(&self.find)?;
        let owner = Value::Integer(owner);
        let found = statement.query_row(params_from_iter(std::iter::once(&owner).chain(&key.0)), |row| {
            Ok((row.get(0)?, Cut(row.get::<_, i64>(1)? as u64)))
        });
        Ok(found.optional()?)
    }

    fn of_key(&self, connection: &Connection, key: &Key) -> Outcome<Vec<(i64, i64, Cut)>> {
        let mut statement = connection.prepare_cached(&self.of_key)?;
        let found = statement.query_map(params_from_iter(&key.0), |row| {
            Ok((row.get(0)?, row.get(1)?, Cut(row.get::<_, i64>(2)? as u64)))
        })?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }

    fn put(&self, connection: &Connection, owner: i64, key: &Key, kind: i64, cut: Cut) -> Outcome<()> {
        let mut statement = connection.prepare_cached(&self.put)?;
        statement.raw_bind_parameter(1, owner)?;
        let after = bind_from(&mut statement, 2, &key.0)?;
        statement.raw_bind_parameter(after, kind)?;
        statement.raw_bind_parameter(after + 1, cut.0 as i64)?;
        statement.raw_execute()?;
        Ok(())
    }

    fn drop(&self, connection: &Connection, owner: i64, key: &Key) -> Outcome<()> {
        let owner = Value::Integer(owner);
        connection.prepare_cached(&self.drop)?.execute(params_from_iter(std::iter::once(&owner).chain(&key.0)))?;
        Ok(())
    }

    fn changed(&self, connection: &Connection, owner: i64, range: [i64; 2], keys: usize) -> Outcome<Vec<Key>> {
        let mut statement = connection.prepare_cached(&self.changed)?;
        let found = statement.query_map([owner, range[0], range[1]], |row| key_at(row, 0, keys))?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }
}

impl MemberRows {
    /// The statements for a table with this many key columns.
    pub fn of(table: &str, keys: usize) -> Self {
        let members = Statements::of(&members_table(table), keys);
        Self { keys, members, exceptions: Statements::of(&exceptions_table(table), keys) }
    }

    /// How the record under a key stands to a membership; None if it never was a member.
    pub fn member(&self, connection: &Connection, of: MembershipId, key: &Key) -> Outcome<Option<(State, Cut)>> {
        let found = self.members.find(connection, of.0, key)?;
        found.map(|(kind, cut)| Ok((State::of(kind)?, cut))).transpose()
    }

    /// How it stands to every membership that it ever was in.
    pub fn members(&self, connection: &Connection, key: &Key) -> Outcome<Vec<(MembershipId, (State, Cut))>> {
        let found = self.members.of_key(connection, key)?.into_iter();
        found.map(|(owner, kind, cut)| Ok((MembershipId(owner), (State::of(kind)?, cut)))).collect()
    }

    /// What every link makes an exception of in it.
    pub fn all_exceptions(&self, connection: &Connection, key: &Key) -> Outcome<Vec<(LinkId, (Exception, Cut))>> {
        let found = self.exceptions.of_key(connection, key)?.into_iter();
        found.map(|(owner, kind, cut)| Ok((link(owner)?, (Exception::of(kind)?, cut)))).collect()
    }

    /// Notes how it stands.
    pub fn put(&self, connection: &Connection, of: MembershipId, key: &Key, state: State, cut: Cut) -> Outcome<()> {
        self.members.put(connection, of.0, key, state.kind(), cut)
    }

    /// Forgets it.
    pub fn drop_member(&self, connection: &Connection, of: MembershipId, key: &Key) -> Outcome<()> {
        self.members.drop(connection, of.0, key)
    }

    /// What a link makes an exception of in the record under a key.
    pub fn exception(&self, connection: &Connection, of: LinkId, key: &Key) -> Outcome<Option<(Exception, Cut)>> {
        let found = self.exceptions.find(connection, of.0.into(), key)?;
        found.map(|(kind, cut)| Ok((Exception::of(kind)?, cut))).transpose()
    }

    /// Notes that.
    pub fn except(&self, connection: &Connection, of: LinkId, key: &Key, what: Exception, cut: Cut) -> Outcome<()> {
        self.exceptions.put(connection, of.0.into(), key, what.kind(), cut)
    }

    /// Forgets it.
    pub fn drop_exception(&self, connection: &Connection, of: LinkId, key: &Key) -> Outcome<()> {
        self.exceptions.drop(connection, of.0.into(), key)
    }

    /// The keys whose standing to a membership changed between two cuts.
    pub fn changed(&self, connection: &Connection, of: MembershipId, range: [i64; 2]) -> Outcome<Vec<Key>> {
        self.members.changed(connection, of.0, range, self.keys)
    }

    /// The keys of a link's exceptions between two cuts.
    pub fn excepted(&self, connection: &Connection, of: LinkId, range: [i64; 2]) -> Outcome<Vec<Key>> {
        self.exceptions.changed(connection, of.0.into(), range, self.keys)
    }

    /// Whether a link makes any exception.
    pub fn has_exceptions(&self, connection: &Connection, of: LinkId) -> Outcome<bool> {
        Ok(connection.prepare_cached(&self.exceptions.any)?.exists([i64::from(of.0)])?)
    }

    /// The links that make any exception.
    pub fn excepting(&self, connection: &Connection) -> Outcome<BTreeSet<LinkId>> {
        let mut statement = connection.prepare_cached(&self.exceptions.owners)?;
        let owners = statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<Vec<i64>>>()?;
        owners.into_iter().map(link).collect()
    }

    /// The statements that count, by cut, what changed of a membership or a link: after a cut, of an owner.
    pub fn counts(&self) -> [&str; 2] {
        [&self.members.counts, &self.exceptions.counts]
    }
}

impl State {
    /// As it is written in the rows.
    pub const fn kind(self) -> i64 {
        match self {
            Self::Member => 1,
            Self::Left => 2,
            Self::Died => 3,
        }
    }

    fn of(kind: i64) -> Outcome<Self> {
        let all = [Self::Member, Self::Left, Self::Died];
        all.into_iter().find(|state| state.kind() == kind).ok_or_else(unknown)
    }
}

impl Exception {
    /// As it is written in the rows.
    pub const fn kind(self) -> i64 {
        match self {
            Self::Holds => 1,
            Self::MayHold => 2,
            Self::Stray => 3,
            Self::Lacks => 4,
        }
    }

    fn of(kind: i64) -> Outcome<Self> {
        let all = [Self::Holds, Self::MayHold, Self::Stray, Self::Lacks];
        all.into_iter().find(|exception| exception.kind() == kind).ok_or_else(unknown)
    }
}

fn link(owner: i64) -> Outcome<LinkId> {
    u32::try_from(owner).map(LinkId).map_err(|_| unknown())
}

fn unknown() -> Fault {
    Fault::Damaged("a membership's row cannot be read".to_owned())
}
