//! A node made of the real crates, in this process: a database, a home with its spool, and an application beside it.

use std::fs;
use std::path::{Path, PathBuf};

use packhorse_bundler::package::{Order, Packer};
use packhorse_bundler::seal::{Sealed, Sealer, Share, Urgency, beyond};
use packhorse_shared::clock::{Reading, WallTime};
use packhorse_shared::config::{InitialConfig, Span};
use packhorse_shared::home::{Home, Identity as HomeIdentity};
use packhorse_shared::id::{NetworkId, NodeId, NodeName};
use packhorse_shared::keys::{KeyNumber, NodeKeys};
use packhorse_shared::replica::sqlite::{Choice, JournalWish, SqliteReplica, prepare};
use packhorse_shared::replica::{Identity, Replica, StoredLink};
use packhorse_shared::seam::Stop;
use packhorse_shared::set::BoundSet;
use packhorse_shared::spool::Spool;
use packhorse_shared::trust::Trust;
use packhorse_unbundler::forget::forget;
use packhorse_unbundler::receive::{Patience, Received, Receiver};
use packhorse_unbundler::restore::{Restorer, Site};
use packhorse_unbundler::slices::Slices;
use rusqlite::{Connection, params};

use super::relay::Carried;
use super::seams::Seams;
use super::tables::{COLUMNS, Cell, Edit, HUB, NodeNumber, Place, Rows, SCHEMA, Table};
use crate::support::waiting::is_counted_as_alone;

const NETWORK: NetworkId = NetworkId(77);

/// A bundle file on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parcel {
    /// Its name.
    pub name: String,
    /// Its content.
    pub content: Vec<u8>,
}

impl Carried for Parcel {
    /// One bit is flipped, or the end is missing.
    fn damaged(mut self, how: u64) -> Option<Self> {
        let at = (how / 2) as usize % self.content.len();
        match how % 2 {
            0 => self.content[at] ^= 1,
            _ => self.content.truncate(at),
        }
        Some(self)
    }
}

/// A node.
pub struct RealNode {
    name: NodeName,
    folder: PathBuf,
    home: Home,
    open: Option<Open>,
}

struct Open {
    app: Connection,
    replica: SqliteReplica,
}

/// A node's name.
pub fn name_of(number: NodeNumber) -> NodeName {
    let name = if number == HUB { "hq".to_owned() } else { format!("r{number}") };
    name.parse().expect("a node's name")
}

/// The lower number wins a tie of stamps at both ends, in both worlds.
fn installation(number: NodeNumber) -> NodeId {
    NodeId(number as u64 + 1)
}

fn keys() -> NodeKeys {
    NodeKeys::from_secret(KeyNumber(1), [1; 32])
}

/// Their links are open: what is sealed is tested elsewhere, and takes its time.
fn trust() -> Trust {
    Trust::new(keys(), (HUB..16).map(name_of).collect())
}

fn database(folder: &Path) -> PathBuf {
    folder.join("app.db")
}

fn home(folder: &Path) -> PathBuf {
    folder.join("home")
}

fn config(name: &NodeName, is_remote: bool) -> String {
    let config =
        InitialConfig { name, database: Path::new("../app.db"), relay: &[], sealed: true, is_remote, access: &[] };
    config.text().expect("a configuration")
}

impl Open {
    fn at(folder: &Path) -> Self {
        let app = Connection::open(database(folder)).expect("the application's connection");
        app.execute_batch("PRAGMA foreign_keys = ON; PRAGMA synchronous = OFF").expect("settings");
        Self { app, replica: SqliteReplica::open(&database(folder)).expect("a prepared database") }
    }
}

