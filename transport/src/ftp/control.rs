//! The control connection of an FTP session: commands go out, replies come in.
//!
//! Owns the reading of replies and the counting of them. Several commands may be said in one go, which spares a round trip
//! for each but the first; as many replies are heard, so that the two stay in step. Invariants: a command is one line,
//! whatever is in it; a reply that does not end is given up. Leaves what the replies mean to [`super::session`].

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{IpAddr, TcpStream};

use super::wire::{Seal, Wire};
use crate::line::Line;

/// No reply is longer, over all its lines.
const REPLY_MAX: u64 = 64 * 1024;

/// The server is about to hang up.
const CLOSING: u16 = 421;

/// What a server said.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) code: u16,
    /// All its lines, without the code.
    pub(super) text: String,
}

impl Reply {
    /// That something has begun, of which more will be heard.
    pub(super) fn is_beginning(&self) -> bool {
        self.code / 100 == 1
    }

    pub(super) fn is_done(&self) -> bool {
        self.code / 100 == 2
    }

    /// That the command is half of something.
    pub(super) fn wants_more(&self) -> bool {
        self.code / 100 == 3
    }

    /// What was said, as one line that a terminal can show.
    pub(super) fn shown(&self) -> String {
        let text = self.text.trim().chars().take(200).map(|c| if c.is_control() { ' ' } else { c });
        format!("\"{}\"", text.collect::<String>())
    }

    /// A failure that consists in this having been said.
    pub(super) fn as_error(&self) -> io::Error {
        io::Error::other(format!("the server says {}", self.shown()))
    }
}

/// A connection for commands.
pub(super) struct Control {
    wire: BufReader<Wire>,
    line: Line,
}

impl Control {
    pub(super) fn new(socket: TcpStream, line: &Line) -> io::Result<Self> {
        Ok(Self { wire: BufReader::new(Wire::new(socket, false, None)?), line: line.clone() })
    }

    /// The server's address, to which data connections go, whatever it says itself: it may not know it.
    pub(super) fn peer(&self) -> io::Result<IpAddr> {
        Ok(self.wire.get_ref().socket().peer_addr()?.ip())
    }

    /// From now on, nobody else can read or write it.
    pub(super) fn secured(self, seal: &Seal) -> io::Result<Self> {
        if !self.wire.buffer().is_empty() {
            // Somebody in between put it there, for us to take it for what the server says under the seal.
            return Err(io::Error::other("the server went on speaking before its answers could be secured"));
        }
        let wire = Wire::new(self.wire.into_inner().into_socket(), false, Some(seal))?;
        Ok(Self { wire: BufReader::new(wire), line: self.line })
    }

    /// Says commands, in one packet if they fit.
    pub(super) fn say(&mut self, commands: &[&str]) -> io::Result<()> {
        if commands.iter().any(|command| command.contains(['\r', '\n', '\0'])) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "it contains a line's end, which FTP has no way to say",
            ));
        }
        let text: String = commands.iter().flat_map(|command| [command, "\r\n"]).collect();
        let wire = self.wire.get_mut();
        wire.write_all(text.as_bytes())?;
        wire.flush()
    }

    /// The next reply.
    pub(super) fn hear(&mut self) -> io::Result<Reply> {
        let _waiting = self.line.wait();
        let reply = read_reply(&mut self.wire)?;
        self.line.answered();
        if reply.code == CLOSING { Err(reply.as_error()) } else { Ok(reply) }
    }

    /// Says commands and hears the reply to each.
    pub(super) fn ask(&mut self, commands: &[&str]) -> io::Result<Vec<Reply>> {
        let _waiting = self.line.wait();
        self.say(commands)?;
        commands.iter().map(|_| self.hear()).collect()
    }
}

/// Reads one reply, with all its lines.
pub(super) fn read_reply(wire: &mut impl BufRead) -> io::Result<Reply> {
    let mut lines = Lines { wire: wire.take(REPLY_MAX) };
    let first = lines.next()?;
    let (code, mut text, mut goes_on) =
        parsed(&first).ok_or_else(|| io::Error::other("the server does not speak FTP"))?;
    while goes_on {
        let next = lines.next()?;
        let own = parsed(&next).filter(|(found, ..)| *found == code);
        goes_on = own.as_ref().is_none_or(|(.., more)| *more);
        text.push('\n');
        text.push_str(own.as_ref().map_or(next.as_str(), |(_, text, _)| text.as_str()));
    }
    Ok(Reply { code, text })
}

/// The lines of one reply.
struct Lines<R> {
    wire: io::Take<R>,
}

impl<R: BufRead> Lines<R> {
    fn next(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        self.wire.read_until(b'\n', &mut line)?;
        match line.last() {
            Some(b'\n') => Ok(String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned()),
            _ if self.wire.limit() == 0 => Err(io::Error::other("the server's reply does not end")),
            _ => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server has hung up")),
        }
    }
}

/// Code and text of a line, and whether more lines belong to it; None of a line that has no code.
fn parsed(line: &str) -> Option<(u16, String, bool)> {
    let (digits, rest) = line.split_at_checked(3)?;
    let code =
        digits.parse().ok().filter(|code| (100..600).contains(code) && digits.bytes().all(|b| b.is_ascii_digit()))?;
    match rest.as_bytes().first() {
        None => Some((code, String::new(), false)),
        Some(b' ') => Some((code, rest.get(1..)?.to_owned(), false)),
        Some(b'-') => Some((code, rest.get(1..)?.to_owned(), true)),
        Some(_) => None,
    }
}

/// The port that a server waits at, by its reply to EPSV or PASV.
pub(super) fn port_in(reply: &Reply) -> Option<u16> {
    let (_, inside) = reply.text.rsplit_once('(')?;
    let (inside, _) = inside.split_once(')')?;
    match reply.code {
        229 => inside.trim_matches('|').parse().ok(),
        _ => {
            let numbers: Vec<u8> = inside.split(',').map(|number| number.trim().parse().ok()).collect::<Option<_>>()?;
            let [_, _, _, _, high, low] = numbers.as_slice() else { return None };
            Some(u16::from_be_bytes([*high, *low]))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replies(said: &str) -> Vec<String> {
        let mut lines = Lines { wire: said.as_bytes().take(REPLY_MAX) };
        std::iter::from_fn(|| lines.next().ok()).collect()
    }

    #[test]
    fn lines_with_a_code_are_told_from_others() {
        assert_eq!(parsed("220 ready"), Some((220, "ready".to_owned(), false)));
        assert_eq!(parsed("211-Features:"), Some((211, "Features:".to_owned(), true)));
        assert_eq!(parsed("226"), Some((226, String::new(), false)));
        for line in ["", "22", " MLST type*;size*;", "2200 ready", "+22 x", "999 x", "äöü"] {
            assert_eq!(parsed(line), None, "{line}");
        }
        assert_eq!(replies("220 a\r\n221 b\n22"), ["220 a", "221 b"]);
    }

    #[test]
    fn ports_are_found_in_both_kinds_of_replies() {
        let of = |code, text: &str| port_in(&Reply { code, text: text.to_owned() });
        assert_eq!(of(229, "Entering Extended Passive Mode (|||30123|)"), Some(30_123));
        assert_eq!(of(227, "Entering Passive Mode (127,0,0,1,117,171)."), Some(30_123));
        for (code, text) in
            [(229, "Entering (|||70000|)"), (229, "no port"), (227, "(1,2,3,4,5)"), (227, "(1,2,3,4,256,1)")]
        {
            assert_eq!(of(code, text), None, "{text}");
        }
    }
}
