//! Copies of nodes that are kept, and put back later.

use std::fs;
use std::path::PathBuf;

use crate::dice::Dice;
use crate::ids::At;
use crate::node::{Part, copy_folder};
use crate::tally;
use crate::world::World;

/// Where the copy of a node is.
pub fn kept(world: &World, at: At) -> PathBuf {
    world.root().join("kept").join(world.nodes[at.0].name)
}

/// A copy of a node is kept.
pub fn keep(world: &mut World, at: At) -> bool {
    let copy = kept(world, at);
    let _ = fs::remove_dir_all(&copy);
    copy_folder(&world.nodes[at.0].folder, &copy);
    world.tell(format!("a copy of {} is kept", world.nodes[at.0].name));
    true
}

/// A part of the copy of a node is put back, if there is one.
pub fn put_some_back(world: &mut World, at: At, dice: &mut Dice) -> bool {
    let part = dice.pick(&[Part::Database, Part::Database, Part::Home, Part::Both]).expect("parts");
    let is_kept = kept(world, at).exists();
    if is_kept {
        put_back(world, at, part);
    }
    is_kept
}

/// A part of the copy of a node is put back.
pub fn put_back(world: &mut World, at: At, part: Part) {
    let copy = kept(world, at);
    world.tell(format!("{} is put back: {part:?}", world.nodes[at.0].name));
    tally::put_back(part);
    if part != Part::Home {
        world.lose(at);
    }
    part.put_back(&copy, &world.nodes[at.0]);
    simulated_machine::settle(&[&world.nodes[at.0].folder]);
    world.see(at);
}
