//! Composing a transfer: this node's spool and the checks of bundle files, as the transport asks for them.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use packhorse_shared::bundle::{BundleName, BundleReader, Limits, ShortDigest};
use packhorse_shared::id::{NetworkId, NodeId, NodeName};
use packhorse_shared::ledger::Stock;
use packhorse_shared::link::{Role, Standing};
use packhorse_shared::replica::{Replica, StoredLink};
use packhorse_shared::seam::Step;
use packhorse_shared::spool::Spool;
use packhorse_transport as transport;
use packhorse_transport::{
    Carrier, Dial, FileName, FolderCarrier, FolderDial, Inspect, Kind, Link, LocalSpool, Location, Mailbox, Marker,
    OsStopwatch, Outcome, Outgoing, Report, Run, TransportError, Verdict, marker,
};
use packhorse_unbundler::intake;

use crate::blocked;
use crate::bookkeeping;
use crate::failure::{Exit, Failure};
use crate::look;
use crate::node::{Node, WORLD, reached};
use crate::report::note;
use crate::wording::{bytes, count};

/// How relays are reached.
pub const DIAL: FolderDial<'static> = FolderDial { disk: WORLD.disk, steps: WORLD.steps };

struct NodeSpool<'a> {
    spool: &'a Spool<'a>,
    folder_of_tmp: PathBuf,
}

impl LocalSpool for NodeSpool<'_> {
    fn outbox(&self, peer: &NodeName) -> io::Result<Vec<Outgoing>> {
        let files = self.spool.outbox(peer).map_err(io::Error::other)?;
        let outgoing = files.into_iter().filter_map(|file| {
            let name = file.name.parse().ok()?;
            Some(Outgoing { name, size: file.size, path: file.path })
        });
        Ok(outgoing.collect())
    }

    fn remove_from_outbox(&self, peer: &NodeName, name: &FileName) -> io::Result<()> {
        self.spool.remove_from_outbox(peer, name.as_str()).map_err(io::Error::other)
    }

    fn holds(&self, name: &FileName) -> io::Result<bool> {
        let inbox = self.spool.inbox().map_err(io::Error::other)?;
        Ok(inbox.iter().any(|file| file.name == name.as_str()))
    }

    fn begun(&self) -> io::Result<Vec<FileName>> {
        let files = self.spool.leftovers().map_err(io::Error::other)?;
        Ok(files.into_iter().filter_map(|file| file.name.parse().ok()).collect())
    }

    fn tmp_path(&self, name: &FileName) -> PathBuf {
        self.folder_of_tmp.join(name.as_str())
    }

    fn publish_to_inbox(&self, name: &FileName) -> io::Result<()> {
        self.spool.publish_to_inbox(name.as_str()).map(drop).map_err(io::Error::other)
    }

    fn reject(&self, name: &FileName, reason: &str) -> io::Result<()> {
        let path = self.tmp_path(name);
        self.spool.quarantine(&path, name.as_str(), reason, WORLD.clock.now()).map(drop).map_err(io::Error::other)
    }
}

/// Judges bundle files by their names and content, and those of ours by the state of the links.
pub struct BundleFiles<'a> {
    node: &'a NodeName,
    installation: NodeId,
    links: &'a [StoredLink],
    /// Peers that were found to send to another installation under this node's name.
    replaced_at: RefCell<BTreeSet<NodeName>>,
}

impl<'a> BundleFiles<'a> {
    /// By the links of this node.
    pub fn new(node: &'a Node, links: &'a [StoredLink]) -> Self {
        Self { node: node.name(), installation: node.home.identity().node, links, replaced_at: RefCell::default() }
    }

    /// Whether a whole bundle is for this installation. One for another stays on the relay, or we would take it away from
    /// the node that it is for. (What cannot be read here is for `apply` to judge.)
    fn is_for_us(&self, name: &BundleName, path: &Path) -> io::Result<bool> {
        let opened = BundleReader::open(io::BufReader::new(File::open(path)?), Limits::BUNDLE);
        let (Ok((manifest, _)), Some(link)) = (opened, self.links.iter().find(|link| link.peer == name.from)) else {
            return Ok(true);
        };
        if intake::is_for(manifest.addressee, self.installation, link) {
            return Ok(true);
        }
        // Older ones were for whoever was here before our package was made.
        if link.state.package().is_some_and(|package| name.epoch >= package) {
            self.replaced_at.borrow_mut().insert(link.peer.clone());
        }
        Ok(false)
    }
}

