//! What the stories of this process have met, for a soak's report: events by their kind, mishaps of the relay and the line,
//! power cuts and backups. What befell runs is counted by the simulated machine.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use packhorse_shared::seam::Step;
use packhorse_transport::faulty::Fault;
use simulated_machine::fate::{self, Met};

use crate::event::Kind;
use crate::node::Part;
use crate::relay::Mishap;

/// What only making and removing nodes comes to, which the simulation does without faults.
const MAKING: [Step; 12] = [
    Step::InitHomeMade,
    Step::InitRelayMarked,
    Step::RemoteFolderMade,
    Step::RemoteLinkForgotten,
    Step::PackageDatabaseMade,
    Step::PackageDrafted,
    Step::PackageLinkOpened,
    Step::PackagePublished,
    Step::RestoreUnpacked,
    Step::RestoreHomeMade,
    Step::RestoreAdopted,
    Step::RestorePublished,
];

static MET: Mutex<BTreeMap<String, u64>> = Mutex::new(BTreeMap::new());

fn add(what: String) {
    *MET.lock().unwrap_or_else(PoisonError::into_inner).entry(what).or_default() += 1;
}

/// An event happened.
pub fn count(kind: Kind) {
    add(format!("event: {kind:?}"));
}

/// Something happened to a file on the relay.
pub fn mishap(mishap: Mishap) {
    add(format!("relay: {mishap:?}"));
}

/// The line was to break.
pub fn line(fault: &Fault) {
    let kind = match fault {
        Fault::None => "holds",
        Fault::Before(_) => "fails before a call",
        Fault::After(_) => "loses an answer",
        Fault::DeadFrom(_) => "is dead from a call on",
        Fault::Cut(..) => "breaks within a file",
    };
    add(format!("line: {kind}"));
}

/// The power went.
pub fn power_cut() {
    add("power cut".to_owned());
}

/// A copy was put back.
pub fn put_back(part: Part) {
    add(format!("put back: {part:?}"));
}

/// Prints how often everything was met; what never was of the durable steps that a story can come to.
pub fn report() -> Vec<&'static str> {
    for (what, times) in MET.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        println!("  {times:>9}  {what}");
    }
    let met = fate::tally();
    println!("  {:<24}{:>10}{:>9}{:>9}{:>9}", "point", "reached", "full", "broken", "killed");
    for (point, Met { reached, full, broken, killed }) in &met {
        println!("  {point:<24}{reached:>10}{full:>9}{broken:>9}{killed:>9}");
    }
    let steps = Step::ALL.iter().filter(|step| !MAKING.contains(step)).map(|step| step.name());
    steps.filter(|step| met.get(step).is_none_or(|met| met.killed == 0)).collect()
}
