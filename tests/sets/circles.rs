//! Tables that follow each other in a circle, or themselves.

use super::{hub, join, rest};

const TREE: &str = "
    CREATE TABLE teams (id INTEGER PRIMARY KEY, mine INTEGER);
    CREATE TABLE tasks (id INTEGER PRIMARY KEY, team INTEGER REFERENCES teams(id), parent INTEGER REFERENCES tasks(id),
        t TEXT);
    INSERT INTO teams VALUES (1, 1), (2, 0);
    INSERT INTO tasks VALUES (1, 1, NULL, 'root'), (2, NULL, 1, 'child'), (3, NULL, 2, 'grandchild'),
        (4, 2, NULL, 'other root'), (5, NULL, 4, 'other child')";

const SET: &str = "
[[set.s.table]]
name = \"teams\"
where = \"mine\"
[[set.s.table]]
name = \"tasks\"
follow = [\"team\", \"parent\"]
columns = [\"t\"]
";

fn scene() -> crate::support::Scene {
    let scene = hub(TREE, SET);
    join(&scene, "alice", "s", &[]);
    scene
}

fn tasks(scene: &crate::support::Scene) -> String {
    scene.sql("alice", "SELECT group_concat(id) FROM (SELECT id FROM tasks ORDER BY id)")
}

#[test]
fn a_tree_is_followed_to_any_depth() {
    let scene = scene();
    assert_eq!(tasks(&scene), "1,2,3");
    scene.sql("hq", "INSERT INTO tasks VALUES (6, NULL, 3, 'deeper'); UPDATE tasks SET parent = 3 WHERE id = 4");
    rest(&scene, &["hq", "alice"]);
    assert_eq!(tasks(&scene), "1,2,3,4,5,6");
    scene.sql("hq", "UPDATE tasks SET parent = NULL WHERE id = 2");
    rest(&scene, &["hq", "alice"]);
    assert_eq!(tasks(&scene), "1");
}

#[test]
fn records_that_only_keep_each_other_in_are_out() {
    let scene = scene();
    scene.sql("hq", "UPDATE tasks SET parent = 3 WHERE id = 1");
    rest(&scene, &["hq", "alice"]);
    assert_eq!(tasks(&scene), "1,2,3");
    scene.sql("hq", "UPDATE tasks SET team = 2 WHERE id = 1");
    rest(&scene, &["hq", "alice"]);
    assert_eq!(tasks(&scene), "");
    scene.sql("hq", "UPDATE teams SET mine = NOT mine");
    rest(&scene, &["hq", "alice"]);
    assert_eq!(tasks(&scene), "1,2,3,4,5");
}

#[test]
fn a_deep_chain_comes_and_goes_whole() {
    let scene = scene();
    scene.sql(
        "hq",
        "WITH RECURSIVE n(i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM n WHERE i < 3099) \
         INSERT INTO tasks SELECT i, NULL, iif(i = 100, 3, i - 1), 'deep' FROM n",
    );
    rest(&scene, &["hq", "alice"]);
    assert_eq!(scene.sql("alice", "SELECT count(*) FROM tasks"), "3003");
    scene.sql("hq", "UPDATE teams SET mine = 0");
    rest(&scene, &["hq", "alice"]);
    assert_eq!(scene.sql("alice", "SELECT count(*) FROM tasks"), "0");
}
