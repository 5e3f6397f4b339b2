//! The catalogue of refusals: what every command says to wrong, missing, huge, foreign, unreadable and unwritable things,
//! word for word in `tests/golden/refusals/`, a file for each command. `UPDATE_GOLDEN=1` writes them anew: read what has
//! changed as the person would who meets it.
//!
//! To add a case: make its scene and name it in the test of its command. To add a command: a file with a test that opens
//! and closes a [`catalogue::Catalogue`], and its name in [`CATALOGUES`].

mod bundles;
mod catalogue;
mod checks;
mod configuration;
mod foreign;
mod held;
mod homes;
mod init;
mod inspect;
mod masks;
mod merging;
mod packages;
mod queue;
mod relays;
mod remotes;
mod restore;
mod scenes;
mod service;
mod sets;
mod tree;
mod usage;

use std::collections::BTreeMap;

use super::golden::helps;
use crate::support::{Scene, files, golden};

/// Every catalogue, by its file's name without the ending.
const CATALOGUES: [&str; 16] = [
    "bundles",
    "checks",
    "configuration",
    "held",
    "homes",
    "init",
    "inspect",
    "merging",
    "packages",
    "queue",
    "relays",
    "remotes",
    "restore",
    "service",
    "sets",
    "usage",
];

#[test]
fn every_catalogue_has_a_test_and_every_command_cases() {
    if golden::is_updated() {
        return;
    }
    let folder = golden::folder().join("refusals");
    let kept: Vec<String> =
        files(&folder).iter().map(|file| file.file_stem().unwrap().to_string_lossy().into_owned()).collect();
    assert_eq!(kept, CATALOGUES, "one golden file for each catalogue");
    let all: String = files(&folder).iter().map(|file| std::fs::read_to_string(file).expect("a golden file")).collect();
    let mut commands = BTreeMap::new();
    helps(&Scene::new(), &[], &mut commands);
    for (name, help) in commands.iter().filter(|(_, help)| !help.contains("\nCommands:\n")) {
        let words = name.trim_end_matches(".help").replace('-', " ");
        // What clap refuses by itself is in the catalogue of usage for every command.
        let cases = all.lines().filter(|line| line.contains(&format!("$ {words}"))).count();
        assert!(cases >= 1, "{words} has {cases} cases: {help}");
    }
}
