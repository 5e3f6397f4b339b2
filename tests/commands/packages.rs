//! `restore` of what is damaged, of something else, or into a place that is taken: nothing is left, nothing replaced.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use crate::support::{Run, Scene, files, rewritten, text};

/// Incompressible enough for a package of many KiB.
const TABLE: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY, a BLOB);
INSERT INTO t SELECT value, randomblob(1000) FROM generate_series(1, 40)";

struct Package {
    scene: Scene,
    bytes: Vec<u8>,
}

/// A hub whose package for alice lies ready, and has not been restored.
fn package() -> Package {
    let scene = Scene::hub(TABLE);
    scene.packhorse("hq", &["remote", "add", "alice", "--unsealed"]).expect(0);
    scene.packhorse("hq", &["remote", "pack", "alice", "-o", "alice.rdb", "--no-passphrase"]).expect(0);
    let bytes = fs::read(scene.path("alice.rdb")).unwrap();
    fs::create_dir(scene.path("site")).unwrap();
    Package { scene, bytes }
}

impl Package {
    fn restore(&self) -> Run {
        self.scene.bare(&["restore", "tried.rdb", "--database", "site/a.db"])
    }

    fn left(&self) -> Vec<PathBuf> {
        files(&self.scene.path("site"))
    }

    /// Restores these bytes, which must be refused and leave nothing.
    #[track_caller]
    fn refused(&self, bytes: &[u8], code: i32, words: &[&str]) {
        fs::write(self.scene.path("tried.rdb"), bytes).unwrap();
        self.restore().refused(code, words);
        assert_eq!(self.left(), Vec::<PathBuf>::new());
    }

    #[track_caller]
    fn works(&self) {
        fs::write(self.scene.path("tried.rdb"), &self.bytes).unwrap();
        self.restore().expect(0).calm();
        let count = crate::support::sqlite(&self.scene.path("site/a.db"), "SELECT count(*) FROM t");
        assert_eq!(count, "40");
        self.scene.bare(&["--home", "site/a.db.packhorse", "sync"]).expect(0);
    }
}

#[test]
fn a_package_cut_short_anywhere_is_refused_and_leaves_nothing() {
    let package = package();
    assert!(package.bytes.len() > 40_000);
    let again = ["tried.rdb cannot be restored", "it is cut short", "copy the package here once more"];
    for end in (0..package.bytes.len()).step_by(1024).chain([package.bytes.len() - 1]) {
        package.refused(&package.bytes[..end], 1, &again);
    }
    package.works();
}

#[test]
fn a_package_with_one_byte_altered_anywhere_is_refused_and_leaves_nothing() {
    let package = package();
    let (start, end) = (0..400, package.bytes.len() - 60..package.bytes.len());
    let places = start.step_by(13).chain((400..end.start).step_by(1777)).chain(end.step_by(7));
    for place in places {
        let mut altered = package.bytes.clone();
        altered[place] ^= 0x10;
        package.refused(&altered, 1, &["tried.rdb cannot be restored"]);
    }
    let longer = [&package.bytes[..], b"x"].concat();
    package.refused(&longer, 1, &["tried.rdb cannot be restored", "copy the package here once more"]);
    package.works();
}

#[test]
fn something_else_than_a_package_is_refused_by_what_it_is() {
    let package = package();
    let scene = &package.scene;
    scene.sql("hq", "UPDATE t SET a = 'y' WHERE id = 1");
    scene.packhorse("hq", &["bundle", "--now"]).expect(0);
    let bundle = fs::read(&scene.outbox("hq", "alice")[0]).unwrap();
    package.refused(&bundle, 2, &["tried.rdb is a bundle, not a remote database package", "remote pack"]);
    let database = fs::read(scene.database("hq")).unwrap();
    for other in [&database[..], b"hello", &[0; 5000]] {
        package.refused(other, 1, &["tried.rdb cannot be restored", "neither a bundle nor a package", ".rdb"]);
    }
    scene.bare(&["restore", "missing.rdb", "--database", "site/a.db"]).refused(1, &["missing.rdb", "check the path"]);
    scene.bare(&["restore", "site", "--database", "site/a.db"]).refused(1, &["site", "name a file, not a folder"]);
    assert_eq!(package.left(), Vec::<PathBuf>::new());
}

