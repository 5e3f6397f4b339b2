//! Sets: names, tables, columns, expressions and foreign keys that cannot be.

use super::catalogue::Catalogue;
use super::scenes::{append, hub, huge};
use crate::support::Scene;

#[test]
fn sets() {
    let mut book = Catalogue::of("sets");
    let scene = hub();
    let add = ["set", "add", "s", "--table", "firms", "--where", "manager = :user"];
    scene.packhorse("hq", &add).expect(0);
    let follow = ["set", "add", "s", "--table", "people", "--follow", "firm"];
    scene.packhorse("hq", &follow).expect(0);
    let huge = huge();
    names(&mut book, &scene, &huge);
    tables(&mut book, &scene);
    expressions(&mut book, &scene, &huge);
    columns_and_keys(&mut book, &scene);
    others(&mut book, &scene);
    checked(&mut book);
    book.close();
}

fn names(book: &mut Catalogue, scene: &Scene, huge: &str) {
    book.cases(
        scene,
        "hq",
        &[
            ("no table", &["set", "add", "t"]),
            ("a name like a path", &["set", "add", "../t", "--table", "firms"]),
            ("a name with control characters", &["set", "add", "a\u{1b}[2Jb", "--table", "firms"]),
            ("a name of 64 KiB", &["set", "add", huge, "--table", "firms"]),
            ("the name of the set that is always there", &["set", "add", "everything", "--table", "firms"]),
        ],
    );
}

fn tables(book: &mut Catalogue, scene: &Scene) {
    book.cases(
        scene,
        "hq",
        &[
            ("a table that is not there", &["set", "add", "t", "--table", "frims"]),
            ("a table without a primary key", &["set", "add", "t", "--table", "keyless"]),
            ("a table that the set has", &["set", "add", "s", "--table", "Firms"]),
            ("a table twice", &["set", "add", "t", "--table", "firms", "--table", "FIRMS"]),
            ("a condition before its table", &["set", "add", "t", "--where", "1", "--table", "firms"]),
            (
                "a condition and a foreign key",
                &["set", "add", "t", "--table", "people", "--where", "1", "--follow", "firm"],
            ),
        ],
    );
}

fn expressions(book: &mut Catalogue, scene: &Scene, huge: &str) {
    let far = format!("name = '{huge}' AND nmae = 1");
    let nested = "(".repeat(5_000) + "1" + &")".repeat(5_000);
    for (what, condition) in [
        ("an empty expression", ""),
        ("a column that is not there", "nmae = 'x' AND manager = :user"),
        ("an expression that breaks off", "manager ="),
        ("a quote that is not closed", "name = 'O'Hara'"),
        ("two statements", "1; DROP TABLE firms"),
        ("a query", "id IN (SELECT firm FROM people)"),
        ("the time of day", "name > date('now')"),
        ("a function that loads code", "load_extension('/tmp/x.so')"),
        ("a text in double quotes", "manager = \"ann\""),
        ("control characters", "name = 'a' AND \u{1b}[2J"),
        ("a mistake at the end of 64 KiB", &far),
        ("10,000 parentheses", &nested),
    ] {
        let words = ["set", "add", "t", "--table", "firms", "--where", condition];
        book.at(scene, "hq").typed(what, &words);
    }
}

fn columns_and_keys(book: &mut Catalogue, scene: &Scene) {
    for (what, words) in [
        ("a column to share that is not there", &["--table", "firms", "--columns", "name,nmae"][..]),
        ("a needed column left out", &["--table", "firms", "--table", "people", "--columns", "firm,email"]),
        ("a foreign key that is none", &["--table", "firms", "--table", "people", "--follow", "name"]),
        ("a parent that is not in the set", &["--table", "people", "--follow", "firm"]),
    ] {
        book.at(scene, "hq").typed(what, &[&["set", "add", "t"], words].concat());
    }
}

fn others(book: &mut Catalogue, scene: &Scene) {
    scene.packhorse("hq", &["set", "add", "s2", "--table", "firms"]).expect(0);
    scene.packhorse("hq", &["remote", "add", "alice", "--set", "s", "--param", "user=ann"]).expect(0);
    book.cases(
        scene,
        "hq",
        &[
            ("show, a set that there is not", &["set", "show", "sales"]),
            ("lint, a set that there is not", &["set", "lint", "sales"]),
            ("remove, a set that a remote shares", &["set", "remove", "s"]),
            ("remove, a table that another follows", &["set", "remove", "s", "--table", "firms"]),
            ("remove, the only table", &["set", "remove", "s2", "--table", "firms"]),
            ("try, a set that there is not", &["set", "try", "sales"]),
            ("try, a remote that there is not", &["set", "try", "s", "--remote", "bob"]),
            ("try, a parameter without a value", &["set", "try", "s", "--table", "firms", "--where", "name = :name"]),
        ],
    );
}

/// What was written by hand.
fn checked(book: &mut Catalogue) {
    let scene = hub();
    let text = "
[[set.s.table]]
name = \"frims\"
[[set.s.table]]
name = \"firms\"
where = \"nmae = :user\"
[[set.t.table]]
name = \"people\"
[[set.u.table]]
name = \"firms\"
where = \"name = 'x' AND HUGE = 1\"
[set.v]";
    append(&scene, "hq", &text.replace("HUGE", &huge()));
    book.at(&scene, "hq").with_a_result().typed("lint, sets written by hand", &["set", "lint"]);
}
