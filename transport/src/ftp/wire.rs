//! The bytes of a connection, in the clear or over TLS.
//!
//! Owns the end of what is written: told to the other side, so that it can be told from a line that broke; and that the
//! system buffers no more than it is said to. Leaves whom to trust to [`super::tls`], and waiting to the guard of the line.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use socket2::SockRef;

use crate::window::PACKET;

/// The system's word for bytes that no others are to be joined to (Linux's `MSG_EOR`).
const APART: i32 = 0x80;

/// Its word for not waiting (`MSG_DONTWAIT`).
const AT_ONCE: i32 = 0x40;

/// How often it is looked whether something more may be under way.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How a session's connections are secured: all of them by one store of TLS sessions, as servers demand.
#[derive(Clone, Debug)]
pub(super) struct Seal {
    pub(super) config: Arc<ClientConfig>,
    pub(super) host: String,
}

/// A socket, over which little may be under way if it is `narrow`.
pub(super) struct Plug {
    socket: TcpStream,
    narrow: bool,
}

impl Read for Plug {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.socket.read(into)
    }
}

impl Write for Plug {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.narrow || !cfg!(target_os = "linux") {
            return self.socket.write(bytes);
        }
        // The system joins what is written to what it holds, up to tens of kilobytes, before it asks how much its buffer may
        // hold; but not to what is to stand apart. Whom it lets wait it wakes when a third of the buffer is free, for
        // several packets in a row, behind which all that goes that way waits; but it refuses nothing that has room.
        let packet = bytes.get(..PACKET).unwrap_or(bytes);
        loop {
            match SockRef::from(&self.socket).send_with_flags(packet, APART | AT_ONCE) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::sleep(LOOK_EVERY),
                sent => return sent,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}

/// A connection.
pub(super) enum Wire {
    Clear(Plug),
    Sealed(Box<StreamOwned<ClientConnection, Plug>>),
}

impl Wire {
    /// A connection that is secured from its first byte on, if there is a seal. The handshake comes with the first byte.
    pub(super) fn new(socket: TcpStream, narrow: bool, seal: Option<&Seal>) -> io::Result<Self> {
        let plug = Plug { socket, narrow };
        let Some(Seal { config, host }) = seal else { return Ok(Self::Clear(plug)) };
        let name = ServerName::try_from(host.clone()).map_err(io::Error::other)?;
        let connection = ClientConnection::new(config.clone(), name).map_err(io::Error::other)?;
        Ok(Self::Sealed(Box::new(StreamOwned::new(connection, plug))))
    }

    pub(super) fn socket(&self) -> &TcpStream {
        match self {
            Self::Clear(plug) => &plug.socket,
            Self::Sealed(stream) => &stream.get_ref().socket,
        }
    }

    /// The bare connection, before anything was said over it under a seal.
    pub(super) fn into_socket(self) -> TcpStream {
        match self {
            Self::Clear(plug) => plug.socket,
            Self::Sealed(stream) => stream.into_parts().1.socket,
        }
    }

    /// Lets as much be buffered as there is no limit to any more.
    pub(super) fn widen(&mut self) {
        match self {
            Self::Clear(plug) => plug.narrow = false,
            Self::Sealed(stream) => stream.get_mut().narrow = false,
        }
    }

    /// Says that nothing more is to come.
    pub(super) fn end_writing(&mut self) -> io::Result<()> {
        // Where nothing was written, the handshake is still to come.
        self.flush()?;
        if let Self::Sealed(stream) = self {
            stream.conn.send_close_notify();
        }
        self.flush()?;
        self.socket().shutdown(Shutdown::Write)
    }
}

impl Read for Wire {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Clear(plug) => plug.read(into),
            Self::Sealed(stream) => stream.read(into),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Clear(plug) => plug.write(bytes),
            Self::Sealed(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Clear(plug) => plug.flush(),
            Self::Sealed(stream) => stream.flush(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn what_waits_for_room_ends_with_its_socket() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (_never_reads, _) = listener.accept().unwrap();
        let guarded = socket.try_clone().unwrap();
        let mut wire = Wire::new(socket, true, None).unwrap();
        let writer = thread::spawn(move || {
            loop {
                if let Err(error) = wire.write_all(&[0; PACKET]) {
                    return error;
                }
            }
        });
        thread::sleep(10 * LOOK_EVERY);
        assert!(!writer.is_finished());
        guarded.shutdown(Shutdown::Both).unwrap();
        assert_eq!(writer.join().unwrap().kind(), io::ErrorKind::BrokenPipe);
    }
}
