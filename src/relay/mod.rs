//! The relays of a node: where they are, how they are reached, and what a transfer over them comes to.
//!
//! * [`call`] makes one, [`files`] judges the files that it moves, [`keys`] finds what logging in needs, [`looks`] takes in what
//!   it saw, [`told`] puts it in words.
//! * [`packages`] are moved without any link.

pub mod call;
pub mod files;
pub mod keys;
mod looks;
pub mod packages;
pub mod told;

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::time::Duration;

use packhorse_shared::bundle::package::AccessStart;
use packhorse_shared::calls::Empty;
use packhorse_shared::config::AccessConfig;
use packhorse_shared::id::{NetworkId, NodeName};
use packhorse_shared::link::Role;
use packhorse_shared::seam::Stop;
use packhorse_transport as transport;
use packhorse_transport::{
    Approach, Carrier, Ending, Entry, FileName, FolderCarrier, Kind, Location, Mailbox, Marker, Report, Scheme, Target,
    TransportError, marker,
};

use self::call::{Call, Made};
use self::keys::Keys;
use crate::failure::Failure;
use crate::interrupt::{self, Noted};
use crate::machine::Machine;
use crate::node::Node;
use crate::report::note;
use crate::streams;

/// Makes a call and takes in what it saw: for a command, which has the home to itself all the while.
pub fn transfer(node: &mut Node, budget: Option<Duration>) -> Result<Report, Failure> {
    let call = Call::prepare(node)?;
    make(call, budget, |made| made.conclude(node))
}

/// Makes a call and does with it what is to be done last. A signal ends the call as a time budget does.
pub fn make(
    call: Call,
    budget: Option<Duration>,
    last: impl FnOnce(&Made) -> Result<(), Failure>,
) -> Result<Report, Failure> {
    // Whoever runs commands in a process of its own has the signals to itself.
    let Noted { done: made, is_stopped } = match streams::are_kept() {
        true => Noted { done: call.make(budget, &Stop::default()), is_stopped: false },
        false => interrupt::noted(|stop| call.make(budget, stop))?,
    };
    let done = last(&made);
    if is_stopped || done.is_err() {
        told::tell(&made.report);
    }
    done?;
    if is_stopped {
        return Err(interrupt::stopped("; what was moved by then is not moved again"));
    }
    Ok(made.report)
}

/// The relays that a configuration or a command line names.
pub fn relays(written: &[String]) -> Result<Vec<Location>, Failure> {
    written.iter().map(|relay| Ok(Location::parse(relay)?)).collect()
}

/// Relays as a configuration is to hold them: a folder by its whole path, since commands run in any folder.
pub fn written_whole(relays: &[String]) -> Result<Vec<String>, Failure> {
    relays.iter().map(|relay| whole(relay, Path::new(""))).collect()
}

/// A relay whose folder, if it is one and its path a relative one, lies in this folder, by its whole path.
pub fn whole(written: &str, base: &Path) -> Result<String, Failure> {
    match Location::parse(written)?.folder() {
        Some(folder) if folder.is_relative() => {
            let path = base.join(folder);
            let whole = std::path::absolute(&path).map_err(|error| Failure::file("find", &path, &error))?;
            Ok(whole.to_string_lossy().into_owned())
        }
        _ => Ok(written.to_owned()),
    }
}

/// The relays as a remote reaches them: its own, or its folder in each of ours. Our password is not for it.
pub fn relays_of_remote(node: &Node, remote: &NodeName) -> Result<Vec<String>, Failure> {
    let own = node.config.remotes.get(remote).map(|config| config.relay.clone()).unwrap_or_default();
    if !own.is_empty() {
        return Ok(own);
    }
    let relays = relays(&node.config.node.relay)?;
    Ok(relays.iter().map(|relay| relay.of_remote(remote).to_string()).collect())
}

/// How a remote logs in to the servers of its relays, as far as this node can tell it.
pub fn access_of_remote(node: &Node, remote: &NodeName, relays: &[String]) -> Result<Vec<AccessStart>, Failure> {
    let keys = Keys::new(&node.config.access, node.home.folder());
    let own = node.config.remotes.get(remote).map(|config| config.access.clone()).unwrap_or_default();
    let is_derived = node.config.remotes.get(remote).is_none_or(|config| config.relay.is_empty());
    if is_derived && own != AccessConfig::default() {
        return Err(Failure::usage(format!("{remote} has an account of its own, and no relay that names it"))
            .hint(format!("under [remote.{remote}], say `relay` as {remote} reaches its folder, with its account")));
    }
    let mut all: Vec<AccessStart> = Vec::new();
    for location in self::relays(relays)? {
        let Target::Server(server) = location.target() else { continue };
        let start = keys.for_remote(server, &own);
        let start =
            start.map_err(|why| Failure::usage(format!("what {remote} is to log in with cannot be had: {why}")))?;
        if server.scheme == Scheme::Sftp && start.known_hosts.is_none() {
            let host = &start.server;
            note(&format!(
                "{remote}: the SSH key of {host} is not known here, so that {remote} will have to know it by itself"
            ));
        }
        match all.iter_mut().find(|known| known.server == start.server) {
            Some(known) => known.absorb(start),
            None => all.push(start),
        }
    }
    all.retain(|start| !start.is_empty());
    let has_own = own.key.is_some() || own.password_file.is_some() || own.password_command.is_some();
    let hosts: BTreeSet<&str> = all.iter().filter_map(|start| Some(start.server.rsplit_once(':')?.0)).collect();
    match hosts.len() {
        0 | 1 => Ok(all),
        _ if !has_own => Ok(all),
        _ => Err(Failure::usage(format!("{remote} has one password or key, and relays on several servers"))
            .hint("one of them would be told what is for another: let its package name one server")),
    }
}

