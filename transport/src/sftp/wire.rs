//! Version 3 of the file transfer protocol, over a channel of an SSH session.
//!
//! Owns the form of answers, and which belongs to what. Requests may be sent before earlier ones are answered, which is
//! what makes a slow line bearable; each answer is found by its number, and of some nobody wants to know. Invariants: no
//! length that the server tells is believed beyond what fits a packet; an answer that was not asked for, or of another
//! kind, is a failure.
//! Leaves the form of requests to [`super::request`], and what is asked for to the parent module.

use std::collections::BTreeMap;
use std::io::{self, BufReader, Read, Write};

use ssh2::Channel;

use super::request::Request;
use crate::line::Line;

/// No packet of the server's is longer; OpenSSH's are not.
const PACKET_MAX: usize = 256 * 1024 + 1024;

/// How much is taken from the channel at once.
const BUFFER: usize = 32 * 1024;

/// The version that servers speak.
const VERSION: u32 = 3;

/// The server's words for how it went.
pub(super) mod status {
    pub const OK: u32 = 0;
    pub const END: u32 = 1;
    pub const NO_SUCH_FILE: u32 = 2;
    pub const DENIED: u32 = 3;
    pub const FAILURE: u32 = 4;
    pub const NO_SUCH_PATH: u32 = 10;
    pub const NO_SPACE: u32 = 14;
    pub const QUOTA: u32 = 15;
}

/// Why something was not done.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The server says so.
    Said(u32),
    /// The line, or what came over it.
    Broken(io::Error),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Broken(error)
    }
}

/// What a name stands for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Attributes {
    pub(super) size: Option<u64>,
    mode: Option<u32>,
    /// When it was written last, in seconds.
    pub(super) written: Option<u32>,
}

impl Attributes {
    const KIND: u32 = 0o170_000;

    pub(super) fn is_file(self) -> bool {
        self.mode.is_some_and(|mode| mode & Self::KIND == 0o100_000)
    }

    pub(super) fn is_folder(self) -> bool {
        self.mode.is_some_and(|mode| mode & Self::KIND == 0o040_000)
    }
}

/// What the server names an open file by.
pub(super) type Handle = Vec<u8>;

/// An answer.
#[derive(Debug)]
pub(super) enum Answer {
    Status(u32),
    Handle(Handle),
    Data(Vec<u8>),
    Names(Vec<(String, Attributes)>),
    Attributes(Attributes),
}

/// Whether anybody waits for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Yes,
    No,
}

/// A channel for files.
pub(super) struct Wire {
    channel: BufReader<Channel>,
    line: Line,
    number: u32,
    /// The requests that have not been answered, and whether anybody wants to know what came of them.
    asked: BTreeMap<u32, Wanted>,
    /// What has been answered and not been looked for yet.
    early: BTreeMap<u32, Answer>,
}

impl Wire {
    /// Begins to speak over a channel on which the server does.
    pub(super) fn begin(channel: Channel, line: &Line) -> Result<Self, Trouble> {
        let (asked, early) = (BTreeMap::new(), BTreeMap::new());
        let channel = BufReader::with_capacity(BUFFER, channel);
        let mut wire = Self { channel, line: line.clone(), number: 0, asked, early };
        let mut packet = vec![0, 0, 0, 5, 1];
        packet.extend(VERSION.to_be_bytes());
        wire.channel.get_mut().write_all(&packet)?;
        let packet = wire.packet()?;
        match Fields(&packet).byte() {
            Ok(2) => Ok(wire),
            _ => Err(garbled().into()),
        }
    }

    /// Sends a request, and says under which number its answer will come.
    pub(super) fn send(&mut self, request: Request<'_>) -> Result<u32, Trouble> {
        self.number = self.number.wrapping_add(1);
        let packet = request.packet(self.number);
        self.channel.get_mut().write_all(&packet)?;
        self.asked.insert(self.number, Wanted::Yes);
        self.line.sent(packet.len());
        Ok(self.number)
    }

    /// Sends a request of which nobody wants to know what came of it.
    pub(super) fn send_only(&mut self, request: Request<'_>) -> Result<(), Trouble> {
        let number = self.send(request)?;
        self.ignore(number);
        Ok(())
    }

    /// Lets nobody want to know what comes of a request any more.
    pub(super) fn ignore(&mut self, number: u32) {
        self.early.remove(&number);
        self.asked.entry(number).and_modify(|wanted| *wanted = Wanted::No);
    }

    /// The answer to a request.
    pub(super) fn answer(&mut self, number: u32) -> Result<Answer, Trouble> {
        loop {
            if let Some(answer) = self.early.remove(&number) {
                return Ok(answer);
            }
            let (found, answer) = answer_in(&self.packet()?)?;
            match self.asked.remove(&found) {
                Some(Wanted::Yes) => drop(self.early.insert(found, answer)),
                Some(Wanted::No) => {}
                // What is kept for later is no more than what was asked for.
                None => return Err(garbled().into()),
            }
        }
    }

    /// Sends a request and waits for its answer.
    pub(super) fn ask(&mut self, request: Request<'_>) -> Result<Answer, Trouble> {
        let number = self.send(request)?;
        self.answer(number)
    }

