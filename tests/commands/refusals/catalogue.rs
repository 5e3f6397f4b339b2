//! A catalogue: cases of one command, run in order, told in one golden file.
//!
//! Owns what each case owes to the person who meets it, whatever its words: an exit status for what it is, nothing on
//! standard output where nothing was done, no inside of the program, no control characters, no flood, and nothing left
//! behind by wrong usage.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use super::masks::{masked, shortened};
use super::tree::Tree;
use crate::support::{Run, Scene, golden};

/// The most that a person is given to read, in bytes: what was typed may be far longer.
const SAID_MAX: usize = 8_000;

/// The longest line.
const LINE_MAX: usize = 2_000;

/// The cases of one command.
pub struct Catalogue {
    name: &'static str,
    text: String,
    faults: Vec<String>,
}

/// One case, before it is run.
pub struct Case<'c> {
    book: &'c mut Catalogue,
    scene: &'c Scene,
    node: Option<&'c str>,
    environment: Vec<(&'c str, &'c str)>,
    tells: bool,
}

impl Catalogue {
    /// An empty one.
    pub fn of(name: &'static str) -> Self {
        Self { name, text: String::new(), faults: Vec::new() }
    }

    /// A case in a scene's folder.
    pub fn case<'c>(&'c mut self, scene: &'c Scene) -> Case<'c> {
        Case { book: self, scene, node: None, environment: Vec::new(), tells: false }
    }

    /// A case at a node: its home is named by the environment, which is not told again in every case.
    pub fn at<'c>(&'c mut self, scene: &'c Scene, node: &'c str) -> Case<'c> {
        Case { node: Some(node), ..self.case(scene) }
    }

    /// Cases at a node (at none, if its name is empty), each with what it is about and the words that are typed.
    pub fn cases(&mut self, scene: &Scene, node: &str, cases: &[(&str, &[&str])]) {
        for (what, words) in cases {
            let case = if node.is_empty() { self.case(scene) } else { self.at(scene, node) };
            case.typed(what, words);
        }
    }

    /// Compares it with its golden file.
    #[track_caller]
    pub fn close(self) {
        let differing = golden::compare(&format!("refusals/{}.txt", self.name), &self.text);
        let faults = self.faults.into_iter().chain(differing).collect::<Vec<_>>();
        assert!(faults.is_empty(), "{}\nUPDATE_GOLDEN=1 accepts other words", faults.join("\n"));
    }
}

impl<'c> Case<'c> {
    /// With this in the environment.
    pub fn with(mut self, name: &'c str, value: &'c str) -> Self {
        self.environment.push((name, value));
        self
    }

    /// What it found is a result, although it ends with a failure's status.
    pub fn with_a_result(self) -> Self {
        Self { tells: true, ..self }
    }

    /// Runs it: what it is about, and the words that are typed.
    pub fn typed(self, what: &str, words: &[impl AsRef<OsStr>]) {
        let words: Vec<OsString> = words.iter().map(|word| word.as_ref().to_owned()).collect();
        let folder = self.scene.path("");
        let before = Tree::of(&folder);
        let run = self.run(&words);
        let changes = Tree::of(&folder).changes_since(&before);
        let told = self.told(what, &words, &run, &changes);
        let wrong = self.wrong(&run, &changes);
        self.book.faults.extend(wrong.iter().map(|wrong| format!("{what}: {wrong}\n{told}")));
        self.book.text.push_str(&told);
    }

    fn run(&self, words: &[OsString]) -> Run {
        let mut command = self.scene.command();
        command.env("COLUMNS", "100").args(words);
        if let Some(node) = self.node {
            command.env("PACKHORSE_HOME", format!("{node}.home"));
        }
        command.envs(self.environment.iter().copied());
        self.scene.run(&mut command)
    }

    fn told(&self, what: &str, words: &[OsString], run: &Run, changes: &[String]) -> String {
        let folder = self.scene.path("");
        let mut told = format!("# {}\n{}$ ", masked(what, &folder), self.node.unwrap_or_default());
        self.environment.iter().for_each(|(name, value)| told.push_str(&format!("{name}={value} ")));
        let typed: Vec<String> = words.iter().map(|word| as_typed(word)).collect();
        told.push_str(masked(&format!("packhorse {}", typed.join(" ")), &folder).trim_end());
        for (stream, text) in [("out", &run.out), ("err", &run.err)] {
            let lines = masked(text, &folder);
            lines.lines().for_each(|line| told.push_str(format!("\n{stream}| {line}").trim_end_matches(' ')));
        }
        changes.iter().for_each(|change| told.push_str(&format!("\nleft {}", masked(change, &folder))));
        format!("{told}\nexit {}\n\n", run.code)
    }

    /// What the run owed and did not give.
    fn wrong(&self, run: &Run, changes: &[String]) -> Vec<String> {
        let failed = [1, 2, 4].contains(&run.code);
        let is_help = run.err.contains("\nUsage: packhorse") && !run.err.starts_with("error: ");
        let owed = [
            ((1..=5).contains(&run.code), "it is no refusal"),
            (!failed || self.tells || run.out.is_empty(), "it failed and has a result"),
            (
                !failed || self.tells || is_help || run.err.lines().any(|line| line.starts_with("error: ")),
                "no error is told",
            ),
            (run.restless().is_none(), "it shows its inside or a control character"),
            (run.err.len() <= SAID_MAX, "it says too much"),
            (run.err.lines().all(|line| line.len() <= LINE_MAX), "a line is too long"),
            (run.code != 2 || changes.is_empty(), "it was refused and left something"),
        ];
        owed.into_iter().filter(|(given, _)| !given).map(|(_, wrong)| wrong.to_owned()).collect()
    }
}

/// A word as a shell takes it; a very long one by its beginning, its length and its end.
fn as_typed(word: &OsStr) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=,@%+".contains(&byte);
    let bytes = word.as_bytes();
    match word.to_str() {
        Some(text) if !text.is_empty() && bytes.iter().copied().all(plain) => shortened(text),
        Some(text) if !text.chars().any(char::is_control) => format!("'{}'", shortened(text)),
        _ => format!("$'{}'", bytes.escape_ascii()),
    }
}
