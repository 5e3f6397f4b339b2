//! Random stories of counters: whatever is lost, doubled and late, everybody comes to have what all have added up.

use std::fs;
use std::panic::catch_unwind;
use std::path::PathBuf;

use super::{COUNTED, SCHEMA, TREE, all_have, rest};
use crate::identity::tree::remote_of;
use crate::merging::{configure, sync};
use crate::mirror::dice::Dice;
use crate::support::{Scene, files, sqlite};

/// The stock of each item by its name, as everything that anybody did to it adds up.
struct World {
    scene: Scene,
    stock: Vec<(String, i64)>,
    /// Bundles that may come again.
    copies: Vec<(PathBuf, Vec<u8>)>,
}

impl World {
    fn new() -> Self {
        let scene = Scene::in_memory();
        sqlite(&scene.path("hq.db"), SCHEMA);
        scene.init();
        configure(&scene, COUNTED);
        for (hub, name) in [("hq", "mid"), ("hq", "west"), ("mid", "alice"), ("mid", "bob")] {
            remote_of(&scene, hub, name);
        }
        Self { scene, stock: vec![("pen".to_owned(), 10), ("ink".to_owned(), 10)], copies: Vec::new() }
    }

    fn step(&mut self, step: u64, dice: &mut Dice) {
        let node = dice.pick(&TREE).unwrap();
        match dice.below(100) {
            0..40 => self.add(node, dice),
            40..46 => self.make(node, step),
            46..50 => drop(self.scene.sql(node, "UPDATE items SET note = 'seen' WHERE id = 1")),
            50..80 => sync(&self.scene, &[node]),
            80..86 => drop(self.scene.packhorse(node, &["bundle", "--now"]).expect(0)),
            _ => self.meddle(dice),
        }
    }

    /// Adds to a random item that is known there.
    fn add(&mut self, node: &str, dice: &mut Dice) {
        let names = self.scene.sql(node, "SELECT name FROM items ORDER BY name");
        let Some(name) = dice.pick(&names.lines().collect::<Vec<_>>()) else { return };
        let by = dice.below(19) as i64 - 9;
        self.scene.sql(node, &format!("UPDATE items SET stock = stock + {by} WHERE name = '{name}'"));
        let stock = self.stock.iter_mut().find(|item| item.0 == name).expect("an item that somebody made");
        stock.1 += by;
    }

    fn make(&mut self, node: &str, step: u64) {
        let name = format!("item{step}");
        self.scene.sql(node, &format!("INSERT INTO items (name, stock) VALUES ('{name}', 100)"));
        self.stock.push((name, 100));
    }

    /// Something on the relay is lost, or what was there before is there again.
    fn meddle(&mut self, dice: &mut Dice) {
        let boxes = ["mid/up", "mid/down", "west/up", "west/down", "mid/alice/up", "mid/bob/down"];
        let lying: Vec<PathBuf> = boxes.iter().flat_map(|it| files(&self.scene.path("relay").join(it))).collect();
        let is_bundle = |file: &&PathBuf| file.extension().is_some_and(|it| it == "bundle");
        let Some(file) = dice.pick(&lying.iter().filter(is_bundle).cloned().collect::<Vec<_>>()) else { return };
        self.copies.push((file.clone(), fs::read(&file).unwrap()));
        if dice.percent(50) {
            fs::remove_file(&file).unwrap();
        }
        if let Some((file, bytes)) = dice.pick(&self.copies) {
            fs::write(file, bytes).unwrap();
        }
    }
}

fn play(seed: u64) {
    let (mut world, mut dice) = (World::new(), Dice::new(seed, 11));
    (0..60).for_each(|step| world.step(step, &mut dice));
    rest(&world.scene, &TREE);
    for (name, stock) in &world.stock {
        let sql = format!("SELECT ifnull(max(stock), 'gone in seed {seed}') FROM items WHERE name = '{name}'");
        all_have(&world.scene, &TREE, &sql, &stock.to_string());
    }
}

#[test]
fn everybody_has_what_all_have_added() {
    // The last one once failed.
    (0..3).chain([1118]).for_each(play);
}

#[test]
#[ignore = "takes long: a hundred seeds"]
fn everybody_has_what_all_have_added_in_a_hundred_stories() {
    let number = |name: &str, other: u64| std::env::var(name).map_or(other, |text| text.parse().expect("a number"));
    let first = number("PACKHORSE_COUNTERS_FIRST", 100);
    let seeds = first..first + number("PACKHORSE_COUNTERS_SEEDS", 100);
    let failed: Vec<u64> = seeds.filter(|seed| catch_unwind(|| play(*seed)).is_err()).collect();
    assert_eq!(failed, Vec::<u64>::new(), "these seeds fail");
}
