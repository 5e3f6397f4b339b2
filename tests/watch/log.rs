//! The log: a line for each thing that happens, in the form, the measure and the place that `[log]` says, and nobody's data.

use serde_json::Value;

use super::{QUICK, pair, until_it_is};
use crate::support::service::{Service, until};
use crate::support::{Scene, files};

/// Sets what `[log]` says at a node.
fn set_log(scene: &Scene, node: &str, settings: &str) {
    let config = scene.home(node).join("packhorse.toml");
    let written = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, written.replace("[log]", &format!("[log]\n{settings}"))).unwrap();
}

/// One change to the hub and back, with real services; the hub's log of it.
fn day(scene: &Scene, options: &[&str]) -> String {
    let (hq, alice) = (Service::start(scene, "hq", options), Service::start(scene, "alice", &QUICK));
    scene.sql("alice", "UPDATE t SET b = 'secret-7391' WHERE id = 'one'");
    until_it_is(scene, "hq", "b", "secret-7391");
    scene.sql("hq", "UPDATE t SET a = 'secret-8215' WHERE id = 'one'");
    until_it_is(scene, "alice", "a", "secret-8215");
    let log = hq.log();
    assert_eq!((hq.stop(), alice.stop()), (0, 0));
    log + &std::fs::read_to_string(scene.path("hq.log")).unwrap()
}

#[test]
fn every_step_is_a_line_with_its_part_and_no_value_of_anybodys() {
    let scene = pair();
    let log = day(&scene, &["--every", "1s", "--seal-after", "1s", "-vv"]);
    for line in [
        "INFO watch: the service of hq has begun",
        "INFO bundle: alice: sealed 1 record, 1 field",
        "INFO transfer: alice: sent 1 bundle",
        "INFO apply: alice: applied 1 changed record",
        "INFO watch: the service has stopped",
    ] {
        assert!(log.contains(line), "{line}: {log}");
    }
    assert!(!log.contains("secret"), "{log}");
    assert!(log.lines().all(|line| line.starts_with("20")), "one line for one thing: {log}");
}

#[test]
fn a_value_over_which_the_application_s_trigger_stumbles_is_not_told() {
    let scene = pair();
    scene.sql(
        "hq",
        "CREATE TRIGGER look BEFORE INSERT ON t WHEN NEW.b = 'path' BEGIN SELECT json_extract('{}', NEW.a); END",
    );
    let hq = Service::start(&scene, "hq", &["--every", "1s", "--seal-after", "1s", "-vv"]);
    scene.sql("alice", "INSERT INTO t VALUES ('two', 'secret-7391', 'path')");
    scene.sync("alice");
    hq.until("the failure is told", |log| log.contains("bad JSON path: (not shown)"));
    assert!(!hq.log().contains("secret"), "{}", hq.log());
    // To a person it is told.
    let apply = scene.packhorse("hq", &["apply"]);
    assert!(apply.err.contains("secret-7391"), "{apply:#?}");
}

#[test]
fn as_json_every_line_is_an_object_with_the_same_fields() {
    let scene = pair();
    set_log(&scene, "hq", "format = \"json\"");
    let log = day(&scene, &QUICK);
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let sealed = lines.iter().find(|line| line["target"] == "bundle" && line["records"] == 1).expect("a line");
    assert_eq!((&sealed["level"], &sealed["node"]), (&Value::from("INFO"), &Value::from("alice")));
    assert!(sealed["bundle"].as_str().is_some_and(|name| name.ends_with(".bundle")), "{sealed}");
    assert!(sealed["message"].is_string() && sealed["timestamp"].is_string() && sealed["bytes"].is_u64(), "{sealed}");
}

#[test]
fn each_part_tells_as_much_as_its_level_says() {
    let scene = pair();
    set_log(&scene, "hq", "level = \"error\"\nlevels = { watch = \"info\", apply = \"info\" }");
    let log = day(&scene, &QUICK);
    assert!(log.contains("INFO apply: alice: applied"), "{log}");
    assert!(!log.contains(" bundle: ") && !log.contains(" transfer: "), "{log}");
}

#[test]
fn a_file_is_begun_by_day_and_holds_what_standard_error_does_not() {
    let scene = pair();
    set_log(&scene, "hq", "file = \"log/service.log\"\nkeep = 2");
    let folder = scene.home("hq").join("log");
    std::fs::create_dir(&folder).unwrap();
    for old in ["service.2026-01-01.log", "service.2026-01-02.log", "service.2026-01-03.log"] {
        std::fs::write(folder.join(old), "old\n").unwrap();
    }
    let home = scene.home("hq");
    let mut command = scene.command();
    let mut child = command.arg("--home").arg(&home).arg("watch").args(QUICK).spawn().unwrap();
    let today = || {
        files(&folder)
            .into_iter()
            .rfind(|file| std::fs::read_to_string(file).is_ok_and(|text| text.contains("has begun")))
    };
    until("the service has begun", || today().is_some());
    let name = today().unwrap().file_name().unwrap().to_string_lossy().into_owned();
    assert!(name.starts_with("service.20") && name.ends_with(".log"), "{name}");
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(files(&folder).len() <= 2, "{:?}", files(&folder));
}

#[test]
fn no_file_is_removed_but_old_ones_of_the_log_whatever_else_is_named_like_it() {
    let scene = pair();
    set_log(&scene, "hq", "file = \"../hq\"\nkeep = 1");
    let (old, mine) = (scene.path("hq.2026-01-01"), scene.path("hq-notes"));
    std::fs::write(&old, "old\n").unwrap();
    std::fs::write(&mine, "mine\n").unwrap();
    let _hq = Quiet::start(&scene, "hq", std::process::Stdio::inherit());
    until("the old file is removed", || !old.exists());
    assert!(scene.database("hq").exists() && mine.exists());
    scene.sql("alice", "UPDATE t SET b = 'after all'");
    scene.sync("alice");
    until_it_is(&scene, "hq", "b", "after all");
}

#[test]
fn a_log_that_cannot_be_written_ends_nothing() {
    let scene = pair();
    let _alice = Service::start(&scene, "alice", &QUICK);
    let (reader, unread) = std::io::pipe().unwrap();
    drop(reader);
    let mut places = vec![("nobody reads it", unread.into())];
    if let Ok(full) = std::fs::File::options().write(true).open("/dev/full") {
        places.push(("its disk is full", full.into()));
    }
    for (why, place) in places {
        let _hq = Quiet::start(&scene, "hq", place);
        scene.sql("hq", &format!("UPDATE t SET a = '{why}'"));
        until_it_is(&scene, "alice", "a", why);
    }
}

/// A service whose log nobody waits for.
struct Quiet(std::process::Child);

impl Quiet {
    fn start(scene: &Scene, node: &str, stderr: std::process::Stdio) -> Self {
        let mut command = scene.command();
        Self(command.arg("--home").arg(scene.home(node)).arg("watch").args(QUICK).stderr(stderr).spawn().unwrap())
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_file_that_is_never_rotated_keeps_its_name() {
    let scene = pair();
    set_log(&scene, "hq", "file = \"log/service.log\"\nrotate = \"never\"");
    let file = scene.home("hq").join("log/service.log");
    for times in 1..=2 {
        let mut child = scene.command().arg("--home").arg(scene.home("hq")).arg("watch").args(QUICK).spawn().unwrap();
        let text = || std::fs::read_to_string(&file).unwrap_or_default();
        until("the service has begun", || text().matches("has begun").count() == times);
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
