//! The scenes in which commands are refused: a hub, a hub with a remote, and what is too long for anything.

use std::fs;

use crate::support::{Scene, sqlite};

/// Tables that can be synced, and what cannot.
pub const SCHEMA: &str = "
CREATE TABLE firms (id INTEGER PRIMARY KEY, name TEXT, manager TEXT);
CREATE TABLE people (id INTEGER PRIMARY KEY, firm INTEGER REFERENCES firms(id), name TEXT NOT NULL, email TEXT UNIQUE);
CREATE TABLE keyless (a);
CREATE VIEW bosses AS SELECT manager FROM firms;
INSERT INTO firms VALUES (1, 'Acme', 'ann'), (2, 'Bolt', 'ben');
INSERT INTO people VALUES (1, 1, 'Ann', 'ann@x'), (2, 2, 'Ben', 'ben@x')";

/// A name of 64 KiB.
pub fn huge() -> String {
    "x".repeat(1 << 16)
}

/// `hq.db`, which is nobody's yet.
pub fn plain() -> Scene {
    let scene = Scene::in_memory();
    sqlite(&scene.database("hq"), SCHEMA);
    scene
}

/// A hub without a remote.
pub fn hub() -> Scene {
    let scene = plain();
    scene.init();
    scene
}

/// A hub and alice, who have heard of each other.
pub fn pair() -> Scene {
    let scene = hub();
    scene.remote("alice");
    scene.settle("alice");
    scene
}

/// A node's configuration.
pub fn config(scene: &Scene, node: &str) -> String {
    fs::read_to_string(scene.home(node).join("packhorse.toml")).expect("a configuration")
}

/// Writes a node's configuration.
pub fn configure(scene: &Scene, node: &str, text: impl AsRef<[u8]>) {
    fs::write(scene.home(node).join("packhorse.toml"), text).expect("a configuration");
}

/// Adds to a node's configuration.
pub fn append(scene: &Scene, node: &str, text: &str) {
    configure(scene, node, format!("{}\n{text}", config(scene, node)));
}
