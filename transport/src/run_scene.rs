//! The stage for the run's tests: a hub with its one remote alice, relays in memory, spool folders whose steps count
//! along in a plan of faults, and virtual time.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use packhorse_shared::id::{Digest, NetworkId, NodeName};
use packhorse_shared::seam::{OsDisk, Random, Stop, Uninterrupted};

use crate::faulty::{Fault, Faulty, Plan};
use crate::folder_tests::FailingDisk;
use crate::memory::MemoryRelay;
use crate::{
    Approach, Carrier, Dial, FileName, Inspect, KnownRelays, Link, LocalSpool, Location, Marker, NoKeys, OsDial,
    Outgoing, Report, Role, Run, Stopwatch, TransportError, Verdict,
};

pub(crate) const NETWORK: NetworkId = NetworkId(0x18f3);

pub(crate) type Files = BTreeMap<String, Vec<u8>>;

/// Virtual time that passes by pausing, and a little at each look.
#[derive(Default)]
pub(crate) struct Virtual {
    pub(crate) now: Mutex<Duration>,
    pub(crate) per_look: Duration,
}

impl Stopwatch for Virtual {
    fn elapsed(&self) -> Duration {
        let mut now = self.now.lock().unwrap();
        *now += self.per_look;
        *now
    }
    fn pause(&self, time: Duration) {
        *self.now.lock().unwrap() += time;
    }
}

/// The size that no bundle has.
pub(crate) const MOST: u64 = 1 << 20;

/// Chance that makes every pause as long as it may be.
pub(crate) struct Longest;

impl Random for Longest {
    fn next_u64(&self) -> u64 {
        u64::MAX
    }
}

/// Spool folders whose steps count along in a plan of faults.
pub(crate) struct Spool<'a> {
    pub(crate) root: &'a Path,
    pub(crate) plan: Arc<Plan>,
}

impl Spool<'_> {
    fn step<T>(&self, act: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        self.plan.step(|| io::Error::from(io::ErrorKind::StorageFull), act)
    }
    fn path(&self, folder: &str, name: &FileName) -> PathBuf {
        self.root.join(folder).join(name.as_str())
    }
}

impl LocalSpool for Spool<'_> {
    fn outbox(&self, peer: &NodeName) -> io::Result<Vec<Outgoing>> {
        let read = || Ok(files_in(&self.root.join("outbox").join(peer.as_str())));
        let outgoing = |(name, content): (String, Vec<u8>)| Outgoing {
            path: self.root.join("outbox").join(peer.as_str()).join(&name),
            name: name.parse().unwrap(),
            size: content.len() as u64,
        };
        self.step(read).map(|files| files.into_iter().map(outgoing).collect())
    }
    fn remove_from_outbox(&self, peer: &NodeName, name: &FileName) -> io::Result<()> {
        self.step(|| fs::remove_file(self.root.join("outbox").join(peer.as_str()).join(name.as_str())))
    }
    fn holds(&self, name: &FileName) -> io::Result<bool> {
        self.step(|| Ok(self.path("inbox", name).exists()))
    }
    fn begun(&self) -> io::Result<Vec<FileName>> {
        self.step(|| Ok(files_in(&self.root.join("tmp")).keys().map(|name| name.parse().unwrap()).collect()))
    }
    fn tmp_path(&self, name: &FileName) -> PathBuf {
        self.path("tmp", name)
    }
    fn publish_to_inbox(&self, name: &FileName) -> io::Result<()> {
        self.step(|| fs::rename(self.path("tmp", name), self.path("inbox", name)))
    }
    fn reject(&self, name: &FileName, _reason: &str) -> io::Result<()> {
        self.step(|| fs::rename(self.path("tmp", name), self.path("quarantine", name)))
    }
}

/// Bundles of these tests are named by their digest; some may have been replaced.
pub(crate) struct ByDigest<'a>(pub(crate) &'a Files);

impl Inspect for ByDigest<'_> {
    fn is_obsolete(&self, _peer: &NodeName, name: &FileName) -> bool {
        self.0.contains_key(name.as_str())
    }
    fn is_from_us(&self, _peer: &NodeName, name: &FileName) -> bool {
        name.as_str().ends_with(".bundle")
    }
    fn is_ours(&self, _peer: &NodeName, name: &FileName) -> bool {
        name.as_str().ends_with(".bundle")
    }
    fn most(&self) -> u64 {
        MOST
    }
    fn inspect(&self, name: &FileName, path: &Path) -> io::Result<Verdict> {
        let whole = name.as_str() == named(&fs::read(path)?).0;
        Ok(if whole { Verdict::Whole } else { Verdict::Damaged("its digest differs".into()) })
    }
}

fn named(content: &[u8]) -> (String, Vec<u8>) {
    let digest: String = Digest::of(content).to_string().chars().take(16).collect();
    (format!("{digest}.bundle"), content.to_vec())
}

