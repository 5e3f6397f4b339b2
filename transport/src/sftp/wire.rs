//! Requests of the file transfer protocol and their answers, over a channel of an SSH session.
//!
//! Owns which answer belongs to what. Requests may be sent before earlier ones are answered, which is what makes a slow
//! line bearable, and by two who move files different ways at once; each answer is found by its number, and of some nobody
//! wants to know. The library lets nobody write while somebody waits in it for what comes: so whoever waits does that
//! outside of it, at the socket, one for all, and takes in all that has come. Invariants: what is kept for later is no more
//! than what was asked for; an answer that was not asked for, or of another kind, is a failure.
//! Leaves the form of requests to [`super::request`], that of answers to [`super::answer`], and what is asked for to the
//! parent module.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ssh2::{Channel, Session};

use super::answer::{Answer, GREETING, Trouble, answer_in, garbled};
use super::request::Request;
use crate::line::Line;

/// No packet of the server's is longer; OpenSSH's are not.
const PACKET_MAX: usize = 256 * 1024 + 1024;

/// How much is taken from the channel at once.
const BUFFER: usize = 32 * 1024;

/// The version that servers speak.
const VERSION: u32 = 3;

/// How long whoever waits at the socket stays there: somebody who writes may take in meanwhile what came, and nobody can be
/// called back from a socket.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Whether anybody waits for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Yes,
    No,
}

/// A channel for files, as one of those sees it who ask over it. Its line counts what is asked and answered here.
pub(super) struct Wire {
    shared: Arc<Shared>,
    line: Line,
}

struct Shared {
    books: Mutex<Books>,
    news: Condvar,
    /// The session's own, to wait at. It waits only outside of the library, which wants one that never does.
    socket: TcpStream,
    session: Session,
    line: Line,
}

struct Books {
    channel: Channel,
    number: u32,
    /// The requests that have not been answered, and whether anybody wants to know what came of them.
    asked: BTreeMap<u32, Wanted>,
    /// What has been answered and not been looked for yet, and how long the packets were.
    early: BTreeMap<u32, (Answer, usize)>,
    /// What has come of a packet that is not whole yet.
    begun: Vec<u8>,
    buffer: Vec<u8>,
    /// Somebody waits at the socket.
    is_awaited: bool,
    /// Why nothing comes any more.
    broken: Option<Arc<io::Error>>,
}

impl Wire {
    /// Begins to speak over a channel on which the server does.
    pub(super) fn begin(session: &Session, socket: TcpStream, channel: Channel, line: &Line) -> Result<Self, Trouble> {
        socket.set_read_timeout(Some(LOOK_EVERY))?;
        let books = Books {
            channel,
            number: GREETING,
            asked: BTreeMap::from([(GREETING, Wanted::Yes)]),
            early: BTreeMap::new(),
            begun: Vec::new(),
            buffer: vec![0; BUFFER],
            is_awaited: false,
            broken: None,
        };
        let (news, session) = (Condvar::new(), session.clone());
        let shared = Shared { books: Mutex::new(books), news, socket, session, line: line.clone() };
        let mut wire = Self { shared: Arc::new(shared), line: line.clone() };
        let mut packet = vec![0, 0, 0, 5, 1];
        packet.extend(VERSION.to_be_bytes());
        wire.shared.write(&mut wire.shared.books(), &packet)?;
        wire.answer(GREETING).map(|_| wire)
    }

    /// The same channel for somebody else, who may ask at the same time.
    pub(super) fn beside(&self) -> Self {
        Self { shared: self.shared.clone(), line: self.line.clone() }
    }

    /// Sends a request, and says under which number its answer will come.
    pub(super) fn send(&mut self, request: Request<'_>) -> Result<u32, Trouble> {
        let mut books = self.shared.books();
        let number = books.number.wrapping_add(1);
        let packet = request.packet(number);
        books.number = number;
        books.asked.insert(number, Wanted::Yes);
        self.shared.write(&mut books, &packet)?;
        drop(books);
        self.line.sent(packet.len());
        Ok(number)
    }

    /// Sends a request of which nobody wants to know what came of it.
    pub(super) fn send_only(&mut self, request: Request<'_>) -> Result<(), Trouble> {
        let number = self.send(request)?;
        self.ignore(number);
        Ok(())
    }

    /// Lets nobody want to know what comes of a request any more.
    pub(super) fn ignore(&mut self, number: u32) {
        let mut books = self.shared.books();
        books.early.remove(&number);
        books.asked.entry(number).and_modify(|wanted| *wanted = Wanted::No);
    }

