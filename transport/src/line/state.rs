//! What is known of one connection's line: how much has moved over it, and whether it lives.

use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use super::{SILENCE, UNSENT, buffers};
use crate::window::{First, Window};

/// No line that is worth its call is slower, in bytes per second.
pub(super) const SLOWEST: u64 = 300;

/// Nor is one with so short a round trip that little care is needed.
pub(super) const SLOWEST_SHORT: u64 = 8 * 1024;

/// Why a guard ended its line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// The run's time is up, or it was asked to stop.
    Ended,
    /// Nothing moved.
    Silent,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) sockets: Vec<TcpStream>,
    /// How many wait for a sign of life, and since when.
    pub(super) waits: usize,
    pub(super) since: Instant,
    /// When bytes began to move, and how many have since.
    pub(super) began: Option<Instant>,
    pub(super) moved: u64,
    pub(super) under_way: u64,
    pub(super) window: Window,
    /// What moves comes: the server learns by itself, of what it sends, that nobody is there any more.
    pub(super) is_fetching: bool,
    pub(super) cut: Option<Cut>,
    pub(super) failed: bool,
    pub(super) closed: bool,
}

impl State {
    pub(super) fn new(first: First) -> Self {
        Self {
            sockets: Vec::new(),
            waits: 0,
            since: Instant::now(),
            began: None,
            moved: 0,
            under_way: 0,
            window: Window::new(first),
            is_fetching: false,
            cut: None,
            failed: false,
            closed: false,
        }
    }

    /// How long the line may be silent now.
    pub(super) fn patience(&self) -> Duration {
        let seconds = self.began.map_or(0.0, |began| began.elapsed().as_secs_f64());
        // Measured only after as much as the buffers take at once.
        let measured = (self.moved > 2 * UNSENT as u64 && seconds > 1.0).then(|| (self.moved as f64 / seconds) as u64);
        let slowest = if self.window.size().is_some() { SLOWEST } else { SLOWEST_SHORT };
        let speed = measured.unwrap_or(slowest).max(SLOWEST);
        SILENCE + Duration::from_secs(self.under_way / speed)
    }

    pub(super) fn note(&mut self, bytes: usize) {
        self.hear();
        self.began.get_or_insert_with(Instant::now);
        self.moved += bytes as u64;
        self.window.note(bytes, Instant::now());
    }

    pub(super) fn hear(&mut self) {
        self.since = Instant::now();
    }

    pub(super) fn is_silent(&self) -> bool {
        self.waits > 0 && self.since.elapsed() > self.patience()
    }

    pub(super) fn shut(&mut self, cut: Cut) {
        self.cut.get_or_insert(cut);
        for socket in &self.sockets {
            buffers::forget_unsent(socket);
            if self.is_fetching && cut == Cut::Silent {
                buffers::give_up(socket);
            }
            // It may be shut already.
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}
