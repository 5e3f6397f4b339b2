//! The unattended service: applies what comes, seals what is due and moves bundles, for as long as it runs.
//!
//! Owns the order of turns and who is told of them; each turn is what the command of its name does. Invariants: one service
//! on a home at a time; the home is held for a turn, never between turns and never during a transfer, so that other commands
//! come through; whatever goes away (a relay, the disk, the database) is told once, waited for, and worked with again when it
//! is back. A kill at any moment is as one of the command that was under way.
//!
//! * [`place`]: one service at a home; [`schedule`]: when what is due (pure);
//! * [`desk`] applies and seals; [`caller`] makes the calls, on a thread of its own;
//! * [`sight`]: whether the database was written to; [`slept`]: whether the machine slept; [`outage`]: since when something
//!   fails; [`log`]: where it is told; [`warden`]: an end within seconds, whatever is under way.

mod caller;
mod desk;
mod log;
mod outage;
mod place;
mod schedule;
mod sight;
mod slept;
mod warden;

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use packhorse_shared::clock::WallTime;
use packhorse_shared::config::{Config, Part, Span};
use packhorse_shared::home::{Claim, Home, HomeLock, Redial, SERVICE};
use packhorse_shared::replica::Replica;
use packhorse_shared::seam::{Disk, Random, Stop, WallClock};
use packhorse_unbundler::receive::Patience;
use packhorse_unbundler::watch::{Arrival, Arrivals};
use signal_hook::consts::{SIGINT, SIGTERM};

use self::caller::Caller;
use self::desk::{Came, Desk, Due, Folders, Seen};
use self::outage::Outage;
use self::place::Place;
use self::schedule::{Job, Lot, Outcome, Rhythm, Schedule};
use self::sight::Sight;
use self::slept::Slept;
use crate::commands::transfer;
use crate::context::{Context, Station};
use crate::failure::{Exit, Failure};
use crate::journal::{self, Event};
use crate::node::Node;
use crate::wording::{count, span};
use crate::{locate, locks};

/// How often the service looks around, without a notice.
const TICK: Duration = Duration::from_millis(250);
/// How often it looks whether the database was written to.
const SIGHT_EVERY: Duration = Duration::from_secs(1);
/// How long it is waited for a call that is under way when the service is stopped.
const GRACE: Duration = Duration::from_secs(5);

/// What was typed, where it differs from the configuration.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
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
    clock: &'static dyn WallClock,
    random: &'static dyn Random,
    disk: &'static dyn Disk,
    home: Home,
    /// Whether the home says when to call next: who gets through takes that away.
    has_redial: bool,
    schedule: Schedule,
    desk: Desk,
    caller: Caller,
    arrivals: Option<Arrivals>,
    folders: Folders,
    sight: Sight,
    config: Sight,
    slept: Slept,
    outages: BTreeMap<Part, Outage>,
    stop: Stop,
    place: Place,
}

