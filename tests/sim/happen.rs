//! What events do to a world.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;
use std::rc::Rc;

use packhorse::Ran;
use packhorse_transport::faulty::Fault;

use crate::application::{self, Pen, Picture};
use crate::cast;
use crate::crash::crash;
use crate::dice::Dice;
use crate::event::{Event, Kind};
use crate::ids::{At, Uid};
use crate::machinery;
use crate::node::{Node, Part, copy_folder, files};
use crate::shares::Share;
use crate::tally;
use crate::world::World;

/// What is run, the frequent one more than once.
pub const COMMANDS: [&[&str]; 6] = [&["sync"], &["sync"], &["sync"], &["transfer"], &["apply"], &["bundle", "--now"]];

/// Lets an event happen.
pub fn happen(world: &mut World, event: &Event) {
    let mut dice = event.dice.clone();
    let at = dice.pick(&world.all().collect::<Vec<_>>()).expect("nodes");
    tally::count(event.kind);
    match event.kind {
        Kind::Edit => world.edit(at, &mut dice),
        Kind::Clash => clash(world, &mut dice),
        Kind::Run => some_run(world, at, &mut dice),
        Kind::Crash => crash(world, at, &mut dice),
        Kind::TwoAtOnce => two_at_once(world, at, &mut dice),
        Kind::Relay => relay(world, &mut dice),
        Kind::Time => time(world, &mut dice),
        Kind::Clock => clock(world, at, &mut dice),
        Kind::Keep => keep(world, at),
        Kind::PutBack => put_some_back(world, at, &mut dice),
        Kind::PackAgain => pack_again(world, at),
        Kind::Clone => clone(world, at),
        Kind::Ledger => ledger(world, at, &mut dice),
        Kind::Sets => sets(world, &mut dice),
    }
}

/// Two nodes write the same field of one record at the same moment.
fn clash(world: &mut World, dice: &mut Dice) {
    world.pass(1_000 + dice.below(300_000));
    let table = dice.pick(&["companies", "contacts"]).expect("tables");
    let pictures: Vec<_> = world.nodes.iter().map(cast::look).collect();
    let is_common = |uid: &&Uid| pictures.iter().filter(|picture| picture.contains_key(*uid)).count() > 1;
    let of_table = pictures.iter().flatten().filter(|(_, record)| record.table == table).map(|(uid, _)| uid);
    let common: BTreeSet<&Uid> = of_table.filter(is_common).collect();
    let Some(uid) = dice.pick(&common.into_iter().collect::<Vec<_>>()) else { return };
    for at in world.all().filter(|at| pictures[at.0].contains_key(uid)) {
        let value = world.value();
        world.write(at, &format!("UPDATE {table} SET name = '{value}' WHERE uid = '{uid}'"));
    }
}

/// A run that nothing befalls but perhaps the line.
fn some_run(world: &mut World, at: At, dice: &mut Dice) {
    let words = dice.pick(&COMMANDS).expect("commands");
    let breaks = world.climate.relay && dice.percent(20);
    if breaks {
        let at = 1 + dice.below(12);
        let faults =
            [Fault::Before(at), Fault::After(at), Fault::DeadFrom(at), Fault::Cut(1 + at % 3, dice.below(900))];
        let fault = dice.pick(&faults).expect("faults");
        tally::line(&fault);
        machinery::line(Some(fault));
    }
    let may_fail = breaks || !world.relay.is_there();
    run(world, at, words, if may_fail { &[0, 1, 3, 4] } else { &[0, 3] });
}

/// A run that ends with one of these codes.
pub fn run(world: &mut World, at: At, words: &[&str], ends: &[u8]) {
    let ran = world.run(at, words);
    machinery::line(None);
    end(world, at, words, &ran, ends);
}

