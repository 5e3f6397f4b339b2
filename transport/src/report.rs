//! What a transfer run did, in plain values.
//!
//! Owns the report per link and its summary into one outcome, from which the command line makes words and an exit
//! code.

use std::collections::{BTreeMap, BTreeSet};

use packhorse_shared::id::NodeName;

use crate::carrier::Entry;
use crate::error::TransportError;
use crate::name::FileName;
use crate::relays::KnownRelays;

/// Files and bytes moved one way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Files completed.
    pub files: u64,
    /// Bytes moved in this run, also of files that are not complete yet.
    pub bytes: u64,
}

/// How a run ended, for a link or as a whole; the later ones outweigh the earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// All done, also when there was nothing to do.
    Done,
    /// The budget was over before everything was moved.
    WorkLeft,
    /// No relay of the link answered as ours.
    Unreachable,
    /// A relay answered, and something failed.
    Failed,
}

/// A damaged file that was put into quarantine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// Its name.
    pub name: FileName,
    /// What is wrong with it.
    pub reason: String,
}

/// An attempt to move a file that came to nothing.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The file.
    pub name: FileName,
    /// Why.
    pub error: TransportError,
}

/// What was done for one link.
#[derive(Clone, Debug)]
pub struct LinkReport {
    /// The link's peer.
    pub peer: NodeName,
    /// The relay used, as it is shown; None if none answered.
    pub relay: Option<String>,
    /// Files put.
    pub sent: Tally,
    /// Files got, whole and published into the inbox.
    pub received: Tally,
    /// The names of the files that were put.
    pub sent_files: Vec<FileName>,
    /// The names of the files that were got.
    pub received_files: Vec<FileName>,
    /// Attempts that failed, in their order; a file may have been moved after some.
    pub failed: Vec<Attempt>,
    /// Files fetched and found damaged: in quarantine now, and no longer on the relay.
    pub rejected: Vec<Rejected>,
    /// Names in the incoming mailbox that are no bundles for this node: left where they are.
    pub left_alone: Vec<String>,
    /// What lies in the incoming mailbox under a bundle's name and is larger than any bundle can be: not fetched.
    pub too_large: Vec<Entry>,
    /// Files that stay in the outbox because other content bears their name on the relay. The receiver takes that
    /// for damaged and clears it away.
    pub blocked: Vec<FileName>,
    /// What lay in the outgoing mailbox, not yet fetched by the peer, when it was listed: before this run's puts.
    pub unfetched: Vec<Entry>,
    /// What lies in the outgoing mailbox as far as is known after the run: what was listed and put, without what was
    /// taken away. None if it could not be listed.
    pub lying: Option<BTreeSet<FileName>>,
    /// Puts that broke off in this run, each with how much of the file the relay had when the mailbox was listed.
    pub broken_off: BTreeMap<FileName, u64>,
    /// The relay's marker had been lost or damaged, and was restored.
    pub marker_restored: bool,
    /// Relays that did not answer, where a later one did.
    pub passed_over: Vec<TransportError>,
    /// What failed in the end, after all attempts.
    pub errors: Vec<TransportError>,
    /// Attempts after the first.
    pub retries: u32,
    /// The budget was over with files to move.
    pub work_left: bool,
}

impl LinkReport {
    pub(crate) fn new(peer: &NodeName) -> Self {
        Self {
            peer: peer.clone(),
            relay: None,
            sent: Tally::default(),
            received: Tally::default(),
            sent_files: Vec::new(),
            received_files: Vec::new(),
            failed: Vec::new(),
            rejected: Vec::new(),
            left_alone: Vec::new(),
            too_large: Vec::new(),
            blocked: Vec::new(),
            unfetched: Vec::new(),
            lying: None,
            broken_off: BTreeMap::new(),
            marker_restored: false,
            passed_over: Vec::new(),
            errors: Vec::new(),
            retries: 0,
            work_left: false,
        }
    }

    /// Takes in what was fetched meanwhile over another connection.
    pub(crate) fn absorb(&mut self, fetched: Self) {
        self.received.files += fetched.received.files;
        self.received.bytes += fetched.received.bytes;
        self.received_files.extend(fetched.received_files);
        self.rejected.extend(fetched.rejected);
        self.left_alone.extend(fetched.left_alone);
        self.too_large.extend(fetched.too_large);
        self.failed.extend(fetched.failed);
    }

    /// How it ended.
    pub fn outcome(&self) -> Outcome {
        match (self.errors.is_empty(), &self.relay) {
            (false, None) => Outcome::Unreachable,
            (false, Some(_)) => Outcome::Failed,
            (true, _) if self.work_left => Outcome::WorkLeft,
            (true, _) => Outcome::Done,
        }
    }
}

/// What a run did.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Each link, in the order given.
    pub links: Vec<LinkReport>,
    /// Calls to carriers, dialling included: at least one round trip each on a line.
    pub calls: u64,
    /// The relays that are known to be ours, as they are shown.
    pub known: KnownRelays,
}

impl Report {
    /// The weightiest outcome of all links.
    pub fn outcome(&self) -> Outcome {
        self.links.iter().map(LinkReport::outcome).max().unwrap_or(Outcome::Done)
    }

    /// Whether at least one link was served: then there is a line, whatever stands in the way of the others.
    pub fn has_got_through(&self) -> bool {
        let served = |link: &LinkReport| matches!(link.outcome(), Outcome::Done | Outcome::WorkLeft);
        self.links.iter().any(|link| link.relay.is_some() && served(link))
    }

    /// Whether the budget was over with files to move, on any link.
    pub fn work_left(&self) -> bool {
        self.links.iter().any(|link| link.work_left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(errors: &[usize]) -> Report {
        let link = |errors: &usize| {
            let mut link = LinkReport::new(&"alice".parse().expect("a name"));
            link.relay = Some("relay".to_owned());
            link.errors = vec![TransportError::NotARelay { relay: "relay".to_owned() }; *errors];
            link
        };
        Report { links: errors.iter().map(link).collect(), calls: 0, known: KnownRelays::new() }
    }

    #[test]
    fn one_link_that_is_served_shows_that_there_is_a_line() {
        assert!(!report(&[]).has_got_through());
        assert!(!report(&[1, 2]).has_got_through());
        let mut served = report(&[1, 0]);
        assert!(served.has_got_through());
        (served.links[1].relay, served.links[1].work_left) = (None, true);
        assert!(!served.has_got_through(), "the time was over before anybody answered");
    }
}