impl RealNode {
    /// A hub in a new folder. These rows are there before anything is captured.
    pub fn hub(folder: PathBuf, genesis: &Rows, seams: &Seams) -> Self {
        fs::create_dir_all(&folder).expect("a folder");
        let app = Connection::open(database(&folder)).expect("a new database");
        app.execute_batch(SCHEMA).expect("the schema");
        genesis.iter().for_each(|(place, values)| perform(&app, *place, &Edit::Insert(values.clone())));
        drop(app);
        let (name, node) = (name_of(HUB), installation(HUB));
        let identity = Identity { network: NETWORK, node };
        let clock = Reading::at(WallTime(seams.now()));
        prepare(&database(&folder), identity, clock, &Choice::Every, JournalWish::WriteAhead).expect("prepared");
        let identity = HomeIdentity { network: NETWORK, node, name: name.clone() };
        let keys = keys();
        let home =
            Home::create(seams.world().disk, &home(&folder), &identity, &keys, &config(&name, false)).expect("a home");
        Self { name, home, open: Some(Open::at(&folder)), folder }
    }

    /// A remote in a new folder, started from a package that this hub makes now.
    pub fn package(&mut self, remote: NodeNumber, folder: PathBuf, seams: &Seams) -> Self {
        fs::create_dir_all(&folder).expect("a folder");
        let (name, file) = (name_of(remote), folder.join("package.rdb"));
        let (spool, hub) = (Spool::new(&self.home, seams.world().disk), self.name.clone());
        let packer = Packer { world: seams.world(), spool: &spool, node: &hub, trust: &trust() };
        let replica = &mut self.open.as_mut().expect("open").replica;
        // The model has no ranges: the same numbers at all nodes are the harder case.
        let as_is = Table::BOTH.map(|table| table.name().to_owned());
        let membership = replica.membership(&BoundSet::default()).expect("a membership");
        let tables = replica.shared_by(membership).expect("its tables");
        let order = Order {
            remote: &name,
            membership,
            tables: &tables,
            as_is: &as_is,
            relays: Vec::new(),
            access: Vec::new(),
            file: &file,
            passphrase: None,
        };
        packer.pack(replica, &order).expect("a package");
        let site = Site { package: &file, database: &database(&folder), home: &home(&folder), passphrase: None };
        let restorer = Restorer { world: seams.world() };
        restorer.restore(&site, installation(remote), &|start| Ok(config(start.name, true))).expect("restored");
        fs::remove_file(&file).expect("the package is not needed any more");
        let home = Home::open(&home(&folder)).expect("the new home");
        Self { name, home, open: Some(Open::at(&folder)), folder }
    }

    fn opened(&mut self) -> &mut Open {
        self.open.as_mut().expect("open, except while a backup is put back")
    }

    /// The application edits a record; the edit is harvested at once.
    pub fn edit(&mut self, place: Place, edit: &Edit, seams: &Seams) {
        let now = seams.now();
        let Open { app, replica } = self.opened();
        perform(app, place, edit);
        // Capture reads the machine's own clock.
        app.execute("UPDATE _packhorse_log SET at = ?1", [now as i64]).expect("the log");
        let harvested = replica.harvest(WallTime(now)).expect("a harvest");
        assert_eq!(harvested.records, 1, "{edit:?} of {place:?} is one change");
    }

    /// The rows.
    pub fn rows(&mut self) -> Rows {
        Table::BOTH.into_iter().flat_map(|table| rows(&self.opened().app, table)).collect()
    }

    /// Seals what every link is owed; how many bundles that made.
    pub fn seal(&mut self, bundle_max: u64, seams: &Seams) -> usize {
        let (spool, name) = (Spool::new(&self.home, seams.world().disk), self.name.clone());
        let replica = &mut self.opened().replica;
        let beyond = beyond(replica).expect("the links");
        let (world, supersede_after) = (seams.world(), 24 * 3_600_000);
        let trust = &trust();
        let sealer = Sealer { world, spool: &spool, node: &name, trust, bundle_max, beyond, supersede_after };
        let links = replica.links().expect("the links");
        sealer.finish_interrupted(&links).expect("leftovers");
        is_counted_as_alone(replica, name.as_str());
        let mut sealed = 0;
        for (link, tables) in replica.all_sharing().expect("what they share") {
            let mut share = Share { link, tables };
            let made = sealer.seal(replica, &mut share, Urgency::Now).expect("sealed");
            sealed += made.iter().filter(|made| matches!(made, Sealed::Bundle { .. })).count();
        }
        sealed
    }

