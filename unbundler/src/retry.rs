//! Retry: trying held changes again with nothing incoming, because a person asks for it or the application has become quiet
//! or has changed what may have been in the way.
//!
//! Everything happens in one transaction. Leaves to [`crate::place`] how a change is placed, and to the command which
//! changes a person means.

use std::collections::{BTreeMap, BTreeSet};

use packhorse_shared::clock::{Reading, WallTime};
use packhorse_shared::config::Span;
use packhorse_shared::horizon::Horizon;
use packhorse_shared::id::{Cut, LinkId, NodeId, TableId};
use packhorse_shared::link::{Extent, Role, Silence};
use packhorse_shared::replica::{Held, MergeTransaction, Replica, StoredLink, TableShape};

use crate::error::UnbundlerError;
use crate::merge::{Arrival, Deletions, Past};
use crate::place::{HeldPlacer, Placed, WAITS_FOR_QUIET};
use crate::told::Told;

/// What trying again came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Retried {
    /// What was placed.
    pub placed: Vec<Held>,
    /// What is still held of what was tried, each with its present reason. One that turned out to speak of a number that is
    /// out of date has a number of its own anew.
    pub still: Vec<Held>,
    /// What placing it came to.
    pub came_to: Placed,
}

/// Tries these held changes again, as often as one that is placed may have made room for another. That a person asks for it
/// overrules what the application may still know of numbers: nothing waits for it to be quiet.
pub fn retry(
    replica: &mut dyn Replica,
    is_meant: &dyn Fn(&Held) -> bool,
    now: WallTime,
) -> Result<Retried, UnbundlerError> {
    try_again(replica, is_meant, now, Patience::None)
}

/// Why what is held is tried again although nothing comes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Occasion {
    /// The application has been quiet.
    #[default]
    Quiet,
    /// The application has changed what may have been in the way.
    Changed,
}

/// Tries everything that is held again if the application has changed anything since that may have been in the way; or if any
/// of it waits for the application to be quiet for this long, and it is: what waits for that in its turn may be placed as well.
pub fn retry_if_due(
    replica: &mut dyn Replica,
    now: WallTime,
    quiet: Span,
) -> Result<Option<(Occasion, Retried)>, UnbundlerError> {
    let held = replica.all_held()?;
    if held.is_empty() {
        return Ok(None);
    }
    replica.harvest(now)?;
    let touched = touched_by(&held, replica.tables());
    let (occasion, patience) = match replica.changed_since_tried(&touched)? {
        true => (Occasion::Changed, Patience::With(quiet)),
        false if held.iter().any(waits_for_quiet) => (Occasion::Quiet, Patience::Until(quiet)),
        false => return Ok(None),
    };
    let retried = try_again(replica, &|_| true, now, patience)?;
    Ok(Some((occasion, retried)).filter(|(_, retried)| !retried.placed.is_empty()))
}

/// The tables of what is held, and those that theirs refer to or that refer to theirs.
fn touched_by(held: &[Held], tables: &[TableShape]) -> Vec<TableId> {
    let names: BTreeSet<&str> = held.iter().map(|held| held.change.table.as_str()).collect();
    let is_of = |table: &TableShape| names.iter().any(|name| table.name.eq_ignore_ascii_case(name));
    let refers = |child: &TableShape, parent: &TableShape| {
        let columns = child.columns.iter().filter_map(|column| column.refers_to.as_ref());
        let keys = child.key_refers_to.iter().flatten();
        let parents = child.parents.iter().map(|parent| &parent.table);
        columns.chain(keys).chain(parents).any(|name| parent.name.eq_ignore_ascii_case(name))
    };
    let by_reference =
        |table: &TableShape| tables.iter().any(|own| is_of(own) && (refers(own, table) || refers(table, own)));
    tables.iter().filter(|table| is_of(table) || by_reference(table)).map(|table| table.id).collect()
}

fn waits_for_quiet(held: &Held) -> bool {
    held.reason.starts_with(WAITS_FOR_QUIET)
}

