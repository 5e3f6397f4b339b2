//! Configurations good and bad, and edits that must leave a person's file alone.

use super::*;
use crate::replica::{Prefer, Reference, Refers};
use crate::seam::OsDisk;
use crate::set::{Param, Rows, Scalar};

pub(super) const DESIGNED: &str = r#"
[node]
name = "hq"
database = "../crm.db"
relay = "file:///srv/relay"          # or a list, tried in order

[bundle]
seal_at = "128 KiB"
seal_after = "5 min"
bundle_max = "1 MiB"
supersede_after = "2 h"

[watch]
apply_every = "1 min"
transfer_every = "3 min"

[merge]
expire_after = "2 years"
apply_pause = "0 ms"
renumber_quiet = "0 s"

[table.contacts]
prefer = "hub"
keys = "as-is"
references = { boss = "people", object = { type = "kind", tables = { person = "people", "7" = "a b" } } }

[set.sales]
[[set.sales.table]]
name  = "companies"
where = "account_manager = :user"
[[set.sales.table]]
name   = "contacts"
follow = "company_id"
columns = ["id", "company_id"]
[[set.sales.table]]
name = "campaigns"

[remote.alice]
set = "sales"
params = { user = "alice", regions = ["north", 7], level = 3 }
"#;

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(Path::new("packhorse.toml"), text)
}

fn node(rest: &str) -> String {
    format!("[node]\nname = \"hq\"\ndatabase = \"../crm.db\"\n{rest}")
}

fn name(text: &str) -> NodeName {
    text.parse().unwrap()
}

fn text(text: &str) -> Scalar {
    Scalar::Text(text.to_owned())
}

#[test]
fn the_designed_example_is_understood() {
    let config = parse(DESIGNED).unwrap();
    assert_eq!(config.node.relay, ["file:///srv/relay"]);
    assert_eq!(config.bundle.bundle_max, ByteCount::kib(1024));
    assert_eq!(config.watch.transfer_every(true), Span::minutes(3));
    assert_eq!(config.merge.apply_pause, Span::from_millis(0));
    assert_eq!(config.merge.renumber_quiet, Span::from_millis(0));
    assert_eq!(config.policy("contacts").prefer, Prefer::Hub);
    assert_eq!(config.policy("contacts").keys, Keys::AsIs);
    assert_eq!(config.policy("others").prefer, Prefer::Latest);
    assert_eq!(config.policy("others").keys, Keys::Ranged);
    let tables = [("person", "people"), ("7", "a b")].map(|(value, table)| (value.to_owned(), table.to_owned()));
    let by_type = Refers::ByType { column: "kind".to_owned(), tables: tables.into() };
    let reference = |column: &str, to| Reference { table: "contacts".to_owned(), column: column.to_owned(), to };
    let expected = [reference("boss", Refers::To("people".to_owned())), reference("object", by_type)];
    assert_eq!(config.references(), expected);
    let Some(Scope::Tables(tables)) = config.set("sales") else { panic!("no tables") };
    let [companies, contacts, campaigns] = tables.as_slice() else { panic!("not three tables") };
    assert_eq!(companies.rows, Rows::Where("account_manager = :user".to_owned()));
    assert_eq!(contacts.rows, Rows::Follow(vec!["company_id".to_owned()]));
    assert_eq!(contacts.columns.as_deref().map(<[String]>::len), Some(2));
    assert_eq!(campaigns.rows, Rows::All);
    let alice = &config.remotes[&name("alice")];
    assert_eq!(alice.params["user"], Param::One(text("alice")));
    assert_eq!(alice.params["regions"], Param::Many(vec![text("north"), Scalar::Integer(7)]));
    assert_eq!(alice.params["level"], Param::One(Scalar::Integer(3)));
}

