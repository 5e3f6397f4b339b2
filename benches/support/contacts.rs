//! The anchor workload of DESIGN section 11: contacts with twelve columns beside an INTEGER PRIMARY KEY and three
//! secondary indexes; inserts, one-field updates of random records, deletions of random records.

use std::path::Path;

use packhorse_shared::clock::Reading;
use packhorse_shared::id::{NetworkId, NodeId};
use packhorse_shared::replica::Identity;
use packhorse_shared::replica::sqlite::{Choice, JournalWish, prepare};
use rusqlite::{Connection, params};

/// What one statement of the workload does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// New records.
    Insert,
    /// One field of a random record.
    Update,
    /// A random record.
    Delete,
}

impl Phase {
    /// All, in order.
    pub const ALL: [Self; 3] = [Self::Insert, Self::Update, Self::Delete];

    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

/// Random numbers that are the same in every run (splitmix64).
#[derive(Clone, Debug)]
pub struct Dice(pub u64);

impl Dice {
    /// The next number.
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.roll() % end.max(1)
    }

    fn word(&mut self, words: &[&'static str]) -> &'static str {
        words[self.below(words.len() as u64) as usize]
    }
}

const COLUMNS: &str = "first_name TEXT NOT NULL, last_name TEXT NOT NULL, email TEXT, phone TEXT, company TEXT, \
    street TEXT, city TEXT, postcode TEXT, status TEXT, credit REAL, visits INTEGER, notes TEXT";
const FIRST: [&str; 8] = ["Ada", "Björn", "Chen", "Divya", "Emeka", "Fatima", "Grace", "Hiroshi"];
const LAST: [&str; 8] = ["Abara", "Brandt", "Castillo", "Dubois", "Eriksen", "Fischer", "Gupta", "Hernandez"];
const CITY: [&str; 6] = ["Accra", "Bergen", "Córdoba", "Dunedin", "Esbjerg", "Fukuoka"];
const STATUS: [&str; 4] = ["lead", "prospect", "customer", "former"];
const NOTE: &str = "Met at the fair; wants a quote for twelve seats and a call back after the holidays. ";

/// A new database with the table and its indexes, one of them UNIQUE if `unique`, on a connection set up as an
/// application's: write-ahead log, synchronous NORMAL, 64 MiB of cache.
pub fn create(path: &Path, unique: bool) -> Connection {
    let connection = Connection::open(path).expect("a new database");
    let pragmas = "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -65536;";
    let kind = if unique { "UNIQUE INDEX" } else { "INDEX" };
    let schema = format!(
        "{pragmas} CREATE TABLE contacts (id INTEGER PRIMARY KEY, {COLUMNS});
         CREATE INDEX contacts_name ON contacts (last_name, first_name);
         CREATE {kind} contacts_email ON contacts (email);
         CREATE INDEX contacts_city ON contacts (city, status);"
    );
    connection.execute_batch(&schema).expect("a schema");
    connection.set_prepared_statement_cache_capacity(64);
    connection
}

/// Makes the database a node's.
pub fn capture(path: &Path) {
    let identity = Identity { network: NetworkId(1), node: NodeId(7) };
    prepare(path, identity, Reading(0), &Choice::Every, JournalWish::Keep).expect("capture on");
}

/// One statement of the workload on the record under `id`.
pub fn write(connection: &Connection, phase: Phase, id: u64, dice: &mut Dice) {
    match phase {
        Phase::Insert => insert(connection, id, dice),
        Phase::Update => update(connection, id, dice),
        Phase::Delete => {
            let mut statement = connection.prepare_cached("DELETE FROM contacts WHERE id = ?1").expect("a statement");
            statement.execute([id as i64]).expect("a deletion");
        }
    }
}

fn insert(connection: &Connection, id: u64, dice: &mut Dice) {
    let sql = "INSERT INTO contacts (first_name, last_name, email, phone, company, street, city, postcode, status, \
               credit, visits, notes) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
    let mut statement = connection.prepare_cached(sql).expect("a statement");
    let (first, last) = (dice.word(&FIRST), dice.word(&LAST));
    let note = &NOTE[..dice.below(NOTE.len() as u64) as usize];
    let values = params![
        first,
        last,
        email(dice, id),
        phone(dice),
        format!("{last} & {}", dice.word(&LAST)),
        format!("{} {first} Road", 1 + dice.below(300)),
        dice.word(&CITY),
        format!("{:05}", dice.below(99_999)),
        dice.word(&STATUS),
        dice.below(100_000) as f64 / 100.0,
        dice.below(50) as i64,
        note,
    ];
    statement.execute(values).expect("an insertion");
}

/// Addresses never meet, so that the index on them may be UNIQUE.
fn email(dice: &mut Dice, id: u64) -> String {
    format!("{:08x}.{id}@example.com", dice.roll() as u32)
}

fn phone(dice: &mut Dice) -> String {
    format!("+{}-{:07}", 1 + dice.below(99), dice.below(9_999_999))
}

/// Mostly telephone and notes, sometimes an indexed field.
fn update(connection: &Connection, id: u64, dice: &mut Dice) {
    let (column, value) = match dice.below(10) {
        0..4 => ("phone", phone(dice)),
        4..7 => ("notes", NOTE[..dice.below(NOTE.len() as u64) as usize].to_owned()),
        7..9 => ("status", dice.word(&STATUS).to_owned()),
        _ => ("email", email(dice, id)),
    };
    let sql = match column {
        "phone" => "UPDATE contacts SET phone = ?1 WHERE id = ?2",
        "notes" => "UPDATE contacts SET notes = ?1 WHERE id = ?2",
        "status" => "UPDATE contacts SET status = ?1 WHERE id = ?2",
        _ => "UPDATE contacts SET email = ?1 WHERE id = ?2",
    };
    connection.prepare_cached(sql).expect("a statement").execute(params![value, id as i64]).expect("an update");
}
