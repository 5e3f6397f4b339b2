//! Mass deletions: a remote's bundle that deletes a great deal waits at the hub for a person's word, and then is done or undone.

use std::collections::BTreeSet;

use crate::application::Picture;
use crate::cast;
use crate::dice::Dice;
use crate::happen;
use crate::ids::{At, Uid};
use crate::judge::Complaint;
use crate::tally;
use crate::world::{World, Wrote};

/// More than a few.
const NOTES: usize = 12;
/// So many deletions do not wait, however small the table is.
const A_FEW: usize = 10;

/// What was deleted at once.
#[derive(Clone, Debug)]
pub struct Purge {
    /// By whom.
    by: At,
    /// At whose remote that is.
    hub: At,
    /// The records.
    deleted: BTreeSet<Uid>,
    /// How many of them stood at the hub when somebody looked last.
    standing: usize,
    /// Whether a person has had his say since on what waited from its maker.
    has_word: bool,
    /// Whether anything of its maker's was approved since.
    was_approved: bool,
}

/// A hub makes many notes, and once a remote has them it deletes them all at once.
pub fn purge(world: &mut World, dice: &mut Dice) -> bool {
    let remotes: Vec<At> = world.present().into_iter().filter(|at| at.0 > 0).collect();
    let Some(at) = dice.pick(&remotes) else { return false };
    let hub = world.nodes[at.0].hub.expect("a hub");
    if !world.is_present(hub) || !world.relay.is_there() {
        return false;
    }
    let Some(contact) = contact(world, (hub, at), dice) else { return false };
    let made: Vec<String> = (0..NOTES).map(|_| new_note(world, &contact)).collect();
    world.pass(60_000);
    world.write(hub, &made.join("; "));
    [hub, at].into_iter().for_each(|at| speak(world, at));
    let Some(deleted) = delete_all(world, at, &contact) else { return false };
    let standing = standing(&cast::look(&world.nodes[hub.0]), &deleted);
    world.purges.push(Purge { by: at, hub, deleted, standing, has_word: false, was_approved: false });
    [at, hub].into_iter().for_each(|at| speak(world, at));
    if dice.percent(50) {
        decide(world, hub, dice);
    }
    true
}

fn speak(world: &mut World, at: At) {
    let ends = world.ends();
    happen::run(world, at, &["sync"], ends);
}

/// A contact that both have.
fn contact(world: &World, (hub, at): (At, At), dice: &mut Dice) -> Option<Uid> {
    let pictures = [hub, at].map(|at| cast::look(&world.nodes[at.0]));
    let both = pictures[0].iter().filter(|(uid, record)| record.table == "contacts" && pictures[1].contains_key(*uid));
    dice.pick(&both.map(|(uid, _)| uid.clone()).collect::<Vec<_>>())
}

fn new_note(world: &mut World, contact: &Uid) -> String {
    world.serial += 1;
    let (uid, text) = (format!("u{:05};", world.serial), world.value());
    format!("INSERT INTO notes (uid, contact, text) SELECT '{uid}', id, '{text}' FROM contacts WHERE uid = '{contact}'")
}

/// The remote deletes all notes of a contact; which, if these are many.
fn delete_all(world: &mut World, at: At, contact: &Uid) -> Option<BTreeSet<Uid>> {
    let before = cast::look(&world.nodes[at.0]);
    world.pass(60_000);
    let sql = format!("DELETE FROM notes WHERE contact = (SELECT id FROM contacts WHERE uid = '{contact}')");
    let done = world.write(at, &sql) == Wrote::Changed;
    let after = cast::look(&world.nodes[at.0]);
    let deleted: BTreeSet<Uid> = before.keys().filter(|uid| !after.contains_key(*uid)).cloned().collect();
    (done && deleted.len() > A_FEW).then_some(deleted)
}

fn standing(picture: &Picture, uids: &BTreeSet<Uid>) -> usize {
    uids.iter().filter(|uid| picture.contains_key(*uid)).count()
}

/// Whether something of a remote's may wait for a person's word: whoever speaks after that is not heard.
pub fn may_wait(world: &World, at: At) -> bool {
    world.purges.iter().any(|purge| purge.by == at && !purge.has_word)
}

/// An application wrote: what it deleted itself did not have to wait.
pub fn note(world: &mut World, at: At, picture: &Picture) {
    for purge in world.purges.iter_mut().filter(|purge| purge.hub == at) {
        purge.standing = standing(picture, &purge.deleted);
    }
}

/// No run at a hub has taken away a great deal of what a remote deleted at once, unless a person had his say.
pub fn has_waited(world: &mut World, at: At, picture: &Picture) -> Result<(), Complaint> {
    let notes = picture.values().filter(|record| record.table == "notes").count();
    for purge in world.purges.iter_mut().filter(|purge| purge.hub == at) {
        let before = std::mem::replace(&mut purge.standing, standing(picture, &purge.deleted));
        let gone = before.saturating_sub(purge.standing);
        let is_by_one = purge.deleted.iter().all(|uid| world.oracle.is_deleted_by_one(uid, purge.by));
        // A hub that is itself a remote may have had to take them off.
        let waits = !purge.has_word && is_by_one && at == At(0);
        if waits && gone > A_FEW && gone * 20 > notes + gone {
            let name = world.nodes[purge.by.0].name;
            return Err(("brake", format!("{gone} notes are gone that {name} deleted at once, and nobody was asked")));
        }
    }
    Ok(())
}

/// A person has his say on all that waits anywhere.
pub fn decide_all(world: &mut World) {
    if world.purges.is_empty() {
        return;
    }
    let hubs: Vec<At> = world.all().filter(|at| world.is_hub(*at)).collect();
    for hub in hubs {
        let mut dice = Dice::new(u64::from(world.serial), 21);
        decide(world, hub, &mut dice);
    }
}

fn decide(world: &mut World, hub: At, dice: &mut Dice) {
    let now = world.now;
    let listed = world.nodes[hub.0].run(&["approve", "--json"], now).out;
    let waiting: serde_json::Value = serde_json::from_str(&listed).unwrap_or_default();
    for at in world.remotes_of(hub) {
        let name = world.nodes[at.0].name;
        if waiting.as_array().is_some_and(|all| all.iter().any(|one| one["node"] == name)) {
            say(world, (hub, at), dice.percent(50));
        }
    }
}

/// A person approves or refuses what waits from a remote.
pub fn say(world: &mut World, (hub, at): (At, At), refuses: bool) {
    let name = world.nodes[at.0].name;
    let words = if refuses { &["approve", name, "--refuse"][..] } else { &["approve", name] };
    let ran = world.run(hub, words);
    if ran.exit != 0 {
        world.fail("exit", &format!("{words:?} ended with {}: {}{}", ran.exit, ran.out, ran.err));
    }
    tally::met(if refuses { tally::REFUSED } else { tally::APPROVED });
    // Which of several waited is not known; of whom nothing was ever approved everything was refused.
    let is_calm = !world.climate.backups && !world.climate.relay && !world.climate.crashes;
    let (its, mut surely) = (world.purges.iter_mut().filter(|purge| purge.by == at), BTreeSet::new());
    let was_approved = its.map(|purge| {
        purge.has_word = true;
        purge.was_approved |= !refuses;
        surely.extend(purge.deleted.iter().cloned());
        purge.was_approved
    });
    // All of them have heard of it, before it is known whether any was approved.
    let was_approved = was_approved.collect::<Vec<_>>().contains(&true);
    if !is_calm || was_approved {
        surely.clear();
    }
    world.oracle.refuse_deletions(at, refuses, &surely);
}
