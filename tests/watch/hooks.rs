//! Hooks: what runs when, what it is told, and what becomes of one that fails, hangs or calls Packhorse itself.

use super::{QUICK, pair, until_it_is};
use crate::support::service::{Service, until};
use crate::support::{BINARY, Scene};

/// Sets what `[hooks]` says at a node.
fn set_hooks(scene: &Scene, node: &str, settings: &str) {
    let config = scene.home(node).join("packhorse.toml");
    let written = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, written.replace("[hooks]", &format!("[hooks]\n{settings}"))).unwrap();
}

fn read(scene: &Scene, name: &str) -> String {
    std::fs::read_to_string(scene.path(name)).unwrap_or_default()
}

#[test]
fn a_command_runs_before_a_sync_and_what_it_writes_goes_with_it() {
    let scene = pair();
    set_hooks(
        &scene,
        "alice",
        "before_sync = 'sqlite3 \"$PACKHORSE_DATABASE\" \"UPDATE t SET b = 1234\"; echo told >&2'",
    );
    let sync =
        scene.run(scene.command().env("PATH", path()).arg("--home").arg(scene.home("alice")).arg("sync")).expect(0);
    assert!(sync.err.contains("told") && !sync.out.contains("told"), "{sync:#?}");
    scene.sync("hq");
    assert_eq!(scene.sql("hq", "SELECT b FROM t"), "1234");
}

/// The tests' own search path: commands run in an empty environment otherwise.
fn path() -> String {
    std::env::var("PATH").unwrap_or_default()
}

#[test]
fn a_command_runs_after_something_was_applied_and_is_told_what_it_is_about() {
    let scene = pair();
    let told = "echo $PACKHORSE_HOOK $PACKHORSE_NODE $PACKHORSE_RECORDS $PACKHORSE_HOME $PACKHORSE_DATABASE >> ../told; echo noise";
    set_hooks(&scene, "hq", &format!("after_apply = '{told}'"));
    scene.sync("hq");
    assert_eq!(read(&scene, "told"), "", "nothing was applied");
    scene.sql("alice", "UPDATE t SET b = 'x'; INSERT INTO t VALUES ('two', 'a', 'b')");
    scene.sync("alice");
    let sync = scene.packhorse("hq", &["sync"]).expect(0);
    assert!(!sync.out.contains("noise"), "its output is no result: {sync:#?}");
    let (home, database) = (scene.home("hq"), std::fs::canonicalize(scene.database("hq")).unwrap());
    assert_eq!(read(&scene, "told"), format!("after_apply hq 2 {} {}\n", home.display(), database.display()));
    scene.sql("alice", "UPDATE t SET b = 'y' WHERE id = 'one'");
    scene.sync("alice");
    for words in [["transfer"], ["apply"]] {
        scene.packhorse("hq", &words).expect(0);
    }
    assert_eq!(read(&scene, "told").lines().count(), 2);
}

#[test]
fn what_was_applied_before_an_error_is_told_too() {
    let scene = pair();
    scene.remote("bob");
    set_hooks(&scene, "hq", "after_apply = 'echo $PACKHORSE_RECORDS >> ../told'");
    let stumbles = "CREATE TRIGGER look BEFORE INSERT ON t WHEN NEW.b = 'x' BEGIN SELECT json_extract('{}', 'x'); END";
    scene.sql("hq", stumbles);
    for (remote, sql) in [("alice", "UPDATE t SET b = 'good'"), ("bob", "INSERT INTO t VALUES ('two', 'y', 'x')")] {
        scene.sql(remote, sql);
        scene.sync(remote);
    }
    scene.packhorse("hq", &["transfer"]).expect(0);
    scene.packhorse("hq", &["apply"]).expect(1);
    assert_eq!((scene.sql("hq", "SELECT b FROM t"), read(&scene, "told")), ("good".to_owned(), "1\n".to_owned()));
}

