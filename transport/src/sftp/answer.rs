//! The answers of the file transfer protocol.
//!
//! Owns their form. Invariant: no length that the server tells is believed beyond what fits a packet. Leaves which belongs to
//! what to [`super::wire`].

use std::io;

/// The number of the greeting, which bears none itself.
pub(super) const GREETING: u32 = 0;

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
    /// What it has to say when it is met.
    Greeting,
    Status(u32),
    Handle(Handle),
    Data(Vec<u8>),
    Names(Vec<(String, Attributes)>),
    Attributes(Attributes),
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

pub(super) fn garbled() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the server's answer is none that fits")
}

pub(super) fn answer_in(packet: &[u8]) -> Result<(u32, Answer), Trouble> {
    let mut fields = Fields(packet);
    let (kind, number) = (fields.byte()?, fields.number()?);
    let answer = match kind {
        // In the number's place stands the version.
        2 => return Ok((GREETING, Answer::Greeting)),
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