    /// The answer to a request.
    pub(super) fn answer(&mut self, number: u32) -> Result<Answer, Trouble> {
        let _waiting = self.line.wait();
        let mut books = self.shared.books();
        loop {
            if let Some((answer, length)) = books.early.remove(&number) {
                drop(books);
                self.line.came(length);
                return Ok(answer);
            }
            books = self.shared.await_news(books)?;
        }
    }

    /// Sends a request and waits for its answer.
    pub(super) fn ask(&mut self, request: Request<'_>) -> Result<Answer, Trouble> {
        let began = Instant::now();
        let number = self.send(request)?;
        let answer = self.answer(number)?;
        self.line.answered_in(began.elapsed());
        Ok(answer)
    }
}

impl Shared {
    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes a packet. The library takes in what has come before it writes, and then nothing at the socket tells of it.
    fn write(&self, books: &mut Books, packet: &[u8]) -> io::Result<()> {
        books.end_if_broken()?;
        let done = self.in_library(|| {
            self.session.set_blocking(true);
            books.channel.write_all(packet)?;
            self.take_in(books)
        });
        self.tell(books, done)
    }

    /// Waits until something has come, or somebody else has taken it in.
    fn await_news<'b>(&'b self, mut books: MutexGuard<'b, Books>) -> io::Result<MutexGuard<'b, Books>> {
        books.end_if_broken()?;
        if books.is_awaited {
            return Ok(self.news.wait(books).unwrap_or_else(PoisonError::into_inner));
        }
        books.is_awaited = true;
        drop(books);
        let heard = self.socket.peek(&mut [0]);
        let mut books = self.books();
        books.is_awaited = false;
        let taken = self.in_library(|| self.take_in(&mut books));
        let done = taken.and_then(|()| match heard {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Err(error) if !is_of_patience(&error) => Err(error),
            Ok(_) | Err(_) => Ok(()),
        });
        self.tell(&mut books, done).map(|()| books)
    }

    /// Takes in what has come. It never waits.
    fn take_in(&self, books: &mut Books) -> io::Result<()> {
        self.session.set_blocking(false);
        loop {
            match books.channel.read(&mut books.buffer) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => books.sort(count)?,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    fn in_library(&self, work: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        self.socket.set_nonblocking(true)?;
        let done = work();
        self.socket.set_nonblocking(false)?;
        done
    }

    /// Tells all who wait that there may be something for them, or never will be.
    fn tell(&self, books: &mut Books, done: io::Result<()>) -> io::Result<()> {
        self.news.notify_all();
        done.or_else(|error| {
            books.broken.get_or_insert(Arc::new(error));
            books.end_if_broken()
        })
    }
}

impl Books {
    fn end_if_broken(&self) -> io::Result<()> {
        self.broken.as_ref().map_or(Ok(()), |error| Err(io::Error::new(error.kind(), error.clone())))
    }

    /// Sorts the answers that are whole with so many more bytes.
    fn sort(&mut self, count: usize) -> io::Result<()> {
        self.begun.extend(self.buffer.iter().take(count));
        let mut sorted = 0;
        while let Some(packet) = whole_packet(self.begun.get(sorted..).unwrap_or_default())? {
            sorted += 4 + packet.len();
            let length = packet.len();
            let (found, answer) = answer_in(packet).map_err(|_| garbled())?;
            match self.asked.remove(&found) {
                Some(Wanted::Yes) => drop(self.early.insert(found, (answer, length))),
                Some(Wanted::No) => {}
                None => return Err(garbled()),
            }
        }
        self.begun.drain(..sorted);
        Ok(())
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // Over a connection that broke in the middle of a packet the library would try for ever to end that packet first, here
        // and when the channel is freed.
        self.session.set_blocking(false);
        let _ = self.socket.set_nonblocking(true);
        if self.line.cut().is_none() {
            // The server frees the login also when it is not told.
            let _ = self.session.disconnect(None, "done", None);
        }
        self.line.close();
    }
}

/// The bytes that begin with a packet's length: the packet, if it is whole.
fn whole_packet(bytes: &[u8]) -> io::Result<Option<&[u8]>> {
    let Some((length, rest)) = bytes.split_first_chunk() else { return Ok(None) };
    let length = u32::from_be_bytes(*length) as usize;
    if length > PACKET_MAX { Err(garbled()) } else { Ok(rest.get(..length)) }
}

/// Whether an error says no more than that nothing has come yet.
fn is_of_patience(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_is_taken_when_it_is_whole_and_none_that_is_longer_than_any() {
        let bytes = [0, 0, 0, 2, 7, 8, 0];
        assert_eq!(whole_packet(&bytes).unwrap(), Some(&[7, 8][..]));
        for part in 0..6 {
            assert_eq!(whole_packet(&bytes[..part]).unwrap(), None, "{part}");
        }
        assert!(whole_packet(&(PACKET_MAX as u32 + 1).to_be_bytes()).is_err());
    }
}
