//! The desk: what the service does with the home to itself.
//!
//! Owns one turn: the node is opened anew (the database may have been replaced and the configuration edited), what is due is
//! done as the commands of those names do it, and everything is closed again. Hooks run after the home was given back.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use packhorse_bundler::seal::Urgency;
use packhorse_shared::config::{Config, Part, Span};
use packhorse_shared::home::{Claim, Home, LockError, SERVICE};
use packhorse_shared::seam::Stop;
use packhorse_unbundler::receive::Patience;

use super::schedule::{Outcome, Rhythm};
use super::{Options, ready, rhythm_of};
use crate::commands::{apply, bundle};
use crate::context::Station;
use crate::failure::Failure;
use crate::hooks::Hook;
use crate::node::Node;

/// The place where turns are made.
pub struct Desk {
    station: Station,
    seal_after: Option<Span>,
    stop: Stop,
    hook: Option<JoinHandle<()>>,
    /// Records that were applied and that the hook has not been told of.
    untold: u64,
}

/// What is due in a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// To apply.
    Apply(Patience),
    /// To seal.
    Bundle,
    /// Both.
    Both(Patience),
}

impl Due {
    fn apply(self) -> Option<Patience> {
        match self {
            Self::Apply(patience) | Self::Both(patience) => Some(patience),
            Self::Bundle => None,
        }
    }

    fn has_bundle(self) -> bool {
        !matches!(self, Self::Apply(_))
    }

    /// The part of the house that speaks for all of it.
    fn part(self) -> Part {
        if self == Self::Bundle { Part::Bundle } else { Part::Apply }
    }
}

/// What a turn came to.
pub struct Came {
    /// Of applying, if it was due.
    pub applied: Option<Applied>,
    /// Of sealing, if it was due.
    pub bundled: Option<Bundled>,
    /// The node as it was found, if it could be opened.
    pub seen: Option<Seen>,
}

/// What applying came to.
pub struct Applied {
    /// How it ended.
    pub outcome: Outcome,
    /// How many bundles were applied.
    pub bundles: u64,
}

/// What sealing came to.
pub struct Bundled {
    /// How it ended.
    pub outcome: Outcome,
    /// How many bundles were sealed.
    pub bundles: u64,
    /// After how long what waits is old enough to be sealed.
    pub rest: Option<Duration>,
    /// How long it took.
    pub took: Duration,
}

/// The folders into which a node's bundles come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Folders {
    inbox: Option<PathBuf>,
    /// Those on relays.
    pub mailboxes: BTreeSet<PathBuf>,
}

impl Folders {
    /// All of them.
    pub fn all(&self) -> BTreeSet<PathBuf> {
        self.inbox.iter().chain(&self.mailboxes).cloned().collect()
    }
}

/// A node as a turn found it.
pub struct Seen {
    /// Its database.
    pub database: PathBuf,
    /// Where bundles come to it.
    pub folders: Folders,
    config: Config,
    is_remote: bool,
}

impl Seen {
    /// How often each job comes round.
    pub fn rhythm(&self, options: Options) -> Rhythm {
        rhythm_of(&self.config, self.is_remote, options)
    }

    /// For who makes no calls.
    pub fn without_mailboxes(self) -> Self {
        Self { folders: Folders { mailboxes: BTreeSet::new(), ..self.folders }, ..self }
    }
}

impl Came {
    /// Whatever was due ended in this way.
    fn all(due: Due, outcome: Outcome) -> Self {
        let applied = due.apply().map(|_| Applied { outcome, bundles: 0 });
        let bundled = Bundled { outcome, bundles: 0, rest: None, took: Duration::ZERO };
        Self { applied, bundled: due.has_bundle().then_some(bundled), seen: None }
    }
}

impl Desk {
    /// A desk at this home.
    pub fn new(station: Station, seal_after: Option<Span>, stop: Stop) -> Self {
        Self { station, seal_after, stop, hook: None, untold: 0 }
    }

