//! When the service does what.
//!
//! Pure: time comes in from outside, as time since the service began. Owns the rhythm, and what makes a job due before its
//! turn. Invariants: every job comes round by the clock, whatever is or is not noticed; what fails is tried again after a
//! pause that grows up to the job's own interval; looking at a busy database takes a small part of the time.

use std::time::Duration;

/// What the service does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Job {
    /// Merge what lies in the inbox.
    Apply,
    /// Harvest, select and seal what is due.
    Bundle,
    /// Move bundles between the spool and the relays.
    Transfer,
}

/// How often each job comes round by the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rhythm {
    /// Applying; and looking for changes that no notice was taken of.
    pub apply_every: Duration,
    /// Transfers.
    pub transfer_every: Duration,
}

/// How a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was done.
    Done,
    /// It failed.
    Failed,
    /// Another run had what it needs.
    Busy,
}

/// What makes a transfer due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The clock.
    Clock,
    /// Something that lies ready, here or on the relay.
    Ready,
}

/// How long it is waited for more of what has just begun to come.
const SETTLE: Duration = Duration::from_millis(200);
/// The same for changes, which come in many transactions.
const SETTLE_CHANGES: Duration = Duration::from_secs(1);
/// How many times as long as a look at the database took it is left alone after it.
const LEAVE_ALONE: u32 = 20;
/// The pause after a first failure.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
/// The pause while another run is at work.
const BUSY_PAUSE: Duration = Duration::from_millis(500);

/// What is drawn before a pause, so that many nodes whose relay went away do not all come back in the same second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lot(pub u8);

impl Lot {
    /// The whole pause.
    const NONE: Self = Self(0);
}

/// When one job is due.
#[derive(Clone, Copy, Debug)]
struct Turn {
    due: Duration,
    failures: u32,
}

impl Turn {
    fn by(&mut self, time: Duration) {
        self.due = self.due.min(time);
    }

    /// Sets the next turn by how the last one ended. A lot shortens the pause after a failure by up to a quarter.
    fn ended(&mut self, outcome: Outcome, every: Duration, lot: Lot, now: Duration) {
        self.failures = if outcome == Outcome::Failed { self.failures.saturating_add(1) } else { 0 };
        let pause = match outcome {
            Outcome::Done => every,
            Outcome::Busy => BUSY_PAUSE,
            Outcome::Failed => {
                let pause = FIRST_PAUSE.saturating_mul(1 << (self.failures - 1).min(16)).min(every);
                pause.saturating_sub(pause / 1024 * u32::from(lot.0))
            }
        };
        self.due = now.saturating_add(pause);
    }
}

/// The plan of what is next.
#[derive(Clone, Debug)]
pub struct Schedule {
    rhythm: Rhythm,
    apply: Turn,
    bundle: Turn,
    /// Transfers by the clock. What lies ready puts none of them off: where much comes, there would never be one.
    clock: Turn,
    /// When one for what lies ready is due, if anything does.
    ready: Duration,
    /// What the transfer that is under way is made for.
    calling: Cause,
    /// Until when the database is left alone, whatever is written to it.
    alone_until: Duration,
}

impl Schedule {
    /// Everything is due at once: what came or changed while no service ran is waiting.
    pub fn new(rhythm: Rhythm) -> Self {
        let turn = Turn { due: Duration::ZERO, failures: 0 };
        let (ready, calling, alone_until) = (Duration::MAX, Cause::Clock, Duration::ZERO);
        Self { rhythm, apply: turn, bundle: turn, clock: turn, ready, calling, alone_until }
    }

    /// Takes over another rhythm.
    pub fn keep_to(&mut self, rhythm: Rhythm, now: Duration) {
        if rhythm != self.rhythm {
            self.rhythm = rhythm;
            self.apply.by(now.saturating_add(rhythm.apply_every));
            self.bundle.by(now.saturating_add(rhythm.apply_every));
            self.clock.by(now.saturating_add(rhythm.transfer_every));
        }
    }

    /// Whether a job is due.
    pub fn is_due(&self, job: Job, now: Duration) -> bool {
        self.due(job) <= now
    }

