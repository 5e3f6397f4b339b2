//! What comes in the middle of a run: a second run, or the application.

use std::cell::RefCell;
use std::rc::Rc;

use crate::application::{self, Pen, Picture};
use crate::dice::Dice;
use crate::happen::{COMMANDS, waits_for_receiver};
use crate::ids::At;
use crate::machinery;
use crate::world::World;

/// What an application did in the middle of a run.
type Meanwhile = Rc<RefCell<Option<(Picture, Picture, String, u32)>>>;

/// In the middle of a run somebody runs another one, or the application writes.
pub fn two_at_once(world: &mut World, at: At, dice: &mut Dice) -> bool {
    let words = dice.pick(&COMMANDS).expect("commands");
    let steps = 1 + dice.below(20);
    let meanwhile = Meanwhile::default();
    let (mut node, now) = (world.nodes[at.0].clone(), world.now);
    if dice.percent(50) {
        let second = dice.pick(&COMMANDS).expect("commands");
        machinery::between(steps, Box::new(move || drop(node.run(second, now))));
        world.tell(format!("  after {steps} steps, also {}", second.join(" ")));
    } else {
        let (mut dice, mut serial, slot) = (dice.clone(), world.serial, meanwhile.clone());
        machinery::between(
            steps,
            Box::new(move || {
                let connection = node.open();
                connection.busy_timeout(std::time::Duration::ZERO).expect("a setting");
                let before = application::look(&connection).expect("a picture");
                let sql = Pen { picture: &before, dice: &mut dice, serial: &mut serial }.transaction();
                // Where the run holds the lock the application would wait.
                let _ = application::write(&connection, &sql);
                let after = application::look(&connection).expect("a picture");
                slot.replace(Some((before, after, sql, serial)));
            }),
        );
    }
    let ran = world.run(at, words);
    let came = !machinery::nothing_between();
    if words[0] != "transfer" && [0, 3].contains(&ran.exit) {
        world.harvested(at);
    }
    if let Some((before, after, sql, serial)) = meanwhile.take() {
        world.tell(format!("  after {steps} steps the application: {sql}"));
        world.serial = serial;
        world.wrote(at, &before, &after);
    }
    if !world.ends().contains(&ran.exit) && !waits_for_receiver(&ran) {
        world.fail("exit", &format!("{words:?} ended with {}: {}{}", ran.exit, ran.out, ran.err));
    }
    world.see(at);
    came
}
