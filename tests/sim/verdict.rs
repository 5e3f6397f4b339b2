//! What must be so once the faults have ended and everybody has come to rest.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::absence;
use crate::application::{Picture, Record, TAKE_BADGES_BACK, field};
use crate::cast::{look, text};
use crate::counting;
use crate::dice::Dice;
use crate::happen::waits_for_receiver;
use crate::ids::{At, Field, Uid};
use crate::laws;
use crate::machinery::machine;
use crate::node::{Node, files};
use crate::policies::Policy;
use crate::purge;
use crate::secret::words_in;
use crate::shares::LEFT_OUT;
use crate::world::World;

/// More than any story needs: who has not come to rest by then never does.
const ROUNDS_MAX: usize = 40;
/// Longer than a remote's application has to be quiet before numbers change.
const ROUND: u64 = 11 * 60_000;

/// Ends a story: the faults end, everybody speaks until nobody has anything to say, and then all must be as it should be.
pub fn judge(world: &mut World, seed: u64) {
    absence::back(world);
    world.tell("the faults end".to_owned());
    let loses = world.climate.relay;
    world.relay.calm_down(&mut Dice::new(seed, 14), loses);
    come_to_rest(world);
    for _ in 0..4 {
        if !is_anything_held(world) {
            break;
        }
        take_badges_back(world);
        come_to_rest(world);
    }
    if is_anything_held(world) {
        let held = held(world);
        world.fail("held", &format!("something is still held: {held:#?}"));
    }
    let pictures: Vec<Picture> = world.nodes.iter().map(look).collect();
    are_equal(world, &pictures);
    hear_of_refusals(world, &pictures);
    is_nobody_gone(world, &pictures[0]);
    if !world.climate.decisions {
        are_last_words(world, &pictures[0]);
        are_losers_kept(world, &pictures[0]);
        counting::is_none_disputed(world, &pictures);
        laws::are_refusals_told(world);
    }
    are_silent(world);
    world.all().for_each(|at| world.search(at));
    is_nothing_echoed(world);
    // Not always: it takes as long as a whole story.
    if seed.is_multiple_of(4) {
        is_last_word_missed(world);
    }
}

fn come_to_rest(world: &mut World) {
    for _ in 0..ROUNDS_MAX {
        for at in world.all() {
            sync(world, at);
        }
        purge::decide_all(world);
        world.pass(ROUND);
        // Asking everybody takes longer than looking whether anything lies about.
        if bundles(world).is_empty() && restless(world).is_none() {
            return;
        }
    }
    let why = (restless(world), bundles(world));
    world.fail("rest", &format!("{why:?} has not come to rest"));
}

fn sync(world: &mut World, at: At) {
    let ran = world.run(at, &["sync"]);
    if ![0, 3].contains(&ran.exit) && !waits_for_receiver(&ran) {
        world.fail("exit", &format!("sync ended with {}: {}{}", ran.exit, ran.out, ran.err));
    }
    world.harvested(at);
    world.see(at);
}

fn status(world: &mut World, at: At) -> serde_json::Value {
    let now = world.now;
    let ran = world.nodes[at.0].run(&["status", "--json"], now);
    serde_json::from_str(&ran.out).unwrap_or_else(|error| world.fail("status", &format!("{error}: {ran:?}")))
}

fn links(world: &mut World) -> Vec<(At, serde_json::Value)> {
    let mut all = Vec::new();
    for at in world.all() {
        let links = status(world, at)["links"].as_array().cloned().unwrap_or_default();
        all.extend(links.into_iter().map(|link| (at, link)));
    }
    all
}

/// A link of somebody who has something to say, or who waits for something.
fn restless(world: &mut World) -> Option<String> {
    let waits = |link: &serde_json::Value| {
        ["pending_changes", "unacknowledged"].iter().any(|what| link[what] != 0)
            || link["outbox"]["bundles"] != 0
            || link["inbox"]["bundles"] != 0
    };
    let found = links(world).into_iter().find(|(_, link)| waits(link));
    found.map(|(at, link)| format!("{}: {link}", world.nodes[at.0].name))
}

fn is_anything_held(world: &mut World) -> bool {
    links(world).iter().any(|(_, link)| link["held"] != 0)
}

fn held(world: &mut World) -> Vec<String> {
    let now = world.now;
    let list = |node: &mut Node| {
        let listed = node.run(&["held", "list"], now).out;
        format!("{}: {listed}", node.name)
    };
    world.nodes.iter_mut().map(list).collect()
}

/// What a person does where two people were given one badge.
fn take_badges_back(world: &mut World) {
    world.tell("somebody takes the badges back".to_owned());
    for at in world.all() {
        world.pass(1_000);
        world.write(at, TAKE_BADGES_BACK);
    }
}