pub(crate) fn bundles(seed: u8, sizes: &[usize]) -> Files {
    sizes.iter().map(|size| named(&vec![seed; *size])).collect()
}

fn files_in(folder: &Path) -> Files {
    let Ok(entries) = fs::read_dir(folder) else { return Files::new() };
    let read = |entry: fs::DirEntry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap());
    entries.map(|entry| read(entry.unwrap())).collect()
}

/// Relays in memory by the last segment of their address, under a plan of faults.
pub(crate) struct MemoryDial {
    pub(crate) relays: Vec<MemoryRelay>,
    pub(crate) plan: Arc<Plan>,
}

impl Dial for MemoryDial {
    fn dial<'a>(
        &'a self,
        location: &Location,
        _approach: &Approach<'_>,
    ) -> Result<Box<dyn Carrier + 'a>, TransportError> {
        let number: usize = location.folder().unwrap().file_name().unwrap().to_str().unwrap().parse().unwrap();
        Ok(Box::new(Faulty::new(self.relays[number].connect()?, self.plan.clone())))
    }
}

/// Servers for which nobody has keys, beside relays in memory.
pub(crate) struct Mixed(pub(crate) MemoryDial);

impl Dial for Mixed {
    fn dial<'a>(
        &'a self,
        location: &Location,
        approach: &Approach<'_>,
    ) -> Result<Box<dyn Carrier + 'a>, TransportError> {
        match location.folder() {
            Some(_) => self.0.dial(location, approach),
            None => OsDial { disk: &OsDisk, steps: &Uninterrupted }.dial(location, approach).map(|_| unreachable!()),
        }
    }
}

/// The hub, its one remote alice, and as many relays as wanted.
pub(crate) struct Scene {
    pub(crate) home: tempfile::TempDir,
    pub(crate) relays: Vec<MemoryRelay>,
    pub(crate) link: Link,
    pub(crate) clock: Virtual,
    /// What has been replaced.
    pub(crate) obsolete: Files,
    /// The relays that are known.
    pub(crate) known: KnownRelays,
}

impl Scene {
    pub(crate) fn new(relays: usize) -> Self {
        let home = tempfile::tempdir().unwrap();
        for folder in ["outbox/alice", "inbox", "tmp", "quarantine"] {
            fs::create_dir_all(home.path().join(folder)).unwrap();
        }
        let locations = (0..relays).map(|n| Location::parse(&format!("/relays/{n}")).unwrap()).collect();
        let link = Link {
            peer: "alice".parse().unwrap(),
            role: Role::Remote,
            relays: locations,
            accept: true,
            has_empty_mailbox: false,
        };
        let relays: Vec<MemoryRelay> = (0..relays).map(|_| MemoryRelay::default()).collect();
        for relay in &relays {
            relay.held().markers.insert(String::new(), Marker::text(NETWORK).into());
        }
        Self { home, relays, link, clock: Virtual::default(), obsolete: Files::new(), known: KnownRelays::new() }
    }

    pub(crate) fn send(self, files: &Files) -> Self {
        for (name, content) in files {
            fs::write(self.home.path().join("outbox/alice").join(name), content).unwrap();
        }
        self
    }

    pub(crate) fn receive(self, files: &Files) -> Self {
        for mailbox in ["alice/up", "alice/down"] {
            self.relays[0].held().mailboxes.entry(mailbox.into()).or_default();
        }
        self.relays[0].held().mailboxes.get_mut("alice/up").unwrap().extend(files.clone());
        self
    }

    pub(crate) fn run(&self, fault: Fault, budget: Option<Duration>) -> (Report, Arc<Plan>) {
        let plan = Plan::new(fault);
        let dial = MemoryDial { relays: self.relays.clone(), plan: plan.clone() };
        let spool = Spool { root: self.home.path(), plan: plan.clone() };
        let disk = FailingDisk(plan.clone());
        let run = Run {
            dial: &dial,
            spool: &spool,
            inspect: &ByDigest(&self.obsolete),
            disk: &disk,
            steps: &Uninterrupted,
            stopwatch: &self.clock,
            random: &Longest,
            network: NETWORK,
            budget,
            stop: &Stop::default(),
            keyring: &NoKeys,
            known: &self.known,
        };
        (run.transfer(std::slice::from_ref(&self.link)), plan)
    }

    pub(crate) fn local(&self, folder: &str) -> Files {
        files_in(&self.home.path().join(folder))
    }

    pub(crate) fn on_relay(&self, mailbox: &str) -> Files {
        self.relays[0].held().mailboxes.get(mailbox).cloned().unwrap_or_default()
    }
}

pub(crate) fn joined(one: Files, other: Files) -> Files {
    one.into_iter().chain(other).collect()
}
