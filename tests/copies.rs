//! Copies of a node: packages restored twice, disks copied, backups restored.

mod backups;
mod disks;
mod lost_packages;
mod packages;

use std::fs;
use std::path::Path;

use crate::support::Scene;

/// What of a node a backup is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Database,
    Home,
    Both,
}

impl Part {
    fn has_database(self) -> bool {
        self != Self::Home
    }

    fn has_home(self) -> bool {
        self != Self::Database
    }
}

/// Copies parts of a node over those of another, or to where there is none.
pub fn copy(scene: &Scene, from: &str, to: &str, part: Part) {
    if part.has_database() {
        for ending in ["", "-wal", "-shm"] {
            let file = |node: &str| scene.path(&format!("{node}.db{ending}"));
            let _ = fs::remove_file(file(to));
            if file(from).exists() {
                fs::copy(file(from), file(to)).unwrap();
            }
        }
    }
    if part.has_home() {
        let _ = fs::remove_dir_all(scene.home(to));
        copy_folder(&scene.home(from), &scene.home(to));
    }
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (from, to) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
        if from.is_dir() {
            copy_folder(&from, &to);
        } else {
            fs::copy(&from, &to).unwrap();
        }
    }
}

/// Copies a node's disk: another machine with its database and its home.
fn clone(scene: &Scene, node: &str, name: &str) {
    copy(scene, node, name, Part::Both);
    let config = scene.home(name).join("packhorse.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace(&format!("../{node}.db"), &format!("../{name}.db"))).unwrap();
}
