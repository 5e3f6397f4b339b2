//! Packages: made anew, of a remote that the hub has forgotten too, or restored a second time elsewhere.

use std::fs;

use packhorse::Ran;
use packhorse_shared::seam::Step;
use simulated_machine::fate;

use crate::aim;
use crate::application;
use crate::cast;
use crate::copies::{kept, kept_together};
use crate::dice::Dice;
use crate::happen::end;
use crate::ids::At;
use crate::judge::mailbox;
use crate::node::Node;
use crate::world::World;

/// The durable steps of making a package.
const PACK: [Step; 4] =
    [Step::PackageDatabaseMade, Step::PackageDrafted, Step::PackageLinkOpened, Step::PackagePublished];
/// Those of setting a node up with it.
const RESTORE: [Step; 4] = [Step::RestoreUnpacked, Step::RestoreHomeMade, Step::RestoreAdopted, Step::RestorePublished];

/// What a command says that had done all but the last when it was stopped.
const DONE_BEFORE: [&str; 3] = ["is there already", "takes part in a Packhorse network already", "there is "];

/// Gives a command that makes or removes something. Where runs are befallen by anything so is this one, at some of its steps,
/// each in some ways: then it is given again, and completes what was stopped.
fn made(world: &mut World, steps: &[Step], dice: &mut Dice, mut give: impl FnMut(&mut World) -> Ran) {
    let stopped = world.climate.crashes && dice.percent(70);
    let aims = steps.iter().flat_map(|step| aim::each_way(step.name(), dice)).collect::<Vec<_>>();
    for aim in aims.into_iter().filter(|_| stopped && dice.percent(70)) {
        world.tell(format!("  {}", aim::words(aim)));
        fate::aim(vec![aim]);
        give(world);
    }
    let ran = give(world);
    let done_before = stopped && ran.exit == 2 && DONE_BEFORE.iter().any(|words| ran.err.contains(words));
    if ran.exit != 0 && !done_before {
        world.fail("exit", &format!("it ended with {}: {}", ran.exit, ran.err));
    }
}

/// A remote gets a new package, and is set up with it; its hub may have taken it up anew before.
pub fn pack_again(world: &mut World, at: At, dice: &mut Dice) -> bool {
    // Once, or as often as it takes somebody to make up their mind.
    let anew = |dice: &mut Dice| if dice.percent(70) { 2 + dice.below(4) } else { 0 };
    pack_again_after(world, at, &anew, dice)
}

/// The same, after its hub has taken it up anew so often, if the relay is there.
pub fn pack_again_after(world: &mut World, at: At, anew: &dyn Fn(&mut Dice) -> u64, dice: &mut Dice) -> bool {
    let Some(hub) = world.nodes[at.0].hub.filter(|hub| world.is_present(*hub)) else { return false };
    if world.is_hub(at) {
        return false;
    }
    let name = world.nodes[at.0].name;
    world.tell(format!("{name} gets a new package"));
    let _ = fs::remove_dir_all(kept(world, at));
    let _ = fs::remove_dir_all(kept_together(world));
    let small = fs::read_to_string(world.nodes[at.0].home().join("packhorse.toml")).expect("a configuration");
    let file = world.nodes[at.0].folder.join("package.rdb");
    if world.relay.is_there() {
        (0..anew(dice)).for_each(|_| take_up_anew(world, (hub, at), dice));
    }
    made(world, &PACK, dice, |world| {
        let _ = fs::remove_file(&file);
        world.run(hub, &["remote", "pack", name, "-o", &cast::text(&file), "--no-passphrase"])
    });
    world.harvested(hub);
    world.see(hub);
    world.search(at);
    fs::remove_dir_all(world.nodes[at.0].home()).expect("the home goes");
    for ending in ["", "-wal", "-shm", "-journal"] {
        let _ = fs::remove_file(world.nodes[at.0].folder.join(format!("app.db{ending}")));
    }
    let database = cast::text(&world.nodes[at.0].database());
    made(world, &RESTORE, dice, |world| world.run(at, &["restore", &cast::text(&file), "--database", &database]));
    world.lose(&[at]);
    cast::make_movable(&world.nodes[at.0], world.root());
    if small.contains("\nbundle_max") {
        world.nodes[at.0].edit_config(|words| words.replace("# bundle_max = \"256 KiB\"", "bundle_max = \"1 KiB\""));
    }
    simulated_machine::settle(&[&world.nodes[at.0].folder]);
    world.see(at);
    true
}

/// The hub forgets a remote and takes it up again under its name. What lies on the relay is the person's to remove.
fn take_up_anew(world: &mut World, (hub, at): (At, At), dice: &mut Dice) {
    let (name, share) = (world.nodes[at.0].name, world.nodes[at.0].share.words());
    made(world, &[Step::RemoteLinkForgotten], dice, |world| world.run(hub, &["remote", "remove", name]));
    let mailbox = mailbox(world, at);
    world.relay.empty(&mailbox);
    let share: Vec<&str> = share.iter().map(String::as_str).collect();
    made(world, &[Step::RemoteFolderMade], dice, |world| {
        world.run(hub, &[&["remote", "add", name], &share[..]].concat())
    });
}

/// Whether a hub has met a remote. Of two that have not spoken yet the first is the right one.
pub fn has_met(world: &World, hub: At, at: At) -> bool {
    let met = "SELECT count(*) > 0 FROM _packhorse_links WHERE peer = ?1 AND node IS NOT NULL";
    world.nodes[hub.0].open().query_row(met, [world.nodes[at.0].name], |row| row.get(0)).expect("links")
}

/// A package is restored a second time, and that installation writes and speaks. It is refused, and nothing that it wrote is
/// ever seen anywhere.
pub fn clone(world: &mut World, at: At, dice: &mut Dice) -> bool {
    let Some(hub) = world.nodes[at.0].hub.filter(|hub| world.is_present(*hub)) else { return false };
    let (name, folder) = (world.nodes[at.0].name, world.root().join("clone"));
    let package = world.nodes[at.0].folder.join("package.rdb");
    if !has_met(world, hub, at) || folder.exists() {
        return false;
    }
    world.tell(format!("the package of {name} is restored once more, elsewhere"));
    fs::create_dir(&folder).expect("a folder");
    let mut second = Node { folder: folder.clone(), ..world.nodes[at.0].clone() };
    let database = cast::text(&second.database());
    made(world, &RESTORE, dice, |world| {
        second.run(&["restore", &cast::text(&package), "--database", &database], world.now)
    });
    // The package names the relay that was there when it was made, which may be that of another story.
    fs::copy(world.nodes[at.0].home().join("packhorse.toml"), second.home().join("packhorse.toml")).expect("copied");
    application::write(&second.open(), "UPDATE companies SET name = 'of a clone'").expect("a clone writes");
    for _ in 0..2 {
        world.pass(60_000);
        second.run(&["sync"], world.now);
        let ran = world.run(hub, &["sync"]);
        end(world, hub, &["sync"], &ran, world.ends());
    }
    fs::remove_dir_all(folder).expect("the clone goes");
    true
}
