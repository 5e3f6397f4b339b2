//! What trying a relay out finds, over folders and over a relay that does some things badly.

use std::fs;
use std::path::Path;

use packhorse_shared::id::NetworkId;
use packhorse_shared::seam::{OsDisk, Uninterrupted};

use crate::carrier::{Carrier, Get, Listing, Put, Sink, Source};
use crate::memory::{MemoryCarrier, MemoryRelay};
use crate::{
    Approach, Dial, Ending, FileName, Finding, Findings, Location, Mailbox, Marker, NoKeys, OsDial, TransportError,
    Trial, Tryout,
};

const NETWORK: NetworkId = NetworkId(7);

fn tried(dial: &dyn Dial, at: &Path, network: Option<NetworkId>) -> Findings {
    let location = Location::parse(&at.to_string_lossy()).unwrap();
    let approach = Approach { ending: Ending::default(), keyring: &NoKeys };
    let scratch = "check-0a1b".parse().unwrap();
    Tryout { dial, approach, location: &location, network, scratch: &scratch }.run()
}

fn folder_tried(at: &Path, network: Option<NetworkId>) -> Findings {
    tried(&OsDial { disk: &OsDisk, steps: &Uninterrupted }, at, network)
}

#[test]
fn a_folder_is_found_sound_and_left_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("packhorse.relay"), Marker::text(NETWORK)).unwrap();
    let findings = folder_tried(folder.path(), Some(NETWORK));
    assert!(findings.is_usable() && !findings.found.iter().any(|(_, finding)| finding.is_blemish()), "{findings:?}");
    assert_eq!(findings.found.len(), 8, "{findings:?}");
    assert!(matches!(findings.found[1], (Trial::Marker, Finding::Ours)));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "only the marker is there");
}

#[test]
fn a_remotes_own_folder_is_tried_in_its_mailbox() {
    let folder = tempfile::tempdir().unwrap();
    for mailbox in ["up", "down"] {
        fs::create_dir(folder.path().join(mailbox)).unwrap();
    }
    fs::write(folder.path().join("up/a.bundle"), "waits").unwrap();
    let findings = folder_tried(folder.path(), None);
    assert!(findings.is_usable(), "{findings:?}");
    assert!(matches!(findings.found[1], (Trial::Marker, Finding::Unmarked)));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    assert_eq!(fs::read_dir(folder.path().join("up")).unwrap().count(), 1);
}

#[test]
fn another_networks_relay_is_not_written_to() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("packhorse.relay"), Marker::text(NetworkId(8))).unwrap();
    let findings = folder_tried(folder.path(), Some(NETWORK));
    assert!(matches!(
        findings.found.last(),
        Some((Trial::Marker, Finding::Fails(TransportError::OtherNetwork { .. })))
    ));
    assert!(matches!(folder_tried(folder.path(), None).found[1], (Trial::Marker, Finding::Marked(NetworkId(8)))));
    let away = folder_tried(&folder.path().join("nowhere"), None);
    assert!(away.unreachable().is_some() && !away.is_usable());
}

/// What a bad server does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Vice {
    ThrowsPartsAway,
    RefusesToResume,
    ListsLate,
    TranslatesLines,
    KeepsFiles,
}

struct Bad(MemoryCarrier, Vice);

struct BadServer(MemoryRelay, Vice);

impl Dial for BadServer {
    fn dial<'a>(&'a self, _: &Location, _: &Approach<'_>) -> Result<Box<dyn Carrier + 'a>, TransportError> {
        Ok(Box::new(Bad(self.0.connect()?, self.1)))
    }
}

fn refused() -> TransportError {
    TransportError::WrongSize { relay: "bad".to_owned(), file: "a file".to_owned(), expected: 1, found: 0 }
}

