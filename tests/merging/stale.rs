//! A remote that was silent for too long: what it says still counts, but not against the hub.

use super::{come_to_rest, edit_apart, listed, scene, sync};
use crate::support::Scene;

const BACKLOG: u32 = 300;

fn come_back(stale_after: &str, backlog: bool) -> Scene {
    let scene = scene(stale_after, &["alice", "bob"]);
    sync(&scene, &["alice", "hq", "alice"]);
    scene.sql("hq", "UPDATE people SET phone = 'hq' WHERE id = 1");
    sync(&scene, &["hq"]);
    std::thread::sleep(std::time::Duration::from_millis(1_200));
    edit_apart(
        &scene,
        ("alice", "INSERT INTO people (name) VALUES ('New')"),
        ("alice", "UPDATE people SET phone = 'alice', city = 'Leeds' WHERE id = 1"),
    );
    if backlog {
        let sql = format!(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {BACKLOG}) \
             INSERT INTO people (name, street) SELECT 'n' || i, hex(randomblob(2000)) FROM n; \
             UPDATE people SET phone = 'alice late' WHERE id = 1"
        );
        scene.sql("alice", &sql);
    }
    // What alice knows is from before the hub's edit.
    scene.packhorse("alice", &["bundle", "--now"]).expect(0);
    scene.packhorse("alice", &["transfer"]).expect(0);
    come_to_rest(&scene, &["hq", "alice", "bob"]);
    scene
}

#[test]
fn what_the_hub_has_changed_too_goes_before_what_a_stale_remote_says_and_is_listed() {
    for backlog in [false, true] {
        let scene = come_back("[merge]\nstale_after = \"1 s\"", backlog);
        for node in ["hq", "alice", "bob"] {
            let ada = scene.sql(node, "SELECT phone, city FROM people WHERE id = 1");
            assert_eq!(ada, "hq|Leeds", "at {node}: what nobody opposed counts (backlog: {backlog})");
            assert_eq!(scene.sql(node, "SELECT count(*) FROM people WHERE name = 'New'"), "1", "{node}");
        }
        for node in ["hq", "alice"] {
            let all = listed(&scene, node, &[]);
            assert_eq!(all.len(), 1, "{node}: {all:#?}");
            assert_eq!(all[0]["kept"]["value"], "hq", "{node}");
        }
    }
}

#[test]
fn whoever_was_not_silent_for_that_long_wins_by_the_later_edit() {
    for policy in
        ["", "[merge]\nstale_after = \"1 h\"", "[merge]\nstale_after = \"1 s\"\n[table.people]\nstale_after = \"1 h\""]
    {
        let scene = come_back(policy, false);
        assert_eq!(scene.sql("hq", "SELECT phone FROM people WHERE id = 1"), "alice", "{policy}");
    }
}
