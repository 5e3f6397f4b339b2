//! Policies and rights in a story: with which it begins, how they change, and what has to be so because of them.

use std::collections::BTreeMap;

use crate::application::{Picture, field};
use crate::cast;
use crate::dice::Dice;
use crate::happen;
use crate::ids::{At, Field};
use crate::judge::Complaint;
use crate::oracle::{Refused, SINGULAR};
use crate::policies::{Policies, TABLES};
use crate::rights::{Right, Rights, TableRights};
use crate::shares::{Share, Terms};
use crate::world::{World, Wrote};

/// Before the policies that a story begins with or comes to.
pub const POLICIES: &str = "policies: ";
/// Before the rights.
pub const RIGHTS: &str = "rights: ";

/// The policies and rights of a seed are in force, and everybody has heard of them.
pub fn begin(world: &mut World, seed: u64) {
    let mut dice = Dice::new(seed, 20);
    let (mut policies, rights) = (Policies::drawn(&mut dice), Rights::drawn(&mut dice));
    if !world.climate.policies {
        policies = Policies::default();
    }
    if world.climate.counters {
        policies = policies.counting(&mut Dice::new(seed, 22));
    }
    if world.climate.rights {
        change_rights(world, rights);
    }
    if world.climate.policies || policies != Policies::default() {
        begin_policies(world, policies);
        // Who has its own from a middle hub hears of them when that has heard of them itself.
        let rounds = if world.nodes.iter().any(|node| node.hub > Some(At(0))) { 2 } else { 1 };
        for _ in 0..rounds {
            world.all().for_each(|at| happen::run(world, at, &["sync"], &[0, 3]));
        }
    }
}

/// A story begins with these, if it has none yet; otherwise they come to be in force.
pub fn begin_policies(world: &mut World, policies: Policies) {
    let begins = world.policies == Policies::default() && world.serial == 0;
    change_policies(world, policies, begins);
    if begins {
        let genesis = cast::look(&world.nodes[0]);
        world.oracle.begin_together(&genesis);
    }
}

fn change_policies(world: &mut World, policies: Policies, begins: bool) {
    let before = std::mem::replace(&mut world.policies, policies).text();
    world.nodes[0].edit_config(|words| match before.is_empty() {
        true => format!("{words}\n{}", policies.text()),
        false => words.replace(&before, &policies.text()),
    });
    world.oracle.has_policies(policies, begins);
    world.tell(format!("{POLICIES}{policies}"));
}

/// From now on remotes have these rights.
pub fn change_rights(world: &mut World, rights: Rights) {
    let before = world.terms;
    let after = Terms { rights, ..before };
    world.terms = after;
    for node in &world.nodes {
        node.edit_config(|words| words.replace(&before.text(), &after.text()));
    }
    world.oracle.has_rights(rights);
    world.tell(format!("{RIGHTS}{rights}"));
}

/// Policies change for one table, or rights for all.
pub fn change(world: &mut World, dice: &mut Dice) -> bool {
    if world.climate.policies && (!world.climate.rights || dice.percent(50)) {
        let policies = world.policies.but_one(dice, world.climate.counters);
        change_policies(world, policies, false);
    } else {
        let rights = Rights::drawn(dice);
        change_rights(world, rights);
    }
    true
}

/// A remote changes or deletes what it may not, if it has anything of that kind, and both ends speak.
pub fn trespass(world: &mut World, dice: &mut Dice) -> bool {
    let with_sales = |at: &At| matches!(world.nodes[at.0].share, Share::Sales(_));
    let remotes: Vec<At> = world.present().into_iter().filter(with_sales).collect();
    let Some(at) = dice.pick(&remotes) else { return false };
    let hub = world.nodes[at.0].hub.expect("a hub");
    let deeds: Vec<String> = TABLES.iter().flat_map(|table| forbidden(world.terms.rights.of(table), table)).collect();
    let Some(deed) = dice.pick(&deeds).filter(|_| world.is_present(hub) && world.relay.is_there()) else {
        return false;
    };
    let picture = cast::look(&world.nodes[at.0]);
    let table = TABLES.iter().find(|table| deed.contains(*table)).copied().unwrap_or_default();
    let keys: Vec<&String> = picture.values().filter(|record| record.table == table).map(|it| &it.key).collect();
    let Some(key) = dice.pick(&keys) else { return false };
    let column = if table == "products" { "code" } else { "id" };
    world.pass(60_000);
    let value = world.value();
    let wrote = world.write(at, &format!("{} WHERE {column} = {key}", deed.replace('?', &format!("'{value}'"))));
    let ends = world.ends();
    [at, hub].into_iter().for_each(|at| happen::run(world, at, &["sync"], ends));
    wrote == Wrote::Changed
}

/// What rights to a table may forbid, as the beginnings of statements.
fn forbidden(rights: TableRights, table: &str) -> Vec<String> {
    let column = if table == "notes" { "text" } else { "name" };
    let deletes = (rights.deletes != Right::Any).then(|| format!("DELETE FROM {table}"));
    let writes = (rights.writes != Right::Any).then(|| format!("UPDATE {table} SET {column} = ?"));
    let reads = rights.read_only.map(|column| format!("UPDATE {table} SET {column} = ?"));
    deletes.into_iter().chain(writes).chain(reads).collect()
}

/// Tells the oracle who is whose hub, and whose companies each has.
pub fn tell_oracle(world: &mut World) {
    let user = |share: Share| match share {
        Share::Everything => None,
        Share::Sales(user) => Some(user),
    };
    let hubs = world.nodes.iter().map(|node| node.hub).collect();
    world.oracle.has_links(hubs, world.nodes.iter().map(|node| user(node.share)).collect());
}

/// Nothing stands at the hub of all that is surely refused there.
pub fn is_kept(world: &World, at: At, picture: &Picture) -> Result<(), Complaint> {
    if at != At(0) || !world.oracle.law.forbids() {
        return Ok(());
    }
    for (uid, record) in picture {
        if world.oracle.is_making_forbidden(uid) == Refused::Surely {
            return Err((
                "rights",
                format!("{uid} was let in, which its maker may not make: {}", world.oracle.story_of(uid)),
            ));
        }
        for column in SINGULAR {
            let Some(value) = record.cells.get(column).filter(|value| value.is_some()) else { continue };
            let field = field(uid, column);
            if world.oracle.is_value_forbidden(&field, value) == Refused::Surely {
                return Err(("rights", format!("the {field} is {value:?}: {}", world.oracle.story_of(uid))));
            }
        }
    }
    Ok(())
}

/// What is refused is told to the people at the hub, and to those at the remote. Where a home was replaced it may be told no more.
pub fn are_refusals_told(world: &mut World) {
    if world.climate.backups || !world.oracle.law.forbids() {
        return;
    }
    let now = world.now;
    let notices: Vec<String> = world.nodes.iter_mut().map(|node| node.run(&["notices", "list"], now).out).collect();
    let refused: BTreeMap<Field, (String, At)> =
        world.oracle.refusals().map(|(field, text, at)| (field.clone(), (text.to_owned(), at))).collect();
    for (field, (text, at)) in refused.iter().filter(|(_, (_, at))| world.nodes[at.0].hub == Some(At(0))) {
        let [hub, remote] = [At(0), *at].map(|at| notices[at.0].contains(text));
        if hub != remote {
            let told = if hub { world.nodes[0].name } else { world.nodes[at.0].name };
            world.fail("told", &format!("only {told} is told that {text} was refused, the {field}"));
        }
    }
}