impl Carrier for Bad {
    fn relay(&self) -> &str {
        "bad"
    }
    fn list(&mut self, mailbox: &Mailbox) -> Result<Listing, TransportError> {
        if self.1 == Vice::ListsLate { Ok(Listing::default()) } else { self.0.list(mailbox) }
    }
    fn put(&mut self, mailbox: &Mailbox, name: &FileName, source: &mut dyn Source) -> Result<Put, TransportError> {
        let has_part = self.0.list(mailbox)?.partials.iter().any(|entry| entry.name == *name);
        if has_part && self.1 == Vice::RefusesToResume {
            return Err(refused());
        }
        let done = self.0.put(mailbox, name, source);
        if done.is_err() && self.1 == Vice::ThrowsPartsAway {
            self.0.remove_partials(mailbox, std::slice::from_ref(name))?;
        }
        done
    }
    fn get(
        &mut self,
        mailbox: &Mailbox,
        name: &FileName,
        from: u64,
        sink: &mut dyn Sink,
    ) -> Result<Get, TransportError> {
        let mut bytes = Vec::new();
        let got = self.0.get(mailbox, name, from, &mut bytes)?;
        if self.1 == Vice::TranslatesLines {
            bytes.retain(|byte| *byte != b'\r');
        }
        sink.take(&bytes).map(|()| got)
    }
    fn remove(&mut self, mailbox: &Mailbox, names: &[FileName]) -> Result<(), TransportError> {
        if self.1 == Vice::KeepsFiles { Err(refused()) } else { self.0.remove(mailbox, names) }
    }
    fn remove_partials(&mut self, mailbox: &Mailbox, names: &[FileName]) -> Result<(), TransportError> {
        self.0.remove_partials(mailbox, names)
    }
    fn has_mailbox(&mut self, mailbox: &Mailbox) -> Result<bool, TransportError> {
        self.0.has_mailbox(mailbox)
    }
    fn make_mailbox(&mut self, mailbox: &Mailbox) -> Result<(), TransportError> {
        self.0.make_mailbox(mailbox)
    }
    fn remove_mailbox(&mut self, mailbox: &Mailbox) -> Result<(), TransportError> {
        self.0.remove_mailbox(mailbox)
    }
    fn read_marker(&mut self, _: Option<&packhorse_shared::id::NodeName>) -> Result<Option<Vec<u8>>, TransportError> {
        Ok(None)
    }
    fn write_marker(&mut self, _: Option<&packhorse_shared::id::NodeName>, _: &[u8]) -> Result<(), TransportError> {
        Err(refused())
    }
    fn remove_marker(&mut self) -> Result<(), TransportError> {
        Err(refused())
    }
}

#[test]
fn each_vice_of_a_server_is_found_by_its_trial() {
    type IsExpected = fn(&Finding) -> bool;
    let cases: [(Vice, Trial, IsExpected); 5] = [
        (Vice::ThrowsPartsAway, Trial::Resume, |found| matches!(found, Finding::StartsOver)),
        (Vice::RefusesToResume, Trial::Resume, |found| matches!(found, Finding::CannotResume(_))),
        (Vice::ListsLate, Trial::List, |found| matches!(found, Finding::NotListed)),
        (Vice::TranslatesLines, Trial::Get, |found| matches!(found, Finding::Alters)),
        (Vice::KeepsFiles, Trial::Remove, |found| matches!(found, Finding::Fails(_))),
    ];
    for (vice, trial, is_expected) in cases {
        let relay = MemoryRelay::default();
        let findings = tried(&BadServer(relay.clone(), vice), Path::new("bad"), None);
        for (tried, finding) in &findings.found {
            assert_eq!(finding.is_blemish(), *tried == trial, "{vice:?}: {findings:?}");
            assert!(*tried != trial || is_expected(finding), "{vice:?}: {findings:?}");
        }
        if vice != Vice::KeepsFiles {
            assert!(relay.held().mailboxes.is_empty(), "{vice:?}: {:?}", relay.held());
        }
    }
}
