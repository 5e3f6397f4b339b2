//! The unattended service: applies what comes, seals what is due and moves bundles, for as long as it runs.
//!
//! Owns the order of turns and who is told of them; each turn is what the command of its name does. Invariants: one service
//! on a home at a time; the home is held for a turn, never between turns and never during a transfer, so that other commands
//! come through; whatever goes away (a relay, the disk, the database) is told once, waited for, and worked with again when it
//! is back. A kill at any moment is as one of the command that was under way.
//!
//! * [`place`]: one service at a home; [`schedule`]: when what is due (pure);
//! * [`desk`] applies and seals; [`caller`] makes the calls, on a thread of its own; [`courier`] does nothing else;
//! * [`ready`]: where something may lie ready; [`sight`]: whether the database was written to; [`slept`]: whether the machine slept; [`outage`]: since when something
//!   fails; [`redialing`]: when it is called next; [`log`]: where it is told; [`warden`]: an end within seconds, whatever is
//!   under way.

mod caller;
mod courier;
mod desk;
mod log;
mod outage;
mod outages;
mod place;
mod ready;
mod redialing;
mod schedule;
mod sight;
mod slept;
mod warden;

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use packhorse_shared::config::{Config, Part, Span};
use packhorse_shared::home::{Claim, Home, HomeLock, SERVICE};
use packhorse_shared::replica::Replica;
use packhorse_shared::seam::{Stop, World};
use packhorse_unbundler::receive::Patience;
use packhorse_unbundler::watch::{Arrival, Arrivals};
use signal_hook::consts::{SIGINT, SIGTERM};

use self::caller::Caller;
use self::desk::{Came, Desk, Due, Folders, Seen};
use self::outages::Outages;
use self::place::Place;
use self::redialing::Redialing;
use self::schedule::{Job, Lot, Outcome, Rhythm, Schedule};
use self::sight::Sight;
use self::slept::Slept;
use crate::commands::transfer;
use crate::context::{Context, Station};
use crate::failure::{Exit, Failure};
use crate::journal::Event;
use crate::node::Node;
use crate::wording::{count, span};
use crate::{locate, locks};

/// How often the service looks around, without a notice.
const TICK: Duration = Duration::from_millis(250);
/// How often it looks whether the database was written to.
const SIGHT_EVERY: Duration = Duration::from_secs(1);
/// How long it is waited for a call that is under way when the service is stopped.
const GRACE: Duration = Duration::from_secs(5);

/// Which part of the work a service does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Duty {
    /// All of it.
    #[default]
    All,
    /// To apply and to seal; a courier makes the calls.
    Desk,
    /// To make calls.
    Courier,
}

/// What was typed, where it differs from the configuration.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Which part of the work.
    pub duty: Duty,
    /// How often to apply and to transfer.
    pub every: Option<Span>,
    /// After how long changes are sealed.
    pub seal_after: Option<Span>,
    /// How often `-v` was given.
    pub verbose: u8,
}

/// What the service is woken by.
enum Wake {
    Arrival(Arrival),
    Called(Outcome),
    CallerGone,
}

/// The running service.
struct Service {
    options: Options,
    began: Instant,
    world: World<'static>,
    home: Home,
    redialing: Redialing,
    schedule: Schedule,
    desk: Desk,
    /// Nobody, if a courier makes the calls.
    caller: Option<Caller>,
    arrivals: Option<Arrivals>,
    folders: Folders,
    sight: Sight,
    config: Sight,
    slept: Slept,
    outages: Outages,
    stop: Stop,
    place: Place,
}

/// Runs the service until it is asked to stop.
pub fn run(context: Context<'_>, options: Options) -> Result<Exit, Failure> {
    let stop = listen()?;
    if options.duty == Duty::Courier {
        return courier::run(context, options, stop);
    }
    let station = Station { home: locate::home(context.home)?, machine: context.machine };
    let home = Home::open(&station.home)?;
    let claims = [Claim::Service, Claim::Courier];
    let place = Place::take(&home, if options.duty == Duty::Desk { &claims[..1] } else { &claims })?;
    let mut node = open(&home, station.context())?;
    transfer::require_relay(&node.courier())?;
    log::start(&node, options.verbose)?;
    warden::start(stop.clone())?;
    let (wake, woken) = channel();
    let mut service = Service::new(&mut node, (station, place), options, &wake, stop)?;
    drop(node);
    service.work(&woken).inspect_err(|failure| failure.tell(Part::Watch))?;
    service.end(&woken);
    Ok(Exit::Done)
}

/// The node, opened while nobody else works on it, and with its lock given back.
fn open(home: &Home, context: Context<'_>) -> Result<Node, Failure> {
    let _lock: HomeLock = locks::take(home, Claim::Work, SERVICE)?;
    Node::open_for_work(context)
}