/// What must be so of the end of a run, and of what it left.
pub fn end(world: &mut World, at: At, words: &[&str], ran: &Ran, ends: &[u8]) {
    if !ends.contains(&ran.exit) && !waits_for_receiver(ran) {
        world.fail("exit", &format!("{words:?} ended with {}: {}{}", ran.exit, ran.out, ran.err));
    }
    if words[0] != "transfer" && [0, 3].contains(&ran.exit) {
        world.harvested(at);
    }
    world.see(at);
}

/// A bundle that was damaged on the relay before its sender knew that it had arrived stays until its receiver has seen it.
pub fn waits_for_receiver(ran: &Ran) -> bool {
    ran.exit == 1 && ran.err.contains("hint: wait: the receiver clears it away")
}

/// What an application did in the middle of a run.
type Meanwhile = Rc<RefCell<Option<(Picture, Picture, String, u32)>>>;

/// In the middle of a run somebody runs another one, or the application writes.
fn two_at_once(world: &mut World, at: At, dice: &mut Dice) {
    let words = dice.pick(&COMMANDS).expect("commands");
    let steps = 1 + dice.below(20);
    let meanwhile = Meanwhile::default();
    let (mut node, now) = (world.nodes[at.0].clone(), world.now);
    if dice.percent(50) {
        let second = dice.pick(&COMMANDS).expect("commands");
        machinery::between(steps, Box::new(move || drop(node.run(second, now))));
        world.tell(format!("  after {steps} steps, also {}", second.join(" ")));
    } else {
        let (mut dice, mut serial, slot) = (dice.clone(), world.serial, meanwhile.clone());
        machinery::between(
            steps,
            Box::new(move || {
                let connection = node.open();
                connection.busy_timeout(std::time::Duration::ZERO).expect("a setting");
                let before = application::look(&connection).expect("a picture");
                let sql = Pen { picture: &before, dice: &mut dice, serial: &mut serial }.transaction();
                // Where the run holds the lock the application would wait.
                let _ = application::write(&connection, &sql);
                let after = application::look(&connection).expect("a picture");
                slot.replace(Some((before, after, sql, serial)));
            }),
        );
    }
    let ran = world.run(at, words);
    machinery::nothing_between();
    if words[0] != "transfer" && [0, 3].contains(&ran.exit) {
        world.harvested(at);
    }
    if let Some((before, after, sql, serial)) = meanwhile.take() {
        world.tell(format!("  after {steps} steps the application: {sql}"));
        world.serial = serial;
        world.wrote(at, &before, &after);
    }
    let ends: &[u8] = if world.relay.is_there() { &[0, 3] } else { &[0, 1, 3, 4] };
    if !ends.contains(&ran.exit) && !waits_for_receiver(&ran) {
        world.fail("exit", &format!("{words:?} ended with {}: {}{}", ran.exit, ran.out, ran.err));
    }
    world.see(at);
}

fn relay(world: &mut World, dice: &mut Dice) {
    if let Some((mishap, what)) = world.relay.mishap(dice) {
        tally::mishap(mishap);
        world.tell(format!("relay: {mishap:?} {what}"));
    }
}

fn time(world: &mut World, dice: &mut Dice) {
    let hours =
        if world.climate.absence && dice.percent(25) { 24 * (20 + dice.below(100)) } else { 1 + dice.below(30) };
    world.tell(format!("{hours} hours pass"));
    world.pass(hours * 3_600_000);
}

/// Forward or back by up to half a day, or right again.
fn clock(world: &mut World, at: At, dice: &mut Dice) {
    let half_a_day = 12 * 3_600_000;
    let offset = if dice.percent(30) { 0 } else { dice.below(2 * half_a_day) as i64 - half_a_day as i64 };
    let picture = cast::look(&world.nodes[at.0]);
    let companies: Vec<&Uid> = picture.iter().filter(|(_, it)| it.table == "companies").map(|(uid, _)| uid).collect();
    let Some(uid) = dice.pick(&companies) else { return set_clock(world, at, offset) };
    // What is written then is later than what was written before, whatever the clock says.
    rename(world, at, uid);
    run(world, at, &["bundle", "--now"], &[0, 3]);
    set_clock(world, at, offset);
    rename(world, at, uid);
}

