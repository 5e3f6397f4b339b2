//! What a person decides by hand: two records are made one, or what is held is discarded.
//!
//! That is an edit of the node where it is decided, and is told the oracle as such. What stands in the end is judged in such
//! stories by less than in others: all ends have the same, nothing is held, refers to nobody or goes on for ever, and what nobody
//! decided on is there.

use serde_json::Value;

use crate::cast;
use crate::dice::Dice;
use crate::ids::{At, Uid};
use crate::world::World;

/// How such a command may end: nothing may be held under its number any more, and what is asked for may not be possible.
const ENDS: [u8; 3] = [0, 1, 2];

/// Somebody decides on something, where there is anything to decide on.
pub fn decide(world: &mut World, at: At, dice: &mut Dice) -> bool {
    let held = held(world, at);
    let words = match dice.pick(&held).filter(|_| dice.percent(50)) {
        Some(one) if dice.percent(50) => discard(&one, dice),
        Some(one) => {
            let table = one["table"].as_str().unwrap_or_default().to_owned();
            let Some(other) = standing(world, at, &table, dice) else { return false };
            merge(dice, [one["id"].to_string(), other])
        }
        None => {
            let table = dice.pick(&["contacts", "contacts", "contacts", "companies", "products"]).expect("tables");
            let both = [(); 2].map(|()| standing(world, at, table, dice));
            let [Some(one), Some(other)] = both else { return false };
            merge(dice, [one, other])
        }
    };
    say(world, at, &words.iter().map(String::as_str).collect::<Vec<_>>())
}

/// A person gives such a command; whether it was done.
pub fn say(world: &mut World, at: At, words: &[&str]) -> bool {
    // What has got room meanwhile is placed by itself, and not by this.
    let now = world.now;
    world.nodes[at.0].run(&["held", "retry"], now);
    let before = cast::look(&world.nodes[at.0]);
    let named: Vec<Uid> = words.iter().filter_map(|word| uid_held(world, at, word)).collect();
    let ran = world.run(at, words);
    if !ENDS.contains(&ran.exit) {
        world.fail("exit", &format!("{words:?} ended with {}: {}{}", ran.exit, ran.out, ran.err));
    }
    let after = cast::look(&world.nodes[at.0]);
    world.wrote(at, &before, &after);
    if ran.exit == 0 {
        world.decided.extend(named.into_iter().filter(|uid| !after.contains_key(uid)));
        world.harvested(at);
    }
    world.see(at);
    ran.exit == 0
}

fn discard(held: &Value, dice: &mut Dice) -> Vec<String> {
    let may_delete = dice.percent(60).then(|| "--delete".to_owned());
    ["held".to_owned(), "discard".to_owned(), held["id"].to_string()].into_iter().chain(may_delete).collect()
}

fn merge(dice: &mut Dice, mut both: [String; 2]) -> Vec<String> {
    if dice.percent(50) {
        both.reverse();
    }
    ["held".to_owned(), "merge".to_owned()].into_iter().chain(both).collect()
}

/// Some record of a table, as the command names it.
fn standing(world: &World, at: At, table: &str, dice: &mut Dice) -> Option<String> {
    let picture = cast::look(&world.nodes[at.0]);
    let keys: Vec<&str> =
        picture.values().filter(|record| record.table == table).map(|record| record.key.trim_matches('\'')).collect();
    dice.pick(&keys).map(|key| format!("{table}:{key}"))
}

fn held(world: &mut World, at: At) -> Vec<Value> {
    let now = world.now;
    let listed = world.nodes[at.0].run(&["held", "list", "--json"], now).out;
    serde_json::from_str::<Value>(&listed).ok().and_then(|list| list.as_array().cloned()).unwrap_or_default()
}

/// Which record it is of which something is held under a number.
fn uid_held(world: &mut World, at: At, word: &str) -> Option<Uid> {
    word.parse::<i64>().ok()?;
    let now = world.now;
    let shown = world.nodes[at.0].run(&["held", "show", word, "--json"], now).out;
    let shown: Value = serde_json::from_str(&shown).ok()?;
    let code = shown["key"][0].as_str().map(|code| format!("product {code}"));
    shown["fields"]["uid"]["value"].as_str().map(str::to_owned).or(code).map(Uid)
}
