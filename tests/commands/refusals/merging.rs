//! `conflicts`, `trace`, `approve` and `merge`: what there is not, and what does not go.

use super::catalogue::Catalogue;
use super::scenes::{huge, pair};

#[test]
fn merging() {
    let mut book = Catalogue::of("merging");
    let scene = pair();
    scene.sql("hq", "UPDATE people SET firm = 2 WHERE id = 1");
    std::thread::sleep(std::time::Duration::from_millis(5));
    scene.sql("alice", "UPDATE people SET firm = NULL WHERE id = 1");
    scene.sync("alice");
    scene.packhorse("hq", &["sync"]).expect(3);
    let huge = huge();
    book.cases(
        &scene,
        "hq",
        &[
            ("no number", &["conflicts", "show"]),
            ("a number that there is not", &["conflicts", "show", "4711"]),
            ("no decision", &["conflicts", "resolve", "1"]),
            ("two decisions", &["conflicts", "resolve", "1", "--keep", "ours", "--null"]),
            ("nobody's value", &["conflicts", "resolve", "1", "--keep", "both"]),
            ("a value that refers to nobody", &["conflicts", "resolve", "1", "--value", "77"]),
            ("a number of 64 KiB", &["conflicts", "resolve", &huge, "--null"]),
            ("a word in place of a list", &["conflicts", "list", "people"]),
            ("no key", &["trace", "people"]),
            ("a table that is not synced", &["trace", "keyless", "1"]),
            ("a record that there is not", &["trace", "people", "99"]),
            ("a key of two columns", &["trace", "people", "1", "2"]),
            ("a word on nobody's bundles", &["approve", "carol"]),
            ("a refusal of nothing in particular", &["approve", "--refuse"]),
            ("a page of something else", &["merge", "rights"]),
        ],
    );
    scene.sql("hq", "DELETE FROM people WHERE id = 1");
    book.at(&scene, "hq").typed("one whose record is gone", &["conflicts", "resolve", "1", "--null"]);
    book.close();
}
