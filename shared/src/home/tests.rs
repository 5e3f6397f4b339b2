//! Homes made, broken off, damaged and mistaken.

use tempfile::TempDir;

use super::*;
use crate::bundle::package::AccessStart;
use crate::id::{NetworkId, NodeId};
use crate::keys::KeyNumber;
use crate::seam::OsDisk;
use crate::seam::faults::sweep;

fn me() -> Identity {
    Identity { network: NetworkId(7), node: NodeId(9), name: "hq".parse().unwrap() }
}

fn keys() -> NodeKeys {
    NodeKeys::from_secret(KeyNumber(5), [5; 32])
}

const TEXT: &str = "[node]\nname = \"hq\"\ndatabase = \"../crm.db\"\n";

fn somewhere() -> (TempDir, PathBuf) {
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("crm.db.packhorse");
    (outer, folder)
}

fn create(folder: &Path) -> Result<Home, HomeError> {
    Home::create(&OsDisk, folder, &me(), &keys(), TEXT)
}

#[test]
fn a_home_that_was_made_can_be_opened() {
    let (outer, folder) = somewhere();
    let made = create(&folder).unwrap();
    let home = Home::open(&folder).unwrap();
    assert_eq!(home, made);
    assert_eq!(home.identity(), &me());
    for inner in [home.outbox(), home.inbox(), home.tmp(), home.quarantine(), home.ledger()] {
        assert!(inner.is_dir() && inner.starts_with(home.folder()));
    }
    let database = home.database(&home.config().unwrap());
    fs::write(outer.path().join("crm.db"), "here").unwrap();
    assert_eq!(fs::read(database).unwrap(), b"here");
}

#[test]
#[cfg(unix)]
fn keys_are_read_only_if_nobody_else_may_read_them() {
    use std::os::unix::fs::PermissionsExt;
    let (_outer, folder) = somewhere();
    let home = create(&folder).unwrap();
    assert_eq!(home.keys().unwrap(), keys());
    let path = folder.join(KEYS);
    let told = |home: &Home| home.keys().unwrap_err().to_string();
    for mode in [0o640, 0o604] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        assert!(told(&home).contains("chmod 600"), "{mode:o}");
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&path, "nonsense").unwrap();
    assert!(told(&home).contains("it is not an age identity"));
    fs::remove_file(&path).unwrap();
    assert!(told(&home).contains("put the file back from a backup"));
}

#[test]
fn a_home_lies_beside_its_database() {
    assert_eq!(Home::beside(Path::new("crm.db")), Path::new("crm.db.packhorse"));
    assert_eq!(Home::beside(Path::new("/a/b c.db")), Path::new("/a/b c.db.packhorse"));
}

#[test]
fn a_home_is_not_made_over_another() {
    let (_outer, folder) = somewhere();
    create(&folder).unwrap();
    let other = Identity { node: NodeId(10), ..me() };
    assert!(matches!(Home::create(&OsDisk, &folder, &other, &keys(), TEXT), Err(HomeError::Taken(_))));
    assert!(matches!(Home::create(&OsDisk, &folder, &me(), &keys(), "[node]\n"), Err(HomeError::Taken(_))));
    assert_eq!(Home::open(&folder).unwrap().identity(), &me());
    assert_eq!(fs::read_to_string(folder.join(CONFIG)).unwrap(), TEXT);
}

#[test]
fn somebody_elses_folder_stays_untouched() {
    let (_outer, folder) = somewhere();
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("letter.txt"), "x").unwrap();
    let refused = create(&folder);
    assert!(matches!(&refused, Err(HomeError::NotEmpty { found, .. }) if found == "letter.txt"), "{refused:?}");
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
    assert!(matches!(Home::open(&folder), Err(HomeError::NotAHome(_))));
    let file = folder.join("letter.txt");
    assert!(matches!(create(&file), Err(HomeError::NotAFolder(_))));
    assert!(matches!(Home::open(&file), Err(HomeError::NotAFolder(_))));
}

#[test]
fn a_home_that_lost_its_configuration_is_not_made_anew() {
    let (_outer, folder) = somewhere();
    let home = create(&folder).unwrap();
    fs::write(home.inbox().join("a.bundle"), "x").unwrap();
    fs::remove_file(home.config_path()).unwrap();
    assert!(matches!(create(&folder), Err(HomeError::ConfigLost(_))));
    assert!(matches!(Home::open(&folder), Err(HomeError::ConfigLost(_))));
}

