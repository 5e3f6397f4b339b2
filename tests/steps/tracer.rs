//! Faults in the system calls of the real binary, by strace.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::{BINARY, Run, Scene};

/// Set by `scripts/test --require-servers`: what the tests need must be there.
const INSIST: &str = "PACKHORSE_TESTS_INSIST";

/// The calls that change files, or make it durable that they are changed.
const CALLS: [&str; 11] = [
    "openat",
    "write",
    "pwrite64",
    "fsync",
    "fdatasync",
    "rename",
    "renameat2",
    "unlink",
    "ftruncate",
    "mkdir",
    "fallocate",
];

/// What a call comes to: that one, or that and all later ones of its kind.
const ENDS: [(&str, &str); 4] = [("error=ENOSPC", ""), ("error=EIO", ""), ("signal=KILL", ""), ("error=ENOSPC", "+")];

/// A call that does not do what it should.
#[derive(Clone, Debug)]
pub struct Injected {
    call: &'static str,
    /// The how many-th call of its kind.
    number: usize,
    end: (&'static str, &'static str),
}

impl fmt::Display for Injected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:when={}{}", self.call, self.end.0, self.number, self.end.1)
    }
}

/// Whether strace is there and may trace. If not, that is said aloud: past the test harness, which keeps back what a
/// test says that passes.
pub fn can_trace() -> bool {
    let inject = "inject=fsync:error=EIO:when=9999";
    let words = ["-f", "-o", "/dev/null", "-e", "trace=fsync", "-e", inject, "true"];
    let tried = Command::new("strace").args(words).stderr(Stdio::null()).status();
    let can = tried.is_ok_and(|status| status.success());
    if !can {
        assert!(std::env::var_os(INSIST).is_none(), "strace is needed, and is not there or may not trace");
        let _ = writeln!(
            std::io::stderr(),
            "SKIPPED: strace is not there or may not trace: no system call is made to fail"
        );
    }
    can
}

fn traced(scene: &Scene, node: &str, words: &[&str], log: &Path, inject: Option<&Injected>) -> Run {
    let mut command = Command::new("strace");
    command.current_dir(scene.path("")).env_clear().stdin(Stdio::null());
    command.args(["-f", "-y", "-qq", "-o"]).arg(log).arg("-e").arg(format!("trace={}", CALLS.join(",")));
    if let Some(inject) = inject {
        command.arg("-e").arg(format!("inject={inject}"));
    }
    command.arg(BINARY).arg("--home").arg(scene.home(node)).args(words);
    scene.run(&mut command)
}

/// Every call of a run that changes something, failing in each way.
pub fn every(scene: &Scene, node: &str, words: &[&str]) -> Vec<Injected> {
    calls(scene, node, words).into_iter().flat_map(|(call, number, _)| failing(call, number)).collect()
}

/// The calls of a run that follow the first one of a name that is about something: the next three, failing in each way.
pub fn after(scene: &Scene, node: &str, words: &[&str], (name, about): (&str, &str)) -> Vec<Injected> {
    let calls = calls(scene, node, words);
    let first = calls.iter().position(|(call, _, line)| *call == name && line.contains(about)).expect("such a call");
    calls[first + 1..].iter().take(3).flat_map(|(call, number, _)| failing(call, *number)).collect()
}

fn failing(call: &'static str, number: usize) -> impl Iterator<Item = Injected> {
    ENDS.into_iter().map(move |end| Injected { call, number, end })
}

/// A run's calls that change something: each with the how many-th of its kind it is, and strace's line.
fn calls(scene: &Scene, node: &str, words: &[&str]) -> Vec<(&'static str, usize, String)> {
    let log = scene.path("calls");
    traced(scene, node, words, &log, None).calm();
    let mut made = BTreeMap::<&str, usize>::new();
    let mut found = Vec::new();
    for line in std::fs::read_to_string(&log).expect("strace's log").lines() {
        // PID, name, arguments.
        let told = line.split_whitespace().nth(1).unwrap_or_default();
        let Some(call) = CALLS.into_iter().find(|call| told.split('(').next() == Some(call)) else { continue };
        let number = made.entry(call).or_default();
        *number += 1;
        if call != "openat" || line.contains("O_CREAT") {
            found.push((call, *number, line.to_owned()));
        }
    }
    found
}

/// The calls of a run, in strace's words, without the process.
pub fn told(scene: &Scene, node: &str, words: &[&str]) -> Vec<String> {
    let log = scene.path("calls");
    traced(scene, node, words, &log, None).calm();
    let lines = std::fs::read_to_string(&log).expect("strace's log");
    lines.lines().filter_map(|line| Some(line.split_once(' ')?.1.trim_start().to_owned())).collect()
}

/// Runs the binary where a file cannot be opened.
pub fn run_without(scene: &Scene, node: &str, words: &[&str], file: &Path) -> Run {
    let mut command = Command::new("strace");
    command.current_dir(scene.path("")).env_clear().stdin(Stdio::null());
    command.args(["-f", "-qq", "-o", "/dev/null", "-e", "inject=openat:error=EIO", "-P"]).arg(file);
    command.arg(BINARY).arg("--home").arg(scene.home(node)).args(words);
    scene.run(&mut command).calm()
}

/// Runs the binary with a call that fails: it ends well or with a clear error, unless it was killed.
pub fn run(scene: &Scene, node: &str, words: &[&str], inject: &Injected) -> Run {
    let log = scene.path("calls");
    let run = traced(scene, node, words, &log, Some(inject)).calm();
    std::fs::remove_file(&log).expect("strace's log");
    let killed = inject.end.0 == "signal=KILL" && run.code == -1;
    assert!(killed || [0, 1, 3].contains(&run.code), "{inject}: {run:#?}");
    // Nobody can be told where nothing can be written.
    let can_tell = inject.call != "write" || inject.end.1.is_empty();
    if run.code == 1 && can_tell {
        assert!(run.err.lines().any(|line| line.starts_with("error: ")), "{inject}: {run:#?}");
    }
    run
}