    /// Takes what lies in the outbox for a peer.
    pub fn empty_outbox(&mut self, peer: NodeNumber, seams: &Seams) -> Vec<Parcel> {
        let (spool, peer) = (Spool::new(&self.home, seams.world().disk), name_of(peer));
        let files = spool.outbox(&peer).expect("the outbox");
        let parcels = files.into_iter().map(|file| {
            let content = fs::read(&file.path).expect("a bundle");
            spool.remove_from_outbox(&peer, &file.name).expect("removed");
            Parcel { name: file.name, content }
        });
        parcels.collect()
    }

    /// Counts a run on line in which nothing of ours was on the way to a peer, as a transfer does.
    pub fn quiet_run(&mut self, peer: NodeNumber) {
        let mut link = self.link(peer);
        link.state.quiet_run();
        self.opened().replica.save_link(&link).expect("stored");
    }

    fn link(&mut self, peer: NodeNumber) -> StoredLink {
        let links = self.opened().replica.links().expect("the links");
        links.into_iter().find(|link| link.peer == name_of(peer)).expect("a link to the peer")
    }

    /// Applies what has come. What lies in the inbox already is not fetched again.
    pub fn receive(&mut self, parcels: Vec<Parcel>, seams: &Seams) -> Received {
        for parcel in parcels {
            let path = self.home.inbox().join(&parcel.name);
            if !path.exists() {
                fs::write(path, parcel.content).expect("the inbox");
            }
        }
        let (spool, name) = (Spool::new(&self.home, seams.world().disk), self.name.clone());
        let replica = &mut self.opened().replica;
        let mut received = Received::default();
        // The model has no application that it would have to wait for.
        let renumber_quiet = Span::default();
        let (patience, stop) = (Patience::Counts, &Stop::default());
        let (world, trust) = (seams.world(), &trust());
        let brake = packhorse_unbundler::brake::Brake::On;
        // Of larger bundles three records at a time.
        let slices = Slices { from: 6, most: 3, longest: Span::from_millis(60_000) };
        let receiver =
            Receiver { world, spool: &spool, node: &name, trust, renumber_quiet, brake, slices, patience, stop };
        receiver.receive(replica, &mut received).expect("received");
        let refused = received.quarantined.iter().find(|(_, why)| !why.contains("the digest in its name"));
        assert_eq!(refused, None, "only what is damaged is refused");
        assert!(received.left_alone.is_empty(), "{received:?}");
        let tally = replica.tally().expect("a tally");
        assert_eq!(tally.unharvested, 0, "applying is not captured");
        forget(replica, seams.world().clock.now(), u64::MAX).expect("forgotten");
        received
    }

    /// Parents that were deleted elsewhere and kept here, as far as this database knows.
    pub fn revived(&mut self) -> Vec<i64> {
        let mut statement = self.opened().app.prepare("SELECT text FROM _packhorse_notices").expect("a query");
        let texts = statement.query_map([], |row| row.get::<_, String>(0)).expect("the notices");
        let number = |text: String| {
            let words: Vec<&str> = text.split(' ').collect();
            let is_revival = words.first() == Some(&"parent") && text.contains(" refers to it");
            assert!(is_revival, "a notice of another kind: {text}");
            words[1].parse().expect("a number")
        };
        texts.map(|text| number(text.expect("a notice"))).collect()
    }

