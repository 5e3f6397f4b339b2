//! What is wrong with a set is told before anybody shares it.

use super::sets::{add, append, hub, refused};
use crate::support::Scene;

#[test]
fn an_expression_is_refused_at_the_byte_where_it_is_wrong() {
    let scene = hub();
    for (condition, caret, told) in [
        ("account_manger = :user", 0, &["no such column: account_manger", "account_manager, region"][..]),
        ("level > 3 AND companis.name = 'x'", 14, &["no such column"]),
        ("region = :r AND nam = 'é'", 16, &["no such column: nam"]),
        ("name = 'é' AND nam = 1", 15, &["no such column: nam"]),
        ("region IN (:all) OR region IN :more OR nam", 39, &["no such column: nam"]),
        ("companies.level > 3 AND \"companies\".nam = 1", 36, &["no such column"]),
        ("account_manager = \"alice\"", 18, &["no such column", "single quotes: 'alice'"]),
        ("\"alice\"", 0, &["single quotes: 'alice'"]),
        ("level > 3; DELETE FROM companies", 9, &["a semicolon ends it"]),
        ("1) OR (1", 1, &["this parenthesis closes none"]),
        ("level, name", 5, &["more than one expression"]),
        ("level >", 7, &["error"]),
        ("level > > 3", 8, &["near \">\""]),
        ("name = 'x", 7, &["not closed"]),
        ("level = ?1", 8, &["parameters are written :name"]),
        ("nofunction(level)", 0, &["no such function: nofunction"]),
        ("level = count(*)", 8, &["misuse of aggregate"]),
        ("id IN (SELECT company_id FROM contacts)", 7, &["reaches beyond the row", "follows it by a foreign key"]),
        ("id IN contacts", 6, &["reaches beyond the row"]),
        ("id in \"companies\" OR 1", 6, &["reaches beyond the row"]),
        ("id IN json_each(name)", 6, &["reaches beyond the row"]),
        ("name MATCH 'x'", 5, &["reaches beyond the row"]),
        ("EXISTS (SELECT 1)", 0, &["reaches beyond the row"]),
        ("level = (SELECT max(level) FROM companies)", 9, &["reaches beyond the row"]),
        ("name = 'x' OR random() > 0", 14, &["not the same every time", "keep it in a column"]),
        ("since > date('now', '-1 year')", 13, &["not the same every time"]),
        ("since > date('NOW')", 13, &["not the same every time"]),
        ("date(since, 'localtime') > '2020-01-01'", 12, &["not the same every time"]),
        ("since > datetime()", 8, &["not the same every time"]),
        ("since > CURRENT_DATE", 8, &["not the same every time"]),
        ("level = changes()", 8, &["not the same every time"]),
    ] {
        let shown = format!("\n  {condition}\n  {}^\n  hint: ", " ".repeat(caret));
        let told: Vec<&str> =
            ["the set \"s\", table \"companies\": ", &shown].into_iter().chain(told.iter().copied()).collect();
        refused(&scene, &["--table", "companies", "--where", condition], &told);
    }
    refused(&scene, &["--table", "companies", "--where", "level = 1 /* unclosed"], &["incomplete input"]);
    refused(&scene, &["--table", "companies", "--where", "level = 1\n OR nam = 2"], &["\n   OR nam = 2\n      ^\n"]);
}

#[test]
fn an_expression_that_says_the_same_of_a_row_every_time_is_taken() {
    let scene = hub();
    for (at, condition) in [
        "account_manager = :user -- theirs",
        "companies.region IN :regions OR \"companies\".\"level\" BETWEEN 2 AND 3.5",
        "shout LIKE 'A%' AND name GLOB :pattern AND since IS NOT NULL",
        "date(since, '+1 month') > :from AND CASE level WHEN 1 THEN 1 ELSE coalesce(level, :level) END",
        "region = 'now' COLLATE NOCASE AND id IN (1, 2, :x)",
        "level",
    ]
    .into_iter()
    .enumerate()
    {
        add(&scene, &[&format!("s{at}"), "--table", "companies", "--where", condition]).expect(0).calm();
    }
    // The schema may hold text in double quotes.
    add(&scene, &["labels", "--table", "labels", "--where", "labels.note = 'none' OR [labels].place = :place"])
        .expect(0);
    scene.packhorse("hq", &["set", "lint"]).expect(0).says("nothing is wrong");
}

