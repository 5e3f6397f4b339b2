//! Intake: reading the inbox, and telling the bundles that can be looked into from those that cannot.
//!
//! Nothing inside a file is believed before the file's digest agrees with its name, and nothing is merged before all of
//! it was read and checked.

use std::io::BufReader;
use std::path::{Path, PathBuf};

use packhorse_shared::bundle::{
    Addressee, BundleError, BundleName, BundleReader, CONFIG, Kind, Manifest, Provenance, Room, ShortDigest, columns,
};
use packhorse_shared::change::{Passage, TableChanges};
use packhorse_shared::id::{NodeId, NodeName};
use packhorse_shared::keys::KeyNumber;
use packhorse_shared::keys::envelope::EnvelopeError;
use packhorse_shared::keys::signature::SignatureError;
use packhorse_shared::link::{Header, Role, Standing};
use packhorse_shared::replica::{Identity, StoredLink, Terms};
use packhorse_shared::seam::{Disk, ReadableFile};
use packhorse_shared::spool::SpoolFile;
use packhorse_shared::trust::Trust;

/// A file in the inbox.
#[derive(Clone, Debug)]
pub struct Arrived {
    /// Its name.
    pub name: BundleName,
    /// Its name as text.
    pub file: String,
    /// Where it is.
    pub path: PathBuf,
    /// Its size in bytes.
    pub size: u64,
}

/// What is done with a file that cannot be applied.
#[derive(Debug)]
pub enum Unfit {
    /// It is for somebody else, or made by a later version: it stays where it is, and is reported.
    LeaveAlone(String),
    /// The hub says it to another installation, which has this one's place: it stays where it is, and this one is refused.
    Replaced(String),
    /// It is damaged, or lies: it goes into quarantine, and its sender is asked again.
    Quarantine(String),
    /// It comes from an installation that has no say any more: it goes into quarantine, and nobody is asked.
    Refuse(String),
    /// It was for an installation that this one has replaced: it is dropped, and its sender hears of this one.
    Outlived,
    /// It cannot be read now.
    Unreadable(std::io::Error),
}

/// The inbox in the order in which bundles are looked at: by sender, epoch and sequence. What bears no bundle's name is
/// given back by its name alone.
pub fn in_order(files: Vec<SpoolFile>) -> (Vec<Arrived>, Vec<String>) {
    let (mut arrived, mut others) = (Vec::new(), Vec::new());
    for SpoolFile { name: file, path, size, .. } in files {
        match file.parse::<BundleName>() {
            Ok(name) => arrived.push(Arrived { name, file, path, size }),
            Err(_) => others.push(file),
        }
    }
    arrived.sort_by(|a, b| a.name.cmp(&b.name));
    (arrived, others)
}

/// What was found of a bundle before any member of it was read.
pub struct Examined {
    /// What it says of itself.
    pub manifest: Manifest,
    /// Its place among the others.
    pub header: Header,
    /// Whose it is.
    pub provenance: Provenance,
}

