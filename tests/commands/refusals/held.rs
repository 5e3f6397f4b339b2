//! `held`: changes that there are not, or that are held no more.

use super::catalogue::Catalogue;
use super::scenes::{huge, pair};

#[test]
fn held() {
    let mut book = Catalogue::of("held");
    let scene = pair();
    scene.sql("hq", "UPDATE people SET email = 'same@x' WHERE id = 1");
    scene.sql("alice", "UPDATE people SET email = 'same@x' WHERE id = 2");
    scene.sync("alice");
    scene.packhorse("hq", &["sync"]).expect(3);
    let listed = scene.packhorse("hq", &["held", "list", "--json"]).expect(0).json();
    let id = listed[0]["id"].to_string();
    let huge = huge();
    book.cases(
        &scene,
        "hq",
        &[
            ("no number", &["held", "show"]),
            ("a number that there is not", &["held", "show", "4711"]),
            ("a number beyond all numbers", &["held", "retry", "99999999999999999999999"]),
            ("a negative number", &["held", "retry", "-1"]),
            ("a number with control characters", &["held", "retry", "1\u{1b}[2J"]),
            ("a number of 64 KiB", &["held", "show", &huge]),
            ("one that is held and one that is not", &["held", "retry", &id, "4711"]),
            ("nothing to discard", &["held", "discard"]),
            ("one to discard and one that is not held", &["held", "discard", &id, "4711"]),
            ("one record without another", &["held", "merge", &id]),
            ("the record that it is of itself", &["held", "merge", "people:2", &id]),
            ("a table that there is not", &["held", "merge", "persons:1", &id]),
            ("a record that there is not", &["held", "merge", "people:77", &id]),
            ("a key of two values", &["held", "merge", "people:1,2", &id]),
            ("a record of another table", &["held", "merge", "firms:1", &id]),
        ],
    );
    scene.sql("hq", "UPDATE people SET email = 'ann@x' WHERE id = 1");
    scene.packhorse("hq", &["held", "retry"]).expect(0);
    book.at(&scene, "hq").typed("one that was placed", &["held", "retry", &id]);
    book.close();
}
