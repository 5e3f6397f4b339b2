//! The pieces of a file that are under way.
//!
//! Owns how much is asked for or written before the first of it is answered: on a slow line little more than fills it, or
//! what is said the other way has to wait behind it; on a fast one plenty.

use std::collections::VecDeque;

/// The least and the most that is moved by one request. The least fits one packet with what SSH puts around it: of a piece in
/// several packets nothing is worth anything if one is lost.
const PIECE: usize = 1_340;
const PIECE_MAX: usize = 32 * 1024;

/// Requests are so many, where there is room for them, that one is always being answered while others are under way; each has
/// some hundred bytes beside.
const PIECES: usize = 3;

/// The first pieces are so many times smaller, and so many are.
const SMALL: usize = 3;

/// Each by its request's number, in the order in which they are answered.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    under_way: VecDeque<(u32, usize)>,
    bytes: usize,
    /// Over this connection, also of other files.
    answered: usize,
}

impl Pieces {
    /// None is under way, and so many have been answered before.
    pub(super) fn after(answered: usize) -> Self {
        Self { answered, ..Self::default() }
    }

    /// How large another piece is to be, if one may go on its way before the next answer: one always may where there is none.
    pub(super) fn room(&self, window: usize) -> Option<usize> {
        let whole = (window / PIECES).clamp(PIECE, PIECE_MAX);
        // Behind pieces an answer takes far longer than any before. The system, which learns that only by and by, would take
        // what waits for it to be lost, and send it again: so the first pieces are small, and what is under way grows slowly.
        let step = whole / SMALL;
        let piece = if self.answered < SMALL { step } else { whole };
        let most = window.min(step * (self.answered + 2));
        (self.is_empty() || self.bytes + piece <= most).then_some(piece)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.under_way.is_empty()
    }

    pub(super) fn add(&mut self, number: u32, bytes: usize) {
        self.under_way.push_back((number, bytes));
        self.bytes += bytes;
    }

    pub(super) fn answered(&self) -> usize {
        self.answered
    }

    /// The piece that is answered next.
    pub(super) fn take_first(&mut self) -> Option<(u32, usize)> {
        let (number, bytes) = self.under_way.pop_front()?;
        self.bytes -= bytes;
        self.answered += 1;
        Some((number, bytes))
    }

    /// Leaves all that is under way to whoever takes these numbers.
    pub(super) fn forget(&mut self) -> impl Iterator<Item = u32> + '_ {
        self.bytes = 0;
        self.under_way.drain(..).map(|(number, _)| number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::window::First;

    /// What is under way as soon as no more may be, after each answer.
    fn under_way(window: usize, answers: usize) -> Vec<usize> {
        under_way_after(0, window, answers)
    }

    /// The same where so many pieces of other files have been answered before.
    fn under_way_after(before: usize, window: usize, answers: usize) -> Vec<usize> {
        let mut pieces = Pieces::after(before);
        let fill = |pieces: &mut Pieces| {
            while let Some(bytes) = pieces.room(window) {
                pieces.add(0, bytes);
            }
            pieces.bytes
        };
        let mut filled = vec![fill(&mut pieces)];
        for _ in 0..answers {
            pieces.take_first().expect("a piece");
            filled.push(fill(&mut pieces));
        }
        filled
    }

    #[test]
    fn what_is_under_way_grows_by_and_by_to_what_a_slow_line_holds() {
        let slow = First::ByAnswers.size();
        let little = under_way(slow, 12);
        assert!(little[0] < 1_000 && little[3] < 2_000, "{little:?}");
        assert_eq!((little.iter().max(), little.last()), (Some(&slow), Some(&slow)));
        assert_eq!(slow, 2 * PIECE, "what is lost with a line that breaks is this, each way and each time");
        assert_eq!(under_way(256 * 1024, 40).last(), Some(&(256 * 1024)));
        assert_eq!(under_way_after(12, slow, 0), [slow], "what the system has learned it knows also of the next file");
    }
}