    /// Does what is due.
    pub fn turn(&mut self, due: Due) -> Came {
        self.try_turn(due).unwrap_or_else(|failure| {
            failure.tell(due.part());
            Came::all(due, Outcome::Failed)
        })
    }

    /// Has the hook told of what was applied while it ran, once it has ended.
    pub fn tell_rest(&mut self) {
        if self.untold > 0
            && let Ok(home) = Home::open(&self.station.home)
        {
            self.run_hook(&home);
        }
    }

    /// Waits for the hook, which ends when the service is to stop.
    pub fn end(&mut self) {
        // One that panicked has told so.
        self.hook.take().map(JoinHandle::join);
    }

    fn try_turn(&mut self, due: Due) -> Result<Came, Failure> {
        let home = Home::open(&self.station.home)?;
        let _lock = match home.lock(Claim::Work, SERVICE) {
            Err(LockError::Busy { .. }) => return Ok(Came::all(due, Outcome::Busy)),
            lock => lock?,
        };
        let mut node = Node::open_for_work(self.station.context())?;
        let applied = due.apply().map(|patience| self.apply(&mut node, patience));
        // What was applied is acknowledged in the same turn.
        let bundle = due.has_bundle() || applied.as_ref().is_some_and(|applied| applied.bundles > 0);
        let bundled = bundle.then(|| self.bundle(&mut node));
        // What is in the way of that is in the way of a transfer too, but of nothing that was done here.
        let seen = seen(&mut node).map_err(|failure| failure.tell(Part::Watch)).ok();
        drop(node);
        self.run_hook(&home);
        Ok(Came { applied, bundled, seen })
    }

    fn apply(&mut self, node: &mut Node, patience: Patience) -> Applied {
        let mut applied = apply::Applied::default();
        let outcome = apply::receive(node, patience, &self.stop, &mut applied);
        self.untold += applied.records;
        Applied { outcome: told(outcome, Part::Apply), bundles: applied.bundles }
    }

    fn bundle(&self, node: &mut Node) -> Bundled {
        let seal_after = self.seal_after.unwrap_or(node.config.bundle.seal_after).as_millis();
        let urgency = Urgency::Thresholds { seal_at: node.config.bundle.seal_at.get(), seal_after };
        let (began, mut done) = (Instant::now(), bundle::Done::default());
        let outcome = bundle::seal(node, urgency, &[], &mut done);
        let waited = done.oldest.map(|oldest| node.world.clock.now().0.saturating_sub(oldest.0));
        let rest = waited.map(|waited| Duration::from_millis(seal_after.saturating_sub(waited).max(1)));
        Bundled { outcome: told(outcome, Part::Bundle), bundles: done.bundles, rest, took: began.elapsed() }
    }

    /// Has the hook told of what was applied, on a thread of its own: it may take its time, and the next turn must not wait.
    /// One at a time: what is applied meanwhile is told by the next one.
    fn run_hook(&mut self, home: &Home) {
        if self.untold == 0 || self.hook.as_ref().is_some_and(|hook| !hook.is_finished()) {
            return;
        }
        let Ok(config) = home.config() else { return };
        let (hook, home, stop) = (Hook::AfterApply(std::mem::take(&mut self.untold)), home.clone(), self.stop.clone());
        self.hook = Some(std::thread::spawn(move || {
            // What went wrong with it is told; nothing here depends on it.
            let _ = hook.run(&home, &config, &stop);
        }));
    }
}

/// How a piece of work ended, once its failure was told.
fn told(outcome: Result<(), Failure>, part: Part) -> Outcome {
    match outcome {
        Ok(()) => Outcome::Done,
        Err(failure) => {
            failure.tell(part);
            Outcome::Failed
        }
    }
}

fn seen(node: &mut Node) -> Result<Seen, Failure> {
    let mailboxes = ready::mailboxes(&node.courier(), &node.orders()?)?;
    Ok(Seen {
        database: node.replica.path().to_owned(),
        folders: Folders { inbox: Some(node.home.inbox()), mailboxes },
        is_remote: node.has_hub()?,
        config: node.config.clone(),
    })
}
