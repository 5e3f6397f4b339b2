//! What the code under test is given of the outside world: the simulated machine, a line that breaks, and what comes in
//! between in the middle of a run.

use std::cell::RefCell;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use packhorse::Machine;
use packhorse_shared::seam::{Step, Steps, World};
use packhorse_transport::faulty::{Fault, Faulty, Plan};
use packhorse_transport::{Approach, Carrier, Dial, FolderCarrier, Location, Stopwatch, TransportError};
use simulated_machine::fate::{self, End};
use simulated_machine::{SimClock, SimDisk, SimRandom, SimSteps};

use crate::hiding::{self, Hiding};

type Work = Box<dyn FnOnce()>;

thread_local! {
    /// What the line does to the run under way.
    static LINE: RefCell<Option<Arc<Plan>>> = const { RefCell::new(None) };
    /// What comes in between, after so many more steps.
    static BETWEEN: RefCell<Option<(u64, Work)>> = const { RefCell::new(None) };
}

/// The machine of this thread's simulation.
pub fn machine() -> Machine {
    Machine {
        world: World { clock: &SimClock, random: &SimRandom, disk: &SimDisk, steps: &Interrupted },
        dial: &BreakingLine,
        start: |_| Box::new(Patient(Mutex::default())),
    }
}

/// Forgets what a story that failed has left.
pub fn clear() {
    line_holds();
    hiding::show_all();
    nothing_between();
}

/// Lets the line break in the next runs.
pub fn line(fault: Fault) {
    LINE.set(Some(Plan::new(fault)));
}

/// The line holds again; whether it has broken.
pub fn line_holds() -> bool {
    LINE.take().is_some_and(|plan| plan.has_struck())
}

/// Does something at the n-th durable step from now.
pub fn between(steps: u64, work: Work) {
    BETWEEN.set(Some((steps, work)));
}

/// The n-th durable step from now meets this.
pub fn befall(steps: u64, end: End) {
    between(steps, Box::new(move || fate::befall(end)));
}

/// What was to come in between is left undone; whether it was.
pub fn nothing_between() -> bool {
    BETWEEN.take().is_some()
}

/// Waits for nothing: what a run would wait for passes at once.
struct Patient(Mutex<Duration>);

impl Stopwatch for Patient {
    fn elapsed(&self) -> Duration {
        *self.0.lock().expect("nobody panics with it")
    }
    fn pause(&self, time: Duration) {
        *self.0.lock().expect("nobody panics with it") += time;
    }
}

struct Interrupted;

impl Steps for Interrupted {
    fn reached(&self, step: Step) -> io::Result<()> {
        let due = BETWEEN.with_borrow_mut(|between| {
            let (left, _) = between.as_mut()?;
            *left = left.saturating_sub(1);
            if *left == 0 { between.take() } else { None }
        });
        if let Some((_, work)) = due {
            work();
        }
        SimSteps.reached(step)
    }
}

/// Dials folders whose listings are late, over a line that breaks where it was told to.
struct BreakingLine;

impl Dial for BreakingLine {
    fn dial<'a>(
        &'a self,
        location: &Location,
        _approach: &Approach<'_>,
    ) -> Result<Box<dyn Carrier + 'a>, TransportError> {
        let carrier = Hiding(
            FolderCarrier::open(location.folder().expect("a story's relays are folders"), &SimDisk)?
                .with_steps(&Interrupted),
        );
        Ok(match LINE.with_borrow(Option::clone) {
            Some(plan) => Box::new(Faulty::new(carrier, plan)),
            None => Box::new(carrier),
        })
    }
}
