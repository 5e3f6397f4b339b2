//! Packages on servers: dropped there for a remote, and got from there by it.
//!
//! Owns how a command comes to them. Leaves retries and resuming to the transport, and what is in a package to
//! `remote pack` and `restore`.

use std::path::Path;

use packhorse_shared::seam::Stop;
use packhorse_transport::{Errand, Fetched, FileName, Location, Parcel, TransportError};

use super::by_hand;
use super::keys::Keys;
use crate::failure::Failure;
use crate::machine::Machine;
use crate::progress::Progress;

/// Whether packages can be dropped there.
pub fn look(machine: Machine, keys: &Keys, folder: &Location) -> Result<(), Failure> {
    on_errand(machine, keys, "", |errand| errand.look(folder))
}

/// Drops a package into a folder, in place of an earlier one of its name.
pub fn deliver(machine: Machine, keys: &Keys, folder: &Location, parcel: &Parcel) -> Result<(), Failure> {
    on_errand(machine, keys, "sending", |errand| errand.deliver(folder, parcel))
}

/// Gets a package. What an earlier try has left there is gone on with.
pub fn fetch(machine: Machine, keys: &Keys, folder: &Location, name: &FileName, to: &Path) -> Result<Fetched, Failure> {
    on_errand(machine, keys, "getting", |errand| errand.fetch(folder, name, to))
}

fn on_errand<T>(
    machine: Machine,
    keys: &Keys,
    doing: &'static str,
    act: impl FnOnce(&Errand<'_>) -> Result<T, TransportError>,
) -> Result<T, Failure> {
    let progress = Progress::of(doing);
    let stopwatch = (machine.start)(Stop::default());
    let done = act(&Errand {
        dial: machine.dial,
        approach: by_hand(keys),
        disk: machine.world.disk,
        stopwatch: &*stopwatch,
        random: machine.world.random,
        progress: &|name, done, whole| progress.at(name.as_str(), done, whole),
    });
    done.map_err(told)
}

/// No run comes after this one that would try again by itself.
fn told(error: TransportError) -> Failure {
    let is_away = matches!(error, TransportError::Unreachable { .. });
    let failure = Failure::from(error);
    if is_away { failure.hint("check the address and the line, and run the command again") } else { failure }
}