/// Every remote has just what its set holds at its hub.
fn are_equal(world: &World, pictures: &[Picture]) {
    for at in world.all() {
        let Some(hub) = world.nodes[at.0].hub else { continue };
        let members = world.nodes[at.0].share.of(&pictures[hub.0], world.terms);
        let is_bare = world.terms.bare && world.shares_in_part(at);
        let shared =
            |(uid, record): (&Uid, &Record)| (uid.clone(), if is_bare { bare(record) } else { record.clone() });
        let want: BTreeMap<Uid, Record> =
            pictures[hub.0].iter().filter(|(uid, _)| members.contains(*uid)).map(shared).collect();
        let have: BTreeMap<Uid, Record> = pictures[at.0].iter().map(shared).collect();
        let uids: BTreeSet<&Uid> = want.keys().chain(have.keys()).collect();
        let differs = uids.into_iter().find(|uid| want.get(uid) != have.get(uid));
        if let Some(uid) = differs {
            let (name, hub) = (world.nodes[at.0].name, world.nodes[hub.0].name);
            let (want, have) = (want.get(uid), have.get(uid));
            world.fail("equal", &format!("{uid} is {want:?} by its set at {hub}, but {have:?} at {name}"));
        }
    }
}

/// A record without what is left out of the set.
fn bare(record: &Record) -> Record {
    let mut record = record.clone();
    if record.table == LEFT_OUT.0 {
        record.cells.remove(LEFT_OUT.1);
    }
    record
}

/// What a hub refused because its sender does not share it is told in a notice, and is no word on anything.
pub fn hear_of_refusals(world: &mut World, pictures: &[Picture]) {
    let now = world.now;
    for (node, picture) in world.nodes.iter_mut().zip(pictures) {
        let notices = node.run(&["notices", "list"], now).out;
        let refused =
            notices.lines().filter_map(|line| line.split_once(" a change of ")?.1.split_once(" was refused:"));
        let refused = refused.filter_map(|(what, _)| what.split_once(' '));
        for (table, key) in refused {
            let is_it = |record: &&Record| record.table == table && record.key == key;
            let uids = picture.iter().filter(|(_, record)| is_it(record)).map(|(uid, _)| uid);
            uids.for_each(|uid| world.oracle.refused(uid));
        }
    }
}

/// Nothing is gone that nobody decided to delete, or that was edited later; and nothing stands that was deleted last.
fn is_nobody_gone(world: &World, hub: &Picture) {
    let is_gone = |uid: &&Uid| !hub.contains_key(*uid) && !world.decided.contains(*uid);
    if let Some(uid) = world.oracle.must_live().find(is_gone) {
        world.fail("vanished", &format!("{uid} is gone, but was not deleted last: {}", world.oracle.story_of(uid)));
    }
    let is_undead = |uid: &&Uid| hub.contains_key(*uid) && !world.climate.decisions;
    if let Some(uid) = world.oracle.must_be_gone().find(is_undead) {
        world.fail("undead", &format!("{uid} stands, but was deleted last: {}", world.oracle.story_of(uid)));
    }
}

/// Every field has its last word.
fn are_last_words(world: &World, hub: &Picture) {
    let kept: BTreeSet<String> = world.nodes.iter().flat_map(conflicts).collect();
    for (uid, record) in hub {
        for (column, value) in &record.cells {
            let field = field(uid, column);
            if world.oracle.was_grouped(uid, column) {
                continue;
            }
            is_last_word(world, &kept, &field, value);
            is_preferred(world, &field, value);
        }
        if let Some((field, value)) = world.oracle.together(uid, record) {
            is_last_word(world, &kept, &field, &value);
            is_preferred(world, &field, &value);
        }
    }
}

/// A field has its last word. Where a hub may decide otherwise it does so also without having heard of what was written in view
/// of what it has: that is told as a conflict.
fn is_last_word(world: &World, kept: &BTreeSet<String>, field: &Field, value: &Option<String>) {
    let Err(why) = world.oracle.last_word(field, value) else { return };
    let is_told = || words_in(b'v', why.as_bytes()).any(|word| kept.contains(&word));
    if !world.oracle.may_be_decided(&field.uid) || !is_told() {
        world.fail("last word", &why);
    }
}

/// What a policy prefers stands.
fn is_preferred(world: &World, field: &Field, value: &Option<String>) {
    if let Err(why) = world.oracle.is_preferred(field, value) {
        world.fail("prefer", &why);
    }
}

/// What lost to a value that was written without knowing of it is kept in a list of conflicts.
fn are_losers_kept(world: &World, hub: &Picture) {
    let kept: BTreeSet<String> = world.nodes.iter().flat_map(conflicts).collect();
    for (uid, record) in hub {
        for (column, value) in &record.cells {
            let field = field(uid, column);
            if let Some(text) = world.oracle.losers(&field, value).into_iter().find(|text| !kept.contains(*text)) {
                let story = world.oracle.story_of(uid);
                world.fail("conflict", &format!("the {field} is {value:?}, and nobody is told of {text}: {story}"));
            }
        }
    }
}