#[test]
fn all_but_the_node_has_defaults() {
    let config = parse(&node("relay = [\"/mnt/a\", \"ftp://b\"]\n")).unwrap();
    assert_eq!(config.node.relay, ["/mnt/a", "ftp://b"]);
    assert_eq!(config.bundle, BundleConfig::default());
    assert_eq!(config.bundle.supersede_after.to_string(), "24 h");
    assert_eq!(config.watch.transfer_every(true), Span::minutes(15));
    assert_eq!(config.watch.transfer_every(false), Span::minutes(2));
    assert_eq!(config.merge.expire_after.to_string(), "1 year");
    assert_eq!(config.merge.renumber_quiet.to_string(), "10 min");
}

#[test]
fn everything_is_a_set_unless_the_file_defines_it() {
    let without = parse(&node("")).unwrap();
    assert_eq!(without.set("everything"), Some(Scope::Everything));
    assert_eq!(without.set("sales"), None);
    assert_eq!(without.set_names(), ["everything"]);
    let with = parse(&node("[[set.everything.table]]\nname = \"a\"\n[set.z]\n")).unwrap();
    assert!(matches!(with.set("everything"), Some(Scope::Tables(tables)) if tables.len() == 1));
    assert_eq!(with.set("z"), Some(Scope::Tables(Vec::new())));
    assert_eq!(with.set_names(), ["everything", "z"]);
}

#[track_caller]
fn refused(text: &str, at_line: usize, at_key: Option<&str>, word: &str) {
    let error = parse(text).expect_err(text);
    let message = error.to_string();
    let ConfigError::Damaged { line, key, .. } = error else { panic!("{message}") };
    assert_eq!((line, key.as_deref()), (at_line, at_key), "{message}");
    assert!(message.contains(word) && !message.contains('\n'), "{message}");
}

#[test]
fn a_damaged_file_is_refused_with_line_and_key() {
    refused("", 1, None, "node");
    refused("[node]\nname = \"hq\"\n", 1, Some("node"), "database");
    refused("[node]\nname = \"HQ\"\ndatabase = \"a\"\n", 2, Some("node.name"), "a-z");
    refused(&node("[bundle]\nseal_att = \"1 KiB\"\n"), 5, Some("bundle.seal_att"), "seal_at");
    refused(&node("[bundel]\n"), 4, Some("bundel"), "there is no key `bundel`, expected one of `node`");
    refused("bundle = 7\n", 1, Some("bundle"), "it is the number `7`, expected a section;");
    refused(
        &node("[table.a]\nidentity = \"b\"\n"),
        5,
        Some("table.a.identity"),
        "it is the text \"b\", expected a list",
    );
    refused(&node("[set.s.table]\nname = \"b\"\n"), 4, Some("set.s.table"), "it is a section, expected a list");
    refused(&node("[bundle]\n\nseal_at = \"0 KiB\"\n"), 6, Some("bundle.seal_at"), "more than zero");
    refused(&node("[bundle]\nseal_at = 5\n"), 5, Some("bundle.seal_at"), "256 KiB");
    refused(&node("[watch]\napply_every = \"0 s\"\n"), 5, Some("watch.apply_every"), "more than zero");
    refused(&node("[watch]\ntransfer_every = \"0 s\"\n"), 5, Some("watch.transfer_every"), "more than zero");
    refused(&node("[merge]\napply_pause = \"1 fortnight\"\n"), 5, Some("merge.apply_pause"), "fortnight");
    refused(&node("[merge]\nrenumber_quiet = 10\n"), 5, Some("merge.renumber_quiet"), "15 min");
    refused(&node("[merge]\nrenumber_quiet = \"0\"\n"), 5, Some("merge.renumber_quiet"), "a unit");
    refused(&node("[merge]\nrenumber_quiet = \"-1 min\"\n"), 5, Some("merge.renumber_quiet"), "whole number");
    refused(&node("[table.a]\nprefer = \"mine\"\n"), 5, Some("table.a.prefer"), "mine");
    refused(&node("[table.a]\nkeys = \"as_is\"\n"), 5, Some("table.a.keys"), "as-is");
    refused(&node("[table.a]\ndeletes = \"any\"\n"), 5, Some("table.a.deletes"), "deletes");
    refused(&node("relay = \"\"\n"), 4, Some("node.relay"), "empty");
    refused(&node("relay = [\"a\", 3]\n"), 4, Some("node.relay"), "string");
    refused("[node]\nname = \"hq\"\ndatabase = \"..\"\n", 3, Some("node.database"), "folder");
}

