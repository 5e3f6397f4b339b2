//! Tables whose remotes have no numbers of their own: a record keeps its number while the application is at work, and nothing
//! else waits for that.

use super::{come_together, come_together_ending};
use crate::support::crm::set;
use crate::support::{Scene, text};

const SCHEMA: &str = "
    CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT);
    CREATE TABLE homes (id INTEGER PRIMARY KEY, person INTEGER NOT NULL REFERENCES people(id), street TEXT);";

const AS_IS: &str = "\n[table.people]\nkeys = \"as-is\"\n";

const TABLES: [&str; 2] = ["people", "homes"];

const WAITS: &str = "it waits until the application has written nothing for 10 min";

/// A hub and alice, whose people have no numbers of their own.
fn scene() -> Scene {
    scene_of(SCHEMA)
}

fn scene_of(schema: &str) -> Scene {
    let scene = Scene::hub(schema);
    configure(&scene, "hq", AS_IS);
    scene.remote("alice");
    scene
}

fn configure(scene: &Scene, node: &str, words: &str) {
    let config = scene.home(node).join("packhorse.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text + words).unwrap();
}

/// Syncs nodes in turn; something may be held.
#[track_caller]
fn sync_all(scene: &Scene, nodes: &[&str]) {
    for node in nodes {
        let run = scene.packhorse(node, &["sync"]);
        assert!(matches!(run.code, 0 | 3), "{run:#?}");
    }
}

/// Both have made a person under the number 1, and alice's is known at the hub.
fn two_ones() -> Scene {
    let scene = scene();
    make_ones(&scene);
    scene.sync("alice");
    scene.sync("hq");
    scene
}

fn make_ones(scene: &Scene) {
    for node in ["hq", "alice"] {
        let made =
            format!("INSERT INTO people VALUES (1, '{node}'); INSERT INTO homes (person, street) VALUES (1, '{node}')");
        scene.sql(node, &made);
    }
}

/// Lets as much time pass as the application has to be quiet.
fn rest(scene: &Scene, node: &str) {
    scene.sql(node, "UPDATE _packhorse_state SET value = value - 600000 WHERE name = 'wrote_last'");
}

fn name_of(scene: &Scene, node: &str, number: &str) -> String {
    scene.sql(node, &format!("SELECT name FROM people WHERE id = {number}"))
}

fn number_of(scene: &Scene, node: &str, name: &str) -> String {
    scene.sql(node, &format!("SELECT id FROM people WHERE name = '{name}'"))
}

/// Table, key and reason of everything held.
fn held(scene: &Scene, node: &str) -> Vec<String> {
    let all = scene.packhorse(node, &["held", "list", "--json"]).expect(0).json();
    let told = |held: &serde_json::Value| format!("{} {}: {}", held["table"], held["key"], held["reason"]);
    all.as_array().expect("an array").iter().map(|held| told(held).replace('"', "")).collect()
}

const WHOLE: &str = "SELECT count(*) FROM people JOIN homes ON person = people.id WHERE name = street";

#[test]
fn a_number_means_the_same_record_to_an_application_that_goes_on_writing() {
    let scene = two_ones();
    let run = scene.packhorse("alice", &["sync"]).expect(3);
    let run = run.says("held").says("something waits for the application to be quiet");
    assert!(!run.err.contains("needs a person"), "{run:#?}");
    assert_eq!(name_of(&scene, "alice", "1"), "alice", "whom the application has on its screen");
    // The hub's person, her home, and alice's new number.
    let told = held(&scene, "alice");
    assert_eq!(told.len(), 3, "{told:#?}");
    assert!(told.iter().filter(|held| held.contains(WAITS)).count() == 2, "{told:#?}");
    assert!(
        told.iter().any(|held| held.starts_with("people [2]: ") && held.contains("by the number that it still has"))
    );
    assert!(told.iter().any(|held| held.starts_with("people [1]: ") && held.contains("another record by this number")));
    assert!(told.iter().any(|held| held.starts_with("homes [") && held.contains("people 1, which")), "{told:#?}");
    let home = told.iter().find(|held| held.starts_with("homes [")).expect("her home");
    assert!(home.ends_with("it refers to people 1, which waits for the application to be quiet"), "{home}");
    // It goes on with what it has read.
    scene.sql(
        "alice",
        "UPDATE people SET name = 'Alice' WHERE id = 1; INSERT INTO homes (person, street) VALUES (1, 'Alice')",
    );
    scene.sync("alice");
    scene.sync("hq");
    assert_eq!(
        scene.sql("hq", "SELECT name FROM people JOIN homes ON person = people.id WHERE street = 'Alice'"),
        "Alice"
    );
    scene.sql("hq", "UPDATE people SET name = name || '!' WHERE id = 2");
    scene.sync("hq");
    sync_all(&scene, &["alice"]);
    assert_eq!(name_of(&scene, "alice", "1"), "Alice!", "what the hub says of it is found by its birth");
    assert_eq!(held(&scene, "alice").len(), 3);
    assert_eq!(scene.packhorse("alice", &["sync"]).expect(0).err.matches("placed now").count(), 0);
    rest(&scene, "alice");
    scene
        .packhorse("alice", &["sync"])
        .expect(0)
        .says("the application has been quiet: 3 changes that were held are placed");
    assert_eq!((name_of(&scene, "alice", "1"), name_of(&scene, "alice", "2")), ("hq".into(), "Alice!".into()));
    come_together(&scene, &["hq", "alice"], &TABLES);
}

/// Also where the child is looked at before its parent is held.
#[test]
fn what_waits_for_nothing_but_quiet_needs_nobody_whatever_the_order_of_the_tables() {
    let (people, homes) = SCHEMA.trim().split_once('\n').expect("two tables");
    let scene = scene_of(&[homes, people].concat());
    make_ones(&scene);
    sync_all(&scene, &["alice", "hq"]);
    let run = scene.packhorse("alice", &["sync"]).expect(3).says("something waits for the application to be quiet");
    assert!(!run.err.contains("needs a person"), "{run:#?}");
    assert!(
        held(&scene, "alice")
            .iter()
            .any(|held| held.ends_with("people 1, which waits for the application to be quiet"))
    );
    rest(&scene, "alice");
    come_together(&scene, &["alice", "hq"], &TABLES);
}

#[test]
fn a_person_who_asks_for_it_does_not_wait() {
    let scene = two_ones();
    scene.packhorse("alice", &["sync"]).expect(3);
    let all = scene.packhorse("alice", &["held", "list", "--json"]).expect(0).json();
    let id = all[0]["id"].to_string();
    let shown = scene.packhorse("alice", &["held", "show", &id]).expect(0).out;
    assert!(shown.contains(WAITS) && shown.contains(&format!("`packhorse held retry {id}`")), "{shown}");
    scene.packhorse("alice", &["held", "retry"]).expect(0);
    assert_eq!(held(&scene, "alice"), Vec::<String>::new());
    come_together(&scene, &["hq", "alice"], &TABLES);
    assert_eq!(scene.sql("alice", WHOLE), "2");
}

#[test]
fn nobody_waits_at_the_hub_nor_where_nothing_was_written_nor_with_a_range_nor_by_configuration() {
    let scene = two_ones();
    assert_eq!(scene.sql("hq", "SELECT group_concat(id || name) FROM people"), "1hq,2alice", "at the hub");
    rest(&scene, "alice");
    scene.sync("alice");
    assert_eq!(name_of(&scene, "alice", "1"), "hq", "quiet");
    let scene = two_ones();
    set(&scene, "alice", "renumber_quiet", "0 s");
    scene.sync("alice");
    assert_eq!(name_of(&scene, "alice", "1"), "hq", "by configuration");
    let scene = Scene::hub(SCHEMA);
    scene.remote("alice");
    scene.sql("alice", "INSERT INTO people (name) VALUES ('alice')");
    scene.settle("alice");
    assert_eq!(number_of(&scene, "alice", "alice"), "1", "a range");
}

/// What is known of when the application wrote is in the database, and a clock that was wrong holds nothing for ever.
#[test]
fn a_time_that_is_yet_to_come_counts_as_now() {
    let scene = two_ones();
    scene.packhorse("alice", &["sync"]).expect(3);
    scene.sql("alice", "UPDATE _packhorse_state SET value = 9000000000000000 WHERE name = 'wrote_last'");
    scene.sync("alice");
    assert_eq!(name_of(&scene, "alice", "1"), "alice");
    rest(&scene, "alice");
    scene.sync("alice");
    assert_eq!(name_of(&scene, "alice", "1"), "hq");
}

#[test]
fn a_record_that_dies_while_its_number_waits_is_dead_everywhere() {
    for by in ["hq", "alice"] {
        let scene = two_ones();
        scene.packhorse("alice", &["sync"]).expect(3);
        scene.sql(by, "DELETE FROM homes WHERE street = 'alice'; DELETE FROM people WHERE name = 'alice'");
        sync_all(&scene, &["hq", "alice", "hq", "alice"]);
        assert_eq!(scene.sql("alice", "SELECT count(*) FROM people WHERE name = 'alice'"), "0", "by {by}");
        rest(&scene, "alice");
        come_together_ending(&scene, &["hq", "alice"], &TABLES, &[0]);
        assert_eq!(scene.sql("alice", WHOLE), "1", "by {by}");
    }
}

/// A record that is the hub's by its identity waits as well: to become it, it takes the hub's number.
#[test]
fn a_record_that_is_one_with_the_hubs_waits_for_its_number() {
    let schema = "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT UNIQUE)";
    let scene = Scene::hub(schema);
    configure(&scene, "hq", &format!("{AS_IS}identity = [\"name\"]\n"));
    scene.remote("alice");
    scene.sql("hq", "INSERT INTO people VALUES (1, 'hq'), (2, 'Ada')");
    scene.sql("alice", "INSERT INTO people VALUES (1, 'Ada')");
    scene.sync("alice");
    scene.sync("hq");
    scene.packhorse("alice", &["sync"]).expect(3);
    assert_eq!(scene.sql("alice", "SELECT * FROM people"), "1|Ada");
    assert!(held(&scene, "alice").iter().all(|held| held.contains(WAITS)), "{:#?}", held(&scene, "alice"));
    rest(&scene, "alice");
    scene.sync("alice");
    come_together(&scene, &["hq", "alice"], &["people"]);
    assert_eq!(scene.sql("alice", "SELECT group_concat(id || name) FROM people"), "1hq,2Ada");
}

/// The hub forgets births once everybody has acknowledged them, and speaks of records by their numbers alone.
#[test]
fn what_the_hub_says_without_births_is_meant_for_the_records_that_wait() {
    says_without_births(SCHEMA);
    says_without_births(&SCHEMA.replace("person INTEGER", "person TEXT"));
}

#[track_caller]
fn says_without_births(schema: &str) {
    let scene = scene_of(schema);
    make_ones(&scene);
    // What was made within the second is not told to be complete.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    scene.sql("alice", "UPDATE homes SET street = street || '.'");
    scene.sync("alice");
    scene.sync("hq");
    scene.packhorse("alice", &["sync"]).expect(3);
    let told = held(&scene, "alice");
    for turn in 0..8 {
        for node in ["hq", "alice"] {
            scene.sql(node, &format!("UPDATE homes SET street = street || '.' WHERE street LIKE '{node}%'"));
        }
        sync_all(&scene, &["alice", "hq", "alice", "hq"]);
        if turn > 2 && scene.sql("hq", "SELECT count(*) FROM _packhorse_m_people WHERE birth > x''") == "0" {
            break;
        }
    }
    assert_eq!(scene.sql("hq", "SELECT count(*) FROM _packhorse_m_people WHERE birth > x''"), "0", "all forgotten");
    assert!(told.len() <= held(&scene, "alice").len());
    scene.sql(
        "hq",
        "UPDATE people SET name = name || '!'; UPDATE homes SET street = rtrim(street, '.') || '!';
         INSERT INTO homes (person, street) SELECT id, name FROM people",
    );
    sync_all(&scene, &["hq", "alice"]);
    let of_alice = "SELECT DISTINCT name FROM people JOIN homes ON person = people.id WHERE street = 'alice!'";
    assert_eq!(scene.sql("alice", of_alice), "alice!");
    assert_eq!(number_of(&scene, "alice", "alice!"), "1");
    rest(&scene, "alice");
    come_together(&scene, &["hq", "alice"], &TABLES);
    assert_eq!(scene.sql("alice", WHOLE), "4");
}

/// The middle waits for its own application, and what it says meanwhile is overtaken by what the root has said.
#[test]
fn in_a_tree_each_node_waits_for_its_own_application_and_the_roots_word_is_the_last() {
    let scene = Scene::hub(SCHEMA);
    configure(&scene, "hq", AS_IS);
    scene.remote("mid");
    configure(&scene, "mid", AS_IS);
    scene.packhorse("mid", &["remote", "add", "leaf"]).expect(0);
    let (package, database) = (scene.path("leaf.rdb"), scene.database("leaf"));
    scene.packhorse("mid", &["remote", "pack", "leaf", "-o", text(&package), "--no-passphrase"]).expect(0);
    scene.packhorse("leaf", &["restore", text(&package), "--database", text(&database)]).expect(0);
    for node in ["hq", "mid", "leaf"] {
        scene.sql(
            node,
            &format!(
                "INSERT INTO people VALUES (1, '{node}'); INSERT INTO homes (person, street) VALUES (1, '{node}')"
            ),
        );
    }
    sync_all(&scene, &["leaf", "mid"]);
    let provisional = number_of(&scene, "mid", "leaf");
    scene.sql("mid", "UPDATE people SET name = name || '!' WHERE name = 'leaf'");
    sync_all(&scene, &["mid", "leaf", "hq", "mid", "leaf"]);
    let word = format!("people [{provisional}]: {WAITS}");
    assert!(held(&scene, "leaf").iter().any(|held| held.starts_with(&word)), "{:#?}", held(&scene, "leaf"));
    assert_eq!(number_of(&scene, "leaf", "leaf!"), "1");
    assert_eq!((number_of(&scene, "mid", "mid"), number_of(&scene, "mid", "leaf!")), ("1".to_owned(), provisional));
    rest(&scene, "mid");
    sync_all(&scene, &["mid", "leaf"]);
    assert_eq!(number_of(&scene, "mid", "hq"), "1");
    let told: Vec<String> =
        held(&scene, "leaf").into_iter().filter(|held| held.contains("it still has here")).collect();
    let word = format!("people [{}]: {WAITS}", number_of(&scene, "hq", "leaf!"));
    assert!(matches!(told.as_slice(), [only] if only.starts_with(&word)), "{told:#?}");
    rest(&scene, "leaf");
    come_together(&scene, &["hq", "mid", "leaf"], &TABLES);
    assert_eq!(scene.sql("leaf", WHOLE.replace("street", "street || iif(name LIKE '%!', '!', '')").as_str()), "3");
}

/// A backup of the time when its number waited, put back after it had changed.
#[test]
fn a_node_that_returns_to_the_time_of_waiting_waits_once_more() {
    let scene = two_ones();
    scene.packhorse("alice", &["sync"]).expect(3);
    scene.sql("alice", "PRAGMA wal_checkpoint(TRUNCATE)");
    let (database, backup) = (scene.database("alice"), scene.path("backup.db"));
    std::fs::copy(&database, &backup).unwrap();
    rest(&scene, "alice");
    come_together(&scene, &["alice", "hq"], &TABLES);
    scene.sql("hq", "UPDATE people SET name = name || '!'; UPDATE homes SET street = street || '!'");
    come_together(&scene, &["alice", "hq"], &TABLES);
    scene.sql("alice", "PRAGMA wal_checkpoint(TRUNCATE)");
    std::fs::copy(&backup, &database).unwrap();
    // A backup is noticed when somebody speaks.
    scene.sql(
        "alice",
        "INSERT INTO people VALUES (2, 'second'); INSERT INTO homes (person, street) VALUES (2, 'second')",
    );
    scene.sql("hq", "INSERT INTO people VALUES (3, 'third'); INSERT INTO homes (person, street) VALUES (3, 'third')");
    sync_all(&scene, &["alice", "hq", "alice", "hq", "alice"]);
    assert_eq!((name_of(&scene, "alice", "1"), name_of(&scene, "alice", "2")), ("alice!".into(), "second".into()));
    rest(&scene, "alice");
    sync_all(&scene, &["alice", "hq"]);
    come_together(&scene, &["hq", "alice"], &TABLES);
    assert_eq!(scene.sql("alice", WHOLE), "4");
}
