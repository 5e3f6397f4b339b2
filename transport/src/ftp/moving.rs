//! One data connection of an FTP session.
//!
//! Owns its end: said to the server and heard from it where all went well, at once and without a word where it did not.
//! Invariant: what moves is told to the guard of the line. Leaves the reply that follows to [`super::session`].

use std::io::{self, Read, Write};

use super::wire::Wire;
use crate::line::{Line, Load, Waiting};

/// A file or a listing on its way.
pub(super) struct Moving {
    /// Taken when it is ended.
    wire: Option<Wire>,
    line: Line,
    waiting: Option<Waiting>,
    way: Way,
    /// How much the system was let buffer.
    fitted: usize,
}

/// Which way the bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Out,
    In(Load),
}

impl Way {
    /// What the connection has to carry. How much is sent over it can be fitted at any time.
    pub(super) fn load(self) -> Load {
        match self {
            Self::Out => Load::Usual,
            Self::In(load) => load,
        }
    }
}

impl Moving {
    pub(super) fn new(wire: Wire, line: &Line, way: Way) -> Self {
        if way != Way::Out {
            line.begin_fetching();
        }
        Self { wire: Some(wire), line: line.clone(), waiting: Some(line.wait()), way, fitted: line.window() }
    }

    /// Lets as much be under way as the line has shown to be worth it.
    pub(super) fn fit(&mut self) {
        if let Some(wire) = &mut self.wire {
            self.line.fit(wire.socket(), &mut self.fitted);
            if !self.line.is_narrow() {
                wire.widen();
            }
        }
    }

    /// Ends what was written, or read to its end.
    pub(super) fn end(mut self) -> io::Result<()> {
        let Some(mut wire) = self.wire.take() else { return Ok(()) };
        let ended = match self.way {
            Way::Out => wire.end_writing(),
            Way::In(_) => Ok(()),
        };
        self.line.release(wire.socket());
        ended
    }
}

impl Read for Moving {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.wire.as_mut().map_or(Ok(0), |wire| wire.read(into))?;
        self.line.came(count);
        Ok(count)
    }
}

impl Write for Moving {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.wire.as_mut().map_or(Ok(0), |wire| wire.write(bytes))?;
        self.line.sent(count);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.wire.as_mut().map_or(Ok(()), Wire::flush)
    }
}

impl Drop for Moving {
    fn drop(&mut self) {
        // One that is not ended has failed: without its sockets nobody waits for what the server says of it.
        if self.wire.is_some() {
            self.line.fail();
        }
        self.wire = None;
        self.waiting = None;
    }
}
