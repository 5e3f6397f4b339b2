//! Absent remotes cost rows, not edits: what nobody fetches gives way to one fresh run.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use crate::support::{Scene, files, text};

const CRM: &str = "CREATE TABLE contacts (id INTEGER PRIMARY KEY, name TEXT, phone TEXT, note TEXT);
INSERT INTO contacts SELECT value, 'name ' || value, 'phone ' || value, hex(randomblob(20)) FROM generate_series(1, 200)";

/// A hub that supersedes what lies unfetched at all, and alice, who has been there once.
fn pair() -> Scene {
    let scene = patient_pair();
    set(&scene, "hq", "supersede_after", "1 ms");
    scene
}

fn patient_pair() -> Scene {
    let scene = Scene::hub(CRM);
    scene.remote("alice");
    scene.settle("alice");
    scene
}

/// Sets a quantity under `[bundle]` that is commented out.
fn set(scene: &Scene, node: &str, key: &str, value: &str) {
    let path = scene.home(node).join("packhorse.toml");
    let config = fs::read_to_string(&path).unwrap();
    let line = config.lines().find(|line| line.starts_with(&format!("# {key} ="))).expect("a commented default");
    fs::write(&path, config.replace(line, &format!("{key} = \"{value}\""))).unwrap();
}

fn mailbox(scene: &Scene) -> Vec<PathBuf> {
    files(&scene.path("relay/alice/down"))
}

fn bytes(files: &[PathBuf]) -> u64 {
    files.iter().map(|file| fs::metadata(file).unwrap().len()).sum()
}

/// A day at the hub: the same few fields are edited, and sent.
fn day(scene: &Scene, number: u32) {
    scene.sql("hq", &format!("UPDATE contacts SET phone = '{number}', note = 'day {number}' WHERE id <= 5"));
    scene.sync("hq");
}

#[track_caller]
fn comes_back(scene: &Scene) {
    for node in ["alice", "hq", "alice", "hq"] {
        scene.sync(node);
    }
    scene.same("contacts", "hq", "alice");
    for node in ["hq", "alice"] {
        let link = scene.packhorse(node, &["status", "--json"]).json()["links"][0].clone();
        let waits = (&link["pending_changes"], &link["unacknowledged"], &link["outbox"]["bundles"]);
        assert_eq!(waits, (&0.into(), &0.into(), &0.into()), "{link}");
        for folder in ["tmp", "inbox", "quarantine"] {
            assert_eq!(files(&scene.home(node).join(folder)), Vec::<PathBuf>::new());
        }
    }
    assert_eq!(mailbox(scene), Vec::<PathBuf>::new());
}

#[test]
fn a_laptop_back_after_three_months_gets_the_latest_value_of_each_changed_field_once() {
    let (scene, naive) = (pair(), patient_pair());
    for number in 0..90 {
        day(&scene, number);
        assert_eq!(mailbox(&scene).len(), 1, "day {number}");
        day(&naive, number);
    }
    assert_eq!(mailbox(&naive).len(), 90, "within its time nothing is superseded");
    let (one, ninety) = (bytes(&mailbox(&scene)), bytes(&mailbox(&naive)));
    assert!(one * 60 < ninety, "{one} bytes against {ninety}");
    let told = scene.inspect(&["--json"], &mailbox(&scene)[0]).expect(0).json();
    assert_eq!((&told["records"], &told["fields"]), (&5.into(), &10.into()));
    let status = scene.packhorse("hq", &["status", "--json"]).json();
    assert_eq!(status["links"][0]["unacknowledged"], 1, "what was superseded is not waited for");
    scene.packhorse("alice", &["sync"]).expect(0).says("received 1 bundle ");
    assert_eq!(scene.sql("alice", "SELECT note FROM contacts WHERE id = 5"), "day 89");
    comes_back(&scene);
    comes_back(&naive);
}

