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

/// Where the copies are that were made of a hub and a remote at one moment.
pub fn kept_together(world: &World) -> PathBuf {
    world.root().join("kept-together")
}

/// A copy of a node is kept.
pub fn keep(world: &mut World, at: At) {
    let copy = kept(world, at);
    let _ = fs::remove_dir_all(&copy);
    copy_folder(&world.nodes[at.0].folder, &copy);
    world.tell(format!("a copy of {} is kept", world.nodes[at.0].name));
}

/// A copy of a node is kept, or of a remote and its hub at one moment.
pub fn keep_some(world: &mut World, at: At, dice: &mut Dice) {
    match world.nodes[at.0].hub.filter(|_| dice.percent(50)) {
        None => keep(world, at),
        Some(hub) => keep_together(world, hub, at),
    }
}

fn keep_together(world: &mut World, hub: At, at: At) {
    let copies = kept_together(world);
    let _ = fs::remove_dir_all(&copies);
    let (hub, remote) = (&world.nodes[hub.0], &world.nodes[at.0]);
    [hub, remote].iter().for_each(|node| copy_folder(&node.folder, &copies.join(node.name)));
    world.tell(format!("copies of {} and {} are kept together", hub.name, remote.name));
}

/// A part of the copy of a node is put back, or both copies of one moment are, if there are any.
pub fn put_some_back(world: &mut World, at: At, dice: &mut Dice) -> bool {
    let part = dice.pick(&Part::ALL).expect("parts");
    if dice.percent(50) && kept_together(world).exists() {
        return put_back_together(world);
    }
    let with_copies: Vec<At> = world.present().into_iter().filter(|at| kept(world, *at).exists()).collect();
    let Some(at) = Some(at).filter(|at| with_copies.contains(at)).or_else(|| dice.pick(&with_copies)) else {
        return false;
    };
    put_back(world, at, part);
    true
}

/// A hub and a remote are put back to copies of one moment, with all that they have.
fn put_back_together(world: &mut World) -> bool {
    let copies = kept_together(world);
    let both: Vec<At> = world.all().filter(|at| copies.join(world.nodes[at.0].name).exists()).collect();
    if both.iter().any(|at| !world.is_present(*at)) {
        return false;
    }
    for at in &both {
        world.search(*at);
        let node = &world.nodes[at.0];
        Part::Both.put_back(&copies.join(node.name), node);
        world.judge.may_repeat(node.name);
        simulated_machine::settle(&[&node.folder]);
    }
    world.lose(&both);
    let names: Vec<_> = both.iter().map(|at| world.nodes[at.0].name).collect();
    world.tell(format!("{} are put back together", names.join(" and ")));
    tally::met(tally::PUT_BACK_TOGETHER);
    both.iter().for_each(|at| world.see(*at));
    true
}

/// A part of the copy of a node is put back.
pub fn put_back(world: &mut World, at: At, part: Part) {
    let copy = kept(world, at);
    world.tell(format!("{} is put back: {part:?}", world.nodes[at.0].name));
    tally::put_back(part);
    world.search(at);
    part.put_back(&copy, &world.nodes[at.0]);
    if part != Part::Home {
        world.lose(&[at]);
        world.judge.may_repeat(world.nodes[at.0].name);
    }
    simulated_machine::settle(&[&world.nodes[at.0].folder]);
    world.see(at);
}
