//! Sets: what is refused before anybody shares it, and the commands that write them.

use std::fs;

use crate::support::{Run, Scene};

const SCHEMA: &str = "
CREATE TABLE companies (id INTEGER PRIMARY KEY, name TEXT NOT NULL, account_manager TEXT, region TEXT COLLATE NOCASE,
    level INTEGER, since TEXT, code TEXT NOT NULL DEFAULT '', tag TEXT UNIQUE, shout TEXT AS (upper(name)));
CREATE TABLE contacts (id INTEGER PRIMARY KEY, company_id INTEGER NOT NULL REFERENCES companies(id),
    boss_id INTEGER REFERENCES contacts(id), campaign TEXT REFERENCES campaigns(code), first_name TEXT);
CREATE TABLE campaigns (code TEXT PRIMARY KEY, title TEXT) WITHOUT ROWID;
CREATE TABLE deals (id INTEGER PRIMARY KEY, seller INTEGER REFERENCES companies(id), buyer INTEGER REFERENCES companies(id),
    first INTEGER NOT NULL REFERENCES companies(id));
CREATE TABLE loops (id INTEGER PRIMARY KEY, up INTEGER REFERENCES loops(id), side INTEGER REFERENCES sides(id));
CREATE TABLE sides (id INTEGER PRIMARY KEY, back INTEGER REFERENCES loops(id));
CREATE TABLE notes (id INTEGER PRIMARY KEY, about INTEGER, kind TEXT, object INTEGER, seen TEXT REFERENCES keyless(a));
CREATE TABLE keyless (a TEXT UNIQUE);
CREATE TABLE labels (id INTEGER PRIMARY KEY, place TEXT, name TEXT NOT NULL DEFAULT '',
    note TEXT CHECK (note <> \"none\"), UNIQUE (place, name));
INSERT INTO companies (id, name, account_manager) VALUES (1, 'Acme', 'alice'), (2, 'Bolt', 'bob');";

fn hub() -> Scene {
    Scene::hub(SCHEMA)
}

fn config(scene: &Scene) -> String {
    fs::read_to_string(scene.home("hq").join("packhorse.toml")).unwrap()
}

fn append(scene: &Scene, text: &str) {
    fs::write(scene.home("hq").join("packhorse.toml"), format!("{}\n{text}", config(scene))).unwrap();
}

fn add(scene: &Scene, words: &[&str]) -> Run {
    scene.packhorse("hq", &[&["set", "add"], words].concat())
}

/// What an addition is refused with: these words, the file as it was.
#[track_caller]
fn refused(scene: &Scene, words: &[&str], told: &[&str]) {
    let before = config(scene);
    let run = add(scene, &[&["s"], words].concat()).calm().expect(2);
    assert!(run.err.starts_with("error: ") && run.out.is_empty(), "{run:#?}");
    told.iter().for_each(|word| assert!(run.err.contains(word), "expected {word:?} in {run:#?}"));
    assert_eq!(config(scene), before);
}

#[test]
fn an_expression_is_refused_at_the_byte_where_it_is_wrong() {
    let scene = hub();
    for (condition, caret, told) in [
        ("account_manger = :user", 0, &["no such column: account_manger", "account_manager, region"][..]),
        ("level > 3 AND companis.name = 'x'", 14, &["no such column"]),
        ("region = :r AND nam = 'é'", 16, &["no such column: nam"]),
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

#[test]
fn the_tables_of_a_set_are_written_after_each_other_and_comments_stay() {
    let scene = hub();
    append(&scene, "# last words");
    let before = config(&scene);
    let first = ["--table", "companies", "--where", "account_manager = :user", "--table", "campaigns"];
    let run = add(&scene, &[&["sales"], &first[..]].concat()).expect(0).calm();
    assert!(run.err.contains("packhorse remote add NAME --set sales --param user=VALUE"), "{run:#?}");
    add(&scene, &["other", "--table", "campaigns", "--columns", "title"]).expect(0);
    let contacts = ["--table", "contacts", "--follow", "company_id", "--columns", "company_id,first_name"];
    add(&scene, &[&["sales"], &contacts[..]].concat()).expect(0);
    let written = "
[[set.sales.table]]
name = \"companies\"
where = \"account_manager = :user\"

[[set.sales.table]]
name = \"campaigns\"

[[set.sales.table]]
name = \"contacts\"
follow = \"company_id\"
columns = [\"company_id\", \"first_name\"]

[[set.other.table]]
name = \"campaigns\"
columns = [\"title\"]
";
    assert_eq!(config(&scene), format!("{before}\n{written}"));
    scene
        .packhorse("hq", &["set", "remove", "sales", "--table", "companies"])
        .refused(2, &["the set \"sales\" without companies, table \"contacts\"", "which is not in the set"]);
    scene.packhorse("hq", &["set", "remove", "sales", "--table", "CONTACTS"]).expect(0);
    scene
        .packhorse("hq", &["set", "remove", "sales", "--table", "contacts"])
        .refused(2, &["no table", "set show sales"]);
    scene
        .packhorse("hq", &["set", "remove", "other", "--table", "campaigns"])
        .refused(2, &["only table", "set remove other"]);
    scene.packhorse("hq", &["set", "remove", "other"]).expect(0).calm();
    scene.packhorse("hq", &["set", "remove", "sales"]).expect(0).calm();
    assert_eq!(config(&scene).trim_end(), before);
    scene.packhorse("hq", &["set", "remove", "sales"]).refused(2, &["no set \"sales\"", "everything"]);
    scene.packhorse("hq", &["set", "remove", "everything"]).refused(2, &["\"everything\" is always there"]);
}

#[test]
fn an_option_belongs_to_the_table_before_it() {
    let scene = hub();
    for (words, told) in [
        (&[][..], &["--table <TABLE>"][..]),
        (&["--where", "1", "--table", "companies"], &["--where \"1\" stands before any --table"]),
        (&["--table", "companies", "--where", "1", "--where", "2"], &["--where twice", "AND or OR"]),
        (&["--table", "contacts", "--follow", "company_id", "--where", "1"], &["both --where and --follow"]),
        (&["--table", "campaigns", "--table", "Campaigns"], &["has the table \"Campaigns\" already"]),
    ] {
        refused(&scene, words, told);
    }
    add(&scene, &["everything", "--table", "campaigns"])
        .refused(2, &["\"everything\" is there already", "another name"]);
    add(&scene, &["a b", "--table", "campaigns"]).refused(2, &["a b", "letters, digits"]);
}

#[test]
fn a_set_is_shown_with_its_rows_columns_parameters_and_remotes() {
    let scene = hub();
    let companies = ["--table", "companies", "--where", "region IN (:regions) AND level > :level"];
    let contacts = ["--table", "contacts", "--follow", "company_id", "--columns", "company_id,first_name"];
    add(&scene, &[&["sales"], &companies[..], &contacts].concat()).expect(0);
    let values = ["--param", "regions=north", "--param", "regions=7", "--param", "level:=3"];
    scene.packhorse("hq", &[&["remote", "add", "alice", "--set", "sales"], &values[..]].concat()).expect(0);
    assert!(config(&scene).contains("params = { level = 3, regions = [\"north\", \"7\"] }"), "{}", config(&scene));
    let run = scene.packhorse("hq", &["set", "show", "sales"]).expect(0).calm();
    let expected = "\
sales
  companies                 where region IN (:regions) AND level > :level
  contacts                  follows company_id; only company_id, first_name
parameters: level, regions
remotes: alice
";
    assert_eq!((run.out.as_str(), run.err.as_str()), (expected, ""));
    let told = scene.packhorse("hq", &["set", "show", "sales", "--json"]).expect(0).json();
    let expected = serde_json::json!({"name": "sales", "parameters": ["level", "regions"], "remotes": ["alice"], "tables": [
        {"table": "companies", "rows": "where", "where": "region IN (:regions) AND level > :level", "follow": [],
         "columns": null},
        {"table": "contacts", "rows": "follow", "where": null, "follow": ["company_id"],
         "columns": ["company_id", "first_name"]},
    ]});
    assert_eq!(told, expected);
    let run = scene.packhorse("hq", &["set", "list"]).expect(0).calm();
    assert_eq!(run.out, "everything            every table   no remote\nsales                 2 tables      alice\n");
    let told = scene.packhorse("hq", &["set", "list", "--json"]).expect(0).json();
    let sales = serde_json::json!({"name": "sales", "built_in": false, "tables": ["companies", "contacts"],
        "remotes": ["alice"]});
    assert_eq!(told[1], sales);
    scene.packhorse("hq", &["set", "show", "none"]).refused(2, &["no set \"none\"", "everything, sales"]);
    scene.packhorse("hq", &["set", "remove", "sales"]).refused(2, &["shared by alice", "remote remove"]);
}

#[test]
fn every_parameter_gets_a_value_and_every_value_is_a_parameters() {
    let scene = hub();
    let companies = ["--table", "companies", "--where", "account_manager = :user OR region IN (:regions)"];
    add(&scene, &[&["sales"], &companies[..]].concat()).expect(0);
    for (params, told) in [
        (&[][..], &["needs a value for :regions, :user", "--param regions=VALUE --param user=VALUE"][..]),
        (&["user=a"], &["needs a value for :regions", "--param regions=VALUE"]),
        (&["user=a", "regions=x", "usr=b"], &["no parameter :usr", "its parameters: :regions, :user"]),
        (&["user=a", "user=b", "regions=x"], &[":user is a list", "account_manager = :user", "packhorse.toml"]),
        (&["user:=a", "regions=x"], &["user:=a", "whole number"]),
    ] {
        let given = params.iter().flat_map(|param| ["--param", param]);
        let words: Vec<&str> = ["remote", "add", "alice", "--set", "sales"].into_iter().chain(given).collect();
        let run = scene.packhorse("hq", &words).calm().expect(2);
        told.iter().for_each(|word| assert!(run.err.contains(word), "expected {word:?} in {run:#?}"));
    }
    scene
        .packhorse("hq", &["remote", "add", "alice", "--param", "user=a"])
        .refused(2, &["no parameter :user", "it has none"]);
    assert!(!scene.path("relay/alice").exists());
    append(&scene, "[remote.alice]\nset = \"sales\"\nparams = { user = \"alice\", regions = [\"x\"] }\n");
    let more = ["sales", "--table", "campaigns", "--where", "title = :title"];
    add(&scene, &more).refused(2, &["alice shares the set \"sales\"", ":title", "[remote.alice]"]);
}
