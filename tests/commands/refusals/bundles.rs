//! `bundle`, `apply`, `status` and `notices`: nodes that there are not, databases that are held or changed, and an inbox
//! with anything in it.

use std::fs;
use std::path::PathBuf;

use packhorse_shared::bundle::{BundleName, ShortDigest};
use packhorse_shared::id::NetworkId;

use super::super::databases::Holder;
use super::catalogue::Catalogue;
use super::scenes::pair;
use crate::support::{Scene, rewritten};

#[test]
fn bundle_and_apply() {
    let mut book = Catalogue::of("bundles");
    let scene = pair();
    book.at(&scene, "hq").typed("a node that there is not", &["bundle", "bob"]);
    book.at(&scene, "hq").typed("notices, no subcommand", &["notices"]);
    held_and_changed(&mut book);
    disks(&mut book);
    inbox(&mut book);
    book.close();
}

fn held_and_changed(book: &mut Catalogue) {
    let scene = pair();
    scene.sql("hq", "UPDATE firms SET name = 'other' WHERE id = 1");
    let holder = Holder::of(&scene, "hq.db");
    book.at(&scene, "hq").typed("a database that another program holds", &["bundle", "--now"]);
    drop(holder);
    scene.sql("hq", "DROP TABLE _packhorse_links");
    book.at(&scene, "hq").typed("status, a table of ours that is gone", &["status"]);
    for end in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(scene.path(&format!("hq.db{end}")));
    }
    book.at(&scene, "hq").typed("apply, a database that is gone", &["apply"]);
    fs::write(scene.database("hq"), "").unwrap();
    book.at(&scene, "hq").typed("status, a database that was emptied", &["status"]);
}

fn disks(book: &mut Catalogue) {
    let scene = pair();
    scene.sql("hq", "UPDATE firms SET name = 'other' WHERE id = 1");
    for fault in ["harvest-unpublished=full", "bundle-drafted=full", "bundle-named=io"] {
        book.at(&scene, "hq").with("PACKHORSE_FAULT", fault).typed("a disk that fails", &["bundle", "--now"]);
    }
    scene.sync("hq");
    scene.packhorse("alice", &["transfer"]).expect(0);
    let fault = "apply-uncommitted=full";
    book.at(&scene, "alice").with("PACKHORSE_FAULT", fault).typed("apply, a disk that fails", &["apply"]);
}

/// One bundle after the other, each alone in alice's inbox.
fn inbox(book: &mut Catalogue) {
    let scene = pair();
    scene.unseal("alice");
    scene.sql("hq", "UPDATE firms SET name = 'other' WHERE id = 1");
    scene.packhorse("hq", &["bundle", "--now"]).expect(0);
    let path = scene.outbox("hq", "alice").remove(0);
    let name: BundleName = path.file_name().unwrap().to_string_lossy().parse().unwrap();
    let sound = fs::read(path).unwrap();
    let mut flipped = sound.clone();
    flipped[sound.len() / 2] ^= 4;
    let named = |bytes: &[u8]| BundleName { digest: ShortDigest::of(bytes).unwrap(), ..name.clone() };
    for (what, bytes) in [
        ("a bundle cut short", sound[..sound.len() / 2].to_vec()),
        ("a bundle with a bit flipped", flipped.clone()),
        ("a package under a bundle's name", fs::read(scene.path("alice.rdb")).unwrap()),
        ("a bundle of another network", rewritten(&sound, &|manifest| manifest.network = NetworkId(7))),
        ("a bundle of a later format", rewritten(&sound, &|manifest| manifest.format += 1)),
        ("a bundle of another installation", rewritten(&sound, &|manifest| manifest.node.0 ^= 1)),
    ] {
        arrived(book, &scene, what, &named(&bytes).to_string(), &bytes);
    }
    arrived(book, &scene, "a bundle with another digest in its name", &name.to_string(), &flipped);
    let to_bob = BundleName { to: "bob".parse().unwrap(), ..name.clone() };
    arrived(book, &scene, "a bundle for somebody else", &to_bob.to_string(), &sound);
    let from_zed = BundleName { from: "zed".parse().unwrap(), ..name.clone() };
    arrived(book, &scene, "a bundle from nobody known", &from_zed.to_string(), &sound);
    arrived(book, &scene, "a letter", "letter.txt", b"Dear Sir or Madam");
    arrived(book, &scene, "a name with control characters", "a\u{1b}[2Jb\u{7}", b"x");
    let in_inbox = in_inbox(&scene, "folder");
    fs::create_dir(&in_inbox).unwrap();
    book.at(&scene, "alice").typed("apply, a folder", &["apply"]);
    fs::remove_dir(in_inbox).unwrap();
}

fn in_inbox(scene: &Scene, name: &str) -> PathBuf {
    scene.home("alice").join("inbox").join(name)
}

fn arrived(book: &mut Catalogue, scene: &Scene, what: &str, name: &str, bytes: &[u8]) {
    fs::write(in_inbox(scene, name), bytes).unwrap();
    book.at(scene, "alice").typed(&format!("apply, {what}"), &["apply"]);
    for folder in ["inbox", "quarantine"] {
        for file in crate::support::files(&scene.home("alice").join(folder)) {
            fs::remove_file(file).unwrap();
        }
    }
}
