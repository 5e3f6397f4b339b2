//! What a bundle says about itself: who, for whom, what it builds on, and the digest and length of every member.
//!
//! Owns the manifest's bytes, a MessagePack map. Invariants: a newer format is recognised before anything else of it
//! is interpreted; keys that are not known here are ignored, so that later versions may add some; everything that is
//! known must make sense. Leaves to [`crate::link`] what the header means, and to the caller whether the fingerprints
//! and names are the expected ones.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::name::stored;
use super::{BundleError, Limits, limits, map, tape};
use crate::clock::Reading;
use crate::horizon::Horizon;
use crate::id::{BundleId, Digest, Epoch, NetworkId, NodeId, NodeName, Sequence};
use crate::link::{Ack, Base, Header};

/// The format that this version writes, and the latest that it reads.
pub const FORMAT: u32 = 1;

/// The manifest's own member name.
pub(super) const MANIFEST: &str = "manifest";

/// The member that follows it in a signed bundle: its signature.
pub(super) const SIGNATURE: &str = "manifest.minisig";

/// The most lives that a header names on either of its lists.
const LIVES_MAX: usize = 64;

/// What a container is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Changes from one node to another.
    #[default]
    Bundle,
    /// A remote database package.
    Package,
}

/// How much is in a bundle, for those who look at it without decoding the changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Records that changed.
    pub records: u64,
    /// Fields with a new value.
    pub fields: u64,
    /// Records that were deleted.
    pub deletes: u64,
}

/// What the manifest promises of one member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "MemberOnWire", into = "MemberOnWire")]
pub struct MemberEntry {
    /// Its name in the archive; never a path on disk.
    pub name: String,
    /// Its exact length.
    pub length: u64,
    /// The digest of its content.
    pub digest: Digest,
    /// Whether a reader that does not know it may skip it.
    pub optional: bool,
}

type MemberOnWire = (String, u64, Digest, bool);

impl From<MemberOnWire> for MemberEntry {
    fn from((name, length, digest, optional): MemberOnWire) -> Self {
        Self { name, length, digest, optional }
    }
}

impl From<MemberEntry> for MemberOnWire {
    fn from(member: MemberEntry) -> Self {
        (member.name, member.length, member.digest, member.optional)
    }
}

/// Which installation of the receiver's name a bundle is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Addressee {
    /// Whichever bears the name.
    #[default]
    Anybody,
    /// The one with this id.
    Installation(NodeId),
    /// The one that starts from the package which opened this epoch; the sender has not met it.
    PackageOf(Epoch),
}

/// What a bundle or package says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The format version; [`FORMAT`] for what is written here.
    pub format: u32,
    /// What the container is for.
    pub kind: Kind,
    /// The network that both ends belong to.
    pub network: NetworkId,
    /// The sender.
    pub from: NodeName,
    /// The receiver.
    pub to: NodeName,
    /// Which of its installations.
    pub addressee: Addressee,
    /// The sender's installation.
    pub node: NodeId,
    /// What the link is told; present exactly for [`Kind::Bundle`].
    pub header: Option<Header>,
    /// How much is in it.
    pub counts: Counts,
    /// The fingerprint of the shared tables' schema.
    pub schema: u64,
    /// The fingerprint of the sync set.
    pub set: u64,
    /// The members, in the order of the archive.
    pub members: Vec<MemberEntry>,
}

#[derive(Deserialize)]
struct FormatOnWire {
    format: u32,
}

/// What every bundle says to its link, in an array: epoch, sequence, id, base, acknowledgement, clock.
type LinkOnWire =
    (Epoch, Sequence, BundleId, (Sequence, Option<BundleId>), Option<(Epoch, Sequence, Option<BundleId>)>, Reading);

