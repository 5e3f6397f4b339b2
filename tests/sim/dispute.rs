//! A hub and a remote write the same field without hearing of each other: what the policy of its table says of that is seen as
//! soon as the hub has what the remote wrote.

use std::collections::BTreeSet;

use crate::application::field;
use crate::cast;
use crate::dice::Dice;
use crate::happen;
use crate::ids::{At, Field, Uid};
use crate::oracle::Refused;
use crate::policies::{Prefer, STALE_AFTER};
use crate::verdict::conflicts;
use crate::world::{World, Wrote};

const DAY: u64 = 24 * 3_600_000;
/// What is written anew, in which table.
const FIELDS: [(&str, &str); 5] =
    [("companies", "name"), ("companies", "phone"), ("contacts", "name"), ("notes", "text"), ("products", "name")];

/// Both write, and the remote speaks before it hears of the hub's.
pub fn dispute(world: &mut World, dice: &mut Dice) -> bool {
    let remotes: Vec<At> = world.present().into_iter().filter(|at| at.0 > 0).collect();
    let Some(at) = dice.pick(&remotes) else { return false };
    let hub = world.nodes[at.0].hub.expect("a hub");
    let (table, column) = dice.pick(&FIELDS).expect("fields");
    if !world.is_present(hub) || !world.relay.is_there() {
        return false;
    }
    let is_silent = world.policies.of(table).stale && dice.percent(60);
    if is_silent {
        [at, hub].into_iter().for_each(|at| speak(world, at, "sync"));
        world.pass((STALE_AFTER + 2) * DAY);
    }
    let Some(uid) = common(world, (hub, at), table, dice) else { return false };
    let words = if dice.percent(50) { [hub, at] } else { [at, hub] };
    let values = words.map(|at| write(world, at, (table, column), &uid));
    let [ours, theirs] = if words[0] == hub { values } else { [1, 0].map(|at| values[at].clone()) };
    ["bundle --now", "transfer"].into_iter().for_each(|words| speak(world, at, words));
    speak(world, hub, "sync");
    if let (Some(ours), Some(theirs)) = (ours, theirs) {
        is_decided(world, (hub, at), &field(&uid, column), (ours, theirs), is_silent);
    }
    true
}

/// Neither has to end well: what becomes of a bundle is seen by what the hub shows.
fn speak(world: &mut World, at: At, words: &str) {
    let words: Vec<&str> = words.split(' ').collect();
    let ends = world.ends();
    happen::run(world, at, &words, ends);
}

/// A record that both have.
fn common(world: &World, (hub, at): (At, At), table: &str, dice: &mut Dice) -> Option<Uid> {
    let pictures = [hub, at].map(|at| cast::look(&world.nodes[at.0]));
    let both = pictures[0].iter().filter(|(uid, record)| record.table == table && pictures[1].contains_key(*uid));
    dice.pick(&both.map(|(uid, _)| uid.clone()).collect::<Vec<_>>())
}

/// An application gives the field a value that was never written; which, if it did.
fn write(world: &mut World, at: At, (table, column): (&'static str, &'static str), uid: &Uid) -> Option<String> {
    world.pass(60_000);
    let value = world.value();
    let is_it = match table {
        "products" => format!("'product ' || code = '{uid}'"),
        _ => format!("uid = '{uid}'"),
    };
    let wrote = world.write(at, &format!("UPDATE {table} SET {column} = '{value}' WHERE {is_it}"));
    (wrote == Wrote::Changed).then_some(value)
}

/// The hub decided as its policy says, if it has what the remote wrote by now.
fn is_decided(
    world: &mut World,
    (hub, at): (At, At),
    field: &Field,
    (ours, theirs): (String, String),
    is_silent: bool,
) {
    let picture = cast::look(&world.nodes[hub.0]);
    let Some(record) = picture.get(&field.uid) else { return };
    let is_known = hub == At(0) || world.oracle.law.is_sure(record.table);
    let may_write = world.oracle.is_value_forbidden(field, &Some(theirs.clone())) == Refused::No;
    let policy = world.policies.of(record.table);
    let (told, stands): (BTreeSet<String>, _) =
        (conflicts(&world.nodes[hub.0]).into_iter().collect(), &record.cells[field.column]);
    let stands = |value: &String| stands.as_ref() == Some(value);
    let name = world.nodes[at.0].name;
    let prefers_hub = is_silent || policy.prefer == Prefer::Hub;
    if is_known && prefers_hub && stands(&theirs) {
        let invariant = if is_silent { "stale" } else { "prefer" };
        world.fail(invariant, &format!("the {field} is {theirs}, which {name} wrote without knowing of {ours}"));
    }
    // A silence counts until its maker has seen all that there was when it ended.
    let prefers_remote = !policy.stale && policy.prefer == Prefer::Remote;
    if is_known && may_write && prefers_remote && stands(&ours) && told.contains(&theirs) {
        world.fail("prefer", &format!("the {field} is {ours}, and {name} had written {theirs} without knowing of it"));
    }
}
