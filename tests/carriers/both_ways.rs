//! Both ways at once over one connection to an SFTP server: it is logged in to once, and what breaks one way breaks both.

use std::fs;
use std::mem::replace;
use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use packhorse_transport::{FileName, Mailbox, Sink, Source, TransportError, Way};

use super::contract::dial;
use super::keys::TestKeys;
use super::office::Office;
use crate::support::servers::{Kind, Server};

/// More than any buffers on the way hold.
const SIZE: usize = 24 << 20;

/// What moves slowly enough to be broken off while it does, and tells that it has begun.
struct Slowly<T> {
    inner: T,
    begun: Arc<Barrier>,
    has_begun: bool,
}

impl<T> Slowly<T> {
    fn new(inner: T, begun: &Arc<Barrier>) -> Self {
        Self { inner, begun: begun.clone(), has_begun: false }
    }

    fn pause(&mut self) {
        if !replace(&mut self.has_begun, true) {
            self.begun.wait();
        }
        thread::sleep(Duration::from_millis(5));
    }
}

impl Source for Slowly<&[u8]> {
    fn size(&self) -> u64 {
        self.inner.size()
    }
    fn read_at(&mut self, offset: u64, into: &mut [u8]) -> Result<usize, TransportError> {
        self.pause();
        self.inner.read_at(offset, into)
    }
}

impl Sink for Slowly<Vec<u8>> {
    fn take(&mut self, bytes: &[u8]) -> Result<(), TransportError> {
        self.pause();
        self.inner.take(bytes)
    }
}

/// An office whose server writes down who logs in.
fn listened() -> Option<(Office, tempfile::TempDir)> {
    let folder = tempfile::tempdir().expect("a folder");
    let program = folder.path().join("files");
    let serve = ["/usr/lib/openssh/sftp-server", "/usr/libexec/openssh/sftp-server", "/usr/lib/ssh/sftp-server"];
    let serve = serve.iter().find(|path| fs::exists(path).unwrap_or_default())?;
    let log = folder.path().join("log");
    fs::write(&program, format!("#!/bin/sh\necho in >> {}\nexec {serve}\n", log.display())).expect("a program");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("it can be run");
    let server = Server::start_with(Kind::Sftp, &format!("ForceCommand {}\n", program.display()))?;
    let office = Office::on(server, super::office::SCHEMA, &["alice"]);
    office.settle();
    Some((office, folder))
}

#[test]
fn a_call_that_moves_much_both_ways_logs_in_once() {
    let Some((office, folder)) = listened() else { return };
    for node in ["alice", "hq"] {
        office.scene.sql(node, &format!("INSERT INTO t VALUES ('{node}', hex(randomblob(60000)))"));
        office.run(node, &["bundle", "--now"]).expect(0);
    }
    office.run("hq", &["transfer"]).expect(0);
    fs::write(folder.path().join("log"), "").expect("a log");
    office.run("alice", &["transfer"]).expect(0).says("sent 1 bundle").says("received 1 bundle");
    assert_eq!(fs::read_to_string(folder.path().join("log")).expect("a log"), "in\n");
    office.settle();
    office.scene.same("t", "hq", "alice");
}

#[test]
fn what_breaks_off_one_way_breaks_off_both_and_at_once() {
    let Some(server) = Server::start(Kind::Sftp) else { return };
    let (mailbox, bytes) = (Mailbox::at_remote(Way::Up), vec![7; SIZE]);
    let [fetched, kept] = ["fetched", "kept"].map(|name| name.parse::<FileName>().expect("a name"));
    let mut carrier = dial(&server, &TestKeys::of(&server)).expect("a connection");
    carrier.put(&mailbox, &fetched, &mut &bytes[..]).expect("a put");
    let mut beside = carrier.beside().expect("another");
    let begun = Arc::new(Barrier::new(3));
    let (mut source, mut sink) = (Slowly::new(&bytes[..], &begun), Slowly::new(Vec::new(), &begun));
    let (ended, took) = thread::scope(|scope| {
        let putting = scope.spawn(|| beside.put(&mailbox, &kept, &mut source).map(drop));
        let cutting = scope.spawn(|| {
            begun.wait();
            server.cut();
            Instant::now()
        });
        let got = carrier.get(&mailbox, &fetched, 0, &mut sink).map(drop);
        let put = putting.join().expect("it does not panic");
        ([got, put], cutting.join().expect("it does not panic").elapsed())
    });
    for error in ended.map(|ended| ended.expect_err("it was broken off")) {
        assert!(error.may_pass() && !error.to_string().contains("gone dead"), "{error:?}");
    }
    assert!(took < Duration::from_secs(10), "{took:?}");
}
