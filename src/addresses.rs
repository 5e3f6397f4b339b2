//! Relays' addresses as people type them.
//!
//! Invariant: what could never be a relay is refused before anything is made for it. Leaves to [`crate::relay`] what is
//! done at a relay, and to the first transfer whether one that is elsewhere can be reached.

use std::fs;
use std::io;

use packhorse_shared::seam::Disk;
use packhorse_transport::{Carrier, FolderCarrier, Location};

use crate::failure::{Exit, Failure};
use crate::relay::relays;

/// Refuses what is no relay's address.
pub fn understood(written: &[String]) -> Result<(), Failure> {
    relays(written).map(drop)
}

/// Refuses a path that is no folder and what holds something else under the marker's name. A folder that is not there is made.
pub fn can_be_marked(disk: &dyn Disk, relay: &Location) -> Result<(), Failure> {
    let Some(folder) = relay.folder() else { return Ok(()) };
    match fs::metadata(folder) {
        Ok(found) if !found.is_dir() => Err(Failure::usage(format!("the relay {relay} is a file"))
            .hint("name a folder that both ends can reach, such as file:///srv/relay")),
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Failure::file("use the relay", folder, &error).ends(Exit::Usage))
        }
        _ => Ok(FolderCarrier::new(folder, disk).read_marker(None).map(drop)?),
    }
}
