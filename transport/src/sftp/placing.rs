//! Moving the bytes of files on an SFTP server, either way.
//!
//! Owns how much is asked for or written before the first of it is answered: on a slow line little more than fills it, or
//! what is said the other way has to wait behind it; on a fast one plenty. Invariant: nothing is written beyond what the
//! server holds, which would leave a hole.

use std::collections::VecDeque;

use super::request::{Opening, Request};
use super::wire::{Handle, Trouble};
use super::{SftpCarrier, absent_is_none, holder};
use crate::carrier::{Get, Source};
use crate::error::TransportError;
use crate::placing::{Renamed, Server};

/// The least and the most that is moved by one request.
const PIECE: usize = 2 * 1024;
const PIECE_MAX: usize = 32 * 1024;

/// Requests are so many that one is always being answered while others are under way; each has some hundred bytes beside.
const PIECES: usize = 3;

impl Server for SftpCarrier {
    fn relay(&self) -> &str {
        &self.shown
    }

    fn size(&mut self, path: &str, shown: &str) -> Result<Option<u64>, TransportError> {
        let found = self.found(path, shown)?;
        Ok(found.map(|found| if found.is_file() { found.size.unwrap_or(0) } else { u64::MAX }))
    }

    fn write(&mut self, path: &str, from: u64, source: &mut dyn Source, shown: &str) -> Result<u64, TransportError> {
        let _waiting = self.line.wait();
        // A new file is made by us: a link that somebody planted makes it fail.
        let opening = if from > 0 { Opening::Write } else { Opening::Create };
        let opened = self.wire.send(Request::Open(path, opening));
        let folder = self.ask_for_folder(holder(path));
        let handle = opened.and_then(|number| self.wire.answer(number)?.handle());
        let handle = handle.map_err(|error| self.failed("put", shown, error))?;
        folder.and_then(|()| self.keep_folder()).map_err(|error| self.failed("put", shown, error))?;
        self.send(&handle, from, source, shown)?;
        self.finish(&handle).map_err(|error| self.failed("put", shown, error))
    }

    fn rename(&mut self, from: &str, to: &str, shown: &str) -> Result<Renamed, TransportError> {
        let renamed = self.renamed(from, to);
        match renamed {
            Ok(()) => Ok(Renamed::Done),
            // No server says why.
            Err(error @ Trouble::Said(_)) => match self.found(to, shown)? {
                Some(found) => Ok(Renamed::Taken(found.size.unwrap_or(0))),
                None => Err(self.failed("rename", shown, error)),
            },
            Err(error) => Err(self.failed("rename", shown, error)),
        }
    }

    fn discard(&mut self, path: &str, shown: &str) -> Result<(), TransportError> {
        let removed = self.wire.ask(Request::Remove(path)).and_then(|said| absent_is_none(said.done()));
        removed.map(drop).map_err(|error| self.failed("remove", shown, error))
    }
}

impl SftpCarrier {
    fn send(&mut self, handle: &[u8], from: u64, source: &mut dyn Source, shown: &str) -> Result<(), TransportError> {
        self.line.begin();
        let mut under_way: VecDeque<(u32, usize)> = VecDeque::new();
        let (mut at, mut unanswered) = (from, 0);
        loop {
            let window = self.line.window();
            let mut piece = vec![0; piece_of(window)];
            let count = source.read_at(at, &mut piece)?;
            let Some(bytes) = piece.get(..count).filter(|bytes| !bytes.is_empty()) else { break };
            while unanswered > 0 && unanswered + count > window {
                unanswered -= self.await_written(&mut under_way).map_err(|error| self.failed("put", shown, error))?;
            }
            let sent = self.wire.send(Request::Write(handle, at, bytes));
            under_way.push_back((sent.map_err(|error| self.failed("put", shown, error))?, count));
            at += count as u64;
            unanswered += count;
        }
        self.written = under_way.into_iter().map(|(number, _)| number).collect();
        Ok(())
    }

    /// Waits for the answer to the first write, and says how much it was.
    fn await_written(&mut self, under_way: &mut VecDeque<(u32, usize)>) -> Result<usize, Trouble> {
        let Some((number, count)) = under_way.pop_front() else { return Ok(0) };
        self.wire.answer(number)?.done()?;
        Ok(count)
    }

    /// Sees the last writes through, syncs and closes the file, all in one go, and says how large it is now.
    fn finish(&mut self, handle: &[u8]) -> Result<u64, Trouble> {
        let synced = self.wire.send(Request::Sync(handle))?;
        let found = self.wire.send(Request::Look(handle))?;
        let closed = self.wire.send(Request::Close(handle))?;
        for number in std::mem::take(&mut self.written) {
            self.wire.answer(number)?.done()?;
        }
        match self.wire.answer(synced)?.done() {
            Err(Trouble::Said(super::UNSUPPORTED)) => {}
            synced => synced?,
        }
        let found = self.wire.answer(found)?.attributes()?;
        self.wire.answer(closed)?.done()?;
        Ok(found.size.unwrap_or(0))
    }

