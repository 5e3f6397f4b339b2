//! What a call says to an FTP server, word by word, by the server's own log: on a slow line every word that is waited for
//! costs as much as a kilobyte.

use std::fs;
use std::path::PathBuf;

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

/// Everything that is said before the first file moves. Each line is a packet, after which an answer is waited for.
/// (This server wants no password.)
const OPENING: [&str; 11] = [
    "USER", //
    "TYPE", "FEAT", "EPSV", //
    "RETR", // the marker
    "CWD", "EPSV", //
    "LIST", //
    "CWD", "EPSV", //
    "LIST",
];

#[test]
fn a_call_that_finds_nothing_logs_in_looks_and_hangs_up() {
    let Some(listened) = Listened::open() else { return };
    assert_eq!(listened.call(), [&OPENING[..], &["QUIT"]].concat());
}

#[test]
fn a_call_says_five_words_for_a_bundle_that_it_puts_and_two_for_one_that_it_gets() {
    let Some(listened) = Listened::open() else { return };
    for bundles in [1, 3] {
        listened.prepare(bundles, 500);
        let said = listened.call();
        let of = |word: &str| said.iter().filter(|said| *said == word).count();
        assert_eq!(said[..OPENING.len()], OPENING, "{said:?}");
        // It gets the marker besides, and a question where the next data go may be one too many at the end.
        let counts = ["USER", "TYPE", "FEAT", "LIST", "STOR", "SIZE", "RNFR", "RNTO", "RETR", "DELE"].map(of);
        assert_eq!(counts, [1, 1, 1, 2, bundles, bundles, bundles, bundles, bundles + 1, bundles], "{said:?}");
        assert!(of("EPSV") <= 3 + 2 * bundles + 1, "{said:?}");
        assert!(of("CWD") <= 2 + 2 * bundles, "once for each change from one mailbox to the other: {said:?}");
        assert_eq!(said.len(), counts.iter().sum::<usize>() + ["CWD", "EPSV", "QUIT"].map(of).iter().sum::<usize>());
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
    assert_eq!(counts, [2, 2, 2, 3, 3, 2, 2], "{said:?}");
    assert_eq!(["STOR", "SIZE", "RNFR", "RNTO"].map(of), [2; 4], "{said:?}");
}
