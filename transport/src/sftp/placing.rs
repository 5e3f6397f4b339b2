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

/// The least and the most that is moved by one request. The least fits one packet with what SSH puts around it: of a piece in
/// several packets nothing is worth anything if one is lost.
const PIECE: usize = 1_340;
const PIECE_MAX: usize = 32 * 1024;

/// Requests are so many that one is always being answered while others are under way; each has some hundred bytes beside.
const PIECES: usize = 3;

/// The first pieces are so many times smaller, and so many are.
const SMALL: usize = 3;

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
        let (mut pieces, mut at) = (Pieces::default(), from);
        loop {
            let room = self.await_room(&mut pieces).map_err(|error| self.failed("put", shown, error))?;
            let mut piece = vec![0; room];
            let count = source.read_at(at, &mut piece)?;
            let Some(bytes) = piece.get(..count).filter(|bytes| !bytes.is_empty()) else { break };
            let sent = self.wire.send(Request::Write(handle, at, bytes));
            pieces.add(sent.map_err(|error| self.failed("put", shown, error))?, count);
            at += count as u64;
        }
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
        let mut reading = Reading { handle, at: from, asked: from, pieces: Pieces::default(), had_less: false };
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
        self.forget(carrier)?;
        carrier.wire.send_only(Request::Close(&self.handle))
    }
}

/// The pieces of a file that are under way, each by its request's number, in the order in which they are answered.
#[derive(Debug, Default)]
struct Pieces {
    under_way: VecDeque<(u32, usize)>,
    bytes: usize,
    answered: usize,
}

impl Pieces {
    /// How large another piece is to be, if one may go on its way before the next answer: one always may where there is none.
    fn room(&self, window: usize) -> Option<usize> {
        let whole = (window / PIECES).clamp(PIECE, PIECE_MAX);
        // Behind pieces an answer takes far longer than any before. The system, which learns that only by and by, would take
        // what waits for it to be lost, and send it again: so the first pieces are small, and what is under way grows slowly.
        let step = whole / SMALL;
        let piece = if self.answered < SMALL { step } else { whole };
        let most = window.min(step * (self.answered + 2));
        (self.is_empty() || self.bytes + piece <= most).then_some(piece)
    }

    fn is_empty(&self) -> bool {
        self.under_way.is_empty()
    }

    fn add(&mut self, number: u32, bytes: usize) {
        self.under_way.push_back((number, bytes));
        self.bytes += bytes;
    }

    /// The piece that is answered next.
    fn take_first(&mut self) -> Option<(u32, usize)> {
        let (number, bytes) = self.under_way.pop_front()?;
        self.bytes -= bytes;
        self.answered += 1;
        Some((number, bytes))
    }

    /// Leaves all that is under way to whoever takes these numbers.
    fn forget(&mut self) -> impl Iterator<Item = u32> + '_ {
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
        let mut pieces = Pieces::default();
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
        assert_eq!(under_way(256 * 1024, 40).last(), Some(&(256 * 1024)));
    }
}
