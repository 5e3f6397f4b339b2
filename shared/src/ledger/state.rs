//! The states of a bundle in the books, and what leads from one to the next.
//!
//! Owns the table of steps. Invariant: a state changes by a step of the table only, so that a report that comes late
//! or twice moves nothing back. What the spool holds outweighs what was reported: a file that lies in the outbox is
//! sealed, one that lies in the inbox has been received, whatever the books said of it.

use serde::{Deserialize, Serialize};

/// Which way a bundle goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// To the peer.
    Outgoing,
    /// From the peer.
    Incoming,
}

/// Where a bundle stands. Outgoing: sealed, sent, fetched, acknowledged, or superseded or discarded. Incoming:
/// received, perhaps waiting, applied, or old, quarantined, left alone or discarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It lies in the outbox.
    Sealed,
    /// It lies on the relay.
    Sent,
    /// It has gone from the relay: the peer has it, or it was lost.
    Fetched,
    /// The peer has applied it, or a later one that holds its changes.
    Acknowledged,
    /// Others have taken its place.
    Superseded,
    /// Somebody discarded it, here. Its changes are sent again, or asked for again.
    Discarded,
    /// It lies in the inbox.
    Received,
    /// It lies in the inbox until the bundle that it builds on has come.
    Waiting,
    /// It has been merged.
    Applied,
    /// It had been applied before, or was overtaken.
    Old,
    /// It was refused, and lies in quarantine with the reason beside it.
    Quarantined,
    /// It lies in the inbox and is not for this node to use.
    LeftAlone,
}

/// What happens to a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Its file is seen in the outbox.
    InOutbox,
    /// Its file was put on the relay.
    Sent,
    /// Its file is gone from the relay.
    Fetched,
    /// The peer has acknowledged it.
    Acknowledged,
    /// Others have taken its place.
    Superseded,
    /// Somebody discarded it, or its file is gone without a trace.
    Discarded,
    /// Its file is seen in the inbox.
    InInbox,
    /// The bundle that it builds on has not come.
    Waits,
    /// It was merged.
    Applied,
    /// It was found to be old.
    Old,
    /// It was not for this node to use.
    LeftAlone,
    /// Its file is seen in quarantine.
    InQuarantine,
}

impl State {
    /// Where it stands after something has happened; None where that leads nowhere from here.
    pub fn after(self, event: Event) -> Option<Self> {
        let next = event.leads_to();
        let follows = match event {
            Event::InOutbox => self.is_outgoing() || self == Self::Discarded,
            Event::Sent => self == Self::Sealed,
            Event::Fetched => self == Self::Sent,
            Event::Acknowledged | Event::Superseded => self.is_under_way(),
            Event::InInbox => !self.is_in_inbox() && (!self.is_outgoing() || self == Self::Discarded),
            Event::Waits | Event::Applied | Event::Old | Event::LeftAlone => self.is_in_inbox(),
            Event::InQuarantine => self.is_in_inbox() || self == Self::Discarded,
            Event::Discarded => self.is_under_way() || self.is_in_inbox() || self == Self::Quarantined,
        };
        (follows && next != self).then_some(next)
    }

    /// Whether nothing more is to come of it.
    pub fn is_finished(self) -> bool {
        matches!(self, Self::Acknowledged | Self::Superseded | Self::Discarded | Self::Applied | Self::Old)
    }

    /// Sealed, sent or fetched, and the peer has not said that it has it.
    pub fn is_under_way(self) -> bool {
        matches!(self, Self::Sealed | Self::Sent | Self::Fetched)
    }

    /// Whether its file lies in the inbox.
    pub fn is_in_inbox(self) -> bool {
        matches!(self, Self::Received | Self::Waiting | Self::LeftAlone)
    }

    /// The state in a word, as texts and JSON have it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Sealed => "sealed",
            Self::Sent => "sent",
            Self::Fetched => "fetched",
            Self::Acknowledged => "acknowledged",
            Self::Superseded => "superseded",
            Self::Discarded => "discarded",
            Self::Received => "received",
            Self::Waiting => "waiting",
            Self::Applied => "applied",
            Self::Old => "old",
            Self::Quarantined => "quarantined",
            Self::LeftAlone => "left-alone",
        }
    }

    fn is_outgoing(self) -> bool {
        self.is_under_way() || matches!(self, Self::Acknowledged | Self::Superseded)
    }
}