#[test]
fn a_table_and_its_columns_have_to_be_there_and_what_is_left_out_must_be_able_to_be() {
    let scene = hub();
    let synced = "campaigns, companies, contacts, deals, labels, loops, notes, sides";
    for (words, told) in [
        (&["--table", "keyless"][..], &["\"keyless\": it is not synced", synced][..]),
        (&["--table", "nope"], &["\"nope\": it is not synced", synced]),
        (&["--table", "companies", "--columns", "name,nmae"], &["no column \"nmae\"", "id, name, account_manager"]),
        (&["--table", "companies", "--columns", "name,shout"], &["\"shout\" is generated", "leave it out"]),
        (&["--table", "campaigns", "--columns", "code"], &["leave nothing but the key", "one more of title"]),
        (&["--table", "labels", "--columns", "place"], &["leave out \"name\"", "UNIQUE (place, name)", "only once"]),
        (&["--table", "companies", "--columns", "level"], &["leave out \"name\", which is NOT NULL", "add name"]),
    ] {
        refused(&scene, words, told);
    }
    add(&scene, &["s", "--table", "companies", "--columns", "NAME", "--columns", "level,region"]).expect(0);
    add(&scene, &["s", "--table", "labels", "--columns", "note,name"]).expect(0);
}

#[test]
fn what_is_followed_is_a_foreign_key_to_a_table_of_the_set_and_comes_to_an_end() {
    let scene = hub();
    append(&scene, "[table.notes]\nreferences = { about = \"companies\" }");
    for (words, told) in [
        (&["--table", "contacts", "--follow", "first_name"][..], &["no foreign key", "company_id (to companies)"][..]),
        (&["--table", "notes", "--follow", "kind"], &["no foreign key", "about (to companies)"]),
        (&["--table", "campaigns", "--follow", "title"], &["no foreign key", "it has none"]),
        (&["--table", "contacts", "--follow", "company_id"], &["companies, which is not in the set", "add companies"]),
        (&["--table", "loops", "--follow", "up", "--columns", "up"], &["follows only itself", "nothing could ever"]),
        (
            &["--table", "loops", "--follow", "side", "--columns", "side", "--table", "sides", "--follow", "back"],
            &["\"loops\": it follows sides, which in the end", "\"sides\": it follows loops, which in the end"],
        ),
    ] {
        refused(&scene, words, told);
    }
}

#[test]
fn a_reference_that_can_point_outside_is_named_with_what_mends_it() {
    let scene = hub();
    append(
        &scene,
        "[table.notes]\nreferences = { about = \"deals\", object = { type = \"kind\", tables = { a = \"sides\", b = \"deals\" } } }",
    );
    let companies = ["--table", "companies", "--where", "level = 1"];
    for (words, told) in [
        (
            &["--table", "contacts"][..],
            &["company_id can refer to a record of companies outside", "hint: share companies whole\n"][..],
        ),
        (
            &["--table", "contacts", "--where", "1", "--columns", "company_id,boss_id"],
            &[
                "boss_id can refer to a record of contacts outside the set",
                "share contacts whole, or leave boss_id out",
            ],
        ),
        (
            &["--table", "contacts", "--follow", "company_id"],
            &["boss_id can refer", "campaign refers to campaigns, which is not in the set", "or leave campaign out"],
        ),
        (&["--table", "deals", "--columns", "first"], &["first can refer", "hint: share companies whole\n"]),
        (
            &["--table", "deals", "--follow", "first", "--follow", "buyer", "--columns", "first,buyer"],
            &["first can refer", "of several parents that are followed any suffices"],
        ),
        (&["--table", "notes", "--columns", "about"], &["about refers to deals, which is not in the set"]),
        (&["--table", "notes", "--columns", "kind,object"], &["object refers to sides", "object refers to deals"]),
        (
            &["--table", "notes", "--columns", "seen"],
            &["seen refers to keyless, which is not synced", "hint: leave seen out of its `columns`"],
        ),
    ] {
        refused(&scene, &[&companies, words].concat(), told);
    }
}

#[test]
fn a_reference_by_another_column_than_the_key_needs_that_column_of_the_parent() {
    let scene = Scene::hub(
        "CREATE TABLE a (id INTEGER PRIMARY KEY, code TEXT UNIQUE, t TEXT);
         CREATE TABLE b (id INTEGER PRIMARY KEY, a TEXT REFERENCES a(code), t TEXT)",
    );
    let parent = ["--table", "a", "--columns", "t"];
    refused(
        &scene,
        &[&parent[..], &["--table", "b"]].concat(),
        &["a refers to a by code", "add code to the columns of a"],
    );
    add(&scene, &[&["s"], &parent[..], &["--table", "b", "--columns", "t"]].concat()).expect(0);
    add(&scene, &["t", "--table", "a", "--columns", "t,code", "--table", "b"]).expect(0);
}