#[test]
fn a_package_of_a_later_format_asks_for_an_update() {
    let package = package();
    let newer = rewritten(&package.bytes, &|manifest| manifest.format += 1);
    package.refused(&newer, 1, &["tried.rdb cannot be restored", "format 2", "up to 1", "update Packhorse here"]);
}

#[test]
fn an_existing_database_is_never_replaced() {
    let package = package();
    fs::write(package.scene.path("site/a.db"), "precious").unwrap();
    fs::write(package.scene.path("tried.rdb"), &package.bytes).unwrap();
    package.restore().refused(2, &["site/a.db is there already", "move it away or choose another path"]);
    assert_eq!(fs::read(package.scene.path("site/a.db")).unwrap(), b"precious");
    assert_eq!(package.left().len(), 1);
    let run = package.scene.bare(&["restore", "tried.rdb", "--database", "nowhere/a.db"]);
    run.refused(1, &["nowhere/a.db", "check the path"]);
}

#[test]
fn a_home_is_not_made_among_other_things_nor_given_to_two_databases() {
    let package = package();
    let scene = &package.scene;
    fs::write(scene.path("tried.rdb"), &package.bytes).unwrap();
    fs::create_dir(scene.path("photos")).unwrap();
    fs::write(scene.path("photos/a.jpg"), "x").unwrap();
    let to = |database: &str, home: &str| scene.bare(&["restore", "tried.rdb", "--database", database, "--home", home]);
    to("site/a.db", "photos").refused(2, &["photos", "a.jpg", "--home DIR"]);
    assert_eq!((package.left().len(), files(&scene.path("photos")).len()), (0, 1));
    to("site/a.db", "hq.home").refused(2, &["hq.home is a home already", "--home DIR"]);
    to("site/a.db", "mine").expect(0);
    to("site/b.db", "mine").refused(2, &["mine is a home already", "--home DIR"]);
    scene.packhorse("hq", &["remote", "add", "bob"]).expect(0);
    scene.packhorse("hq", &["remote", "pack", "bob", "-o", "bob.rdb", "--no-passphrase"]).expect(0);
    let bob = scene.bare(&["restore", "bob.rdb", "--database", "site/b.db", "--home", "mine"]);
    bob.refused(2, &["mine is a home already", "--home DIR"]);
    assert!(!scene.path("site/b.db").exists() && !scene.path("site/b.db.new").exists());
    assert_eq!(scene.bare(&["--home", "mine", "status", "--json"]).expect(0).json()["node"], "alice");
}

#[test]
fn a_restore_that_was_killed_anywhere_is_completed_by_running_it_again() {
    let package = package();
    fs::write(package.scene.path("tried.rdb"), &package.bytes).unwrap();
    let mut killed = 0;
    for millis in (0..60).step_by(3) {
        let mut command = package.scene.command();
        let mut child = command
            .args(["restore", "tried.rdb", "--database", "site/a.db"])
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(millis));
        child.kill().unwrap();
        if !child.wait().unwrap().success() {
            killed += 1;
        }
        if package.scene.path("site/a.db").exists() {
            // It was further than the name of the database: done but for the journal mode.
            for path in package.left() {
                if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
            }
        }
    }
    assert!(killed > 0, "at least one run was killed half-way");
    package.works();
}

#[test]
fn a_restore_that_was_cut_short_may_be_run_again_for_another_path_and_relay() {
    let package = package();
    let scene = &package.scene;
    fs::write(scene.path("tried.rdb"), &package.bytes).unwrap();
    scene.bare(&["restore", "tried.rdb", "--database", "site/first.db", "--home", "mine"]).expect(0);
    // As a kill before the database has its name leaves it.
    files(&scene.path("site")).iter().for_each(|file| fs::remove_file(file).unwrap());
    let relay = scene.path("relay/alice");
    let words = ["restore", "tried.rdb", "--database", "site/a.db", "--home", "mine", "--relay", text(&relay)];
    scene.bare(&words).expect(0);
    assert_eq!(scene.bare(&["--home", "mine", "status", "--json"]).expect(0).json()["database"], "a.db");
    scene.bare(&["--home", "mine", "sync"]).expect(0);
}