/// The map itself. What is usual, absent or zero is left out, since every byte of a small bundle counts.
#[derive(Serialize, Deserialize)]
struct OnWire {
    format: u32,
    #[serde(default, skip_serializing_if = "is_default")]
    kind: Kind,
    #[serde(rename = "net")]
    network: NetworkId,
    from: NodeName,
    to: NodeName,
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    installation: Option<NodeId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    package: Option<Epoch>,
    node: NodeId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    link: Option<LinkOnWire>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    complete: Option<Reading>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    beside: Option<(Sequence, Option<BundleId>)>,
    #[serde(default, skip_serializing_if = "is_default")]
    horizon: u64,
    #[serde(default, skip_serializing_if = "is_default")]
    lives: Vec<BundleId>,
    #[serde(default, skip_serializing_if = "is_default")]
    refused: Vec<BundleId>,
    #[serde(default, rename = "before", skip_serializing_if = "is_default")]
    before_package: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    nack: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    ask: u64,
    #[serde(default, skip_serializing_if = "is_default")]
    probe: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    counts: (u64, u64, u64),
    schema: u64,
    set: u64,
    members: Vec<MemberEntry>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

fn unusable(reason: impl ToString) -> BundleError {
    BundleError::Manifest { reason: reason.to_string() }
}

impl Manifest {
    /// The manifest's bytes.
    ///
    /// # Errors
    /// [`BundleError::Manifest`] if no reader would accept it.
    pub fn to_bytes(&self) -> Result<Vec<u8>, BundleError> {
        let wire = self.to_wire();
        wire.header()?;
        rmp_serde::to_vec_named(&wire).map_err(unusable)
    }

    /// What a signature under it is made for: a bundle's name without the digest, or whose package it is. It is the trusted
    /// comment.
    pub fn purpose(&self) -> String {
        let Self { from, to, header, .. } = self;
        match header {
            Some(header) => format!("{from}.{to}.{:08x}.{:06}", header.epoch.0, header.sequence.0),
            None => format!("package from {from} for {to}"),
        }
    }

    /// Reads a manifest's bytes.
    ///
    /// # Errors
    /// [`BundleError::NewerFormat`] before anything else is looked at, and [`BundleError::Manifest`] for whatever is
    /// missing, of another kind, out of range or too much.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BundleError> {
        let (FormatOnWire { format }, _) = map::first(bytes).map_err(unusable)?;
        match format {
            0 => return Err(unusable("there is no format 0")),
            1..=FORMAT => {}
            found => return Err(BundleError::NewerFormat { found, known: FORMAT }),
        }
        Self::from_wire(map::read(bytes).map_err(unusable)?)
    }

    /// Checks the list of members: names, their uniqueness, and every length.
    ///
    /// # Errors
    /// [`BundleError::TooLarge`], [`BundleError::NotAccepted`] or [`BundleError::Manifest`].
    pub fn check(&self, limits: &Limits) -> Result<(), BundleError> {
        let too_large = |what: &str, limit| Err(BundleError::TooLarge { what: what.to_owned(), limit });
        if self.members.len() as u64 > limits.members {
            return too_large("number of members", limits.members);
        }
        let mut seen = HashSet::new();
        let mut total = 0u64;
        for MemberEntry { name, length, .. } in &self.members {
            if !tape::is_member_name(name) {
                let shown: String = name.escape_debug().take(2 * limits::MEMBER_NAME_MAX).collect();
                return Err(unusable(format!("\"{shown}\" cannot be a member's name")));
            }
            if !seen.insert(name) {
                return Err(unusable(format!("it lists {name} twice")));
            }
            total = total.saturating_add(*length);
            if *length > limits.member {
                return Err(BundleError::NotAccepted { what: name.clone(), limit: limits.member });
            }
        }
        if total > limits.total {
            return Err(BundleError::NotAccepted { what: "content".to_owned(), limit: limits.total });
        }
        limits.check(self.counts)
    }

    fn to_wire(&self) -> OnWire {
        let header = self.header.as_ref();
        let Counts { records, fields, deletes } = self.counts;
        OnWire {
            format: self.format,
            kind: self.kind,
            network: self.network,
            from: self.from.clone(),
            to: self.to.clone(),
            installation: match self.addressee {
                Addressee::Installation(node) => Some(node),
                _ => None,
            },
            package: match self.addressee {
                Addressee::PackageOf(epoch) => Some(epoch),
                _ => None,
            },
            node: self.node,
            link: header.map(link_to_wire),
            complete: header.and_then(complete_to_wire),
            beside: header.and_then(|header| header.beside).map(|beside| (beside.sequence, beside.id)),
            horizon: header.map_or(0, |header| header.horizon.seconds()),
            lives: header.map(|header| header.lives.clone()).unwrap_or_default(),
            refused: header.map(|header| header.refused.clone()).unwrap_or_default(),
            before_package: header.is_some_and(|header| header.before_package),
            nack: header.is_some_and(|header| header.nack),
            ask: header.map_or(0, |header| header.ask),
            probe: header.is_some_and(|header| header.probe),
            counts: (records, fields, deletes),
            schema: self.schema,
            set: self.set,
            members: self.members.clone(),
        }
    }

