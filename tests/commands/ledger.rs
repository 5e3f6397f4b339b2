//! A ledger that is damaged, missing, locked or cannot be written: it is told once, made again, and bundles move all
//! the same.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use packhorse_shared::clock::WallTime;
use packhorse_shared::id::NodeName;
use packhorse_shared::ledger::{Ledger, Lying, Stock, Why};
use packhorse_shared::seam::{OsClock, OsDisk, OsRandom, Uninterrupted, World};

use crate::support::volume::Volume;
use crate::support::{Run, Scene, files, text};

const TABLE: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT); INSERT INTO t VALUES (1, 'x')";

/// A hub and alice, whose ledgers have something in them.
fn pair() -> Scene {
    let scene = Scene::hub(TABLE);
    scene.remote("alice");
    scene.sql("hq", "UPDATE t SET a = 'first'");
    scene.settle("alice");
    scene
}

fn home(scene: &Scene, name: &str) -> PathBuf {
    scene.home("hq").join(name)
}

/// How often a run spoke of the ledger.
fn told(run: &Run) -> usize {
    run.err.lines().filter(|line| line.starts_with("the ledger")).count()
}

fn remove(path: &Path) {
    let _ = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
}

fn damaged(scene: &Scene) -> usize {
    let aside = |path: &&PathBuf| path.to_string_lossy().contains("ledger.damaged-");
    files(&scene.home("hq")).iter().filter(aside).count()
}

/// After some damage a change travels as ever; the first run tells of the ledger, once, and the next ones do not.
#[track_caller]
fn goes_on(scene: &Scene, round: usize, why: &str) {
    let value = format!("round {round}");
    scene.sql("hq", &format!("UPDATE t SET a = '{value}'"));
    let run = scene.packhorse("hq", &["bundle", "--now"]).expect(0).calm();
    assert_eq!(told(&run), 1, "round {round}, {why}: {run:#?}");
    let words = ["made again from what lies in the spool", "no change is lost", why];
    words.iter().for_each(|words| assert!(run.err.contains(words), "{words}: {run:#?}"));
    let run = scene.packhorse("hq", &["queue", "list", "--json"]).expect(0).calm();
    assert_eq!((run.json().as_array().unwrap().len(), told(&run)), (1, 0), "it is in the new books: {run:#?}");
    for node in ["hq", "alice", "hq"] {
        let run = scene.packhorse(node, &["sync"]).expect(0).calm();
        assert_eq!(told(&run), 0, "it is told once: {run:#?}");
    }
    assert_eq!(scene.sql("alice", "SELECT a FROM t"), value);
}

#[test]
fn a_new_home_begins_its_ledger_without_a_word() {
    let scene = Scene::hub(TABLE);
    scene.remote("alice");
    for node in ["hq", "alice"] {
        let run = scene.packhorse(node, &["queue", "list", "--json"]).expect(0);
        assert_eq!((run.out.as_str(), run.err.as_str()), ("[]\n", ""));
        assert_eq!(told(&scene.packhorse(node, &["sync"]).expect(0)), 0);
    }
}

#[test]
fn whatever_happens_to_its_files_is_told_once_and_mended() {
    let scene = pair();
    let write = |name: &str, content: &[u8]| fs::write(home(&scene, name), content).unwrap();
    let cut = |name: &str, length: u64| {
        File::options().write(true).open(home(&scene, name)).unwrap().set_len(length).unwrap();
    };
    let gone = |names: &[&str]| names.iter().for_each(|name| remove(&home(&scene, name)));
    type Damage<'a> = (&'a dyn Fn(), &'a str);
    let damages: [Damage<'_>; 12] = [
        (&|| gone(&["ledger"]), "was missing"),
        (&|| gone(&["ledger", "ledger.generation", "ledger.lock"]), "was missing"),
        (&|| files(&home(&scene, "ledger")).iter().for_each(|file| remove(file)), "its folder is empty"),
        (
            &|| {
                gone(&["ledger"]);
                write("ledger", b"a file")
            },
            "it is no folder",
        ),
        (&|| write("ledger/db", b""), "was damaged"),
        (&|| cut("ledger/db", 1000), "was damaged"),
        (&|| write("ledger/db", &[0; 600_000]), "was damaged"),
        (&|| write("ledger/db", &[0xa5; 600_000]), "was damaged"),
        (&|| write("ledger/conf", &[0xa5; 600]), "was damaged"),
        (&|| gone(&["ledger/db"]), "was damaged"),
        (&|| write("ledger.generation", b"garbage"), "was damaged"),
        (&|| gone(&["ledger.generation"]), "was damaged"),
    ];
    for (round, (damage, why)) in damages.iter().enumerate() {
        damage();
        goes_on(&scene, round, why);
    }
    assert_eq!(damaged(&scene), 3, "the last damaged ones are kept");
}

