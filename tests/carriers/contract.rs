//! The contract of carriers, over real servers, and what becomes of connections that are not trusted or go dead.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use packhorse_shared::seam::{OsDisk, Stop, Uninterrupted};
use packhorse_transport::conformance::{Abilities, check};
use packhorse_transport::{
    Approach, Carrier, Dial, Ending, Location, Mailbox, OsDial, Secret, TlsVersion, TransportError, Trust, Way,
};

use super::keys::TestKeys;
use crate::support::servers::{Kind, Server};

static DIAL: OsDial<'static> = OsDial { disk: &OsDisk, steps: &Uninterrupted };

pub(super) fn dial(server: &Server, keys: &TestKeys) -> Result<Box<dyn Carrier + 'static>, TransportError> {
    dial_until(server, keys, Ending::default())
}

fn dial_until(server: &Server, keys: &TestKeys, ending: Ending) -> Result<Box<dyn Carrier + 'static>, TransportError> {
    let location = Location::parse(&server.url()).expect("an address");
    DIAL.dial(&location, &Approach { ending, keyring: keys })
}

fn keeps_the_contract(kind: Kind) {
    let Some(server) = Server::start(kind) else { return };
    let keys = TestKeys::of(&server);
    let connect = || dial(&server, &keys).expect("a connection");
    check(&connect, Abilities { compares_content: false });
}

#[test]
fn ftp_keeps_the_contract() {
    keeps_the_contract(Kind::Ftp);
}

#[test]
fn ftps_keeps_the_contract() {
    keeps_the_contract(Kind::Ftps);
}

#[test]
fn sftp_keeps_the_contract() {
    keeps_the_contract(Kind::Sftp);
}

/// What somebody has planted in a mailbox is not written through.
#[test]
fn a_link_in_the_place_of_a_part_is_not_followed() {
    let Some(server) = Server::start(Kind::Sftp) else { return };
    let keys = TestKeys::of(&server);
    let (mailbox, name) = (Mailbox::at_remote(Way::Up), "planted".parse().expect("a name"));
    let mut carrier = dial(&server, &keys).expect("a connection");
    carrier.make_mailbox(&mailbox).expect("a mailbox");
    let victim = server.file("victim");
    std::fs::write(&victim, "untouched").expect("a file");
    std::os::unix::fs::symlink(&victim, server.relay().join("up/planted.part")).expect("a link");
    carrier.put(&mailbox, &name, &mut &b"other bytes, and more of them"[..]).expect("a put");
    assert_eq!(std::fs::read(&victim).expect("a file"), b"untouched");
    assert_eq!(std::fs::read(server.relay().join("up/planted")).expect("a file"), b"other bytes, and more of them");
}

#[test]
fn ftp_with_accounts_keeps_the_contract() {
    keeps_the_contract(Kind::Accounts);
}

#[test]
fn sftp_with_accounts_keeps_the_contract() {
    keeps_the_contract(Kind::SftpAccounts);
}

#[test]
fn a_wrong_password_is_told_and_not_shown() {
    let Some(server) = Server::start(Kind::Accounts) else { return };
    let mut keys = TestKeys::of(&server);
    keys.0.password = Some(Secret::new("not this one"));
    let refused = dial(&server, &keys).err().expect("nobody is let in");
    let TransportError::LoginRefused { user, .. } = &refused else { panic!("{refused:?}") };
    assert_eq!(user, "hub");
    assert!(!format!("{refused:?} {refused}").contains("not this one"), "{refused:?}");
    assert!(!refused.may_pass(), "trying again would lock the account");
}

#[test]
fn a_host_that_is_not_known_is_refused_with_its_fingerprint() {
    let Some(server) = Server::start(Kind::Sftp) else { return };
    let mut keys = TestKeys::of(&server);
    keys.0.known_hosts = vec![PathBuf::from("/nowhere/known_hosts")];
    let refused = dial(&server, &keys).err().expect("nobody is trusted");
    assert!(matches!(&refused, TransportError::HostUnknown { fingerprint, .. } if fingerprint.starts_with("SHA256:")));
    let told = refused.next_step();
    let known = std::fs::read_to_string(server.file(".ssh/known_hosts")).expect("a line");
    let line = told.split_once("echo '").and_then(|(_, rest)| rest.split_once("' >> ")).expect("a command");
    let words: Vec<&str> = known.split_whitespace().collect();
    assert_eq!(line, (words[..3].join(" ").as_str(), "'/nowhere/known_hosts'"), "{told}");
    // A key that is revoked is not trusted although it is known.
    std::fs::write(server.file("revoked"), format!("{known}\n@revoked * {} {}\n", words[1], words[2])).expect("a file");
    keys.0.known_hosts = vec![server.file("revoked")];
    assert!(matches!(dial(&server, &keys), Err(TransportError::HostRevoked { .. })));
    // The host is known by another key.
    let Some(other) = Server::start(Kind::Sftp) else { return };
    let line = std::fs::read_to_string(other.file(".ssh/known_hosts")).expect("a line");
    let line = line.replace(&other.port.to_string(), &server.port.to_string());
    std::fs::write(server.file(".ssh/known_hosts"), line).expect("a known host");
    keys.0.known_hosts = vec![server.file(".ssh/known_hosts")];
    assert!(matches!(dial(&server, &keys), Err(TransportError::HostChanged { .. })));
}

#[test]
fn a_certificate_that_nobody_vouches_for_is_refused() {
    let (Some(server), Some(other)) = (Server::start(Kind::Ftps), Server::start(Kind::Ftps)) else { return };
    let mut keys = TestKeys::of(&server);
    assert!(dial(&server, &keys).is_ok());
    keys.0.trust = TestKeys::of(&other).0.trust;
    let refused = dial(&server, &keys).err().expect("nobody is trusted");
    assert!(matches!(refused, TransportError::Unreachable { .. }), "{refused:?}");
    keys.0.trust = Trust::Pinned([7; 32]);
    assert!(dial(&server, &keys).is_err());
    let certificate = super::keys::der(&std::fs::read_to_string(server.file("cert.pem")).expect("a certificate"));
    keys.0.trust = Trust::Pinned(sha256(&certificate));
    assert!(dial(&server, &keys).is_ok());
    keys.0.tls = TlsVersion::Tls13;
    assert!(dial(&server, &keys).is_ok());
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    use sha2::Digest;
    sha2::Sha256::digest(bytes).into()
}

#[test]
fn a_run_that_is_to_end_does_not_wait_for_a_server_that_stands_still() {
    for kind in Kind::ALL {
        let Some(server) = Server::start(kind) else { continue };
        let keys = TestKeys::of(&server);
        let stop = Stop::default();
        let mut carrier = dial_until(&server, &keys, Ending::of(None, stop.clone())).expect("a connection");
        server.freeze(true);
        let began = Instant::now();
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(300));
            stop.ask();
        });
        let ended = carrier.read_marker(None);
        server.freeze(false);
        assert!(matches!(ended, Err(TransportError::BudgetOver)), "{kind:?}: {ended:?}");
        drop(carrier);
        assert!(began.elapsed() < Duration::from_secs(10), "{kind:?}: {:?}", began.elapsed());
    }
}