fn set_clock(world: &mut World, at: At, offset: i64) {
    world.nodes[at.0].offset = offset;
    world.tell(format!("the clock of {} is off by {offset} ms", world.nodes[at.0].name));
    world.pass(0);
}

fn rename(world: &mut World, at: At, uid: &Uid) {
    let value = world.value();
    world.write(at, &format!("UPDATE companies SET name = '{value}' WHERE uid = '{uid}'"));
}

fn kept(world: &World, at: At) -> std::path::PathBuf {
    world.root().join("kept").join(world.nodes[at.0].name)
}

/// A copy of a node is kept.
pub fn keep(world: &mut World, at: At) {
    let copy = kept(world, at);
    let _ = fs::remove_dir_all(&copy);
    copy_folder(&world.nodes[at.0].folder, &copy);
    world.tell(format!("a copy of {} is kept", world.nodes[at.0].name));
}

fn put_some_back(world: &mut World, at: At, dice: &mut Dice) {
    let part = dice.pick(&[Part::Database, Part::Database, Part::Home, Part::Both]).expect("parts");
    if kept(world, at).exists() {
        put_back(world, at, part);
    }
}

/// A part of the copy of a node is put back.
pub fn put_back(world: &mut World, at: At, part: Part) {
    let copy = kept(world, at);
    world.tell(format!("{} is put back: {part:?}", world.nodes[at.0].name));
    tally::put_back(part);
    world.search(at);
    part.put_back(&copy, &world.nodes[at.0]);
    if part != Part::Home {
        world.lose(at);
        world.judge.may_repeat(world.nodes[at.0].name);
    }
    simulated_machine::settle(&[&world.nodes[at.0].folder]);
    world.see(at);
}

fn pack_again(world: &mut World, at: At) {
    let Some(hub) = world.nodes[at.0].hub else { return };
    if world.is_hub(at) {
        return;
    }
    let name = world.nodes[at.0].name;
    world.tell(format!("{name} gets a new package"));
    let _ = fs::remove_dir_all(kept(world, at));
    let small = fs::read_to_string(world.nodes[at.0].home().join("packhorse.toml")).expect("a configuration");
    let file = world.nodes[at.0].folder.join("package.rdb");
    let _ = fs::remove_file(&file);
    let packed = world.run(hub, &["remote", "pack", name, "-o", &cast::text(&file), "--no-passphrase"]);
    if ![0, 3, 4].contains(&packed.exit) {
        world.fail("exit", &format!("remote pack ended with {}: {}", packed.exit, packed.err));
    }
    world.harvested(hub);
    world.see(hub);
    world.search(at);
    fs::remove_dir_all(world.nodes[at.0].home()).expect("the home goes");
    for ending in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(world.nodes[at.0].folder.join(format!("app.db{ending}")));
    }
    let database = cast::text(&world.nodes[at.0].database());
    let restored = world.run(at, &["restore", &cast::text(&file), "--database", &database]);
    if restored.exit != 0 {
        world.fail("exit", &format!("restore ended with {}: {}", restored.exit, restored.err));
    }
    world.lose(at);
    cast::make_movable(&world.nodes[at.0], world.root());
    if small.contains("\nbundle_max") {
        world.nodes[at.0].edit_config(|words| words.replace("# bundle_max = \"256 KiB\"", "bundle_max = \"1 KiB\""));
    }
    simulated_machine::settle(&[&world.nodes[at.0].folder]);
    world.see(at);
}