/// The texts that a node is told to have lost to others.
pub fn conflicts(node: &Node) -> Vec<String> {
    let connection = node.open();
    let sql = "SELECT lost FROM _packhorse_conflicts WHERE typeof(lost) = 'text'";
    let mut statement = connection.prepare(sql).expect("the conflicts");
    let lost = statement.query_map([], |row| row.get(0)).expect("the conflicts");
    lost.collect::<Result<_, _>>().expect("the conflicts")
}

/// What lies in spools and on the relay.
fn bundles(world: &World) -> Vec<String> {
    let homes = world.nodes.iter().flat_map(|node| ["outbox", "inbox", "tmp"].map(|folder| node.home().join(folder)));
    let folders = homes.chain([world.relay.folder().to_owned()]);
    let found = folders.flat_map(|folder| files(&folder));
    found.map(|file| file.to_string_lossy().into_owned()).filter(|name| !name.ends_with("packhorse.relay")).collect()
}

/// Nobody says anything any more, and nothing lies anywhere.
fn are_silent(world: &mut World) {
    for at in world.all() {
        world.pass(ROUND);
        sync(world, at);
        let found = bundles(world);
        if !found.is_empty() {
            world.fail("silence", &format!("all is said, and yet there is {found:?}"));
        }
    }
}

/// What somebody says is acknowledged, and does not come back with what its hub has to say.
fn is_nothing_echoed(world: &mut World) {
    // What changes together is told together, and what a policy decides is a new word on it.
    if world.policies.of("companies") != (Policy { adds: world.policies.of("companies").adds, ..Policy::default() }) {
        return;
    }
    for at in world.all() {
        let Some(hub) = world.nodes[at.0].hub else { continue };
        let picture = look(&world.nodes[at.0]);
        let Some((uid, _)) = picture.iter().find(|(_, record)| record.table == "companies") else { continue };
        let said = say(world, at, uid, "name");
        sync(world, at);
        for words in ["transfer", "apply"] {
            world.run(hub, &[words]);
        }
        // Where somebody whose clock is ahead has said something else meanwhile, that is what there is to tell.
        if look(&world.nodes[hub.0]).get(uid).and_then(|record| record.cells["name"].as_ref()) != Some(&said) {
            continue;
        }
        say(world, hub, uid, "phone");
        sync(world, hub);
        let key = look(&world.nodes[hub.0])[uid].key.clone();
        let ways = format!("{}.{}.", world.nodes[hub.0].name, world.nodes[at.0].name);
        for file in files(world.relay.folder()).into_iter().filter(|file| name(file).starts_with(&ways)) {
            let shown = packhorse::run(&["inspect", &text(&file), "--json"], machine());
            let shown: serde_json::Value = serde_json::from_str(&shown.out).expect("what a bundle holds");
            if fields_of_company(&shown, &key) > 1 {
                world.fail("echo", &format!("what {uid} became was told back: {shown}"));
            }
        }
    }
}

/// How many fields of a company a bundle tells: its hub may have heard of others meanwhile, over other links.
fn fields_of_company(bundle: &serde_json::Value, key: &str) -> usize {
    let records = |table: &serde_json::Value| table["records"].as_array().cloned().unwrap_or_default();
    let tables = bundle["tables"].as_array().into_iter().flatten();
    let companies =
        tables.filter(|table| table["table"] == "companies" && table["passage"] != "overruled").flat_map(records);
    let its = companies.filter(|record| record["key"][0].as_i64() == key.parse().ok());
    its.map(|record| record["fields"].as_object().map_or(0, serde_json::Map::len)).sum()
}

/// A bundle that is lost is missed although nothing more is said.
fn is_last_word_missed(world: &mut World) {
    come_to_rest(world);
    let remote = world.all().find_map(|at| Some((at, world.nodes[at.0].hub?)));
    let (at, hub) = remote.expect("a remote");
    let picture = look(&world.nodes[at.0]);
    let Some((uid, _)) = picture.iter().find(|(_, record)| record.table == "companies") else { return };
    say(world, at, uid, "name");
    sync(world, at);
    let ways = format!("{}.{}.", world.nodes[at.0].name, world.nodes[hub.0].name);
    world.tell("the last bundle is lost".to_owned());
    world.relay.lose(&ways);
    come_to_rest(world);
    let pictures: Vec<Picture> = world.nodes.iter().map(look).collect();
    are_equal(world, &pictures);
}

/// An application gives a field of a company a value that was never written.
fn say(world: &mut World, at: At, uid: &Uid, column: &str) -> String {
    let value = world.value();
    world.write(at, &format!("UPDATE companies SET {column} = '{value}' WHERE uid = '{uid}'"));
    value
}

fn name(file: &Path) -> String {
    file.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
