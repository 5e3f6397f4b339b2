//! Files that pass through the spool, with a disk that works and one that fails.

use tempfile::TempDir;

use super::*;
use crate::clock::WallTime;
use crate::home::Identity;
use crate::id::{NetworkId, NodeId};
use crate::keys::{KeyNumber, NodeKeys};
use crate::seam::OsDisk;
use crate::seam::faults::sweep;

const NAME: &str = "hq.alice.18f3c2a1.000042.9a41c07be2d65f18.bundle";
const NOW: WallTime = WallTime(1_795_246_200_000);

fn keys() -> NodeKeys {
    NodeKeys::from_secret(KeyNumber(5), [5; 32])
}

fn home() -> (TempDir, Home) {
    let outer = tempfile::tempdir().unwrap();
    let identity = Identity { network: NetworkId(1), node: NodeId(2), name: "hq".parse().unwrap() };
    let home = Home::create(&OsDisk, &outer.path().join("home"), &identity, &keys(), "[node]\n").unwrap();
    (outer, home)
}

fn alice() -> NodeName {
    "alice".parse().unwrap()
}

fn names(files: &[SpoolFile]) -> Vec<&str> {
    files.iter().map(|file| file.name.as_str()).collect()
}

fn fill_tmp(spool: &Spool<'_>, name: &str, content: &str) -> PathBuf {
    let path = spool.fresh_tmp(name).unwrap();
    fs::write(&path, content).unwrap();
    path
}

/// Every file below a folder that holds this content.
fn copies(folder: &Path, content: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(copies(&path, content));
        } else if fs::read(&path).unwrap() == content.as_bytes() {
            found.push(path);
        }
    }
    found
}

#[test]
fn in_the_place_of_a_home_that_has_gone_away_nothing_is_made() {
    let (outer, home) = home();
    let spool = Spool::new(&home, &OsDisk);
    fs::remove_dir_all(home.folder()).unwrap();
    assert!(spool.fresh_tmp(NAME).is_err());
    assert!(spool.publish_to_outbox(&alice(), NAME).is_err());
    assert!(spool.publish_to_inbox(NAME).is_err());
    assert!(spool.quarantine(&outer.path().join("x"), NAME, "why", NOW).is_err());
    assert!(!home.folder().exists());
}

#[test]
fn a_file_goes_through_tmp_to_the_outbox_and_away() {
    let (_outer, home) = home();
    let spool = Spool::new(&home, &OsDisk);
    assert_eq!((spool.outbox(&alice()).unwrap(), spool.peers().unwrap()), (vec![], vec![]));
    for name in ["b.bundle", "a.bundle"] {
        fill_tmp(&spool, name, "xyz");
        let path = spool.publish_to_outbox(&alice(), name).unwrap();
        assert_eq!(path, home.outbox().join("alice").join(name));
    }
    let files = spool.outbox(&alice()).unwrap();
    assert_eq!(names(&files), ["a.bundle", "b.bundle"]);
    assert_eq!(files[0].size, 3);
    assert_eq!(spool.peers().unwrap(), [alice()]);
    assert!(spool.leftovers().unwrap().is_empty());
    spool.remove_from_outbox(&alice(), "a.bundle").unwrap();
    spool.remove_from_outbox(&alice(), "a.bundle").unwrap();
    assert_eq!(names(&spool.outbox(&alice()).unwrap()), ["b.bundle"]);
}

#[test]
fn a_file_goes_through_tmp_to_the_inbox_and_away() {
    let (_outer, home) = home();
    let spool = Spool::new(&home, &OsDisk);
    fill_tmp(&spool, NAME, "xyz");
    assert_eq!(names(&spool.leftovers().unwrap()), [NAME]);
    assert_eq!(spool.publish_to_inbox(NAME).unwrap(), home.inbox().join(NAME));
    assert_eq!(names(&spool.inbox().unwrap()), [NAME]);
    spool.remove_from_inbox(NAME).unwrap();
    assert!(spool.inbox().unwrap().is_empty());
}