#[test]
fn damage_in_references_is_found_where_it_is() {
    let references = |text: &str| node(&format!("[table.a]\nreferences = {{ {text} }}\n"));
    refused(&references("b = 3"), 5, Some("table.a.references.b"), "a table's name");
    refused(&references("b = \"\""), 5, Some("table.a.references.b"), "empty");
    refused(&references("b = \"c\", B = \"d\""), 5, Some("table.a.references"), "twice");
    refused(&references("b = { tables = { x = \"c\" } }"), 5, Some("table.a.references.b"), "type");
    refused(&references("b = { type = \"c\" }"), 5, Some("table.a.references.b"), "tables");
    refused(&references("b = { type = \"c\", tables = {} }"), 5, Some("table.a.references.b.tables"), "empty");
    refused(&references("b = { tables = { x = \"c\" }, type = \"\" }"), 5, Some("table.a.references.b.type"), "empty");
    refused(&references("b = { type = \"c\", table = {} }"), 5, Some("table.a.references.b.table"), "tables");
}

#[test]
fn damage_in_sets_and_remotes_is_found_where_it_is() {
    refused(&node("[remote.alice]\nset = \"s\"\nparam = {}\n"), 6, Some("remote.alice.param"), "params");
    refused(&node("[remote.alice]\n"), 4, Some("remote.alice"), "set");
    refused(&node("[remote.Alice]\nset = \"s\"\n"), 4, Some("remote.Alice"), "Alice");
    refused(&node("[remote.a]\nset = \"s\"\nparams = { x = 1.5 }\n"), 6, Some("remote.a.params.x"), "whole number");
    refused(&node("[remote.a]\nset = \"s\"\nparams = { x = [[1]] }\n"), 6, Some("remote.a.params.x"), "list");
    refused(&node("[[set.s.table]]\nname = \"a\"\n[[set.s.table]]\nnam = \"b\"\n"), 7, Some("set.s.table.nam"), "name");
    refused(&node("[[set.s.table]]\nname = \"a\"\ncolumns = []\n"), 6, Some("set.s.table.columns"), "empty");
    let twice = node("[[set.s.table]]\nname = \"a\"\n[[set.s.table]]\nname = \"A\"\n");
    refused(&twice, 4, Some("set.s.table"), "twice");
    refused(&node("[[set.s.table]]\nname = \"a\"\nwhere = \"1\"\nfollow = \"b\"\n"), 4, Some("set.s.table"), "both");
}

#[test]
fn what_is_not_even_toml_is_refused_with_its_line() {
    refused(&node("relay = \"unclosed\n"), 4, Some("relay"), "string");
    refused(&node("name = \"twice\"\n"), 4, Some("name"), "it is there twice");
    refused(&node("[bundle\nseal_at = \"1 B\"\n"), 4, Some("bundle"), "table");
    assert!(parse("\u{1}").is_err());
    assert!(parse(&"[a.".repeat(10_000)).is_err());
    assert!(parse(&node(&format!("relay = {}", "[".repeat(100_000)))).is_err());
}

#[test]
fn files_that_cannot_be_read_say_why() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("packhorse.toml");
    assert!(matches!(Config::load(&path), Err(ConfigError::Unreadable { .. })));
    fs::write(&path, b"[node]\nname = \"h\xff\"\n").unwrap();
    let Err(ConfigError::Damaged { line: 2, why, .. }) = Config::load(&path) else { panic!("not line 2") };
    assert!(why.contains("UTF-8"));
}

