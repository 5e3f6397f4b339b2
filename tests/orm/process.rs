//! The application's processes: one at each node, which keeps its connection to the database over all syncs.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

/// What it runs.
const AT_WORK: &str = include_str!("at_work.py");

/// One of them; ended when it is dropped.
pub struct Process {
    child: Child,
    scripts: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Process {
    /// Starts one with `manage.py`, whose words are still to come.
    pub fn start(manage: &mut Command) -> Self {
        let piped = manage.args(shell(AT_WORK)).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = piped.spawn().expect("the application starts");
        let scripts = child.stdin.take().expect("a pipe");
        let answers = BufReader::new(child.stdout.take().expect("a pipe"));
        Self { child, scripts, answers }
    }

    /// Lets it do something; what it prints.
    #[track_caller]
    pub fn does(&mut self, script: &str) -> String {
        writeln!(self.scripts, "{}", json!(with_names(script))).expect("the application runs");
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("the application answers");
        let answer: Value = serde_json::from_str(&line).expect("an answer");
        assert!(answer[1].is_null(), "{script}: {}", answer[1].as_str().unwrap_or_default());
        answer[0].as_str().expect("text").trim_end().to_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The words for `manage.py` that run a script.
pub fn shell(script: &str) -> [&str; 5] {
    ["shell", "-v", "0", "-c", script]
}

/// A script with the application's names.
pub fn with_names(script: &str) -> String {
    format!(
        "import io\nfrom django.contrib.contenttypes.models import ContentType\n\
         from django.core.management import call_command\nfrom trade.report import inspect, tell\n\
         from trade.work import *\n{script}"
    )
}