/// Marks a relay as this network's, making its folder where that is allowed.
pub fn mark(machine: Machine, location: &Location, network: NetworkId) -> Result<(), Failure> {
    let keys = Keys::default();
    marker::mark(&mut *unmarked(machine, location, &keys)?, network)?;
    Ok(())
}

/// Takes a network's marker away again, if a relay bears it: nothing came of that network.
pub fn unmark(machine: Machine, location: &Location, network: NetworkId) -> Result<(), Failure> {
    let keys = Keys::default();
    let mut carrier = unmarked(machine, location, &keys)?;
    if Marker::read(carrier.read_marker(None)?.as_deref()) == Marker::Of(network) {
        carrier.remove_marker()?;
    }
    Ok(())
}

/// A relay that may bear no marker yet, nor a folder be there.
fn unmarked<'a>(machine: Machine, location: &Location, keys: &'a Keys) -> Result<Box<dyn Carrier + 'a>, Failure> {
    Ok(match location.folder() {
        Some(folder) => Box::new(FolderCarrier::new(folder, machine.world.disk)),
        None => machine.dial.dial(location, &by_hand(keys))?,
    })
}

/// How a command comes to relays that a person waits for.
pub fn by_hand(keys: &Keys) -> Approach<'_> {
    Approach { ending: Ending::default(), keyring: keys }
}

/// Makes a remote's folder on every relay that can be reached. A relay that cannot gets it with the first transfer.
pub fn prepare_remote(node: &mut Node, remote: &NodeName) -> Result<(), Failure> {
    let network = node.home.identity().network;
    let orders = node.orders()?;
    let links = call::links(&node.courier(), &orders, &Empty::default())?;
    let evidence: Vec<_> = links.iter().map(|link| Mailbox::both(&link.peer, link.role)).collect();
    let keys = Keys::new(&node.config.access, node.home.folder());
    for location in relays(&node.config.node.relay)? {
        let prepared = node.machine.dial.dial(&location, &by_hand(&keys)).and_then(|mut carrier| {
            // An empty mount point must stay empty.
            marker::admit(&mut *carrier, network, &evidence)?;
            marker::prepare_remote(&mut *carrier, network, remote)
        });
        match prepared {
            Err(error) if is_for_courier(&error) => note(&format!("{error}; its folder is made by the first call")),
            other => drop(other?),
        }
    }
    Ok(())
}

/// Whether a later call may do better: when there is a line, or by a courier, who alone may have what it takes.
fn is_for_courier(error: &TransportError) -> bool {
    match error {
        TransportError::NoCredentials { .. } => true,
        TransportError::Failed { source, .. } => source.kind() == io::ErrorKind::PermissionDenied,
        _ => error.kind() == Kind::Unreachable,
    }
}

/// Takes the files that `is_ours` knows, and their beginnings, from a remote's mailbox on every relay, and tells how many.
pub fn empty_mailbox(node: &mut Node, remote: &NodeName, is_ours: &dyn Fn(&FileName) -> bool) -> Result<u64, Failure> {
    let network = node.home.identity().network;
    let keys = Keys::new(&node.config.access, node.home.folder());
    let (mut taken, mut failed) = (0, None);
    for location in relays(&node.config.node.relay)? {
        // One that does not answer keeps nothing from being taken from the next.
        match take_from(node, &location, (network, remote), &keys, is_ours) {
            Ok(some) => taken += some,
            Err(error) => drop(failed.get_or_insert(error)),
        }
    }
    failed.map_or(Ok(taken), |error| Err(error.into()))
}

fn take_from(
    node: &Node,
    location: &Location,
    (network, remote): (NetworkId, &NodeName),
    keys: &Keys,
    is_ours: &dyn Fn(&FileName) -> bool,
) -> Result<u64, TransportError> {
    let mut carrier = node.machine.dial.dial(location, &by_hand(keys))?;
    let mailboxes = Mailbox::both(remote, transport::Role::Remote);
    marker::admit(&mut *carrier, network, std::slice::from_ref(&mailboxes))?;
    let mut taken = 0;
    for mailbox in mailboxes {
        let listing = carrier.list(&mailbox)?;
        let named =
            |entries: Vec<Entry>| entries.into_iter().map(|entry| entry.name).filter(is_ours).collect::<Vec<_>>();
        let (files, partials) = (named(listing.files), named(listing.partials));
        carrier.remove(&mailbox, &files)?;
        carrier.remove_partials(&mailbox, &partials)?;
        taken += files.len() as u64;
    }
    Ok(taken)
}

/// What a link's peer is, as the transport has it.
pub fn role(role: Role) -> transport::Role {
    match role {
        Role::Hub => transport::Role::Hub,
        Role::Remote => transport::Role::Remote,
    }
}
