//! `remote pack`: for nobody, into places that are taken, missing or full; nothing is left of a package that failed.

use std::fs;
use std::os::unix::fs::symlink;

use super::catalogue::Catalogue;
use super::foreign::scatter;
use super::scenes::{append, hub, huge};

#[test]
fn remote_pack() {
    let mut book = Catalogue::of("packages");
    let scene = hub();
    scatter(&scene);
    scene.packhorse("hq", &["remote", "add", "alice"]).expect(0);
    let huge = huge();
    book.cases(
        &scene,
        "hq",
        &[
            ("no name", &["remote", "pack"]),
            (
                "a passphrase that others may read",
                &["remote", "pack", "alice", "-o", "alice.rdb", "--passphrase-file", "odd/letter.txt"],
            ),
            ("a remote that there is not", &["remote", "pack", "bob", "-o", "bob.rdb", "--no-passphrase"]),
            ("a name and --all", &["remote", "pack", "alice", "--all", "-o", "x", "--no-passphrase"]),
        ],
    );
    symlink("nowhere.rdb", scene.path("dangling.rdb")).unwrap();
    for (what, output) in [
        ("a folder", "odd/folder"),
        ("a file that is there", "odd/letter.txt"),
        ("a link that leads nowhere", "dangling.rdb"),
        ("a folder that is not there", "nowhere/alice.rdb"),
        ("below a file", "odd/letter.txt/alice.rdb"),
        ("a name of 300 bytes", &huge[..300]),
    ] {
        let words = ["remote", "pack", "alice", "-o", output, "--no-passphrase"];
        book.at(&scene, "hq").typed(&format!("the output is {what}"), &words);
    }
    let words = ["remote", "pack", "--all", "-o", "odd/letter.txt", "--no-passphrase"];
    book.at(&scene, "hq").typed("the folder for all is a file", &words);
    fs::create_dir(scene.path("a.rdb.new")).unwrap();
    let words = ["remote", "pack", "alice", "-o", "a.rdb", "--no-passphrase"];
    book.at(&scene, "hq").typed("a folder under the name of the draft", &words);
    let words = ["remote", "pack", "alice", "-o", "alice.rdb", "--no-passphrase"];
    for fault in ["package-drafted=io", "package-link-opened=full"] {
        book.at(&scene, "hq").with("PACKHORSE_FAULT", fault).typed("a disk that fails half-way", &words);
    }
    for (what, url) in [
        ("a folder that is not there", "nowhere"),
        ("a file", "odd/letter.txt"),
        ("a server that does not answer", "ftp://127.0.0.1:1/packages"),
        ("no address", "http://127.0.0.1/packages"),
    ] {
        let words = ["remote", "pack", "alice", "-o", "alice.rdb", "--no-passphrase", "--deliver", url];
        book.at(&scene, "hq").typed(&format!("to be dropped in {what}"), &words);
    }
    append(&scene, "hq", "[remote.bob]\nset = \"sales\"\n");
    let words = ["remote", "pack", "--all", "-o", "all", "--no-passphrase"];
    book.at(&scene, "hq").typed("a remote with a set that there is not", &words);
    book.close();
}
