//! Real servers on loopback, each with a folder, keys and a port of its own, ended with the test that started it.

mod proftpd;
mod sshd;
mod vsftpd;

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

pub use proftpd::PASSWORD;

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
    /// proftpd in the clear, with accounts that have passwords.
    Accounts,
    /// proftpd's SFTP, with the same accounts.
    SftpAccounts,
}

impl Kind {
    /// One of everything that a relay's address can name, and a second FTP server.
    pub const ALL: [Self; 4] = [Self::Ftp, Self::Ftps, Self::Sftp, Self::Accounts];
}

/// Where a server stands.
#[derive(Clone, Debug)]
pub struct Site {
    /// Its address.
    pub host: String,
    /// The words before a command that is to run there.
    pub enter: Vec<String>,
}

impl Site {
    /// This machine, for itself alone.
    fn here() -> Self {
        Self { host: "127.0.0.1".to_owned(), enter: Vec::new() }
    }

    /// A command that runs there.
    pub fn entered(&self, command: Command) -> Command {
        let Some((first, rest)) = self.enter.split_first() else { return command };
        let mut outer = Command::new(first);
        outer.args(rest).arg(command.get_program()).args(command.get_args());
        outer.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        outer
    }

    fn listens(&self, port: u16) -> bool {
        if self.enter.is_empty() {
            return TcpStream::connect((self.host.as_str(), port)).is_ok();
        }
        let mut connecting = Command::new("bash");
        connecting.arg("-c").arg(format!("exec 3<>/dev/tcp/{}/{port}", self.host));
        self.entered(connecting).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    }
}

/// A server that runs.
pub struct Server {
    child: Child,
    folder: TempDir,
    site: Site,
    /// Where it listens.
    pub port: u16,
    /// What it speaks.
    pub kind: Kind,
}

impl Server {
    /// Starts one on loopback; None, said aloud, where the program is not there.
    pub fn start(kind: Kind) -> Option<Self> {
        Self::start_at(kind, Site::here(), "")
    }

    /// The same, with more lines of configuration, which outweigh the usual ones.
    pub fn start_with(kind: Kind, more: &str) -> Option<Self> {
        Self::start_at(kind, Site::here(), more)
    }

    /// Starts one elsewhere.
    pub fn start_at(kind: Kind, site: Site, more: &str) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("relay")).expect("a folder");
        let port = free_port();
        let prepared = match kind {
            Kind::Ftp => vsftpd::prepared(folder.path(), &site.host, port, false, more),
            Kind::Ftps => vsftpd::prepared(folder.path(), &site.host, port, true, more),
            Kind::Sftp => sshd::prepared(folder.path(), &site.host, port, more),
            Kind::Accounts => proftpd::prepared(folder.path(), &site.host, port, more),
            Kind::SftpAccounts => proftpd::prepared_for_sftp(folder.path(), &site.host, port),
        };
        let Some(command) = prepared else { return passed_over(kind) };
        let mut command = site.entered(command);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("a server");
        let mut server = Self { child, folder, site, port, kind };
        server.await_port();
        Some(server)
    }

    fn await_port(&mut self) {
        let began = Instant::now();
        while !self.site.listens(self.port) {
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

    /// The relay's address.
    pub fn url(&self) -> String {
        let (host, port, relay) = (&self.site.host, self.port, self.relay());
        match self.kind {
            Kind::Ftp => format!("ftp://{host}:{port}{}", relay.display()),
            Kind::Ftps => format!("ftps://{host}:{port}{}", relay.display()),
            Kind::Sftp => format!("sftp://{}@{host}:{port}{}", sshd::user(), relay.display()),
            Kind::Accounts => format!("ftp://hub@{host}:{port}/~/"),
            Kind::SftpAccounts => format!("sftp://hub@{host}:{port}/~/"),
        }
    }

    /// The address by which a remote reaches its own folder, if it is another one than the hub's with its name behind it.
    pub fn url_of(&self, remote: &str) -> Option<String> {
        let at = format!("{remote}@{}:{}/~", self.site.host, self.port);
        match self.kind {
            Kind::Accounts => Some(format!("ftp://{at}")),
            Kind::SftpAccounts => Some(format!("sftp://{at}")),
            Kind::Ftp | Kind::Ftps | Kind::Sftp => None,
        }
    }

    /// The environment of a user who can log in without any configuration.
    pub fn environment(&self) -> [(&'static str, PathBuf); 3] {
        let password = PathBuf::from(proftpd::PASSWORD);
        let home = self.folder.path().to_owned();
        [("HOME", home), ("SSL_CERT_FILE", self.file("cert.pem")), ("PACKHORSE_RELAY_PASSWORD", password)]
    }

    /// A file of the server's own: keys, certificates, hosts.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Lets it stand still, as a line that has gone dead.
    pub fn freeze(&self, on: bool) {
        signal(if on { "-STOP" } else { "-CONT" }, &self.processes());
    }

    /// Breaks all connections to it off, as a line does that is lost.
    pub fn cut(&self) {
        let all = self.processes();
        signal("-KILL", all.get(1..).unwrap_or_default());
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

/// A port that nobody listens on. Not one of those that the system gives to connections, and each only once in a process
/// and, most likely, in several that run at once: between looking and listening somebody else could take it.
fn free_port() -> u16 {
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    let (first, count) = (12_000, 20_000);
    loop {
        let place = std::process::id().wrapping_mul(97).wrapping_add(TAKEN.fetch_add(1, Ordering::Relaxed)) % count;
        let port = u16::try_from(first + place).expect("a port");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

fn passed_over<T>(kind: Kind) -> Option<T> {
    assert!(std::env::var_os(INSIST).is_none(), "a server for {kind:?} is needed, and is not there");
    let _ = writeln!(std::io::stderr(), "SKIPPED: there is no server for {kind:?}");
    None
}

/// A program that is somewhere on this system.
fn program(name: &str) -> Option<PathBuf> {
    ["/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/sbin"]
        .iter()
        .map(|folder| Path::new(folder).join(name))
        .find(|path| path.is_file())
}

fn signal(signal: &str, processes: &[String]) {
    // Some may have ended meanwhile.
    let _ = Command::new("kill").arg(signal).args(processes).stderr(Stdio::null()).status();
}

fn run(command: &mut Command) {
    let done = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    assert!(done.as_ref().is_ok_and(|status| status.success()), "{command:?}: {done:?}");
}
