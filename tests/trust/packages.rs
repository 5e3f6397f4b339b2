//! Packages that are sealed with a passphrase.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::{BINARY, Run, Scene, text};

fn scene() -> Scene {
    let scene = Scene::hub("CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES (1, 'a secret')");
    scene.packhorse("hq", &["remote", "add", "alice"]).expect(0);
    scene
}

fn pack(scene: &Scene, options: &[&str]) -> Run {
    let package = scene.path("alice.rdb");
    scene.packhorse("hq", &[&["remote", "pack", "alice", "-o", text(&package)], options].concat())
}

fn restore(scene: &Scene, passphrase: Option<&str>) -> Run {
    let (package, database, file) = (scene.path("alice.rdb"), scene.path("alice.db"), scene.path("passphrase"));
    let options = passphrase.map(|passphrase| {
        write_private(&file, passphrase);
        ["--passphrase-file", text(&file)]
    });
    let options = options.iter().flatten().copied().collect::<Vec<_>>();
    scene.packhorse("alice", &[&["restore", text(&package), "--database", text(&database)], &options[..]].concat())
}

fn write_private(file: &Path, content: &str) {
    fs::write(file, content).expect("written");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(file, fs::Permissions::from_mode(0o600)).expect("permissions");
    }
}

#[test]
fn without_any_option_a_passphrase_is_made_up_and_told_once() {
    let scene = scene();
    let run = pack(&scene, &[]).expect(0);
    let made = run.err.lines().find_map(|line| line.split_once("the passphrase is ")).expect("a passphrase").1;
    let made = made.strip_suffix("; it is kept nowhere").expect("the rest");
    let package = fs::read(scene.path("alice.rdb")).expect("a package");
    assert!(package.starts_with(b"age-encryption.org/v1\n-> scrypt "));
    restore(&scene, None).refused(2, &["is sealed with a passphrase", "--passphrase-file"]);
    restore(&scene, Some("not this one")).refused(1, &["the passphrase is not the one that it was sealed with"]);
    assert!(!scene.database("alice").exists() && !scene.home("alice").exists());
    restore(&scene, Some(made)).expect(0);
    scene.settle("alice");
    scene.same("t", "hq", "alice");
    // Nobody can find it again.
    for folder in [scene.home("hq"), scene.home("alice")] {
        for file in walk(&folder) {
            let content = fs::read(&file).expect("a file");
            assert!(!content.windows(made.len()).any(|part| part == made.as_bytes()), "{}", file.display());
        }
    }
}

fn walk(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

#[test]
fn a_given_passphrase_seals_and_its_file_must_be_private() {
    let scene = scene();
    let file = scene.path("secret.txt");
    write_private(&file, "correct horse\nanother line\n");
    pack(&scene, &["--passphrase-file", text(&file)]).expect(0);
    restore(&scene, Some("correct horse\n")).expect(0);
    write_private(&file, "\n");
    fs::remove_file(scene.path("alice.rdb")).expect("it goes");
    pack(&scene, &["--passphrase-file", text(&file)]).refused(2, &["holds no passphrase", "first line"]);
    pack(&scene, &["--passphrase-file", text(&file), "--no-passphrase"]).expect(2);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).expect("permissions");
        pack(&scene, &["--passphrase-file", text(&file)]).refused(2, &["may read", "chmod 600"]);
    }
    assert!(!scene.path("alice.rdb").exists());
}

/// Who could put a package in the place of another could make it of anything.
#[test]
fn with_a_passphrase_an_open_package_is_refused() {
    let scene = scene();
    pack(&scene, &["--no-passphrase"]).expect(0);
    restore(&scene, Some("correct horse")).refused(2, &["is not sealed, and a passphrase was given"]);
    assert!(!scene.database("alice").exists() && !scene.home("alice").exists());
    restore(&scene, None).expect(0);
}

#[test]
fn a_package_that_was_changed_anywhere_is_refused_whole() {
    let scene = scene();
    let file = scene.path("secret.txt");
    write_private(&file, "correct horse");
    pack(&scene, &["--passphrase-file", text(&file)]).expect(0);
    let package = fs::read(scene.path("alice.rdb")).expect("a package");
    let last = package.len() - 1;
    for at in [30, 100, package.len() / 2, last] {
        let mut changed = package.clone();
        changed[at] ^= 1;
        fs::write(scene.path("alice.rdb"), &changed).expect("written");
        assert_ne!(restore(&scene, Some("correct horse")).calm().code, 0);
        fs::write(scene.path("alice.rdb"), &package[..at]).expect("written");
        assert_ne!(restore(&scene, Some("correct horse")).calm().code, 0);
        assert!(!scene.database("alice").exists() && !scene.home("alice").exists(), "{at}");
    }
}