    fn from_wire(wire: OnWire) -> Result<Self, BundleError> {
        let (records, fields, deletes) = wire.counts;
        Ok(Self {
            header: wire.header()?,
            format: wire.format,
            kind: wire.kind,
            network: wire.network,
            from: wire.from,
            to: wire.to,
            addressee: match (wire.installation, wire.package) {
                (Some(node), _) => Addressee::Installation(node),
                (None, Some(epoch)) => Addressee::PackageOf(epoch),
                (None, None) => Addressee::Anybody,
            },
            node: wire.node,
            counts: Counts { records, fields, deletes },
            schema: wire.schema,
            set: wire.set,
            members: wire.members,
        })
    }
}

fn link_to_wire(header: &Header) -> LinkOnWire {
    let Header { epoch, sequence, id, base, ack, clock, .. } = *header;
    let ack = ack.map(|ack| (ack.epoch, ack.sequence, ack.id));
    (epoch, sequence, id, (base.sequence, base.id), ack, clock)
}

/// What is complete up to the sender's clock needs no word.
fn complete_to_wire(header: &Header) -> Option<Reading> {
    (header.complete_to != header.clock).then_some(header.complete_to)
}

impl OnWire {
    /// The link's header, which a bundle must have and a package must not.
    fn header(&self) -> Result<Option<Header>, BundleError> {
        match (self.kind, &self.link) {
            (Kind::Bundle, Some(link)) => self.bundle_header(link).map(Some),
            (Kind::Bundle, None) => Err(unusable("a bundle's link is missing")),
            (Kind::Package, None) if !self.says_of_a_link() => Ok(None),
            (Kind::Package, _) => Err(unusable("a package does not have a bundle's header")),
        }
    }

    fn says_of_a_link(&self) -> bool {
        let lists = self.lives.len() + self.refused.len();
        self.nack
            || self.probe
            || self.before_package
            || self.ask > 0
            || self.complete.is_some()
            || self.beside.is_some()
            || self.horizon > 0
            || lists > 0
    }

    fn bundle_header(&self, link: &LinkOnWire) -> Result<Header, BundleError> {
        let (epoch, sequence, id, (base, base_id), ack, clock) = *link;
        let out_of_range = || unusable("a number in its header is out of range");
        let reading = |seconds| Horizon::from_seconds(seconds).ok_or_else(out_of_range);
        if self.lives.len().max(self.refused.len()) > LIVES_MAX {
            return Err(unusable("its header names too many lives"));
        }
        let header = Header {
            epoch,
            sequence,
            id,
            base: Base { sequence: base, id: base_id },
            ack: ack.map(|(epoch, sequence, id)| Ack { epoch, sequence, id }),
            beside: self.beside.map(|(sequence, id)| Base { sequence, id }),
            nack: self.nack,
            ask: self.ask,
            probe: self.probe,
            clock,
            complete_to: self.complete.unwrap_or(clock),
            horizon: reading(self.horizon)?,
            lives: self.lives.clone(),
            refused: self.refused.clone(),
            before_package: self.before_package,
        };
        check_ranges(&header).ok_or_else(out_of_range)?;
        Ok(header)
    }
}

/// Counters must leave room to count on, and number 0 means "before the first bundle".
fn check_ranges(header: &Header) -> Option<()> {
    let ack = header.ack.unwrap_or(Ack { epoch: Epoch(0), sequence: Sequence(0), id: None });
    let [base, beside] = [header.base, header.beside.unwrap_or_default()].map(|it| it.sequence.0);
    for number in [header.epoch.0, header.sequence.0, base, beside, header.ask, ack.epoch.0, ack.sequence.0] {
        stored(number)?;
    }
    let readings = header.clock.max(header.complete_to);
    (header.sequence > Sequence(0) && readings <= Reading::MAX).then_some(())
}