/// A package is restored a second time, and that installation writes and speaks. It is refused, and nothing that it wrote is
/// ever seen anywhere.
fn clone(world: &mut World, at: At) {
    let Some(hub) = world.nodes[at.0].hub else { return };
    let (name, folder) = (world.nodes[at.0].name, world.root().join("clone"));
    let package = world.nodes[at.0].folder.join("package.rdb");
    // Of two that have not spoken yet the first is the right one.
    let met = "SELECT count(*) FROM _packhorse_links WHERE peer = ?1 AND node IS NOT NULL";
    let met: i64 = world.nodes[hub.0].open().query_row(met, [name], |row| row.get(0)).expect("links");
    if met == 0 || folder.exists() {
        return;
    }
    world.tell(format!("the package of {name} is restored once more, elsewhere"));
    fs::create_dir(&folder).expect("a folder");
    let mut second = Node { folder: folder.clone(), ..world.nodes[at.0].clone() };
    let database = cast::text(&second.database());
    second.run(&["restore", &cast::text(&package), "--database", &database], world.now);
    // The package names the relay that was there when it was made, which may be that of another story.
    fs::copy(world.nodes[at.0].home().join("packhorse.toml"), second.home().join("packhorse.toml")).expect("copied");
    application::write(&second.open(), "UPDATE companies SET name = 'of a clone'").expect("a clone writes");
    for _ in 0..2 {
        world.pass(60_000);
        second.run(&["sync"], world.now);
        let ran = world.run(hub, &["sync"]);
        end(world, hub, &["sync"], &ran, if world.relay.is_there() { &[0, 3] } else { &[0, 1, 3, 4] });
    }
    fs::remove_dir_all(folder).expect("the clone goes");
}

/// The ledger is deleted, or a file of it is cut or has other bytes.
fn ledger(world: &mut World, at: At, dice: &mut Dice) {
    let folder = world.nodes[at.0].home().join("ledger");
    world.tell(format!("the ledger of {} is damaged", world.nodes[at.0].name));
    if dice.percent(40) {
        let _ = fs::remove_dir_all(folder);
        return;
    }
    let Some(file) = dice.pick(&files(&folder)) else { return };
    let mut content = fs::read(&file).expect("a file of the ledger");
    let from = dice.below(content.len() as u64) as usize;
    if dice.percent(50) {
        content.truncate(from);
    } else {
        content.iter_mut().skip(from).take(64).for_each(|byte| *byte = !*byte);
    }
    fs::write(file, content).expect("a file of the ledger");
}

/// `sales` comes to mean those of nobody too, or not any more.
pub fn change_terms(world: &mut World) {
    let before = world.terms;
    world.terms.free = !before.free;
    let after = world.terms;
    for node in &world.nodes {
        node.edit_config(|words| words.replace(&before.text(), &after.text()));
    }
    world.tell(format!("{after:?}"));
    admit_all(world);
}

fn admit_all(world: &mut World) {
    let hubs: Vec<At> = world.all().filter(|at| world.is_hub(*at)).collect();
    for hub in hubs {
        let picture = cast::look(&world.nodes[hub.0]);
        world.admit(hub, &picture);
    }
}

/// Somebody else's companies, or those of nobody too, or not any more.
fn sets(world: &mut World, dice: &mut Dice) {
    let with_sales: Vec<At> =
        world.all().filter(|at| matches!(world.nodes[at.0].share, Share::Sales(_)) && !world.is_hub(*at)).collect();
    let Some(at) = dice.pick(&with_sales) else { return };
    if dice.percent(50) {
        change_terms(world);
    } else {
        let hub = world.nodes[at.0].hub.expect("a hub");
        let (old, name) = (world.nodes[at.0].share, world.nodes[at.0].name);
        let new = Share::Sales(if old == Share::Sales("alice") { "bob" } else { "alice" });
        world.nodes[hub.0].edit_config(|words| {
            assert!(words.contains(&old.text(name)), "{words}");
            words.replace(&old.text(name), &new.text(name))
        });
        world.nodes[at.0].share = new;
        world.tell(format!("{name} has {new:?}"));
    }
    admit_all(world);
}
