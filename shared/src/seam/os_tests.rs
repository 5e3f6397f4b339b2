//! What is shared with whom, and what is not opened.

#![cfg(unix)]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use super::disk::Disk;
use super::os::{OsDisk, open_lock};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn folder_of(place: &Path, mode: u32) -> PathBuf {
    let folder = place.join(format!("{mode:o}"));
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(mode)).unwrap();
    folder
}

#[test]
fn what_is_made_for_all_is_shared_as_its_folder_is_and_everything_else_is_private() {
    let outer = tempfile::tempdir().unwrap();
    for (of_folder, shared) in [(0o2770, true), (0o770, false), (0o2750, false)] {
        let folder = folder_of(outer.path(), of_folder);
        let at = |name: &str| folder.join(name);
        drop(OsDisk.create_new(&at("private")).unwrap());
        drop(OsDisk.create_for_all(&at("file")).unwrap());
        drop(open_lock(&at("lock")).unwrap());
        drop(open_lock(&at("lock")).unwrap());
        assert_eq!(mode(&at("private")), 0o600, "{of_folder:o}");
        let expected = if shared { 0o660 } else { 0o600 };
        assert_eq!((mode(&at("file")), mode(&at("lock"))), (expected, expected), "{of_folder:o}");
    }
}

#[test]
fn a_folder_is_shared_as_its_model_is() {
    let outer = tempfile::tempdir().unwrap();
    let [shared, private] = [0o2770, 0o750].map(|mode| folder_of(outer.path(), mode));
    for (name, like, expected) in [("a", &shared, true), ("b", &private, false)] {
        let folder = outer.path().join(name);
        OsDisk.create_folder(&folder).unwrap();
        OsDisk.share_folder(&folder, like).unwrap();
        assert_eq!(mode(&folder) == 0o2770, expected);
    }
}

#[test]
fn what_leads_elsewhere_or_is_no_file_is_not_opened() {
    let outer = tempfile::tempdir().unwrap();
    let at = |name: &str| outer.path().join(name);
    fs::write(at("keys"), "secret").unwrap();
    symlink(at("keys"), at("link")).unwrap();
    symlink(at("missing"), at("dangling")).unwrap();
    fs::hard_link(at("keys"), at("second")).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(at("pipe")).status().unwrap().success());
    assert!(open_lock(&at("second")).is_err());
    for name in ["link", "dangling", "pipe", "."] {
        assert!(open_lock(&at(name)).is_err(), "{name}");
        assert!(OsDisk.open(&at(name)).is_err(), "{name}");
        assert!(OsDisk.sync_file(&at(name)).is_err(), "{name}");
    }
    assert!(!at("missing").exists());
    assert_eq!(fs::read(at("keys")).unwrap(), b"secret");
}
