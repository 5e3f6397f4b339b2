//! Connections that break off in the middle, and runs that are to end there: what was moved is not moved again.

use std::fs;
use std::process::Stdio;
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use packhorse_transport::{Carrier, Get, Mailbox, Put, Sink, Source, TransportError, Way};

use super::contract::dial;
use super::keys::TestKeys;
use super::office::Office;
use crate::support::servers::{Kind, Server};

const SIZE: u64 = 6 << 20;
const BREAK_AT: u64 = 4 << 20;

fn content() -> Vec<u8> {
    let mut state = 7u32;
    let next = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..SIZE).map(next).collect()
}

/// A source during which the server breaks all connections off; and which notes from where it is read.
struct Outgoing<'a> {
    bytes: &'a [u8],
    cut: Option<&'a Server>,
    first: Option<u64>,
}

impl Source for Outgoing<'_> {
    fn size(&self) -> u64 {
        self.bytes.size()
    }

    fn read_at(&mut self, offset: u64, into: &mut [u8]) -> Result<usize, TransportError> {
        self.first.get_or_insert(offset);
        if offset >= BREAK_AT
            && let Some(server) = self.cut.take()
        {
            server.cut();
        }
        self.bytes.read_at(offset, into)
    }
}

/// A sink during which the server breaks all connections off.
struct Incoming<'a> {
    bytes: Vec<u8>,
    cut: Option<&'a Server>,
}

impl Sink for Incoming<'_> {
    fn take(&mut self, bytes: &[u8]) -> Result<(), TransportError> {
        self.bytes.extend_from_slice(bytes);
        if self.bytes.len() as u64 >= BREAK_AT
            && let Some(server) = self.cut.take()
        {
            server.cut();
        }
        Ok(())
    }
}

fn name() -> packhorse_transport::FileName {
    "hq.alice.000042.bundle".parse().expect("a name")
}

fn connect(server: &Server) -> Box<dyn Carrier> {
    dial(server, &TestKeys::of(server)).expect("a connection")
}

#[test]
fn a_put_that_a_server_breaks_off_goes_on_with_what_the_server_has() {
    let (mailbox, bytes) = (Mailbox::at_remote(Way::Up), content());
    for kind in Kind::ALL {
        let Some(server) = Server::start(kind) else { continue };
        let mut source = Outgoing { bytes: &bytes, cut: Some(&server), first: None };
        let broken = connect(&server).put(&mailbox, &name(), &mut source).expect_err("it was broken off");
        assert!(broken.may_pass(), "{kind:?}: {broken:?}");
        let listing = connect(&server).list(&mailbox).expect("a listing");
        assert!(listing.files.is_empty(), "{kind:?}: nothing has the name that is not complete");
        let begun = listing.partials.first().expect("a beginning").size;
        assert!(begun > BREAK_AT / 2 && begun < SIZE, "{kind:?}: {begun}");
        let mut source = Outgoing { bytes: &bytes, cut: None, first: None };
        let placed = connect(&server).put(&mailbox, &name(), &mut source).expect("a put");
        assert_eq!(placed, Put::Placed { moved: SIZE - begun }, "{kind:?}");
        assert_eq!(source.first, Some(begun), "{kind:?}: nothing is read that the server has");
        assert_eq!(fs::read(server.relay().join("up").join(name().as_str())).expect("a file"), bytes, "{kind:?}");
    }
}

#[test]
fn a_get_that_a_server_breaks_off_goes_on_where_it_ended() {
    let (mailbox, bytes) = (Mailbox::at_remote(Way::Up), content());
    for kind in Kind::ALL {
        let Some(server) = Server::start(kind) else { continue };
        connect(&server).put(&mailbox, &name(), &mut &bytes[..]).expect("a put");
        let mut sink = Incoming { bytes: Vec::new(), cut: Some(&server) };
        let broken = connect(&server).get(&mailbox, &name(), 0, &mut sink);
        // A server may have said all that there is before it was ended.
        assert!(broken.is_err() || sink.bytes.len() as u64 == SIZE, "{kind:?}: {broken:?}, {}", sink.bytes.len());
        let from = sink.bytes.len() as u64;
        assert!(bytes.starts_with(&sink.bytes) && from >= BREAK_AT, "{kind:?}: {from}");
        assert_eq!(connect(&server).get(&mailbox, &name(), from, &mut sink).expect("a get"), Get::Ended);
        assert!(sink.bytes == bytes, "{kind:?}: what was got is what was put");
    }
}

/// Whoever waits for a line that has gone dead waits for half a minute, and not for hours.
#[test]
fn a_server_that_says_nothing_any_more_is_given_up() {
    thread::scope(|scope| {
        for kind in Kind::ALL {
            scope.spawn(move || {
                let Some(server) = Server::start(kind) else { return };
                let mut carrier = connect(&server);
                let mailbox = Mailbox::at_remote(Way::Up);
                carrier.make_mailbox(&mailbox).expect("a mailbox");
                server.freeze(true);
                let began = Instant::now();
                let ended = carrier.list(&mailbox);
                server.freeze(false);
                let Err(TransportError::Failed { source, .. }) = &ended else { panic!("{kind:?}: {ended:?}") };
                assert!(source.to_string().contains("gone dead"), "{kind:?}: {source}");
                assert!(began.elapsed() < Duration::from_secs(90), "{kind:?}: {:?}", began.elapsed());
            });
        }
    });
}

#[test]
fn a_transfer_with_little_time_ends_in_it_and_keeps_what_it_has() {
    for kind in Kind::ALL {
        let Some(office) = Office::open(kind) else { continue };
        office.scene.sql("alice", "INSERT INTO t VALUES ('b', 'alice')");
        office.run("alice", &["bundle", "--now"]).expect(0);
        office.server.freeze(true);
        let began = Instant::now();
        let run = office.run("alice", &["transfer", "--for", "1s"]);
        office.server.freeze(false);
        assert!(began.elapsed() < Duration::from_secs(15), "{kind:?}: {:?}", began.elapsed());
        run.expect(5).says("the time is over");
        assert_eq!(office.scene.outbox("alice", "hq").len(), 1, "{kind:?}: it waits here");
        office.settle();
        office.scene.same("t", "hq", "alice");
    }
}

#[test]
fn a_signal_ends_a_run_that_waits_for_a_server_and_the_next_one_goes_on() {
    for (kind, signal) in Kind::ALL.into_iter().zip(["-INT", "-TERM"].into_iter().cycle()) {
        let Some(office) = Office::open(kind) else { continue };
        office.scene.sql("alice", "INSERT INTO t VALUES ('b', 'alice')");
        office.server.freeze(true);
        let mut command = office.command("alice", &["sync"]);
        let sync = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a run");
        sleep(Duration::from_millis(700));
        let began = Instant::now();
        let sent = std::process::Command::new("kill").args([signal, &sync.id().to_string()]).status();
        assert!(sent.expect("a signal").success());
        let ended = sync.wait_with_output().expect("it ends");
        let told = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.code() == Some(1) && told.contains("stopped by a signal"), "{kind:?}: {ended:?}");
        assert!(began.elapsed() < Duration::from_secs(10), "{kind:?}: {:?}", began.elapsed());
        office.server.freeze(false);
        office.settle();
        office.scene.same("t", "hq", "alice");
    }
}
