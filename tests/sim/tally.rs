//! What the stories of this process have met, for a soak's report: events by their kind, mishaps of the relay and the line,
//! power cuts and backups. What befell runs is counted by the simulated machine.
//!
//! Invariants: what is counted has had its effect; planned and not come to is nothing. Whatever can be met stands here from
//! the beginning, so that what never was is seen.

use std::collections::BTreeMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use packhorse_shared::seam::Step;
use packhorse_transport::faulty::Fault;
use simulated_machine::fate::{self, Met};

use crate::event::Kind;
use crate::node::Part;
use crate::relay::Mishap;

/// How a line can break.
const BREAKS: [&str; 4] = ["fails before a call", "loses an answer", "is dead from a call on", "breaks within a file"];

static MET: LazyLock<Mutex<BTreeMap<String, u64>>> = LazyLock::new(|| {
    let kinds = Kind::ALL.iter().map(|kind| event(*kind));
    let mishaps = Mishap::ALL.iter().map(|mishap| of_relay(*mishap));
    let breaks = BREAKS.iter().map(|how| of_line(how));
    let parts = Part::ALL.iter().map(|part| of_backup(*part));
    let all = kinds.chain(mishaps).chain(breaks).chain(parts).chain(OTHERS.map(str::to_owned));
    Mutex::new(all.map(|what| (what, 0)).collect())
});

/// The power went.
pub const POWER_CUT: &str = "power cut";
/// Somebody was away for weeks while the others went on, and is back.
pub const LONG_ABSENCE: &str = "away for weeks, and back";
/// A hub and a remote were put back to copies of one moment.
pub const PUT_BACK_TOGETHER: &str = "put back: hub and remote together";
/// Of a node and a copy of its disk the node was refused.
pub const ORIGINAL_REFUSED: &str = "copied disk: the original is refused";
/// The copy was.
pub const TWIN_REFUSED: &str = "copied disk: the copy is refused";
/// A second run came in the middle of another, and was turned away.
pub const TURNED_AWAY: &str = "second run: turned away";
/// A run beside another with which it shares nothing.
pub const BESIDE: &str = "second run: beside the first";
/// A bundle that had arrived was damaged where it lay.
pub const ROTTEN: &str = "a bundle in an inbox rots";
/// A column went out of a set, or came back.
pub const COLUMNS: &str = "the columns of a set change";
/// A person let a mass deletion happen.
pub const APPROVED: &str = "mass deletion: approved";
/// A person had it undone.
pub const REFUSED: &str = "mass deletion: refused";
/// What has no kinds.
const OTHERS: [&str; 11] = [
    POWER_CUT,
    LONG_ABSENCE,
    PUT_BACK_TOGETHER,
    ORIGINAL_REFUSED,
    TWIN_REFUSED,
    TURNED_AWAY,
    BESIDE,
    ROTTEN,
    COLUMNS,
    APPROVED,
    REFUSED,
];

fn event(kind: Kind) -> String {
    format!("event: {kind:?}")
}

fn of_relay(mishap: Mishap) -> String {
    format!("relay: {mishap:?}")
}

fn of_line(how: &str) -> String {
    format!("line: {how}")
}

fn of_backup(part: Part) -> String {
    format!("put back: {part:?}")
}

fn add(what: String) {
    *MET.lock().unwrap_or_else(PoisonError::into_inner).entry(what).or_default() += 1;
}

/// An event happened.
pub fn count(kind: Kind) {
    add(event(kind));
}

/// Something happened to a file on the relay.
pub fn mishap(mishap: Mishap) {
    add(of_relay(mishap));
}

/// The line broke.
pub fn line(fault: Fault) {
    let how = match fault {
        Fault::None => return,
        Fault::Before(_) => BREAKS[0],
        Fault::After(_) => BREAKS[1],
        Fault::DeadFrom(_) => BREAKS[2],
        Fault::Cut(..) | Fault::CutEach(_) => BREAKS[3],
    };
    add(of_line(how));
}

/// One of these was met that have no kinds.
pub fn met(what: &str) {
    add(what.to_owned());
}

/// A copy was put back.
pub fn put_back(part: Part) {
    add(of_backup(part));
}

/// Prints how often everything was met; what never was.
pub fn report() -> Vec<String> {
    let counts = MET.lock().unwrap_or_else(PoisonError::into_inner);
    for (what, times) in counts.iter() {
        println!("  {times:>9}  {what}");
    }
    let met = fate::tally();
    let points = || fate::CALLS.iter().copied().chain(Step::ALL.iter().map(|step| step.name()));
    println!("  {:<24}{:>10}{:>9}{:>9}{:>9}", "point", "reached", "full", "broken", "killed");
    for point in points() {
        let Met { reached, full, broken, killed } = met.get(point).copied().unwrap_or_default();
        println!("  {point:<24}{reached:>10}{full:>9}{broken:>9}{killed:>9}");
    }
    let never = counts.iter().filter(|(_, times)| **times == 0).map(|(what, _)| what.clone());
    never.chain(points().flat_map(|point| unmet(point, met.get(point).copied().unwrap_or_default()))).collect()
}

/// What never befell anybody at a point.
fn unmet(point: &str, met: Met) -> impl Iterator<Item = String> {
    let only_reads = fate::only_reads(point);
    let ends = [("full", met.full), ("broken", met.broken), ("killed", met.killed)];
    let can_be = ends.into_iter().filter(move |(end, _)| *end == "broken" || !only_reads);
    can_be.filter(|(_, times)| *times == 0).map(move |(end, _)| format!("{point}: {end}"))
}
