//! Manners: which home is meant, what goes to which stream, colours, closed pipes, strange names.

use crate::support::{BINARY, Run, Scene, python, sqlite, text};

const TABLE: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT); INSERT INTO t VALUES (1, 'x')";

/// A folder with main databases of these names, each with its home beside it.
fn homes(names: &[&str]) -> Scene {
    let scene = Scene::new();
    for name in names {
        let file = format!("{name}.db");
        sqlite(&scene.path(&file), TABLE);
        scene.bare(&["init", "--database", &file, "--name", name]).expect(0);
    }
    scene
}

fn node_of(run: Run) -> String {
    run.expect(0).json()["node"].as_str().expect("a name").to_owned()
}

#[test]
fn the_only_home_in_the_current_folder_is_meant() {
    let scene = homes(&["crm"]);
    assert!(scene.path("crm.db.packhorse").is_dir());
    assert_eq!(node_of(scene.bare(&["status", "--json"])), "crm");
    std::fs::write(scene.path("note.packhorse"), "a file is no home").unwrap();
    assert_eq!(node_of(scene.bare(&["status", "--json"])), "crm");
}

#[test]
fn several_homes_are_an_error_that_lists_them() {
    let scene = homes(&["one", "two"]);
    let words = ["one.db.packhorse", "two.db.packhorse", "--home DIR"];
    scene.bare(&["status"]).refused(2, &words);
    scene.bare(&["sync"]).refused(2, &words);
}

#[test]
fn no_home_is_an_error_that_tells_how_to_name_or_make_one() {
    let scene = Scene::new();
    scene.bare(&["status"]).refused(2, &["*.packhorse", "--home DIR", "packhorse init"]);
    scene.bare(&["--home", "nowhere", "status"]).refused(2, &["nowhere", "packhorse init"]);
}

#[test]
fn a_home_that_is_named_wins_over_the_environment_and_that_over_the_folder() {
    let scene = homes(&["one", "two"]);
    let by_environment = |words: &[&str]| {
        scene.run(scene.command().env("PACKHORSE_HOME", "two.db.packhorse").args(words).args(["status", "--json"]))
    };
    assert_eq!(node_of(by_environment(&[])), "two");
    assert_eq!(node_of(by_environment(&["--home", "one.db.packhorse"])), "one");
    assert_eq!(node_of(scene.bare(&["status", "--json", "--home", "one.db.packhorse"])), "one");
}

#[test]
fn results_go_to_standard_output_and_everything_else_to_standard_error() {
    let scene = Scene::new();
    sqlite(&scene.path("crm.db"), &format!("{TABLE}; CREATE TABLE keyless (a)"));
    let run = scene.bare(&["init", "--database", "crm.db", "--name", "hq", "--relay", "relay"]).expect(0).calm();
    assert_eq!(run.out.lines().next(), Some("synced from now on (1 table):"));
    assert!(run.out.contains("keyless") && run.err.contains("next: "), "{run:#?}");
    assert!(!run.out.contains("home:"), "{run:#?}");
    let run = scene.bare(&["remote", "list"]).expect(0);
    assert_eq!((run.out.as_str(), run.err.is_empty()), ("", false), "that there are none is no row");
    scene.bare(&["remote", "add", "alice"]).expect(0);
    let run = scene.bare(&["remote", "pack", "alice", "-o", "alice.rdb", "--no-passphrase"]).expect(0);
    assert_eq!((run.out.as_str(), run.err.is_empty()), ("alice.rdb\n", false));
    let run = scene.bare(&["sync"]).expect(0).calm();
    assert_eq!(run.out, "All sent and received. You can hang up now.\n");
}

#[test]
fn the_exit_status_tells_how_it_ended() {
    let scene = homes(&["crm"]);
    for (code, words) in [
        (0, &["status"][..]),
        (0, &["--version"]),
        (0, &["bundle", "--now"]),
        (2, &[]),
        (2, &["statsu"]),
        (2, &["status", "--jsno"]),
        (2, &["sync"]),
        (2, &["transfer"]),
        (2, &["transfer", "--for", "soon"]),
        (2, &["remote"]),
        (2, &["init"]),
        (1, &["inspect", "missing.bundle"]),
    ] {
        let run = scene.bare(words).expect(code).calm();
        assert_eq!(run.out.is_empty(), code != 0 || words[0] == "bundle", "{words:?}: {run:#?}");
    }
    scene.bare(&["transfer", "--for", "soon"]).refused(2, &["soon", "--for", "15 min"]);
    scene.bare(&["sync"]).refused(2, &["packhorse.toml", "relay", "[node]"]);
    scene.bare(&["inspect", "missing.bundle"]).refused(1, &["missing.bundle", "check the path"]);
    scene.bare(&["inspect", "crm.db"]).refused(1, &["crm.db", "neither a bundle nor a package"]);
}

