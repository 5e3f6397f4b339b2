//! The Chinook music shop with its three sales representatives as remotes: each has her customers with all that they bought,
//! and the catalogue.

use std::io::Cursor;

use super::{configure, join, rest, rest_ending};
use crate::support::{Scene, python, text};

const CHINOOK: &[u8] = include_bytes!("../data/chinook.db.zst");

const WHOLE: [&str; 8] = ["Employee", "Album", "Artist", "Genre", "MediaType", "Track", "Playlist", "PlaylistTrack"];

const OWN: [(&str, &str); 3] = [
    ("Customer", "SupportRepId = :rep"),
    ("Invoice", "CustomerId IN (SELECT CustomerId FROM Customer WHERE SupportRepId = :rep)"),
    (
        "InvoiceLine",
        "InvoiceId IN (SELECT InvoiceId FROM Invoice JOIN Customer USING (CustomerId) WHERE SupportRepId = :rep)",
    ),
];

const REPS: [(&str, &str); 3] = [("jane", "3"), ("margaret", "4"), ("steve", "5")];

fn shop() -> Scene {
    let scene = Scene::in_memory();
    let database = zstd::decode_all(Cursor::new(CHINOOK)).expect("the database unpacks");
    std::fs::write(scene.database("hq"), database).expect("the database is written");
    scene.init();
    let mut set = "[[set.rep.table]]\nname = \"Customer\"\nwhere = \"SupportRepId = :rep\"\n\
                   [[set.rep.table]]\nname = \"Invoice\"\nfollow = \"CustomerId\"\n\
                   [[set.rep.table]]\nname = \"InvoiceLine\"\nfollow = \"InvoiceId\"\n"
        .to_owned();
    WHOLE.iter().for_each(|table| set.push_str(&format!("[[set.rep.table]]\nname = \"{table}\"\n")));
    configure(&scene, &set);
    for (name, rep) in REPS {
        join(&scene, name, "rep", &[&format!("rep={rep}")]);
    }
    scene
}

#[track_caller]
fn each_has_her_own(scene: &Scene) {
    for (name, rep) in REPS {
        for (table, members) in OWN {
            let members = members.replace(":rep", rep);
            let want = scene.sql("hq", &format!("SELECT * FROM {table} WHERE {members} ORDER BY 1"));
            assert!(!want.is_empty());
            assert_eq!(scene.sql(name, &format!("SELECT * FROM {table} ORDER BY 1")), want, "{table} at {name}");
        }
        WHOLE.iter().for_each(|table| scene.same(table, "hq", name));
    }
}

/// One end's edits of a day: orders, corrections, new customers, cancelled lines; at the hub customers change hands too.
const DAY: &str = "
import random, sqlite3, sys
path, node, day = sys.argv[1:]
rng = random.Random(node + day)
db = sqlite3.connect(path, timeout=30)
db.execute('PRAGMA foreign_keys = ON')
one = lambda sql: (db.execute(sql + ' ORDER BY random() LIMIT 1').fetchone() or [None])[0]
with db:
    for turn in range(12):
        customer, rep = one('SELECT CustomerId FROM Customer'), one('SELECT SupportRepId FROM Customer')
        dice = rng.random()
        if dice < 0.3:
            total = turn + 0.5
            invoice = db.execute('INSERT INTO Invoice (CustomerId, InvoiceDate, Total) VALUES (?, ?, ?)',
                                 (customer, '2026-11-' + day, total)).lastrowid
            for _ in range(rng.randint(1, 4)):
                db.execute('INSERT INTO InvoiceLine (InvoiceId, TrackId, UnitPrice, Quantity) VALUES (?, ?, 0.99, 1)',
                           (invoice, one('SELECT TrackId FROM Track')))
        elif dice < 0.5:
            db.execute('UPDATE Customer SET Phone = ? WHERE CustomerId = ?', (node + day + str(turn), customer))
        elif dice < 0.6:
            db.execute('INSERT INTO Customer (FirstName, LastName, Email, SupportRepId) VALUES (?, ?, ?, ?)',
                       ('New', node, f'{node}{day}{turn}@x', rep))
        elif dice < 0.7:
            db.execute('DELETE FROM InvoiceLine WHERE InvoiceLineId = ?', (one('SELECT InvoiceLineId FROM InvoiceLine'),))
        elif dice < 0.85 and node == 'hq':
            db.execute('UPDATE Customer SET SupportRepId = ? WHERE CustomerId = ?', (rng.choice([3, 4, 5]), customer))
        else:
            db.execute('UPDATE Track SET UnitPrice = ? WHERE TrackId = ?', (turn / 7, one('SELECT TrackId FROM Track')))
";

#[test]
fn each_representative_has_her_customers_whoever_they_are_given_to() {
    let scene = shop();
    each_has_her_own(&scene);
    for day in 1..5 {
        for node in ["hq", "jane", "margaret", "steve"] {
            python(DAY, &[text(&scene.database(node)), node, &format!("{day:02}")]);
        }
        // Two may change the same price.
        rest_ending(&scene, &["hq", "jane", "margaret", "steve"], &[0, 3]);
        each_has_her_own(&scene);
    }
    scene.sql("hq", "UPDATE Customer SET SupportRepId = 8 - SupportRepId");
    rest(&scene, &["hq", "jane", "margaret", "steve"]);
    each_has_her_own(&scene);
}
