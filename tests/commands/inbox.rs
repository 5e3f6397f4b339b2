//! What can lie in an inbox or on a relay that is no good bundle: it is set aside with one clear sentence, the queue
//! goes on, and afterwards both ends still agree.

use std::fs;
use std::path::{Path, PathBuf};

use packhorse_shared::bundle::{BundleName, ShortDigest};
use packhorse_shared::id::NetworkId;

use crate::support::{Run, Scene, files, rewritten};

const TABLE: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b TEXT);
INSERT INTO t VALUES (1, 'x', 'x'), (2, 'y', 'y')";

/// A pair with a change on its way to alice.
struct Post {
    scene: Scene,
    /// The sealed bundle, still in the hub's outbox.
    name: BundleName,
    bytes: Vec<u8>,
}

fn post() -> Post {
    let scene = Scene::hub(TABLE);
    scene.remote("alice");
    // What lies about itself must be believed to be its sender's.
    scene.unseal("alice");
    scene.settle("alice");
    scene.sql("hq", "UPDATE t SET a = 'changed at the hub' WHERE id = 1");
    scene.sql("alice", "UPDATE t SET b = 'changed by alice' WHERE id = 2");
    scene.packhorse("hq", &["bundle", "--now"]).expect(0);
    let path = scene.outbox("hq", "alice").remove(0);
    Post { name: name_of(&path).parse().unwrap(), bytes: fs::read(&path).unwrap(), scene }
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

impl Post {
    fn folder(&self, name: &str) -> PathBuf {
        self.scene.home("alice").join(name)
    }

    /// Puts bytes into alice's inbox under a name.
    fn put(&self, name: &str, bytes: &[u8]) {
        fs::write(self.folder("inbox").join(name), bytes).unwrap();
    }

    /// Puts bytes into the inbox under the bundle's name, but with the digest that these bytes have; that name.
    fn put_with_digest(&self, bytes: &[u8]) -> String {
        let name = BundleName { digest: ShortDigest::of(bytes).unwrap(), ..self.name.clone() }.to_string();
        self.put(&name, bytes);
        name
    }

    #[track_caller]
    fn apply(&self) -> Run {
        let run = self.scene.packhorse("alice", &["apply"]).calm();
        assert_eq!(run.out, "");
        run
    }

    /// A file must have gone into quarantine, with its reason beside it, and been told in one line.
    #[track_caller]
    fn quarantined(&self, run: &Run, name: &str, why: &str) {
        let line = format!("{name} went into quarantine: ");
        let told = run.err.lines().find(|told| told.starts_with(&line)).unwrap_or_else(|| panic!("{name}: {run:#?}"));
        assert!(told.contains(why) && told.ends_with("its sender is asked again"), "{why}: {told}");
        let reason = fs::read_to_string(self.folder("quarantine").join(format!("{name}.reason"))).unwrap();
        assert!(reason.contains(name) && reason.contains(why), "{reason}");
        assert!(self.folder("quarantine").join(name).is_file() && !self.folder("inbox").join(name).exists());
    }

    /// A file must have been left where it is, and told in one line.
    #[track_caller]
    fn left_alone(&self, run: &Run, name: &str, why: &str) {
        let told = format!("{name} was left in the inbox: ");
        let line = run.err.lines().find(|line| line.starts_with(&told)).unwrap_or_else(|| panic!("{name}: {run:#?}"));
        assert!(line.contains(why), "{why}: {line}");
        assert!(self.folder("inbox").join(name).symlink_metadata().is_ok());
    }

    /// After all that, both ends agree and nothing is lost.
    #[track_caller]
    fn converges(&self) {
        for node in ["hq", "alice"].repeat(4) {
            let run = self.scene.packhorse(node, &["sync"]).calm();
            assert!([0, 3].contains(&run.code), "{run:#?}");
        }
        self.scene.same("t", "hq", "alice");
        assert_eq!(self.scene.rows("hq", "t"), ["1|'changed at the hub'|'x'", "2|'y'|'changed by alice'"]);
        let link = |node: &str| self.scene.packhorse(node, &["status", "--json"]).json()["links"][0].clone();
        for node in ["hq", "alice"] {
            let link = link(node);
            assert_eq!(
                (&link["pending_changes"], &link["unacknowledged"], &link["held"]),
                (&0.into(), &0.into(), &0.into())
            );
        }
    }
}

#[test]
fn a_bundle_cut_short_anywhere_goes_into_quarantine_and_is_sent_again() {
    let post = post();
    let mut names = Vec::new();
    for end in [0, 1, 4, post.bytes.len() / 2, post.bytes.len() - 1] {
        names.push((post.put_with_digest(&post.bytes[..end]), "it is cut short"));
    }
    post.put(&post.name.to_string(), &post.bytes[..200]);
    names.push((post.name.to_string(), "does not have the digest in its name"));
    let run = post.apply().expect(3);
    names.iter().for_each(|(name, why)| post.quarantined(&run, name, why));
    assert_eq!(run.err.lines().count(), names.len(), "one line each: {run:#?}");
    post.converges();
}

#[test]
fn a_bundle_altered_anywhere_goes_into_quarantine_even_if_its_name_was_made_to_fit() {
    let post = post();
    let mut names = Vec::new();
    for place in (0..post.bytes.len()).step_by(9) {
        let mut altered = post.bytes.clone();
        altered[place] ^= 0x04;
        names.push(post.put_with_digest(&altered));
    }
    let run = post.apply().expect(3);
    let set_aside = |name: &&String| !post.folder("inbox").join(name).exists();
    assert_eq!(names.iter().filter(set_aside).count(), names.len(), "{run:#?}");
    names.iter().for_each(|name| post.quarantined(&run, name, ""));
    assert_eq!(post.scene.sql("alice", "SELECT a FROM t WHERE id = 1"), "x", "nothing of them was applied");
    post.converges();
}

#[test]
fn a_bundle_that_lies_about_itself_goes_into_quarantine() {
    let post = post();
    let other_from = rewritten(&post.bytes, &|manifest| manifest.from = "zed".parse().unwrap());
    let other_to = rewritten(&post.bytes, &|manifest| manifest.to = "bob".parse().unwrap());
    let other_number = rewritten(&post.bytes, &|manifest| manifest.header.as_mut().unwrap().sequence.0 += 7);
    let names = [other_from, other_to, other_number].map(|bytes| post.put_with_digest(&bytes));
    let package = fs::read(post.scene.path("alice.rdb")).unwrap();
    let package = post.put_with_digest(&package);
    let run = post.apply().expect(3);
    names.iter().for_each(|name| post.quarantined(&run, name, "does not say what its name says"));
    post.quarantined(&run, &package, "not a bundle but a remote database package");
    post.converges();
}

#[test]
fn a_bundle_of_another_network_or_a_later_format_is_left_alone_and_one_of_another_installation_refused() {
    let post = post();
    let network = rewritten(&post.bytes, &|manifest| manifest.network = NetworkId(manifest.network.0 ^ 1));
    let format = rewritten(&post.bytes, &|manifest| manifest.format += 1);
    let installation = rewritten(&post.bytes, &|manifest| manifest.node.0 ^= 1);
    let (network, format) = (post.put_with_digest(&network), post.put_with_digest(&format));
    let installation = post.put_with_digest(&installation);
    let run = post.apply().expect(3);
    post.left_alone(&run, &network, "another network");
    post.left_alone(&run, &format, "update Packhorse here");
    let refused = format!("{installation} went into quarantine: it comes from another installation");
    assert!(run.err.contains(&refused), "{run:#?}");
    assert_eq!(files(&post.folder("quarantine")).len(), 2, "the bundle and the reason, and nobody is asked again");
    post.converges();
}

#[test]
fn a_bundle_for_somebody_else_or_from_nobody_known_is_left_alone() {
    let post = post();
    let misaddressed = BundleName { to: "bob".parse().unwrap(), ..post.name.clone() }.to_string();
    let unknown = BundleName { from: "zed".parse().unwrap(), ..post.name.clone() }.to_string();
    post.put(&misaddressed, &post.bytes);
    post.put(&unknown, &post.bytes);
    let run = post.apply().expect(3);
    post.left_alone(&run, &misaddressed, "it is for \"bob\", and this node is \"alice\"");
    post.left_alone(&run, &unknown, "there is no link to \"zed\"");
    post.converges();
}

#[test]
fn files_folders_and_links_that_are_no_bundles_are_left_alone() {
    let post = post();
    post.put("README.txt", b"hello");
    post.put("a b\u{1b}[2J", b"hello");
    fs::create_dir(post.folder("inbox").join("folder")).unwrap();
    let linked = post.scene.path("linked");
    fs::write(&linked, &post.bytes).unwrap();
    let link = post.name.to_string();
    std::os::unix::fs::symlink(&linked, post.folder("inbox").join(&link)).unwrap();
    let run = post.apply().expect(3);
    post.left_alone(&run, "README.txt", "does not bear a bundle's name");
    for name in ["folder", &link] {
        post.left_alone(&run, name, "no bundle file");
    }
    assert!(run.err.contains("a b\\u{1b}[2J was left in the inbox: "), "{run:#?}");
    assert_eq!(run.err.lines().count(), 4, "{run:#?}");
    // The link bears the name of the bundle that is on its way; it must not be taken for it.
    fs::remove_file(post.folder("inbox").join(&link)).unwrap();
    post.converges();
    assert_eq!(fs::read(&linked).unwrap(), post.bytes);
}

#[test]
fn the_queue_goes_on_past_bad_ones_in_the_same_run() {
    let post = post();
    let bad = post.put_with_digest(&post.bytes[..100]);
    post.put("README.txt", b"hello");
    post.put(&post.name.to_string(), &post.bytes);
    let run = post.apply().expect(3);
    post.quarantined(&run, &bad, "");
    assert!(run.err.contains("hq: applied 1 changed record"), "{run:#?}");
    assert_eq!(post.scene.sql("alice", "SELECT a FROM t WHERE id = 1"), "changed at the hub");
    post.converges();
}

#[test]
fn what_a_relay_damaged_goes_into_quarantine_and_comes_again() {
    for damage in [&|bytes: &[u8]| bytes[..bytes.len() - 9].to_vec(), &altered as &dyn Fn(&[u8]) -> Vec<u8>] {
        let post = post();
        post.scene.packhorse("hq", &["transfer"]).expect(0);
        let on_relay = post.scene.path("relay/alice/down").join(post.name.to_string());
        fs::write(&on_relay, damage(&post.bytes)).unwrap();
        let run = post.scene.packhorse("alice", &["sync"]).expect(3).calm();
        assert!(run.err.contains("went into quarantine"), "{run:#?}");
        assert!(post.folder("quarantine").join(format!("{}.reason", post.name)).is_file());
        assert!(!on_relay.exists());
        let status = post.scene.packhorse("alice", &["status", "--json"]).json()["links"][0].clone();
        assert_eq!((&status["state"], &status["quarantined"]), (&"attention".into(), &1.into()));
        assert!(status["advice"].as_str().unwrap().contains("quarantine"), "{status}");
        post.scene.packhorse("hq", &["sync"]).expect(0);
        post.scene.packhorse("alice", &["sync"]).expect(0);
        let came = post.scene.sql("alice", "SELECT a FROM t WHERE id = 1");
        assert_eq!(came, "changed at the hub", "its sender was asked in the same call");
        post.converges();
    }
}

/// Nobody waits for the patience with a gap or with a lost last one.
#[test]
fn the_sender_of_a_bundle_in_quarantine_is_asked_again_by_the_next_call() {
    let post = post();
    post.put(&post.name.to_string(), &altered(&post.bytes));
    fs::remove_file(post.scene.outbox("hq", "alice").remove(0)).unwrap();
    post.apply().expect(3);
    for node in ["alice", "hq", "alice"] {
        post.scene.packhorse(node, &["sync"]).expect(0);
    }
    assert_eq!(post.scene.sql("alice", "SELECT a FROM t WHERE id = 1"), "changed at the hub");
    post.converges();
}

fn altered(bytes: &[u8]) -> Vec<u8> {
    let mut altered = bytes.to_vec();
    altered[bytes.len() / 2] ^= 1;
    altered
}

#[test]
fn strangers_on_the_relay_are_left_there_and_hold_nothing_up() {
    let post = post();
    let down = post.scene.path("relay/alice/down");
    fs::write(down.join("README.txt"), "hello").unwrap();
    fs::create_dir(down.join("folder")).unwrap();
    let elsewhere = BundleName { to: "bob".parse().unwrap(), ..post.name.clone() }.to_string();
    fs::write(down.join(&elsewhere), &post.bytes).unwrap();
    post.converges();
    let run = post.scene.packhorse("alice", &["sync"]).expect(0);
    assert!(run.err.contains("README.txt is not for this node and was left on the relay"), "{run:#?}");
    assert!(down.join(&elsewhere).is_file() && down.join("README.txt").is_file());
}