/// What is done while the application is not quiet.
#[derive(Clone, Copy)]
enum Patience {
    /// The same as else.
    None,
    /// What may be placed all the same. The others wait until it was for this long.
    With(Span),
    /// Nothing, until it was for this long.
    Until(Span),
}

/// How what a link brought stands against what is here.
fn of_link(link: &StoredLink, nobodys: Arrival) -> Arrival {
    let (heard, silence, awaits_answer) = (link.state.acked(), link.state.silence(), link.state.awaits_answer());
    Arrival { link: link.id, heard, awaits_answer, sender: link.node.unwrap_or(nobodys.sender), silence, ..nobodys }
}

/// How what is held stands against what is here while nothing comes.
pub(crate) struct AtRest {
    /// What nobody has brought, or a link that is gone.
    pub nobodys: Arrival,
    /// What each link brought.
    pub of_links: BTreeMap<LinkId, Arrival>,
}

/// The same, within a transaction. `links`: as they were when it began.
pub(crate) fn at_rest(links: &[StoredLink], transaction: &mut dyn MergeTransaction) -> Result<AtRest, UnbundlerError> {
    let told = Told::of(links.iter().map(|link| (link.id, link.state.told())));
    let (horizon, births) = (transaction.horizon()?, transaction.births(Horizon::NONE)?);
    let (cut, link, via) = (transaction.cut(), LinkId::LOCAL, LinkId::LOCAL);
    let (seen, heard, sender, had, returned) = (Cut(0), Cut(0), NodeId(0), Reading(0), Reading(0));
    let hub = links.iter().find(|link| link.state.role() == Role::Hub);
    let owed = hub.map_or(Extent::Changes, |hub| hub.state.extent());
    let (left_out, dropped, past, knew_genesis) = (horizon, Horizon::NONE, Past::Known, true);
    let nobodys = Arrival {
        link,
        via,
        cut,
        seen,
        may_have_seen: seen,
        heard,
        awaits_answer: false,
        tells_again: false,
        knew_genesis,
        sender,
        hub: hub.map(|hub| hub.id),
        past,
        horizon,
        births,
        left_out,
        dropped,
        had,
        known_to: Reading(0),
        returned,
        told,
        owed,
        silence: Silence::OVER,
        deletions: Deletions::Count,
    };
    let of_links: BTreeMap<LinkId, Arrival> = links.iter().map(|link| (link.id, of_link(link, nobodys))).collect();
    Ok(AtRest { nobodys, of_links })
}

fn try_again(
    replica: &mut dyn Replica,
    is_meant: &dyn Fn(&Held) -> bool,
    now: WallTime,
    patience: Patience,
) -> Result<Retried, UnbundlerError> {
    let links = replica.links()?;
    let mut transaction = replica.begin_merge(now, Reading(0))?;
    let AtRest { nobodys, of_links } = at_rest(&links, &mut *transaction)?;
    let before = transaction.held()?;
    let others: BTreeSet<i64> = before.iter().filter(|held| !is_meant(held)).map(|held| held.id).collect();
    let quiet = match patience {
        Patience::None => Span::default(),
        Patience::With(quiet) | Patience::Until(quiet) => quiet,
    };
    let mut placer = HeldPlacer::new(&mut *transaction, nobodys, of_links, now, quiet)?;
    if !matches!(patience, Patience::With(_)) && placer.keep_waiting(&before, &waits_for_quiet)? {
        return Ok(Retried { placed: Vec::new(), still: before, came_to: Placed::default() });
    }
    let mut gone: BTreeSet<i64> = BTreeSet::new();
    loop {
        let placed = placer.place(&|held| !others.contains(&held.id))?;
        if placed.is_empty() {
            break;
        }
        gone.extend(placed);
    }
    let came_to = placer.came_to();
    if others.is_empty() {
        transaction.note_tried()?;
    }
    let still = transaction.held()?.into_iter().filter(|held| !others.contains(&held.id)).collect();
    transaction.commit()?;
    let placed = before.into_iter().filter(|held| gone.contains(&held.id)).collect();
    Ok(Retried { placed, still, came_to })
}
