//! Where the service tells what happens: a file of its own, or standard error.
//!
//! Owns how `[log]` becomes filter, form and place; [`kept`] removes old files. Invariant: what cannot be set up is told
//! before the service begins.

mod kept;

use std::io;
use std::path::{Path, PathBuf};

use packhorse_shared::config::{Level, LogConfig, LogFormat, Part, Rotate};
use packhorse_shared::seam::Disk;
use tracing_appender::rolling::Rotation;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use self::kept::KeptLog;
use crate::failure::Failure;
use crate::journal;
use crate::node::Node;
use crate::report;

/// From now on what happens is told in the log.
pub fn start(node: &Node, verbose: u8) -> Result<(), Failure> {
    let log = &node.config.log;
    let Some(file) = &log.file else {
        start_on_stderr(log, verbose);
        return Ok(());
    };
    let writer = appender(node.world.disk, &node.home.folder().join(file), log)?;
    start_with(log.format, report::log_filter(&directives(log, verbose)), writer, false);
    journal::speak_in_log();
    Ok(())
}

/// The same on standard error, whatever file the configuration names: that is another service's.
pub fn start_on_stderr(log: &LogConfig, verbose: u8) {
    start_with(log.format, report::log_filter(&directives(log, verbose)), io::stderr, report::has_colour());
    journal::speak_in_log();
}

fn start_with<W>(format: LogFormat, filter: EnvFilter, writer: W, colour: bool)
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    // A line that cannot be written (the disk is full, nobody reads any more) would be told on standard error, and where that
    // is the log itself, end the service.
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer).with_ansi(colour);
    let log = log.log_internal_errors(false);
    match format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().flatten_event(true).with_current_span(false).with_span_list(false).init(),
    }
}

/// The levels of all parts. What a part's libraries tell has the part's level.
fn directives(log: &LogConfig, verbose: u8) -> String {
    let level = match verbose {
        0 => log.level,
        1 => log.level.max(Level::Debug),
        _ => Level::Trace,
    };
    let mut directives = format!("{},sled=off,notify=warn", level.name());
    for (part, level) in &log.levels {
        for target in targets(*part) {
            directives.push_str(&format!(",{target}={}", level.name()));
        }
    }
    directives
}

fn targets(part: Part) -> &'static [&'static str] {
    match part {
        Part::Bundle => &["bundle", "packhorse_bundler", "packhorse_shared"],
        Part::Transfer => &["transfer", "packhorse_transport"],
        Part::Apply => &["apply", "packhorse_unbundler"],
        Part::Watch => &["watch", "packhorse"],
    }
}

fn appender(disk: &dyn Disk, file: &Path, log: &LogConfig) -> Result<KeptLog, Failure> {
    let folder = file.parent().map_or_else(PathBuf::new, Path::to_owned);
    disk.create_folder(&folder).map_err(|error| Failure::file("make the folder of the log", &folder, &error))?;
    let (rotation, keep) = match log.rotate {
        Rotate::Hourly => (Rotation::HOURLY, Some(log.keep)),
        Rotate::Daily => (Rotation::DAILY, Some(log.keep)),
        Rotate::Weekly => (Rotation::WEEKLY, Some(log.keep)),
        Rotate::Never => (Rotation::NEVER, None),
    };
    KeptLog::begin(file, rotation, keep).map_err(|error| {
        let source = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
        Failure::file("write the log", file, &io::Error::other(format!("{error} {source}")))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn each_part_has_its_level_and_more_is_told_if_asked_for() {
        let levels = BTreeMap::from([(Part::Transfer, Level::Debug)]);
        let log = LogConfig { level: Level::Warn, levels, ..LogConfig::default() };
        assert_eq!(directives(&log, 0), "warn,sled=off,notify=warn,transfer=debug,packhorse_transport=debug");
        assert!(directives(&log, 1).starts_with("debug,"));
        assert!(directives(&log, 2).starts_with("trace,"));
    }
}