#[test]
fn a_program_is_given_its_arguments_as_they_are_written() {
    let scene = pair();
    set_hooks(&scene, "hq", "before_sync = [\"/usr/bin/touch\", \"$HOME; rm -rf x\"]");
    scene.sync("hq");
    assert!(scene.home("hq").join("$HOME; rm -rf x").exists());
}

#[test]
fn a_hook_that_fails_is_told_and_everything_is_synced_all_the_same() {
    let scene = pair();
    scene.sql("alice", "UPDATE t SET b = 'all the same'");
    for (hook, why) in [("'exit 7'", "exit status: 7"), ("[\"/no/such/program\"]", "cannot be started")] {
        set_hooks(&scene, "alice", &format!("before_sync = {hook}"));
        let sync = scene.packhorse("alice", &["sync"]).expect(3);
        for words in ["the hook before_sync", "packhorse.toml", why] {
            assert!(sync.err.contains(words), "{words}: {sync:#?}");
        }
        assert!(sync.out.contains("All sent and received"), "{sync:#?}");
        let config = scene.home("alice").join("packhorse.toml");
        let written = std::fs::read_to_string(&config).unwrap();
        std::fs::write(&config, written.replace(&format!("before_sync = {hook}\n"), "")).unwrap();
    }
    scene.sync("hq");
    assert_eq!(scene.sql("hq", "SELECT b FROM t"), "all the same");
}

#[test]
fn a_hook_that_hangs_is_ended_with_all_that_it_has_started() {
    let scene = pair();
    set_hooks(&scene, "hq", "before_sync = 'sleep 1234 & echo $! > ../child; wait'\ntime_limit = '300 ms'");
    let sync = scene.run(scene.command().env("PATH", path()).arg("--home").arg(scene.home("hq")).arg("sync")).expect(3);
    assert!(sync.err.contains("took longer than its time limit of 300 ms"), "{sync:#?}");
    let child = read(&scene, "child");
    let alive = || std::path::Path::new("/proc").join(child.trim()).join("cmdline").exists();
    let is_gone =
        || !alive() || std::fs::read(format!("/proc/{}/cmdline", child.trim())).is_ok_and(|text| text.is_empty());
    until("what it started has ended", is_gone);
}

/// Whether a process of this number runs. One that has ended and that nobody has asked about has no command line any more.
fn is_alive(process: &str) -> bool {
    let line = std::fs::read(format!("/proc/{}/cmdline", process.trim()));
    !process.trim().is_empty() && line.is_ok_and(|line| !line.is_empty())
}

#[test]
fn a_hook_can_use_packhorse_itself() {
    let scene = pair();
    set_hooks(&scene, "hq", &format!("before_sync = '{BINARY} bundle --now && {BINARY} status --json > ../status'"));
    scene.sql("hq", "UPDATE t SET a = 'sealed by the hook'");
    scene.sync("hq");
    assert!(read(&scene, "status").contains("\"bundles\":1"), "{}", read(&scene, "status"));
}

#[test]
fn a_hook_that_syncs_does_not_call_itself() {
    let scene = pair();
    set_hooks(&scene, "hq", &format!("before_sync = 'echo x >> ../runs; {BINARY} sync'\ntime_limit = '20 s'"));
    scene.sql("hq", "UPDATE t SET a = 'by the hook'");
    scene.sync("hq");
    assert_eq!(read(&scene, "runs"), "x\n");
    scene.sync("alice");
    assert_eq!(scene.sql("alice", "SELECT a FROM t"), "by the hook");
}

#[test]
fn a_hook_of_the_service_can_sync() {
    let scene = pair();
    set_hooks(&scene, "hq", &format!("before_sync = '{BINARY} sync && echo done >> ../synced'\ntime_limit = '1 h'"));
    let hq = Service::start(&scene, "hq", &["--every", "1s", "--seal-after", "5h", "-v"]);
    scene.sql("hq", "UPDATE t SET a = 'by the hook'");
    let _alice = Service::start(&scene, "alice", &QUICK);
    until_it_is(&scene, "alice", "a", "by the hook");
    until("it has come to its end", || read(&scene, "synced").lines().count() > 1);
    hq.until("it is told of", |log| log.contains("the hook before_sync is done"));
}

