//! Links that are sealed: what a relay, a stranger or a stolen laptop can do to them, which is to delay and to lose.

#[cfg(unix)]
mod accounts;
mod bombs;
mod commands;
mod courier;
mod packages;
mod revoked;
#[cfg(unix)]
mod secrets;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use packhorse_shared::bundle::{
    Addressee, BundleName, BundleReader, BundleWriter, Limits, Opening, Sealing, ShortDigest,
};
use packhorse_shared::id::NodeId;
use packhorse_shared::keys::envelope::SealedTo;
use packhorse_shared::keys::{KeyNumber, NodeKeys};

use crate::support::{Scene, files, rewritten, text};

/// A hub and alice, who are equal, and whose link is sealed.
fn scene() -> Scene {
    let scene = Scene::hub("CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES (1, 'first')");
    scene.remote("alice");
    sync(&scene, &["alice", "hq", "alice", "hq"]);
    scene
}

fn sync(scene: &Scene, nodes: &[&str]) {
    nodes.iter().for_each(|node| drop(scene.packhorse(node, &["sync"]).expect(0)));
}

fn write(scene: &Scene, node: &str, value: &str) {
    scene.sql(node, &format!("UPDATE t SET v = '{value}' WHERE id = 1"));
}

fn value(scene: &Scene, node: &str) -> String {
    scene.sql(node, "SELECT v FROM t WHERE id = 1")
}

/// What lies on the relay for alice.
fn down(scene: &Scene) -> Vec<PathBuf> {
    files(&scene.path("relay/alice/down"))
}

/// The bundle with which the hub says so much to alice, still on the relay.
fn said(scene: &Scene, word: &str) -> PathBuf {
    write(scene, "hq", word);
    sync(scene, &["hq"]);
    down(scene).pop().expect("a bundle")
}

/// The same file as another place in the link's order, whole by its name.
fn placed(bundle: &Path, content: &[u8], alter: impl Fn(&mut BundleName)) -> PathBuf {
    let mut name: BundleName = text(bundle.file_name().expect("a name").as_ref()).parse().expect("a bundle's name");
    alter(&mut name);
    name.digest = ShortDigest::of(content).expect("memory can be read");
    bundle.with_file_name(name.to_string())
}

/// Alice takes what lies there; it is put into quarantine for this reason, and changes nothing.
#[track_caller]
fn is_refused(scene: &Scene, why: &str) {
    let before = value(scene, "alice");
    scene.packhorse("alice", &["sync"]).says(why);
    assert_eq!(value(scene, "alice"), before);
    let told = scene.packhorse("alice", &["status"]).expect(0);
    assert!(told.out.contains("1 bundle in quarantine") && told.out.contains(why), "{told:#?}");
}

/// After whatever was done to them, both ends still come to be equal.
#[track_caller]
fn heals(scene: &Scene) {
    for _ in 0..4 {
        ["alice", "hq"].iter().for_each(|node| drop(scene.packhorse(node, &["sync"])));
    }
    assert_eq!(value(scene, "alice"), value(scene, "hq"));
}

#[test]
fn the_tools_of_any_distribution_open_what_lies_on_the_relay() {
    let scene = scene();
    let bundle = said(&scene, "a secret");
    let raw = fs::read(&bundle).expect("a bundle");
    assert!(raw.starts_with(b"age-encryption.org/v1\n"));
    let keys = scene.home("alice").join("keys");
    let hub = fs::read_to_string(scene.home("hq").join("keys")).expect("keys");
    let minisign = hub.lines().find_map(|line| line.strip_prefix("# minisign: ")).expect("a public key");
    let line = "age -d -i \"$KEYS\" \"$BUNDLE\" | tar --zstd -xv && minisign -V -P \"$HUB\" -m manifest";
    let mut shell = Command::new("bash");
    shell.args(["-o", "pipefail", "-c", line]).current_dir(scene.path("relay"));
    let said = shell.env("KEYS", keys).env("BUNDLE", &bundle).env("HUB", minisign).output().expect("a shell");
    if !said.status.success() && Command::new("age").arg("--version").output().is_err() {
        assert!(std::env::var_os("PACKHORSE_TESTS_INSIST").is_none(), "age is not installed");
        return;
    }
    let told = String::from_utf8_lossy(&said.stdout);
    let name = text(bundle.file_name().expect("a name").as_ref());
    let purpose = name.rsplitn(3, '.').nth(2).expect("a name without the digest");
    assert!(said.status.success() && told.contains(&format!("Trusted comment: {purpose}")), "{said:?}");
}

