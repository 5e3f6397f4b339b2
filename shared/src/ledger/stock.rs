//! Stock-taking: what the spool holds and how the links stand, as plain values.
//!
//! Owns the reading of both for the books. Invariant: it only looks, once at each file. What it finds outweighs what the books
//! say.

use std::collections::BTreeSet;
use std::time::UNIX_EPOCH;

use crate::clock::WallTime;
use crate::id::{Epoch, NodeName, Sequence};
use crate::link::Link;
use crate::spool::{Quarantined, Spool, SpoolError, SpoolFile};

/// A file of the spool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lying {
    /// Its name.
    pub file: String,
    /// Its size in bytes.
    pub size: u64,
    /// When it was written.
    pub written: WallTime,
    /// In quarantine: why it was refused.
    pub why: Why,
}

/// Why a file was refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Why {
    /// It was not, or nobody knows.
    #[default]
    Untold,
    /// For this.
    Told(String),
    /// It stands beside the file, and is read when it is asked for: there may be many, and the books know of most.
    Beside(Quarantined),
}

impl Why {
    /// The reason, if it can be read.
    pub(super) fn words(&self) -> Option<String> {
        match self {
            Self::Untold => None,
            Self::Told(why) => Some(why.clone()),
            Self::Beside(refused) => refused.why(),
        }
    }
}

/// How a link stands, as far as it decides what has become of a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The other end.
    pub peer: NodeName,
    /// The epoch of this end.
    pub epoch: Epoch,
    /// The last of its bundles that the other end has acknowledged.
    pub acknowledged: Sequence,
    /// The bundles after that which hold nothing, so that no acknowledgement of them is to come.
    pub empty: BTreeSet<Sequence>,
    /// The bundles that later ones replace.
    pub superseded: BTreeSet<Sequence>,
    /// The last bundle of the other end that was applied here.
    pub applied: Option<(Epoch, Sequence)>,
}

/// What there is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stock {
    /// When it was looked.
    pub now: WallTime,
    /// What lies in each outbox.
    pub outbox: Vec<(NodeName, Lying)>,
    /// What lies in the inbox.
    pub inbox: Vec<Lying>,
    /// What lies in quarantine.
    pub quarantine: Vec<Lying>,
    /// How the links stand.
    pub links: Vec<Standing>,
}

impl Standing {
    /// How a link stands.
    pub fn of(peer: &NodeName, link: &Link) -> Self {
        let applied = link.applied().map(|ack| (ack.epoch, ack.sequence));
        let (acknowledged, empty) = (link.acknowledged_sequence(), link.sealed_empty().collect());
        let superseded = link.superseded().collect();
        Self { peer: peer.clone(), epoch: link.epoch(), acknowledged, empty, superseded, applied }
    }
}

impl Stock {
    /// Looks into the spool.
    pub fn take(spool: &Spool<'_>, links: Vec<Standing>, now: WallTime) -> Result<Self, SpoolError> {
        let mut stock = Self { now, links, ..Self::default() };
        for peer in spool.peers()? {
            let files = spool.outbox(&peer)?.into_iter();
            stock.outbox.extend(files.map(|file| (peer.clone(), lying(file, now))));
        }
        stock.inbox = spool.inbox()?.into_iter().map(|file| lying(file, now)).collect();
        let refused = spool.quarantined()?.into_iter();
        let refused = refused.map(|refused| Lying { why: Why::Beside(refused.clone()), ..lying(refused.file, now) });
        stock.quarantine = refused.collect();
        Ok(stock)
    }
}

fn lying(file: SpoolFile, now: WallTime) -> Lying {
    let since = file.written.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let millis = since.and_then(|since| u64::try_from(since.as_millis()).ok());
    // A clock that was set back must not make a file come from the future.
    let written = millis.map_or(now, |millis| WallTime(millis).min(now));
    Lying { file: file.name, size: file.size, written, why: Why::Untold }
}
