//! Other programs over the same line: each fetches all that lies in a folder and takes it away there, and puts as much
//! into another, under another name until it is complete. What they were to do is checked afterwards.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::calls::Office;
use super::{Count, FAR};
use crate::servers::Kind;

/// A peer's work: files that lie here and there, and where they are to come.
pub struct Work<'w> {
    kind: Kind,
    port: u16,
    key: PathBuf,
    hosts: PathBuf,
    user: String,
    /// The folders here: what is to be put, what is to come.
    mine: &'w Path,
    got: &'w Path,
    /// The folder on the server, as it is addressed there; in it `up` and `down`.
    there: PathBuf,
    names: Vec<String>,
}

/// What a peer is called, and its command for some work.
pub type Peer = (&'static str, fn(&Work<'_>) -> Option<String>);

/// All that are known, whether they are here or not.
pub const PEERS: [Peer; 5] = [
    ("curl, one connection", curl),
    ("lftp, one after the other", lftp_in_turn),
    ("lftp, both at once, four connections each", lftp_at_once),
    ("rclone, move and copy", rclone),
    ("sftp -b", sftp),
];

/// Whether the program is here.
pub fn is_here(peer: &str) -> bool {
    let program = peer.split([' ', ',']).next().unwrap_or_default();
    Command::new("bash").args(["-c", &format!("command -v {program}")]).output().is_ok_and(|told| told.status.success())
}

/// One peer's call with so many files each way; None if it does not do this at all, else what was counted, and what
/// went wrong.
pub fn call(office: &mut Office<'_>, peer: Peer, files: u64, size: u64) -> Option<(Count, Option<String>)> {
    let folder = tempfile::tempdir().expect("a folder");
    let (mine, got) = (folder.path().join("mine"), folder.path().join("got"));
    let on_server = office.server.relay().join("peer");
    let _ = fs::remove_dir_all(&on_server);
    let (up, down) = (on_server.join("up"), on_server.join("down"));
    [&mine, &got, &up, &down].into_iter().for_each(|folder| fs::create_dir_all(folder).expect("a folder"));
    let names: Vec<String> = (0..files).map(|number| format!("bundle-{number:02}")).collect();
    for (number, name) in names.iter().enumerate() {
        fs::write(mine.join(name), noise(2 * number as u64, size)).expect("a file");
        fs::write(down.join(name), noise(2 * number as u64 + 1, size)).expect("a file");
    }
    let (here, there) = (contents(&mine), contents(&down));
    let user = Command::new("id").arg("-un").output().expect("a user");
    let work = Work {
        kind: office.server.kind,
        port: office.server.port,
        key: office.server.file(".ssh/id_ed25519"),
        hosts: office.server.file(".ssh/known_hosts"),
        user: String::from_utf8_lossy(&user.stdout).trim().to_owned(),
        mine: &mine,
        got: &got,
        there: on_server.clone(),
        names,
    };
    let script = peer.1(&work)?;
    office.line().begin(&[]);
    let mut command = office.line().near.command("timeout");
    command.args(["900", "bash", "-c", &script]).env("HOME", folder.path());
    let done = command.output().expect("bash runs");
    let count = office.line().end();
    let wrong = match (done.status.success(), contents(&got) == there, contents(&up) == here) {
        (true, true, true) if contents(&down).is_empty() => None,
        (false, ..) => Some(format!("failed: {}", String::from_utf8_lossy(&done.stderr).trim())),
        _ => Some("it said that all is well, and it is not".to_owned()),
    };
    Some((count, wrong))
}

fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry"));
    let read = |entry: fs::DirEntry| {
        (entry.file_name().to_string_lossy().into_owned(), fs::read(entry.path()).expect("a file"))
    };
    entries.map(read).collect()
}

/// What nothing can compress.
fn noise(seed: u64, size: u64) -> Vec<u8> {
    let mut dice = crate::support::contacts::Dice(seed);
    (0..size).map(|_| dice.roll() as u8).collect()
}

