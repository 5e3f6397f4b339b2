//! Records that were deleted at the hub and live on for a child elsewhere, while the hub has made another with their email.

use super::{NODES, SCHEMA, equal, login, logins, user};
use crate::support::{Scene, sqlite};

/// How the hub does it; the second leaves nothing of the old one's values.
const DEEDS: [&str; 2] = [
    "DELETE FROM users WHERE email = 'old@x'; INSERT INTO users (email, name) VALUES ('old@x', 'Anew')",
    "REPLACE INTO users (email, name) VALUES ('old@x', 'Anew')",
];

/// Alice has said that the old one logged in, when the hub had deleted it and made it anew.
fn made_anew(scene: &Scene, deed: &str) {
    login(scene, "alice", "old@x");
    scene.sync("alice");
    user(scene, "hq", "new@x", "New");
    scene.sql("hq", deed);
    login(scene, "hq", "old@x");
}

fn sync_all(scene: &Scene) {
    for _ in 0..3 {
        NODES.iter().for_each(|node| drop(scene.packhorse(node, &["sync"])));
    }
}

#[test]
fn nobody_refers_to_a_record_that_waits_for_its_email() {
    for deed in DEEDS {
        let scene = Scene::in_memory();
        sqlite(&scene.path("hq.db"), SCHEMA);
        scene.init();
        scene.remote("alice");
        scene.remote("bob");
        made_anew(&scene, deed);
        // What alice said waits under a number that the hub's application takes meanwhile.
        scene.packhorse("hq", &["sync"]).expect(3);
        login(&scene, "hq", "new@x");
        sync_all(&scene);
        for node in NODES {
            assert_eq!(scene.sql(node, "PRAGMA foreign_key_check"), "", "{node}: {deed}");
        }
        assert_eq!(scene.sql("hq", "SELECT name FROM users ORDER BY name"), "Anew\nNew");
        scene.sql("hq", "UPDATE users SET email = 'anew@x' WHERE name = 'Anew'");
        equal(&scene, "anew@x|Anew|\nnew@x|New|\nold@x|Old|1");
        assert_eq!((logins(&scene, "old@x"), logins(&scene, "anew@x")), ("alice".to_owned(), "hq".to_owned()));
        assert_eq!(logins(&scene, "new@x"), "hq\nhq");
    }
}