#[test]
fn a_fresh_tmp_is_empty_and_a_plain_one_is_kept() {
    let (_outer, home) = home();
    let spool = Spool::new(&home, &OsDisk);
    let path = fill_tmp(&spool, NAME, "half");
    assert_eq!(spool.tmp_path(NAME).unwrap(), path);
    assert!(path.exists());
    assert_eq!(spool.fresh_tmp(NAME).unwrap(), path);
    assert!(!path.exists());
}

#[test]
fn what_is_not_there_cannot_be_published() {
    let (_outer, home) = home();
    let spool = Spool::new(&home, &OsDisk);
    let message = spool.publish_to_inbox(NAME).unwrap_err().to_string();
    let start = format!("cannot move \"{NAME}\" into the inbox ({}): ", home.inbox().display());
    assert!(message.starts_with(&start), "{message}");
    assert!(spool.publish_to_outbox(&alice(), NAME).is_err());
}

#[test]
fn names_from_outside_never_become_paths() {
    let (outer, home) = home();
    let spool = Spool::new(&home, &OsDisk);
    fs::write(outer.path().join("victim"), "x").unwrap();
    for bad in ["../../victim", "..", "", "a/b", "/etc/passwd", "a\\b", "a\0b"] {
        let refused = |result: Result<(), SpoolError>| assert!(matches!(result, Err(SpoolError::Name(_))), "{bad}");
        refused(spool.tmp_path(bad).map(drop));
        refused(spool.fresh_tmp(bad).map(drop));
        refused(spool.publish_to_inbox(bad).map(drop));
        refused(spool.publish_to_outbox(&alice(), bad).map(drop));
        refused(spool.remove_from_inbox(bad));
        refused(spool.remove_from_outbox(&alice(), bad));
        refused(spool.quarantine(&home.inbox().join("a"), bad, "why", NOW).map(drop));
    }
    assert!(outer.path().join("victim").exists());
}

#[test]
fn only_complete_plain_files_are_listed() {
    let (_outer, home) = home();
    let spool = Spool::new(&home, &OsDisk);
    for name in ["a.bundle", "a.bundle.part", "b.new", "c.reason", ".hidden", "with space", "ä"] {
        fs::write(home.inbox().join(name), "x").unwrap();
    }
    fs::create_dir(home.inbox().join("folder")).unwrap();
    fs::create_dir(home.outbox().join("Not A Node")).unwrap();
    assert_eq!(names(&spool.inbox().unwrap()), ["a.bundle"]);
    assert!(spool.peers().unwrap().is_empty());
    fill_tmp(&spool, "a.bundle.part", "x");
    assert_eq!(names(&spool.leftovers().unwrap()), ["a.bundle.part"]);
    assert!(matches!(spool.publish_to_inbox("a.bundle.part"), Err(SpoolError::Name(_))));
}

#[test]
fn folders_that_a_copy_lost_are_made_again() {
    let (_outer, home) = home();
    let spool = Spool::new(&home, &OsDisk);
    for folder in [home.inbox(), home.outbox(), home.tmp(), home.quarantine()] {
        fs::remove_dir(folder).unwrap();
    }
    assert!(spool.inbox().unwrap().is_empty() && spool.peers().unwrap().is_empty());
    assert!(spool.leftovers().unwrap().is_empty() && spool.quarantined().unwrap().is_empty());
    fill_tmp(&spool, NAME, "x");
    let path = spool.publish_to_inbox(NAME).unwrap();
    spool.quarantine(&path, NAME, "why", NOW).unwrap();
    fill_tmp(&spool, NAME, "x");
    spool.publish_to_outbox(&alice(), NAME).unwrap();
}