impl Work<'_> {
    fn url(&self) -> String {
        format!("ftp://{FAR}:{}/{}", self.port, self.there.display())
    }

    fn ssh(&self) -> String {
        let (key, hosts) = (self.key.display(), self.hosts.display());
        format!("-i {key} -o UserKnownHostsFile={hosts} -o BatchMode=yes")
    }

    fn each(&self, line: impl Fn(&str) -> String) -> String {
        self.names.iter().map(|name| line(name)).collect::<Vec<_>>().join("\n")
    }
}

fn curl(work: &Work<'_>) -> Option<String> {
    (work.kind == Kind::Ftp).then_some(())?;
    let (url, mine, got) = (work.url(), work.mine.display(), work.got.display());
    let gets = work.names.iter().map(|name| format!("-o {got}/{name} -Q '-DELE {name}' {url}/down/{name}"));
    let puts = work
        .names
        .iter()
        .map(|name| format!("-T {mine}/{name} -Q '-RNFR {name}.part' -Q '-RNTO {name}' {url}/up/{name}.part"));
    let all: Vec<String> = gets.chain(puts).map(|one| format!("-sS --fail {one}")).collect();
    Some(format!("curl {}", all.join(" --next ")))
}

fn lftp(work: &Work<'_>, commands: &str) -> String {
    let open = match work.kind {
        Kind::Sftp => format!("open -u {},x -p {} sftp://{FAR}", work.user, work.port),
        _ => format!("open -p {} ftp://{FAR}", work.port),
    };
    let settings = format!(
        "set sftp:connect-program 'ssh -a -x {}'; set xfer:use-temp-file yes; set xfer:temp-file-name *.part; \
         set ftp:sync-mode off; set net:max-retries 2; set cmd:fail-exit yes",
        work.ssh()
    );
    format!(
        "lftp -c \"{settings}; {open}; cd /{}; {commands}\"",
        work.there.display().to_string().trim_start_matches('/')
    )
}

fn lftp_in_turn(work: &Work<'_>) -> Option<String> {
    let (mine, got) = (work.mine.display(), work.got.display());
    Some(lftp(work, &format!("mget -E -O {got} down/*; cd up; mput {mine}/*")))
}

fn lftp_at_once(work: &Work<'_>) -> Option<String> {
    let (mine, got) = (work.mine.display(), work.got.display());
    let (down, up) = (
        lftp(work, &format!("mirror -P4 --Remove-source-files down {got}")),
        lftp(work, &format!("mirror -R -P4 {mine} up")),
    );
    Some(format!("{down} & {up} && wait $!"))
}

fn rclone(work: &Work<'_>) -> Option<String> {
    let (mine, got, there) = (work.mine.display(), work.got.display(), work.there.display());
    let remote = match work.kind {
        Kind::Sftp => format!(
            ":sftp,host={FAR},port={},user={},key_file={},known_hosts_file={}:",
            work.port,
            work.user,
            work.key.display(),
            work.hosts.display()
        ),
        _ => format!(":ftp,host={FAR},port={},user=anonymous,pass=$(rclone obscure a@b):", work.port),
    };
    Some(format!("rclone move -q \"{remote}{there}/down\" {got} && rclone copy -q {mine} \"{remote}{there}/up\""))
}

fn sftp(work: &Work<'_>) -> Option<String> {
    (work.kind == Kind::Sftp).then_some(())?;
    let (mine, got, there) = (work.mine.display(), work.got.display(), work.there.display());
    let gets = work.each(|name| format!("get {there}/down/{name} {got}/{name}\nrm {there}/down/{name}"));
    let puts = work.each(|name| {
        format!("put {mine}/{name} {there}/up/{name}.part\nrename {there}/up/{name}.part {there}/up/{name}")
    });
    let (ssh, port, user) = (work.ssh(), work.port, &work.user);
    Some(format!("sftp -q {ssh} -P {port} -b - {user}@{FAR} <<'END'\n{gets}\n{puts}\nEND"))
}
