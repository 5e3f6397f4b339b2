//! The bytes of a connection, in the clear or over TLS.
//!
//! Owns the end of what is written: told to the other side, so that it can be told from a line that broke. Leaves whom to
//! trust to [`super::tls`], and waiting to the guard of the line.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

/// How a session's connections are secured: all of them by one store of TLS sessions, as servers demand.
#[derive(Clone, Debug)]
pub(super) struct Seal {
    pub(super) config: Arc<ClientConfig>,
    pub(super) host: String,
}

/// A connection.
pub(super) enum Wire {
    Clear(TcpStream),
    Sealed(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Wire {
    /// A connection that is secured from its first byte on, if there is a seal. The handshake comes with the first byte.
    pub(super) fn new(socket: TcpStream, seal: Option<&Seal>) -> io::Result<Self> {
        let Some(Seal { config, host }) = seal else { return Ok(Self::Clear(socket)) };
        let name = ServerName::try_from(host.clone()).map_err(io::Error::other)?;
        let connection = ClientConnection::new(config.clone(), name).map_err(io::Error::other)?;
        Ok(Self::Sealed(Box::new(StreamOwned::new(connection, socket))))
    }

    pub(super) fn socket(&self) -> &TcpStream {
        match self {
            Self::Clear(socket) => socket,
            Self::Sealed(stream) => stream.get_ref(),
        }
    }

    /// The bare connection, before anything was said over it under a seal.
    pub(super) fn into_socket(self) -> TcpStream {
        match self {
            Self::Clear(socket) => socket,
            Self::Sealed(stream) => stream.into_parts().1,
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
            Self::Clear(socket) => socket.read(into),
            Self::Sealed(stream) => stream.read(into),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Clear(socket) => socket.write(bytes),
            Self::Sealed(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Clear(socket) => socket.flush(),
            Self::Sealed(stream) => stream.flush(),
        }
    }
}
