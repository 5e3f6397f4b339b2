//! What events do to a world.

use std::collections::BTreeSet;
use std::fs;

use packhorse::Ran;
use packhorse_transport::faulty::Fault;

use crate::absence;
use crate::cast;
use crate::copies;
use crate::counting;
use crate::crash::{self, crash};
use crate::decide;
use crate::dice::Dice;
use crate::dispute;
use crate::event::{Event, Kind};
use crate::ids::{At, Uid};
use crate::laws;
use crate::machinery;
use crate::meanwhile;
use crate::node::files;
use crate::packages;
use crate::purge;
use crate::relay::Mishap;
use crate::shares::{Share, Terms};
use crate::tally;
use crate::twins;
use crate::world::{World, Wrote};

/// What is run, the frequent one more than once.
pub const COMMANDS: [&[&str]; 6] = [&["sync"], &["sync"], &["sync"], &["transfer"], &["apply"], &["bundle", "--now"]];

/// How a run may end whose line fails it.
pub const LINE_FAILS: &[u8] = &[0, 1, 3, 4];

/// Lets an event happen. It is counted only if it had an effect.
pub fn happen(world: &mut World, event: &Event) {
    let mut dice = event.dice.clone();
    absence::before(world, event.number, &mut dice.clone());
    let at = dice.pick(&world.present()).expect("nodes");
    let happened = match event.kind {
        Kind::Edit => world.edit(at, &mut dice),
        Kind::Clash => clash(world, &mut dice),
        Kind::Run => some_run(world, at, &mut dice),
        Kind::Crash => crash(world, at, &mut dice),
        Kind::TwoAtOnce => meanwhile::two_at_once(world, at, &mut dice),
        Kind::Relay => relay(world, &mut dice),
        Kind::Time => time(world, &mut dice),
        Kind::Clock => clock(world, at, &mut dice),
        Kind::Keep => {
            copies::keep_some(world, at, &mut dice);
            true
        }
        Kind::PutBack => copies::put_some_back(world, at, &mut dice),
        Kind::PackAgain => packages::pack_again(world, at, &mut dice),
        Kind::Clone => packages::clone(world, at, &mut dice),
        Kind::CopiedDisk => twins::copied_disk(world, at, &mut dice),
        Kind::Ledger => ledger(world, at, &mut dice),
        Kind::Sets => sets(world, &mut dice),
        Kind::Laws => laws::change(world, &mut dice),
        Kind::Dispute => dispute::dispute(world, &mut dice),
        Kind::Purge => purge::purge(world, &mut dice),
        Kind::Trespass => laws::trespass(world, &mut dice),
        Kind::Decide => decide::decide(world, at, &mut dice),
        Kind::Add => counting::add(world, &mut dice),
    };
    if happened {
        tally::count(event.kind);
    }
}

/// Two nodes write the same field of one record at the same moment.
fn clash(world: &mut World, dice: &mut Dice) -> bool {
    world.pass(1_000 + dice.below(300_000));
    let table = dice.pick(&["companies", "contacts"]).expect("tables");
    let pictures: Vec<_> = world.nodes.iter().map(cast::look).collect();
    let is_common = |uid: &&Uid| pictures.iter().filter(|picture| picture.contains_key(*uid)).count() > 1;
    let of_table = pictures.iter().flatten().filter(|(_, record)| record.table == table).map(|(uid, _)| uid);
    let common: BTreeSet<&Uid> = of_table.filter(is_common).collect();
    let Some(uid) = dice.pick(&common.into_iter().collect::<Vec<_>>()) else { return false };
    for at in world.present().into_iter().filter(|at| pictures[at.0].contains_key(uid)) {
        let value = world.value();
        world.write(at, &format!("UPDATE {table} SET name = '{value}' WHERE uid = '{uid}'"));
    }
    true
}