#[test]
fn what_is_no_home_is_not_opened() {
    let (_outer, folder) = somewhere();
    assert!(matches!(Home::open(&folder), Err(HomeError::Missing(_))));
    fs::create_dir(&folder).unwrap();
    assert!(matches!(Home::open(&folder), Err(HomeError::NotAHome(_))));
    fs::create_dir(folder.join(INBOX)).unwrap();
    assert!(matches!(Home::open(&folder), Err(HomeError::HalfMade(_))));
}

#[test]
fn a_home_without_a_good_identity_is_not_opened() {
    let (_outer, folder) = somewhere();
    create(&folder).unwrap();
    fs::write(folder.join(IDENTITY), "network = 1\n").unwrap();
    assert!(matches!(Home::open(&folder), Err(HomeError::IdentityDamaged { line: 1, .. })));
    fs::remove_file(folder.join(IDENTITY)).unwrap();
    assert!(matches!(Home::open(&folder), Err(HomeError::IdentityMissing(_))));
}

#[test]
fn a_home_is_held_by_one_run() {
    let (_outer, folder) = somewhere();
    let home = create(&folder).unwrap();
    let lock = home.lock(Claim::Work, "packhorse watch").unwrap();
    let busy = home.lock(Claim::Work, "packhorse sync").unwrap_err().to_string();
    assert!(busy.contains("packhorse watch"), "{busy}");
    drop(lock);
    home.lock(Claim::Work, "packhorse sync").unwrap();
}

#[test]
fn two_makers_do_not_mix() {
    let (_outer, folder) = somewhere();
    fs::create_dir(&folder).unwrap();
    let first = Home { folder: folder.clone(), identity: me() };
    let _lock = first.lock(Claim::Work, "making the home").unwrap();
    assert!(matches!(create(&folder), Err(HomeError::Lock(LockError::Busy { .. }))));
    assert!(!folder.join(IDENTITY).exists());
}

/// Broken off at any call: an error, nothing that opens unless it is whole, and making it again completes it; by the
/// same maker or, if it is not a home yet, by one with another identity.
#[test]
fn a_making_that_is_broken_off_can_be_made_again() {
    sweep(|disk| {
        let (_outer, folder) = somewhere();
        let made = Home::create(disk, &folder, &me(), &keys(), TEXT);
        assert_eq!(made.is_err(), disk.struck());
        if let Ok(home) = Home::open(&folder) {
            assert_eq!(home.identity(), &me());
            assert_eq!(home.config().unwrap().node.name.as_str(), "hq");
        } else {
            let other = Identity { node: NodeId(10), ..me() };
            Home::create(&OsDisk, &folder, &other, &keys(), TEXT).unwrap();
            assert_eq!(Home::open(&folder).unwrap().identity(), &other);
            return;
        }
        create(&folder).unwrap();
        assert_eq!(Home::open(&folder).unwrap().identity(), &me());
    });
}

#[test]
fn a_home_with_a_ledger_that_has_lost_its_configuration_is_still_known_as_one() {
    let (_outer, folder) = somewhere();
    let home = create(&folder).unwrap();
    for name in ["ledger.lock", "ledger.generation"] {
        fs::write(folder.join(name), "").unwrap();
    }
    fs::create_dir(folder.join("ledger.damaged-20261121T073000Z")).unwrap();
    fs::write(home.ledger().join("db"), "books").unwrap();
    fs::remove_file(folder.join(CONFIG)).unwrap();
    assert!(matches!(Home::open(&folder), Err(HomeError::ConfigLost(_))));
    assert!(matches!(create(&folder), Err(HomeError::ConfigLost(_))));
}

#[test]
fn somebody_elses_files_are_neither_taken_over_nor_removed() {
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("home");
    fs::create_dir_all(folder.join("access")).unwrap();
    fs::write(folder.join("access/important"), "theirs").unwrap();
    let made = Home::create(&OsDisk, &folder, &me(), &keys(), TEXT);
    assert!(matches!(made, Err(HomeError::NotEmpty { ref found, .. }) if found == "access/important"), "{made:?}");
    fs::rename(folder.join("access/important"), outer.path().join("important")).unwrap();
    let home = Home::create(&OsDisk, &folder, &me(), &keys(), TEXT).unwrap();
    let start = AccessStart { secret: Some("s".to_owned()), ..AccessStart::of("h:21".to_owned()) };
    home.set_access(&OsDisk, &[start]).unwrap();
    assert_eq!(fs::read_to_string(folder.join("access/1.password")).unwrap(), "s");
    home.abandon(&OsDisk).unwrap();
    assert!(!folder.exists());
}
