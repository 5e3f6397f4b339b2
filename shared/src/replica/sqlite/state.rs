//! The node's own state in the database: who it is, how far it has come, whom it knows.
//!
//! Owns the tables `_packhorse_state`, `_packhorse_nodes`, `_packhorse_links`, `_packhorse_tables`,
//! `_packhorse_columns`, `_packhorse_captures`, `_packhorse_held` and `_packhorse_notices`.

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use super::catalogue::Catalogue;
use super::fault::{Fault, Outcome};
use super::{approvals, arrivals, conflicts, membership, rights, slices};
use crate::clock::{Clock, Reading, WallTime};
use crate::horizon::Horizon;
use crate::id::{Cut, Epoch, LinkId, NetworkId, NodeId, NodeName};
use crate::keys::{KeyNumber, PublicKeys};
use crate::link::Link;
use crate::marks::Roster;
use crate::replica::{Identity, NoRange, Notice, StoredLink};

/// The version of the layout of our tables.
pub(super) const FORMAT: i64 = 1;

const TABLES: &str = "
CREATE TABLE _packhorse_state (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE _packhorse_nodes (number INTEGER PRIMARY KEY, node INTEGER NOT NULL UNIQUE);
CREATE TABLE _packhorse_links (id INTEGER PRIMARY KEY AUTOINCREMENT, peer TEXT NOT NULL UNIQUE, node INTEGER,
    keys TEXT NOT NULL, state BLOB NOT NULL);
CREATE TABLE _packhorse_tables (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE COLLATE NOCASE);
CREATE TABLE _packhorse_columns (tbl INTEGER NOT NULL, id INTEGER NOT NULL, name TEXT NOT NULL COLLATE NOCASE,
    PRIMARY KEY (tbl, id), UNIQUE (tbl, name)) WITHOUT ROWID;
CREATE TABLE _packhorse_captures (id INTEGER PRIMARY KEY AUTOINCREMENT, tbl INTEGER NOT NULL, columns TEXT NOT NULL);
CREATE TABLE _packhorse_held (id INTEGER PRIMARY KEY, link INTEGER NOT NULL, passage INTEGER NOT NULL,
    change BLOB NOT NULL, reason TEXT NOT NULL, since INTEGER NOT NULL, seen INTEGER NOT NULL);
CREATE TABLE _packhorse_notices (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, text TEXT NOT NULL);
";

/// Makes the tables for a node that starts at `clock`.
pub(super) fn create(connection: &Connection, identity: Identity, clock: Reading) -> Outcome<()> {
    connection.execute_batch(TABLES)?;
    connection.execute_batch(conflicts::TABLE)?;
    connection.execute_batch(arrivals::TABLE)?;
    connection.execute_batch(approvals::TABLE)?;
    connection.execute_batch(slices::TABLE)?;
    connection.execute_batch(membership::TABLES)?;
    connection.execute_batch(membership::gained::TABLE)?;
    set(connection, "format", FORMAT)?;
    set(connection, "network", identity.network.0 as i64)?;
    set(connection, "node", identity.node.0 as i64)?;
    let progress = Progress { clock: Clock::new(clock), cut: Cut(0), harvested_to: 0, floor: clock };
    progress.store(connection)?;
    enlist(connection, &mut Roster::default(), identity.node)
}

/// Whether the database has been prepared, and for which format.
pub(super) fn format(connection: &Connection) -> Outcome<Option<i64>> {
    let sql = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = '_packhorse_state'";
    let there: i64 = connection.query_row(sql, [], |row| row.get(0))?;
    if there == 0 { Ok(None) } else { get(connection, "format") }
}

fn get(connection: &Connection, name: &str) -> Outcome<Option<i64>> {
    let mut statement = connection.prepare_cached("SELECT value FROM _packhorse_state WHERE name = ?1")?;
    Ok(statement.query_row([name], |row| row.get(0)).optional()?)
}

fn expect(connection: &Connection, name: &'static str) -> Outcome<i64> {
    get(connection, name)?.ok_or_else(|| Fault::Damaged(format!("its state lacks {name}")))
}

fn set(connection: &Connection, name: &str, value: i64) -> Outcome<()> {
    let sql = "INSERT INTO _packhorse_state (name, value) VALUES (?1, ?2) \
               ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    connection.prepare_cached(sql)?.execute(params![name, value])?;
    Ok(())
}

/// Who the node is.
pub(super) fn identity(connection: &Connection) -> Outcome<Identity> {
    let network = NetworkId(expect(connection, "network")? as u64);
    Ok(Identity { network, node: NodeId(expect(connection, "node")? as u64) })
}

/// Gives the node another installation id: a package was made under its hub's.
pub(super) fn rename_self(connection: &Connection, node: NodeId) -> Outcome<()> {
    let mut roster = roster(connection)?;
    enlist(connection, &mut roster, node)?;
    set(connection, "node", node.0 as i64)
}

/// How far the node has come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Progress {
    /// The node's clock.
    pub clock: Clock,
    /// The latest published cut.
    pub cut: Cut,
    /// Log rows up to this id are harvested; those still there only wait to be cleared away.
    pub harvested_to: i64,
    /// The clock when the harvest began that was cut short, if one was; else the clock.
    pub floor: Reading,
}

