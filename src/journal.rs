//! What a run does, told as it happens: as notes to the person who waits for a command, or as lines of the service's log.
//!
//! Owns the form of both. Invariants: one line for one thing; names of nodes, tables, files and relays, and no value of
//! anybody's data; what only stands as it stood is told again seldom, so that a relay that is away for a week does not
//! fill the log. Leaves to [`crate::report`] where the log goes.

mod seldom;

use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Instant;

use packhorse_shared::config::Part;
use packhorse_shared::id::NodeName;

use self::seldom::Seldom;
use crate::report;
use crate::wording::brief;

/// What the log has told of things that stand. Set once the service has begun to speak.
static STANDING: OnceLock<Standing> = OnceLock::new();

struct Standing {
    began: Instant,
    told: Mutex<Seldom>,
}

/// How much an event matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Weight {
    Detail,
    Info,
    Warning,
    Error,
}

/// Something that happened.
#[derive(Clone, Debug)]
pub struct Event {
    part: Part,
    weight: Weight,
    node: Option<NodeName>,
    bundle: Option<String>,
    records: Option<u64>,
    bytes: Option<u64>,
    words: String,
}

/// From now on everything is told as a line of the log.
pub fn speak_in_log() {
    STANDING.get_or_init(|| Standing { began: Instant::now(), told: Mutex::default() });
}

/// Whether everything is told as a line of the log.
pub fn speaks_in_log() -> bool {
    STANDING.get().is_some()
}

impl Event {
    /// Something that happened in a part of the house, in words that name the other node if there is one.
    pub fn new(part: Part, words: impl Into<String>) -> Self {
        let words = words.into();
        Self { part, weight: Weight::Info, node: None, bundle: None, records: None, bytes: None, words }
    }

    /// It matters only to somebody who looks closely.
    pub fn detail(self) -> Self {
        Self { weight: Weight::Detail, ..self }
    }

    /// It is not as it should be.
    pub fn warning(self) -> Self {
        Self { weight: Weight::Warning, ..self }
    }

    /// It keeps something from being done.
    pub fn error(self) -> Self {
        Self { weight: Weight::Error, ..self }
    }

    /// The other node.
    pub fn node(self, node: &NodeName) -> Self {
        Self { node: Some(node.clone()), ..self }
    }

    /// The bundle's file name.
    pub fn bundle(self, name: &str) -> Self {
        Self { bundle: Some(name.to_owned()), ..self }
    }

    /// How many records it is about.
    pub fn records(self, records: u64) -> Self {
        Self { records: Some(records), ..self }
    }

    /// How many bytes it is about.
    pub fn bytes(self, bytes: u64) -> Self {
        Self { bytes: Some(bytes), ..self }
    }

    /// Tells it.
    pub fn tell(self) {
        if speaks_in_log() { self.log() } else { report::note(&self.words) }
    }

    /// Tells it as something that stands until somebody sees to it: in the log at once, and then seldom.
    pub fn tell_standing(self) {
        match STANDING.get() {
            None => report::note(&self.words),
            Some(standing) => {
                let mut told = standing.told.lock().unwrap_or_else(PoisonError::into_inner);
                if told.is_due(self.part, &self.words, standing.began.elapsed()) {
                    self.log();
                }
            }
        }
    }

    fn log(self) {
        // The log's levels are set by target, and a target is part of the place in the code that speaks.
        match self.part {
            Part::Bundle => log_line!("bundle", self),
            Part::Transfer => log_line!("transfer", self),
            Part::Apply => log_line!("apply", self),
            Part::Watch => log_line!("watch", self),
        }
    }
}

/// What stood in a part of the house stands no more: if it comes again, it is told at once.
pub fn settled(part: Part) {
    if let Some(standing) = STANDING.get() {
        standing.told.lock().unwrap_or_else(PoisonError::into_inner).forget(part);
    }
}

macro_rules! log_line {
    ($target:literal, $event:expr) => {{
        let Event { weight, node, bundle, records, bytes, words, .. } = $event;
        let (node, bundle, words) = (node.as_ref().map(NodeName::as_str), bundle.as_deref(), brief(&words));
        match weight {
            Weight::Detail => tracing::debug!(target: $target, node, bundle, records, bytes, "{words}"),
            Weight::Info => tracing::info!(target: $target, node, bundle, records, bytes, "{words}"),
            Weight::Warning => tracing::warn!(target: $target, node, bundle, records, bytes, "{words}"),
            Weight::Error => tracing::error!(target: $target, node, bundle, records, bytes, "{words}"),
        }
    }};
}
use log_line;