    /// When the next job is due, of those.
    pub fn next(&self, jobs: &[Job]) -> Duration {
        jobs.iter().map(|job| self.due(*job)).min().unwrap_or(Duration::MAX)
    }

    /// What a transfer that is due now is due for.
    pub fn cause(&self, now: Duration) -> Cause {
        if self.clock.due <= now { Cause::Clock } else { Cause::Ready }
    }

    /// A bundle has come into the inbox.
    pub fn arrived(&mut self, now: Duration) {
        self.apply.by(now.saturating_add(SETTLE));
    }

    /// A bundle has come onto the relay.
    pub fn lies_on_relay(&mut self, now: Duration) {
        self.is_ready(now.saturating_add(SETTLE));
    }

    /// The database has been written to.
    pub fn changed(&mut self, now: Duration) {
        self.bundle.by(now.saturating_add(SETTLE_CHANGES).max(self.alone_until));
    }

    /// The machine has slept: whatever was due meanwhile is due now, and there may be a line again.
    pub fn woke(&mut self, now: Duration) {
        self.apply.by(now);
        self.bundle.by(now);
        self.clock.by(now);
    }

    /// Applying has ended; so many bundles were applied, which is to be acknowledged.
    pub fn applied(&mut self, outcome: Outcome, bundles: u64, now: Duration) {
        self.apply.ended(outcome, self.rhythm.apply_every, Lot::NONE, now);
        if bundles > 0 {
            self.bundle.by(now);
        }
    }

    /// Sealing has ended after so long, and sealed so many bundles. What waits for a threshold reaches it after `rest`.
    pub fn bundled(&mut self, outcome: Outcome, bundles: u64, rest: Option<Duration>, took: Duration, now: Duration) {
        self.bundle.ended(outcome, self.rhythm.apply_every, Lot::NONE, now);
        self.alone_until = now.saturating_add(took.saturating_mul(LEAVE_ALONE));
        if let Some(rest) = rest {
            self.bundle.by(now.saturating_add(rest));
        }
        if bundles > 0 {
            self.is_ready(now);
        }
    }

    /// A transfer begins: what lies ready from here on makes another one due.
    pub fn transferring(&mut self, cause: Cause) {
        self.calling = cause;
        self.ready = Duration::MAX;
        if cause == Cause::Clock {
            self.clock.due = Duration::MAX;
        }
    }

    /// A transfer has ended. If there was no line, the clock says when to try again, whatever lies ready.
    pub fn transferred(&mut self, outcome: Outcome, lot: Lot, now: Duration) {
        match (outcome, self.calling) {
            (Outcome::Done, Cause::Ready) => {}
            (Outcome::Busy, Cause::Ready) => self.ready = self.ready.min(now.saturating_add(BUSY_PAUSE)),
            (Outcome::Failed, _) | (Outcome::Done | Outcome::Busy, Cause::Clock) => {
                self.clock.ended(outcome, self.rhythm.transfer_every, lot, now);
            }
        }
        if outcome == Outcome::Failed {
            self.ready = Duration::MAX;
        }
    }

    /// Goes on with a row of failures that an earlier service had: the next try is due after so long.
    pub fn resume(&mut self, failures: u32, rest: Duration, now: Duration) {
        self.clock = Turn { due: now.saturating_add(rest.min(self.rhythm.transfer_every)), failures };
    }

    /// Of transfers: how many have failed in a row, and when the next one is due; None if the last one did not fail.
    pub fn redial(&self) -> Option<(u32, Duration)> {
        (self.clock.failures > 0).then_some((self.clock.failures, self.clock.due))
    }

    /// Somebody else has got through: there is a line again.
    pub fn line_is_back(&mut self, now: Duration) {
        self.clock = Turn { due: self.clock.due.min(now), failures: 0 };
    }

    fn is_ready(&mut self, time: Duration) {
        // While there is no line, every bundle that is sealed would make another vain call.
        if self.clock.failures == 0 {
            self.ready = self.ready.min(time);
        }
    }

    fn due(&self, job: Job) -> Duration {
        match job {
            Job::Apply => self.apply.due,
            Job::Bundle => self.bundle.due,
            Job::Transfer => self.clock.due.min(self.ready),
        }
    }
}

#[cfg(test)]
mod tests;
