//! The courier: a service that only makes calls, and needs neither keys nor database for that.
//!
//! Owns when it calls: by the clock, and as soon as something lies ready, by other orders or on a relay that is a folder. Invariants:
//! one at a home, beside a service that applies and seals; what a call saw is left for that one to take in. Hooks are that
//! one's too, but for `before_sync`, which needs both: a courier runs nothing of anybody's.

use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use packhorse_shared::calls::Orders;
use packhorse_shared::config::Part;
use packhorse_shared::home::{Claim, LockError, SERVICE};
use packhorse_shared::link::Role;
use packhorse_shared::seam::Stop;
use packhorse_unbundler::watch::{Arrival, Arrivals};

use super::outages::Outages;
use super::place::Place;
use super::redialing::Redialing;
use super::schedule::{Job, Lot, Outcome, Schedule};
use super::sight::Sight;
use super::slept::Slept;
use super::{Options, TICK, log, ready, rhythm_of, warden};
use crate::commands::transfer;
use crate::context::Context;
use crate::courier::Courier;
use crate::failure::{Exit, Failure};
use crate::journal::Event;
use crate::relay::call::Call;
use crate::relay::told;
use crate::unlinked::Unlinked;
use crate::wording::span;

/// The running courier.
struct Rounds {
    courier: Courier,
    options: Options,
    began: Instant,
    schedule: Schedule,
    redialing: Redialing,
    outages: Outages,
    arrivals: Option<Arrivals>,
    config: Sight,
    orders: Sight,
    slept: Slept,
    stop: Stop,
    place: Place,
}

/// Makes calls until it is asked to stop.
pub fn run(context: Context<'_>, options: Options, stop: Stop) -> Result<Exit, Failure> {
    let courier = Courier::open(context)?;
    let place = Place::take(&courier.home, &[Claim::Courier])?;
    transfer::require_relay(&courier)?;
    log::start_on_stderr(&courier.config.log, options.verbose);
    warden::start(stop.clone())?;
    let (wake, woken) = channel();
    let arrivals = super::arrivals(move |arrival| drop(wake.send(arrival)));
    let mut rounds = Rounds::new(courier, options, arrivals, stop, place);
    rounds.work(&woken).inspect_err(|failure| failure.tell(Part::Watch))?;
    Event::new(Part::Watch, "the courier has stopped").tell();
    Ok(Exit::Done)
}

impl Rounds {
    fn new(courier: Courier, options: Options, arrivals: Option<Arrivals>, stop: Stop, place: Place) -> Self {
        let is_remote = is_remote(&courier.home.calls().orders().unwrap_or_default());
        let mut schedule = Schedule::new(rhythm_of(&courier.config, is_remote, options));
        let redialing = Redialing::resume(&courier.home, courier.machine.world, &mut schedule);
        let every = rhythm_of(&courier.config, is_remote, options).transfer_every;
        let words =
            format!("the courier of {} has begun: it calls every {}", courier.name(), span(every.as_millis() as u64));
        Event::new(Part::Watch, words).tell();
        Self {
            config: Sight::of_file(&courier.home.config_path()),
            orders: Sight::of_file(&courier.home.calls().orders_path()),
            courier,
            options,
            began: Instant::now(),
            schedule,
            redialing,
            outages: Outages::default(),
            arrivals,
            slept: Slept::default(),
            stop,
            place,
        }
    }

    fn work(&mut self, woken: &Receiver<Arrival>) -> Result<(), Failure> {
        while !self.stop.is_asked() {
            let now = self.now();
            self.look(now);
            if self.schedule.is_due(Job::Transfer, now) {
                self.place.keep()?;
                self.schedule.transferring(self.schedule.cause(now));
                let outcome = self.call().unwrap_or_else(|failure| {
                    failure.tell(Part::Transfer);
                    Outcome::Failed
                });
                self.called(outcome);
            }
            self.wait(woken);
        }
        Ok(())
    }

    fn look(&mut self, now: Duration) {
        if self.slept.look(self.courier.machine.world.clock.now(), now) {
            self.schedule.woke(now);
        }
        if self.redialing.has_ended() {
            self.schedule.line_is_back(now);
        }
        // Other orders are given when something has been sealed.
        let [config, orders] = [&mut self.config, &mut self.orders].map(|sight| sight.has_changed(now));
        if config || orders {
            self.schedule.lies_on_relay(now);
        }
    }

    fn call(&mut self) -> Result<Outcome, Failure> {
        // Everything anew: the configuration may have been edited, or the home put back from a copy.
        let context = Context { home: Some(self.courier.home.folder()), machine: self.courier.machine };
        self.courier = Courier::open(context)?;
        let home = &self.courier.home;
        let _lock = match home.lock(Claim::Transfer, SERVICE) {
            Err(LockError::Busy { .. }) => return Ok(Outcome::Busy),
            lock => lock?,
        };
        let orders = home.calls().orders()?;
        let rhythm = rhythm_of(&self.courier.config, is_remote(&orders), self.options);
        self.schedule.keep_to(rhythm, self.began.elapsed());
        ready::watch(&mut self.arrivals, &ready::mailboxes(&self.courier, &orders)?);
        let made = Call::by_orders(self.courier.clone(), orders.clone(), None)?.make(None, &self.stop);
        let left = made.leave_word();
        let outcome = ready::outcome(told::tell(&made.report), &made.report);
        told::tell_refused(self.courier.name(), &orders);
        left?;
        Unlinked::of(&self.courier, &orders)?.tell();
        Ok(outcome)
    }

    fn called(&mut self, outcome: Outcome) {
        let now = self.now();
        let lot = Lot(self.courier.machine.world.random.next_u64() as u8);
        self.schedule.transferred(outcome, lot, now);
        self.redialing.remember(&self.schedule, outcome, now);
        self.outages.take_in(Part::Transfer, outcome, now);
    }

    fn wait(&mut self, woken: &Receiver<Arrival>) {
        let pause = self.schedule.next(&[Job::Transfer]).saturating_sub(self.now()).min(TICK);
        let mut has_come = match woken.recv_timeout(pause) {
            Ok(_) => true,
            Err(RecvTimeoutError::Timeout) => false,
            Err(RecvTimeoutError::Disconnected) => {
                // Without notices the clock alone tells.
                std::thread::sleep(pause);
                false
            }
        };
        has_come |= woken.try_iter().count() > 0;
        if has_come {
            self.schedule.lies_on_relay(self.now());
        }
    }

    fn now(&self) -> Duration {
        self.began.elapsed()
    }
}

fn is_remote(orders: &Orders) -> bool {
    orders.links.iter().any(|link| link.role == Role::Hub)
}
