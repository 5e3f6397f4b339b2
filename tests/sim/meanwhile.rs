//! What comes in the middle of a run: a second run, or the application.

use std::cell::RefCell;
use std::rc::Rc;

use packhorse::Ran;

use crate::application::{self, Pen, Picture};
use crate::dice::Dice;
use crate::happen::{COMMANDS, has_harvested, waits_for_receiver};
use crate::ids::At;
use crate::machinery;
use crate::node::Node;
use crate::tally;
use crate::world::World;

/// What came in the middle of a run.
enum Came {
    /// A second run, which ended so.
    Second(&'static [&'static str], Ran),
    /// The application: what it saw before and after, what it wrote, and the number of its last text.
    Application(Picture, Picture, String, u32),
}

/// What is said by a run that finds another one at work.
const TURNED_AWAY: [&str; 2] = ["another run works on", "another run moves the bundles of"];

/// In the middle of a run somebody runs another one, or the application writes.
pub fn two_at_once(world: &mut World, at: At, dice: &mut Dice) -> bool {
    let words = dice.pick(&COMMANDS).expect("commands");
    let steps = 1 + dice.below(20);
    let came = Rc::new(RefCell::new(None));
    let (node, slot) = (world.nodes[at.0].clone(), came.clone());
    if dice.percent(50) {
        let second = dice.pick(&COMMANDS).expect("commands");
        machinery::between(
            steps,
            Box::new(move || {
                slot.replace(Some(Came::Second(second, node.run_within(second))));
            }),
        );
    } else {
        let (mut dice, mut serial) = (dice.clone(), world.serial);
        machinery::between(
            steps,
            Box::new(move || {
                slot.replace(Some(writes(&node, &mut dice, &mut serial)));
            }),
        );
    }
    let ran = world.run(at, words);
    machinery::nothing_between();
    if has_harvested(world, at, words, &ran) {
        world.harvested(at);
    }
    let came = came.take();
    let happened = came.is_some();
    came.into_iter().for_each(|came| take_in(world, at, (words, steps), came));
    if !world.ends().contains(&ran.exit) && !waits_for_receiver(&ran) {
        world.fail("exit", &format!("{words:?} ended with {}: {}{}", ran.exit, ran.out, ran.err));
    }
    world.see(at);
    happened
}

fn writes(node: &Node, dice: &mut Dice, serial: &mut u32) -> Came {
    let connection = node.open();
    connection.busy_timeout(std::time::Duration::ZERO).expect("a setting");
    let before = application::look(&connection).expect("a picture");
    let sql = Pen { picture: &before, dice, serial }.transaction();
    // Where the run holds the lock the application would wait.
    let _ = application::write(&connection, &sql);
    let after = application::look(&connection).expect("a picture");
    Came::Application(before, after, sql, *serial)
}

/// Tells what came, and sees that a second run was turned away where the first has what it needs: each holds that from its
/// beginning to its end.
fn take_in(world: &mut World, at: At, (first, steps): (&[&str], u64), came: Came) {
    match came {
        Came::Application(before, after, sql, serial) => {
            world.tell(format!("  after {steps} steps the application: {sql}"));
            world.serial = serial;
            world.wrote(at, &before, &after);
        }
        Came::Second(words, ran) => {
            world.tell(format!("  after {steps} steps, also {} -> {}", words.join(" "), ran.exit));
            if are_apart(first, words) {
                return beside(world, at, words, &ran);
            }
            let turned_away = TURNED_AWAY.iter().any(|words| ran.err.contains(words));
            if !turned_away || ran.exit != 1 {
                world.fail("lock", &format!("{words:?} in a run ended with {}: {}{}", ran.exit, ran.out, ran.err));
            }
            tally::met(tally::TURNED_AWAY);
        }
    }
}

/// Whether two runs need nothing of the home together: one moves bundles, the other has the database.
fn are_apart(first: &[&str], second: &[&str]) -> bool {
    let is_call = |words: &[&str]| words[0] == "transfer";
    let needs_both = |words: &[&str]| words[0] == "sync";
    is_call(first) != is_call(second) && !needs_both(first) && !needs_both(second)
}

/// A second run beside one with which it shares nothing ends as if it were alone.
fn beside(world: &mut World, at: At, words: &[&str], ran: &Ran) {
    if has_harvested(world, at, words, ran) {
        world.harvested(at);
    }
    if !world.ends().contains(&ran.exit) && !waits_for_receiver(ran) {
        world.fail("exit", &format!("{words:?} beside another ended with {}: {}{}", ran.exit, ran.out, ran.err));
    }
    tally::met(tally::BESIDE);
}
