//! What random stories have in common: which are played, and how they must end.

use std::ops::Range;

use crate::support::{Run, Scene};

/// The seeds that the environment asks for: `PACKHORSE_NAME_SEEDS` of them from `PACKHORSE_NAME_FIRST` on.
pub fn seeds(name: &str) -> Range<u64> {
    let number = |what: &str, other: u64| {
        std::env::var(format!("PACKHORSE_{name}_{what}")).map_or(other, |text| text.parse().expect("a number"))
    };
    let first = number("FIRST", 100);
    first..first + number("SEEDS", 300)
}

#[track_caller]
pub fn sync(scene: &Scene, node: &str) -> Run {
    let run = scene.packhorse(node, &["sync"]);
    assert!([0, 3].contains(&run.code), "{run:#?}");
    run
}

/// Tells that everybody is at rest, that nobody refers to nobody, and that all are equal unless a person is asked for.
pub fn judge(scene: &Scene, nodes: &[&str], tables: &[&str], told: &str) {
    let mut held = 0;
    for node in nodes {
        let status = scene.packhorse(node, &["status", "--json"]).json();
        for link in status["links"].as_array().expect("links") {
            let open = ["pending_changes", "unacknowledged"].map(|what| link[what].as_u64());
            assert_eq!(open, [Some(0); 2], "{node} is not at rest: {status}\n{told}");
            held += link["held"].as_u64().expect("a number");
        }
        assert_eq!(scene.sql(node, "PRAGMA foreign_key_check"), "", "{node}: {told}");
    }
    if held > 0 {
        return;
    }
    for (table, node) in tables.iter().flat_map(|table| nodes[1..].iter().map(move |node| (table, node))) {
        assert_eq!(scene.rows(nodes[0], table), scene.rows(node, table), "{table} differs at {node}: {told}");
    }
}
