//! The words for putting a file on an FTP server.

use std::io::Write;

use super::session::Session;
use crate::carrier::Source;
use crate::error::TransportError;
use crate::placing::{Renamed, Server};
use crate::window::PACKET;

/// How much is written between two looks at the time and at how fast the line is: a second of a slow one.
const PIECE: usize = 4 * PACKET;

/// Of so much a little goes ahead, and the rest when it has been answered. The first answer comes late, behind what the server
/// sends at the same time; and the system, which does not know that yet, sends what waits for it again.
const MUCH: u64 = 64 * 1024;
const AHEAD: usize = 100;

impl Server for Session {
    fn relay(&self) -> &str {
        Self::relay(self)
    }

    fn size(&mut self, path: &str, _shown: &str) -> Result<Option<u64>, TransportError> {
        Self::size(self, path)
    }

    fn write(&mut self, path: &str, from: u64, source: &mut dyn Source, shown: &str) -> Result<u64, TransportError> {
        if from < source.size() || source.size() == 0 {
            self.send(path, from, source, shown)?;
        }
        Ok(Self::size(self, path)?.unwrap_or(0))
    }

    fn rename(&mut self, from: &str, to: &str, _shown: &str) -> Result<Renamed, TransportError> {
        Self::rename(self, from, to).map(|()| Renamed::Done)
    }

    fn discard(&mut self, path: &str, _shown: &str) -> Result<(), TransportError> {
        self.delete(&[path.to_owned()])
    }
}

impl Session {
    /// Sends a source's bytes from a place on to its end.
    fn send(&mut self, path: &str, from: u64, source: &mut dyn Source, file: &str) -> Result<(), TransportError> {
        let mut data = self.store(path, from, file)?;
        let mut piece = vec![0; PIECE];
        let mut at = from;
        loop {
            let is_ahead = at == from && source.size().saturating_sub(from) > MUCH;
            let room = piece.get_mut(..if is_ahead { AHEAD } else { PIECE }).unwrap_or_default();
            let count = source.read_at(at, room)?;
            let Some(bytes) = piece.get(..count).filter(|bytes| !bytes.is_empty()) else { break };
            if let Err(error) = data.write_all(bytes) {
                return Err(self.broken("put", file, error));
            }
            at += count as u64;
            if is_ahead {
                self.line.await_first_answer();
            }
            data.fit();
        }
        self.end(data, "put", file)
    }
}