    /// What must be so of every node at the end, in words if it is not.
    pub fn complaints(&mut self) -> Vec<String> {
        let mut complaints = Vec::new();
        let name = self.name.clone();
        let Open { app, replica } = self.opened();
        for link in replica.links().expect("the links") {
            let unacknowledged = link.state.unacknowledged();
            if unacknowledged > 0 {
                complaints.push(format!("{name}: {unacknowledged} to {} not acknowledged", link.peer));
            }
        }
        for (what, sql, good) in [
            ("held", "SELECT count(*) FROM _packhorse_held", "0"),
            ("integrity", "SELECT group_concat(integrity_check) FROM pragma_integrity_check", "ok"),
        ] {
            let found: String =
                app.query_row(&format!("SELECT CAST(({sql}) AS TEXT)"), [], |row| row.get(0)).expect(what);
            if found != good {
                complaints.push(format!("{name}: {what}: {found}"));
            }
        }
        complaints
    }

    /// Whether anything is under way here: not acknowledged, held, or lying in the inbox.
    pub fn is_calm(&mut self) -> bool {
        let waits = fs::read_dir(self.home.inbox()).expect("the inbox").next().is_some();
        let links = self.opened().replica.links().expect("the links");
        !waits && links.iter().all(|link| link.state.unacknowledged() == 0)
    }

    /// Copies all of the node's state.
    pub fn back_up(&mut self, to: &Path) {
        let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
        let busy: i64 = self.opened().app.query_row(checkpoint, [], |row| row.get(0)).expect("a checkpoint");
        assert_eq!(busy, 0, "nobody else is at work");
        if to.exists() {
            fs::remove_dir_all(to).expect("the older backup");
        }
        copy_folder(&self.folder, to);
    }

    /// Puts a backup back in the node's place.
    pub fn put_back(&mut self, from: &Path) {
        self.open = None;
        fs::remove_dir_all(&self.folder).expect("the node's folder");
        copy_folder(from, &self.folder);
        self.open = Some(Open::at(&self.folder));
    }
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        let is_companion = ["app.db-wal", "app.db-shm"].iter().any(|name| path.ends_with(name));
        if path.is_dir() {
            copy_folder(&path, &target);
        } else if !is_companion {
            fs::copy(&path, &target).expect("copied");
        }
    }
}

fn perform(app: &Connection, (table, key): Place, edit: &Edit) {
    let name = table.name();
    let done = match edit {
        Edit::Insert(values) => {
            let columns = table.columns().join(", ");
            let sql = format!("INSERT INTO {name} (id, {columns}) VALUES (?1, ?2, ?3, ?4)");
            app.prepare_cached(&sql).expect("SQL").execute(params![key, values[0], values[1], values[2]])
        }
        Edit::Update(column, value) => {
            let sql = format!("UPDATE {name} SET {} = ?2 WHERE id = ?1", table.columns()[*column]);
            app.prepare_cached(&sql).expect("SQL").execute(params![key, value])
        }
        Edit::Delete => {
            let sql = format!("DELETE FROM {name} WHERE id = ?1");
            app.prepare_cached(&sql).expect("SQL").execute([key])
        }
    };
    assert_eq!(done, Ok(1), "{edit:?} of {name} {key}");
}

impl rusqlite::ToSql for Cell {
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        match self {
            Self::Text(text) => text.to_sql(),
            Self::Number(number) => number.to_sql(),
        }
    }
}

fn rows(app: &Connection, table: Table) -> Vec<(Place, [Cell; COLUMNS])> {
    let sql = format!("SELECT id, {} FROM {}", table.columns().join(", "), table.name());
    let mut statement = app.prepare_cached(&sql).expect("SQL");
    let cell = |value| match value {
        rusqlite::types::Value::Integer(number) => Cell::Number(number),
        rusqlite::types::Value::Text(text) => Cell::Text(text),
        other => panic!("nobody wrote {other:?}"),
    };
    let row =
        |row: &rusqlite::Row<'_>| Ok(((table, row.get(0)?), [cell(row.get(1)?), cell(row.get(2)?), cell(row.get(3)?)]));
    statement.query_map([], row).expect("rows").map(|row| row.expect("a row")).collect()
}
