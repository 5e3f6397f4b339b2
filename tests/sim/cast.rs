//! Who plays: the nodes of a story, and how they are set up. Invariant: each cast is set up once for a process, by the real
//! commands, and every story of it begins with a copy of that.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use packhorse_shared::seam::{Step, set_to_work};
use simulated_machine::fate::{self, Aim, End, Fault};
use tempfile::TempDir;

use crate::application::{self, SCHEMA};
use crate::ids::{At, Millis};
use crate::machinery;
use crate::node::{Node, copy_folder};
use crate::shares::{Share, Terms};

/// When every story begins.
pub const BEGIN: Millis = Millis(1_790_000_000_000);

/// A member of a cast: its name, the place of its hub in the list, what it shares with it.
type Member = (&'static str, Option<usize>, Share);

const ALICE: Share = Share::Sales("alice");
const BOB: Share = Share::Sales("bob");

/// The casts: stars, pairs and trees.
pub const CASTS: [&[Member]; 7] = [
    &[("hq", None, Share::Everything), ("alice", Some(0), ALICE), ("bob", Some(0), BOB)],
    &[("hq", None, Share::Everything), ("alice", Some(0), ALICE), ("carol", Some(0), Share::Everything)],
    &[("hq", None, Share::Everything), ("carol", Some(0), Share::Everything)],
    &[("hq", None, Share::Everything), ("alice", Some(0), ALICE), ("anna", Some(0), ALICE), ("bob", Some(0), BOB)],
    &[("hq", None, Share::Everything), ("mid", Some(0), Share::Everything), ("leaf", Some(1), Share::Everything)],
    &[
        ("hq", None, Share::Everything),
        ("mid", Some(0), Share::Everything),
        ("leaf", Some(1), Share::Everything),
        ("lena", Some(1), ALICE),
        ("bob", Some(0), BOB),
    ],
    &[("hq", None, Share::Everything), ("alice", Some(0), ALICE), ("mona", Some(1), Share::Everything)],
];

/// How the making of a cast's hub is stopped.
const ENDS: [End; 3] = [End::Kill, End::Once(Fault::Full), End::Once(Fault::Broken)];

/// The nodes of a cast below a folder.
pub fn nodes(cast: usize, root: &Path) -> Vec<Node> {
    let node = |(name, hub, share): &Member| Node {
        name,
        hub: hub.map(At),
        share: *share,
        folder: root.join(name),
        offset: 0,
        rate: 0,
        calls: 0,
        readings: 0,
        died: false,
    };
    CASTS[cast].iter().map(node).collect()
}

/// Where the relay is.
pub fn relay(root: &Path) -> PathBuf {
    root.join("relay")
}

/// A folder of a story's own. In memory, where there is such a place: what is durable is simulated anyway.
pub fn folder() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a temporary folder")
}

static MADE: Mutex<BTreeMap<usize, TempDir>> = Mutex::new(BTreeMap::new());

/// Sets a cast up in a folder. No simulation is under way on this thread.
pub fn set_up(cast: usize, root: &Path) {
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    let template = made.entry(cast).or_insert_with(|| {
        let template = folder();
        // It is everybody's, also of stories without the saboteur that is at work here.
        let saboteur = set_to_work(None);
        make(cast, template.path());
        set_to_work(saboteur);
        template
    });
    copy_folder(template.path(), root);
}

fn make(cast: usize, root: &Path) {
    let _machine = simulated_machine::arm(cast as u64, BEGIN.0);
    let mut nodes = nodes(cast, root);
    fs::create_dir(relay(root)).expect("a relay");
    fs::create_dir(&nodes[0].folder).expect("a folder");
    let connection = nodes[0].open();
    connection.execute_batch("PRAGMA journal_mode = WAL").expect("a journal");
    connection.execute_batch(SCHEMA).expect("the schema");
    drop(connection);
    let (database, relay) = (text(&nodes[0].database()), text(&relay(root)));
    let init = ["init", "--database", &database, "--name", "hq", "--relay", &relay];
    // It has two durable steps, and may stop at each in three ways. Given again it completes what was stopped.
    machinery::befall(1 + cast as u64 % 2, ENDS[cast / 2 % ENDS.len()]);
    nodes[0].run(&init, BEGIN);
    machinery::nothing_between();
    ok(&mut nodes[0], &init);
    make_movable(&nodes[0], root);
    for at in 1..nodes.len() {
        join(&mut nodes, at);
        make_movable(&nodes[at], root);
    }
}

/// A remote is added to its hub and set up with its package.
fn join(nodes: &mut [Node], at: usize) {
    let At(hub) = nodes[at].hub.expect("a hub");
    let (name, share) = (nodes[at].name, nodes[at].share);
    let terms = Terms::default().text();
    if matches!(share, Share::Sales(_)) {
        nodes[hub].edit_config(|words| if words.contains("\n[[set.sales") { words } else { words + "\n" + &terms });
    }
    let words: Vec<String> =
        ["remote".to_owned(), "add".to_owned(), name.to_owned()].into_iter().chain(share.words()).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    fate::aim(vec![Aim { point: Step::RemoteFolderMade.name(), end: ENDS[at % ENDS.len()] }]);
    nodes[hub].run(&words, BEGIN);
    ok(&mut nodes[hub], &words);
    fs::create_dir_all(&nodes[at].folder).expect("a folder");
    pack(nodes, at, &nodes[at].folder.join("package.rdb"));
    restore(&mut nodes[at]);
}

/// The hub makes a remote's package.
pub fn pack(nodes: &mut [Node], at: usize, file: &Path) {
    let At(hub) = nodes[at].hub.expect("a hub");
    let _ = fs::remove_file(file);
    let name = nodes[at].name;
    ok(&mut nodes[hub], &["remote", "pack", name, "-o", &text(file), "--no-passphrase"]);
}

/// A node is set up with the package in its folder.
pub fn restore(node: &mut Node) {
    let (package, database) = (text(&node.folder.join("package.rdb")), text(&node.database()));
    ok(node, &["restore", &package, "--database", &database]);
}

/// Names the relay relative to the home, as the whole folder is copied.
pub fn make_movable(node: &Node, root: &Path) {
    let here = text(root);
    node.edit_config(|words| words.replace(&format!("{here}/"), "../../"));
}

fn ok(node: &mut Node, words: &[&str]) {
    let ran = node.run(words, BEGIN);
    assert_eq!(ran.exit, 0, "{} {words:?}: {ran:?}", node.name);
}

/// A path as a command line has it.
pub fn text(path: &Path) -> String {
    path.to_str().expect("a path that is text").to_owned()
}

/// What is seen at a node.
pub fn look(node: &Node) -> application::Picture {
    application::look(&node.open()).unwrap_or_else(|error| panic!("{} cannot be read: {error}", node.name))
}