impl Progress {
    pub fn load(connection: &Connection) -> Outcome<Self> {
        Ok(Self {
            clock: Clock::new(Reading(expect(connection, "clock")? as u64)),
            cut: Cut(expect(connection, "cut")? as u64),
            harvested_to: expect(connection, "harvested_to")?,
            floor: Reading(expect(connection, "floor")? as u64),
        })
    }

    /// Stores it as it is once no harvest is under way.
    pub fn store(&self, connection: &Connection) -> Outcome<()> {
        set(connection, "floor", self.clock.latest().0 as i64)?;
        set(connection, "clock", self.clock.latest().0 as i64)?;
        set(connection, "cut", self.cut.0 as i64)?;
        set(connection, "harvested_to", self.harvested_to)
    }
}

/// Stores how far the clock has come in a harvest that is under way. Another one that has to begin again takes its stamps
/// from the same floor, and gives births that the first has not given.
pub(super) fn store_clock(connection: &Connection, clock: Reading) -> Outcome<()> {
    set(connection, "clock", clock.0 as i64)
}

/// The node's horizon.
pub(super) fn horizon(connection: &Connection) -> Outcome<Horizon> {
    let reading = get(connection, "horizon")?.unwrap_or(0);
    Ok(Horizon::before(Reading(reading as u64)))
}

/// Raises the horizon.
pub(super) fn set_horizon(connection: &Connection, horizon: Horizon) -> Outcome<()> {
    set(connection, "horizon", horizon.reading().0 as i64)
}

/// Up to where births may be missing here: our own horizon, or that of a node which sent us records without birth.
pub(super) fn births(connection: &Connection) -> Outcome<Horizon> {
    let reading = get(connection, "births")?.unwrap_or(0);
    Ok(Horizon::before(Reading(reading as u64)).max(horizon(connection)?))
}

/// Raises that.
pub(super) fn set_births(connection: &Connection, births: Horizon) -> Outcome<()> {
    set(connection, "births", births.reading().0 as i64)
}

/// The cut up to which everything that is held was tried in view of what had changed.
pub(super) fn tried(connection: &Connection) -> Outcome<Cut> {
    Ok(Cut(get(connection, "tried")?.unwrap_or(0) as u64))
}

/// Notes that.
pub(super) fn set_tried(connection: &Connection, upto: Cut) -> Outcome<()> {
    set(connection, "tried", upto.0 as i64)
}

/// When the application wrote last, as noted.
pub(super) fn wrote_last(connection: &Connection) -> Outcome<Option<WallTime>> {
    Ok(get(connection, "wrote_last")?.map(|at| WallTime(at as u64)))
}

/// Notes that.
pub(super) fn set_wrote_last(connection: &Connection, at: WallTime) -> Outcome<()> {
    set(connection, "wrote_last", at.0 as i64)
}

/// Where the numbers of this node's own records start; nowhere in particular at the root.
pub(super) fn numbers_from(connection: &Connection) -> Outcome<Option<i64>> {
    get(connection, "numbers_from")
}

/// Sets that, once, before the node is at work.
pub(super) fn set_numbers_from(connection: &Connection, from: i64) -> Outcome<()> {
    set(connection, "numbers_from", from)
}

/// Whether a table's numbers were left as they are at the hub, however high they have got since.
pub(super) fn has_numbers_as_is(connection: &Connection, table: &str) -> Outcome<bool> {
    Ok(why_numbers_as_is(connection, table)?.is_some())
}

/// Why they were, in words.
pub(super) fn why_numbers_as_is(connection: &Connection, table: &str) -> Outcome<Option<String>> {
    let mut statement =
        connection.prepare_cached("SELECT CAST(value AS TEXT) FROM _packhorse_state WHERE name = ?1")?;
    Ok(statement.query_row([numbers_as_is(table)], |row| row.get(0)).optional()?)
}

/// Sets that.
pub(super) fn set_numbers_as_is(connection: &Connection, none: &NoRange) -> Outcome<()> {
    let sql = "INSERT OR REPLACE INTO _packhorse_state (name, value) VALUES (?1, ?2)";
    connection.prepare_cached(sql)?.execute(params![numbers_as_is(&none.table), none.why.to_string()])?;
    Ok(())
}

fn numbers_as_is(table: &str) -> String {
    format!("numbers_as_is {}", table.to_ascii_lowercase())
}

/// The greatest number of the keys of any link that was removed.
pub(super) fn last_removed_key(connection: &Connection) -> Outcome<KeyNumber> {
    Ok(KeyNumber(get(connection, "last_removed_key")?.unwrap_or(0) as u64))
}

/// The latest epoch of any link that was removed: one under the same name begins later.
pub(super) fn last_removed_epoch(connection: &Connection) -> Outcome<Epoch> {
    Ok(Epoch(get(connection, "last_removed_epoch")?.unwrap_or(0) as u64))
}

