//! The walk over the steps of harvest, seal, transfer, apply and quarantine: at each the run is killed, or its disk is
//! full, or broken, at both ends; the next runs bring them together, with nothing lost and no number used twice.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use packhorse_shared::seam::Step;

use super::making;
use super::scene::{Fault, KINDS, Numbers, Reached, all, copy, heal, is_sound, left, make_movable, run, struck};
use crate::support::Scene;

const TABLES: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b TEXT);
CREATE TABLE notes (id INTEGER PRIMARY KEY, t INTEGER REFERENCES t(id), words TEXT);
INSERT INTO t SELECT value, 'x', 'x' FROM generate_series(1, 2100)";

/// What is run in every case until the fault has struck at both ends: each line at the hub, then at the remote.
const SCRIPT: [&[&str]; 4] = [&["bundle", "--now"], &["transfer"], &["apply"], &["sync"]];

/// How often the last line is run again. Halfway each end makes one more edit, so that each has something to acknowledge
/// and hears a bare acknowledgement.
const AGAIN: usize = 6;

/// Horizons lie on whole seconds: only after one has passed can there be a later one.
const PAST_A_SECOND: Duration = Duration::from_millis(1_001);

/// The nodes, and where the keys of their notes begin.
const ENDS: [(&str, i32); 2] = [("hq", 0), ("alice", 1_000_000)];

/// What only a remote does.
const OF_REMOTES: [Step; 1] = [Step::TermsTakenOver];

/// A set that shares the same as `everything`, in other words: the remote is told so.
const SET: &str = "
[[set.all.table]]
name = \"t\"
columns = [\"a\", \"b\"]
[[set.all.table]]
name = \"notes\"
";

fn peer_of(node: &str) -> &'static str {
    if node == "hq" { "alice" } else { "hq" }
}

/// The SQL of a node's note.
fn note(node: &str, first: i32, at: i32) -> String {
    format!("INSERT INTO notes VALUES ({}, {at}, '{node} {at}')", first + at)
}

/// A node's edit, sealed; where the bundle is.
fn seal(scene: &Scene, node: &str, sql: &str) -> PathBuf {
    scene.sql(node, sql);
    scene.packhorse(node, &["bundle", "--now"]).expect(0);
    scene.outbox(node, peer_of(node)).pop().expect("a bundle")
}

/// Moves a bundle on its way, and damages it: its last bit is another, its length the same.
fn move_damaged(bundle: &Path, folder: &Path) {
    let mut bytes = std::fs::read(bundle).expect("a bundle");
    *bytes.last_mut().expect("content") ^= 1;
    std::fs::write(folder.join(bundle.file_name().expect("a name")), bytes).expect("a bundle");
    std::fs::remove_file(bundle).expect("it moves");
}

/// A hub and a remote that agree, with small bundles.
fn pair() -> Scene {
    let scene = Scene::hub(TABLES);
    scene.remote("alice");
    for node in ["hq", "alice"] {
        let config = scene.home(node).join("packhorse.toml");
        let words = std::fs::read_to_string(&config).expect("a configuration");
        std::fs::write(&config, words.replace("# bundle_max = \"256 KiB\"", "bundle_max = \"24 KiB\"")).expect("one");
        make_movable(&scene, node);
    }
    scene.settle("alice");
    scene
}

/// The pair; for each end: in its inbox a bundle that it had applied before and a damaged one, on the relay another
/// damaged one, in `tmp` what killed runs left (two nameless drafts, a bundle with a number), and in the database edits
/// of so many records that harvesting takes two locks and sealing two bundles.
fn prepared() -> Scene {
    let scene = pair();
    let note =
        |node: &str, first: i32, at: i32| format!("INSERT INTO notes VALUES ({}, {at}, '{node} {at}')", first + at);
    let mut old = Vec::new();
    for (node, first) in ENDS {
        let peer = peer_of(node);
        let sent = seal(&scene, node, &note(node, first, 1));
        let again = scene.home(peer).join("inbox").join(sent.file_name().expect("a name"));
        old.push((again, std::fs::read(&sent).expect("a bundle")));
        scene.packhorse(node, &["transfer"]).expect(0);
        scene.packhorse(peer, &["transfer"]).expect(0);
        scene.packhorse(peer, &["apply"]).expect(0);
    }
    for (node, first) in ENDS {
        let (peer, folder) = (peer_of(node), if node == "hq" { "down" } else { "up" });
        move_damaged(&seal(&scene, node, &note(node, first, 2)), &scene.home(peer).join("inbox"));
        move_damaged(&seal(&scene, node, &note(node, first, 3)), &scene.path("relay/alice").join(folder));
        scene.sql(node, &note(node, first, 4));
        let fault = Fault { step: Step::BundleNumbered, number: 1, kind: "kill" };
        run(&scene, node, &["bundle", "--now"], Some(fault));
        for draft in ["sealing-1", "sealing-2"] {
            std::fs::write(scene.home(node).join("tmp").join(draft), "half a bundle").expect("a draft");
        }
        let column = if node == "hq" { "a" } else { "b" };
        scene.sql(node, &format!("UPDATE t SET {column} = '{node} ' || id"));
    }
    let config = scene.home("hq").join("packhorse.toml");
    let words = std::fs::read_to_string(&config).expect("a configuration");
    let other = words.replace("\nset = \"everything\"", "\nset = \"all\"");
    assert_ne!(words, other);
    std::fs::write(&config, other + SET).expect("one");
    old.iter().for_each(|(place, bytes)| std::fs::write(place, bytes).expect("it comes again"));
    scene
}

