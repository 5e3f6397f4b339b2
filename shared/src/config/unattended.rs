//! The sections of `packhorse.toml` that say how a node works when nobody is there: `[watch]`, `[log]` and `[hooks]`.
//!
//! They are the node's own: no package or bundle carries them, so that no hub can have a command run at its remotes.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::de::{Error, SeqAccess, Visitor, value::SeqAccessDeserializer};
use serde::{Deserialize, Deserializer};

use super::quantity::Span;
use super::section::{filled, filled_path, not_zero, some_not_zero};

/// `[watch]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WatchConfig {
    /// How often what has arrived is applied.
    #[serde(deserialize_with = "not_zero")]
    pub apply_every: Span,
    /// How often bundles are moved, if the file says so: a hub and a remote have different defaults, see
    /// [`WatchConfig::transfer_every`].
    #[serde(deserialize_with = "some_not_zero")]
    pub transfer_every: Option<Span>,
}

impl WatchConfig {
    /// How often bundles are moved. A hub's relay is near and costs nothing; a remote's line is neither.
    pub fn transfer_every(&self, is_remote: bool) -> Span {
        self.transfer_every.unwrap_or(Span::minutes(if is_remote { 15 } else { 2 }))
    }
}

impl Default for WatchConfig {
    fn default() -> Self {
        Self { apply_every: Span::minutes(2), transfer_every: None }
    }
}

/// A part of the house that can be told of more or less than the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// Harvest, select and seal.
    Bundle,
    /// Moving bundles.
    Transfer,
    /// Open and merge.
    Apply,
    /// The service itself: its beginning and end, its turns, and whatever belongs to no other part.
    Watch,
}

/// How much is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// What keeps something from being done.
    Error,
    /// What is not as it should be, too.
    Warn,
    /// What happens, too.
    #[default]
    Info,
    /// What matters only to somebody who looks closely, too.
    Debug,
    /// Everything.
    Trace,
}

impl Level {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// How a line of the log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// When a new log file is begun.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rotate {
    /// Every hour.
    Hourly,
    /// Every day.
    #[default]
    Daily,
    /// Every week.
    Weekly,
    /// Never.
    Never,
}

/// `[log]`: what `watch` tells, and where.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// The file, relative to the home; standard error if none is named.
    #[serde(deserialize_with = "some_filled_path")]
    pub file: Option<PathBuf>,
    /// How a line is written.
    pub format: LogFormat,
    /// How much is told.
    pub level: Level,
    /// How much is told of single parts.
    pub levels: BTreeMap<Part, Level>,
    /// When a new file is begun.
    pub rotate: Rotate,
    /// How many files are kept, if a new one is begun from time to time; at least one.
    #[serde(deserialize_with = "at_least_one")]
    pub keep: usize,
}

impl Default for LogConfig {
    fn default() -> Self {
        let (format, level, levels) = (LogFormat::default(), Level::default(), BTreeMap::new());
        Self { file: None, format, level, levels, rotate: Rotate::default(), keep: 14 }
    }
}

/// A command of the user's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HookCommand {
    /// A line for the system's shell.
    Shell(String),
    /// A program and its arguments.
    Program(Vec<String>),
}

/// `[hooks]`: commands of the user's own that run at certain moments.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HooksConfig {
    /// Before a `sync`, and before a transfer by the service's clock.
    #[serde(deserialize_with = "some_command")]
    pub before_sync: Option<HookCommand>,
    /// After changes of others were applied to the database.
    #[serde(deserialize_with = "some_command")]
    pub after_apply: Option<HookCommand>,
    /// How long each may take before it is ended.
    #[serde(deserialize_with = "not_zero")]
    pub time_limit: Span,
}

impl Default for HooksConfig {
    fn default() -> Self {
        Self { before_sync: None, after_apply: None, time_limit: Span::minutes(1) }
    }
}

fn some_filled_path<'de, D: Deserializer<'de>>(from: D) -> Result<Option<PathBuf>, D::Error> {
    filled_path(from).map(Some)
}

fn at_least_one<'de, D: Deserializer<'de>>(from: D) -> Result<usize, D::Error> {
    let keep = usize::try_from(i64::deserialize(from)?).unwrap_or_default();
    if keep == 0 { Err(Error::custom("it must be at least 1")) } else { Ok(keep) }
}