/// Checks a file against its name, its seal and its signature, and its manifest against the link. Reads no member.
/// `here`: who this node is.
pub fn examine(
    disk: &dyn Disk,
    arrived: &Arrived,
    node: &NodeName,
    here: Identity,
    link: &StoredLink,
    trust: &Trust,
) -> Result<Examined, Unfit> {
    if link.state.standing() == Standing::Revoked {
        return Err(Unfit::Refuse(format!("{} was revoked: nothing that it says counts", link.peer)));
    }
    if arrived.size > trust.limits().file() {
        let why = format!("its {} bytes are more than a bundle may have ([limits] in packhorse.toml)", arrived.size);
        return Err(Unfit::LeaveAlone(why));
    }
    let digest = ShortDigest::of(open(disk, &arrived.path)?).map_err(Unfit::Unreadable)?;
    if digest != arrived.name.digest {
        return Err(Unfit::Quarantine("its content does not have the digest in its name".to_owned()));
    }
    let file = open(disk, &arrived.path)?;
    let opened = trust.opening(link, |opening| {
        let (manifest, members) = BundleReader::open(file, trust.limits(), opening)?;
        Ok((manifest, members.provenance()))
    });
    let (manifest, provenance) = opened.map_err(|error| match sealed_to(link, &arrived.name, &error) {
        Some(Other::Predecessor) => Unfit::Outlived,
        Some(Other::Successor) => {
            Unfit::LeaveAlone(format!("{error}; it may be for another installation of \"{node}\""))
        }
        None => unfit_on(link, error),
    })?;
    let wrong = |what: &str| Err(Unfit::Quarantine(what.to_owned()));
    let (name, header) = (&arrived.name, manifest.header.clone());
    let Some(header) = header.filter(|_| manifest.kind == Kind::Bundle) else {
        return wrong("it is not a bundle but a remote database package");
    };
    if manifest.network != here.network {
        return Err(Unfit::LeaveAlone(format!("it belongs to another network ({})", manifest.network)));
    }
    let told = (&manifest.from, &manifest.to, header.epoch, header.sequence);
    if told != (&name.from, node, name.epoch, name.sequence) {
        return wrong("its manifest does not say what its name says");
    }
    let is_ours = is_for(manifest.addressee, here.node, link);
    if !is_ours && link.state.is_for_predecessor(header.epoch) {
        return Err(Unfit::Outlived);
    }
    if !is_ours {
        let why = format!("it is for another installation of \"{node}\" than this one");
        let has_our_place =
            link.state.package().is_some_and(|package| header.epoch >= package) && !header.before_package;
        return Err(if has_our_place { Unfit::Replaced(why) } else { Unfit::LeaveAlone(why) });
    }
    refuse_other_installations(&manifest, &header, link)?;
    Ok(Examined { manifest, header, provenance })
}

/// Whether a bundle from a link's peer is for this installation, and not for another one under its name.
pub fn is_for(addressee: Addressee, node: NodeId, link: &StoredLink) -> bool {
    match addressee {
        Addressee::Anybody => true,
        Addressee::Installation(installation) => installation == node,
        Addressee::PackageOf(epoch) => link.state.package().is_none_or(|package| package == epoch),
    }
}

/// Why a copy of the peer that speaks in turn with it is refused.
pub fn told_of_fork(link: &StoredLink) -> String {
    let name = &link.peer;
    format!(
        "two copies of \"{name}\" speak in turn under one identity (a copied disk, or a backup that runs beside the \
         original): this one is refused, the other goes on; {}",
        way_out(link)
    )
}

/// How an installation that is refused comes back.
fn way_out(link: &StoredLink) -> String {
    let name = &link.peer;
    match link.state.role() {
        Role::Remote => format!("run `packhorse remote pack {name}` and restore the new package there"),
        Role::Hub => format!("if {name} was set up anew, restore a new package of its here"),
    }
}

/// One installation speaks for a link: the first that was met after the latest package was made, and of that package; or,
/// if we come from a backup, of the one that was made after that.
fn refuse_other_installations(manifest: &Manifest, header: &Header, link: &StoredLink) -> Result<(), Unfit> {
    match link.node {
        Some(known) if known == manifest.node || link.state.is_of_lost_package(header) => Ok(()),
        None if link.state.is_of_latest_package(header) => Ok(()),
        _ => Err(Unfit::Refuse(told_of_other(link))),
    }
}

/// Why an installation is refused that does not speak for a link any more.
fn told_of_other(link: &StoredLink) -> String {
    let (name, way_out) = (&link.peer, way_out(link));
    match link.node {
        Some(_) => format!(
            "it comes from another installation under the name \"{name}\" (a package was restored twice, or a disk was \
             copied); {way_out}"
        ),
        None => {
            format!("it comes from an installation of \"{name}\" that a newer package has replaced; {way_out}")
        }
    }
}

/// What a bundle says.
pub struct Said {
    /// The changes, by table.
    pub changes: Vec<TableChanges>,
    /// What is shared from now on, if that is told.
    pub terms: Option<Terms>,
}

