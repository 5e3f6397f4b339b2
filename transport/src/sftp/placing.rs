//! Moving the bytes of files on an SFTP server, either way.
//!
//! Invariant: nothing is written beyond what the server holds, which would leave a hole. Leaves to [`super::pieces`] how much
//! is asked for or written before the first of it is answered.

use super::answer::{Handle, Trouble};
use super::pieces::Pieces;
use super::request::{Opening, Request};
use super::{SftpCarrier, absent_is_none, holder};
use crate::carrier::{Get, Source};
use crate::error::TransportError;
use crate::placing::{Renamed, Server};

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

    fn lists_sizes(&self) -> bool {
        true
    }

    fn discard(&mut self, path: &str, shown: &str) -> Result<(), TransportError> {
        let removed = self.wire.ask(Request::Remove(path)).and_then(|said| absent_is_none(said.done()));
        removed.map(drop).map_err(|error| self.failed("remove", shown, error))
    }
}

impl SftpCarrier {
    fn send(&mut self, handle: &[u8], from: u64, source: &mut dyn Source, shown: &str) -> Result<(), TransportError> {
        self.line.begin();
        let (mut pieces, mut at) = (Pieces::after(self.answered), from);
        loop {
            let room = self.await_room(&mut pieces).map_err(|error| self.failed("put", shown, error))?;
            let mut piece = vec![0; room];
            let count = source.read_at(at, &mut piece)?;
            let Some(bytes) = piece.get(..count).filter(|bytes| !bytes.is_empty()) else { break };
            let sent = self.wire.send(Request::Write(handle, at, bytes));
            pieces.add(sent.map_err(|error| self.failed("put", shown, error))?, count);
            at += count as u64;
        }
        self.answered = pieces.answered();
        self.written = pieces.forget().collect();
        Ok(())
    }

    /// Waits for answers to the first writes until another may be sent, and says how much it may be.
    fn await_room(&mut self, pieces: &mut Pieces) -> Result<usize, Trouble> {
        loop {
            if let Some(room) = pieces.room(self.line.window()) {
                return Ok(room);
            }
            if let Some((number, _)) = pieces.take_first() {
                self.wire.answer(number)?.done()?;
            }
        }
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
        self.line.begin_fetching();
        let pieces = Pieces::after(self.answered);
        let mut reading = Reading { handle, at: from, asked: from, pieces, had_less: false };
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
    pieces: Pieces,
    /// Less came than was asked for: the end is near, nearly always.
    had_less: bool,
}

impl Reading {
    /// The next bytes; none at the end.
    fn next(&mut self, carrier: &mut SftpCarrier) -> Result<Vec<u8>, Trouble> {
        while let Some(piece) = self.pieces.room(carrier.line.window()) {
            match self.pieces.is_empty() {
                true => self.asked = self.at,
                false if self.had_less => break,
                false => {}
            }
            let number = carrier.wire.send(Request::Read(&self.handle, self.asked, piece as u32))?;
            self.pieces.add(number, piece);
            self.asked += piece as u64;
        }
        let Some((number, expected)) = self.pieces.take_first() else { return Ok(Vec::new()) };
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
        self.pieces.forget().for_each(|number| carrier.wire.ignore(number));
        self.asked = self.at;
        Ok(())
    }

    fn end(mut self, carrier: &mut SftpCarrier) -> Result<(), Trouble> {
        carrier.answered = self.pieces.answered();
        self.forget(carrier)?;
        carrier.wire.send_only(Request::Close(&self.handle))
    }
}