/// The tool that any distribution has opens it, too; it asks for it on a terminal only.
#[test]
fn age_takes_it_for_a_file_with_a_passphrase() {
    let scene = scene();
    pack(&scene, &[]).expect(0);
    let opened = Command::new("age").arg("-d").arg(scene.path("alice.rdb")).stdin(std::process::Stdio::null()).output();
    let Ok(opened) = opened else {
        assert!(std::env::var_os("PACKHORSE_TESTS_INSIST").is_none(), "age is not installed");
        return;
    };
    let said = String::from_utf8_lossy(&opened.stderr);
    assert!(!opened.status.success() && said.contains("passphrase"), "{said}");
}

#[test]
#[cfg(unix)]
fn nobody_else_can_read_what_is_being_packed() {
    use std::os::unix::fs::PermissionsExt;
    let scene = scene();
    let package = scene.path("alice.rdb");
    let mut command = scene.command();
    command.env("PACKHORSE_FAULT", "package-drafted=kill").arg("--home").arg(scene.home("hq"));
    command.args(["remote", "pack", "alice", "--no-passphrase", "-o", text(&package)]);
    assert_ne!(scene.run(&mut command).code, 0);
    command.env("PACKHORSE_FAULT", "package-database-made=kill");
    assert_ne!(scene.run(&mut command).code, 0);
    let drafts = [crate::support::files(&scene.home("hq").join("packing")), vec![scene.path("alice.rdb.new")]].concat();
    assert_eq!(drafts.len(), 2, "a database and a package: {drafts:?}");
    for draft in drafts {
        let mode = fs::metadata(&draft).expect("a draft").permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", draft.display());
    }
}

/// Not with the hub's account in the address, nor told to one server what is for another.
#[test]
fn what_a_remote_logs_in_with_goes_to_the_server_that_it_is_for() {
    let scene = scene();
    let key = scene.path("key");
    write_private(&key, "a key");
    let config = scene.home("hq").join("packhorse.toml");
    let usual = fs::read_to_string(&config).expect("a configuration");
    let access = format!("\n[remote.alice.access]\nkey = \"{}\"\n", key.display());
    fs::write(&config, format!("{usual}{access}")).expect("written");
    pack(&scene, &["--no-passphrase"]).expect(2).says("no relay that names it");
    let relays = "relay = [\"sftp://alice@127.0.0.1/r\", \"sftp://alice@127.0.0.2/r\"]\n";
    fs::write(&config, format!("{usual}{relays}{access}")).expect("written");
    pack(&scene, &["--no-passphrase"]).expect(2).says("relays on several servers");
    // FTP and FTPS listen at one port, and the pin is for one of them.
    let pinned = format!(
        "{usual}relay = [\"ftp://alice@127.0.0.1/r\", \"ftps://alice@127.0.0.1/r\"]\n\n[access.\"127.0.0.1\"]\ncertificate = \"{}\"\n",
        "ab".repeat(32)
    );
    fs::write(&config, pinned).expect("written");
    pack(&scene, &["--no-passphrase"]).expect(0);
    restore(&scene, None).expect(0);
    let brought = fs::read_to_string(scene.home("alice").join("packhorse.toml")).expect("a configuration");
    assert!(brought.contains(&format!("certificate = \"{}\"", "ab".repeat(32))), "{brought}");
}

/// Somebody at a terminal is asked, and what is typed is not shown.
#[test]
#[cfg(unix)]
fn whoever_restores_at_a_terminal_is_asked() {
    const SCRIPT: &str = "
import os, pty, sys, termios, time
pid, terminal = pty.fork()
if pid == 0: os.execv(sys.argv[2], sys.argv[2:])
told, typed = b'', False
while True:
    try: part = os.read(terminal, 65536)
    except OSError: break
    if not part: break
    told += part
    if not typed and b'passphrase of' in told:
        # The terminal still shows what is typed for a moment after the question stands there.
        while termios.tcgetattr(terminal)[3] & termios.ECHO: time.sleep(0.01)
        typed = os.write(terminal, sys.argv[1].encode() + b'\\n') > 0
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), repr(told))";
    let scene = scene();
    let file = scene.path("passphrase");
    write_private(&file, "wild horses");
    pack(&scene, &["--passphrase-file", text(&file)]).expect(0);
    let (package, database, home) = (scene.path("alice.rdb"), scene.database("alice"), scene.home("alice"));
    let restore = |typed: &str| {
        let words = [typed, BINARY, "--home", text(&home), "restore", text(&package), "--database", text(&database)];
        crate::support::python(SCRIPT, &words)
    };
    let wrong = restore("tame horses");
    assert!(wrong.starts_with("1 ") && wrong.contains("passphrase") && !wrong.contains("tame"), "{wrong}");
    let right = restore("wild horses");
    assert!(right.starts_with("0 ") && right.contains("restored 1 record") && !right.contains("wild"), "{right}");
    assert_eq!(scene.sql("alice", "SELECT v FROM t"), "a secret");
}
