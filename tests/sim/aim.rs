//! Faults that are aimed at a point by its name, and fall the first time that a run comes there, however rarely that is.
//!
//! Invariants: what a story is given to aim at follows from its seed; each of it falls once at most, on a run that nothing
//! else befalls. What few runs come to is aimed at in most stories, in each way: the run after one
//! that was stopped often comes there again. The others take turns.

use packhorse_shared::seam::Step;
use simulated_machine::fate::{self, Aim, End, Fault};

use crate::dice::Dice;
use crate::event::Climate;

/// What few runs come to.
const RARE: [&str; 14] = [
    "link-skipped",
    "horizon-raised",
    "stamps-forgotten",
    "leftover-published",
    "leftover-removed",
    "fetched-quarantined",
    "terms-taken-over",
    "waiting-noted",
    "waiting-counted",
    "sender-asked",
    "reason-written",
    "bundle-quarantined",
    "db-delete",
    "db-sync-folder",
];
/// How many of the others a story is given.
const OTHERS: usize = 6;

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
    // Not all of them: what falls at one stands before another of the same run.
    let rare: Vec<&str> = rare.into_iter().filter(|_| dice.percent(60)).collect();
    let mut aims: Vec<Aim> = rare.into_iter().flat_map(|point| each_way(point, &mut dice)).collect();
    let each = |point: &&'static str| ends(point).iter().map(|(_, end)| Aim { point, end: *end }).collect::<Vec<_>>();
    let turns: Vec<Aim> = others.iter().flat_map(each).collect();
    let first = (seed as usize).wrapping_mul(OTHERS);
    aims.extend((0..OTHERS).map(|at| turns[first.wrapping_add(at) % turns.len()]));
    aims
}

/// A point, in each of the ways in which a run can end there, in any order.
pub fn each_way(point: &'static str, dice: &mut Dice) -> Vec<Aim> {
    let mut aims: Vec<Aim> = ends(point).iter().map(|(_, end)| Aim { point, end: *end }).collect();
    let first = dice.below(aims.len() as u64) as usize;
    aims.rotate_left(first);
    aims
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