    /// The next packet, without its length.
    fn packet(&mut self) -> Result<Vec<u8>, Trouble> {
        let _waiting = self.line.wait();
        let mut length = [0; 4];
        self.channel.read_exact(&mut length)?;
        let length = u32::from_be_bytes(length) as usize;
        if length > PACKET_MAX {
            return Err(garbled().into());
        }
        let mut packet = Vec::new();
        self.channel.by_ref().take(length as u64).read_to_end(&mut packet)?;
        if packet.len() < length {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        self.line.came(length);
        Ok(packet)
    }
}

impl Answer {
    /// That it was done.
    pub(super) fn done(self) -> Result<(), Trouble> {
        match self {
            Self::Status(status::OK) => Ok(()),
            other => Err(other.trouble()),
        }
    }

    pub(super) fn handle(self) -> Result<Handle, Trouble> {
        if let Self::Handle(handle) = self { Ok(handle) } else { Err(self.trouble()) }
    }

    pub(super) fn attributes(self) -> Result<Attributes, Trouble> {
        if let Self::Attributes(found) = self { Ok(found) } else { Err(self.trouble()) }
    }

    /// Bytes; none at the end.
    pub(super) fn data(self) -> Result<Vec<u8>, Trouble> {
        match self {
            Self::Data(bytes) => Ok(bytes),
            Self::Status(status::END) => Ok(Vec::new()),
            other => Err(other.trouble()),
        }
    }

    /// Names; None at the end.
    pub(super) fn names(self) -> Result<Option<Vec<(String, Attributes)>>, Trouble> {
        match self {
            Self::Names(names) => Ok(Some(names)),
            Self::Status(status::END) => Ok(None),
            other => Err(other.trouble()),
        }
    }

    fn trouble(self) -> Trouble {
        match self {
            Self::Status(code) if code != status::OK => Trouble::Said(code),
            _ => garbled().into(),
        }
    }
}

fn garbled() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the server's answer is none that fits")
}

pub(super) fn answer_in(packet: &[u8]) -> Result<(u32, Answer), Trouble> {
    let mut fields = Fields(packet);
    let (kind, number) = (fields.byte()?, fields.number()?);
    let answer = match kind {
        101 => Answer::Status(fields.number()?),
        102 => Answer::Handle(fields.text()?.to_vec()),
        103 => Answer::Data(fields.text()?.to_vec()),
        104 => {
            let count = fields.number()?;
            let names: Result<Vec<_>, Trouble> = (0..count).map(|_| fields.name()).collect();
            Answer::Names(names?)
        }
        105 => Answer::Attributes(fields.attributes()?),
        _ => return Err(garbled().into()),
    };
    Ok((number, answer))
}

/// What is left of a packet.
struct Fields<'p>(&'p [u8]);

impl<'p> Fields<'p> {
    fn take(&mut self, count: usize) -> Result<&'p [u8], Trouble> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or_else(garbled)?;
        self.0 = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, Trouble> {
        Ok(self.take(1)?.iter().copied().sum())
    }

    fn number(&mut self) -> Result<u32, Trouble> {
        Ok(self.take(4)?.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
    }

    fn text(&mut self) -> Result<&'p [u8], Trouble> {
        let length = self.number()?;
        self.take(length as usize)
    }

    fn name(&mut self) -> Result<(String, Attributes), Trouble> {
        let name = String::from_utf8_lossy(self.text()?).into_owned();
        // As a line for people.
        self.text()?;
        Ok((name, self.attributes()?))
    }

    fn attributes(&mut self) -> Result<Attributes, Trouble> {
        let flags = self.number()?;
        let mut found = Attributes::default();
        if flags & 0x1 != 0 {
            found.size = Some(u64::from(self.number()?) << 32 | u64::from(self.number()?));
        }
        if flags & 0x2 != 0 {
            // Owner and group.
            self.take(8)?;
        }
        if flags & 0x4 != 0 {
            found.mode = Some(self.number()?);
        }
        if flags & 0x8 != 0 {
            // When it was read last.
            self.take(4)?;
            found.written = Some(self.number()?);
        }
        if flags & 0x8000_0000 != 0 {
            for _ in 0..self.number()? {
                self.text()?;
                self.text()?;
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read() {
        let attributes = [0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0x81, 0xa4];
        let mut packet = vec![104, 0, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0, 1, b'a', 0, 0, 0, 2, b'-', b'a'];
        packet.extend(attributes);
        let (number, answer) = answer_in(&packet).expect("an answer");
        let names = answer.names().expect("names").expect("some");
        assert_eq!((number, names[0].0.as_str(), names[0].1.size), (9, "a", Some(256)));
        assert!(names[0].1.is_file() && !names[0].1.is_folder());
        assert!(matches!(
            answer_in(&[101, 0, 0, 0, 1, 0, 0, 0, 4]).map(|(_, said)| said.done()),
            Ok(Err(Trouble::Said(4)))
        ));
    }

    #[test]
    fn nonsense_is_no_answer() {
        for packet in [
            &[][..],
            &[101],
            &[101, 0, 0, 0, 1],
            &[102, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 1],
            &[104, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff],
            &[105, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff],
            &[7, 0, 0, 0, 1],
        ] {
            assert!(matches!(answer_in(packet), Err(Trouble::Broken(_))), "{packet:?}");
        }
    }
}