#[test]
fn a_refused_file_is_kept_with_the_reason() {
    let (_outer, home) = home();
    let spool = Spool::new(&home, &OsDisk);
    fs::write(home.inbox().join(NAME), "bad").unwrap();
    let place = spool.quarantine(&home.inbox().join(NAME), NAME, "the digest\nis \u{1b}another", NOW).unwrap();
    assert_eq!(place, home.quarantine().join(NAME));
    let text = fs::read_to_string(home.quarantine().join(format!("{NAME}.reason"))).unwrap();
    assert!(text.starts_with("when: 2026-11-21T07:30:00Z\n"), "{text}");
    assert!(text.contains("3 bytes") && text.contains("what to do: "), "{text}");
    let all = spool.quarantined().unwrap();
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].file.path, place);
    assert_eq!(all[0].why().as_deref(), Some("the digest; is; another"));
    assert!(spool.inbox().unwrap().is_empty());
}

#[test]
fn files_of_one_name_are_all_kept_in_quarantine() {
    let (_outer, home) = home();
    let spool = Spool::new(&home, &OsDisk);
    for (content, place) in [("1", NAME.to_owned()), ("2", format!("{NAME}.1")), ("3", format!("{NAME}.2"))] {
        fs::write(home.inbox().join(NAME), content).unwrap();
        let found = spool.quarantine(&home.inbox().join(NAME), NAME, content, WallTime(u64::MAX)).unwrap();
        assert_eq!(found, home.quarantine().join(place));
        assert_eq!(fs::read_to_string(found).unwrap(), content);
    }
    let whys: Vec<_> = spool.quarantined().unwrap().into_iter().map(|one| one.why().unwrap()).collect();
    assert_eq!(whys, ["1", "2", "3"]);
}

#[test]
fn the_longest_name_can_be_kept_and_listed_more_than_once() {
    let (_outer, home) = home();
    let spool = Spool::new(&home, &OsDisk);
    let long = "x".repeat(FILE_NAME_MAX);
    for content in ["x", "y", "z", "y"] {
        fs::write(home.inbox().join(&long), content).unwrap();
        spool.quarantine(&home.inbox().join(&long), &long, "why", NOW).unwrap();
    }
    assert_eq!(spool.quarantined().unwrap().len(), 3, "what is there already is kept once");
    assert!(spool.inbox().unwrap().is_empty());
}

#[test]
fn a_file_in_quarantine_without_a_readable_reason_is_still_listed() {
    let (_outer, home) = home();
    let spool = Spool::new(&home, &OsDisk);
    fs::write(home.quarantine().join("a"), "x").unwrap();
    fs::write(home.quarantine().join("b"), "x").unwrap();
    fs::write(home.quarantine().join("b.reason"), b"\xff\xff").unwrap();
    fs::write(home.quarantine().join("c.reason"), "why: no file").unwrap();
    let all = spool.quarantined().unwrap();
    assert_eq!(
        all.iter().map(|one| (one.file.name.as_str(), one.why())).collect::<Vec<_>>(),
        [("a", None), ("b", None)]
    );
    assert!(spool.quarantine(&home.inbox().join("gone"), "gone", "why", NOW).is_err());
}

#[test]
fn publishing_to_the_inbox_fails_cleanly_and_can_be_given_again() {
    sweep(|disk| {
        let (_outer, home) = home();
        fill_tmp(&Spool::new(&home, &OsDisk), NAME, "content");
        let result = Spool::new(&home, disk).publish_to_inbox(NAME);
        assert_eq!(result.is_err(), disk.struck());
        assert_eq!(copies(home.folder(), "content").len(), 1);
        let path = Spool::new(&home, &OsDisk).publish_to_inbox(NAME).unwrap();
        assert_eq!(copies(home.folder(), "content"), [path]);
    });
}