impl Inspect for BundleFiles<'_> {
    fn is_obsolete(&self, peer: &NodeName, name: &FileName) -> bool {
        let Ok(name) = name.as_str().parse::<BundleName>() else { return false };
        let link = self.links.iter().find(|link| link.peer == *peer && name.to == *peer && name.from == *self.node);
        link.is_some_and(|link| link.state.is_obsolete(&name))
    }

    fn is_ours(&self, peer: &NodeName, name: &FileName) -> bool {
        name.as_str().parse::<BundleName>().is_ok_and(|name| name.from == *peer && name.to == *self.node)
    }

    fn inspect(&self, name: &FileName, path: &Path) -> io::Result<Verdict> {
        let Ok(name) = name.as_str().parse::<BundleName>() else { return Ok(Verdict::NotOurs) };
        let digest = ShortDigest::of(io::BufReader::new(File::open(path)?))?;
        if digest != name.digest {
            return Ok(Verdict::Damaged("its content does not have the digest in its name".to_owned()));
        }
        Ok(if self.is_for_us(&name, path)? { Verdict::Whole } else { Verdict::NotOurs })
    }
}

/// What a transfer came to, and what lay in the spool before.
pub struct Moved {
    /// What it reports.
    pub report: Report,
    before: Stock,
}

/// Moves what lies ready for the links to these peers (all if none are named).
pub fn transfer(node: &mut Node, budget: Option<Duration>) -> Result<Moved, Failure> {
    let (links, states) = (links(node)?, node.replica.links()?);
    let (spool, before) = (node.spool(), node.stock()?);
    let inspect = BundleFiles::new(node, &states);
    let run = Run {
        dial: &DIAL,
        spool: &NodeSpool { spool: &spool, folder_of_tmp: node.home.tmp() },
        inspect: &inspect,
        disk: WORLD.disk,
        steps: WORLD.steps,
        stopwatch: &OsStopwatch::start(),
        network: node.home.identity().network,
        budget,
    };
    let report = run.transfer(&links);
    let replaced_at = inspect.replaced_at.into_inner();
    draw_conclusions(node, &report, &replaced_at)?;
    Ok(Moved { report, before })
}

fn links(node: &mut Node) -> Result<Vec<Link>, Failure> {
    let relays = relays(&node.config.node.relay)?;
    let links = node.replica.links()?.into_iter();
    let links = links.filter(|link| link.state.standing() != Standing::Refused).map(|link| Link {
        peer: link.peer,
        role: role(link.state.role()),
        relays: relays.clone(),
        accept: true,
    });
    Ok(links.collect())
}

/// The relays that a configuration or a command line names.
pub fn relays(written: &[String]) -> Result<Vec<Location>, Failure> {
    written.iter().map(|relay| Ok(Location::parse(relay)?)).collect()
}

/// Relays as a configuration is to hold them: a folder by its whole path, since commands run in any folder.
pub fn written_whole(relays: &[String]) -> Result<Vec<String>, Failure> {
    let whole = |(location, written): (Location, &String)| match location.folder() {
        Ok(folder) if folder.is_relative() => {
            let absolute = std::path::absolute(folder).map_err(|error| Failure::file("find", folder, &error))?;
            Ok(absolute.to_string_lossy().into_owned())
        }
        _ => Ok(written.clone()),
    };
    self::relays(relays)?.into_iter().zip(relays).map(whole).collect()
}

/// The relays as a remote reaches them: its own, or its folder in each of ours.
pub fn relays_of_remote(node: &Node, remote: &NodeName) -> Result<Vec<String>, Failure> {
    let own = node.config.remotes.get(remote).map(|config| config.relay.clone()).unwrap_or_default();
    if !own.is_empty() {
        return Ok(own);
    }
    let relays = relays(&node.config.node.relay)?;
    Ok(relays.iter().map(|relay| relay.of_remote(remote).as_written().to_owned()).collect())
}

/// Marks a relay as this network's, making its folder where that is allowed.
pub fn mark(location: &Location, network: NetworkId) -> Result<(), Failure> {
    let mut carrier = FolderCarrier::new(location.folder()?, WORLD.disk);
    marker::mark(&mut carrier, network)?;
    Ok(())
}

/// Takes a network's marker away again, if a relay bears it: nothing came of that network.
pub fn unmark(location: &Location, network: NetworkId) -> Result<(), Failure> {
    // Nothing but folders has ever been marked.
    let Ok(folder) = location.folder() else { return Ok(()) };
    let found = FolderCarrier::new(folder, WORLD.disk).read_marker(None)?;
    if Marker::read(found.as_deref()) != Marker::Of(network) {
        return Ok(());
    }
    let marker = folder.join(transport::MARKER);
    WORLD.disk.remove(&marker).map_err(|error| Failure::file("remove", &marker, &error))
}

/// Makes a remote's folder on every relay that can be reached. A relay that cannot gets it with the first transfer.
pub fn prepare_remote(node: &mut Node, remote: &NodeName) -> Result<(), Failure> {
    let network = node.home.identity().network;
    let links = links(node)?;
    let evidence: Vec<_> = links.iter().map(|link| Mailbox::both(&link.peer, link.role)).collect();
    for location in relays(&node.config.node.relay)? {
        let prepared = DIAL.dial(&location).and_then(|mut carrier| {
            // An empty mount point must stay empty.
            marker::admit(&mut *carrier, network, &evidence)?;
            marker::prepare_remote(&mut *carrier, network, remote)
        });
        match prepared {
            Err(error) if error.kind() == Kind::Unreachable => note(&format!("{error}; its folder is made later")),
            other => drop(other?),
        }
    }
    Ok(())
}