/// The nodes whose stamps the database holds.
pub(super) fn roster(connection: &Connection) -> Outcome<Roster> {
    let mut statement = connection.prepare_cached("SELECT node FROM _packhorse_nodes ORDER BY number")?;
    let nodes = statement.query_map([], |row| row.get::<_, i64>(0))?.map(|node| node.map(|node| NodeId(node as u64)));
    Ok(Roster::new(nodes.collect::<rusqlite::Result<_>>()?))
}

/// Gives a node a number, here and in the database, if it has none.
pub(super) fn enlist(connection: &Connection, roster: &mut Roster, node: NodeId) -> Outcome<()> {
    if roster.enlist(node) {
        let number = roster.len() as i64 - 1;
        let sql = "INSERT INTO _packhorse_nodes (number, node) VALUES (?1, ?2)";
        connection.prepare_cached(sql)?.execute([number, node.0 as i64])?;
    }
    Ok(())
}

/// Every link.
pub(super) fn links(connection: &Connection) -> Outcome<Vec<StoredLink>> {
    let mut statement =
        connection.prepare_cached("SELECT id, peer, node, state, keys FROM _packhorse_links ORDER BY id")?;
    let mut rows = statement.query([])?;
    let mut links = Vec::new();
    while let Some(row) = rows.next()? {
        let peer: String = row.get(1)?;
        let damaged = || Fault::Damaged(format!("the state of the link to {peer:?} cannot be read"));
        links.push(StoredLink {
            id: LinkId(row.get(0)?),
            node: row.get::<_, Option<i64>>(2)?.map(|node| NodeId(node as u64)),
            state: rmp_serde::from_slice(row.get_ref(3)?.as_blob().map_err(|_| damaged())?).map_err(|_| damaged())?,
            peer: peer.parse().map_err(|_| damaged())?,
            keys: row.get::<_, String>(4)?.parse().map_err(|_| damaged())?,
        });
    }
    Ok(links)
}

/// Writes a notice.
pub(super) fn note(connection: &Connection, text: &str, now: WallTime) -> Outcome<()> {
    let sql = "INSERT INTO _packhorse_notices (at, text) VALUES (?1, ?2)";
    connection.prepare_cached(sql)?.execute(params![now.0 as i64, text])?;
    Ok(())
}

/// What people ought to know of, the oldest first.
pub(super) fn notices(connection: &Connection) -> Outcome<Vec<Notice>> {
    let mut statement = connection.prepare_cached("SELECT id, at, text FROM _packhorse_notices ORDER BY id")?;
    let notices = statement.query_map([], |row| {
        let at = WallTime(u64::try_from(row.get::<_, i64>(1)?).unwrap_or(0));
        Ok(Notice { id: row.get(0)?, at, text: row.get(2)? })
    })?;
    Ok(notices.collect::<rusqlite::Result<_>>()?)
}

fn link_bytes(state: &Link) -> Outcome<Vec<u8>> {
    rmp_serde::to_vec_named(state).map_err(|error| Fault::Damaged(format!("a link's state cannot be written: {error}")))
}

/// Adds a link and tells its number.
pub(super) fn add_link(connection: &Connection, peer: &NodeName, keys: &PublicKeys, state: &Link) -> Outcome<LinkId> {
    let (bytes, keys) = (link_bytes(state)?, keys.to_string());
    let sql = "INSERT INTO _packhorse_links (peer, state, keys) VALUES (?1, ?2, ?3)";
    connection.execute(sql, params![peer.as_str(), bytes, keys])?;
    u32::try_from(connection.last_insert_rowid()).map(LinkId).map_err(|_| Fault::Damaged("link numbers ran out".into()))
}

/// Stores a link's state.
pub(super) fn save_link(connection: &Connection, link: &StoredLink) -> Outcome<()> {
    let bytes = link_bytes(&link.state)?;
    let node = link.node.map(|node| node.0 as i64);
    connection
        .prepare_cached("UPDATE _packhorse_links SET node = ?2, state = ?3, keys = ?4 WHERE id = ?1")?
        .execute(params![link.id.0, node, bytes, link.keys.to_string()])?;
    Ok(())
}

/// Forgets a link and what is held of it, at once. Only its epoch and the number of its peer's keys are remembered.
pub(super) fn remove_link(connection: &mut Connection, catalogue: &Catalogue, link: LinkId) -> Outcome<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let removed = links(&transaction)?.into_iter().find(|known| known.id == link);
    let key = removed.as_ref().map_or(KeyNumber(0), |removed| removed.keys.number());
    let key = key.max(last_removed_key(&transaction)?);
    set(&transaction, "last_removed_key", key.0 as i64)?;
    let epoch = removed.map_or(Epoch(0), |removed| removed.state.epoch()).max(last_removed_epoch(&transaction)?);
    set(&transaction, "last_removed_epoch", epoch.0 as i64)?;
    for table in
        ["links WHERE id", "held WHERE link", "conflicts WHERE link", "approvals WHERE link", "slices WHERE link"]
    {
        transaction.execute(&format!("DELETE FROM _packhorse_{table} = ?1"), [link.0])?;
    }
    rights::forget(&transaction, link)?;
    membership::unshare(&transaction, catalogue, link)?;
    Ok(transaction.commit()?)
}
