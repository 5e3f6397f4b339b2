//! What a call says to an FTP server, word by word, by the server's own log: on a slow line every word that is waited for
//! costs as much as a kilobyte.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use packhorse_transport::MARKER;
use tempfile::TempDir;

use super::office::{Office, SCHEMA};
use crate::support::servers::{Kind, Server};

/// An office whose server writes down what it is told.
struct Listened {
    office: Office,
    log: PathBuf,
    _folder: TempDir,
}

impl Listened {
    fn open() -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let log = folder.path().join("log");
        let more = format!("log_ftp_protocol=YES\nxferlog_enable=YES\nvsftpd_log_file={}\n", log.display());
        let server = Server::start_with(Kind::Ftp, &more)?;
        let office = Office::on(server, SCHEMA, &["alice"]);
        office.settle();
        Some(Self { office, log, _folder: folder })
    }

    /// The commands of one of alice's calls, without what they are about.
    fn call(&self) -> Vec<String> {
        fs::write(&self.log, "").expect("a log");
        self.office.run("alice", &["transfer"]).expect(0);
        let said = fs::read_to_string(&self.log).expect("a log");
        let commands = said.lines().filter_map(|line| line.split_once("FTP command: Client ")?.1.split('"').nth(3));
        commands.map(|command| command.split(' ').next().unwrap_or_default().to_owned()).collect()
    }

    /// Lets something wait each way that goes into so many bundles, so long that nothing makes them short.
    fn prepare(&self, bundles: usize, size: usize) {
        for node in ["alice", "hq"] {
            for number in 0..bundles {
                let text = format!("INSERT INTO t VALUES ('{node} {number} of {bundles}', hex(randomblob({size})))");
                self.office.scene.sql(node, &text);
                self.office.run(node, &["bundle", "--now"]).expect(0);
            }
        }
        self.office.run("hq", &["transfer"]).expect(0);
    }
}

/// Logging in. Each line is a packet, after which an answer is waited for. (This server wants no password.)
const LOGIN: [&str; 6] = [
    "USER", //
    "TYPE", "FEAT", "SIZE", "MDTM", "EPSV", // two of them on the marker
];

/// Looking into a mailbox, and then into the other. (The first question where data go came with the login.)
const LOOK: [&str; 2] = ["CWD", "LIST"];
const NEXT_LOOK: [&str; 3] = [
    "EPSV", //
    "CWD", "LIST",
];

#[test]
fn a_call_that_finds_nothing_logs_in_looks_once_and_hangs_up() {
    let Some(listened) = Listened::open() else { return };
    assert_eq!(listened.call(), [&LOGIN[..], &LOOK, &["QUIT"]].concat());
}

#[test]
fn a_marker_is_read_again_only_when_the_server_tells_that_it_has_changed() {
    let Some(listened) = Listened::open() else { return };
    let marker = listened.office.server.relay().join("alice").join(MARKER);
    let content = fs::read_to_string(&marker).expect("a marker");
    let write = |content: &str| {
        let later = SystemTime::now() + Duration::from_secs(90);
        fs::write(&marker, content).expect("a marker");
        let file = fs::File::options().write(true).open(&marker);
        file.and_then(|file| file.set_modified(later)).expect("a time");
    };
    write(&content);
    assert_eq!(listened.call(), [&LOGIN[..], &["RETR"], &NEXT_LOOK, &["QUIT"]].concat());
    assert_eq!(listened.call(), [&LOGIN[..], &LOOK, &["QUIT"]].concat());
    write(&content.replace("network", "net work"));
    assert!(listened.call().contains(&"STOR".to_owned()), "a damaged one is found out and mended");
    assert_eq!(fs::read_to_string(&marker).expect("a marker"), content);
}

#[test]
fn a_call_says_five_words_for_a_bundle_that_it_puts_and_two_for_one_that_it_gets() {
    let Some(listened) = Listened::open() else { return };
    for bundles in [1, 3] {
        listened.prepare(bundles, 500);
        let said = listened.call();
        let of = |word: &str| said.iter().filter(|said| *said == word).count();
        let opening = [&LOGIN[..], &LOOK, &NEXT_LOOK].concat();
        assert_eq!(said[..opening.len()], opening, "{said:?}");
        // A question where the next data go may be one too many at the end.
        let counts = ["USER", "TYPE", "FEAT", "LIST", "STOR", "RNFR", "RNTO", "RETR", "DELE"].map(of);
        assert_eq!(counts, [1, 1, 1, 2, bundles, bundles, bundles, bundles, bundles], "{said:?}");
        // One more on the marker.
        assert_eq!((of("SIZE"), of("MDTM")), (bundles + 1, 1), "{said:?}");
        assert!(of("EPSV") <= 2 + 2 * bundles + 1, "{said:?}");
        assert!(of("CWD") <= 2 + 2 * bundles, "once for each change from one mailbox to the other: {said:?}");
        let others = ["SIZE", "MDTM", "CWD", "EPSV", "QUIT"].map(of);
        assert_eq!(said.len(), counts.iter().chain(&others).sum::<usize>());
        listened.office.settle();
    }
}

#[test]
fn what_is_large_goes_over_a_connection_of_its_own_that_looks_once() {
    let Some(listened) = Listened::open() else { return };
    listened.prepare(2, 40_000);
    let said = listened.call();
    let of = |word: &str| said.iter().filter(|said| *said == word).count();
    let counts = ["USER", "TYPE", "FEAT", "LIST", "RETR", "DELE", "QUIT"].map(of);
    assert_eq!(counts, [2, 2, 2, 3, 2, 2, 2], "{said:?}");
    assert_eq!(["STOR", "RNFR", "RNTO"].map(of), [2; 3], "{said:?}");
}
