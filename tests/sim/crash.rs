//! Runs that are killed, whose disk fails, or after which the power goes; and what must be so then.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use packhorse::Ran;
use simulated_machine::fate::{self, Aim, End, Fate};

use crate::cast;
use crate::dice::Dice;
use crate::happen::{COMMANDS, end};
use crate::ids::At;
use crate::machinery;
use crate::node::{Node, files};
use crate::tally;
use crate::world::World;

/// How a run may end that something befalls.
const ANY: [u8; 5] = [0, 1, 2, 3, 4];

/// A run that is killed at the n-th durable step, if it has so many.
pub fn killed(world: &mut World, at: At, words: &[&str], steps: u64) {
    machinery::befall(steps, End::Kill);
    let ran = world.run(at, words);
    machinery::nothing_between();
    if world.nodes[at.0].died {
        return world.see(at);
    }
    end(world, at, words, &ran, &[0, 3]);
}

/// How a run is stopped.
fn some_end(dice: &mut Dice) -> End {
    let ends = [
        End::Kill,
        End::Kill,
        End::Kill,
        End::Once(fate::Fault::Full),
        End::Once(fate::Fault::Broken),
        End::FromThenOn(fate::Fault::Full),
        End::FromThenOn(fate::Fault::Broken),
        End::Reading,
    ];
    dice.pick(&ends).expect("ends")
}

/// A run that is killed, or whose disk fails; or the power goes.
pub fn crash(world: &mut World, at: At, dice: &mut Dice) -> bool {
    let words = dice.pick(&COMMANDS).expect("commands");
    if !world.aims.is_empty() && dice.percent(40) {
        return aimed(world, at, words, dice);
    }
    let end_of = some_end(dice);
    if dice.percent(50) {
        // Of all calls few are durable steps, and these are where a rule of ours is between two of the system's.
        let steps = 1 + dice.below(25);
        machinery::befall(steps, end_of);
        world.tell(format!("  {end_of:?} at step {steps}"));
    } else {
        let node = &world.nodes[at.0];
        let most = if end_of == End::Reading { node.readings } else { node.calls }.max(40) + 20;
        let planned = Fate { at: 1 + dice.below(most), end: end_of };
        fate::plan(Some(planned));
        world.tell(format!("  {planned:?}"));
    }
    let ran = world.run(at, words);
    machinery::nothing_between();
    befell(world, at, words, &ran, dice)
}

/// A run that is stopped where it comes first of all that the story aims at; whether it does. After one that is not the power
/// may go all the same where the database has a rollback journal.
pub fn aimed(world: &mut World, at: At, words: &[&str], dice: &mut Dice) -> bool {
    fate::aim(world.aims.clone());
    let ran = world.run(at, words);
    let Some(hit) = fate::hit() else {
        if !world.nodes[at.0].has_log() {
            return befell(world, at, words, &ran, dice);
        }
        end(world, at, words, &ran, world.ends());
        return false;
    };
    world.aims.retain(|aim| *aim != hit);
    befell(world, at, words, &ran, dice)
}

/// A run that is stopped when it comes to a point, if it does.
pub fn stopped_at(world: &mut World, at: At, words: &[&str], aim: Aim) {
    fate::aim(vec![aim]);
    let ran = world.run(at, words);
    if world.nodes[at.0].died {
        return world.see(at);
    }
    end(world, at, words, &ran, if fate::hit().is_some() { &ANY } else { &[0, 3] });
}

/// What must be so after a run that something may have befallen, and after which the power may go; whether any of it did.
pub fn befell(world: &mut World, at: At, words: &[&str], ran: &Ran, dice: &mut Dice) -> bool {
    let struck = fate::has_struck();
    let dead = world.nodes[at.0].died;
    let is_done = !dead && [0, 3].contains(&ran.exit);
    let kept = if is_done { promised(&world.nodes[at.0], words) } else { BTreeMap::new() };
    // Few databases have a rollback journal, and few runs there end well that have written anything.
    let is_rare = is_done && !struck && !world.nodes[at.0].has_log();
    let goes_out = dice.percent(if is_rare {
        90
    } else if dead {
        60
    } else {
        40
    });
    if goes_out {
        power_cut(world, at, dice);
    }
    let after = promised(&world.nodes[at.0], words);
    if let Some((lost, _)) = kept.into_iter().find(|(path, content)| after.get(path) != Some(content)) {
        world.fail("durable", &format!("{words:?} was over, and yet the power took {}", lost.display()));
    }
    if dead {
        world.see(at);
    } else {
        end(world, at, words, ran, if struck { &ANY } else { world.ends() });
    }
    struck || goes_out
}

/// What is in a node's files that it keeps for others, or cannot do without: its database too, if it has a rollback journal. (To
/// look into one with a log could move what is in the log.)
fn promised(node: &Node, words: &[&str]) -> BTreeMap<PathBuf, Vec<u8>> {
    let (home, folders) = (node.home(), ["outbox", "inbox", "quarantine"]);
    let spooled = folders.iter().flat_map(|folder| files(&home.join(folder)));
    let kept = spooled.chain(["identity", "packhorse.toml"].map(|name| home.join(name)));
    // A transfer has nothing to do with the database: what the application wrote there is still the disk's to keep.
    let database = (words[0] != "transfer" && !node.has_log()).then(|| {
        // What the power took back is so once somebody looks.
        cast::look(node);
        node.database()
    });
    kept.chain(database).map(|path| (path.clone(), fs::read(path).expect("a file of the node's"))).collect()
}

fn power_cut(world: &mut World, at: At, dice: &mut Dice) {
    let folder = world.nodes[at.0].folder.clone();
    let lost = simulated_machine::power_cut(&[&folder], dice.throw());
    tally::met(tally::POWER_CUT);
    world.tell(format!("  the power goes: {lost:?}"));
}
