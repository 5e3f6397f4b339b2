//! What the system holds of one socket's bytes, how large its packets are, and how long it cares.
//!
//! Owns the sums between what may be under way and what the system is told. It doubles each buffer that it is asked for, and
//! counts in it each packet with what it needs beside, which is about as much as the packet. Leaves how much may be
//! under way to [`crate::window`].

use std::io;
use std::net::TcpStream;
use std::time::Duration;

use socket2::{SockRef, Socket};

use crate::window::PACKET;

/// By so much the other end's packets may be larger than ours. What TCP says beside in each counts with them; and the
/// other end, whose packets are as many, would have less than its share of the line with packets no larger than ours.
const LARGER: u32 = 100;

/// The buffer in which the system holds so much that is sent, and not acknowledged.
pub(super) fn outgoing(window: usize) -> usize {
    window / 4 * 3
}

/// The buffer that lets so much come at once.
fn incoming(window: usize) -> usize {
    window / 5 * 6
}

/// Lets no more come at once over a socket that is about to be connected. The other side is told of it then, and never again.
/// And of packets that are not much larger than ours: acknowledgements wait for whole packets that go the same way, and if
/// some take long they come so unevenly that TCP sends again what only waits for them.
pub(super) fn bound_incoming(socket: &Socket, window: usize) -> io::Result<()> {
    socket.set_recv_buffer_size(incoming(window))?;
    // Some systems do not let it be said before there is a connection; packets are larger then.
    #[cfg(unix)]
    let _ = socket.set_tcp_mss(PACKET as u32 + LARGER);
    Ok(())
}

/// Lets the system give a connection up as soon as it would send anything again. One that it only ends it goes on to
/// acknowledge: a server that was sending when the line broke would send all that was under way to nobody, and not
/// the first packet of it, before it is told.
pub(super) fn give_up(socket: &TcpStream) {
    // Where it cannot be said, that much is sent in vain.
    #[cfg(target_os = "linux")]
    let _ = SockRef::from(socket).set_tcp_user_timeout(Some(Duration::from_millis(1)));
    #[cfg(not(target_os = "linux"))]
    let _ = socket;
}

/// What is unsent on a line that broke off is sent again over another, from where the other side says; the system would
/// send it all the same, as soon as it can.
pub(super) fn forget_unsent(socket: &TcpStream) {
    // If it cannot be, it is sent twice.
    let _ = SockRef::from(socket).set_linger(Some(Duration::ZERO));
}
