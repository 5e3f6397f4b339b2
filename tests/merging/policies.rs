//! What the hub's configuration says of a table: whose value goes before the other, and what changes together.

use super::{come_to_rest, configure, edit_apart, listed, scene, sync};

/// Whichever edit is later, and whichever end syncs first.
#[test]
fn the_hubs_or_the_remotes_value_goes_before_the_later_one() {
    let (hq, alice) = (
        ("hq", "UPDATE people SET phone = 'hq' WHERE id = 1"),
        ("alice", "UPDATE people SET phone = 'alice' WHERE id = 1"),
    );
    for (prefer, comes) in [("hub", "hq"), ("remote", "alice")] {
        for (first, second) in [(hq, alice), (alice, hq)] {
            for order in [["alice", "hq", "alice", "hq", "bob"], ["hq", "alice", "hq", "alice", "bob"]] {
                let scene = scene(&format!("[table.people]\nprefer = \"{prefer}\""), &["alice", "bob"]);
                edit_apart(&scene, first, second);
                sync(&scene, &order);
                come_to_rest(&scene, &["hq", "alice", "bob"]);
                for node in ["hq", "alice", "bob"] {
                    let phone = scene.sql(node, "SELECT phone FROM people WHERE id = 1");
                    assert_eq!(phone, comes, "prefer {prefer}, {} is later, {order:?}, at {node}", second.0);
                }
                let all = listed(&scene, "hq", &[]);
                assert_eq!(all.len(), 1, "{all:#?}");
                assert_eq!(all[0]["kept"]["value"], comes);
                assert!(!listed(&scene, "alice", &[]).is_empty());
            }
        }
    }
}

/// What the other end had seen is no conflict, and no policy stands against it.
#[test]
fn a_preference_decides_conflicts_and_nothing_else() {
    let scene = scene("[table.people]\nprefer = \"hub\"", &["alice"]);
    scene.sql("hq", "UPDATE people SET phone = 'hq' WHERE id = 1");
    sync(&scene, &["hq", "alice"]);
    scene.sql("alice", "UPDATE people SET phone = 'alice' WHERE id = 1");
    sync(&scene, &["alice", "hq"]);
    assert_eq!(scene.sql("hq", "SELECT phone FROM people WHERE id = 1"), "alice");
    assert!(listed(&scene, "hq", &["--all"]).is_empty());
}

/// An address is never mixed from two.
#[test]
fn columns_that_change_together_come_from_one_end() {
    // Of a record that is merged as one the hub's other values lose as well.
    for (policy, overruled) in [
        ("together = [[\"street\", \"city\"]]", vec!["street", "city"]),
        ("granularity = \"record\"", vec!["phone", "street", "city"]),
    ] {
        let scene = scene(&format!("[table.people]\n{policy}"), &["alice"]);
        edit_apart(
            &scene,
            ("hq", "UPDATE people SET street = 'Kirkgate' WHERE id = 1"),
            ("alice", "UPDATE people SET city = 'Leeds', phone = '030' WHERE id = 1"),
        );
        come_to_rest(&scene, &["alice", "hq"]);
        for node in ["hq", "alice"] {
            let address = scene.sql(node, "SELECT street, city, phone FROM people WHERE id = 1");
            assert_eq!(address, "Mill Lane|Leeds|030", "{policy}, at {node}");
            let all = listed(&scene, node, &[]);
            let columns: Vec<&str> = all.iter().filter_map(|one| one["column"].as_str()).collect();
            assert_eq!(columns, overruled, "{policy}, at {node}");
        }
        // They are decided together too.
        let id = listed(&scene, "alice", &[])[0]["id"].to_string();
        scene.packhorse("alice", &["conflicts", "resolve", &id, "--keep", "theirs"]).expect(0);
        sync(&scene, &["alice", "hq"]);
        assert_eq!(scene.sql("hq", "SELECT street, city FROM people WHERE id = 1"), "Kirkgate|York", "{policy}");
        assert!(listed(&scene, "hq", &[]).is_empty() && listed(&scene, "alice", &[]).is_empty(), "{policy}");
    }
}

/// Without a policy the fields of a record do not fight.
#[test]
fn other_columns_are_merged_one_by_one() {
    let scene = scene("[table.people]\ntogether = [[\"street\", \"city\"]]", &["alice"]);
    edit_apart(
        &scene,
        ("hq", "UPDATE people SET phone = '040' WHERE id = 1"),
        ("alice", "UPDATE people SET city = 'Leeds' WHERE id = 1"),
    );
    sync(&scene, &["alice", "hq", "alice"]);
    assert_eq!(scene.sql("alice", "SELECT phone, city FROM people WHERE id = 1"), "040|Leeds");
    assert!(listed(&scene, "hq", &["--all"]).is_empty());
}

/// What is said at the hub is in force at the remote with the next bundle.
#[test]
fn a_policy_that_is_edited_at_the_hub_is_in_force_at_remotes_with_the_next_bundle() {
    let scene = scene("", &["alice"]);
    configure(&scene, "[table.people]\ntogether = [[\"street\", \"city\"]]\ntitle = \"name || '!'\"");
    sync(&scene, &["hq", "alice", "hq"]);
    // The one column is edited at the remote, and the other goes along.
    edit_apart(
        &scene,
        ("hq", "UPDATE people SET street = 'Kirkgate' WHERE id = 1"),
        ("alice", "UPDATE people SET city = 'Leeds' WHERE id = 1"),
    );
    sync(&scene, &["alice", "hq", "alice", "hq"]);
    assert_eq!(scene.sql("hq", "SELECT street, city FROM people WHERE id = 1"), "Mill Lane|Leeds");
    assert_eq!(listed(&scene, "alice", &[])[0]["title"], "Ada Bell!");
    scene.packhorse("alice", &["sync"]).expect(0);
}