#[test]
fn without_anything_new_a_mailbox_is_not_written_again() {
    let scene = pair();
    day(&scene, 1);
    let before = mailbox(&scene);
    for _ in 0..3 {
        scene.sync("hq");
    }
    assert_eq!(mailbox(&scene), before);
    // Two of them become one all the same.
    set(&scene, "hq", "seal_at", "1 B");
    let config = scene.home("hq").join("packhorse.toml");
    let impatient = fs::read_to_string(&config).unwrap();
    fs::write(&config, impatient.replace("supersede_after", "# supersede_after")).unwrap();
    day(&scene, 2);
    assert_eq!(mailbox(&scene).len(), 2);
    fs::write(&config, impatient).unwrap();
    scene.sync("hq");
    assert_eq!(mailbox(&scene).len(), 1);
    comes_back(&scene);
}

#[test]
fn a_backlog_in_several_parts_is_superseded_as_a_whole() {
    let scene = pair();
    set(&scene, "hq", "bundle_max", "4 KiB");
    let backlog = |word: &str| {
        for part in 0..5 {
            scene.sql(
                "hq",
                &format!("UPDATE contacts SET note = '{word}' || hex(randomblob(20)) WHERE id % 5 = {part}"),
            );
            scene.packhorse("hq", &["bundle"]).expect(0);
        }
        scene.sync("hq");
        mailbox(&scene)
    };
    let first = backlog("a");
    assert!(first.len() > 3, "{first:?}");
    let second = backlog("b");
    assert!(second.len() > 3 && second.len() < 2 * first.len(), "{second:?}");
    assert!(second.iter().all(|file| !first.contains(file)));
    comes_back(&scene);
}

#[test]
fn an_old_bundle_that_is_half_fetched_completes_if_it_is_there_and_is_let_go_if_not() {
    for superseded in [false, true] {
        let scene = pair();
        day(&scene, 1);
        let old = mailbox(&scene).remove(0);
        let content = fs::read(&old).unwrap();
        let part = scene.home("alice").join("tmp").join(old.file_name().unwrap());
        fs::write(&part, &content[..content.len() / 2]).unwrap();
        if superseded {
            day(&scene, 2);
            assert!(!old.exists());
        }
        scene.sync("alice");
        assert!(!part.exists());
        comes_back(&scene);
    }
}

#[test]
fn a_bundle_whose_run_was_killed_before_it_reached_the_inbox_is_not_let_go() {
    let scene = patient_pair();
    day(&scene, 1);
    let old = mailbox(&scene).remove(0);
    fs::rename(&old, scene.home("alice").join("tmp").join(old.file_name().unwrap())).unwrap();
    scene.sync("alice");
    scene.same("contacts", "hq", "alice");
    comes_back(&scene);
}

#[test]
fn who_holds_a_part_of_a_bundle_tells_its_sender() {
    let scene = Scene::hub(CRM);
    scene.remote("alice");
    day(&scene, 1);
    let old = mailbox(&scene).remove(0);
    let content = fs::read(&old).unwrap();
    let part = scene.home("alice").join("tmp").join(old.file_name().unwrap());
    fs::write(&part, &content[..content.len() / 2]).unwrap();
    scene.packhorse("alice", &["transfer", "--for", "0 s"]).expect(5);
    scene.packhorse("alice", &["bundle"]).expect(0);
    assert_eq!(scene.outbox("alice", "hq").len(), 1, "an acknowledgement is owed");
    scene.sync("alice");
    comes_back(&scene);
}

