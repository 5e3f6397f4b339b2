//! Everything that is known of a record, from the database's several books.

use std::collections::BTreeMap;

use packhorse_shared::id::{Cut, NodeName};
use packhorse_shared::marks::Mark;
use packhorse_shared::replica::{Arrival, Belonging, Held, Noted, Replica, TableShape, Trace, TracedFate};

use crate::failure::Failure;
use crate::node::Node;

/// What is known of one record.
pub struct Gathered {
    /// The record.
    pub trace: Trace,
    /// What people know it by.
    pub title: Option<String>,
    /// By which bundle what came.
    pub arrivals: BTreeMap<Cut, Arrival>,
    /// Its conflicts.
    pub conflicts: Vec<Noted>,
    /// What a hub has refused of it.
    pub refusals: Vec<Noted>,
    /// What is held of it.
    pub held: Vec<Held>,
    /// What each link's other end has of it.
    pub reach: Vec<(NodeName, Reach)>,
}

/// What another end has of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// It does not share it.
    NotShared,
    /// All of it, by its own word.
    Has,
    /// What changed last is in a bundle that it has not acknowledged yet.
    Sealed,
    /// What changed last waits to be sealed.
    Waits,
}

/// Gathers it, of each record that has or had the key.
pub fn gather(node: &mut Node, table: &TableShape, key: &[String]) -> Result<Vec<Gathered>, Failure> {
    let traces = node.replica.trace(table, key)?;
    let (conflicts, held) = (node.replica.all_conflicts()?, node.replica.all_held()?);
    let refusals = node.replica.refusals()?;
    let mut gathered = Vec::new();
    for trace in traces {
        let title = if trace.fate == TracedFate::Stands { node.replica.title(table, &trace.key)? } else { None };
        let arrivals = node.replica.arrivals(marks(&trace).map(|mark| mark.cut))?;
        let is_its = |noted: &&Noted| noted.table.eq_ignore_ascii_case(&table.name) && noted.key == trace.key;
        let conflicts = conflicts.iter().filter(is_its).cloned().collect();
        let refusals = refusals.iter().filter(is_its).cloned().collect();
        let held = held.iter().filter(|held| is_of(held, table, &trace)).cloned().collect();
        let reach = reach(node, table, &trace)?;
        gathered.push(Gathered { trace, title, arrivals, conflicts, refusals, held, reach });
    }
    Ok(gathered)
}

/// The changes of a record.
pub fn marks(trace: &Trace) -> impl Iterator<Item = Mark> + '_ {
    let death = match trace.fate {
        TracedFate::Deleted(mark) => Some(mark),
        _ => None,
    };
    trace.fields.iter().filter_map(|field| field.change).chain(death)
}

fn is_of(held: &Held, table: &TableShape, trace: &Trace) -> bool {
    let record = held.change.records.first();
    held.change.table.eq_ignore_ascii_case(&table.name) && record.is_some_and(|record| record.key == trace.key)
}

/// What each other end has, from what it has acknowledged. What came from it, it has.
fn reach(node: &mut Node, table: &TableShape, trace: &Trace) -> Result<Vec<(NodeName, Reach)>, Failure> {
    let all = node.replica.all_sharing()?;
    let snapshot = node.replica.glance()?;
    let mut reach = Vec::new();
    for (link, tables) in all {
        let shared = tables.iter().find(|shared| shared.shape.id == table.id);
        let belonging = match shared {
            Some(shared) => snapshot.belonging(link.id, shared, &trace.key)?,
            None => None,
        };
        let since = match belonging {
            None | Some(Belonging::LeftAt(_)) => {
                reach.push((link.peer, Reach::NotShared));
                continue;
            }
            Some(belonging) => belonging.cut(),
        };
        let own = marks(trace).filter(|mark| mark.via != link.id).map(|mark| mark.cut);
        let latest = own.max().unwrap_or(Cut(0)).max(since);
        let has = match latest {
            latest if latest <= link.state.acked() => Reach::Has,
            latest if latest <= link.state.sent() => Reach::Sealed,
            _ => Reach::Waits,
        };
        reach.push((link.peer, has));
    }
    Ok(reach)
}