/// Each end's last edit, if it is not made yet.
fn write_late(scene: &Scene) {
    for (node, first) in ENDS {
        let edit = note(node, first, 5).replace("INSERT", "INSERT OR IGNORE");
        scene.sql(node, &edit);
    }
}

/// Everything that was written at either end.
fn is_complete(scene: &Scene, node: &str) -> bool {
    let sql = "SELECT (SELECT count(*) FROM t WHERE a = 'hq ' || id AND b = 'alice ' || id), \
               (SELECT group_concat(words, ',') FROM (SELECT words FROM notes ORDER BY id))";
    let notes = "hq 1,hq 2,hq 3,hq 4,hq 5,alice 1,alice 2,alice 3,alice 4,alice 5";
    scene.sql(node, sql) == format!("2100|{notes}")
}

/// Plays the script, with the fault at each end until it has struck there; which of them it struck, and what each end
/// reached at most in one run.
fn play(scene: &Scene, fault: Option<Fault>) -> (BTreeSet<&'static str>, [Reached; 2]) {
    let (mut hit, mut most) = (BTreeSet::new(), [Reached::new(), Reached::new()]);
    let mut numbers = Numbers::default();
    let again = std::iter::repeat_n(SCRIPT[3], AGAIN).enumerate();
    for (line, words) in SCRIPT.into_iter().map(|words| (AGAIN, words)).chain(again) {
        if line == AGAIN / 2 {
            std::thread::sleep(PAST_A_SECOND);
            write_late(scene);
        }
        for (node, most) in ["hq", "alice"].into_iter().zip(&mut most) {
            let armed = fault.filter(|_| !hit.contains(node));
            let (_, reached) = run(scene, node, words, armed);
            if armed.is_some_and(|fault| struck(&reached, fault)) {
                hit.insert(node);
            }
            for (step, times) in reached {
                let known = most.entry(step).or_default();
                *known = times.max(*known);
            }
            numbers.look(scene);
        }
        if hit.len() == ENDS.len() {
            break;
        }
    }
    write_late(scene);
    heal(scene, &mut numbers, || ["hq", "alice"].iter().all(|node| is_complete(scene, node)));
    for node in ["hq", "alice"] {
        is_sound(scene, node);
        let link = scene.packhorse(node, &["status", "--json"]).expect(0).json()["links"][0].clone();
        assert_eq!((&link["pending_changes"], &link["held"]), (&0.into(), &0.into()), "{node}");
    }
    (hit, most)
}

#[test]
fn a_run_that_ends_at_any_durable_step_is_healed_by_the_next() {
    let scene = prepared();
    let (_, most) = play(&copy(&scene), None);
    let mut cases = Vec::new();
    for step in Step::ALL.iter().copied().filter(|step| !making::STEPS.contains(step)) {
        let ends = ["hq", "alice"].iter().zip(&most).skip(usize::from(OF_REMOTES.contains(&step)));
        for (node, most) in ends.clone() {
            assert!(most.contains_key(&step), "{step} is not reached at {node}: the walk has to go there");
        }
        let later = ends.map(|(_, most)| most).all(|most| most[&step] > 1);
        for number in if later { 1..=2 } else { 1..=1 } {
            cases.extend(KINDS.map(|kind| Fault { step, number, kind }));
        }
    }
    all(&cases, |fault| {
        let scene = copy(&scene);
        let (hit, _) = play(&scene, Some(*fault));
        let ends = if OF_REMOTES.contains(&fault.step) { 1 } else { 2 };
        assert_eq!(hit.len(), ends, "struck only {hit:?}");
        assert_eq!(left(&scene), Vec::<PathBuf>::new());
    });
}
