//! What is typed wrongly whatever the command: a command that there is not, options and values that nothing takes.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use super::catalogue::Catalogue;
use super::scenes::{hub, huge};

#[test]
fn what_nothing_takes() {
    let mut book = Catalogue::of("usage");
    let scene = hub();
    let huge = huge();
    book.cases(
        &scene,
        "",
        &[
            ("a command that there is not", &["frobnicate"]),
            ("a mistyped command", &["statsu"]),
            ("a command with control characters", &["a\u{1b}[2J\u{7}\r\nb"]),
            ("a command of 64 KiB", &[&huge]),
            ("an empty home", &["--home", "", "status"]),
            ("an option with control characters", &["status", "--a\u{1b}[2J\u{7}\u{9b}b"]),
            ("an option that takes no value", &["status", "--json=yes"]),
            ("a mistyped option", &["status", "--tabels"]),
        ],
    );
    let bytes = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
    book.case(&scene).typed("a command that is no text", &[bytes(b"\xff\xfe")]);
    let words = ["set", "add", "s", "--table"].map(OsString::from);
    book.at(&scene, "hq").typed("a value that is no text", &[&words[..], &[bytes(b"a\xffb")]].concat());
    book.case(&scene).with("PACKHORSE_HOME", "").typed("an empty home in the environment", &["status"]);
    for words in [
        &["apply"][..],
        &["held", "list"],
        &["notices", "list"],
        &["queue", "list"],
        &["remote", "list"],
        &["set", "list"],
        &["status"],
    ] {
        let what = format!("{}, which takes no such option", words.join(" "));
        book.at(&scene, "hq").typed(&what, &[words, &["--no-such-option"]].concat());
    }
    book.close();
}