/// A run that nothing befalls but perhaps the line.
fn some_run(world: &mut World, at: At, dice: &mut Dice) -> bool {
    let words = dice.pick(&COMMANDS).expect("commands");
    let fault = (world.climate.relay && dice.percent(20)).then(|| {
        let at = 1 + dice.below(12);
        let faults =
            [Fault::Before(at), Fault::After(at), Fault::DeadFrom(at), Fault::Cut(1 + at % 3, dice.below(900))];
        dice.pick(&faults).expect("faults")
    });
    fault.into_iter().for_each(machinery::line);
    if fault.is_none() && !world.aims.is_empty() {
        crash::aimed(world, at, words, dice);
        return true;
    }
    let ran = world.run(at, words);
    let broke = fault.filter(|_| machinery::line_holds());
    broke.into_iter().for_each(tally::line);
    end(world, at, words, &ran, if broke.is_some() { LINE_FAILS } else { world.ends() });
    true
}

/// A run that ends with one of these codes.
pub fn run(world: &mut World, at: At, words: &[&str], ends: &[u8]) {
    let ran = world.run(at, words);
    end(world, at, words, &ran, ends);
}

/// What must be so of the end of a run, and of what it left.
pub fn end(world: &mut World, at: At, words: &[&str], ran: &Ran, ends: &[u8]) {
    if !ends.contains(&ran.exit) && !waits_for_receiver(ran) {
        world.fail("exit", &format!("{words:?} ended with {}: {}{}", ran.exit, ran.out, ran.err));
    }
    if has_harvested(world, at, words, ran) {
        world.harvested(at);
    }
    world.see(at);
}

/// Whether a run that is over has harvested first: `apply` does so only where there was anything to place.
pub fn has_harvested(world: &World, at: At, words: &[&str], ran: &Ran) -> bool {
    let may_have = words[0] != "transfer" && [0, 3].contains(&ran.exit);
    may_have && (words[0] != "apply" || world.nodes[at.0].has_empty_log())
}

/// A bundle that was damaged on the relay before its sender knew that it had arrived stays until its receiver has seen it.
pub fn waits_for_receiver(ran: &Ran) -> bool {
    ran.exit == 1 && ran.err.contains("hint: wait: the receiver clears it away")
}

fn relay(world: &mut World, dice: &mut Dice) -> bool {
    let Some((mishap, what)) = world.relay.mishap(dice) else { return false };
    tally::mishap(mishap);
    world.tell(format!("relay: {mishap:?} {what}"));
    if matches!(mishap, Mishap::Cut | Mishap::Flipped) {
        world.present().into_iter().for_each(|at| met_by_stopped(world, at, dice));
    }
    true
}

/// What has just happened is met by runs that are stopped, wherever any are.
fn met_by_stopped(world: &mut World, at: At, dice: &mut Dice) {
    for _ in 0..if world.aims.is_empty() { 0 } else { 3 } {
        crash::aimed(world, at, &["sync"], dice);
    }
}

fn time(world: &mut World, dice: &mut Dice) -> bool {
    let hours =
        if world.climate.absence && dice.percent(25) { 24 * (20 + dice.below(100)) } else { 1 + dice.below(30) };
    world.tell(format!("{hours} hours pass"));
    world.pass(hours * 3_600_000);
    true
}

/// Forward or back by up to half a day, or right again.
fn clock(world: &mut World, at: At, dice: &mut Dice) -> bool {
    let half_a_day = 12 * 3_600_000;
    let offset = if dice.percent(30) { 0 } else { dice.below(2 * half_a_day) as i64 - half_a_day as i64 };
    let picture = cast::look(&world.nodes[at.0]);
    let companies: Vec<&Uid> = picture.iter().filter(|(_, it)| it.table == "companies").map(|(uid, _)| uid).collect();
    let Some(uid) = dice.pick(&companies) else { return set_clock(world, at, offset) };
    // What is written then is later than what was written before, whatever the clock says.
    rename(world, at, uid);
    run(world, at, &["bundle", "--now"], &[0, 3]);
    set_clock(world, at, offset);
    rename(world, at, uid)
}

fn set_clock(world: &mut World, at: At, offset: i64) -> bool {
    let (before, now) = (world.nodes[at.0].time(world.now), world.now);
    world.nodes[at.0].set_clock(offset, now);
    world.tell(format!("the clock of {} is off by {offset} ms", world.nodes[at.0].name));
    world.pass(0);
    before != world.nodes[at.0].time(now)
}

