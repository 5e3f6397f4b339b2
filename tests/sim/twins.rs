//! A disk that is copied, home, database and all, with both copies at work under one identity.

use std::fs;

use packhorse::Ran;

use crate::application;
use crate::dice::Dice;
use crate::happen::waits_for_receiver;
use crate::ids::At;
use crate::node::{Node, copy_folder};
use crate::packages::{self, has_met};
use crate::purge;
use crate::tally;
use crate::world::World;

/// More turns than it takes a hub to notice, and the refused one to hear of it.
const TURNS_MAX: usize = 24;

/// Who of the two speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    Original,
    Twin,
}

impl Who {
    fn other(self) -> Self {
        if self == Self::Twin { Self::Original } else { Self::Twin }
    }
}

/// A disk is copied, and both go on until the hub notices and refuses one. That one gets a new package, or ends.
pub fn copied_disk(world: &mut World, at: At, dice: &mut Dice) -> bool {
    let Some(hub) = world.nodes[at.0].hub.filter(|hub| world.is_present(*hub)) else { return false };
    let folder = world.root().join("twin");
    // What is under way from before the node was put back would be of a third line.
    let ways = format!("{}.{}.", world.nodes[at.0].name, world.nodes[hub.0].name);
    let is_under_way = world.relay.carries(&ways) || purge::may_wait(world, at);
    if world.is_hub(at) || !world.relay.is_there() || is_under_way || !has_met(world, hub, at) {
        return false;
    }
    world.tell(format!("the disk of {} is copied, and both go on", world.nodes[at.0].name));
    copy_folder(&world.nodes[at.0].folder, &folder);
    let mut twin = Node { folder, ..world.nodes[at.0].clone() };
    world.judge.may_repeat(world.nodes[at.0].name);
    world.judge.put_back(at);
    let first = dice.pick(&[Who::Original, Who::Twin]).expect("two");
    let refused = both_speak(world, (hub, at), &mut twin, first);
    world.lose(&[at]);
    fs::remove_dir_all(&twin.folder).expect("the copy goes");
    if refused == Who::Original {
        packages::pack_again(world, at, dice);
    }
    tally::met(if refused == Who::Original { tally::ORIGINAL_REFUSED } else { tally::TWIN_REFUSED });
    true
}

/// Both go on until one of them is refused and told so.
fn both_speak(world: &mut World, (hub, at): (At, At), twin: &mut Node, first: Who) -> Who {
    world.judge.copied = Some(at);
    let refused = until_noticed(world, (hub, at), twin, first);
    is_told(world, (hub, at), twin, refused);
    world.judge.copied = None;
    refused
}

/// Both edit and speak in turn, and so does the hub: whom it refuses in the end.
fn until_noticed(world: &mut World, (hub, at): (At, At), twin: &mut Node, first: Who) -> Who {
    for _ in 0..TURNS_MAX {
        for who in [first, first.other()] {
            speak(world, at, twin, who);
            if hub_notices(world, (hub, at)) {
                return who;
            }
        }
    }
    world.fail("copied disk", &format!("{} does not notice", world.nodes[hub.0].name))
}

/// One of the two edits, and syncs.
fn speak(world: &mut World, at: At, twin: &mut Node, who: Who) -> Ran {
    let value = world.value();
    let sql = format!("UPDATE companies SET name = '{value}' WHERE id = (SELECT max(id) FROM companies)");
    match who {
        Who::Original => {
            world.pass(60_000);
            world.write(at, &sql);
        }
        Who::Twin => twin_writes(world, at, twin, &sql),
    }
    let ran = match who {
        Who::Original => world.run(at, &["sync"]),
        Who::Twin => {
            world.pass(World::RUN);
            let ran = twin.run(&["sync"], world.now);
            world.tell(format!("the copy at {}: sync -> {}", world.told_time(), ran.exit));
            ran
        }
    };
    ends_well(world, &ran);
    world.harvested(at);
    if who == Who::Original {
        world.see(at);
    }
    ran
}

fn twin_writes(world: &mut World, at: At, twin: &Node, sql: &str) {
    world.pass(60_000);
    let connection = twin.open();
    let before = application::look(&connection).expect("a picture");
    application::write(&connection, sql).expect("a copy writes");
    let after = application::look(&connection).expect("a picture");
    world.tell(format!("the copy at {}: {sql}", world.told_time()));
    world.wrote_somewhere(at, &before, &after);
}

fn ends_well(world: &World, ran: &Ran) {
    if ![0, 3].contains(&ran.exit) && !waits_for_receiver(ran) {
        world.fail("exit", &format!("sync ended with {}: {}{}", ran.exit, ran.out, ran.err));
    }
}

/// Whether the hub's run tells of two copies: then with the way out.
fn hub_notices(world: &mut World, (hub, at): (At, At)) -> bool {
    let name = world.nodes[at.0].name;
    let ran = world.run(hub, &["sync"]);
    ends_well(world, &ran);
    world.harvested(hub);
    world.see(hub);
    let notices = ran.err.contains(&format!("two copies of \"{name}\" speak in turn"));
    if notices && (ran.exit != 3 || !ran.err.contains(&format!("packhorse remote pack {name}"))) {
        world.fail("copied disk", &format!("the hub ended with {}, and said {}", ran.exit, ran.err));
    }
    notices
}

/// The refused one hears of it within a few turns.
fn is_told(world: &mut World, (hub, at): (At, At), twin: &mut Node, refused: Who) {
    let way_out = format!("remote pack {}", world.nodes[at.0].name);
    for _ in 0..TURNS_MAX {
        let ran = speak(world, at, twin, refused);
        if ran.err.contains("refuses this installation") {
            if ran.exit != 3 || !ran.err.contains(&way_out) {
                world.fail("copied disk", &format!("the refused one ended with {}, and said {}", ran.exit, ran.err));
            }
            return;
        }
        hub_notices(world, (hub, at));
    }
    world.fail("copied disk", "the refused one is not told")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Climate;
    use crate::happen::run;
    use crate::world::Setting;

    fn sync(world: &mut World, at: At) {
        run(world, at, &["sync"], &[0, 3]);
    }

    /// The clock of the copy was put right by the hub's word, and what it told by that is later than what the original has
    /// written by its own.
    #[test]
    fn what_is_written_in_view_of_an_edit_that_is_stamped_anew_is_lost_and_told() {
        let (hub, alice, carol) = (At(0), At(1), At(2));
        let setting = Setting { cast: 1, small_bundles: false, keeps_journal: false };
        let mut world = World::with(0, setting, Climate { backups: true, ..Climate::CALM });
        world.nodes[hub.0].rate = 3_500;
        world.nodes[carol.0].rate = -3_500;
        world.write(alice, "INSERT INTO companies (uid, manager, name) VALUES ('u00001;', 'bob', 'v00002;')");
        world.write(carol, "DELETE FROM notes WHERE id = 300");
        world.serial = 4;
        [carol, alice].iter().for_each(|at| sync(&mut world, *at));
        world.pass(12 * 3_600_000);
        world.write(carol, "UPDATE contacts SET name = 'v00003;' WHERE id = 40");
        world.write(hub, "UPDATE companies SET name = 'v00004;' WHERE id = 4");
        sync(&mut world, hub);
        sync(&mut world, hub);
        world.judge.put_back(carol);
        let folder = world.root().join("twin");
        copy_folder(&world.nodes[carol.0].folder, &folder);
        let mut twin = Node { folder, ..world.nodes[carol.0].clone() };
        world.judge.may_repeat("carol");
        both_speak(&mut world, (hub, carol), &mut twin, Who::Twin);
    }
}
