//! One data connection of an FTP session.
//!
//! Owns its end: said to the server and heard from it where all went well, at once and without a word where it did not.
//! Invariant: what moves is told to the guard of the line.

use std::io::{self, Read, Write};

use suppaftp::{FtpResult, RustlsConnector, TlsConnector, TransferStream};

use crate::line::{Line, Waiting};

/// The library's data connection, in the clear or secured.
pub(super) type Data = TransferStream<<RustlsConnector as TlsConnector>::Stream>;

/// A file or a listing on its way.
pub(super) struct Moving {
    /// Taken when it is ended.
    data: Option<Data>,
    line: Line,
    waiting: Option<Waiting>,
}

impl Moving {
    pub(super) fn new(data: Data, line: &Line) -> Self {
        Self { data: Some(data), line: line.clone(), waiting: Some(line.wait()) }
    }

    /// What has come to its end before it began.
    pub(super) fn nothing(line: &Line) -> Self {
        Self { data: None, line: line.clone(), waiting: None }
    }

    /// Ends it, and hears what the server says of it.
    pub(super) fn end(mut self) -> FtpResult<()> {
        let Some(data) = self.data.take() else { return Ok(()) };
        self.line.release(data.get_ref().get_ref());
        let ended = data.finish();
        if ended.is_ok() {
            self.line.answered();
        }
        ended
    }
}

impl Read for Moving {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.data.as_mut().map_or(Ok(0), |data| data.read(into))?;
        self.line.came(count);
        Ok(count)
    }
}

impl Write for Moving {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.data.as_mut().map_or(Ok(0), |data| data.write(bytes))?;
        self.line.sent(count);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.data.as_mut().map_or(Ok(()), |data| data.flush())
    }
}

impl Drop for Moving {
    fn drop(&mut self) {
        // One that is not ended has failed: without its sockets nobody waits for what the server says of it.
        if self.data.is_some() {
            self.line.fail();
        }
        self.data = None;
        self.waiting = None;
    }
}
