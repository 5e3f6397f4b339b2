//! The help of every command, word for word: what is typed and read every day changes on purpose only.
//!
//! `UPDATE_GOLDEN=1` writes the files anew.

use std::collections::BTreeMap;

use crate::support::{Scene, files, golden};

/// The help of a command and of those below it, by golden file name.
pub(super) fn helps(scene: &Scene, words: &[String], found: &mut BTreeMap<String, String>) {
    let run = scene.run(scene.command().env("COLUMNS", "100").args(words).arg("--help")).expect(0);
    assert_eq!(run.err, "", "help is a result");
    for command in commands_in(&run.out) {
        let below = [words, &[command]].concat();
        helps(scene, &below, found);
    }
    let name = ["packhorse".to_owned()].iter().chain(words).cloned().collect::<Vec<_>>().join("-");
    found.insert(format!("{name}.help"), run.out);
}

/// The commands that a help lists; `help` itself is clap's own.
fn commands_in(help: &str) -> Vec<String> {
    let section = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names = section.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help").map(str::to_owned).collect()
}

/// The golden files of helps.
fn kept() -> Vec<std::path::PathBuf> {
    files(&golden::folder()).into_iter().filter(|file| file.extension().is_some_and(|end| end == "help")).collect()
}

#[test]
fn the_help_of_every_command_is_what_its_golden_file_says() {
    let mut helps_found = BTreeMap::new();
    helps(&Scene::new(), &[], &mut helps_found);
    if golden::is_updated() {
        kept().iter().for_each(|file| std::fs::remove_file(file).expect("an old golden file"));
    }
    let differing: Vec<String> = helps_found.iter().filter_map(|(name, help)| golden::compare(name, help)).collect();
    assert!(differing.is_empty(), "{}\nUPDATE_GOLDEN=1 accepts this", differing.join("\n"));
    let kept: Vec<String> =
        kept().iter().map(|file| file.file_name().unwrap().to_string_lossy().into_owned()).collect();
    assert_eq!(kept, helps_found.keys().cloned().collect::<Vec<_>>(), "one golden file per command");
}

#[test]
fn every_help_begins_with_what_the_command_does_and_shows_its_examples_or_commands() {
    let mut helps_found = BTreeMap::new();
    helps(&Scene::new(), &[], &mut helps_found);
    for (name, help) in helps_found {
        let first = help.lines().next().unwrap_or_default();
        assert!(first.starts_with(char::is_uppercase) && !first.ends_with('.'), "{name}: {first}");
        let teaches = ["Examples:", "Commands:"].iter().any(|part| help.contains(part));
        assert!(teaches, "{name}");
    }
}