/// Reads and checks all of a bundle. Only a hub says what is shared.
pub fn read(disk: &dyn Disk, path: &Path, link: &StoredLink, trust: &Trust) -> Result<Said, Unfit> {
    let (from, file) = (link.state.role(), open(disk, path)?);
    let read = trust.opening(link, |opening| BundleReader::read_all(file, trust.limits(), opening, is_known));
    let (manifest, members) = read.map_err(|error| unfit_on(link, error))?;
    let mut said = Said { changes: Vec::with_capacity(members.len()), terms: None };
    let mut room = Room::of(manifest.counts, &trust.limits());
    let wrong = |what: String| Err(Unfit::Quarantine(what));
    for (name, bytes) in members {
        let passage = columns::passage_of(&name);
        if let Some(speaker) = speaker(passage).filter(|speaker| *speaker != from) {
            let speaker = if speaker == Role::Hub { "hub" } else { "remote" };
            return wrong(format!("its member {name} says what only a {speaker} can say"));
        }
        let Some(passage) = passage else {
            let terms = Terms::from_bytes(&bytes);
            said.terms = Some(terms.map_err(|error| Unfit::Quarantine(format!("its member {name}: {error}")))?);
            continue;
        };
        let changes = columns::decode(passage, &bytes, manifest.node, room)
            .map_err(|error| Unfit::Quarantine(format!("its member {name} cannot be read: {error}")))?;
        if columns::member_name(passage, &changes.table) != name {
            return wrong(format!("its member {name} is about table \"{}\"", changes.table));
        }
        room = room.without(&changes);
        said.changes.push(changes);
    }
    Ok(said)
}

/// Which end alone can say so of records, or, where it is said of none, tell the terms.
fn speaker(passage: Option<Passage>) -> Option<Role> {
    match passage {
        Some(Passage::Within | Passage::Overruled) => None,
        Some(Passage::Limbo) => Some(Role::Remote),
        Some(Passage::Entered { .. } | Passage::Withdrawn | Passage::Refused) | None => Some(Role::Hub),
    }
}

/// The members that this version understands.
fn is_known(name: &str) -> bool {
    columns::passage_of(name).is_some() || name == CONFIG
}

fn open(disk: &dyn Disk, path: &Path) -> Result<BufReader<Box<dyn ReadableFile>>, Unfit> {
    disk.open(path).map(BufReader::new).map_err(Unfit::Unreadable)
}

/// Another installation under this node's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Other {
    /// The one whose place this one has taken.
    Predecessor,
    /// One that may have taken this one's place.
    Successor,
}

/// For whom else a bundle of the hub's may be that cannot be opened with this node's keys.
pub fn sealed_to(link: &StoredLink, name: &BundleName, error: &BundleError) -> Option<Other> {
    match error {
        BundleError::Envelope(EnvelopeError::ForOthers) if link.state.role() == Role::Hub => {
            if link.state.is_for_predecessor(name.epoch) {
                return Some(Other::Predecessor);
            }
            link.state.is_new_epoch(name.epoch).then_some(Other::Successor)
        }
        _ => None,
    }
}

fn unfit_on(link: &StoredLink, error: BundleError) -> Unfit {
    match error {
        BundleError::Signature(SignatureError::Stranger(number)) if has_replaced(link, number) => {
            Unfit::Refuse(format!(
                "it comes from an installation of \"{}\" that was revoked or that a newer package has replaced: nothing that it \
                 says counts",
                link.peer
            ))
        }
        other => unfit(other),
    }
}

/// Whether these are keys of an older package than the latest.
fn has_replaced(link: &StoredLink, number: KeyNumber) -> bool {
    link.state.role() == Role::Remote && number < link.keys.number()
}

fn unfit(error: BundleError) -> Unfit {
    match error {
        BundleError::Io(error) => Unfit::Unreadable(error),
        BundleError::NewerFormat { .. } => Unfit::LeaveAlone(format!("{error}; update Packhorse here")),
        // Asked again, its sender would only say the same again.
        BundleError::NotAccepted { .. } => Unfit::LeaveAlone(format!(
            "{error}; if it is to be taken, raise that under [limits] in packhorse.toml here"
        )),
        other => Unfit::Quarantine(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_hub_tells_who_comes_and_goes_and_only_a_remote_what_it_does_not_have() {
        let since = packhorse_shared::clock::Reading(0);
        for hubs in [Some(Passage::Entered { since }), Some(Passage::Withdrawn), Some(Passage::Refused), None] {
            assert_eq!(speaker(hubs), Some(Role::Hub), "{hubs:?}");
        }
        assert_eq!(speaker(Some(Passage::Limbo)), Some(Role::Remote));
        assert_eq!(speaker(Some(Passage::Within)), None);
        assert_eq!(speaker(Some(Passage::Overruled)), None);
    }
}