#[test]
fn the_service_runs_both_and_its_log_holds_nothing_of_what_they_print() {
    let scene = pair();
    let hooks = "before_sync = 'echo before-secret; echo b >> ../before'\nafter_apply = 'echo after-secret >&2; echo a >> ../after'";
    set_hooks(&scene, "hq", hooks);
    let hq = Service::start(&scene, "hq", &["--every", "1s", "--seal-after", "1s", "-v"]);
    until("one ran before a transfer", || !read(&scene, "before").is_empty());
    scene.sql("alice", "UPDATE t SET b = 'for the hook'");
    scene.sync("alice");
    until_it_is(&scene, "hq", "b", "for the hook");
    until("one ran after applying", || read(&scene, "after") == "a\n");
    hq.until("they are told of", |log| log.contains("the hook after_apply is done"));
    assert!(!hq.log().contains("secret"), "{}", hq.log());
}

#[test]
fn what_is_applied_while_a_hook_runs_is_told_when_it_has_ended() {
    let scene = pair();
    // Only the first waits, for as long as a file exists.
    let wait = scene.path("wait");
    std::fs::write(&wait, "").unwrap();
    set_hooks(
        &scene,
        "hq",
        "after_apply = 'echo $PACKHORSE_RECORDS >> ../told; while [ -e ../wait ]; do /bin/sleep 0.1; done'",
    );
    let _hq = Service::start(&scene, "hq", &["--every", "5h", "--seal-after", "5h"]);
    scene.sql("alice", "UPDATE t SET b = 'first'");
    let _alice = Service::start(&scene, "alice", &QUICK);
    until("the hook runs", || read(&scene, "told") == "1\n");
    scene.sql("alice", "UPDATE t SET b = 'second'");
    until_it_is(&scene, "hq", "b", "second");
    // Its own writing makes the service look once more, which would do for what is tested here.
    std::thread::sleep(std::time::Duration::from_secs(5));
    std::fs::remove_file(&wait).unwrap();
    until("it is told of the second too", || read(&scene, "told") == "1\n1\n");
}

#[test]
fn a_hook_that_hangs_keeps_the_service_neither_from_working_nor_from_stopping() {
    let scene = pair();
    set_hooks(&scene, "hq", "after_apply = 'echo $$ > ../child; exec /bin/sleep 1234'\ntime_limit = '1 h'");
    let hq = Service::start(&scene, "hq", &QUICK);
    for value in ["first", "second"] {
        scene.sql("alice", &format!("UPDATE t SET b = '{value}'"));
        scene.sync("alice");
        until_it_is(&scene, "hq", "b", value);
    }
    until("the hook runs", || is_alive(&read(&scene, "child")));
    assert_eq!(hq.stop(), 0);
    assert!(!is_alive(&read(&scene, "child")));
}

#[test]
fn a_signal_that_ends_a_command_ends_its_hook() {
    let scene = pair();
    set_hooks(&scene, "hq", "before_sync = 'echo $$ > ../child; exec /bin/sleep 1234'\ntime_limit = '1 h'");
    for signal in ["INT", "TERM"] {
        let mut sync = scene.command().arg("--home").arg(scene.home("hq")).arg("sync").spawn().unwrap();
        until("the hook runs", || is_alive(&read(&scene, "child")));
        let line = format!("kill -{signal} {}", sync.id());
        assert!(std::process::Command::new("sh").arg("-c").arg(line).status().unwrap().success());
        assert_eq!(sync.wait().unwrap().code(), Some(1));
        assert!(!is_alive(&read(&scene, "child")));
        std::fs::remove_file(scene.path("child")).unwrap();
    }
}
