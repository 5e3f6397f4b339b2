//! The benches' options: `--quick`, `--rows N`, `--remotes N`, `--repeat N`, `--disk DIR`, `--memory DIR`, `--only PART`.

use std::path::{Path, PathBuf};

/// What a bench was asked for.
#[derive(Clone, Debug)]
pub struct Options {
    /// Records inserted and updated; a tenth of them is deleted.
    pub rows: u64,
    /// Rows of the harvest and look-up parts.
    pub large: u64,
    /// Remotes of a hub.
    pub remotes: u64,
    /// How often each figure is measured.
    pub repeat: usize,
    /// A folder in memory, if there is one.
    pub memory: Option<PathBuf>,
    /// A folder on the disk.
    pub disk: PathBuf,
    /// Only the parts whose name begins so.
    pub only: Option<String>,
}

impl Options {
    /// Reads the command line; what is not known ends the bench with a word on it.
    pub fn read() -> Self {
        let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench");
        let shared_memory = Path::new("/dev/shm");
        let mut options = Self {
            rows: 200_000,
            large: 1_000_000,
            remotes: 1_000,
            repeat: 3,
            memory: shared_memory.is_dir().then(|| shared_memory.to_owned()),
            disk: target,
            only: None,
        };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            options.take(&word, &mut || words.next().unwrap_or_else(|| stop(&format!("{word} needs a value"))));
        }
        options
    }

    fn take(&mut self, word: &str, value: &mut dyn FnMut() -> String) {
        match word {
            // Cargo's own word to a bench.
            "--bench" => {}
            "--quick" => (self.rows, self.large, self.remotes, self.repeat) = (20_000, 50_000, 100, 3),
            "--rows" => self.rows = number(&value()),
            "--remotes" => self.remotes = number(&value()),
            "--large" => self.large = number(&value()),
            "--repeat" => self.repeat = number(&value()).max(1) as usize,
            "--memory" => self.memory = Some(value().into()),
            "--disk" => self.disk = value().into(),
            "--only" => self.only = Some(value()),
            other => stop(&format!("the bench does not know {other}")),
        }
    }

    /// Whether a part was asked for.
    pub fn wants(&self, part: &str) -> bool {
        self.only.as_ref().is_none_or(|only| part.starts_with(only.as_str()))
    }

    /// Where databases are put: (what to call it, folder).
    pub fn places(&self) -> Vec<(&'static str, PathBuf)> {
        let memory = self.memory.clone().map(|folder| ("memory", folder));
        memory.into_iter().chain([("disk", self.disk.clone())]).collect()
    }

    /// The quietest place there is.
    pub fn best_place(&self) -> PathBuf {
        self.memory.clone().unwrap_or_else(|| self.disk.clone())
    }
}

fn number(text: &str) -> u64 {
    text.replace('_', "").parse().unwrap_or_else(|_| stop(&format!("{text} is no number")))
}

fn stop(words: &str) -> ! {
    eprintln!("{words}");
    std::process::exit(2)
}
