//! Real servers on loopback, each with a folder, keys and a port of its own, ended with the test that started it.

mod sshd;
mod vsftpd;

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Set by `scripts/test --require-servers`: what the tests need must be there.
const INSIST: &str = "PACKHORSE_TESTS_INSIST";

/// What a server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// vsftpd in the clear.
    Ftp,
    /// vsftpd over TLS.
    Ftps,
    /// OpenSSH.
    Sftp,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Ftp, Self::Ftps, Self::Sftp];
}

/// A server that runs.
pub struct Server {
    child: Child,
    folder: TempDir,
    /// Where it listens.
    pub port: u16,
    /// What it speaks.
    pub kind: Kind,
}

impl Server {
    /// Starts one; None, said aloud, where the program is not there.
    pub fn start(kind: Kind) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("relay")).expect("a folder");
        let port = free_port();
        let prepared = match kind {
            Kind::Ftp => vsftpd::prepared(folder.path(), port, false),
            Kind::Ftps => vsftpd::prepared(folder.path(), port, true),
            Kind::Sftp => sshd::prepared(folder.path(), port),
        };
        let Some(mut command) = prepared else { return passed_over(kind) };
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("a server");
        let mut server = Self { child, folder, port, kind };
        server.await_port();
        Some(server)
    }

    fn await_port(&mut self) {
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let ended = self.child.try_wait().expect("a server's status");
            assert!(ended.is_none(), "the server {:?} ended at once: {ended:?}", self.kind);
            assert!(began.elapsed() < Duration::from_secs(20), "the server {:?} does not listen", self.kind);
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// The relay's folder, past the server.
    pub fn relay(&self) -> PathBuf {
        self.folder.path().join("relay")
    }

    /// A folder of the relay, as an address.
    pub fn url(&self, below: &str) -> String {
        let (scheme, user) = match self.kind {
            Kind::Ftp => ("ftp", String::new()),
            Kind::Ftps => ("ftps", String::new()),
            Kind::Sftp => ("sftp", format!("{}@", sshd::user())),
        };
        let path = self.relay().join(below);
        format!("{scheme}://{user}127.0.0.1:{}{}", self.port, path.display())
    }

    /// The section of a configuration by which it can be logged in to.
    pub fn access(&self) -> String {
        let folder = self.folder.path();
        let say = match self.kind {
            Kind::Ftp => String::new(),
            Kind::Ftps => format!("ca = \"{}\"\n", folder.join("cert.pem").display()),
            Kind::Sftp => format!(
                "key = \"{}\"\nagent = false\nknown_hosts = \"{}\"\n",
                folder.join(".ssh/id_ed25519").display(),
                folder.join(".ssh/known_hosts").display()
            ),
        };
        format!("\n[access.\"127.0.0.1:{}\"]\n{say}", self.port)
    }

    /// The environment of a user who can log in without any configuration.
    pub fn environment(&self) -> [(&'static str, PathBuf); 2] {
        [("HOME", self.folder.path().to_owned()), ("SSL_CERT_FILE", self.file("cert.pem"))]
    }

    /// A file of the server's own: keys, certificates, hosts.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Lets it stand still, as a line that has gone dead.
    pub fn freeze(&self, on: bool) {
        signal(if on { "-STOP" } else { "-CONT" }, &self.processes());
    }

    /// It and the processes that serve its connections.
    fn processes(&self) -> Vec<String> {
        let mut all = vec![self.child.id().to_string()];
        let mut looked = 0;
        while let Some(parent) = all.get(looked).cloned() {
            let told = Command::new("pgrep").args(["-P", &parent]).output().expect("pgrep");
            all.extend(String::from_utf8_lossy(&told.stdout).lines().map(str::to_owned));
            looked += 1;
        }
        all
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        signal("-KILL", &self.processes());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that nobody listens on, for now.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port()
}

fn passed_over<T>(kind: Kind) -> Option<T> {
    assert!(std::env::var_os(INSIST).is_none(), "a server for {kind:?} is needed, and is not there");
    let _ = writeln!(std::io::stderr(), "SKIPPED: there is no server for {kind:?}");
    None
}

/// A program that is somewhere on this system.
fn program(name: &str) -> Option<PathBuf> {
    ["/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/sbin"].iter().map(|folder| Path::new(folder).join(name)).find(|path| path.is_file())
}

fn signal(signal: &str, processes: &[String]) {
    // Some may have ended meanwhile.
    let _ = Command::new("kill").arg(signal).args(processes).stderr(Stdio::null()).status();
}

fn run(command: &mut Command) {
    let done = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    assert!(done.as_ref().is_ok_and(|status| status.success()), "{command:?}: {done:?}");
}