#[test]
fn the_initial_text_is_a_configuration_that_says_only_the_node() {
    let hq = name("hq");
    let relay = ["sftp://h/\"x\"\n[bundle]".to_owned()];
    let initial = InitialConfig {
        name: &hq,
        database: Path::new("../it's \"crm\".db"),
        relay: &relay,
        sealed: true,
        is_remote: false,
        access: &[],
    };
    let written = initial.text().unwrap();
    let config = parse(&written).unwrap();
    assert_eq!(config.node.database, Path::new("../it's \"crm\".db"));
    assert_eq!(config.node.relay, relay);
    assert_eq!(config.bundle, BundleConfig::default());
    assert!(config.remotes.is_empty() && config.tables.is_empty());
    assert!(written.contains("# transfer_every = \"2 min\""));
    let remote = InitialConfig { relay: &[], is_remote: true, ..initial }.text().unwrap();
    assert!(remote.contains("# transfer_every = \"15 min\"") && remote.contains("\n# relay ="));
    assert!(InitialConfig { database: Path::new(".."), ..initial }.text().is_err());
}

/// Every commented default is the default, and every commented example is accepted.
#[test]
fn the_initial_texts_comments_tell_the_truth() {
    let hq = name("hq");
    let relay = ["file:///srv/relay".to_owned()];
    let plain = InitialConfig {
        name: &hq,
        database: Path::new("../crm.db"),
        relay: &relay,
        sealed: true,
        is_remote: true,
        access: &[],
    };
    let initial = plain.text().unwrap();
    let is_setting = |line: &str| line.starts_with("# [") || (line.contains(" = ") && !line.contains("relay"));
    let lines = initial.lines().map(|line| if is_setting(line) { line.trim_start_matches("# ") } else { line });
    let config = parse(&lines.collect::<Vec<_>>().join("\n")).unwrap();
    assert_eq!(config.bundle, BundleConfig::default());
    // How long a remote may be silent for is an example too.
    assert!(config.merge.stale_after.is_some());
    assert_eq!(MergeConfig { stale_after: None, ..config.merge }, MergeConfig::default());
    assert_eq!(config.watch.transfer_every, Some(WatchConfig::default().transfer_every(true)));
    assert_eq!(config.watch.apply_every, WatchConfig::default().apply_every);
    assert!(config.node.accept);
    // The file and the levels are examples, as the hooks are.
    let (log, default) = (config.log.clone(), LogConfig::default());
    assert!(log.file.is_some() && !log.levels.is_empty() && config.hooks.after_apply.is_some());
    assert_eq!(LogConfig { file: None, levels: BTreeMap::new(), ..log }, default);
    assert_eq!(config.hooks.time_limit, HooksConfig::default().time_limit);
    assert!(matches!(config.set("sales"), Some(Scope::Tables(tables)) if tables.len() == 2));
    assert_eq!(config.remotes.len(), 1);
}

fn remote(relay: &[&str]) -> RemoteConfig {
    let params = BTreeMap::from([
        ("user".to_owned(), Param::One(text("o'\"neil\n"))),
        ("all of it".to_owned(), Param::Many(vec![text("a"), Scalar::Integer(-1)])),
    ]);
    let relay = relay.iter().map(|r| (*r).to_owned()).collect();
    let access = AccessConfig { key: Some("keys/alice".into()), ..AccessConfig::default() };
    RemoteConfig { set: "sales".to_owned(), params, relay, sealed: true, access }
}

#[test]
fn a_remote_is_added_at_the_end_and_removed_without_a_trace() {
    for original in [node(""), DESIGNED.to_owned(), node("\n# last words\n"), node("[remote]\nx = { set = \"s\" }\n")] {
        for relay in [&[][..], &["/a"], &["/a", "ftp://b"]] {
            let wanted = remote(relay);
            let added = add_remote(&original, &name("bob"), &wanted).unwrap();
            assert!(added.starts_with(&original), "{added}");
            assert_eq!(parse(&added).unwrap().remotes[&name("bob")], wanted);
            assert_eq!(remove_remote(&added, &name("bob")).unwrap().trim_end(), original.trim_end());
        }
    }
}