#[test]
fn what_does_not_fit_the_database_is_refused_with_the_way_out() {
    for (policy, words) in [
        ("[table.nobody]\nprefer = \"hub\"", "[table.nobody]: no such table is synced"),
        ("[table.people]\ntogether = [[\"street\", \"town\"]]", "`together` names \"town\""),
        ("[table.people]\ntitle = \"nme\"", "`title`: no such column"),
        ("[table.people]\ntitle = \"(SELECT 1)\"", "`title`: this reaches beyond the row"),
        ("[table.people]\ntitle = \"name || :user\"", "`title`: it has a parameter"),
    ] {
        let scene = scene(policy, &[]);
        scene.packhorse("hq", &["sync"]).expect(2).says(words);
    }
    for (policy, words) in [
        ("[table.people]\ntogether = [[\"street\"]]", "a group has two columns or more"),
        ("[table.people]\ntogether = [[\"street\", \"Street\"]]", "the column \"Street\" is listed twice"),
        ("[table.people]\ngranularity = \"row\"", "there is no value `row`, expected `field` or `record`"),
    ] {
        let scene = scene(policy, &[]);
        scene.packhorse("hq", &["status"]).expect(2).says(words);
    }
}

/// Of a group that is torn apart by a set, a remote's change would be mixed with what it does not share.
#[test]
fn a_set_that_shares_a_part_of_a_group_is_pointed_out() {
    let scene = scene("[table.people]\ntogether = [[\"street\", \"city\"]]", &[]);
    for (columns, wrong) in
        [("name --columns city", true), ("street --columns city", false), ("name --columns phone", false)]
    {
        let words = format!("set add reps --table people --columns {columns}");
        scene.packhorse("hq", &["set", "remove", "reps"]);
        scene.packhorse("hq", &words.split(' ').collect::<Vec<_>>()).expect(0);
        let run = scene.packhorse("hq", &["set", "lint", "--json"]);
        let told = run.json();
        let rules: Vec<&str> = told.as_array().unwrap().iter().filter_map(|one| one["rule"].as_str()).collect();
        assert_eq!(rules.contains(&"together"), wrong, "{columns}: {told:#}");
    }
}

/// A hub that lies cannot have anything read beyond the row.
#[test]
fn a_title_that_a_hub_tells_is_looked_at_like_what_a_person_writes() {
    let (honest, evil) = ("'title of ' || name || ' of the people'", "(SELECT max(sql) FROM sqlite_schema) ");
    let scene = scene(&format!("[table.people]\ntitle = \"{honest}\""), &["alice"]);
    edit_apart(
        &scene,
        ("hq", "UPDATE people SET phone = 'hq' WHERE id = 1"),
        ("alice", "UPDATE people SET phone = 'alice' WHERE id = 1"),
    );
    come_to_rest(&scene, &["alice", "hq"]);
    assert_eq!(listed(&scene, "alice", &[])[0]["title"], "title of Ada Bell of the people");
    let evil = format!("{evil:<width$}", width = honest.len());
    let (honest, evil) = (honest.replace('\'', "''"), evil.replace('\'', "''"));
    let sql = format!(
        "UPDATE _packhorse_policies SET policy = CAST(replace(CAST(policy AS TEXT), '{honest}', '{evil}') AS BLOB); \
         SELECT instr(CAST(policy AS TEXT), 'sqlite_schema') > 0 FROM _packhorse_policies"
    );
    assert_eq!(scene.sql("alice", &sql), "1");
    assert!(listed(&scene, "alice", &[])[0]["title"].is_null());
}

/// A remote that hears of the hub's value before it tells its own does not tell it in view of that.
#[test]
fn what_was_heard_before_it_is_told_counts_as_what_was_not() {
    for (prefer, comes) in [("hub", "hq"), ("remote", "alice")] {
        for first in ["hq", "alice"] {
            let scene = scene(&format!("[table.people]\nprefer = \"{prefer}\""), &["alice", "bob"]);
            let edit = |node: &'static str| (node, if node == "hq" { HQ } else { ALICE });
            edit_apart(&scene, edit(first), edit(if first == "hq" { "alice" } else { "hq" }));
            sync(&scene, &["hq"]);
            // What the hub says is applied before anything is sealed.
            ["transfer", "apply"].iter().for_each(|words| drop(scene.packhorse("alice", &[words])));
            come_to_rest(&scene, &["alice", "hq", "bob"]);
            for node in ["hq", "alice", "bob"] {
                let phone = scene.sql(node, "SELECT phone FROM people WHERE id = 1");
                assert_eq!(phone, comes, "prefer {prefer}, {first} was first, at {node}");
            }
        }
    }
}

const HQ: &str = "UPDATE people SET phone = 'hq' WHERE id = 1";
const ALICE: &str = "UPDATE people SET phone = 'alice' WHERE id = 1";
