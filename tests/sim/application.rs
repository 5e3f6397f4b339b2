//! The application: its tables, what it writes, and what it sees.
//!
//! It knows nothing of Packhorse: it opens the database, writes one transaction under the constraints of its schema, and
//! goes. Invariants: every record bears a `uid` that no other ever bore and that never changes, and every text that it
//! writes is written once only, so that what is seen anywhere tells who wrote it, and for which field.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::Connection;

use crate::dice::Dice;
use crate::ids::{Column, Field, Uid};

/// Records under numbers with references and a column that is unique by chance only, and records under a code.
pub const SCHEMA: &str = "
CREATE TABLE companies (id INTEGER PRIMARY KEY, uid TEXT NOT NULL, manager TEXT, name TEXT, phone TEXT,
    credit INTEGER DEFAULT 100);
CREATE TABLE contacts (id INTEGER PRIMARY KEY, uid TEXT NOT NULL, company INTEGER NOT NULL REFERENCES companies(id),
    badge TEXT UNIQUE, name TEXT, phone TEXT, visits REAL DEFAULT 0);
CREATE TABLE notes (id INTEGER PRIMARY KEY, uid TEXT NOT NULL,
    contact INTEGER NOT NULL REFERENCES contacts(id) ON DELETE CASCADE, text TEXT CHECK (length(text) < 100));
CREATE TABLE products (code TEXT PRIMARY KEY, owner TEXT, name TEXT);
CREATE TABLE secrets (id INTEGER PRIMARY KEY, uid TEXT NOT NULL, text TEXT);
INSERT INTO companies (id, uid, manager, name, phone) VALUES
    (1, 'u90001;', 'alice', 'v90001;', NULL), (2, 'u90002;', 'bob', 'v90002;', NULL),
    (3, 'u90003;', NULL, 'v90003;', NULL), (4, 'u90004;', 'alice', 'v90004;', NULL), (5, 'u90005;', 'bob', NULL, NULL);
INSERT INTO contacts (id, uid, company, badge, name, phone) VALUES
    (10, 'u90010;', 1, NULL, 'v90010;', NULL), (20, 'u90020;', 2, 'b1', 'v90020;', NULL),
    (30, 'u90030;', 3, NULL, 'v90030;', NULL), (40, 'u90040;', 4, 'b2', 'v90040;', NULL);
INSERT INTO notes VALUES (100, 'u90100;', 10, 'v90100;'), (200, 'u90200;', 20, 'v90200;'), (300, 'u90300;', 30, 'v90300;');
INSERT INTO products VALUES ('p', NULL, 'v90401;'), ('q', 'bob', 'v90402;');
INSERT INTO secrets VALUES (1, 'u90501;', 'v90501;')";

/// Who can manage a company or own a product.
const USERS: [&str; 3] = ["'alice'", "'bob'", "NULL"];
/// What several people may be given at two nodes at once.
const BADGES: [&str; 4] = ["b1", "b2", "b3", "b4"];

/// What everybody sees at a node: each record's fields by the record's uid. A reference has the uid that it refers to.
pub type Picture = BTreeMap<Uid, Record>;

/// A record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its table.
    pub table: &'static str,
    /// Its key, as SQL has it.
    pub key: String,
    /// Its fields.
    pub cells: BTreeMap<Column, Option<String>>,
}

/// A query for each table: its uid, its key and its columns, references as the uids that they refer to, fractions as quarters.
const LOOKS: [(&str, &str, &[Column]); 5] = [
    (
        "companies",
        "SELECT uid, id, manager, name, phone, CAST(credit AS TEXT) FROM companies",
        &["manager", "name", "phone", "credit"],
    ),
    (
        "contacts",
        "SELECT uid, id, coalesce((SELECT uid FROM companies WHERE id = company), '?' || company), badge, name, phone, \
         CAST(CAST(visits * 4 AS INTEGER) AS TEXT) FROM contacts",
        &["company", "badge", "name", "phone", "visits"],
    ),
    (
        "notes",
        "SELECT uid, id, coalesce((SELECT uid FROM contacts WHERE id = contact), '?' || contact), text FROM notes",
        &["contact", "text"],
    ),
    ("products", "SELECT 'product ' || code, code, owner, name FROM products", &["owner", "name"]),
    ("secrets", "SELECT uid, id, text FROM secrets", &["text"]),
];

