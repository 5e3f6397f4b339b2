//! Stories that once failed, as texts: what a seed's shrunk story prints, in a file of `stories/` (tests/README.md).
//!
//! A seed tells another story once anything of the simulator or of the product changes; a text does not.

use std::fs;
use std::path::{Path, PathBuf};

use crate::aim;
use crate::copies;
use crate::crash;
use crate::decide;
use crate::dice::Dice;
use crate::event::Climate;
use crate::happen;
use crate::ids::At;
use crate::laws;
use crate::node::Part;
use crate::packages;
use crate::policies::Policies;
use crate::rights::Rights;
use crate::shares::{Share, Terms};
use crate::verdict;
use crate::world::{Setting, World, Wrote};

const COMMANDS: [&str; 4] = ["sync", "transfer", "apply", "bundle --now"];
/// Between a command and what stops it.
const STOPPED: &str = ", ";
/// Before the number of the durable step at which it is killed.
const KILLED: &str = "killed at step ";
/// Between a command and how it ended; without it, it ended well.
const ENDED: &str = " -> ";
/// After what the application wrote in vain.
const REFUSED: &str = " (refused)";
/// Before what a person decides by hand.
const DECIDED: &str = ": held ";
/// Before how far a clock is off.
const CLOCK: &str = "the clock of ";

/// The files of all of them.
pub fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sim/stories");
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder).expect("stories").map(|entry| entry.expect("a file").path()).collect();
    files.sort();
    files
}

/// Plays the story of a file. Panics with the story if it fails.
pub fn play(file: &Path) {
    let text = fs::read_to_string(file).expect("a story");
    let mut lines = text.lines().filter(|line| !line.starts_with('#'));
    let cast = lines.next().and_then(|line| line.strip_prefix("cast ")?.parse().ok());
    let setting = Setting { cast: cast.expect("the number of a cast"), small_bundles: false, keeps_journal: false };
    let climate = Climate { clocks: text.contains(CLOCK), decisions: text.contains(DECIDED), ..Climate::CALM };
    let mut world = World::with(0, setting, climate);
    lines.for_each(|line| happen(&mut world, line));
    verdict::judge(&mut world, 0);
}

fn happen(world: &mut World, line: &str) {
    let said = said(world, line);
    assert!(said.is_some(), "nobody knows what this line means: {line}");
}

fn said(world: &mut World, line: &str) -> Option<()> {
    if let Some(hours) = line.strip_suffix(" hours pass") {
        world.pass(hours.parse::<u64>().ok()? * 3_600_000);
    } else if let Some(rest) = line.strip_prefix("relay: Lost ") {
        world.relay.lose(rest);
    } else if line.starts_with("Terms ") {
        let says = |what: &str| line.contains(&format!("{what}: true"));
        happen::change_terms(world, Terms { free: says("free"), bare: says("bare"), ..world.terms });
    } else if let Some(words) = line.strip_prefix(laws::POLICIES) {
        laws::begin_policies(world, Policies::read(words));
    } else if let Some(words) = line.strip_prefix(laws::RIGHTS) {
        laws::change_rights(world, Rights::read(words));
    } else if let Some(rest) = line.strip_prefix(CLOCK) {
        let (name, offset) = rest.strip_suffix(" ms")?.split_once(" is off by ")?;
        let at = node(world, name)?;
        world.nodes[at.0].set_clock(offset.parse().ok()?, world.now);
    } else if let Some((name, share)) = line.split_once(" has ") {
        let new = ["alice", "bob"].map(Share::Sales).into_iter().find(|new| format!("{new:?}") == share)?;
        let at = node(world, name)?;
        happen::change_share(world, at, new);
    } else if let Some(name) = line.strip_prefix("a copy of ") {
        let at = node(world, name.strip_suffix(" is kept")?)?;
        copies::keep(world, at);
    } else if let Some(name) = line.strip_suffix(" gets a new package") {
        let at = node(world, name)?;
        packages::pack_again_after(world, at, &|_| 0, &mut Dice::new(0, 0)).then_some(())?;
    } else if let Some((name, part)) = line.split_once(" is put back: ") {
        let at = node(world, name)?;
        copies::put_back(
            world,
            at,
            [Part::Database, Part::Home, Part::Both].into_iter().find(|it| format!("{it:?}") == part)?,
        );
    } else {
        let (head, what) = line.split_once(": ")?;
        let (name, time) = head.split_once(" at ")?;
        let at = node(world, name)?;
        did(world, at, time.parse().ok()?, what);
    }
    Some(())
}

fn node(world: &World, name: &str) -> Option<At> {
    world.all().find(|at| world.nodes[at.0].name == name)
}

/// Writes, or runs a command: at the time at which it was told.
fn did(world: &mut World, at: At, time: u64, what: &str) {
    let (words, end) = what.split_once(ENDED).unwrap_or((what, ""));
    let (words, stopped) = words.split_once(STOPPED).unwrap_or((words, ""));
    let command = COMMANDS.into_iter().find(|command| *command == words);
    let is_decided = what.starts_with(&DECIDED[2..]);
    let takes = if command.is_some() || is_decided { World::RUN } else { 0 };
    world.pass(time.saturating_sub(world.told_time() + takes));
    if is_decided {
        let words: Vec<&str> = words.split(' ').collect();
        assert_eq!(decide::say(world, at, &words), end == "0", "whether this could be done: {words:?}");
        return;
    }
    let Some(command) = command else {
        let (sql, is_refused) = what.strip_suffix(REFUSED).map_or((what, false), |sql| (sql, true));
        assert_eq!(world.write(at, sql) == Wrote::Refused, is_refused, "whether this was refused: {sql}");
        return;
    };
    let words: Vec<&str> = command.split(' ').collect();
    if let Some(steps) = stopped.strip_prefix(KILLED).and_then(|steps| steps.parse().ok()) {
        crash::killed(world, at, &words, steps);
    } else if let Some(aim) = aim::read(stopped) {
        crash::stopped_at(world, at, &words, aim);
    } else {
        let end = end.parse().map(|end| vec![end]);
        happen::run(world, at, &words, &end.unwrap_or_else(|_| vec![0, 3]));
    }
}