impl Event {
    fn leads_to(self) -> State {
        match self {
            Self::InOutbox => State::Sealed,
            Self::Sent => State::Sent,
            Self::Fetched => State::Fetched,
            Self::Acknowledged => State::Acknowledged,
            Self::Superseded => State::Superseded,
            Self::Discarded => State::Discarded,
            Self::InInbox => State::Received,
            Self::Waits => State::Waiting,
            Self::Applied => State::Applied,
            Self::Old => State::Old,
            Self::LeftAlone => State::LeftAlone,
            Self::InQuarantine => State::Quarantined,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATES: [State; 12] = [
        State::Sealed,
        State::Sent,
        State::Fetched,
        State::Acknowledged,
        State::Superseded,
        State::Discarded,
        State::Received,
        State::Waiting,
        State::Applied,
        State::Old,
        State::Quarantined,
        State::LeftAlone,
    ];

    fn line(from: State, events: &[Event]) -> Vec<State> {
        let mut state = from;
        let mut step = |event: &Event| {
            state = state.after(*event).unwrap_or(state);
            state
        };
        events.iter().map(&mut step).collect()
    }

    #[test]
    fn an_outgoing_bundle_goes_its_way() {
        let way = line(State::Sealed, &[Event::Sent, Event::Fetched, Event::Acknowledged]);
        assert_eq!(way, [State::Sent, State::Fetched, State::Acknowledged]);
        for from in [State::Sealed, State::Sent, State::Fetched] {
            for (event, to) in [
                (Event::Acknowledged, State::Acknowledged),
                (Event::Superseded, State::Superseded),
                (Event::Discarded, State::Discarded),
            ] {
                assert_eq!(from.after(event), Some(to));
            }
        }
    }

    #[test]
    fn an_incoming_bundle_goes_its_way() {
        let way = line(State::Received, &[Event::Waits, Event::Applied]);
        assert_eq!(way, [State::Waiting, State::Applied]);
        assert_eq!(line(State::Received, &[Event::InQuarantine, Event::InInbox, Event::Old])[2], State::Old);
        assert_eq!(line(State::LeftAlone, &[Event::InInbox, Event::Applied]), [State::LeftAlone, State::Applied]);
    }

    #[test]
    fn what_is_finished_moves_only_if_its_file_is_there_again() {
        let finished = [State::Acknowledged, State::Superseded, State::Discarded, State::Applied, State::Old];
        for state in STATES {
            assert_eq!(state.is_finished(), finished.contains(&state));
            if state.is_finished() {
                for event in [
                    Event::Sent,
                    Event::Fetched,
                    Event::Acknowledged,
                    Event::Superseded,
                    Event::Discarded,
                    Event::Waits,
                    Event::Applied,
                    Event::Old,
                    Event::LeftAlone,
                ] {
                    assert_eq!(state.after(event), None, "{state:?} {event:?}");
                }
            }
        }
        assert_eq!(State::Acknowledged.after(Event::InOutbox), Some(State::Sealed));
        assert_eq!(State::Applied.after(Event::InInbox), Some(State::Received));
    }

    #[test]
    fn nothing_moves_back_by_a_late_report_nor_onto_the_other_way() {
        assert_eq!(State::Fetched.after(Event::Sent), None);
        assert_eq!(State::Acknowledged.after(Event::Fetched), None);
        assert_eq!(State::Applied.after(Event::Waits), None);
        assert_eq!(State::Sealed.after(Event::Applied), None);
        assert_eq!(State::Sealed.after(Event::InInbox), None);
        assert_eq!(State::Received.after(Event::InOutbox), None);
        assert_eq!(State::Received.after(Event::Acknowledged), None);
    }

    #[test]
    fn a_word_is_what_the_books_and_json_have() {
        for state in STATES {
            assert_eq!(written_word(state), state.word());
        }
    }

    /// The word that serde writes, from the MessagePack text.
    fn written_word(state: State) -> String {
        rmp_serde::from_slice(&rmp_serde::to_vec(&state).unwrap()).unwrap()
    }
}
