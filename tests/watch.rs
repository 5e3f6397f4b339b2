//! The unattended service: real ones, on hubs and remotes, with nothing but other programs' edits between them.

mod accept;
mod away;
mod hooks;
mod line;
mod log;
mod manners;
mod minutes;
#[cfg(target_os = "linux")]
mod units;

use crate::support::Scene;
use crate::support::service::until;

const TABLE: &str = "CREATE TABLE t (id TEXT PRIMARY KEY, a TEXT, b TEXT); INSERT INTO t VALUES ('one', 'x', 'y')";

/// As fast as a service goes: for tests that wait for it.
const QUICK: [&str; 4] = ["--every", "1s", "--seal-after", "1s"];

/// A hub and alice.
fn pair() -> Scene {
    let scene = Scene::hub(TABLE);
    scene.remote("alice");
    scene
}

/// Waits until a field has a value at a node.
#[track_caller]
fn until_it_is(scene: &Scene, node: &str, column: &str, value: &str) {
    let sql = format!("SELECT {column} FROM t WHERE id = 'one'");
    until(&format!("{column} is {value} at {node}"), || scene.sql(node, &sql) == value);
}
