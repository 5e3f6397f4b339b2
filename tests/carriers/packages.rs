//! Packages that are dropped on servers and got from there.

use std::fs;
use std::path::PathBuf;

use super::office::Office;
use crate::support::Run;
use crate::support::servers::Kind;

const SCHEMA: &str = "CREATE TABLE t (k TEXT PRIMARY KEY, v TEXT);
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400)
    INSERT INTO t SELECT i, hex(randomblob(200)) FROM n";

/// A hub whose remote alice has no package yet.
struct Shop(Office);

impl Shop {
    fn open(kind: Kind) -> Option<Self> {
        let office = Office::hub(kind, SCHEMA)?;
        office.add("alice");
        Some(Self(office))
    }

    /// Alice's folder as the hub and as she reaches it.
    fn folders(&self) -> [String; 2] {
        let at_hub = format!("{}/alice", self.0.server.url().trim_end_matches('/'));
        let own = self.0.server.url_of("alice").unwrap_or_else(|| at_hub.clone());
        [at_hub, own]
    }

    fn pack(&self) -> Run {
        let [folder, _] = self.folders();
        self.0.run("hq", &["remote", "pack", "alice", "-o", "alice.rdb", "--no-passphrase", "--deliver", &folder])
    }

    fn restore(&self) -> Run {
        let [_, folder] = self.folders();
        let package = format!("{}/alice.rdb", folder.trim_end_matches('/'));
        self.0.run("alice", &["restore", &package, "--database", "alice.db"])
    }

    /// Where her package is collected.
    fn collected(&self) -> PathBuf {
        self.0.scene.path("alice.db.rdb.part")
    }
}

#[test]
fn a_package_is_dropped_on_a_server_and_restored_from_there() {
    for kind in Kind::ALL {
        let Some(shop) = Shop::open(kind) else { continue };
        let [folder, _] = shop.folders();
        let told = shop.pack().expect(0);
        assert!(told.out.contains(&format!("{folder}/alice.rdb\n")), "{kind:?}: {told:?}");
        shop.restore().expect(0).says("restored 400 records from hq");
        assert!(!shop.collected().exists(), "{kind:?}: what was got has been used");
        for node in ["alice", "hq"] {
            shop.0.run(node, &["sync"]).expect(0);
        }
        shop.0.scene.same("t", "hq", "alice");
    }
}

/// A server that cannot compare content would go on with what an older one has left.
#[test]
fn a_new_package_takes_the_place_of_an_old_one_and_of_its_beginning() {
    for kind in Kind::ALL {
        let Some(shop) = Shop::open(kind) else { continue };
        shop.pack().expect(0);
        let there = shop.0.server.relay().join("alice");
        let old = fs::read(there.join("alice.rdb")).expect("a package");
        fs::write(there.join("alice.rdb.part"), &old[..1_000]).expect("a beginning");
        fs::remove_file(shop.0.scene.path("alice.rdb")).expect("it was there");
        shop.pack().expect(0);
        let new = fs::read(there.join("alice.rdb")).expect("a package");
        assert_eq!(new, fs::read(shop.0.scene.path("alice.rdb")).expect("a package"), "{kind:?}");
        assert!(new != old && !there.join("alice.rdb.part").exists(), "{kind:?}");
    }
}

#[test]
fn a_fetch_goes_on_with_what_has_come_and_begins_anew_if_that_was_something_else() {
    for kind in Kind::ALL {
        let Some(shop) = Shop::open(kind) else { continue };
        shop.pack().expect(0);
        let package = fs::read(shop.0.scene.path("alice.rdb")).expect("a package");
        fs::write(shop.collected(), vec![b'x'; package.len() / 2]).expect("a beginning of something else");
        shop.restore().expect(0).says("restored 400 records from hq");
        assert!(!shop.collected().exists(), "{kind:?}");
    }
}

#[test]
fn what_cannot_be_restored_is_told_before_or_after_it_was_got() {
    let Some(shop) = Shop::open(Kind::Sftp) else { return };
    shop.restore().expect(1).says("there is no alice.rdb in sftp://");
    shop.pack().expect(0);
    let there = shop.0.server.relay().join("alice/alice.rdb");
    let package = fs::read(&there).expect("a package");
    fs::write(&there, &package[..package.len() - 100]).expect("a damaged one");
    shop.restore().expect(1).says("alice.db.rdb");
    assert!(!shop.collected().exists(), "what is of no use does not stay");
    fs::write(&there, &package).expect("the whole one");
    fs::write(shop.0.scene.path("alice.db"), "somebody's").expect("a file");
    shop.restore().expect(2).says("alice.db");
    assert!(!shop.collected().exists(), "nothing is got for a place that is taken");
    shop.0.run("alice", &["restore", &shop.0.server.url(), "--database", "a.db"]).expect(1).says("there is no");
    shop.0.run("alice", &["restore", "sftp://127.0.0.1", "--database", "a.db"]).expect(2).says("names no file");
}

/// A package that is made makes the one before it worthless.
#[test]
fn nothing_is_packed_for_a_folder_that_is_not_there() {
    for kind in Kind::ALL {
        let Some(shop) = Shop::open(kind) else { continue };
        let nowhere = format!("{}/nowhere", shop.0.server.url().trim_end_matches('/'));
        let words = ["remote", "pack", "alice", "-o", "alice.rdb", "--no-passphrase", "--deliver", &nowhere];
        shop.0.run("hq", &words).expect(4).says("there is no folder");
        assert!(!shop.0.scene.path("alice.rdb").exists(), "{kind:?}");
        assert!(!shop.0.server.relay().join("nowhere").exists(), "{kind:?}");
    }
}
