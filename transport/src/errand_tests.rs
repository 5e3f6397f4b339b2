//! Single files over lines that break.

use std::fs;
use std::sync::Arc;

use packhorse_shared::seam::OsDisk;

use crate::carrier::Carrier;
use crate::faulty::{Fault, Faulty, Plan};
use crate::memory::MemoryRelay;
use crate::run_scene::{Longest, Virtual};
use crate::{Approach, Dial, Ending, Errand, Fetched, FileName, Location, NoKeys, Parcel, TransportError};

/// A folder on a server in memory, and a line that breaks as planned.
struct Server {
    relay: MemoryRelay,
    plan: Arc<Plan>,
}

impl Dial for Server {
    fn dial<'a>(&'a self, _: &Location, _: &Approach<'_>) -> Result<Box<dyn Carrier + 'a>, TransportError> {
        Ok(Box::new(Faulty::new(self.relay.connect()?, self.plan.clone())))
    }
}

impl Server {
    fn new(fault: Fault) -> Self {
        Self { relay: MemoryRelay::default(), plan: Plan::new(fault) }
    }

    fn holds(&self, name: &str) -> Option<Vec<u8>> {
        self.relay.held().root.as_ref()?.get(name).cloned()
    }

    fn put(&self, name: &str, content: &[u8]) {
        self.relay.held().root.get_or_insert_default().insert(name.to_owned(), content.to_vec());
    }

    fn errand<T>(&self, act: impl FnOnce(&Errand<'_>, &Location) -> T) -> T {
        let approach = Approach { ending: Ending::default(), keyring: &NoKeys };
        let watch = Virtual::default();
        let errand = Errand {
            dial: self,
            approach,
            disk: &OsDisk,
            stopwatch: &watch,
            random: &Longest,
            progress: &|_, _, _| {},
        };
        act(&errand, &Location::parse("ftp://server/packages").unwrap())
    }
}

fn package() -> FileName {
    "alice.rdb".parse().unwrap()
}

fn content(size: usize) -> Vec<u8> {
    (0..size).map(|at| (at % 251) as u8).collect()
}

fn parcel(folder: &tempfile::TempDir, content: &[u8]) -> Parcel {
    let path = folder.path().join("made.rdb");
    fs::write(&path, content).unwrap();
    Parcel { name: package(), path }
}

#[test]
fn a_delivery_takes_the_place_of_an_earlier_one_and_of_what_that_left_unfinished() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::new(Fault::None);
    server.put("alice.rdb", b"an old one of the same size");
    server.put("alice.rdb.part", b"a new");
    server.put("bob.rdb", b"another's");
    let parcel = parcel(&folder, b"a new one of the same size!");
    server.errand(|errand, to| errand.deliver(to, &parcel)).unwrap();
    assert_eq!(server.holds("alice.rdb").as_deref(), Some(&b"a new one of the same size!"[..]));
    assert_eq!(server.holds("alice.rdb.part"), None);
    assert!(server.holds("bob.rdb").is_some());
}

#[test]
fn a_delivery_that_breaks_off_is_gone_on_with() {
    for fault in [Fault::Cut(1, 900), Fault::Before(2), Fault::After(3), Fault::After(4)] {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::new(fault);
        let parcel = parcel(&folder, &content(2_000));
        server.errand(|errand, to| errand.deliver(to, &parcel)).unwrap();
        assert!(server.plan.has_struck(), "{fault:?}");
        assert_eq!(server.holds("alice.rdb"), Some(content(2_000)), "{fault:?}");
    }
}

#[test]
fn what_never_comes_further_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::new(Fault::DeadFrom(4));
    let parcel = parcel(&folder, &content(2_000));
    assert!(server.errand(|errand, to| errand.deliver(to, &parcel)).is_err());
}

#[test]
fn a_fetch_that_breaks_off_is_gone_on_with_also_by_the_next_errand() {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("crm.db.rdb");
    let server = Server::new(Fault::Cut(1, 900));
    server.put("alice.rdb", &content(2_000));
    let fetched = server.errand(|errand, from| errand.fetch(from, &package(), &to)).unwrap();
    assert!(server.plan.has_struck());
    assert_eq!((fetched, fs::read(&to).unwrap()), (Fetched::Anew, content(2_000)));
    fs::write(&to, content(700)).unwrap();
    let fetched = server.errand(|errand, from| errand.fetch(from, &package(), &to)).unwrap();
    assert_eq!((fetched, fs::read(&to).unwrap()), (Fetched::Resumed, content(2_000)));
}

#[test]
fn what_is_not_there_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("crm.db.rdb");
    let server = Server::new(Fault::None);
    let absent = server.errand(|errand, from| errand.fetch(from, &package(), &to));
    assert!(matches!(absent, Err(TransportError::NoFile { file, .. }) if file == "alice.rdb"));
    server.relay.held().root = None;
    let absent = server.errand(|errand, from| errand.fetch(from, &package(), &to));
    assert!(matches!(absent, Err(TransportError::NoFolder { .. })));
    let parcel = parcel(&folder, b"a package");
    assert!(matches!(server.errand(|errand, to| errand.look(to)), Err(TransportError::NoFolder { .. })));
    assert!(matches!(server.errand(|errand, to| errand.deliver(to, &parcel)), Err(TransportError::NoFolder { .. })));
}