#[test]
fn a_transfer_whose_time_is_over_stops_with_5_and_the_next_one_goes_on() {
    let scene = Scene::hub(TABLE);
    scene.remote("alice");
    scene.sql("hq", "UPDATE t SET a = 'y'");
    scene.packhorse("hq", &["bundle", "--now"]).expect(0);
    scene.packhorse("hq", &["transfer", "--for", "0 ms"]).calm().expect(5);
    assert_eq!(scene.outbox("hq", "alice").len(), 1);
    scene.packhorse("hq", &["transfer"]).expect(0);
    assert_eq!(scene.outbox("hq", "alice").len(), 0);
}

/// Runs the binary with a terminal on both streams; what it wrote there.
fn on_a_terminal(scene: &Scene, no_color: &str, words: &[&str]) -> String {
    let script = "
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0:
    os.environ.clear()
    os.environ['TERM'] = 'xterm'
    if sys.argv[1]: os.environ['NO_COLOR'] = sys.argv[1]
    os.execv(sys.argv[2], sys.argv[2:])
told = b''
while True:
    try: part = os.read(terminal, 65536)
    except OSError: break
    if not part: break
    told += part
os.waitpid(pid, 0)
print(repr(told))";
    let home = scene.path("crm.db.packhorse");
    python(script, &[&[no_color, BINARY, "--home", text(&home)], words].concat())
}

#[test]
fn there_is_no_colour_where_no_color_says_so_or_no_terminal_is() {
    let scene = homes(&["crm"]);
    for words in [&["-vv", "status"][..], &["--help"], &["remote", "show", "nobody"], &["statsu"]] {
        let told = on_a_terminal(&scene, "1", words);
        assert!(told.len() > 20 && !told.contains("\\x1b"), "{words:?}: {told}");
        scene.bare(words).calm();
    }
    assert!(on_a_terminal(&scene, "", &["--help"]).contains("\\x1b"), "the terminal of this test shows colours");
}

#[test]
fn a_reader_that_has_gone_away_is_no_failure() {
    let scene = Scene::hub(TABLE);
    scene.remote("alice");
    let script = "
import os, subprocess, sys
read, write = os.pipe()
os.close(read)
run = subprocess.run(sys.argv[1:], stdout=write, stderr=subprocess.PIPE, env={})
print(run.returncode, run.stderr)
run = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE, stderr=write, env={})
print(run.returncode)";
    let home = scene.home("hq");
    for words in [&["status"][..], &["status", "--json"], &["--help"], &["remote", "list"], &["sync"]] {
        let told = python(script, &[&[BINARY, "--home", text(&home)], words].concat());
        assert_eq!(told, "0 b''\n0", "{words:?}");
    }
    let told = python(script, &[BINARY, "--home", "nowhere", "status"]);
    assert!(told.ends_with("\n2") && !told.contains("panicked"), "{told}");
}

#[test]
fn names_from_outside_cannot_control_the_terminal() {
    let scene = Scene::new();
    sqlite(&scene.path("hq.db"), "CREATE TABLE \"a\u{1b}[2Jb\" (id INTEGER PRIMARY KEY, \"c\u{7}d\" TEXT)");
    scene.init();
    scene.remote("alice");
    let shows = |run: Run| assert!(run.out.contains("a\\u{1b}[2Jb"), "{run:#?}");
    shows(scene.packhorse("hq", &["remote", "show", "alice"]).expect(0).calm());
    scene.sql("hq", "INSERT INTO \"a\u{1b}[2Jb\" VALUES (1, 'x')");
    scene.packhorse("hq", &["bundle", "--now"]).expect(0).calm();
    let bundle = scene.outbox("hq", "alice").remove(0);
    shows(scene.inspect(&["--values"], &bundle).expect(0).calm());
    let json = scene.inspect(&["--json"], &bundle).expect(0).calm().json();
    assert_eq!(json["tables"][0]["table"], "a\u{1b}[2Jb", "JSON holds the name itself");
    for name in ["x\u{1b}[2Jy", "x\u{9b}2Jy", "x\ny"] {
        let home = scene.path(name);
        scene.bare(&["--home", text(&home), "status"]).refused(2, &["there is no home"]);
        std::fs::write(scene.home("alice").join("inbox").join(name), "junk").unwrap();
        std::fs::write(scene.path("relay/alice/down").join(name), "junk").unwrap();
    }
    let run = scene.packhorse("alice", &["sync"]).calm();
    assert!(run.err.contains("x\\u{1b}[2Jy"), "{run:#?}");
}

#[test]
fn init_shows_table_names_escaped() {
    let scene = Scene::new();
    sqlite(
        &scene.path("crm.db"),
        "CREATE TABLE \"a\u{1b}[2Jb\" (id INTEGER PRIMARY KEY); CREATE TABLE \"k\u{1b}c\" (a)",
    );
    let run = scene.bare(&["init", "--database", "crm.db"]).expect(0).calm();
    assert!(run.out.contains("a\\u{1b}[2Jb") && run.out.contains("k\\u{1b}c"), "{run:#?}");
}
