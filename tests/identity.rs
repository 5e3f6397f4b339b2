//! Numbers that are given apart: two people never become one, and everything that refers to them follows.

mod affinity;
mod again;
mod backups;
mod ends;
mod families;
mod keys;
mod late;
mod quiet;
mod reborn;
mod references;
mod regain;
mod remade;
mod stories;
pub mod tree;
mod unheard;
mod unite;
mod united;
mod unmet;

use crate::support::Scene;

/// Lets a hub and its remotes exchange everything without a conflict, and tells that they are equal in these tables and at
/// rest.
#[track_caller]
fn come_together(scene: &Scene, nodes: &[&str], tables: &[&str]) {
    come_together_ending(scene, nodes, tables, &[0]);
}

/// The same; runs may end with these.
#[track_caller]
fn come_together_ending(scene: &Scene, nodes: &[&str], tables: &[&str], codes: &[i32]) {
    for _ in 0..5 {
        for node in nodes {
            let run = scene.packhorse(node, &["sync"]);
            assert!(codes.contains(&run.code), "{run:#?}");
        }
    }
    for node in nodes {
        scene.is_at_rest(node);
    }
    for table in tables {
        for node in &nodes[1..] {
            scene.same(table, nodes[0], node);
        }
    }
}