/// Runs the service until it is asked to stop.
pub fn run(context: Context<'_>, options: Options) -> Result<Exit, Failure> {
    let station = Station { home: locate::home(context.home)?, machine: context.machine };
    let home = Home::open(&station.home)?;
    let place = Place::take(&home)?;
    let stop = listen()?;
    let mut node = open(&home, station.context())?;
    transfer::require_relay(&node)?;
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
        let (clock, mut schedule) = (station.machine.world.clock, Schedule::new(rhythm));
        let redial = node.home.redial();
        if let Some(Redial { failures, next }) = redial {
            let rest = next.0.saturating_sub(clock.now().0);
            schedule.resume(failures, Duration::from_millis(rest), Duration::ZERO);
        }
        Ok(Self {
            clock,
            random: station.machine.world.random,
            disk: station.machine.world.disk,
            home: node.home.clone(),
            has_redial: redial.is_some(),
            desk: Desk::new(station.clone(), options.seal_after, stop.clone()),
            caller: Caller::start(station, wake.clone(), stop.clone())?,
            arrivals: arrivals(wake.clone()),
            folders: Folders::default(),
            sight: Sight::of_database(node.replica.path()),
            config: Sight::of_file(&node.home.config_path()),
            slept: Slept::default(),
            outages: BTreeMap::new(),
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
            let now = self.now();
            if !self.caller.is_busy() && self.schedule.is_due(Job::Transfer, now) {
                let cause = self.schedule.cause(now);
                self.schedule.transferring(cause);
                self.caller.call(cause);
            }
            self.wait(woken)?;
        }
        Ok(())
    }

    /// Waits for a notice, or until something is due.
    fn wait(&mut self, woken: &Receiver<Wake>) -> Result<(), Failure> {
        let jobs: &[Job] =
            if self.caller.is_busy() { &[Job::Apply, Job::Bundle] } else { &[Job::Apply, Job::Bundle, Job::Transfer] };
        let pause = self.schedule.next(jobs).saturating_sub(self.now()).min(TICK);
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
                self.caller.has_called();
                let lot = Lot(self.random.next_u64() as u8);
                self.schedule.transferred(outcome, lot, now);
                self.remember_redial(outcome);
                self.tell_outage(Part::Transfer, outcome);
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
        if self.slept.look(self.clock.now(), now) {
            Event::new(Part::Watch, "the machine has slept, or its clock was set: everything is looked at").tell();
            self.schedule.woke(now);
        }
        if self.sight.has_changed(now) {
            self.schedule.changed(now);
        }
        if self.has_redial && !self.caller.is_busy() && self.home.redial().is_none() {
            self.has_redial = false;
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
        let patience = if self.caller.is_busy() { Patience::Spares } else { Patience::Counts };
        match [Job::Apply, Job::Bundle].map(|job| self.schedule.is_due(job, now)) {
            [true, true] => Some(Due::Both(patience)),
            [true, false] => Some(Due::Apply(patience)),
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
            self.tell_outage(Part::Apply, applied.outcome);
        }
        if let Some(bundled) = bundled {
            self.schedule.bundled(bundled.outcome, bundled.bundles, bundled.rest, bundled.took, now);
            self.tell_outage(Part::Bundle, bundled.outcome);
        }
        if let Some(seen) = seen {
            self.take_account(seen, now);
        }
    }

    /// Goes by what a turn found: another database, rhythm or relay may have been written into the configuration.
    fn take_account(&mut self, seen: Seen, now: Duration) {
        self.sight.keep_to(&seen.database);
        self.schedule.keep_to(seen.rhythm(self.options), now);
        if seen.folders != self.folders {
            self.folders = seen.folders;
            self.watch();
            self.schedule.arrived(now);
            self.schedule.lies_on_relay(now);
        }
    }

    /// Watches for arrivals anew: a folder may have been removed and made again.
    fn watch(&mut self) {
        let Some(arrivals) = &mut self.arrivals else { return };
        for failed in arrivals.watch(&self.folders.all()) {
            Event::new(Part::Watch, failed.to_string()).warning().tell_standing();
        }
    }

    /// A line that is down is not to be asked at once by a service that is started again.
    fn remember_redial(&mut self, outcome: Outcome) {
        let Some((failures, due)) = self.schedule.redial().filter(|_| outcome == Outcome::Failed) else { return };
        self.has_redial = true;
        let rest = due.saturating_sub(self.now()).as_millis() as u64;
        let next = WallTime(self.clock.now().0.saturating_add(rest));
        if let Err(error) = self.home.set_redial(self.disk, Redial { failures, next }) {
            self.has_redial = false;
            let words = format!("when to call next cannot be remembered: {error}");
            Event::new(Part::Watch, words).warning().tell_standing();
        }
    }

    fn tell_outage(&mut self, part: Part, outcome: Outcome) {
        let now = self.now();
        if let Some(over) = self.outages.entry(part).or_default().take_in(outcome, now) {
            journal::settled(part);
            let (failures, took) = (count(over.failures, "failure", "failures"), span(over.took.as_millis() as u64));
            Event::new(part, format!("it works again, after {failures} in {took}")).tell();
        }
    }

    /// Lets what is under way come to its end, for a while.
    fn end(&mut self, woken: &Receiver<Wake>) {
        Event::new(Part::Watch, "the service was asked to stop").tell();
        self.desk.end();
        let asked = Instant::now();
        while self.caller.is_busy() && asked.elapsed() < GRACE {
            match woken.recv_timeout(GRACE.saturating_sub(asked.elapsed())) {
                Ok(Wake::Arrival(_)) => {}
                Ok(Wake::Called(_) | Wake::CallerGone) => self.caller.has_called(),
                Err(_) => break,
            }
        }
        let words = if self.caller.is_busy() {
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
fn arrivals(wake: Sender<Wake>) -> Option<Arrivals> {
    let arrivals = Arrivals::new(move |arrival| drop(wake.send(Wake::Arrival(arrival))));
    arrivals.map_err(|error| Event::new(Part::Watch, error.to_string()).warning().tell()).ok()
}

/// The rhythm that was typed, or the configuration's.
fn rhythm_of(config: &Config, is_remote: bool, options: Options) -> Rhythm {
    let every = |configured: Span| options.every.unwrap_or(configured).as_duration();
    let watch = &config.watch;
    Rhythm { apply_every: every(watch.apply_every), transfer_every: every(watch.transfer_every(is_remote)) }
}
