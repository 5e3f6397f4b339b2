//! What applying came to, in words, and how a command ends by it.

use packhorse_shared::config::Part;
use packhorse_unbundler::place::Placed;
use packhorse_unbundler::receive::Received;
use packhorse_unbundler::retry::Occasion;

use crate::failure::Exit;
use crate::journal::Event;
use crate::wording::{count, shown};

/// Something that happened in applying.
pub fn event(words: impl Into<String>) -> Event {
    Event::new(Part::Apply, words)
}

/// Tells what a run came to, and says how a command ends by it.
pub fn tell(received: &Received) -> Exit {
    for (name, placed) in &received.applied {
        tell_placed(name, placed);
    }
    for (name, why) in &received.quarantined {
        event(format!("{name} went into quarantine: {why}")).warning().bundle(name).tell();
    }
    for (name, why) in &received.unapproved {
        let from = name.split('.').next().unwrap_or(name);
        let way = format!("`packhorse approve {from}` applies it, with --refuse but for its deletions");
        event(format!("{name} waits for a person's word: {why}; {way}")).warning().bundle(name).tell();
    }
    for (name, why) in &received.left_alone {
        event(format!("{name} was left in the inbox: {why}")).warning().bundle(name).tell_standing();
    }
    for (hub, table) in &received.lacking {
        let words = format!(
            "{hub} shares table {}, which this database does not have: run the migration that makes it here too; until \
             then its records are held",
            shown(table)
        );
        event(words).warning().node(hub).tell_standing();
    }
    if received.rested.placed > 0 {
        let changes = count(received.rested.placed, "change that was held is", "changes that were held are");
        let why = match received.rested.occasion {
            Occasion::Quiet => "the application has been quiet",
            Occasion::Changed => "the application has made room",
        };
        event(format!("{why}: {changes} placed now")).records(received.rested.placed).tell();
    }
    let needs_a_person = |placed: &Placed| {
        let by_themselves = placed.waiting + placed.leaving + placed.resting;
        placed.held + placed.conflicts + placed.refused + placed.undone > by_themselves
    };
    let attention = received.rested.conflicts > 0 || received.applied.iter().any(|(_, placed)| needs_a_person(placed));
    let set_aside =
        !received.quarantined.is_empty() || !received.left_alone.is_empty() || !received.unapproved.is_empty();
    let is_resting = received.applied.iter().any(|(_, placed)| placed.resting > 0);
    match (attention || set_aside, is_resting) {
        (true, _) => Exit::Attention,
        (false, true) => Exit::Resting,
        (false, false) => Exit::Done,
    }
}

/// What was done with one bundle's changes.
struct Told<'a> {
    bundle: &'a str,
    /// The sender's name.
    from: &'a str,
}

impl Told<'_> {
    fn event(&self, words: &str, number: u64) -> Event {
        let event = event(format!("{}: {words}", self.from)).bundle(self.bundle).records(number);
        self.from.parse().map_or(event.clone(), |node| event.node(&node))
    }

    /// Tells it if it is more than nothing.
    fn tell(&self, number: u64, words: impl FnOnce() -> String) {
        if number > 0 {
            self.event(&words(), number).tell();
        }
    }

    /// The same of what a person ought to know.
    fn warn(&self, number: u64, words: impl FnOnce() -> String) {
        if number > 0 {
            self.event(&words(), number).warning().tell();
        }
    }
}

fn tell_placed(name: &str, placed: &Placed) {
    let from = name.split('.').next().unwrap_or(name);
    let told = Told { bundle: name, from };
    told.tell(placed.records, || format!("applied {}", count(placed.records, "changed record", "changed records")));
    told.tell(placed.withdrawn, || {
        let withdrawn = count(placed.withdrawn, "record is", "records are");
        let was = if placed.withdrawn == 1 { "was" } else { "were" };
        format!("{withdrawn} not shared any more, and {was} taken off")
    });
    told.warn(placed.refused, || {
        let refused = count(placed.refused, "change was", "changes were");
        format!(
            "{refused} refused, because {from} does not share what they change or may not (`packhorse notices list`)"
        )
    });
    told.warn(placed.undone, || {
        let undone = count(placed.undone, "change that was made here is", "changes that were made here are");
        format!("{undone} undone, because {from} does not allow them (`packhorse notices list`)")
    });
    told.tell(placed.leaving, || {
        let leaving = count(placed.leaving, "record goes", "records go");
        let it = if placed.leaving == 1 { "it" } else { "them" };
        format!("{leaving} too as soon as what was added to {it} here is at {from}")
    });
    tell_held(&told, placed);
    told.warn(placed.conflicts, || {
        format!(
            "{} changed at both ends: `packhorse conflicts list` tells which value stands",
            count(placed.conflicts, "field was", "fields were")
        )
    });
    told.warn(placed.revived, || {
        let kept = count(placed.revived, "record was", "records were");
        format!("{kept} deleted there but kept, because others refer to them")
    });
    told.warn(placed.kept, || {
        let kept = count(placed.kept, "record was", "records were");
        format!("{kept} deleted there but kept, because nobody knows any more what has changed since")
    });
}

fn tell_held(told: &Told<'_>, placed: &Placed) {
    let held = placed.held - placed.waiting - placed.leaving;
    told.warn(held, || {
        let changes = count(held, "change is", "changes are");
        format!("{changes} held, because they cannot be placed now (`packhorse held list` tells why)")
    });
    told.tell(placed.waiting, || {
        let waiting = count(placed.waiting, "record", "records");
        let (wait, from) = (if placed.waiting == 1 { "is" } else { "are" }, told.from);
        format!("{waiting} that {wait} the same as one made here will be one with it when {from} has seen it")
    });
}
