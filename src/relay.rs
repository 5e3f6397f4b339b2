//! Composing a transfer: this node's spool and the checks of bundle files, as the transport asks for them.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use packhorse_shared::bundle::{BundleName, ShortDigest};
use packhorse_shared::id::{NetworkId, NodeName};
use packhorse_shared::ledger::Stock;
use packhorse_shared::link::Role;
use packhorse_shared::replica::Replica;
use packhorse_shared::spool::Spool;
use packhorse_transport as transport;
use packhorse_transport::{
    Dial, FileName, FolderCarrier, FolderDial, Inspect, Kind, Link, LocalSpool, Location, Mailbox, Marked, OsStopwatch,
    Outcome, Outgoing, Report, Run, TransportError, Verdict, marker,
};

use crate::bookkeeping;
use crate::failure::{Exit, Failure};
use crate::node::{Node, WORLD};
use crate::report::note;
use crate::wording::{bytes, count};

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

struct BundleFiles<'a> {
    node: &'a NodeName,
}

impl Inspect for BundleFiles<'_> {
    fn is_ours(&self, peer: &NodeName, name: &FileName) -> bool {
        name.as_str().parse::<BundleName>().is_ok_and(|name| name.from == *peer && name.to == *self.node)
    }

    fn inspect(&self, name: &FileName, path: &Path) -> io::Result<Verdict> {
        let Ok(name) = name.as_str().parse::<BundleName>() else { return Ok(Verdict::NotOurs) };
        let digest = ShortDigest::of(io::BufReader::new(File::open(path)?))?;
        Ok(match digest == name.digest {
            true => Verdict::Whole,
            false => Verdict::Damaged("its content does not have the digest in its name".to_owned()),
        })
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
    let links = links(node)?;
    let (spool, before) = (node.spool(), node.stock()?);
    let run = Run {
        dial: &FolderDial(WORLD.disk),
        spool: &NodeSpool { spool: &spool, folder_of_tmp: node.home.tmp() },
        inspect: &BundleFiles { node: node.name() },
        disk: WORLD.disk,
        stopwatch: &OsStopwatch::start(),
        network: node.home.identity().network,
        budget,
    };
    let report = run.transfer(&links);
    draw_conclusions(node, &report)?;
    Ok(Moved { report, before })
}

fn links(node: &mut Node) -> Result<Vec<Link>, Failure> {
    let relays = relays(&node.config.node.relay)?;
    let links = node.replica.links()?.into_iter().map(|link| Link {
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
pub fn mark(location: &Location, network: NetworkId) -> Result<Marked, Failure> {
    let mut carrier = FolderCarrier::new(location.folder()?, WORLD.disk);
    Ok(marker::mark(&mut carrier, network)?)
}

/// Takes a marker away again: nothing came of the network that it names.
pub fn unmark(location: &Location) -> Result<(), Failure> {
    let marker = location.folder()?.join(transport::MARKER);
    WORLD.disk.remove(&marker).map_err(|error| Failure::file("remove", &marker, &error))
}

/// Makes a remote's folder on every relay that can be reached. A relay that cannot gets it with the first transfer.
pub fn prepare_remote(node: &mut Node, remote: &NodeName) -> Result<(), Failure> {
    let network = node.home.identity().network;
    let links = links(node)?;
    let evidence: Vec<_> = links.iter().map(|link| Mailbox::both(&link.peer, link.role)).collect();
    for location in relays(&node.config.node.relay)? {
        let dial = FolderDial(WORLD.disk);
        let prepared = dial.dial(&location).and_then(|mut carrier| {
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
fn draw_conclusions(node: &mut Node, report: &Report) -> Result<(), Failure> {
    for mut link in node.replica.links()? {
        let Some(told) = report.links.iter().find(|told| told.peer == link.peer) else { continue };
        let before = link.state.clone();
        if !told.rejected.is_empty() {
            link.state.ask_again();
        }
        let on_the_way = told.sent.files > 0 || !told.unfetched.is_empty() || told.work_left;
        if told.outcome() == Outcome::Done && !on_the_way {
            link.state.quiet_run();
        }
        if link.state != before {
            node.replica.save_link(&link)?;
        }
    }
    Ok(())
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
    let exit = tell(&moved.report);
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
