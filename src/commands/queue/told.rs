//! A bundle of the queue as JSON tells it.

use packhorse_shared::ledger::{Direction, Entry, Key};
use serde::Serialize;

use crate::wording::timestamp;

/// One bundle; fields are only ever added.
#[derive(Serialize)]
pub struct Told {
    name: String,
    direction: Direction,
    node: String,
    state: &'static str,
    bytes: u64,
    epoch: Option<u64>,
    sequence: Option<u64>,
    first_seen: Option<String>,
    since: Option<String>,
    attempts: u32,
    error: Option<String>,
    error_at: Option<String>,
    relay: Option<String>,
}

impl Told {
    /// What the books know of a bundle.
    pub fn of(key: &Key, entry: &Entry) -> Self {
        let name = key.bundle();
        Self {
            name: key.file.clone(),
            direction: entry.direction,
            node: entry.peer.to_string(),
            state: entry.state.word(),
            bytes: entry.size,
            epoch: name.as_ref().map(|name| name.epoch.0),
            sequence: name.as_ref().map(|name| name.sequence.0),
            first_seen: timestamp(entry.first_seen),
            since: timestamp(entry.since),
            attempts: entry.attempts,
            error: entry.error.as_ref().map(|error| error.text.clone()),
            error_at: entry.error.as_ref().and_then(|error| timestamp(error.at)),
            relay: entry.relay.clone(),
        }
    }
}