fn role(role: Role) -> transport::Role {
    match role {
        Role::Hub => transport::Role::Hub,
        Role::Remote => transport::Role::Remote,
    }
}

/// What a transfer shows of the state of the links: a bundle that came damaged is asked for again, since its sender
/// thinks that it arrived; and a call in which nothing of ours was on the way counts towards a lost last bundle.
fn draw_conclusions(node: &mut Node, report: &Report, replaced_at: &BTreeSet<NodeName>) -> Result<(), Failure> {
    for mut link in node.replica.links()? {
        let Some(told) = report.links.iter().find(|told| told.peer == link.peer) else { continue };
        let before = link.state.clone();
        look::take_account(node, &mut link, told)?;
        if !told.rejected.is_empty() {
            link.state.ask_again();
        }
        if link.state.role() == Role::Hub && replaced_at.contains(&link.peer) {
            link.state.refused();
        }
        let on_the_way = told.sent.files > 0 || !told.unfetched.is_empty() || told.work_left;
        if told.outcome() == Outcome::Done && !on_the_way {
            link.state.quiet_run();
        }
        if link.state != before {
            node.replica.save_link(&link)?;
            reached(Step::TransferConcluded, node.replica.path())?;
        }
    }
    Ok(())
}

/// Tells of the links over which this node is refused, and how the command ends by it.
pub fn tell_refused(node: &mut Node) -> Result<Exit, Failure> {
    let refused = node.replica.links()?.into_iter().filter(|link| link.state.standing() == Standing::Refused);
    let words: Vec<String> = refused.map(|link| refusal(&link.peer, node.name())).collect();
    words.iter().for_each(|words| note(words));
    Ok(if words.is_empty() { Exit::Done } else { Exit::Attention })
}

/// What a node that is refused has to know.
pub fn refusal(hub: &NodeName, node: &NodeName) -> String {
    format!(
        "{hub} refuses this installation: another one has its place (the package was restored twice or made anew, or the \
         disk was copied); have {hub} run `packhorse remote pack {node}` and restore the new package here; what was \
         changed here since stays in this database"
    )
}

/// Tells each failure once, however many links it stopped.
fn tell_failures(report: &Report) {
    let mut failures: Vec<(&TransportError, Vec<&str>)> = Vec::new();
    for (peer, error) in report.links.iter().flat_map(|link| link.errors.iter().map(|error| (&link.peer, error))) {
        match failures.iter_mut().find(|(known, _)| known.to_string() == error.to_string()) {
            Some((_, peers)) => peers.push(peer.as_str()),
            None => failures.push((error, vec![peer.as_str()])),
        }
    }
    for (error, peers) in failures {
        let links = match peers.as_slice() {
            [first, second, third, _, ..] => format!("{first}, {second}, {third} and {} more", peers.len() - 3),
            few => few.join(", "),
        };
        Failure::from(error.clone()).about(&links).print();
    }
}

/// Tells what a transfer came to, puts it down in the books, and says how the command ends by it.
pub fn conclude(node: &mut Node, moved: &Moved) -> Exit {
    let exit = tell(&moved.report).worse(blocked::tell(&moved.report));
    node.keep_books(Some(&moved.before), |books, now| bookkeeping::transferred(books, &moved.report, now));
    exit
}

fn tell(report: &Report) -> Exit {
    for link in &report.links {
        let relay = link.relay.as_deref().unwrap_or("no relay");
        if link.sent.files + link.received.files > 0 {
            note(&format!(
                "{}: sent {} ({}), received {} ({}) by {relay}",
                link.peer,
                count(link.sent.files, "bundle", "bundles"),
                bytes(link.sent.bytes),
                count(link.received.files, "bundle", "bundles"),
                bytes(link.received.bytes)
            ));
        }
        if link.marker_restored {
            note(&format!("{}: the relay's marker was missing or damaged and has been restored", link.peer));
        }
        for rejected in &link.rejected {
            note(&format!("{}: {} went into quarantine: {}", link.peer, rejected.name, rejected.reason));
        }
        for name in &link.left_alone {
            note(&format!("{}: {} is not for this node and was left on the relay", link.peer, name));
        }
    }
    tell_failures(report);
    let rejected = report.links.iter().any(|link| !link.rejected.is_empty());
    match report.outcome() {
        Outcome::Done if rejected => Exit::Attention,
        Outcome::Done => Exit::Done,
        Outcome::WorkLeft => Exit::OutOfTime,
        Outcome::Unreachable => Exit::Unreachable,
        Outcome::Failed => Exit::Failed,
    }
}
