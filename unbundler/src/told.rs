//! Told: up to where peers were told that everything had been sent to them.
//!
//! Owns what the highest word to anybody but one link is: what comes by that link from below it would be taken by the
//! others for a thing they know. Pure.

use packhorse_shared::clock::Reading;
use packhorse_shared::id::LinkId;

/// The highest word given over one link, and over any other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    highest: Option<(Reading, LinkId)>,
    over_others: Reading,
}

impl Told {
    /// Nobody was told anything.
    pub const NOTHING: Self = Self { highest: None, over_others: Reading(0) };

    /// By the word given over each link.
    pub fn of(words: impl IntoIterator<Item = (LinkId, Reading)>) -> Self {
        let mut words: Vec<_> = words.into_iter().map(|(link, word)| (word, link)).collect();
        words.sort_unstable();
        let highest = words.pop();
        Self { highest, over_others: words.last().map_or(Reading(0), |word| word.0) }
    }

    /// The highest word given to anybody but the peer of one link.
    pub fn to_others(self, than: LinkId) -> Reading {
        match self.highest {
            Some((word, link)) if link != than => word,
            _ => self.over_others,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_peer_was_told_does_not_count_against_itself() {
        let words = [(LinkId(1), Reading(9)), (LinkId(2), Reading(5)), (LinkId(3), Reading(7))];
        let told = Told::of(words);
        assert_eq!(told.to_others(LinkId(1)), Reading(7));
        assert_eq!(told.to_others(LinkId(2)), Reading(9));
        assert_eq!(Told::of([words[0]]).to_others(LinkId(1)), Reading(0));
        assert_eq!(Told::NOTHING.to_others(LinkId(1)), Reading(0));
    }
}
