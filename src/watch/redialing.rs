//! When the service calls next, kept across services: a line that is down is not to be asked at once by one that is started
//! again.
//!
//! Owns what is written of it in the home, and the look whether somebody else has got through meanwhile.

use std::time::Duration;

use packhorse_shared::calls::{Calls, Redial};
use packhorse_shared::clock::WallTime;
use packhorse_shared::config::Part;
use packhorse_shared::home::Home;
use packhorse_shared::seam::World;

use super::schedule::{Outcome, Schedule};
use crate::journal::Event;

/// What is kept of a home's next call.
pub struct Redialing {
    calls: Calls,
    world: World<'static>,
    /// Whether the home says when to call next: who gets through takes that away.
    is_set: bool,
}

impl Redialing {
    /// Goes on with the failures that an earlier service had.
    pub fn resume(home: &Home, world: World<'static>, schedule: &mut Schedule) -> Self {
        let calls = home.calls();
        let redial = calls.redial();
        if let Some(Redial { failures, next }) = redial {
            let rest = next.0.saturating_sub(world.clock.now().0);
            schedule.resume(failures, Duration::from_millis(rest), Duration::ZERO);
        }
        Self { calls, world, is_set: redial.is_some() }
    }

    /// Puts down when the next call is due, if the last one failed.
    pub fn remember(&mut self, schedule: &Schedule, outcome: Outcome, now: Duration) {
        let Some((failures, due)) = schedule.redial().filter(|_| outcome == Outcome::Failed) else { return };
        self.is_set = true;
        let rest = due.saturating_sub(now).as_millis() as u64;
        let next = WallTime(self.world.clock.now().0.saturating_add(rest));
        if let Err(error) = self.calls.set_redial(self.world.disk, Redial { failures, next }) {
            self.is_set = false;
            let words = format!("when to call next cannot be remembered: {error}");
            Event::new(Part::Watch, words).warning().tell_standing();
        }
    }

    /// Whether somebody else has got through since.
    pub fn has_ended(&mut self) -> bool {
        let has_ended = self.is_set && self.calls.redial().is_none();
        self.is_set &= !has_ended;
        has_ended
    }
}