#[test]
fn who_looks_into_a_bundle_is_told_how_it_came() {
    let scene = scene();
    let bundle = said(&scene, "sealed");
    let keys = NodeKeys::from_file(&fs::read_to_string(scene.home("hq").join("keys")).expect("keys")).expect("keys");
    let run = scene.packhorse("alice", &["inspect", text(&bundle)]).expect(0);
    let told = format!("sealed, signed with keys {}; whose they are is looked at when it is taken", keys.number());
    assert!(run.out.contains(&told), "{run:#?}");
    let run = scene.packhorse("alice", &["inspect", "--json", text(&bundle)]).expect(0).json();
    assert_eq!((&run["sealed"], &run["signed_with"]), (&true.into(), &keys.number().to_string().into()));
    let run = scene.packhorse("alice", &["inspect", text(&scene.path("alice.rdb"))]).expect(0);
    assert!(run.out.contains("  not sealed, not signed\n"), "{run:#?}");
}

#[test]
fn what_is_not_sealed_is_refused_though_it_is_whole_and_well_addressed() {
    let scene = scene();
    let bundle = said(&scene, "sealed");
    // As the hub would have said it without keys.
    scene.unseal("alice");
    write(&scene, "hq", "forged");
    fs::remove_file(&bundle).expect("the relay loses it");
    sync(&scene, &["hq"]);
    let forged = down(&scene).pop().expect("a bundle");
    assert!(!fs::read(&forged).expect("a bundle").starts_with(b"age"));
    seal_again(&scene);
    is_refused(&scene, "it is not sealed, as everything from its sender is");
    heals(&scene);
}

/// Nobody but the hub can make a remote believe that another has taken its place.
#[test]
fn what_nobody_has_signed_does_not_make_a_remote_believe_that_it_was_replaced() {
    let scene = scene();
    let bundle = said(&scene, "sealed");
    scene.unseal("alice");
    fs::remove_file(&bundle).expect("the relay loses it");
    write(&scene, "hq", "forged");
    sync(&scene, &["hq"]);
    let open = down(&scene).pop().expect("a bundle");
    let content = fs::read(&open).expect("a bundle");
    fs::remove_file(&open).expect("it goes");
    let forged = rewritten(&content, &|manifest| manifest.addressee = Addressee::Installation(NodeId(7)));
    fs::write(placed(&open, &forged, |_| {}), &forged).expect("written");
    seal_again(&scene);
    is_refused(&scene, "it is not sealed, as everything from its sender is");
    heals(&scene);
}

fn seal_again(scene: &Scene) {
    for node in ["hq", "alice"] {
        let file = scene.home(node).join("packhorse.toml");
        let words = fs::read_to_string(&file).expect("a configuration");
        fs::write(&file, words.replace("\nsealed = false\n", "\n")).expect("written");
    }
}

#[track_caller]
fn is_refused_under_another_name(alter: impl Fn(&mut BundleName)) {
    let scene = scene();
    let bundle = said(&scene, "one");
    let content = fs::read(&bundle).expect("a bundle");
    fs::remove_file(&bundle).expect("it goes");
    fs::write(placed(&bundle, &content, alter), content).expect("written");
    is_refused(&scene, "its manifest does not say what its name says");
    heals(&scene);
}

#[test]
fn a_bundle_under_another_number_is_refused() {
    is_refused_under_another_name(|name| name.sequence.0 += 1);
}

/// An old name alone does not make it one that nobody waits for.
#[test]
fn a_bundle_under_an_older_epoch_is_refused_and_not_dropped_in_silence() {
    is_refused_under_another_name(|name| name.epoch.0 -= 1_000_000);
}

#[test]
fn a_bundle_for_another_remote_cannot_be_opened() {
    let scene = scene();
    scene.remote("bob");
    write(&scene, "hq", "for both");
    sync(&scene, &["hq"]);
    let [of_bob] = &files(&scene.path("relay/bob/down"))[..] else { panic!("one bundle") };
    let of_alice = down(&scene).pop().expect("a bundle");
    let content = fs::read(of_bob).expect("a bundle");
    fs::remove_file(&of_alice).expect("it goes");
    fs::write(placed(&of_alice, &content, |_| {}), content).expect("written");
    is_refused(&scene, "it is not sealed to this node's keys");
    heals(&scene);
}

