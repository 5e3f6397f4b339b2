//! One connection's line: its sockets, and the end of all waiting on them.
//!
//! Owns the time limits. A call on a socket may wait for ever, and the libraries that speak the protocols make such
//! calls; so each connection has a guard, which shuts its sockets down, and thereby ends whatever waits on them, when
//! the run is to end or when nothing has moved for longer than the line can need. Invariant: nothing on a line waits
//! for longer than [`SILENCE`] and what the bytes under way take at the speed that was measured.

mod buffers;
mod parting;
mod state;

use std::io;
use std::net::{Shutdown, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};

pub(crate) use self::parting::Parting;
pub(crate) use self::state::Cut;
use self::state::State;
use crate::ending::Ending;
use crate::error::TransportError;
use crate::window::First;

/// After so long without a sign of life a line is dead.
pub(crate) const SILENCE: Duration = Duration::from_secs(30);

/// How often the guard looks.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How much may lie in this machine's buffers, unsent, where there need be no care how much is under way: what is there
/// cannot be told from what is on the line.
pub(crate) const UNSENT: usize = 32 * 1024;

/// A modem is busy with so much for minutes.
const LARGE: u64 = 1024 * 1024;

/// How long each of several addresses of a host has to answer, and a port for data: less than [`SILENCE`], so that it can be told
/// which it was.
const ADDRESS_PATIENCE: Duration = Duration::from_secs(10);
const DATA_PATIENCE: Duration = Duration::from_secs(20);

/// How long something on this machine has that may have to ask a person: less than [`SILENCE`].
const AGENT_PATIENCE: Duration = Duration::from_secs(25);

/// What a connection for a file is to carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Load {
    /// It is better to take care how much is under way.
    Usual,
    /// Nobody sends as much over a modem; and how much may come at once over a connection is settled for good when it is
    /// made, so that with care a fast line that is long would stay slow.
    Large,
}

impl Load {
    /// For so many bytes.
    pub(crate) fn of(bytes: u64) -> Self {
        if bytes >= LARGE { Self::Large } else { Self::Usual }
    }
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    closing: Condvar,
    ending: Ending,
}

/// A connection's line. Copies are the same line; its guard ends with [`Line::close`].
#[derive(Clone, Debug)]
pub(crate) struct Line(Arc<Shared>);

impl Line {
    /// A line for a run that ends so.
    pub(crate) fn open(ending: Ending, first: First) -> io::Result<Self> {
        let shared = Arc::new(Shared { state: Mutex::new(State::new(first)), closing: Condvar::new(), ending });
        let guarded = shared.clone();
        thread::Builder::new().spawn(move || guard(&guarded))?;
        Ok(Self(shared))
    }

