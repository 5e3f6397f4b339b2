//! Small files that would be large in memory: what they cost whoever gets them, from a peer whose signature counts.

use std::fs::{self, File};
use std::path::PathBuf;

use packhorse_shared::bundle::{BundleReader, BundleWriter, Counts, Limits, Manifest, Opening, Sealing, columns};
use packhorse_shared::change::{Passage, RecordChange, TableChanges};
use packhorse_shared::id::NodeId;
use packhorse_shared::keys::NodeKeys;
use packhorse_shared::keys::envelope::SealedTo;
use packhorse_shared::value::{Key, Value};

use super::{heals, placed, said, scene, sync, value, write};
use crate::support::{BINARY, Scene, files, python, text};

/// Far more than any reader accepts, so that anything can be written.
const BOUNDLESS: Limits = Limits::bundle(1 << 40, u64::MAX, u64::MAX);

fn keys(scene: &Scene, node: &str) -> NodeKeys {
    NodeKeys::from_file(&fs::read_to_string(scene.home(node).join("keys")).expect("keys")).expect("keys")
}

/// What the hub says next, with another content: signed by the hub and sealed to alice.
fn forge(scene: &Scene, counts: Counts, content: impl FnOnce(&mut BundleWriter<'_>, NodeId)) -> PathBuf {
    let word = format!("instead of {counts:?}");
    let bundle = said(scene, &word);
    let (hub, alice) = (keys(scene, "hq"), keys(scene, "alice"));
    let opened =
        BundleReader::open(File::open(&bundle).expect("a bundle"), Limits::BUNDLE, &Opening::with(Some(&alice)));
    let manifest = Manifest { counts, ..opened.expect("a sound bundle").0 };
    let to = alice.public();
    let mut writer = BundleWriter::new();
    content(&mut writer, manifest.node);
    writer.level(9).limits(BOUNDLESS).sealing(Some(Sealing { from: &hub, to: SealedTo::Keys(&to) }));
    let mut forged = Vec::new();
    writer.write(manifest, &mut forged).expect("written");
    assert!(forged.len() < 150_000, "{} bytes are no bomb", forged.len());
    fs::remove_file(&bundle).expect("it goes");
    let place = placed(&bundle, &forged, |_| {});
    fs::write(&place, forged).expect("written");
    place
}

/// A gigabyte of zeros.
fn gigabyte(scene: &Scene) -> PathBuf {
    forge(scene, Counts::default(), |writer, _| {
        let zeros = tempfile::tempfile().expect("a file");
        zeros.set_len(1 << 30).expect("a hole");
        writer.file(columns::member_name(Passage::Within, "t"), zeros);
    })
}

/// Two million records that take a byte each.
fn million(scene: &Scene, said: u64) -> PathBuf {
    let changes = TableChanges {
        table: "t".to_owned(),
        passage: Passage::Within,
        key_columns: vec!["id".to_owned()],
        columns: Vec::new(),
        records: (0..2_000_000).map(|number| bare(Key(vec![Value::Integer(number)]))).collect(),
    };
    forge(scene, Counts { records: said, ..Counts::default() }, |writer, hub| {
        let bytes = columns::encode(&changes, hub).expect("encoded");
        writer.bytes(columns::member_name(Passage::Within, "t"), bytes);
    })
}

/// The most memory that a sync of alice's has taken, in kilobytes.
fn memory(scene: &Scene) -> u64 {
    const SCRIPT: &str = "
import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)";
    let home = scene.home("alice");
    let told = python(SCRIPT, &[BINARY, "--home", text(&home), "sync"]);
    told.trim().parse().expect("a number")
}

/// A few records, each with a key of as many columns as SQLite can be built for.
fn wide(scene: &Scene) -> PathBuf {
    let key = |number| Key((0..32_767).map(|_| Value::Integer(number)).collect());
    let changes = TableChanges {
        table: "t".to_owned(),
        passage: Passage::Within,
        key_columns: (0..32_767).map(|at| format!("k{at}")).collect(),
        columns: Vec::new(),
        records: (0..500).map(|number| bare(key(number))).collect(),
    };
    forge(scene, Counts { records: 500, ..Counts::default() }, |writer, hub| {
        writer.bytes(columns::member_name(Passage::Within, "t"), columns::encode(&changes, hub).expect("encoded"));
    })
}