/// As a kill leaves it: the old ones still in the outbox beside those that replace them; or all of them on the relay.
#[test]
fn a_superseding_run_that_was_killed_in_between_is_completed_by_the_next() {
    let scene = pair();
    let relay = scene.path("relay");
    let away = scene.path("away");
    fs::rename(&relay, &away).unwrap();
    let seal = |number: u32| {
        scene.sql("hq", &format!("UPDATE contacts SET note = 'day {number}' WHERE id <= 5"));
        scene.packhorse("hq", &["bundle", "--now"]).expect(0);
        scene.outbox("hq", "alice")
    };
    let old = seal(1).remove(0);
    let content = fs::read(&old).unwrap();
    assert_eq!(seal(2).len(), 1, "superseded in the outbox");
    assert!(!old.exists());
    fs::write(&old, &content).unwrap();
    fs::rename(&away, &relay).unwrap();
    let on_relay = relay.join("alice/down").join(old.file_name().unwrap());
    fs::write(&on_relay, &content).unwrap();
    scene.packhorse("hq", &["transfer"]).expect(0);
    assert!(!on_relay.exists() && mailbox(&scene).len() == 1);
    scene.packhorse("hq", &["bundle"]).expect(0);
    assert_eq!(scene.outbox("hq", "alice"), Vec::<PathBuf>::new());
    comes_back(&scene);
}

#[test]
fn what_is_replaced_stays_in_the_outbox_until_all_that_replaces_it_is_there() {
    let scene = pair();
    let home = scene.home("hq");
    let edit = |word: &str| scene.sql("hq", &format!("UPDATE contacts SET note = '{word}' WHERE id <= 5"));
    let seal = || drop(scene.packhorse("hq", &["bundle", "--now"]).expect(0));
    edit("first");
    seal();
    for step in ["bundle-drafted", "bundle-named", "bundle-numbered"] {
        let old = scene.outbox("hq", "alice").remove(0);
        edit(step);
        let mut command = scene.command();
        command.args(["--home", text(&home), "bundle", "--now"]).env("PACKHORSE_FAULT", format!("{step}=kill"));
        command.stdout(Stdio::null()).stderr(Stdio::null());
        assert!(!command.status().unwrap().success(), "{step}");
        assert!(old.exists(), "{step}");
        seal();
        assert!(!old.exists() && scene.outbox("hq", "alice").len() == 1, "{step}");
    }
    scene.sync("hq");
    comes_back(&scene);
}

#[test]
fn a_hub_killed_at_any_moment_while_a_laptop_is_away_loses_nothing() {
    let scene = pair();
    let home = scene.home("hq");
    let mut killed = 0;
    for number in 0..60u32 {
        scene.sql("hq", &format!("UPDATE contacts SET note = 'day {number}' WHERE id % 7 = {}", number % 7));
        let mut command = scene.command();
        command.args(["--home", text(&home), "sync"]).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        std::thread::sleep(Duration::from_millis(u64::from(number) * 7 % 60));
        child.kill().unwrap();
        killed += u32::from(!child.wait().unwrap().success());
    }
    assert!(killed > 5, "{killed} were killed in time");
    comes_back(&scene);
}

#[test]
fn what_a_laptop_seals_without_a_line_is_superseded_in_its_outbox() {
    let scene = patient_pair();
    set(&scene, "alice", "supersede_after", "1 ms");
    for number in 0..10 {
        scene.sql("alice", &format!("UPDATE contacts SET note = 'day {number}' WHERE id <= 5"));
        scene.packhorse("alice", &["bundle", "--now"]).expect(0);
        assert_eq!(scene.outbox("alice", "hq").len(), 1, "day {number}");
    }
    comes_back(&scene);
}

/// The same for a request to send again: it lies there once, however often the hub looks meanwhile.
#[test]
fn an_absent_laptop_is_asked_once_for_what_was_lost() {
    let scene = patient_pair();
    let edit = |word: &str| {
        scene.sql("alice", &format!("UPDATE contacts SET note = '{word}' WHERE name = 'name {}'", word.len()));
        scene.sync("alice");
    };
    edit("lost");
    files(&scene.path("relay/alice/up")).iter().for_each(|lost| fs::remove_file(lost).unwrap());
    edit("not lost");
    (0..12).for_each(|_| scene.sync("hq"));
    assert_eq!(mailbox(&scene).len(), 1);
    scene.sync("alice");
    scene.sync("hq");
    assert_eq!(scene.sql("hq", "SELECT note FROM contacts WHERE name = 'name 4'"), "lost");
    comes_back(&scene);
}