/// A first signal asks the service to stop; a second one ends it at once.
fn listen() -> Result<Stop, Failure> {
    let stop = Stop::default();
    for signal in [SIGINT, SIGTERM] {
        let registered = signal_hook::flag::register_conditional_shutdown(signal, 1, stop.flag())
            .and_then(|_| signal_hook::flag::register(signal, stop.flag()));
        registered.map_err(|error| Failure::new(Exit::Failed, format!("signals cannot be listened to: {error}")))?;
    }
    Ok(stop)
}

impl Service {
    fn new(
        node: &mut Node,
        (station, place): (Station, Place),
        options: Options,
        wake: &Sender<Wake>,
        stop: Stop,
    ) -> Result<Self, Failure> {
        let began = Instant::now();
        let is_remote = node.has_hub()?;
        let rhythm = rhythm_of(&node.config, is_remote, options);
        let links = count(node.replica.links()?.len() as u64, "link", "links");
        let words = format!(
            "the service of {} has begun on {}: {links}; applies every {}, transfers every {}",
            node.name(),
            node.replica.path().display(),
            span(rhythm.apply_every.as_millis() as u64),
            span(rhythm.transfer_every.as_millis() as u64)
        );
        Event::new(Part::Watch, words).tell();
        if options.duty == Duty::Desk && node.config.hooks.before_sync.is_some() {
            let words =
                "before_sync in [hooks] runs before a `sync` only: a courier makes the calls, and runs no hooks";
            Event::new(Part::Watch, words).warning().tell();
        }
        let (world, mut schedule) = (station.machine.world, Schedule::new(rhythm));
        let caller = || Caller::start(station.clone(), wake.clone(), stop.clone());
        let told = wake.clone();
        Ok(Self {
            world,
            home: node.home.clone(),
            redialing: Redialing::resume(&node.home, world, &mut schedule),
            caller: (options.duty == Duty::All).then(caller).transpose()?,
            desk: Desk::new(station, options.seal_after, stop.clone()),
            arrivals: arrivals(move |arrival| drop(told.send(Wake::Arrival(arrival)))),
            folders: Folders::default(),
            sight: Sight::of_database(node.replica.path()),
            config: Sight::of_file(&node.home.config_path()),
            slept: Slept::default(),
            outages: Outages::default(),
            schedule,
            options,
            began,
            stop,
            place,
        })
    }

    fn work(&mut self, woken: &Receiver<Wake>) -> Result<(), Failure> {
        while !self.stop.is_asked() {
            let now = self.now();
            self.look(now);
            if let Some(due) = self.due(now) {
                self.place.keep()?;
                self.turn(due);
            }
            self.desk.tell_rest();
            self.order_call();
            self.wait(woken)?;
        }
        Ok(())
    }

    fn order_call(&mut self) {
        let now = self.now();
        if let Some(caller) = self.caller.as_mut().filter(|caller| !caller.is_busy())
            && self.schedule.is_due(Job::Transfer, now)
        {
            let cause = self.schedule.cause(now);
            self.schedule.transferring(cause);
            caller.call(cause);
        }
    }

    /// Whether a call is under way: ours, or the courier's.
    fn is_calling(&self) -> bool {
        match &self.caller {
            Some(caller) => caller.is_busy(),
            None => self.home.holder(Claim::Transfer).is_some(),
        }
    }

    /// Waits for a notice, or until something is due.
    fn wait(&mut self, woken: &Receiver<Wake>) -> Result<(), Failure> {
        let may_call = self.caller.as_ref().is_some_and(|caller| !caller.is_busy());
        let jobs = [Job::Apply, Job::Bundle, Job::Transfer];
        let pause = self.schedule.next(if may_call { &jobs } else { &jobs[..2] }).saturating_sub(self.now()).min(TICK);
        match woken.recv_timeout(pause) {
            Ok(wake) => self.take_in(wake)?,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
        }
        woken.try_iter().try_for_each(|wake| self.take_in(wake))
    }

    fn take_in(&mut self, wake: Wake) -> Result<(), Failure> {
        let now = self.now();
        match wake {
            Wake::Arrival(Arrival::In(folder)) if self.folders.mailboxes.contains(&folder) => {
                self.schedule.lies_on_relay(now)
            }
            Wake::Arrival(Arrival::In(_)) => self.schedule.arrived(now),
            Wake::Arrival(Arrival::Anywhere) => {
                self.schedule.arrived(now);
                self.schedule.lies_on_relay(now);
            }
            Wake::Called(outcome) => {
                self.caller.iter_mut().for_each(Caller::has_called);
                let lot = Lot(self.world.random.next_u64() as u8);
                self.schedule.transferred(outcome, lot, now);
                self.redialing.remember(&self.schedule, outcome, now);
                self.outages.take_in(Part::Transfer, outcome, now);
            }
            Wake::CallerGone => {
                let failure =
                    Failure::new(Exit::Failed, "transfers have come to an unforeseen end, and the service with them");
                return Err(failure.hint("start it again; what was under way goes on from where it was"));
            }
        }
        Ok(())
    }

