//! References that no foreign key declares: the configuration names them, and they follow their records.

use super::come_together;
use crate::support::crm::set;
use crate::support::{Scene, sqlite};

const SCHEMA: &str = "
    CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT);
    CREATE TABLE companies (id INTEGER PRIMARY KEY, name TEXT);
    CREATE TABLE notes (id INTEGER PRIMARY KEY, author_id INTEGER, object_type TEXT, object_id, text TEXT);
    CREATE TABLE staff (id INTEGER PRIMARY KEY REFERENCES people(id), salary INTEGER);
    CREATE TABLE desks (place TEXT PRIMARY KEY, staff_id INTEGER);
    CREATE TABLE likes (person_id INTEGER, company_id INTEGER, mark TEXT, PRIMARY KEY (person_id, company_id));
    CREATE TABLE reasons (person INTEGER, company INTEGER, word TEXT PRIMARY KEY,
        FOREIGN KEY (person, company) REFERENCES likes(person_id, company_id));";

const TABLES: [&str; 7] = ["people", "companies", "notes", "staff", "desks", "likes", "reasons"];

const CONFIGURED: &str = "
[table.notes]
references = { author_id = \"people\", object_id = { type = \"object_type\", tables = { person = \"people\", \"a firm\" = \"companies\" } } }
[table.desks.references]
staff_id = \"Staff\"
[table.likes.references]
person_id = \"people\"
company_id = \"companies\"
";

const NODES: [&str; 3] = ["hq", "alice", "bob"];

fn configure(scene: &Scene, node: &str, more: &str) {
    let path = scene.home(node).join("packhorse.toml");
    let text = std::fs::read_to_string(&path).expect("a configuration");
    std::fs::write(&path, format!("{text}\n{more}")).expect("a configuration");
}

/// A hub with that configuration, and two remotes without one.
fn scene() -> Scene {
    scene_with(SCHEMA, CONFIGURED)
}

fn scene_with(schema: &str, configured: &str) -> Scene {
    let scene = Scene::hub(schema);
    configure(&scene, "hq", configured);
    for remote in ["alice", "bob"] {
        scene.remote(remote);
        set(&scene, remote, "renumber_quiet", "0 s");
    }
    scene
}

/// What every node makes, under numbers of its own choice, and what all of it refers to.
fn make(scene: &Scene, node: &str) {
    scene.sql(
        node,
        &format!(
            "INSERT INTO companies (name) VALUES ('{node} x');
            INSERT INTO companies (name) VALUES ('{node}');
            INSERT INTO people (name) VALUES ('{node}');
            INSERT INTO notes (author_id, object_type, object_id, text)
                SELECT p.id, 'person', p.id, '{node}' FROM people p WHERE name = '{node}';
            INSERT INTO notes (author_id, object_type, object_id, text)
                SELECT p.id, 'a firm', c.id, '{node}' FROM people p, companies c WHERE p.name = '{node}' AND c.name = '{node}';
            INSERT INTO staff SELECT id, 100 FROM people WHERE name = '{node}';
            INSERT INTO desks SELECT name, id FROM people WHERE name = '{node}';
            INSERT INTO likes SELECT p.id, c.id, p.name FROM people p, companies c WHERE p.name = '{node}' AND c.name = '{node}';
            INSERT INTO reasons SELECT person_id, company_id, mark FROM likes WHERE mark = '{node}'"
        ),
    );
}

const WHOLE: &str = "SELECT
    (SELECT count(*) FROM notes JOIN people ON people.id = author_id WHERE name = text),
    (SELECT count(*) FROM notes JOIN people ON people.id = object_id AND object_type = 'person' WHERE name = text),
    (SELECT count(*) FROM notes JOIN companies ON companies.id = object_id AND object_type = 'a firm' WHERE name = text),
    (SELECT count(*) FROM desks JOIN staff ON staff.id = staff_id JOIN people ON people.id = staff.id WHERE name = place),
    (SELECT count(*) FROM likes JOIN people p ON p.id = person_id JOIN companies c ON c.id = company_id
        WHERE p.name = mark AND c.name = mark),
    (SELECT count(*) FROM reasons JOIN likes ON person = person_id AND company = company_id WHERE mark = word)";

#[test]
fn what_the_configuration_names_follows_its_record_at_every_node() {
    let scene = scene();
    for node in NODES {
        make(&scene, node);
    }
    come_together(&scene, &NODES, &TABLES);
    for node in NODES {
        assert_eq!(scene.sql(node, WHOLE), "6|3|3|3|3|3", "{node}");
    }
    scene.sql("bob", "UPDATE likes SET mark = 'changed' WHERE mark = 'alice'");
    scene.sql("alice", "DELETE FROM notes WHERE text = 'bob' AND object_type = 'person'");
    come_together(&scene, &NODES, &TABLES);
    for node in NODES {
        assert_eq!(scene.sql(node, "SELECT count(*) FROM notes"), "5", "{node}");
        assert_eq!(scene.sql(node, "SELECT count(*) FROM likes WHERE mark = 'changed'"), "1", "{node}");
    }
}

/// The same numbers at all nodes: without ranges only births tell who is meant.
#[test]
fn numbers_that_are_the_same_everywhere_are_told_apart() {
    let as_is = "[table.people]\nkeys = \"as-is\"\n[table.companies]\nkeys = \"as-is\"\n";
    let scene = scene_with(SCHEMA, &format!("{CONFIGURED}{as_is}"));
    for node in NODES {
        make(&scene, node);
    }
    assert_eq!(scene.sql("alice", "SELECT id FROM people"), scene.sql("hq", "SELECT id FROM people"));
    come_together(&scene, &NODES, &TABLES);
    for node in NODES {
        assert_eq!(scene.sql(node, WHOLE), "6|3|3|3|3|3", "{node}");
    }
}

#[test]
fn edits_before_a_number_is_confirmed_mean_the_same_records() {
    let scene = scene();
    for node in NODES {
        make(&scene, node);
    }
    scene.sync("alice");
    // Both halves of the pair, then another author, while the numbers are still alice's own.
    scene.sql(
        "alice",
        "UPDATE notes SET object_type = 'a firm', object_id = (SELECT id FROM companies WHERE name = 'alice x'), text = 'moved'
            WHERE object_type = 'person';
        INSERT INTO people (name) VALUES ('second');
        UPDATE notes SET author_id = (SELECT id FROM people WHERE name = 'second') WHERE text = 'moved'",
    );
    scene.sync("hq");
    scene.sql("alice", "UPDATE desks SET staff_id = NULL WHERE place = 'alice'");
    come_together(&scene, &NODES, &TABLES);
    for node in NODES {
        let moved =
            "SELECT p.name, c.name FROM notes JOIN people p ON p.id = author_id JOIN companies c ON c.id = object_id
            WHERE text = 'moved' AND object_type = 'a firm'";
        assert_eq!(scene.sql(node, moved), "second|alice x", "{node}");
        assert_eq!(scene.sql(node, "SELECT count(*) FROM desks WHERE staff_id IS NULL"), "1", "{node}");
    }
}

/// A person and a company with one number: only the type says which is meant. It alone is written, and a number that is not
/// written means another record by it.
#[test]
fn a_type_that_changes_takes_its_number_along() {
    let as_is = "[table.people]\nkeys = \"as-is\"\n[table.companies]\nkeys = \"as-is\"\n";
    let scene = scene_with(SCHEMA, &format!("{CONFIGURED}{as_is}"));
    scene.sql("hq", "INSERT INTO people VALUES (1, 'hq'); INSERT INTO companies VALUES (1, 'hq'), (2, 'hq 2')");
    scene.sql(
        "alice",
        "INSERT INTO people VALUES (1, 'alice'); INSERT INTO companies VALUES (1, 'alice');
        INSERT INTO notes (object_type, object_id, text) VALUES ('person', 1, 'alice')",
    );
    scene.sync("alice");
    scene.sql("alice", "UPDATE notes SET object_type = 'a firm'");
    come_together(&scene, &NODES, &TABLES);
    for node in NODES {
        let named = "SELECT object_type, name FROM notes JOIN companies ON companies.id = object_id";
        assert_eq!(scene.sql(node, named), "a firm|alice", "{node}");
    }
}

/// Half a pair written here and the other half there: one of the two counts whole.
#[test]
fn a_pair_is_never_made_of_two_halves() {
    let scene = scene();
    scene.sql(
        "hq",
        "INSERT INTO people VALUES (1, 'hq'); INSERT INTO companies VALUES (1, 'hq'), (2, 'hq 2');
        INSERT INTO notes (object_type, object_id) VALUES ('a firm', 1)",
    );
    come_together(&scene, &NODES, &TABLES);
    scene.sql("alice", "UPDATE notes SET object_type = 'person'");
    scene.sql("bob", "UPDATE notes SET object_id = 2");
    for node in [NODES; 3].concat() {
        // The conflict is to be looked at.
        scene.packhorse(node, &["sync"]);
    }
    let found = NODES.map(|node| scene.sql(node, "SELECT object_type, object_id FROM notes"));
    assert!(found[0] == "person|1" || found[0] == "a firm|2", "{found:?}");
    assert!(found[1..].iter().all(|other| *other == found[0]), "{found:?}");
}

#[test]
fn what_is_no_number_or_of_no_known_type_is_left_alone() {
    let scene = scene();
    scene.sql("hq", "INSERT INTO people VALUES (1, 'hq'), (2, 'hq 2')");
    scene.sql("alice", "INSERT INTO people (name) VALUES ('alice'); INSERT INTO companies (name) VALUES ('alice')");
    let number = scene.sql("alice", "SELECT id FROM people");
    assert_eq!(number, scene.sql("alice", "SELECT id FROM companies"), "a type is all that tells them apart");
    let values = [
        ("'person'", format!("'{number}'")),
        ("'a horse'", number.clone()),
        ("'Person'", number.clone()),
        ("NULL", number.clone()),
        ("'person'", "NULL".to_owned()),
        ("'person'", format!("{number}.5")),
        ("x'706572736f6e'", number.clone()),
    ];
    for (at, (named, value)) in values.iter().enumerate() {
        let sql = format!("INSERT INTO notes (object_type, object_id, text) VALUES ({named}, {value}, {at})");
        scene.sql("alice", &sql);
    }
    let before = scene.sql("alice", "SELECT text, quote(object_type), quote(object_id) FROM notes ORDER BY text");
    come_together(&scene, &NODES, &TABLES);
    assert_eq!(scene.sql("alice", "SELECT id FROM people WHERE name = 'alice'"), "3", "it has moved");
    for node in NODES {
        let after = scene.sql(node, "SELECT text, quote(object_type), quote(object_id) FROM notes ORDER BY text");
        assert_eq!(after, before, "{node}");
    }
    // Written again with the number from before it moved, as an application does that has read it then.
    scene.sql("alice", &format!("UPDATE notes SET text = text || '!', author_id = {number}"));
    come_together(&scene, &NODES, &TABLES);
    for node in NODES {
        let after = "SELECT rtrim(text, '!'), quote(object_type), quote(object_id) FROM notes ORDER BY text";
        assert_eq!(scene.sql(node, after), before, "{node}");
        assert_eq!(scene.sql(node, "SELECT DISTINCT author_id FROM notes"), "3", "{node}");
    }
}

#[test]
fn a_pair_that_is_written_late_means_the_record_that_it_always_meant() {
    let scene = scene();
    scene.sql("hq", "INSERT INTO companies VALUES (1, 'hq'), (2, 'hq 2')");
    scene.sql("alice", "INSERT INTO people (name) VALUES ('alice'); INSERT INTO companies (name) VALUES ('alice')");
    let number = scene.sql("alice", "SELECT id FROM companies WHERE name = 'alice'");
    come_together(&scene, &NODES, &TABLES);
    scene.sql(
        "alice",
        &format!(
            "INSERT INTO notes (object_type, object_id, text) VALUES ('person', {number}, 1), ('a firm', {number}, 2)"
        ),
    );
    come_together(&scene, &NODES, &TABLES);
    assert_eq!(scene.sql("hq", "SELECT object_id FROM notes ORDER BY text"), "1\n3");
}

/// Deletions are the application's own business: nobody has declared that anything depends on the record.
#[test]
fn a_configured_reference_brings_nothing_back_and_waits_for_nothing() {
    let scene = scene();
    scene.sql("hq", "INSERT INTO people VALUES (1, 'hq')");
    come_together(&scene, &NODES, &TABLES);
    scene.sql("alice", "INSERT INTO notes (author_id, object_type, object_id, text) VALUES (1, 'person', 1, 'alice')");
    scene.sql("hq", "DELETE FROM people; INSERT INTO people VALUES (77, 'known to bob by its number only')");
    scene.sql("bob", "INSERT INTO notes (author_id, text) VALUES (77, 'nobody')");
    come_together(&scene, &NODES, &TABLES);
    for node in NODES {
        assert_eq!(scene.sql(node, "SELECT count(*) FROM people"), "1", "{node}");
        assert_eq!(scene.sql(node, "SELECT author_id, object_id FROM notes ORDER BY text"), "1|1\n77|", "{node}");
    }
}

/// The hub gets more notes than fit into a bundle, and only then those whom they speak of.
#[test]
fn a_record_that_comes_later_is_found_by_what_refers_to_it() {
    let schema = SCHEMA.replace("TABLE notes", "TABLE a_notes");
    let scene = scene_with(&schema, &CONFIGURED.replace("table.notes", "table.a_notes"));
    for node in ["alice", "bob"] {
        let path = scene.home(node).join("packhorse.toml");
        let text = std::fs::read_to_string(&path).expect("a configuration");
        std::fs::write(&path, text.replace("[bundle]", "[bundle]\nbundle_max = \"1 KiB\"")).expect("a configuration");
        scene.sql(
            node,
            &format!(
                "INSERT INTO people (name) VALUES ('{node}');
                INSERT INTO companies (name) VALUES ('{node} x'), ('{node}');
                WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2001)
                INSERT INTO a_notes (author_id, object_type, object_id, text)
                SELECT p.id, 'a firm', c.id, p.name FROM n, people p JOIN companies c USING (name)"
            ),
        );
        // The rest is too little for a second bundle now.
        scene.packhorse(node, &["bundle"]).expect(0);
        scene.packhorse(node, &["transfer"]).expect(0);
    }
    scene.packhorse("hq", &["sync"]).expect(3);
    assert_eq!(scene.sql("hq", "SELECT count(*) FROM people"), "0");
    come_together(&scene, &NODES, &["people", "companies", "a_notes"]);
    for node in NODES {
        let whole =
            "SELECT count(*) FROM a_notes JOIN people p ON p.id = author_id JOIN companies c ON c.id = object_id
            WHERE p.name = text AND c.name = text";
        assert_eq!(scene.sql(node, whole), "4002", "{node}");
    }
}