#[test]
fn a_bundle_that_a_remote_made_in_its_hubs_name_is_refused() {
    let scene = scene();
    let bundle = said(&scene, "of the hub");
    let content = fs::read(&bundle).expect("a bundle");
    // Alice's own keys open it, and would make as good a one for anybody who has no others.
    let keys = fs::read_to_string(scene.home("alice").join("keys")).expect("keys");
    let keys = NodeKeys::from_file(&keys).expect("keys");
    let opening = Opening::with(Some(&keys));
    let limits = Limits::BUNDLE;
    let read = BundleReader::read_all(&*content, limits, &opening, |_| true);
    let (manifest, members) = read.expect("a sound bundle");
    let to = keys.public();
    let mut writer = BundleWriter::new();
    for (name, content) in members {
        writer.bytes(name, content);
    }
    writer.sealing(Some(Sealing { from: &keys, to: SealedTo::Keys(&to) }));
    let mut forged = Vec::new();
    writer.write(manifest, &mut forged).expect("written");
    fs::remove_file(&bundle).expect("it goes");
    fs::write(placed(&bundle, &forged, |_| {}), &forged).expect("written");
    is_refused(&scene, "which is not its sender's");
    heals(&scene);
}

#[test]
fn an_old_bundle_that_comes_again_changes_nothing() {
    let scene = scene();
    let bundle = said(&scene, "old");
    let content = fs::read(&bundle).expect("a bundle");
    sync(&scene, &["alice"]);
    write(&scene, "alice", "new");
    sync(&scene, &["alice", "hq"]);
    fs::write(&bundle, content).expect("the relay plays it again");
    sync(&scene, &["alice", "hq", "alice"]);
    assert_eq!([value(&scene, "alice"), value(&scene, "hq")], ["new", "new"]);
}

#[test]
fn a_damaged_envelope_is_asked_for_again() {
    let scene = scene();
    let bundle = said(&scene, "whole");
    let mut content = fs::read(&bundle).expect("a bundle");
    let middle = content.len() / 2;
    content[middle] ^= 1;
    fs::remove_file(&bundle).expect("it goes");
    fs::write(placed(&bundle, &content, |_| {}), &content).expect("written");
    is_refused(&scene, "damaged");
    heals(&scene);
}

/// Alice begins anew, with new keys.
fn with_new_keys(scene: &Scene) {
    let (package, database) = (scene.path("alice.rdb"), scene.database("alice"));
    let words = ["remote", "rekey", "alice", "-o", text(&package), "--no-passphrase"];
    scene.packhorse("hq", &words).expect(0);
    scene.packhorse("alice", &["restore", text(&package), "--database", text(&database)]).expect(0);
}

/// A stolen laptop: once a package was made with new keys, what it has opens nothing that is said from then on, and nothing that it
/// says counts.
#[test]
fn after_a_package_with_new_keys_the_old_ones_open_and_sign_nothing() {
    let scene = scene();
    fs::rename(scene.home("alice"), scene.path("stolen.home")).expect("a thief");
    for ending in ["db", "db-wal", "db-shm"] {
        fs::rename(scene.path(&format!("alice.{ending}")), scene.path(&format!("stolen.{ending}"))).expect("a thief");
    }
    let old = fs::read_to_string(scene.path("stolen.home/keys")).expect("keys");
    fs::remove_file(scene.path("alice.rdb")).expect("the package is not needed any more");
    with_new_keys(&scene);
    let bundle = said(&scene, "after the theft");
    let old = NodeKeys::from_file(&old).expect("keys");
    let opening = Opening::with(Some(&old));
    let file = fs::File::open(&bundle).expect("a bundle");
    let opened = BundleReader::open(file, Limits::BUNDLE, &opening);
    assert_eq!(opened.err().map(|error| error.to_string()).as_deref(), Some("it is not sealed to this node's keys"));
    sync(&scene, &["alice", "hq"]);
    let config = scene.path("stolen.home/packhorse.toml");
    let words = fs::read_to_string(&config).expect("a configuration").replace("alice.db", "stolen.db");
    fs::write(&config, words).expect("written");
    scene.sql("stolen", "UPDATE t SET v = 'the thief''s' WHERE id = 1");
    scene.packhorse("stolen", &["bundle", "--now"]).expect(0);
    scene.packhorse("stolen", &["transfer"]).expect(0);
    scene.packhorse("hq", &["sync"]);
    assert_eq!(value(&scene, "hq"), "after the theft");
    heals(&scene);
}

