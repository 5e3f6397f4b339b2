//! What fails for a while, told when it works again.

use std::collections::BTreeMap;
use std::time::Duration;

use packhorse_shared::config::Part;

use super::outage::Outage;
use super::schedule::Outcome;
use crate::journal::{self, Event};
use crate::wording::{count, span};

/// The outages of every kind of work.
#[derive(Default)]
pub struct Outages(BTreeMap<Part, Outage>);

impl Outages {
    /// Takes in how a kind of work ended.
    pub fn take_in(&mut self, part: Part, outcome: Outcome, now: Duration) {
        if let Some(over) = self.0.entry(part).or_default().take_in(outcome, now) {
            journal::settled(part);
            let (failures, took) = (count(over.failures, "failure", "failures"), span(over.took.as_millis() as u64));
            Event::new(part, format!("it works again, after {failures} in {took}")).tell();
        }
    }
}
