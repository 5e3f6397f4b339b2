//! A really slow line: two network namespaces of the bench's own, and between them a program that lets packets through
//! as a modem would. Nothing in them has a way to anywhere else. They end with the bench, however it ends: each end is
//! held by a process that the system kills when the bench is gone, and all that runs there dies with it.

pub mod calls;
pub mod peers;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

/// Bits per second, each way.
pub const RATE: u32 = 33_600;

/// How long a packet takes beside its own time, each way: a round trip takes two.
pub const DELAY: Duration = Duration::from_millis(150);

/// The address at which servers stand, at the far end.
pub const FAR: &str = "198.18.7.2";

/// Why there can be no line here.
pub fn hindrance() -> Option<&'static str> {
    let told = Command::new("id").arg("-u").output();
    if !told.is_ok_and(|told| told.stdout.trim_ascii() == b"0") {
        return Some("network namespaces and TUN devices need root");
    }
    if !Path::new("/dev/net/tun").exists() {
        return Some("there is no /dev/net/tun on this system");
    }
    let needed = ["ip", "nsenter", "unshare", "setpriv", "pgrep", "python3"];
    let missing = needed.iter().any(|program| Command::new(program).arg("--version").output().is_err());
    missing.then_some("one of ip, nsenter, unshare, setpriv, pgrep and python3 is missing")
}

/// One end of a line.
pub struct End {
    holder: Child,
    inside: String,
}

impl End {
    fn make() -> Self {
        let words = ["--pdeathsig", "KILL", "unshare", "--net", "--pid", "--fork", "--kill-child=KILL"];
        let mut holder = Command::new("setpriv");
        let holder = holder.args(words).args(["sleep", "infinity"]).spawn().expect("a namespace");
        let began = Instant::now();
        let inside = loop {
            let told = Command::new("pgrep").args(["-P", &holder.id().to_string()]).output().expect("pgrep");
            let told = String::from_utf8_lossy(&told.stdout).trim().to_owned();
            if !told.is_empty() {
                break told;
            }
            assert!(began.elapsed() < Duration::from_secs(10), "no namespace could be made");
            thread::sleep(Duration::from_millis(10));
        };
        Self { holder, inside }
    }

    /// The words before a command that is to run at this end.
    pub fn enter(&self) -> Vec<String> {
        ["nsenter", "--target", &self.inside, "--net", "--pid"].map(str::to_owned).to_vec()
    }

    /// A command that runs at this end.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args(self.enter().iter().skip(1)).arg(program).stdin(Stdio::null());
        command
    }
}

impl Drop for End {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// A line that is up.
pub struct Line {
    /// Where calls are made.
    pub near: End,
    /// Where servers stand.
    pub far: End,
    program: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Line {
    /// A line with queues of so many bytes.
    pub fn up(queue: u32) -> Self {
        let (near, far) = (End::make(), End::make());
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/support/line/line.py");
        let mut program = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "python3"])
            .arg(script)
            .args([&near.inside, &far.inside])
            .args(["--rate", &RATE.to_string(), "--queue", &queue.to_string()])
            .args(["--delay", &DELAY.as_millis().to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a line");
        let commands = program.stdin.take().expect("its input");
        let answers = BufReader::new(program.stdout.take().expect("its output"));
        let mut line = Self { near, far, program, commands, answers };
        assert_eq!(line.hear(), "ready", "the line did not come up");
        line
    }

    /// Counts from now on; in these seconds after the first packet nothing comes through.
    pub fn begin(&mut self, outages: &[(u32, u32)]) {
        let spans: Vec<String> = outages.iter().map(|(from, to)| format!("{from}-{to}")).collect();
        assert_eq!(self.ask(&format!("begin {}", spans.join(","))), "begun");
    }

    /// What has been counted.
    pub fn end(&mut self) -> Count {
        // The last words are still on their way.
        thread::sleep(4 * DELAY);
        let counted = self.ask("end");
        Count(serde_json::from_str(&counted).unwrap_or_else(|error| panic!("{error}: {counted}")))
    }

    fn ask(&mut self, command: &str) -> String {
        writeln!(self.commands, "{command}").expect("the line listens");
        self.hear()
    }

    fn hear(&mut self) -> String {
        let mut answer = String::new();
        self.answers.read_line(&mut answer).expect("the line answers");
        answer.trim_end().to_owned()
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

/// What a line has counted of one call.
pub struct Count(pub Value);

impl Count {
    /// From the near end's first packet to its last.
    pub fn seconds(&self) -> f64 {
        self.0["seconds"].as_f64().unwrap_or_default()
    }

    /// A count of both ways.
    pub fn both(&self, what: &str) -> u64 {
        ["near", "far"].iter().map(|way| self.0[way][what].as_u64().unwrap_or_default()).sum()
    }

    /// How often the near end said something after it had heard something.
    pub fn turns(&self) -> u64 {
        self.0["turns"].as_u64().unwrap_or_default()
    }

    /// Connections to the server's port over which the near end said anything.
    pub fn sessions(&self) -> u64 {
        self.0["sessions"].as_u64().unwrap_or_default()
    }

    /// TCP connections.
    pub fn connections(&self) -> u64 {
        self.0["connections"].as_u64().unwrap_or_default()
    }
}
