//! A desk and a courier under accounts of their own: what COURIER.md sets up keeps each from what is the other's.
//!
//! As root only: nobody else may run programs under other accounts. The accounts are numbers that nobody on the machine bears.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{scene, value, write};
use crate::support::{BINARY, Run, Scene, text};

const DESK: u32 = 61_001;
const COURIER: u32 = 61_002;

/// The commands of the document that set up a home, for these accounts.
fn set_up(scene: &Scene, node: &str) {
    let document = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("COURIER.md")).expect("a document");
    let blocks = document.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    let commands = blocks.into_iter().find(|block| block.contains("chmod 2750")).expect("the commands");
    let commands = commands
        .replace("packhorse:packhorse-courier", &format!("{DESK}:{COURIER}"))
        .replace("packhorse:packhorse ", &format!("{DESK}:{DESK} "))
        .replace("chown packhorse ", &format!("chown {DESK} "))
        .replace("-R packhorse-courier ", &format!("-R {COURIER} "));
    assert!(!commands.contains(" packhorse"), "{commands}");
    let folder = scene.path(node);
    fs::create_dir(&folder).expect("a folder");
    for end in ["", "-wal", "-shm"] {
        let name = format!("{node}.db{end}");
        if scene.path(&name).exists() {
            fs::rename(scene.path(&name), folder.join(&name)).expect("moved");
        }
    }
    fs::rename(scene.home(node), folder.join("home")).expect("moved");
    let config = folder.join("home/packhorse.toml");
    let words = fs::read_to_string(&config).expect("a configuration");
    let database = folder.join(format!("{node}.db"));
    fs::write(&config, words.replace(&format!("../{node}.db"), text(&database))).expect("written");
    let mut shell = Command::new("sh");
    shell.arg("-ec").arg(commands).env("DATABASE", &database).env("HOME_OF_NODE", folder.join("home"));
    assert!(shell.status().expect("a shell runs").success());
}

/// What runs a program under an account; the desk's belongs to the courier's group too.
fn account(number: u32) -> Command {
    let groups = if number == DESK { format!("{DESK},{COURIER}") } else { format!("{COURIER}") };
    let mut command = Command::new("setpriv");
    command.args(["--reuid", &number.to_string(), "--regid", &number.to_string(), "--groups", &groups]);
    command
}

/// An edit by the desk's application.
fn edit(scene: &Scene, node: &str, sql: &str) {
    let status = account(DESK).arg("sqlite3").arg(database(scene, node)).arg(sql).status();
    assert!(status.expect("the SQLite shell runs").success());
}

/// A run of the binary under an account.
fn as_account(scene: &Scene, number: u32, node: &str, words: &[&str]) -> Run {
    let mut command = account(number);
    command.arg(scene.path("packhorse")).arg("--home").arg(scene.path(node).join("home")).args(words);
    command.current_dir("/").env_clear().env("PATH", "/usr/bin:/bin");
    scene.run(&mut command)
}

/// A remote's account reaches its own mailbox and no other's, the hub's reaches all: by the folders that RELAYS.md has made.
#[test]
fn a_remotes_account_reaches_its_own_mailbox_alone() {
    const HQ: u32 = 61_003;
    const REMOTES: [(&str, u32); 2] = [("alice", 61_004), ("bob", 61_005)];
    let scene = Scene::new();
    if fs::metadata(scene.path("")).expect("a folder").uid() != 0 {
        return eprintln!("SKIPPED: only root can run programs under other accounts");
    }
    fs::set_permissions(scene.path(""), fs::Permissions::from_mode(0o755)).expect("permissions");
    let document = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("RELAYS.md")).expect("a document");
    let commands: Vec<&str> = document.lines().filter(|line| line.starts_with("install -d")).collect();
    assert_eq!(commands.len(), 3);
    let place = scene.path("srv");
    for (name, number) in REMOTES {
        let commands = commands.join("\n").replace("/srv/packhorse", text(&place));
        let commands = commands.replace("-o hq", &format!("-o {HQ}")).replace("-g hq", &format!("-g {HQ}"));
        let commands =
            commands.replace("-g alice", &format!("-g {number}")).replace("relay/alice", &format!("relay/{name}"));
        assert!(Command::new("sh").arg("-ec").arg(commands).status().expect("a shell runs").success());
    }
    let [(_, alice), (_, bob)] = REMOTES;
    let does = |number: u32, command: &str| {
        let groups = if number == HQ { format!("{HQ},{alice},{bob}") } else { number.to_string() };
        let mut shell = Command::new("setpriv");
        shell.args(["--reuid", &number.to_string(), "--regid", &number.to_string(), "--groups", &groups]);
        // As the servers are told to in that document.
        shell.args(["sh", "-ec", &format!("umask 007; {command}")]).current_dir(place.join("relay"));
        shell.output().expect("it runs").status.success()
    };
    for (number, command) in [
        (alice, "echo word > alice/up/a.part && mv alice/up/a.part alice/up/a && ls alice/up"),
        (HQ, "ls . alice/up && cat alice/up/a && rm alice/up/a && echo word > alice/down/b && echo word > bob/down/c"),
        (alice, "ls alice/down && cat alice/down/b"),
        (bob, "cat bob/down/c && rm bob/down/c"),
    ] {
        assert!(does(number, command), "{number}: {command}");
    }
    for command in
        ["ls .", "ls alice", "ls alice/down", "cat alice/down/b", "rm alice/down/b", "echo x > alice/up/x", "mkdir x"]
    {
        assert!(!does(bob, command), "{command}");
    }
    assert!(does(alice, "rm alice/down/b"));
}