    /// Gives a file a name that is free, and syncs its folder where the server can: OpenSSH does, most others have no word
    /// for it.
    fn renamed(&mut self, from: &str, to: &str) -> Result<(), Trouble> {
        let renamed = self.wire.send(Request::Rename(from, to))?;
        let folder = self.folder.as_ref().filter(|(path, _)| path == holder(to)).map(|(_, handle)| handle.clone());
        let synced = folder.map(|handle| self.wire.send(Request::Sync(&handle))).transpose()?;
        self.wire.answer(renamed)?.done()?;
        if let Some(synced) = synced {
            // Whether it can be done is the server's affair.
            let _ = self.wire.answer(synced)?;
        }
        Ok(())
    }

    /// Asks for a folder to be opened, so that it can be synced, unless it is.
    fn ask_for_folder(&mut self, path: &str) -> Result<(), Trouble> {
        if self.folder.as_ref().is_some_and(|(open, _)| open == path) {
            return Ok(());
        }
        if let Some((_, handle)) = self.folder.take() {
            self.wire.send_only(Request::Close(&handle))?;
        }
        let number = self.wire.send(Request::Open(path, Opening::Read))?;
        self.asked_folder = Some((path.to_owned(), number));
        Ok(())
    }

    /// Keeps the folder that was asked for, if the server opens folders.
    fn keep_folder(&mut self) -> Result<(), Trouble> {
        let Some((path, number)) = self.asked_folder.take() else { return Ok(()) };
        self.folder = self.wire.answer(number)?.handle().ok().map(|handle| (path, handle));
        Ok(())
    }

    /// Reads a file from a place on to its end, or until `take` has enough.
    pub(super) fn read_into(
        &mut self,
        path: &str,
        from: u64,
        what: &str,
        take: &mut dyn FnMut(&[u8]) -> Result<bool, TransportError>,
    ) -> Result<Get, TransportError> {
        let _waiting = self.line.wait();
        let opened = self.wire.ask(Request::Open(path, Opening::Read)).and_then(|said| absent_is_none(said.handle()));
        let Some(handle) = opened.map_err(|error| self.failed("get", what, error))? else { return Ok(Get::Absent) };
        self.line.begin();
        let mut reading = Reading { handle, at: from, asked: from, under_way: VecDeque::new(), had_less: false };
        loop {
            let bytes = reading.next(self).map_err(|error| self.failed("get", what, error))?;
            if bytes.is_empty() || !take(&bytes)? {
                break;
            }
        }
        reading.end(self).map_err(|error| self.failed("get", what, error))?;
        Ok(Get::Ended)
    }
}

/// A file that is being read.
struct Reading {
    handle: Handle,
    /// Where the next byte comes from, and where the next request begins.
    at: u64,
    asked: u64,
    under_way: VecDeque<(u32, usize)>,
    /// Less came than was asked for: the end is near, nearly always.
    had_less: bool,
}

impl Reading {
    /// The next bytes; none at the end.
    fn next(&mut self, carrier: &mut SftpCarrier) -> Result<Vec<u8>, Trouble> {
        let window = carrier.line.window();
        let piece = piece_of(window);
        while self.under_way.is_empty() || (!self.had_less && self.asked - self.at + piece as u64 <= window as u64) {
            self.asked = if self.under_way.is_empty() { self.at } else { self.asked };
            let number = carrier.wire.send(Request::Read(&self.handle, self.asked, piece as u32))?;
            self.under_way.push_back((number, piece));
            self.asked += piece as u64;
        }
        let Some((number, expected)) = self.under_way.pop_front() else { return Ok(Vec::new()) };
        let bytes = carrier.wire.answer(number)?.data()?;
        if bytes.len() > expected {
            return Err(Trouble::Broken(std::io::ErrorKind::InvalidData.into()));
        }
        if self.had_less && !bytes.is_empty() {
            // Servers may give less than was asked for: what was asked for behind it has left a hole.
            self.forget(carrier)?;
            self.had_less = false;
            return self.next(carrier);
        }
        self.at += bytes.len() as u64;
        self.had_less = bytes.len() < expected;
        Ok(bytes)
    }

    fn forget(&mut self, carrier: &mut SftpCarrier) -> Result<(), Trouble> {
        for (number, _) in self.under_way.drain(..) {
            carrier.wire.ignore(number);
        }
        self.asked = self.at;
        Ok(())
    }

    fn end(mut self, carrier: &mut SftpCarrier) -> Result<(), Trouble> {
        self.forget(carrier)?;
        carrier.wire.send_only(Request::Close(&self.handle))
    }
}

/// How much of what may be under way is moved by one request.
fn piece_of(window: usize) -> usize {
    (window / PIECES).clamp(PIECE, PIECE_MAX)
}
