//! What waits for many links is counted in one pass; for each it must be what a count for it alone tells.

use std::path::Path;

use packhorse_bundler::select::{Owed, pending, pending_of_all};
use packhorse_shared::id::Cut;
use packhorse_shared::link::{Extent, Link};
use packhorse_shared::replica::Replica;
use packhorse_shared::replica::sqlite::SqliteReplica;

/// Asserts that of the database of a node that nobody is at work on.
#[track_caller]
pub fn waits_as_alone(database: &Path, told: &str) {
    is_counted_as_alone(&mut SqliteReplica::open(database).expect("a replica"), told);
}

/// Asserts that of all links of a database: as they stand, and as if their peers all had the same, whatever that is.
#[track_caller]
pub fn is_counted_as_alone(replica: &mut SqliteReplica, told: &str) {
    let links = replica.all_sharing().expect("the links");
    let snapshot = replica.glance().expect("a view");
    let owed = |since: Option<Cut>, floor: Option<Cut>, extent: Option<Extent>| {
        let of = move |state: &Link, link| {
            let since = since.unwrap_or(state.sent());
            let floor = floor.unwrap_or(state.floor()).min(since);
            Owed { link, peer: state.role(), since, floor, extent: extent.unwrap_or(state.extent()) }
        };
        links.iter().map(|(link, tables)| (&**tables, of(&link.state, link.id))).collect::<Vec<_>>()
    };
    let latest = snapshot.cut();
    let mut asked = vec![owed(None, None, None)];
    for since in [Cut(0), Cut(latest.0 / 2), Cut(latest.0.saturating_sub(3))] {
        for extent in [Extent::Changes, Extent::Records, Extent::Everything] {
            asked.push(owed(Some(since), Some(since), Some(extent)));
        }
        asked.push(owed(Some(since), Some(Cut(since.0 / 2)), None));
    }
    for asked in asked {
        let together = pending_of_all(&*snapshot, &asked).map_err(|error| error.to_string());
        let alone: Result<Vec<_>, _> = asked.iter().map(|(tables, owed)| pending(&*snapshot, tables, *owed)).collect();
        let owed: Vec<Owed> = asked.iter().map(|(_, owed)| *owed).collect();
        assert_eq!(together, alone.map_err(|error| error.to_string()), "{told}\n{owed:#?}");
    }
}