fn database(scene: &Scene, node: &str) -> PathBuf {
    scene.path(node).join(format!("{node}.db"))
}

/// Whether a file can be read under an account.
fn reads(number: u32, path: &Path) -> bool {
    account(number).arg("cat").arg(path).output().expect("it runs").status.success()
}

#[test]
fn a_courier_of_its_own_account_moves_bundles_and_reads_neither_keys_nor_database() {
    // Nobody but root gives files away.
    let scene = scene();
    if fs::metadata(scene.path("hq.db")).expect("a database").uid() != 0 {
        return eprintln!("SKIPPED: only root can run programs under other accounts");
    }
    write(&scene, "hq", "second");
    // Everybody may go through the folders of the test, as through those of a machine.
    fs::set_permissions(scene.path(""), fs::Permissions::from_mode(0o755)).expect("permissions");
    fs::copy(BINARY, scene.path("packhorse")).expect("a copy where everybody may go");
    set_up(&scene, "hq");
    let relay = format!("chown -R {COURIER} {}", text(&scene.path("relay")));
    assert!(Command::new("sh").arg("-c").arg(relay).status().expect("a shell runs").success());
    let home = scene.path("hq/home");
    for kept in
        ["keys", "ledger", "packing", "lock"].map(|name| home.join(name)).into_iter().chain([database(&scene, "hq")])
    {
        assert!(!reads(COURIER, &kept), "{kept:?}");
    }
    let desk = |words: &[&str]| as_account(&scene, DESK, "hq", words);
    let courier = |words: &[&str]| as_account(&scene, COURIER, "hq", words);
    desk(&["bundle", "--now"]).expect(0);
    courier(&["bundle", "--now"]).refused(1, &[]);
    courier(&["transfer"]).expect(0);
    scene.sync("alice");
    assert_eq!(value(&scene, "alice"), "second");
    write(&scene, "alice", "third");
    scene.sync("alice");
    courier(&["transfer"]).expect(0);
    desk(&["apply"]).expect(0);
    let here = crate::support::sqlite(&database(&scene, "hq"), "SELECT v FROM t WHERE id = 1");
    assert_eq!(here, "third");
    // A remote that is new has an outbox that is new, its folder on the relay is the courier's to make, and the configuration
    // has been written anew.
    desk(&["remote", "add", "bob"]).expect(0).says("made by the first call");
    let package = scene.path("hq/bob.rdb");
    desk(&["remote", "pack", "bob", "-o", text(&package), "--no-passphrase"]).expect(0);
    let restored = scene.database("bob");
    // A package that is being made holds what nobody else may see.
    let mut killed = account(DESK);
    killed.env("PACKHORSE_FAULT", "package-database-made=kill").arg(scene.path("packhorse")).arg("--home").arg(&home);
    killed.args(["remote", "pack", "alice", "-o", text(&scene.path("hq/again.rdb")), "--no-passphrase"]);
    assert!(!killed.output().expect("it runs").status.success());
    let drafts = crate::support::files(&home.join("packing"));
    assert!(drafts.len() == 1 && !reads(COURIER, &drafts[0]), "{drafts:?}");
    scene.packhorse("bob", &["restore", text(&package), "--database", text(&restored)]).expect(0);
    edit(&scene, "hq", "UPDATE t SET v = 'fourth' WHERE id = 1");
    desk(&["bundle", "--now"]).expect(0);
    courier(&["transfer"]).expect(0);
    scene.sync("bob");
    assert_eq!(value(&scene, "bob"), "fourth");
}
