//! The folder carrier against the contract, against a disk that fails, and against a share that is not there.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use packhorse_shared::seam::{Disk, DurableFile, OsDisk};

use crate::conformance::{Abilities, check};
use crate::faulty::{Fault, Faulty, Plan};
use crate::memory::MemoryRelay;
use crate::{Carrier, FileName, FolderCarrier, Kind, Mailbox, Put, TransportError, Way};

/// A disk on which one call fails, as when it is full.
pub(crate) struct FailingDisk(pub(crate) Arc<Plan>);

fn full() -> io::Error {
    io::ErrorKind::StorageFull.into()
}

impl Disk for FailingDisk {
    fn create_new(&self, path: &Path) -> io::Result<Box<dyn DurableFile>> {
        self.0.step(full, || OsDisk.create_new(path))
    }
    fn create_folder(&self, path: &Path) -> io::Result<()> {
        self.0.step(full, || OsDisk.create_folder(path))
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.step(full, || OsDisk.rename(from, to))
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.0.step(full, || OsDisk.remove(path))
    }
    fn sync_file(&self, path: &Path) -> io::Result<()> {
        self.0.step(full, || OsDisk.sync_file(path))
    }
    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.0.step(full, || OsDisk.sync_folder(path))
    }
}

fn name(text: &str) -> FileName {
    text.parse().unwrap()
}

fn down() -> Mailbox {
    Mailbox::at_hub(&"alice".parse().unwrap(), Way::Down)
}

#[test]
fn the_folder_keeps_the_contract() {
    let relay = tempfile::tempdir().unwrap();
    let connect = || Box::new(FolderCarrier::open(relay.path(), &OsDisk).unwrap()) as Box<dyn Carrier>;
    check(&connect, Abilities { compares_content: true });
}

#[test]
fn memory_keeps_the_contract() {
    let relay = MemoryRelay::default();
    let connect = || Box::new(relay.connect().unwrap()) as Box<dyn Carrier>;
    check(&connect, Abilities { compares_content: true });
}

#[test]
fn the_faulty_wrapper_without_a_fault_keeps_the_contract() {
    let relay = MemoryRelay::default();
    let plan = Plan::new(Fault::None);
    let connect = || Box::new(Faulty::new(relay.connect().unwrap(), plan.clone())) as Box<dyn Carrier>;
    check(&connect, Abilities { compares_content: true });
}

/// An empty mount point stays empty, or the real share would hide what was written there.
#[test]
fn a_missing_root_is_unreachable_and_is_not_made() {
    let parent = tempfile::tempdir().unwrap();
    let root = parent.path().join("share");
    let refused = FolderCarrier::open(&root, &OsDisk).err().unwrap();
    assert_eq!(refused.kind(), Kind::Unreachable);
    let mut carrier = FolderCarrier::new(&root, &OsDisk);
    let unreachable = |error: TransportError| assert_eq!(error.kind(), Kind::Unreachable, "{error}");
    unreachable(carrier.list(&down()).unwrap_err());
    unreachable(carrier.put(&down(), &name("x"), &mut &b"bytes"[..]).unwrap_err());
    unreachable(carrier.get(&down(), &name("x"), 0, &mut Vec::new()).unwrap_err());
    unreachable(carrier.make_mailbox(&down()).unwrap_err());
    assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
}

/// Whatever call fails: no name with other than the whole content, and the next put heals.
#[test]
fn a_disk_that_fails_at_any_call_publishes_nothing_incomplete() {
    let bytes = vec![7; 100_000];
    for n in 1.. {
        let relay = tempfile::tempdir().unwrap();
        let plan = Plan::new(Fault::Before(n));
        let disk = FailingDisk(plan.clone());
        let mut carrier = FolderCarrier::open(relay.path(), &disk).unwrap();
        let put = carrier.put(&down(), &name("x"), &mut &*bytes);
        let target = relay.path().join("alice/down/x");
        if plan.calls() < n {
            assert!(n > 4, "folders, sync, rename and sync go through the seam");
            break;
        }
        assert!(matches!(put, Err(TransportError::Failed { .. })), "call {n}: {put:?}");
        assert!(!target.exists() || fs::read(&target).unwrap() == bytes);
        FolderCarrier::open(relay.path(), &OsDisk).unwrap().put(&down(), &name("x"), &mut &*bytes).unwrap();
        assert_eq!(fs::read(&target).unwrap(), bytes, "healed after call {n}");
    }
}

#[test]
fn a_truncated_file_under_our_name_is_not_overwritten() {
    let relay = tempfile::tempdir().unwrap();
    let mut carrier = FolderCarrier::open(relay.path(), &OsDisk).unwrap();
    carrier.put(&down(), &name("x"), &mut &b"whole"[..]).unwrap();
    fs::write(relay.path().join("alice/down/x"), "who").unwrap();
    let refused = carrier.put(&down(), &name("x"), &mut &b"whole"[..]).unwrap_err();
    assert!(refused.to_string().contains("alice/down/x"), "{refused}");
    assert_eq!(fs::read(relay.path().join("alice/down/x")).unwrap(), b"who");
    carrier.remove(&down(), &[name("x")]).unwrap();
    assert_eq!(carrier.put(&down(), &name("x"), &mut &b"whole"[..]).unwrap(), Put::Placed { moved: 5 });
}

#[test]
fn strange_names_are_foreign_and_shown_escaped() {
    let relay = tempfile::tempdir().unwrap();
    let mut carrier = FolderCarrier::open(relay.path(), &OsDisk).unwrap();
    carrier.make_mailbox(&down()).unwrap();
    let folder = relay.path().join("alice/down");
    fs::create_dir(folder.join("a-folder")).unwrap();
    for file in [".hidden", "with space", "Köln"] {
        fs::write(folder.join(file), "x").unwrap();
    }
    let mut foreign = carrier.list(&down()).unwrap().foreign;
    foreign.sort();
    assert_eq!(foreign, [".hidden", "K\\u{f6}ln", "a-folder", "with space"]);
}

/// Somebody with access to the share plants a link where we are going to write.
#[test]
#[cfg(unix)]
fn a_planted_link_is_neither_followed_nor_listed() {
    let relay = tempfile::tempdir().unwrap();
    let victim = relay.path().join("victim");
    fs::write(&victim, "precious").unwrap();
    let mut carrier = FolderCarrier::open(relay.path(), &OsDisk).unwrap();
    carrier.make_mailbox(&down()).unwrap();
    for file in ["x.part", "y"] {
        std::os::unix::fs::symlink(&victim, relay.path().join("alice/down").join(file)).unwrap();
    }
    let listing = carrier.list(&down()).unwrap();
    assert!(listing.files.is_empty() && listing.partials.is_empty() && listing.foreign.len() == 2);
    carrier.put(&down(), &name("x"), &mut &b"precious, and more"[..]).unwrap();
    let taken = carrier.put(&down(), &name("y"), &mut &b"precious"[..]);
    assert!(matches!(taken, Err(TransportError::NameTaken { .. })));
    assert_eq!(fs::read(&victim).unwrap(), b"precious");
}