/// A hub that does not remember the latest package knows its keys all the same.
#[test]
fn a_hub_that_is_put_back_to_before_a_package_knows_its_keys() {
    let scene = scene();
    scene.sql("hq", "PRAGMA wal_checkpoint(TRUNCATE)");
    fs::copy(scene.database("hq"), scene.path("hq.backup")).expect("a backup");
    fs::remove_file(scene.path("alice.rdb")).expect("the package is not needed any more");
    ["home", "db", "db-wal", "db-shm"].iter().for_each(|ending| {
        let path = scene.path(&format!("alice.{ending}"));
        let _ = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
    });
    with_new_keys(&scene);
    sync(&scene, &["alice", "hq"]);
    ["hq.db", "hq.db-wal", "hq.db-shm"].iter().for_each(|name| drop(fs::remove_file(scene.path(name))));
    fs::copy(scene.path("hq.backup"), scene.database("hq")).expect("the backup is put back");
    write(&scene, "alice", "after the backup");
    heals(&scene);
    assert_eq!(value(&scene, "hq"), "after the backup");
    write(&scene, "hq", "and back");
    heals(&scene);
    assert_eq!(value(&scene, "alice"), "and back");
}

#[test]
fn a_link_is_open_only_where_both_ends_say_so_and_status_shows_it() {
    let scene = scene();
    let unsealed = "not sealed";
    assert!(!scene.packhorse("hq", &["status"]).expect(0).out.contains(unsealed));
    scene.packhorse("hq", &["remote", "add", "bob", "--unsealed"]).expect(0);
    scene.pack_and_restore("bob");
    for node in ["hq", "bob"] {
        assert!(scene.packhorse(node, &["status"]).expect(0).out.contains(unsealed));
    }
    write(&scene, "bob", "open");
    sync(&scene, &["bob"]);
    let sent = fs::read(&files(&scene.path("relay/bob/up"))[0]).expect("a bundle");
    assert!(!sent.starts_with(b"age"));
    sync(&scene, &["hq", "alice"]);
    assert_eq!(value(&scene, "alice"), "open");
}

/// Whose clock was ahead when the first keys were made, must not find the second ones earlier.
#[test]
fn a_name_that_is_given_again_gets_later_keys_whatever_the_clock_says() {
    let scene = scene();
    let number = |scene: &Scene| {
        let keys = fs::read_to_string(scene.home("alice").join("keys")).expect("keys");
        NodeKeys::from_file(&keys).expect("keys").number()
    };
    let keys = scene.sql("hq", "SELECT keys FROM _packhorse_links");
    let (age, _) = keys.split_once(' ').expect("two");
    let later = NodeKeys::from_secret(KeyNumber(u64::MAX >> 2), [3; 32]).public();
    scene.sql("hq", &format!("UPDATE _packhorse_links SET keys = '{age} {}'", later.minisign()));
    scene.packhorse("hq", &["remote", "remove", "alice"]).expect(0);
    for ending in ["home", "db", "db-wal", "db-shm", "rdb"] {
        let path = scene.path(&format!("alice.{ending}"));
        let _ = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
    }
    scene.remote("alice");
    assert!(number(&scene) > later.number());
}

#[test]
fn the_name_of_a_nodes_hub_is_not_given_to_a_remote() {
    let scene = scene();
    scene.packhorse("alice", &["remote", "add", "hq", "--unsealed"]).refused(2, &["\"hq\"", "another name"]);
}

#[test]
#[cfg(unix)]
fn keys_that_others_may_read_are_not_used() {
    use std::os::unix::fs::PermissionsExt;
    let scene = scene();
    let keys = scene.home("hq").join("keys");
    fs::set_permissions(&keys, fs::Permissions::from_mode(0o644)).expect("permissions");
    scene.packhorse("hq", &["sync"]).refused(2, &["keys", "chmod 600"]);
    fs::remove_file(&keys).expect("they go");
    scene.packhorse("hq", &["sync"]).refused(2, &["keys", "put the file back from a backup"]);
}

#[test]
fn a_package_that_was_made_for_another_format_of_keys_is_refused_whole() {
    let scene = scene();
    let package = fs::read(scene.path("alice.rdb")).expect("a package");
    let other = rewritten(&package, &|manifest| manifest.format += 1);
    fs::write(scene.path("newer.rdb"), other).expect("written");
    let (newer, database) = (scene.path("newer.rdb"), scene.path("newer.db"));
    scene.packhorse("newer", &["restore", text(&newer), "--database", text(&database)]).refused(1, &["update"]);
}