/// The application's connection.
pub fn open(database: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(database)?;
    connection.execute_batch("PRAGMA foreign_keys = ON; PRAGMA synchronous = EXTRA")?;
    Ok(connection)
}

/// What is seen in a database. Two records of one uid are told as one of another uid, which nobody ever wrote.
pub fn look(connection: &Connection) -> rusqlite::Result<Picture> {
    let mut picture = Picture::new();
    for (table, sql, columns) in LOOKS {
        let mut statement = connection.prepare_cached(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let mut uid: String = row.get(0)?;
            let key: rusqlite::types::Value = row.get(1)?;
            let key = match key {
                rusqlite::types::Value::Integer(number) => number.to_string(),
                rusqlite::types::Value::Text(code) => format!("'{code}'"),
                other => format!("{other:?}"),
            };
            let mut cells = BTreeMap::new();
            for (at, column) in columns.iter().enumerate() {
                cells.insert(*column, row.get(at + 2)?);
            }
            while picture.contains_key(&Uid(uid.clone())) {
                uid.push_str(" twice");
            }
            picture.insert(Uid(uid), Record { table, key, cells });
        }
    }
    Ok(picture)
}

/// Runs a transaction as an application does. What breaks a constraint is refused, as it is to any application.
pub fn write(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    connection.execute_batch("BEGIN IMMEDIATE")?;
    let done = connection.execute_batch(sql).and_then(|()| connection.execute_batch("COMMIT"));
    if done.is_err() && !connection.is_autocommit() {
        connection.execute_batch("ROLLBACK")?;
    }
    done
}

/// What the application writes next, in view of what is there.
pub struct Pen<'a> {
    /// What is there.
    pub picture: &'a Picture,
    /// What is drawn by lot.
    pub dice: &'a mut Dice,
    /// The next text's and uid's number.
    pub serial: &'a mut u32,
}