    /// Connects a socket to one of a host's addresses, and puts it under guard.
    pub(crate) fn connect(&self, host: &str, port: u16) -> io::Result<TcpStream> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the host's name has no address");
        let addresses = self.addresses(host, port)?;
        let patience = if addresses.len() > 1 { ADDRESS_PATIENCE } else { SILENCE };
        for address in addresses {
            // That one does not answer says nothing of the next.
            self.state().hear();
            match self.connect_to(address, patience) {
                Ok(socket) => return Ok(socket),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// What the system says of a host's name, which it may ponder for as long as it likes.
    fn addresses(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        if let Ok(address) = host.parse() {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        let name = (host.to_owned(), port);
        let found = self.0.ending.wait_for(SILENCE, move || name.to_socket_addrs().map(Iterator::collect));
        found.map_err(|error| match error.kind() {
            io::ErrorKind::TimedOut => io::Error::new(error.kind(), "nobody knows the host's name, or says so in time"),
            _ => error,
        })
    }

    /// Does what has no end of its own, and waits for it for as long as a line may be silent.
    pub(crate) fn wait_for<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let done = self.0.ending.wait_for(AGENT_PATIENCE, work);
        self.state().hear();
        done
    }

    /// Connects the socket of a session, and puts it under guard.
    fn connect_to(&self, address: SocketAddr, patience: Duration) -> io::Result<TcpStream> {
        let began = Instant::now();
        let socket = self.connected(address, None, patience)?;
        self.state().window.meet(began.elapsed());
        self.0.ending.parting().tell(address.ip());
        Ok(socket)
    }

    /// Connects a socket for a file or a listing, and puts it under guard.
    pub(crate) fn connect_for_data(&self, address: SocketAddr, load: Load) -> io::Result<TcpStream> {
        self.begin();
        let window = self.state().window.size().filter(|_| load == Load::Usual);
        self.connected(address, window, DATA_PATIENCE)
    }

    fn connected(&self, address: SocketAddr, window: Option<usize>, patience: Duration) -> io::Result<TcpStream> {
        let patience = self.0.ending.left().unwrap_or(patience).min(patience);
        if patience.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        if let Some(window) = window {
            buffers::bound_incoming(&socket, window)?;
        }
        socket.set_send_buffer_size(window.map_or(UNSENT, buffers::outgoing))?;
        let connect = move || socket.connect_timeout(&address.into(), patience).map(|()| socket);
        let socket = self.0.ending.wait_for(patience, connect)?;
        let keepalive = TcpKeepalive::new().with_time(Duration::from_secs(10)).with_interval(Duration::from_secs(5));
        // With a guard the system notices a dead line too, also while nothing is to be sent.
        socket.set_tcp_keepalive(&keepalive)?;
        socket.set_tcp_nodelay(true)?;
        let socket = TcpStream::from(socket);
        self.state().sockets.push(socket.try_clone()?);
        Ok(socket)
    }

    /// A file or a listing begins to move.
    pub(crate) fn begin(&self) {
        let mut state = self.state();
        state.window.begin();
        // What comes at the same time still does.
        state.is_fetching &= state.window.is_shared();
    }

    /// The same, and it comes.
    pub(crate) fn begin_fetching(&self) {
        self.begin();
        self.state().is_fetching = true;
    }

    /// A question was answered in so long.
    pub(crate) fn answered_in(&self, took: Duration) {
        self.state().window.meet_again(took);
    }

    /// How much may be under way at once.
    pub(crate) fn window(&self) -> usize {
        self.state().window.within()
    }

    /// Whether there is care to be taken how much is under way.
    pub(crate) fn is_narrow(&self) -> bool {
        self.state().window.size().is_some()
    }

    /// Waits, where care is to be taken, until what was sent first has been answered, or the line is cut.
    pub(crate) fn await_first_answer(&self) {
        let (began, long) = (Instant::now(), self.state().window.first_answer());
        while self.is_narrow() && self.cut().is_none() && began.elapsed() < long {
            thread::sleep(LOOK_EVERY);
        }
    }

    /// Lets as much be under way on a socket that is written to. (How much its other end may send was settled for good as
    /// it was connected.)
    pub(crate) fn fit(&self, socket: &TcpStream, fitted: &mut usize) {
        let window = self.window();
        // If it cannot be had, it goes on as it was.
        if window > *fitted && SockRef::from(socket).set_send_buffer_size(buffers::outgoing(window)).is_ok() {
            *fitted = window;
        }
    }

    /// Takes the guard's copy of a socket away: while there is one, closing the socket does not end its connection.
    pub(crate) fn release(&self, socket: &TcpStream) {
        let Ok(address) = socket.local_addr() else { return };
        self.state().sockets.retain(|copy| copy.local_addr().is_ok_and(|other| other != address));
    }

    /// From now on, until it is dropped, files move both ways over the line, each way with a window of its own.
    pub(crate) fn beside(&self) -> Beside {
        self.state().window.share(true);
        Beside { line: self.clone() }
    }

    /// From now on, until it is dropped, somebody waits for a sign of life.
    pub(crate) fn wait(&self) -> Waiting {
        let mut state = self.state();
        state.waits += 1;
        state.since = Instant::now();
        drop(state);
        Waiting { line: self.clone() }
    }

    /// Notes that so many bytes were handed to the system.
    pub(crate) fn sent(&self, bytes: usize) {
        let mut state = self.state();
        // More than the window is not let be under way, and the system doubles it.
        let most = state.window.size().unwrap_or(UNSENT).min(UNSENT);
        state.under_way = (state.under_way + bytes as u64).min(2 * most as u64);
        state.note(bytes);
    }

    /// Notes that so many bytes have come.
    pub(crate) fn came(&self, bytes: usize) {
        self.state().note(bytes);
    }

    /// Notes a sign of life that shows that all that was sent has arrived.
    pub(crate) fn answered(&self) {
        let mut state = self.state();
        state.hear();
        state.under_way = 0;
    }

    /// Why the guard ended the line, if it has, or is about to.
    pub(crate) fn cut(&self) -> Option<Cut> {
        self.state().cut.or_else(|| self.0.ending.is_over().then_some(Cut::Ended))
    }

    /// The failure of a login that ended so: the run's end, silence, or what the system or the server says.
    pub(crate) fn unreachable(&self, shown: &str, source: io::Error) -> TransportError {
        let source = match self.cut() {
            Some(Cut::Ended) => return TransportError::BudgetOver,
            Some(Cut::Silent) => io::Error::new(io::ErrorKind::TimedOut, "it does not answer"),
            None => source,
        };
        TransportError::Unreachable { relay: shown.to_owned(), source: Arc::new(source) }
    }

    /// Ends the line at once after a failure: nothing that is left to do on it shall wait.
    pub(crate) fn fail(&self) {
        self.end(|state| {
            state.failed = true;
            state.sockets.iter().for_each(buffers::forget_unsent);
        });
    }

    /// Whether the line was ended after a failure.
    pub(crate) fn has_failed(&self) -> bool {
        self.state().failed
    }

    /// Ends the line and its guard.
    pub(crate) fn close(&self) {
        self.end(|state| state.closed = true);
    }

    fn end(&self, how: impl FnOnce(&mut State)) {
        let mut state = self.state();
        how(&mut state);
        let is_broken = state.failed || state.cut == Some(Cut::Silent);
        for socket in state.sockets.drain(..) {
            // It may be shut already.
            let _ = socket.shutdown(Shutdown::Both);
            if is_broken {
                self.0.ending.parting().keep(socket);
            }
        }
        drop(state);
        self.0.closing.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A wait that is under way.
pub(crate) struct Waiting {
    line: Line,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut state = self.line.state();
        state.waits -= 1;
        state.since = Instant::now();
    }
}

/// The second use of a line.
pub(crate) struct Beside {
    line: Line,
}

impl Drop for Beside {
    fn drop(&mut self) {
        self.line.state().window.share(false);
    }
}

fn guard(shared: &Shared) {
    let mut state = shared.state.lock().unwrap_or_else(PoisonError::into_inner);
    while !state.closed {
        if shared.ending.is_over() {
            state.shut(Cut::Ended);
        } else if state.is_silent() {
            state.shut(Cut::Silent);
        }
        let waited = shared.closing.wait_timeout(state, LOOK_EVERY);
        state = waited.unwrap_or_else(PoisonError::into_inner).0;
    }
}

#[cfg(test)]
mod tests;