#[test]
fn a_file_without_a_last_newline_can_be_added_to() {
    for original in ["[node]\nname = \"hq\"\ndatabase = \"a\"", "[node]\nname = \"hq\"\ndatabase = \"a\"\n# end"] {
        let added = add_remote(original, &name("bob"), &remote(&[])).unwrap();
        assert!(added.starts_with(original), "{added}");
        assert!(parse(&added).unwrap().remotes.contains_key(&name("bob")), "{added}");
    }
}

#[test]
fn removing_keeps_the_comments_of_others() {
    let original = node(concat!(
        "\n# about alice\n[remote.alice]\nset = \"s\" # hers\n",
        "\n# about remotes in general\n\n# about bob\n[remote.bob]\nset = \"s\"\n[remote.bob.params]\na = 1\n",
        "\n# about the watch\n[watch]\n# end\n",
    ));
    let left = remove_remote(&original, &name("bob")).unwrap();
    let expected = node(concat!(
        "\n# about alice\n[remote.alice]\nset = \"s\" # hers\n",
        "\n# about remotes in general\n\n# about the watch\n[watch]\n# end\n",
    ));
    assert_eq!(left, expected);
    let none = remove_remote(&left, &name("alice")).unwrap();
    assert_eq!(none, node("\n# about remotes in general\n\n# about the watch\n[watch]\n# end\n"));
}

#[test]
fn edits_that_make_no_sense_are_refused() {
    let taken = add_remote(DESIGNED, &name("alice"), &remote(&[]));
    assert!(matches!(taken, Err(EditError::Taken(_))));
    assert!(matches!(remove_remote(DESIGNED, &name("bob")), Err(EditError::Unknown(_))));
    let unset = RemoteConfig { set: String::new(), ..remote(&[]) };
    assert!(matches!(add_remote(DESIGNED, &name("bob"), &unset), Err(EditError::Form { .. })));
    let inline = format!("remote = {{ x = {{ set = \"s\" }} }}\n{}", node(""));
    assert!(matches!(add_remote(&inline, &name("bob"), &remote(&[])), Err(EditError::Form { .. })));
    assert!(parse(&remove_remote(&inline, &name("x")).unwrap()).unwrap().remotes.is_empty());
    assert!(matches!(set_relay(DESIGNED, &[String::new()]), Err(EditError::Form { .. })));
    assert!(matches!(set_relay("not toml", &[]), Err(EditError::Form { .. })));
}

#[test]
fn the_relay_changes_and_its_comment_stays() {
    let two = ["/a".to_owned(), "ftp://b".to_owned()];
    let changed = set_relay(DESIGNED, &two).unwrap();
    let line = "relay = [\"/a\", \"ftp://b\"]          # or a list, tried in order";
    assert_eq!(changed, DESIGNED.replace("relay = \"file:///srv/relay\"          # or a list, tried in order", line));
    assert_eq!(parse(&set_relay(&node(""), &two).unwrap()).unwrap().node.relay, two);
    assert!(parse(&set_relay(DESIGNED, &[]).unwrap()).unwrap().node.relay.is_empty());
}

#[test]
fn a_file_is_edited_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("packhorse.toml");
    fs::write(&path, DESIGNED).unwrap();
    let config = edit_file(&OsDisk, &path, |text| add_remote(text, &name("bob"), &remote(&[]))).unwrap();
    assert_eq!(Config::load(&path).unwrap(), config);
    let before = fs::read(&path).unwrap();
    assert!(edit_file(&OsDisk, &path, |_| Ok("[node]".to_owned())).is_err());
    assert!(edit_file(&OsDisk, &path, |text| add_remote(text, &name("bob"), &remote(&[]))).is_err());
    assert_eq!(fs::read(&path).unwrap(), before);
}