fn rename(world: &mut World, at: At, uid: &Uid) -> bool {
    let value = world.value();
    world.write(at, &format!("UPDATE companies SET name = '{value}' WHERE uid = '{uid}'")) == Wrote::Changed
}

/// The ledger is deleted, or a file of it is cut or has other bytes; or a bundle that has arrived has one other bit.
fn ledger(world: &mut World, at: At, dice: &mut Dice) -> bool {
    if let Some(bundle) = dice.pick(&files(&world.nodes[at.0].home().join("inbox"))) {
        world.tell(format!("a bundle in the inbox of {} rots", world.nodes[at.0].name));
        let mut content = fs::read(&bundle).expect("a bundle");
        let bit = dice.below(8 * content.len() as u64);
        content[(bit / 8) as usize] ^= 1 << (bit % 8);
        fs::write(bundle, content).expect("a bundle");
        tally::met(tally::ROTTEN);
        met_by_stopped(world, at, dice);
        return true;
    }
    let folder = world.nodes[at.0].home().join("ledger");
    let Some(file) = dice.pick(&files(&folder)) else { return false };
    world.tell(format!("the ledger of {} is damaged", world.nodes[at.0].name));
    if dice.percent(40) {
        fs::remove_dir_all(folder).expect("the ledger goes");
        return true;
    }
    let mut content = fs::read(&file).expect("a file of the ledger");
    let from = dice.below(content.len() as u64) as usize;
    if dice.percent(50) {
        content.truncate(from);
    } else {
        content.iter_mut().skip(from).take(64).for_each(|byte| *byte = !*byte);
    }
    fs::write(file, content).expect("a file of the ledger");
    true
}

/// `sales` comes to mean something else.
pub fn change_terms(world: &mut World, after: Terms) {
    let before = std::mem::replace(&mut world.terms, after);
    world.oracle.sets_change = true;
    if before.bare != after.bare {
        world.change_columns();
    }
    for node in &world.nodes {
        node.edit_config(|words| words.replace(&before.text(), &after.text()));
    }
    world.tell(after.told());
    admit_all(world);
}

fn admit_all(world: &mut World) {
    let hubs: Vec<At> = world.all().filter(|at| world.is_hub(*at)).collect();
    for hub in hubs {
        let picture = cast::look(&world.nodes[hub.0]);
        world.admit(hub, &picture);
    }
}

/// Somebody else's companies; or those of nobody too, or not any more; or a column less, or more again.
fn sets(world: &mut World, dice: &mut Dice) -> bool {
    let with_sales: Vec<At> =
        world.all().filter(|at| matches!(world.nodes[at.0].share, Share::Sales(_)) && !world.is_hub(*at)).collect();
    let Some(at) = dice.pick(&with_sales) else { return false };
    if dice.percent(65) {
        let Terms { free, bare, .. } = world.terms;
        let less = dice.percent(65);
        let after = Terms { free: free == less, bare: bare != less, ..world.terms };
        change_terms(world, after);
        admit_all(world);
        if after.bare != bare {
            world.present().into_iter().for_each(|at| met_by_stopped(world, at, dice));
        }
    } else {
        let old = world.nodes[at.0].share;
        change_share(world, at, Share::Sales(if old == Share::Sales("alice") { "bob" } else { "alice" }));
    }
    true
}

/// From now on a node has somebody else's companies.
pub fn change_share(world: &mut World, at: At, new: Share) {
    let hub = world.nodes[at.0].hub.expect("a hub");
    let (old, name) = (world.nodes[at.0].share, world.nodes[at.0].name);
    world.nodes[hub.0].edit_config(|words| {
        assert!(words.contains(&old.text(name)), "{words}");
        words.replace(&old.text(name), &new.text(name))
    });
    world.nodes[at.0].share = new;
    world.oracle.sets_change = true;
    laws::tell_oracle(world);
    world.tell(format!("{name} has {new:?}"));
    admit_all(world);
}