#[test]
fn a_reference_is_safe_to_a_whole_parent_or_the_only_one_followed_or_where_its_column_is_not_shared() {
    let scene = hub();
    append(&scene, "[table.notes]\nreferences = { about = \"deals\" }");
    add(&scene, &["s", "--table", "companies", "--where", "level = 1"]).expect(0);
    let contacts = ["--table", "contacts", "--follow", "company_id", "--columns", "company_id,first_name"];
    let run = add(&scene, &[&["s"], &contacts[..]].concat()).expect(0);
    assert!(!run.err.contains("outside"), "{run:#?}");
    // To itself, whole.
    add(&scene, &["all", "--table", "loops", "--columns", "up"]).expect(0);
    // Each in a circle with the other, both whole.
    add(&scene, &["circle", "--table", "loops", "--table", "sides"]).expect(0);
    let several = ["two", "--table", "companies", "--where", "level = 1", "--table", "deals", "--follow", "first"];
    let run = add(&scene, &[&several[..], &["--columns", "first"]].concat()).expect(0);
    assert!(!run.err.contains("outside"), "{run:#?}");
}

#[test]
fn several_parents_that_are_followed_are_told_of_where_the_others_may_be_empty() {
    let scene = Scene::hub(
        "CREATE TABLE a (id INTEGER PRIMARY KEY, t); CREATE TABLE b (id INTEGER PRIMARY KEY,
         one INTEGER REFERENCES a(id), two INTEGER REFERENCES a(id))",
    );
    let words = ["s", "--table", "a", "--where", "t = 1", "--table", "b", "--follow", "one", "--follow", "two"];
    let run = add(&scene, &words).expect(0);
    for column in ["one", "two"] {
        assert!(run.err.contains(&format!("its {column} can refer to a record of a outside the set")), "{run:#?}");
    }
    let run = scene.packhorse("hq", &["set", "lint", "s"]).expect(0);
    assert_eq!(run.out.matches("warning: the set \"s\", table \"b\"").count(), 2, "{run:#?}");
}

#[test]
fn a_set_that_was_written_by_hand_is_checked_before_a_remote_gets_it() {
    let scene = hub();
    append(&scene, "[[set.hand.table]]\nname = \"companies\"\nwhere = \"nam = :user\"\n");
    let words = ["the set \"hand\" in ", "packhorse.toml", "no such column: nam", "\n  nam = :user\n  ^\n"];
    let add = ["remote", "add", "alice", "--set", "hand", "--param", "user=alice"];
    scene.packhorse("hq", &add).refused(2, &words);
    assert!(!scene.path("relay/alice").exists());
    append(
        &scene,
        "[remote.alice]\nset = \"hand\"\nparams = { user = \"alice\" }\n[remote.bob]\nset = \"everything\"\n",
    );
    let pack = ["remote", "pack", "alice", "-o", "alice.rdb", "--no-passphrase"];
    scene.packhorse("hq", &pack).refused(2, &words);
    scene.packhorse("hq", &["remote", "pack", "--all", "-o", "all", "--no-passphrase"]).refused(2, &words);
    assert!(!scene.path("alice.rdb").exists() && !scene.path("all/bob.rdb").exists());
    let run = scene.packhorse("hq", &["set", "lint"]).expect(2);
    let lines: Vec<&str> = run.out.lines().collect();
    assert_eq!(
        lines[..3],
        ["error: the set \"hand\", table \"companies\": no such column: nam", "  nam = :user", "  ^"]
    );
    let told = scene.packhorse("hq", &["set", "lint", "hand", "--json"]).expect(2).json();
    let expected = serde_json::json!([{
        "set": "hand", "severity": "error", "rule": "expression", "table": "companies", "expression": "nam = :user",
        "at": 0, "wrong": "no such column: nam", "mend": told[0]["mend"],
    }]);
    assert_eq!(told, expected);
    // Others go on meanwhile.
    scene.packhorse("hq", &["set", "lint", "everything"]).expect(0);
    scene.packhorse("hq", &["set", "lint", "none"]).refused(2, &["\"none\"", "everything, hand"]);
}