/// Reads a text, for the shell, or a list of texts.
pub(super) fn some_command<'de, D: Deserializer<'de>>(from: D) -> Result<Option<HookCommand>, D::Error> {
    struct Command;

    impl<'de> Visitor<'de> for Command {
        type Value = HookCommand;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a command line, or a list of a program and its arguments")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<HookCommand, E> {
            filled(text.to_owned()).map(HookCommand::Shell)
        }

        fn visit_seq<A: SeqAccess<'de>>(self, values: A) -> Result<HookCommand, A::Error> {
            let words = Vec::<String>::deserialize(SeqAccessDeserializer::new(values))?;
            let Some(program) = words.first() else { return Err(A::Error::custom("the list is empty")) };
            filled::<A::Error>(program.clone())?;
            if words.iter().any(|word| word.contains('\0')) {
                return Err(A::Error::custom("it holds a zero byte"));
            }
            Ok(HookCommand::Program(words))
        }
    }

    from.deserialize_any(Command).map(Some)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::{Config, set_accept};

    const NODE: &str = "[node]\nname = \"hq\"\ndatabase = \"../crm.db\"\n";

    fn parse(sections: &str) -> Result<Config, String> {
        Config::parse(Path::new("packhorse.toml"), &format!("{NODE}{sections}")).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_written_is_read() {
        let config = parse(
            "[log]\nfile = \"log/a.log\"\nformat = \"json\"\nlevel = \"warn\"\nlevels = { apply = \"trace\" }\n\
             rotate = \"weekly\"\nkeep = 3\n\
             [hooks]\nbefore_sync = \"a | b\"\nafter_apply = [\"c\", \"\"]\ntime_limit = \"5 s\"\n",
        );
        let Config { log, hooks, .. } = config.unwrap();
        assert_eq!((log.file.as_deref(), log.format), (Some(Path::new("log/a.log")), LogFormat::Json));
        assert_eq!((log.level, log.levels), (Level::Warn, BTreeMap::from([(Part::Apply, Level::Trace)])));
        assert_eq!((log.rotate, log.keep), (Rotate::Weekly, 3));
        assert_eq!(hooks.before_sync, Some(HookCommand::Shell("a | b".to_owned())));
        assert_eq!(hooks.after_apply, Some(HookCommand::Program(vec!["c".to_owned(), String::new()])));
        assert_eq!(hooks.time_limit.to_string(), "5 s");
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_its_line() {
        let cases = [
            ("[log]\nkeep = 0", "at least 1"),
            ("[log]\nkeep = -7", "at least 1"),
            ("[log]\nformat = \"xml\"", "xml"),
            ("[log]\nfile = \"log/\\u0000\"", "zero byte"),
            ("[log]\nlevels = { harvest = \"info\" }", "harvest"),
            ("[hooks]\nbefore_sync = \"\"", "it is empty"),
            ("[hooks]\nafter_apply = []", "the list is empty"),
            ("[hooks]\nafter_apply = [\" \", \"x\"]", "it is empty"),
            ("[hooks]\nafter_apply = [\"x\", \"\\u0000\"]", "zero byte"),
            ("[hooks]\nafter_apply = 7", "a command line, or a list"),
            ("[hooks]\ntime_limit = \"0 s\"", "more than zero"),
            ("[hooks]\nafter_sync = \"x\"", "after_sync"),
        ];
        for (sections, words) in cases {
            let refused = parse(sections).unwrap_err();
            assert!(refused.contains(words) && refused.contains("line 5"), "{sections}: {refused}");
        }
    }

    #[test]
    fn the_switch_of_accepting_leaves_the_rest_of_the_file_alone() {
        let text = format!("{NODE}relay = \"r\"     # ours\n\n# the end\n");
        let off = set_accept(&text, false).unwrap();
        let config = Config::parse(Path::new("packhorse.toml"), &off).unwrap();
        assert!(!config.node.accept && off.contains("# ours") && off.contains("# the end"), "{off}");
        assert_eq!(set_accept(&off, false).unwrap(), off);
        assert_eq!(set_accept(&off, true).unwrap(), text);
        assert_eq!(set_accept(&text, true).unwrap(), text);
        let said = format!("{NODE}accept = true  # said\n");
        assert!(set_accept(&said, false).unwrap().contains("accept = false  # said"));
    }
}