impl Pen<'_> {
    /// A text that was never written.
    pub fn value(&mut self) -> String {
        *self.serial += 1;
        format!("v{:05};", self.serial)
    }

    fn uid(&mut self) -> String {
        *self.serial += 1;
        format!("u{:05};", self.serial)
    }

    /// The key of some record of a table.
    fn some(&mut self, table: &str) -> String {
        let keys: Vec<&String> =
            self.picture.values().filter(|record| record.table == table).map(|record| &record.key).collect();
        self.dice.pick(&keys).map_or_else(|| "1".to_owned(), String::clone)
    }

    fn user(&mut self) -> &'static str {
        self.dice.pick(&USERS).expect("users")
    }

    /// One transaction.
    pub fn transaction(&mut self) -> String {
        match self.dice.below(26) {
            0 | 1 => self.new_company(),
            2..=4 => self.new_contact(),
            5..=7 => self.new_note(),
            8..=10 => self.text("companies", &["name", "phone"]),
            11..=13 => self.text("contacts", &["name", "phone"]),
            14 | 15 => self.text("notes", &["text"]),
            16 | 17 => format!("UPDATE companies SET manager = {} WHERE id = {}", self.user(), self.some("companies")),
            18 => {
                format!("UPDATE contacts SET company = {} WHERE id = {}", self.some("companies"), self.some("contacts"))
            }
            19 => format!("UPDATE notes SET contact = {} WHERE id = {}", self.some("contacts"), self.some("notes")),
            20 => self.badge(),
            21 => format!("DELETE FROM notes WHERE id = {}", self.some("notes")),
            22 => self.delete(),
            23 | 24 => self.product(),
            _ => self.again(),
        }
    }

    /// Something of the table `secrets`, which only those share who share everything.
    pub fn secret(&mut self) -> String {
        let (uid, value) = (self.uid(), self.value());
        match self.dice.below(4) {
            0 => format!("INSERT INTO secrets (uid, text) VALUES ('{uid}', '{value}')"),
            _ => format!("UPDATE secrets SET text = '{value}' WHERE id = {}", self.some("secrets")),
        }
    }

    fn new_company(&mut self) -> String {
        let (uid, user, name) = (self.uid(), self.user(), self.value());
        format!("INSERT INTO companies (uid, manager, name) VALUES ('{uid}', {user}, '{name}')")
    }

    fn new_contact(&mut self) -> String {
        let (uid, company, name) = (self.uid(), self.some("companies"), self.value());
        format!("INSERT INTO contacts (uid, company, name) VALUES ('{uid}', {company}, '{name}')")
    }

    fn new_note(&mut self) -> String {
        let (uid, contact, text) = (self.uid(), self.some("contacts"), self.value());
        format!("INSERT INTO notes (uid, contact, text) VALUES ('{uid}', {contact}, '{text}')")
    }

    fn text(&mut self, table: &str, columns: &[&str]) -> String {
        let (column, value, key) = (self.dice.pick(columns).expect("columns"), self.value(), self.some(table));
        format!("UPDATE {table} SET {column} = '{value}' WHERE id = {key}")
    }

    /// A badge is given to one who has none, or two people swap theirs.
    fn badge(&mut self) -> String {
        let (one, other) = (self.some("contacts"), self.some("contacts"));
        if self.dice.percent(60) {
            let badge = self.dice.pick(&BADGES).expect("badges");
            return format!("UPDATE contacts SET badge = '{badge}' WHERE id = {one}");
        }
        format!(
            "CREATE TEMP TABLE swapped AS SELECT id, badge FROM contacts WHERE id IN ({one}, {other}); \
             UPDATE contacts SET badge = NULL WHERE id IN ({one}, {other}); \
             UPDATE contacts SET badge = (SELECT badge FROM swapped WHERE swapped.id <> contacts.id) \
             WHERE id IN ({one}, {other}); \
             DROP TABLE swapped"
        )
    }

    /// A contact with its notes, or a company with everything.
    fn delete(&mut self) -> String {
        if self.dice.percent(70) {
            return format!("DELETE FROM contacts WHERE id = {}", self.some("contacts"));
        }
        let company = self.some("companies");
        format!("DELETE FROM contacts WHERE company = {company}; DELETE FROM companies WHERE id = {company}")
    }

    fn product(&mut self) -> String {
        let code = self.dice.pick(&["p", "q", "r", "s"]).expect("codes");
        let (user, name) = (self.user(), self.value());
        match self.dice.below(5) {
            0 => format!("DELETE FROM products WHERE code = '{code}'"),
            1 => format!("UPDATE products SET owner = {user} WHERE code = '{code}'"),
            2 => format!("UPDATE products SET name = '{name}' WHERE code = '{code}'"),
            _ => format!("INSERT INTO products VALUES ('{code}', {user}, '{name}')"),
        }
    }

    /// A number that is given again, to somebody else.
    fn again(&mut self) -> String {
        let (uid, value) = (self.uid(), self.value());
        if self.dice.percent(50) {
            let (note, contact) = (self.some("notes"), self.some("contacts"));
            return format!(
                "DELETE FROM notes WHERE id = {note}; INSERT INTO notes VALUES ({note}, '{uid}', {contact}, '{value}')"
            );
        }
        let (contact, company) = (self.some("contacts"), self.some("companies"));
        format!(
            "DELETE FROM contacts WHERE id = {contact}; \
             INSERT INTO contacts (id, uid, company, badge, name, phone) VALUES ({contact}, '{uid}', {company}, NULL, '{value}', NULL)"
        )
    }
}

/// What a person does about people who were given one badge at two nodes.
pub const TAKE_BADGES_BACK: &str = "UPDATE contacts SET badge = NULL WHERE badge IS NOT NULL";

/// A record's field.
pub fn field(uid: &Uid, column: Column) -> Field {
    Field { uid: uid.clone(), column }
}