/// Many tables that nobody has, of which there is nothing to say but the names of their columns.
fn names(scene: &Scene) -> PathBuf {
    let columns: Vec<String> = (0..30_000).map(|at| format!("c{at}")).collect();
    forge(scene, Counts { records: 50, ..Counts::default() }, |writer, hub| {
        for table in 0..50 {
            let changes = TableChanges {
                table: format!("t{table}"),
                passage: Passage::Within,
                key_columns: vec!["id".to_owned()],
                columns: columns.clone(),
                records: vec![bare(Key(vec![Value::Integer(1)]))],
            };
            let bytes = columns::encode(&changes, hub).expect("encoded");
            writer.bytes(columns::member_name(Passage::Within, &changes.table), bytes);
        }
    })
}

/// A record of which nothing is said.
fn bare(key: Key) -> RecordChange {
    RecordChange { key, birth: None, dead: None, whole: false, fields: Vec::new() }
}

type Bomb = fn(&Scene) -> PathBuf;

/// What its manifest says is more than is accepted: it stays where it is until somebody raises that, or takes it away.
#[test]
fn a_bomb_that_says_so_is_left_alone_and_costs_no_memory() {
    let bombs: [(Bomb, &str); 2] = [
        (gigabyte, "is beyond the limit of 268435456"),
        (|scene| million(scene, 2_000_000), "its number of records is beyond the limit of 1048576"),
    ];
    for (bomb, why) in bombs {
        let scene = scene();
        said(&scene, "as it should be");
        let usual = memory(&scene);
        let bomb = bomb(&scene);
        let taken = memory(&scene);
        assert!(taken < usual + (64 << 10), "{why}: {taken} kB, and {usual} kB else");
        scene.packhorse("alice", &["apply"]).expect(3).says(why).says("[limits]");
        assert_eq!(value(&scene, "alice"), "as it should be");
        let name = text(bomb.file_name().expect("a name").as_ref());
        scene.packhorse("alice", &["queue", "discard", name]).expect(0);
        heals(&scene);
    }
}

#[test]
fn a_bomb_that_lies_is_refused_and_costs_no_memory() {
    let scene = scene();
    said(&scene, "as it should be");
    let usual = memory(&scene);
    let bombs: [(Bomb, &str); 3] = [
        (|scene| million(scene, 10), "there are too many records"),
        (wide, "there are too many key values"),
        (names, "the columns are wrong"),
    ];
    for (bomb, why) in bombs {
        bomb(&scene);
        let taken = memory(&scene);
        assert!(taken < usual + (64 << 10), "{why}: {taken} kB, and {usual} kB else");
        let folder = files(&scene.home("alice").join("quarantine"));
        let mut reasons = folder.into_iter().filter_map(|file| fs::read_to_string(file).ok());
        assert!(reasons.any(|reason| reason.contains(why)), "it was not refused: {why}");
        heals(&scene);
    }
}

/// One end that accepts less than the other sends asks for nothing again, and takes it once it accepts more.
#[test]
fn what_a_node_accepts_is_configured() {
    let scene = scene();
    let config = scene.home("alice").join("packhorse.toml");
    let usual = fs::read_to_string(&config).expect("a configuration");
    let strict = usual.replace("# content = \"256 MiB\"", "content = \"100 B\"");
    assert_ne!(strict, usual);
    fs::write(&config, &strict).expect("written");
    said(&scene, &"long ".repeat(40));
    for _ in 0..3 {
        scene.packhorse("alice", &["sync"]).says("is beyond the limit of 100").says("[limits]");
        scene.packhorse("hq", &["sync"]);
    }
    assert!(files(&scene.home("alice").join("quarantine")).is_empty(), "it is said again and again");
    fs::write(&config, usual).expect("written");
    write(&scene, "alice", "short");
    heals(&scene);
    assert_eq!(value(&scene, "hq"), "short");
}

/// What comes into a set at once is one bundle, however much it is.
#[test]
fn much_that_comes_into_a_set_at_once_is_sent_and_taken() {
    let scene = Scene::hub(
        "CREATE TABLE firms (id INTEGER PRIMARY KEY, rep TEXT);
         CREATE TABLE people (id INTEGER PRIMARY KEY, firm INTEGER REFERENCES firms (id), name TEXT);
         INSERT INTO firms VALUES (1, 'bob');
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 120000) INSERT INTO people SELECT i, 1, 'n' || i FROM n",
    );
    let set =
        ["set", "add", "reps", "--table", "firms", "--where", "rep = :rep", "--table", "people", "--follow", "firm"];
    scene.packhorse("hq", &set).expect(0);
    scene.packhorse("hq", &["remote", "add", "alice", "--set", "reps", "--param", "rep=alice"]).expect(0);
    scene.pack_and_restore("alice");
    scene.sql("hq", "UPDATE firms SET rep = 'alice'");
    sync(&scene, &["hq", "alice"]);
    assert_eq!(scene.sql("alice", "SELECT count(*) FROM people"), "120000");
}
