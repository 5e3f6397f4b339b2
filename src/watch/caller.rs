//! The caller: makes the service's calls, one after another, on a thread of its own.
//!
//! Owns the thread, and which locks a call holds when: the one on transfers all the while, the home's own only before and
//! after the moving, and none while the hook before it runs, which may sync itself. So a call that lasts for hours keeps
//! neither the desk nor anybody's command from working.

use std::cell::Cell;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use packhorse_shared::config::Part;
use packhorse_shared::home::{Claim, Home, HomeLock, LockError, SERVICE};
use packhorse_shared::seam::Stop;

use super::schedule::{Cause, Outcome};
use super::{Wake, ready};
use crate::context::Station;
use crate::failure::{Exit, Failure};
use crate::hooks::Hook;
use crate::node::Node;
use crate::relay::call::{Call, Made};
use crate::relay::told;
use crate::unlinked::Unlinked;

/// How often it is looked whether the home is free.
const PAUSE: Duration = Duration::from_millis(20);
/// How long the end of a call waits for the home once the service is to stop.
const GRACE: Duration = Duration::from_secs(3);

/// The handle by which calls are ordered.
pub struct Caller {
    orders: Sender<Cause>,
    busy: bool,
}

impl Caller {
    /// Starts the thread; how each call ended is told as a wake.
    pub fn start(station: Station, wake: Sender<Wake>, stop: Stop) -> Result<Self, Failure> {
        let (orders, ordered) = channel();
        let line = Line { station, stop, prepared: Cell::new(false) };
        let started = thread::Builder::new().name("caller".to_owned()).spawn(move || {
            let gone = Gone(wake.clone());
            line.serve(&ordered, &wake);
            drop(gone);
        });
        started.map_err(|error| Failure::new(Exit::Failed, format!("cannot start a thread: {error}")))?;
        Ok(Self { orders, busy: false })
    }

    /// Orders a call.
    pub fn call(&mut self, cause: Cause) {
        self.busy = self.orders.send(cause).is_ok();
    }

    /// Whether one is under way.
    pub fn is_busy(&self) -> bool {
        self.busy
    }

    /// The call has ended.
    pub fn has_called(&mut self) {
        self.busy = false;
    }
}

/// Tells, also if the thread panics, that no call is made any more: a service that has no caller must not look alive.
struct Gone(Sender<Wake>);

impl Drop for Gone {
    fn drop(&mut self) {
        // Where nobody listens the service has ended.
        let _ = self.0.send(Wake::CallerGone);
    }
}

/// What the thread works with.
struct Line {
    station: Station,
    stop: Stop,
    /// Whether the hook has run for a call that could not be made yet.
    prepared: Cell<bool>,
}

impl Line {
    fn serve(&self, ordered: &Receiver<Cause>, wake: &Sender<Wake>) {
        while let Ok(cause) = ordered.recv() {
            let outcome = self.call(cause).unwrap_or_else(|failure| {
                failure.tell(Part::Transfer);
                Outcome::Failed
            });
            if wake.send(Wake::Called(outcome)).is_err() {
                return;
            }
        }
    }

    fn call(&self, cause: Cause) -> Result<Outcome, Failure> {
        let home = Home::open(&self.station.home)?;
        if cause == Cause::Clock && !self.prepared.replace(true) {
            Hook::BeforeSync.run(&home, &home.config()?, &self.stop);
        }
        let _transfer = match home.lock(Claim::Transfer, SERVICE) {
            Err(LockError::Busy { .. }) => return Ok(Outcome::Busy),
            lock => lock?,
        };
        self.prepared.set(false);
        let prepared = self.with_node(&home, None, |node| {
            let orders = node.orders()?;
            Ok((Call::prepare(node)?, Unlinked::of(&node.courier(), &orders)?))
        });
        let Some((call, unlinked)) = prepared? else { return Ok(Outcome::Busy) };
        let made = call.make(None, &self.stop);
        let outcome = ready::outcome(told::tell(&made.report), &made.report);
        unlinked.tell();
        self.conclude(&home, &made)?;
        Ok(outcome)
    }

    /// If the home cannot be had before the service ends, the call is as if it had been killed here: nothing is lost.
    fn conclude(&self, home: &Home, made: &Made) -> Result<(), Failure> {
        let concluded = self.with_node(home, Some(GRACE), |node| {
            made.conclude(node)?;
            let orders = node.orders()?;
            told::tell_refused(node.name(), &orders);
            Ok(())
        });
        concluded.map(drop)
    }

    /// Does something with the home to itself; nothing, if the service is to stop and this grace, if any, is over.
    fn with_node<T>(
        &self,
        home: &Home,
        grace: Option<Duration>,
        work: impl FnOnce(&mut Node) -> Result<T, Failure>,
    ) -> Result<Option<T>, Failure> {
        let Some(_lock) = self.wait_for(home, grace)? else { return Ok(None) };
        let mut node = Node::open_for_work(self.station.context())?;
        work(&mut node).map(Some)
    }

    fn wait_for(&self, home: &Home, grace: Option<Duration>) -> Result<Option<HomeLock>, Failure> {
        let mut asked: Option<Instant> = None;
        loop {
            match home.lock(Claim::Work, SERVICE) {
                Err(LockError::Busy { .. }) => sleep(PAUSE),
                lock => return Ok(Some(lock?)),
            }
            if self.stop.is_asked() {
                let asked = asked.get_or_insert_with(Instant::now);
                if grace.is_none_or(|grace| asked.elapsed() > grace) {
                    return Ok(None);
                }
            }
        }
    }
}
