//! The commands that write and show sets, and the values of their parameters.

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

pub(super) fn hub() -> Scene {
    Scene::hub(SCHEMA)
}

pub(super) fn config(scene: &Scene) -> String {
    fs::read_to_string(scene.home("hq").join("packhorse.toml")).unwrap()
}

pub(super) fn append(scene: &Scene, text: &str) {
    fs::write(scene.home("hq").join("packhorse.toml"), format!("{}\n{text}", config(scene))).unwrap();
}

pub(super) fn add(scene: &Scene, words: &[&str]) -> Run {
    scene.packhorse("hq", &[&["set", "add"], words].concat())
}

/// What an addition is refused with: these words, the file as it was.
#[track_caller]
pub(super) fn refused(scene: &Scene, words: &[&str], told: &[&str]) {
    let before = config(scene);
    let run = add(scene, &[&["s"], words].concat()).calm().expect(2);
    assert!(run.err.starts_with("error: ") && run.out.is_empty(), "{run:#?}");
    told.iter().for_each(|word| assert!(run.err.contains(word), "expected {word:?} in {run:#?}"));
    assert_eq!(config(scene), before);
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
        (
            &["--table", "campaigns", "--table", "Campaigns"],
            &["the table \"Campaigns\" is named twice", "keep one of them"],
        ),
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
    append(&scene, "[remote.bob]\nset = \"sales\"\nparams = { user = \"bob\", regions = [] }\n");
    scene.packhorse("hq", &["set", "lint", "sales"]).expect(0).says("nothing is wrong");
    append(&scene, "[remote.carol]\nset = \"sales\"\nparams = { user = \"carol\" }\n");
    let run = scene.packhorse("hq", &["set", "lint", "sales"]).expect(2);
    let told = "table \"companies\": for carol, there is no value for the parameter :regions\n";
    assert!(run.out.contains(told) && run.out.lines().count() == 4, "{run:#?}");
    let more = ["sales", "--table", "campaigns", "--where", "title = :title"];
    add(&scene, &more).refused(2, &["alice shares the set \"sales\"", ":title", "[remote.alice]"]);
}
