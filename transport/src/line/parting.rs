//! Connections that broke off, until their servers can be told.
//!
//! A line that has gone dead carries no farewell either: what a socket says when it is closed is said once, and lost. The server
//! then waits for minutes for more, and some (vsftpd) keep what was being written locked all the while, so that whoever
//! comes back goes on with nothing. So the sockets are kept, and closed only when the next connection to that server stands.
//! Invariant: never more than [`MOST`] are kept, the latest.

use std::collections::VecDeque;
use std::net::{IpAddr, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Of each attempt there are three at most.
const MOST: usize = 24;

/// The connections of a run that broke off.
#[derive(Clone, Debug, Default)]
pub(crate) struct Parting(Arc<Mutex<VecDeque<(IpAddr, TcpStream)>>>);

impl Parting {
    /// Keeps a socket that is shut, and whose closing resets its connection.
    pub(super) fn keep(&self, socket: TcpStream) {
        // One that is not connected any more has nothing to say.
        let Ok(server) = socket.peer_addr() else { return };
        let mut kept = self.kept();
        kept.push_back((server.ip(), socket));
        if kept.len() > MOST {
            kept.pop_front();
        }
    }

    /// A connection to this server stands: those that broke off are reset.
    pub(super) fn tell(&self, server: IpAddr) {
        self.kept().retain(|(address, _)| *address != server);
    }

    fn kept(&self) -> MutexGuard<'_, VecDeque<(IpAddr, TcpStream)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