    fn look(&mut self, now: Duration) {
        if self.slept.look(self.world.clock.now(), now) {
            Event::new(Part::Watch, "the machine has slept, or its clock was set: everything is looked at").tell();
            self.schedule.woke(now);
        }
        if self.sight.has_changed(now) {
            self.schedule.changed(now);
        }
        if !self.caller.as_ref().is_some_and(Caller::is_busy) && self.redialing.has_ended() {
            self.schedule.line_is_back(now);
        }
        if self.config.has_changed(now) {
            // The next turn reads it.
            self.schedule.arrived(now);
            self.schedule.changed(now);
        }
    }

    /// What the desk is to do now.
    fn due(&self, now: Duration) -> Option<Due> {
        // While a call is under way, it may bring what is missing.
        let patience = || if self.is_calling() { Patience::Spares } else { Patience::Counts };
        match [Job::Apply, Job::Bundle].map(|job| self.schedule.is_due(job, now)) {
            [true, true] => Some(Due::Both(patience())),
            [true, false] => Some(Due::Apply(patience())),
            [false, true] => Some(Due::Bundle),
            [false, false] => None,
        }
    }

    /// Applies and seals, whichever is due, while the home is held.
    fn turn(&mut self, due: Due) {
        if due != Due::Bundle {
            // Before the look into them: what comes later is noticed, what came before is seen.
            self.watch();
        }
        let Came { applied, bundled, seen } = self.desk.turn(due);
        let now = self.now();
        if let Some(applied) = applied {
            self.schedule.applied(applied.outcome, applied.bundles, now);
            self.outages.take_in(Part::Apply, applied.outcome, now);
        }
        if let Some(bundled) = bundled {
            self.schedule.bundled(bundled.outcome, bundled.bundles, bundled.rest, bundled.took, now);
            self.outages.take_in(Part::Bundle, bundled.outcome, now);
        }
        if let Some(seen) = seen {
            self.take_account(seen, now);
        }
    }

    /// Goes by what a turn found: another database, rhythm or relay may have been written into the configuration.
    fn take_account(&mut self, seen: Seen, now: Duration) {
        self.sight.keep_to(&seen.database);
        self.schedule.keep_to(seen.rhythm(self.options), now);
        let seen = if self.caller.is_some() { seen } else { seen.without_mailboxes() };
        if seen.folders != self.folders {
            self.folders = seen.folders;
            self.watch();
            self.schedule.arrived(now);
            self.schedule.lies_on_relay(now);
        }
    }

    fn watch(&mut self) {
        ready::watch(&mut self.arrivals, &self.folders.all());
    }

    /// Lets what is under way come to its end, for a while.
    fn end(&mut self, woken: &Receiver<Wake>) {
        Event::new(Part::Watch, "the service was asked to stop").tell();
        self.desk.end();
        let asked = Instant::now();
        let is_busy = |caller: &Option<Caller>| caller.as_ref().is_some_and(Caller::is_busy);
        while is_busy(&self.caller) && asked.elapsed() < GRACE {
            match woken.recv_timeout(GRACE.saturating_sub(asked.elapsed())) {
                Ok(Wake::Arrival(_)) => {}
                Ok(Wake::Called(_) | Wake::CallerGone) => self.caller.iter_mut().for_each(Caller::has_called),
                Err(_) => break,
            }
        }
        let words = if is_busy(&self.caller) {
            "the service has stopped in the middle of a transfer; the next one goes on from there"
        } else {
            "the service has stopped"
        };
        Event::new(Part::Watch, words).tell();
    }

    fn now(&self) -> Duration {
        self.began.elapsed()
    }
}

/// Notices of arrivals; without them the service looks by the clock.
fn arrivals(told: impl FnMut(Arrival) + Send + 'static) -> Option<Arrivals> {
    Arrivals::new(told).map_err(|error| Event::new(Part::Watch, error.to_string()).warning().tell()).ok()
}

/// The rhythm that was typed, or the configuration's.
fn rhythm_of(config: &Config, is_remote: bool, options: Options) -> Rhythm {
    let every = |configured: Span| options.every.unwrap_or(configured).as_duration();
    let watch = &config.watch;
    Rhythm { apply_every: every(watch.apply_every), transfer_every: every(watch.transfer_every(is_remote)) }
}