#[test]
fn a_package_that_is_made_after_the_configuration_changed_knows_of_it() {
    let scene = Scene::hub(SCHEMA);
    scene.remote("alice");
    configure(&scene, "hq", CONFIGURED);
    scene.remote("bob");
    let stored =
        |node| scene.sql(node, "SELECT tbl, col, parent, type_col, type FROM _packhorse_references ORDER BY 1, 2, 3");
    assert_eq!(stored("bob"), stored("hq"));
    assert!(stored("bob").contains("notes|object_id|companies|object_type|a firm"), "{}", stored("bob"));
    // A remote's own configuration can say it too, and what it does not speak of stays.
    configure(&scene, "alice", CONFIGURED);
    configure(&scene, "bob", "[table.desks.references]\nstaff_id = \"people\"\n");
    for node in NODES {
        make(&scene, node);
    }
    come_together(&scene, &NODES, &TABLES);
    for node in NODES {
        assert_eq!(scene.sql(node, WHOLE), "6|3|3|3|3|3", "{node}");
    }
    assert_eq!(scene.sql("bob", "SELECT count(*) FROM _packhorse_references WHERE origin = 'package'"), "6");
    assert_eq!(scene.sql("bob", "SELECT count(*) FROM _packhorse_references WHERE origin = 'configuration'"), "1");
}

