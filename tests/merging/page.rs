//! `packhorse help merge`: every example of the page comes out as it stands there.

use super::{come_to_rest, configure};
use crate::support::Scene;

const SCHEMA: &str = "
    CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, phone TEXT, street TEXT, city TEXT, rep TEXT, credit INTEGER);
    CREATE TABLE visits (id INTEGER PRIMARY KEY, person INTEGER REFERENCES people(id), text TEXT);
    CREATE TABLE codes (code TEXT PRIMARY KEY, number INTEGER UNIQUE);
    INSERT INTO people VALUES (1, 'Ada', '010', 'Mill Lane', 'York', 'alice', 100);";

/// A section's lines, without the indentation of an example.
struct Example<'p> {
    lines: Vec<&'p str>,
}

impl Example<'_> {
    fn play(&self) {
        let settings = self.lines.iter().filter_map(|line| line.strip_prefix("packhorse.toml: "));
        let settings = settings.collect::<Vec<_>>().join("\n");
        let scene = Scene::hub(SCHEMA);
        configure(&scene, &settings);
        match settings.contains("set.crm") {
            false => scene.remote("alice"),
            true => {
                scene.packhorse("hq", &["remote", "add", "alice", "--set", "crm"]).expect(0);
                scene.pack_and_restore("alice");
            }
        }
        let mut told: Vec<String> = Vec::new();
        for line in &self.lines {
            if let Some(expected) = line.strip_prefix("  ") {
                assert!(!told.is_empty(), "nothing was said where {expected:?} is expected");
                assert!(
                    is_as_told(expected, &told.remove(0)),
                    "expected {expected:?}, and then {told:#?}: {:#?}",
                    self.lines
                );
                continue;
            }
            assert!(told.is_empty(), "this was said as well: {told:#?}");
            if *line == "sync" {
                come_to_rest(&scene, &["hq", "alice"]);
            } else if let Some((node, typed)) = line.split_once("$ ") {
                std::thread::sleep(std::time::Duration::from_millis(3));
                told = typed_at(&scene, node, typed).lines().map(str::to_owned).collect();
            }
        }
        assert!(told.is_empty(), "this was said as well: {told:#?}");
    }
}

fn typed_at(scene: &Scene, node: &str, typed: &str) -> String {
    let Some(words) = typed.strip_prefix("packhorse ") else { return scene.sql(node, typed) };
    let run = scene.packhorse(node, &words.split(' ').collect::<Vec<_>>());
    assert!([0, 3].contains(&run.code), "{run:#?}");
    if words == "sync" { String::new() } else { run.out }
}

/// "..." stands for anything.
fn is_as_told(expected: &str, told: &str) -> bool {
    let mut rest = told;
    for (at, part) in expected.split("...").enumerate() {
        let Some(found) = rest.find(part).filter(|found| at > 0 || *found == 0) else { return false };
        rest = &rest[found + part.len()..];
    }
    rest.is_empty() || expected.ends_with("...")
}

#[test]
fn every_example_of_the_page_comes_out_as_it_stands_there() {
    let page = Scene::new().bare(&["merge"]).expect(0).out;
    let help = Scene::new().bare(&["help", "merge"]).expect(0).out;
    assert!(help.contains(page.trim_end()), "the help shows the page");
    let mut played = 0;
    for section in page.split("\n\n").skip(2) {
        let lines: Vec<&str> = section.lines().filter_map(|line| line.strip_prefix("  ")).collect();
        if !lines.is_empty() {
            Example { lines }.play();
            played += 1;
        }
    }
    assert_eq!(played, 11);
}