#[test]
fn publishing_to_an_outbox_fails_cleanly_and_can_be_given_again() {
    sweep(|disk| {
        let (_outer, home) = home();
        fill_tmp(&Spool::new(&home, &OsDisk), NAME, "content");
        let result = Spool::new(&home, disk).publish_to_outbox(&alice(), NAME);
        assert_eq!(result.is_err(), disk.struck());
        assert_eq!(copies(home.folder(), "content").len(), 1);
        let path = Spool::new(&home, &OsDisk).publish_to_outbox(&alice(), NAME).unwrap();
        assert_eq!(copies(home.folder(), "content"), [path]);
    });
}

/// With an older file of the same name in quarantine, which must stay as it is.
#[test]
fn quarantine_fails_cleanly_and_never_holds_a_file_without_its_reason() {
    sweep(|disk| {
        let (_outer, home) = home();
        let spool = Spool::new(&home, &OsDisk);
        let from = home.inbox().join(NAME);
        fs::write(&from, "older").unwrap();
        spool.quarantine(&from, NAME, "older", NOW).unwrap();
        fs::write(&from, "content").unwrap();
        let result = Spool::new(&home, disk).quarantine(&from, NAME, "newer", NOW);
        assert_eq!(result.is_err(), disk.struck());
        assert!(spool.quarantined().unwrap().iter().all(|one| one.why().is_some()));
        assert_eq!(copies(home.folder(), "content").len(), 1);
        let place = spool.quarantine(&from, NAME, "newer", NOW).unwrap();
        assert_eq!(copies(home.folder(), "content"), [place]);
        let whys: Vec<_> = spool.quarantined().unwrap().into_iter().map(|one| one.why().unwrap()).collect();
        assert_eq!(whys, ["older", "newer"]);
    });
}

#[test]
fn a_refused_file_goes_back_into_the_inbox_whatever_fails_and_never_over_another() {
    sweep(|disk| {
        let (_outer, home) = home();
        let spool = Spool::new(&home, &OsDisk);
        let from = home.inbox().join(NAME);
        for content in ["first", "second"] {
            fs::write(&from, content).unwrap();
            spool.quarantine(&from, NAME, "it is cut short", NOW).unwrap();
        }
        let kept = format!("{NAME}.1");
        let result = Spool::new(&home, disk).return_to_inbox(&kept, NAME);
        assert_eq!(result.is_err(), disk.struck());
        assert_eq!(copies(home.folder(), "second").len(), 1);
        assert!(spool.quarantined().unwrap().iter().all(|one| one.why().is_some()));
        assert_eq!(spool.return_to_inbox(&kept, NAME).unwrap(), from);
        assert_eq!((fs::read(&from).unwrap(), names(&spool.inbox().unwrap())), (b"second".to_vec(), vec![NAME]));
        assert!(!home.quarantine().join(format!("{kept}.reason")).exists());
        assert!(matches!(spool.return_to_inbox(NAME, NAME), Err(SpoolError::Failed { .. })));
        assert_eq!((fs::read(&from).unwrap(), spool.quarantined().unwrap().len()), (b"second".to_vec(), 1));
    });
}

#[test]
fn a_refused_file_goes_with_its_reason_whatever_fails() {
    sweep(|disk| {
        let (_outer, home) = home();
        let spool = Spool::new(&home, &OsDisk);
        let from = home.inbox().join(NAME);
        fs::write(&from, "content").unwrap();
        spool.quarantine(&from, NAME, "it is cut short", NOW).unwrap();
        let result = Spool::new(&home, disk).remove_from_quarantine(NAME);
        assert_eq!(result.is_err(), disk.struck());
        assert!(spool.quarantined().unwrap().iter().all(|one| one.why().is_some()));
        spool.remove_from_quarantine(NAME).unwrap();
        assert_eq!(fs::read_dir(home.quarantine()).unwrap().count(), 0);
        for path in ["../inbox/x", "a/b", "", "x.reason"] {
            assert!(spool.remove_from_quarantine(path).is_err() && spool.return_to_inbox(path, NAME).is_err());
        }
    });
}
