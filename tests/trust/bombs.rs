//! Small files that would be large in memory: what they cost whoever gets them, from a peer whose signature counts.

use std::fs::{self, File};
use std::path::PathBuf;

use packhorse_shared::bundle::{BundleReader, BundleWriter, Counts, Limits, Manifest, Opening, Sealing, columns};
use packhorse_shared::change::{Passage, RecordChange, TableChanges};
use packhorse_shared::id::NodeId;
use packhorse_shared::keys::NodeKeys;
use packhorse_shared::keys::envelope::SealedTo;
use packhorse_shared::value::{Key, Value};

use super::{heals, is_refused, placed, said, scene};
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

/// A million records that take a byte each.
fn million(scene: &Scene, said: u64) -> PathBuf {
    let record = |number| RecordChange {
        key: Key(vec![Value::Integer(number)]),
        birth: None,
        dead: None,
        whole: false,
        fields: Vec::new(),
    };
    let changes = TableChanges {
        table: "t".to_owned(),
        passage: Passage::Within,
        key_columns: vec!["id".to_owned()],
        columns: Vec::new(),
        records: (0..1_000_000).map(record).collect(),
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

#[test]
fn a_bomb_is_refused_and_costs_no_memory() {
    let scene = scene();
    said(&scene, "as it should be");
    let usual = memory(&scene);
    type Bomb = fn(&Scene) -> PathBuf;
    let bombs: [(Bomb, &str); 3] = [
        (gigabyte, "is beyond the limit of 268435456"),
        (|scene| million(scene, 1_000_000), "its number of records is beyond the limit of 100000"),
        (|scene| million(scene, 10), "there are too many records"),
    ];
    for (bomb, why) in bombs {
        bomb(&scene);
        let taken = memory(&scene);
        assert!(taken < usual + (64 << 10), "{why}: {taken} kB, and {usual} kB else");
        let reason =
            files(&scene.home("alice").join("quarantine")).into_iter().filter_map(|file| fs::read_to_string(file).ok());
        assert!(reason.into_iter().any(|reason| reason.contains(why)), "it was not refused: {why}");
        heals(&scene);
    }
}

#[test]
fn what_a_node_accepts_is_configured() {
    let scene = scene();
    let config = scene.home("alice").join("packhorse.toml");
    let usual = fs::read_to_string(&config).expect("a configuration");
    let strict = usual.replace("# content = \"256 MiB\"", "content = \"100 B\"");
    assert_ne!(strict, usual);
    fs::write(&config, strict).expect("written");
    said(&scene, &"long ".repeat(40));
    is_refused(&scene, "is beyond the limit of 100");
    fs::write(&config, usual).expect("written");
    heals(&scene);
}
