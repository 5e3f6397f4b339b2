//! A real database: the Chinook music shop, with a remote that has every table.

use std::io::Cursor;

use crate::support::{Scene, python, text};

const CHINOOK: &[u8] = include_bytes!("data/chinook.db.zst");

const TABLES: [&str; 11] = [
    "Album",
    "Artist",
    "Customer",
    "Employee",
    "Genre",
    "Invoice",
    "InvoiceLine",
    "MediaType",
    "Playlist",
    "PlaylistTrack",
    "Track",
];

fn shop() -> Scene {
    let scene = Scene::new();
    let database = zstd::decode_all(Cursor::new(CHINOOK)).expect("the database unpacks");
    std::fs::write(scene.database("hq"), database).expect("the database is written");
    scene.init();
    scene.let_deletions_through();
    scene.remote("alice");
    scene
}

#[track_caller]
fn equal(scene: &Scene) {
    TABLES.iter().for_each(|table| scene.same(table, "hq", "alice"));
    for node in ["hq", "alice"] {
        assert_eq!(scene.sql(node, "PRAGMA foreign_key_check; PRAGMA integrity_check"), "ok");
    }
}

#[test]
fn every_table_of_the_package_has_numbers_of_its_own_or_is_known_by_what_it_says() {
    let scene = shop();
    let package = ["remote", "pack", "alice", "-o", "again.rdb", "--no-passphrase"];
    let told = scene.packhorse("hq", &package).expect(0);
    assert!(!told.err.contains("no numbers of its own") && !told.err.contains("not copied"), "{told:#?}");
    let numbered: Vec<&str> = TABLES.into_iter().filter(|table| *table != "PlaylistTrack").collect();
    let ranges = "SELECT name FROM sqlite_sequence WHERE seq = 1000000000 ORDER BY name";
    assert_eq!(scene.sql("alice", ranges).lines().collect::<Vec<_>>(), numbered);
    let artist = "INSERT INTO Artist (Name) VALUES ('Björk'); SELECT last_insert_rowid()";
    assert_eq!(scene.sql("alice", artist), "1000000001");
    assert_eq!(scene.sql("hq", artist), "276");
}

/// Edits of many rows in many tables; `sys.argv[2]` tells the two ends' edits apart.
const EDITS: &str = "
import random, sqlite3, sys
rng, mine = random.Random(sys.argv[2]), sys.argv[2]
db = sqlite3.connect(sys.argv[1])
db.execute('PRAGMA foreign_keys = ON')
with db:
    for n in range(60):
        customer, track = rng.randint(1, 59), rng.randint(1, 3503)
        column = rng.choice(['City', 'Phone', 'Company', 'PostalCode', 'Email'])
        db.execute(f'UPDATE Customer SET {column} = ? WHERE CustomerId = ?', (f'{mine} {n}', customer))
        db.execute('UPDATE Track SET Milliseconds = Milliseconds + ?, Composer = ? WHERE TrackId = ?', (n, mine, track))
    lines = db.execute('SELECT InvoiceLineId FROM InvoiceLine ORDER BY random() LIMIT 20').fetchall()
    db.executemany('DELETE FROM InvoiceLine WHERE InvoiceLineId = ?', lines)
    db.execute('DELETE FROM PlaylistTrack WHERE PlaylistId = 5 AND TrackId % 7 = ?', (3 if mine == 'hq' else 4,))
    db.executemany('INSERT OR IGNORE INTO PlaylistTrack VALUES (?, ?)',
                   [(2 if mine == 'hq' else 4, rng.randint(1, 3503)) for _ in range(30)])
    if mine == 'hq':
        db.execute(\"INSERT INTO Artist (Name) VALUES ('Björk')\")
    else:
        db.execute(\"INSERT INTO Genre (Name) VALUES ('Fado')\")
";

#[test]
fn a_package_holds_every_record_of_every_table() {
    equal(&shop());
}

#[test]
fn rows_edited_on_both_ends_by_another_program_are_equal_after_two_syncs_each() {
    let scene = shop();
    for node in ["hq", "alice"] {
        python(EDITS, &[text(&scene.database(node)), node]);
    }
    for node in ["hq", "alice", "hq", "alice"] {
        let run = scene.packhorse(node, &["sync"]);
        assert!([0, 3].contains(&run.code), "{run:?}");
    }
    assert_eq!(scene.sql("alice", "SELECT count(*) FROM Artist WHERE Name = 'Björk'"), "1");
    assert_eq!(scene.sql("hq", "SELECT count(*) FROM Genre WHERE Name = 'Fado'"), "1");
    equal(&scene);
}

#[test]
fn one_field_of_one_customer_makes_a_bundle_under_1000_bytes_with_that_field_alone() {
    let scene = shop();
    // Signature and envelope come to some 500 more, whose length has chance in it.
    scene.unseal("alice");
    scene.sql("hq", "UPDATE Customer SET City = 'Köln' WHERE CustomerId = 5");
    scene.packhorse("hq", &["bundle", "--now"]).expect(0);
    let bundles = scene.outbox("hq", "alice");
    assert_eq!(bundles.len(), 1);
    let size = std::fs::metadata(&bundles[0]).expect("the bundle is there").len();
    assert!(size < 1000, "{size} bytes");
    let told = scene.inspect(&["--json"], &bundles[0]).expect(0).json();
    assert_eq!((&told["records"], &told["fields"], &told["deletes"]), (&1.into(), &1.into(), &0.into()));
    let table = &told["tables"][0];
    assert_eq!((&table["table"], &table["records"][0]["key"][0]), (&"Customer".into(), &5.into()));
    let fields: Vec<&String> = table["records"][0]["fields"].as_object().expect("fields").keys().collect();
    assert_eq!(fields, ["City"]);
}

/// Sales reps with their customers, what those bought, and the whole catalogue.
#[test]
fn a_set_of_a_sales_reps_customers_demands_the_employees() {
    let scene = Scene::new();
    let database = zstd::decode_all(Cursor::new(CHINOOK)).expect("the database unpacks");
    std::fs::write(scene.database("hq"), database).expect("the database is written");
    scene.init();
    let add = |words: &[&str]| scene.packhorse("hq", &[&["set", "add", "reps"], words].concat());
    let customers = ["--table", "Customer", "--where", "SupportRepId = :rep"];
    add(&customers).refused(
        2,
        &["table \"Customer\"", "SupportRepId refers to Employee", "share Employee whole, or leave SupportRepId out"],
    );
    let catalogue = ["Artist", "Album", "Genre", "MediaType", "Track", "Playlist", "PlaylistTrack"];
    add(&["--table", "Employee"]).expect(0);
    add(&customers).expect(0).calm();
    let lines = ["--table", "InvoiceLine", "--follow", "InvoiceId"];
    let invoices = [&["--table", "Invoice", "--follow", "CustomerId"], &lines[..]].concat();
    add(&invoices).refused(2, &["table \"InvoiceLine\"", "TrackId refers to Track", "share Track whole\n"]);
    add(&catalogue.iter().flat_map(|table| ["--table", *table]).collect::<Vec<_>>()).expect(0);
    add(&invoices).expect(0);
    scene.packhorse("hq", &["set", "lint", "reps"]).expect(0).says("nothing is wrong");
    let told = scene.packhorse("hq", &["set", "show", "reps", "--json"]).expect(0).json();
    assert_eq!((&told["parameters"], told["tables"].as_array().map(Vec::len)), (&serde_json::json!(["rep"]), Some(11)));
    scene.packhorse("hq", &["remote", "add", "jane", "--set", "reps", "--param", "rep:=3"]).expect(0).calm();
}