#[test]
fn what_is_taken_out_of_the_configuration_is_followed_no_more() {
    let scene = Scene::hub(SCHEMA);
    let path = scene.home("hq").join("packhorse.toml");
    let before = std::fs::read_to_string(&path).expect("a configuration");
    configure(&scene, "hq", CONFIGURED);
    scene.sync("hq");
    let count = "SELECT count(*) FROM _packhorse_references";
    assert_eq!(scene.sql("hq", count), "6");
    std::fs::write(&path, before).expect("a configuration");
    scene.sync("hq");
    assert_eq!(scene.sql("hq", count), "0");
}

#[test]
fn a_reference_that_does_not_fit_the_database_is_refused_where_it_stands() {
    let scene = Scene::hub(SCHEMA);
    sqlite(&scene.database("hq"), "CREATE TABLE late (id INTEGER PRIMARY KEY)");
    let path = scene.home("hq").join("packhorse.toml");
    let text = std::fs::read_to_string(&path).expect("a configuration");
    let pair = |by: &str, parent: &str| format!("{{ type = \"{by}\", tables = {{ x = \"{parent}\" }} }}");
    let cases = [
        ("books", "author", "\"people\"".to_owned(), "no table \"books\" is synced"),
        ("notes", "author", "\"people\"".to_owned(), "no such column"),
        ("notes", "author_id", "\"persons\"".to_owned(), "no table \"persons\" is synced"),
        ("notes", "author_id", "\"late\"".to_owned(), "no table \"late\" is synced"),
        ("notes", "author_id", "\"desks\"".to_owned(), "not known by one number"),
        ("notes", "author_id", "\"likes\"".to_owned(), "not known by one number"),
        ("notes", "ID", "\"people\"".to_owned(), "the number of the table's own records"),
        ("staff", "id", "\"people\"".to_owned(), "declares a foreign key"),
        ("reasons", "person", "\"people\"".to_owned(), "declares a foreign key"),
        ("notes", "object_id", pair("kind", "people"), "type column \"kind\""),
        ("notes", "object_id", pair("object_id", "people"), "its own type column"),
        ("notes", "object_id", pair("object_type", "persons"), "no table \"persons\" is synced"),
        ("notes", "object_id", pair("object_type", "desks"), "not known by one number"),
        ("likes", "person_id", pair("mark", "people"), "part of the key"),
        ("likes", "mark", pair("person_id", "people"), "part of the key"),
    ];
    for (table, column, to, why) in cases {
        std::fs::write(&path, format!("{text}\n[table.{table}]\nreferences = {{ {column} = {to} }}\n"))
            .expect("written");
        let place = format!("column \"{column}\" under [table.{table}] in packhorse.toml");
        for words in [&["sync"][..], &["remote", "add", "alice"]] {
            let run = scene.packhorse("hq", words).expect(2).says(&place).says(why);
            assert_eq!(run.err.lines().count(), 1, "{run:#?}");
        }
    }
    std::fs::write(&path, text).expect("written");
    scene.sync("hq");
    assert_eq!(scene.sql("hq", "SELECT count(*) FROM sqlite_schema WHERE name = '_packhorse_references'"), "0");
}
