//! Faults that are aimed at a point by its name, and fall the first time that a run comes there, however rarely that is.
//!
//! Invariants: what a story is given to aim at follows from its seed; each of it falls once at most, on a run that nothing
//! else befalls. What few runs come to is aimed at in every story, in one way each; the others take turns.

use packhorse_shared::seam::Step;
use simulated_machine::fate::{self, Aim, End, Fault};

use crate::dice::Dice;
use crate::event::Climate;

/// What few runs come to.
const RARE: [&str; 13] = [
    "log-cleared",
    "horizon-raised",
    "stamps-forgotten",
    "leftover-published",
    "leftover-removed",
    "link-skipped",
    "fetched-quarantined",
    "terms-taken-over",
    "old-noted",
    "waiting-noted",
    "sender-asked",
    "reason-written",
    "db-delete",
];
/// How many of the others a story is given.
const OTHERS: usize = 4;

/// How a run can end at a point that does more than read, in a story's words.
const ENDS: [(&str, End); 3] =
    [("killed", End::Kill), ("full", End::Once(Fault::Full)), ("broken", End::Once(Fault::Broken))];
const READING: (&str, End) = ("unreadable", End::Reading);

fn ends(point: &str) -> &'static [(&'static str, End)] {
    if fate::only_reads(point) { &[READING] } else { &ENDS }
}

/// The points to which any run may come; but for those of what makes and removes nodes, which stand before the others.
fn points() -> impl Iterator<Item = &'static str> {
    let making = Step::ALL.iter().take_while(|step| **step != Step::HarvestChunkCommitted).count();
    Step::ALL[making..].iter().map(|step| step.name()).chain(fate::CALLS.iter().copied())
}

/// What a story of this seed aims at.
pub fn of(seed: u64, climate: &Climate) -> Vec<Aim> {
    if !climate.crashes {
        return Vec::new();
    }
    let mut dice = Dice::new(seed, 17);
    let (rare, others): (Vec<_>, Vec<_>) = points().partition(|point| RARE.contains(point));
    let some = |point: &'static str, dice: &mut Dice| {
        let (_, end) = dice.pick(ends(point)).expect("ends");
        Aim { point, end }
    };
    let mut aims: Vec<Aim> = rare.into_iter().map(|point| some(point, &mut dice)).collect();
    let turns = others.iter().flat_map(|point| ends(point).iter().map(|(_, end)| Aim { point, end: *end }));
    let turns: Vec<Aim> = turns.collect();
    let first = (seed as usize).wrapping_mul(OTHERS * 7);
    aims.extend((0..OTHERS).map(|at| turns[(first + at * 7) % turns.len()]));
    aims
}

/// A step, in each of the ways in which a run can end there.
pub fn each_way(step: Step) -> impl Iterator<Item = Aim> {
    ENDS.iter().map(move |(_, end)| Aim { point: step.name(), end: *end })
}

/// As a story tells it.
pub fn words(aim: Aim) -> String {
    let how = ENDS.iter().chain([&READING]).find(|(_, end)| *end == aim.end).map_or("stopped", |(how, _)| how);
    format!("{how} at {}", aim.point)
}

/// What a story tells so.
pub fn read(words: &str) -> Option<Aim> {
    let (how, name) = words.split_once(" at ")?;
    let point = points().find(|point| *point == name)?;
    let (_, end) = ends(point).iter().find(|(end, _)| *end == how)?;
    Some(Aim { point, end: *end })
}
