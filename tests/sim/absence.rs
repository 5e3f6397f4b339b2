//! Who is away for weeks to months, takes part in nothing, and comes back, while the others edit and sync on.

use crate::dice::Dice;
use crate::event::Climate;
use crate::ids::{At, Millis};
use crate::tally;
use crate::world::World;

const DAY: u64 = 24 * 3_600_000;
/// How long somebody has been away for it to be counted.
const LONG: u64 = 14 * DAY;

/// Who is away, from which event to which.
#[derive(Clone, Copy, Debug)]
pub struct Absence {
    who: At,
    from: usize,
    until: usize,
}

impl Absence {
    /// That of a seed, if somebody is away in its story.
    pub fn of(seed: u64, climate: &Climate, nodes: usize) -> Option<Self> {
        let mut dice = Dice::new(seed, 16);
        (climate.absence && dice.percent(60)).then(|| {
            let who = At(1 + dice.below(nodes as u64 - 1) as usize);
            let from = 5 + dice.below(25) as usize;
            Self { who, from, until: from + 10 + dice.below(20) as usize }
        })
    }

    fn who(self, event: usize) -> Option<At> {
        (self.from..self.until).contains(&event).then_some(self.who)
    }
}

/// Before an event: somebody goes, or is back; while somebody is away days pass from event to event.
pub fn before(world: &mut World, event: usize, dice: &mut Dice) {
    let who = world.absence.and_then(|absence| absence.who(event));
    match (world.away, who) {
        (None, Some(who)) => {
            world.tell(format!("{} is away", world.nodes[who.0].name));
            world.away = Some((who, world.now));
        }
        (Some(_), None) => back(world),
        _ => {}
    }
    if world.away.is_some() {
        world.pass(dice.below(5 * DAY));
    }
}

/// Whoever was away is back.
pub fn back(world: &mut World) {
    let Some((who, Millis(since))) = world.away.take() else { return };
    let time = world.now.0 - since;
    world.tell(format!("{} is back after {} days", world.nodes[who.0].name, time / DAY));
    if time > LONG {
        tally::met(tally::LONG_ABSENCE);
    }
}
