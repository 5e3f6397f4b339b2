//! What every refusal owes to the person who meets it.

use super::Run;

/// What only the program's inside looks like: a panic, and structures as Rust prints them.
const INSIDE: [&str; 9] =
    ["panicked", "RUST_BACKTRACE", "Some(", "Err(", "Os {", "kind:", "source:", "Error {", "unwrap"];

impl Run {
    /// The run, which must have ended with this status and one clear message: `error: ` first, a few lines, each of
    /// these words in it (the thing, and what to do next), nothing on standard output.
    #[track_caller]
    pub fn refused(self, code: i32, words: &[&str]) -> Self {
        let run = self.expect(code).calm();
        assert!(run.err.starts_with("error: "), "{run:#?}");
        assert!(run.err.lines().count() <= 5, "{run:#?}");
        assert_eq!(run.out, "", "{run:#?}");
        words.iter().for_each(|word| assert!(run.err.contains(word), "expected {word:?} in {run:#?}"));
        run
    }

    /// The run, which must not have shown its inside, nor sent the terminal a control character.
    #[track_caller]
    pub fn calm(self) -> Self {
        assert_eq!(self.restless(), None, "{self:#?}");
        self
    }

    /// What of its inside it has shown, or which control character it has sent.
    pub fn restless(&self) -> Option<String> {
        let inside = INSIDE.iter().find(|inside| self.err.contains(**inside)).map(|inside| format!("{inside:?}"));
        let mut said = self.out.chars().chain(self.err.chars());
        inside.or_else(|| said.find(|c| c.is_control() && *c != '\n').map(|c| format!("the character {c:?}")))
    }
}