#[test]
fn a_flipped_bit_in_a_ledger_never_shows_and_never_stops_a_sync() {
    let scene = pair();
    for round in 0..24 {
        let path = home(&scene, "ledger/db");
        let mut content = fs::read(&path).unwrap();
        let used = content.iter().rposition(|byte| *byte != 0).unwrap();
        content[used * round / 24] ^= 1 << (round % 8);
        fs::write(&path, content).unwrap();
        scene.sql("hq", &format!("UPDATE t SET a = 'round {round}'"));
        for (node, may_tell) in [("hq", 1), ("alice", 0), ("hq", 0)] {
            let run = scene.packhorse(node, &["sync"]).expect(0).calm();
            assert!(told(&run) <= may_tell, "{run:#?}");
        }
        assert_eq!(scene.sql("alice", "SELECT a FROM t"), format!("round {round}"));
    }
}

/// A home's ledger with so many bundles in it that sled needs several segments of its file.
fn grow(home: &Path) {
    let alice: NodeName = "alice".parse().unwrap();
    let lying = |number: u64| Lying {
        file: format!("hq.alice.00000005.{number:06}.9a41c07be2d65f18.bundle"),
        size: number,
        written: WallTime(number),
        why: Why::Untold,
    };
    let ledger = Ledger::new(home, World { clock: &OsClock, random: &OsRandom, disk: &OsDisk, steps: &Uninterrupted });
    for upto in [3_000, 6_000] {
        let outbox = (0..upto).map(|number| (alice.clone(), lying(number))).collect();
        ledger.keep(|books| books.take_stock(&Stock { outbox, ..Stock::default() })).unwrap();
    }
}

fn copy(from: &Path, to: &Path) {
    remove(to);
    fs::create_dir_all(to.join("blobs")).unwrap();
    for file in files(from).iter().filter(|file| file.is_file()) {
        fs::copy(file, to.join(file.file_name().unwrap())).unwrap();
    }
}

/// Damages every segment of a large ledger in turn, and tells whether sled has panicked over one. Whatever it does, a
/// person sees words.
fn sled_panics(scene: &Scene) -> bool {
    const SEGMENT: usize = 512 * 1024;
    let (folder, kept) = (home(scene, "ledger"), home(scene, "kept"));
    remove(&folder);
    grow(&scene.home("hq"));
    copy(&folder, &kept);
    let (sound, generation) = (fs::read(kept.join("db")).unwrap(), fs::read(home(scene, "ledger.generation")).unwrap());
    (0..sound.len()).step_by(SEGMENT).any(|segment| {
        copy(&kept, &folder);
        fs::write(home(scene, "ledger.generation"), &generation).unwrap();
        let mut damaged = sound.clone();
        let place = (segment + 100_000).min(sound.len() - 4096);
        damaged[place..place + 4096].fill(0);
        fs::write(folder.join("db"), damaged).unwrap();
        let run = scene.packhorse("hq", &["queue", "list"]).expect(0).calm();
        assert_eq!(told(&scene.packhorse("hq", &["queue", "list"]).expect(0).calm()), 0);
        run.err.contains("reading it broke off")
    })
}

/// Over the same damage sled panics or not, by how it has laid out its pages.
#[test]
fn a_panic_over_a_large_ledger_is_told_in_words() {
    let scene = pair();
    if !(0..8).any(|_| sled_panics(&scene)) {
        eprintln!("SKIPPED: sled has not panicked over any of these damages");
    }
}

/// sled 0.34 itself now and then finds a wrong checksum after a kill: not once in 14,000 kills of a process alone on its
/// machine, but about once in 500 beside a whole test run. The ledger is made again then, which is told, and nothing is lost.
const MOST_REMADE: usize = 2;

#[test]
fn a_run_that_is_killed_at_any_moment_costs_no_change_and_hardly_ever_the_ledger() {
    let scene = Scene::hub(TABLE);
    scene.remote("alice");
    let mut remade = 0;
    for round in 0..50 {
        scene.sql("hq", &format!("UPDATE t SET a = 'round {round}'"));
        let mut command = scene.command();
        let words = ["--home", text(&scene.home("hq")), "sync"].map(str::to_owned);
        let mut child = command.args(words).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(round * 3));
        child.kill().unwrap();
        child.wait().unwrap();
        remade += told(&scene.packhorse("hq", &["queue", "list"]).expect(0).calm());
        let again = scene.packhorse("hq", &["queue", "list"]).expect(0).calm();
        assert_eq!(told(&again), 0, "round {round}: {again:#?}");
    }
    assert!(remade <= MOST_REMADE, "made again {remade} times");
    scene.settle("alice");
    assert_eq!(scene.sql("alice", "SELECT a FROM t"), "round 49");
}

