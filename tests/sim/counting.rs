//! Counters: applications add to numbers and take from them, often several at one moment; and what has to be so of it.

use crate::application::{Picture, Record, field};
use crate::cast;
use crate::dice::Dice;
use crate::ids::{At, Column, Uid};
use crate::policies::COUNTERS;
use crate::world::{World, Wrote};

/// Somebody adds to a number, or everybody who has it at once.
pub fn add(world: &mut World, dice: &mut Dice) -> bool {
    world.pass(1_000 + dice.below(300_000));
    let (table, column) = dice.pick(&COUNTERS).expect("counters");
    let pictures: Vec<Picture> = world.nodes.iter().map(cast::look).collect();
    let Some(at) = dice.pick(&world.present()) else { return false };
    let Some(uid) = some(world, &pictures[at.0], (table, column), dice) else { return false };
    let has_it = |at: &At| pictures[at.0].contains_key(&uid);
    let all: Vec<At> = world.present().into_iter().filter(has_it).collect();
    let adding = if dice.percent(45) { all } else { vec![at] };
    let changed = adding.into_iter().filter(|at| add_at(world, *at, (table, column, &uid), dice));
    changed.count() > 0
}

/// A record of a table; half the time one of those whose number has been added to.
fn some(world: &World, picture: &Picture, (table, column): (&str, Column), dice: &mut Dice) -> Option<Uid> {
    let of_table = picture.iter().filter(|(_, record)| record.table == table).map(|(uid, _)| uid.clone());
    let all: Vec<Uid> = of_table.collect();
    let busy = all.iter().filter(|uid| world.oracle.was_added_to(&field(uid, column))).cloned().collect::<Vec<_>>();
    let is_busy = dice.percent(50);
    dice.pick(&busy).filter(|_| is_busy).or_else(|| dice.pick(&all))
}

/// The application of a node adds to a number, sets it, with another field or alone, or makes it none.
fn add_at(world: &mut World, at: At, (table, column, uid): (&str, Column, &Uid), dice: &mut Dice) -> bool {
    let (how, takes) = (dice.below(100), dice.percent(40));
    let Some(by) = world.oracle.next_added(&field(uid, column)) else { return false };
    let by = if takes { -by } else { by };
    let seen = cast::look(&world.nodes[at.0]).get(uid).and_then(|record| record.cells[column].clone());
    let seen: Option<i64> = seen.and_then(|text| text.parse().ok());
    let parts = if column == "visits" { "/4.0" } else { "" };
    let set = match (seen, how) {
        (None, _) => format!("{column} = {how}"),
        (Some(_), 0..60) => format!("{column} = {column} + {by}{parts}"),
        (Some(seen), 60..80) => format!("{column} = {}{parts}", seen + by),
        (Some(_), 80..97) => format!("{column} = {column} + {by}{parts}, name = '{}'", world.value()),
        (Some(_), _) => format!("{column} = NULL"),
    };
    world.write(at, &format!("UPDATE {table} SET {set} WHERE uid = '{uid}'")) == Wrote::Changed
}

/// No conflict is listed for a counter that adds up.
pub fn is_none_disputed(world: &mut World, pictures: &[Picture]) {
    let now = world.now;
    for at in world.all().filter(|_| world.oracle.has_counters()).collect::<Vec<_>>() {
        let ran = world.nodes[at.0].run(&["conflicts", "list", "--all", "--json"], now);
        let listed: Vec<serde_json::Value> = serde_json::from_str(&ran.out).expect("conflicts");
        for (told, (table, column)) in listed.iter().flat_map(|told| COUNTERS.iter().map(move |it| (told, it))) {
            let key = told["key"][0].to_string();
            let is_it = |record: &Record| record.table == *table && record.key == key;
            let uids = pictures[at.0].iter().filter(|(_, record)| is_it(record)).map(|(uid, _)| field(uid, column));
            let mut counted = uids.filter(|field| told["column"] == *column && world.oracle.adds_up(field));
            if let Some(field) = counted.find(|_| told["table"] == *table) {
                let name = world.nodes[at.0].name;
                world.fail("conflict", &format!("{name} lists one about the {field}, which adds up: {told}"));
            }
        }
    }
}