#[test]
fn a_ledger_that_another_process_holds_for_a_moment_is_waited_for() {
    let scene = pair();
    scene.sql("hq", "UPDATE t SET a = 'meanwhile'");
    let lock = File::options().read(true).write(true).open(home(&scene, "ledger.lock")).unwrap();
    lock.lock().unwrap();
    let mut command = scene.command();
    let words = ["--home", text(&scene.home("hq")), "bundle", "--now"].map(str::to_owned);
    let child = command.args(words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while scene.outbox("hq", "alice").is_empty() {
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    drop(lock);
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && !said.contains("the ledger"), "{said}");
    assert_eq!(scene.packhorse("hq", &["queue", "list", "--json"]).expect(0).json().as_array().unwrap().len(), 1);
}

#[test]
fn a_ledger_that_another_process_never_gives_back_stops_no_bundle() {
    let scene = pair();
    scene.sql("hq", "UPDATE t SET a = 'all the same'");
    let lock = File::options().read(true).write(true).open(home(&scene, "ledger.lock")).unwrap();
    lock.lock().unwrap();
    let run = scene.packhorse("hq", &["sync"]).expect(0).calm();
    assert_eq!(told(&run), 1, "{run:#?}");
    assert!(run.err.contains("in use by another run"), "{run:#?}");
    drop(lock);
    for node in ["alice", "hq"] {
        scene.sync(node);
    }
    assert_eq!(scene.sql("alice", "SELECT a FROM t"), "all the same");
}

#[test]
fn a_ledger_that_cannot_be_written_is_told_once_a_run_and_stops_no_bundle() {
    let scene = Scene::hub(TABLE);
    scene.remote("alice");
    let Some(volume) = Volume::mount(&home(&scene, "ledger"), 1) else { return };
    scene.sql("hq", "UPDATE t SET a = 'first'");
    scene.settle("alice");
    volume.read_only(true);
    scene.sql("hq", "UPDATE t SET a = 'read-only'");
    for node in ["hq", "alice", "hq"] {
        let run = scene.packhorse(node, &["sync"]).expect(0).calm();
        assert_eq!(told(&run), usize::from(node == "hq"), "{run:#?}");
        assert!(node == "alice" || run.err.contains("bundles move all the same"), "{run:#?}");
    }
    assert_eq!(scene.sql("alice", "SELECT a FROM t"), "read-only");
    let run = scene.packhorse("hq", &["queue", "list", "--json"]).expect(0).calm();
    assert_eq!(told(&run), 1, "what lies in the spool can be told without it: {run:#?}");
    volume.read_only(false);
    volume.fill(0);
    scene.sql("hq", "UPDATE t SET a = 'full'");
    for node in ["hq", "alice", "hq"] {
        assert!(told(&scene.packhorse(node, &["sync"]).expect(0).calm()) <= 1);
    }
    volume.empty();
    assert_eq!(scene.sql("alice", "SELECT a FROM t"), "full");
    scene.settle("alice");
}

#[test]
fn a_ledger_whose_lock_cannot_be_used_stops_no_bundle() {
    let scene = pair();
    remove(&home(&scene, "ledger.lock"));
    fs::create_dir(home(&scene, "ledger.lock")).unwrap();
    scene.sql("hq", "UPDATE t SET a = 'all the same'");
    let run = scene.packhorse("hq", &["sync"]).expect(0).calm();
    assert_eq!(told(&run), 1, "{run:#?}");
    scene.packhorse("hq", &["queue", "list"]).expect(0).calm();
    scene.packhorse("hq", &["status"]).expect(0);
    for node in ["alice", "hq"] {
        scene.packhorse(node, &["sync"]).expect(0);
    }
    assert_eq!(scene.sql("alice", "SELECT a FROM t"), "all the same");
}

#[test]
fn status_does_not_need_the_ledger() {
    let scene = pair();
    let before = scene.packhorse("hq", &["status", "--json"]).expect(0);
    fs::write(home(&scene, "ledger/db"), "garbage").unwrap();
    let run = scene.packhorse("hq", &["status", "--json"]).expect(0);
    assert_eq!((run.out, run.err.as_str()), (before.out, ""));
    assert_eq!(fs::read(home(&scene, "ledger/db")).unwrap(), b"garbage", "it is not even opened");
}
