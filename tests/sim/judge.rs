//! What must be so at any moment of a story, whatever happens.
//!
//! Each invariant has a name, by which a failure is told.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::application::{Picture, field};
use crate::cast;
use crate::ids::{At, Field, Uid};
use crate::laws;
use crate::node::files;
use crate::oracle::{ORDERED, Oracle, Refused};
use crate::policies::COUNTERS;
use crate::purge;
use crate::secret::{self, Looked, unpacked, words_in};
use crate::shares::LEFT_OUT;
use crate::twice::{self, Merged};
use crate::verdict::{conflicts, hear_of_refusals};
use crate::world::{Members, World};

/// Which invariant is broken, and how.
pub type Complaint = (&'static str, String);

/// What was seen before, and what may be seen.
#[derive(Clone, Debug, Default)]
pub struct Judge {
    /// What each node showed last of each field that is never given a value twice.
    shown: Vec<BTreeMap<Field, Option<String>>>,
    /// What each node has merged.
    pub merged: Vec<Merged>,
    /// The clock of each node's database.
    clocks: Vec<i64>,
    /// The records that each node may have that does not share everything.
    pub members: Members,
    /// Bundles by their number: sender, receiver, epoch, sequence.
    numbers: BTreeMap<String, String>,
    /// The files of remotes that were looked at.
    pub looked: Looked,
    /// Bundles whose content was looked at.
    read: BTreeSet<String>,
    /// The texts that one node has sent to another.
    sent: BTreeMap<(At, At), BTreeSet<String>>,
    /// What there is to know of the column that is left out of sets.
    pub bare: Bare,
    /// Something was held, or in conflict.
    was_disturbed: bool,
    /// Who is at work twice, as its disk was copied.
    pub copied: Option<At>,
    /// Epochs with their sender and receiver that a node may be in a second time, as it was put back.
    repeated: BTreeSet<String>,
}

/// A column that goes out of the sets that hold a part, and comes back.
#[derive(Clone, Debug, Default)]
pub struct Bare {
    /// Whether it ever did.
    pub ever: bool,
    /// What was written there since it went, by those who share everything: nobody else may have it until it comes back.
    pub hidden: BTreeSet<String>,
}

impl Judge {
    /// For so many nodes.
    pub fn new(nodes: usize) -> Self {
        let (shown, merged) = (vec![BTreeMap::new(); nodes], vec![Merged::new(); nodes]);
        Self { shown, merged, clocks: vec![0; nodes], ..Self::default() }
    }

    /// An application made records that this node may have.
    pub fn wrote(&mut self, at: At, before: &Picture, after: &Picture) {
        let made = after.keys().filter(|uid| !before.contains_key(*uid)).cloned();
        self.members.entry(at).or_default().extend(made);
    }

    /// A run told that something was held, or in conflict.
    pub fn disturbed(&mut self) {
        self.was_disturbed = true;
    }

    /// A remote may have these records of what stands at its hub.
    pub fn may_have(&mut self, at: At, members: BTreeSet<Uid>) {
        self.members.entry(at).or_default().extend(members);
    }

    /// A node is put back to a copy: it may see again what it saw before.
    pub fn put_back(&mut self, at: At) {
        self.shown[at.0].clear();
        self.merged[at.0].clear();
        self.clocks[at.0] = 0;
    }

    /// The numbers that a node has used so far may come once more: it was put back, and finds out by this. Then it begins a
    /// later epoch, whose numbers are new.
    pub fn may_repeat(&mut self, node: &str) {
        let epochs = self.numbers.keys().filter_map(|number| Some(number.rsplit_once('.')?.0));
        let its = epochs.filter(|epoch| epoch.split('.').next() == Some(node)).map(str::to_owned);
        self.repeated.extend(its);
    }

    /// What a node shows now.
    pub fn note(&mut self, oracle: &Oracle, at: At, picture: &Picture) {
        for (uid, record) in picture {
            self.shown[at.0].extend(oracle.together(uid, record));
            for column in ORDERED {
                if let Some(value) = record.cells.get(column) {
                    self.shown[at.0].insert(field(uid, column), value.clone());
                }
            }
        }
    }

    /// Looks at a node after a run there, and at what it has sent.
    pub fn look(world: &mut World, at: At, picture: &Picture) -> Result<(), Complaint> {
        is_sound(world, at)?;
        is_nobody_mixed(world, at, picture)?;
        has_time_passed(world, at, picture)?;
        twice::is_nothing_merged_again(world, at, picture)?;
        if world.is_hub(at) {
            world.admit(at, picture);
        }
        secret::is_kept(world, at, picture)?;
        laws::is_kept(world, at, picture)?;
        purge::has_waited(world, at, picture)?;
        are_bundles_decent(world, at)?;
        are_numbers_new(world)?;
        if !world.nodes[at.0].is_at_risk() {
            world.judge.note(&world.oracle, at, picture);
        }
        Ok(())
    }
}

/// The database is whole, its indexes agree with its tables, and no reference dangles.
fn is_sound(world: &World, at: At) -> Result<(), Complaint> {
    let connection = world.nodes[at.0].open();
    let sql = "SELECT group_concat(integrity_check) FROM pragma_integrity_check";
    let found: String = connection.query_row(sql, [], |row| row.get(0)).expect("a check");
    let name = world.nodes[at.0].name;
    if found != "ok" {
        return Err(("sound", format!("{name}: {found}")));
    }
    let sql = "SELECT group_concat(\"table\" || ' ' || rowid) FROM pragma_foreign_key_check";
    let found: Option<String> = connection.query_row(sql, [], |row| row.get(0)).expect("a check");
    found.map_or(Ok(()), |found| Err(("references", format!("{name}: these refer to nobody: {found}"))))
}

/// Every value that is seen was given to that field of that record, and nobody is there twice.
fn is_nobody_mixed(world: &World, at: At, picture: &Picture) -> Result<(), Complaint> {
    for (uid, record) in picture {
        for (column, value) in &record.cells {
            let field = field(uid, column);
            if !world.oracle.knows(&field, value) {
                let name = world.nodes[at.0].name;
                return Err(("mixed", format!("{name} has {value:?} as the {field} ({record:?}), which nobody wrote")));
            }
        }
        if let Some((field, value)) =
            world.oracle.together(uid, record).filter(|(field, value)| !world.oracle.knows(field, value))
        {
            let name = world.nodes[at.0].name;
            return Err(("mixed", format!("{name} has {value:?} as the {field}, which is of more than one")));
        }
    }
    Ok(())
}

/// Neither a field nor the clock goes back to what it was before.
fn has_time_passed(world: &mut World, at: At, picture: &Picture) -> Result<(), Complaint> {
    // What was discarded is what it was before.
    if !world.climate.decisions {
        has_no_field_gone_back(world, at, picture)?;
    }
    let (name, connection) = (world.nodes[at.0].name, world.nodes[at.0].open());
    let sql = "SELECT value FROM _packhorse_state WHERE name = 'clock'";
    let clock: i64 = connection.query_row(sql, [], |row| row.get(0)).expect("a clock");
    if clock < world.judge.clocks[at.0] {
        return Err(("time", format!("{name}: the clock went back from {} to {clock}", world.judge.clocks[at.0])));
    }
    if !world.nodes[at.0].is_at_risk() {
        world.judge.clocks[at.0] = clock;
    }
    Ok(())
}

fn has_no_field_gone_back(world: &mut World, at: At, picture: &Picture) -> Result<(), Complaint> {
    let name = world.nodes[at.0].name;
    let may_be_lost = world.judge.bare.ever && world.shares_in_part(at);
    for (uid, record) in picture {
        let columns = ORDERED.into_iter().filter(|column| !may_be_lost || (record.table, *column) != LEFT_OUT);
        let columns = columns.filter(|column| !world.oracle.was_grouped(uid, column));
        let cells = columns.filter_map(|column| Some((field(uid, column), record.cells.get(column)?.clone())));
        let cells: Vec<(Field, Option<String>)> = cells.chain(world.oracle.together(uid, record)).collect();
        for (field, now) in cells {
            let Some(before) = world.judge.shown[at.0].get(&field).cloned() else { continue };
            // What is held elsewhere counts as heard of, and comes back once it is placed.
            let is_held = world.judge.was_disturbed && COUNTERS.iter().any(|(_, column)| *column == field.column);
            let is_older = !is_held && world.oracle.is_older(&field, &now, &before);
            let may_go_back = |world: &mut World| {
                // What a hub lost nobody brings back who may not write it.
                world.oracle.may_not_come_back()
                    || world.oracle.is_value_forbidden(&field, &before) != Refused::No
                    || is_refused(world, uid)
                    || is_lost_beside_copy(world, at, &before)
                    || world.oracle.may_be_decided(uid) && is_told_lost(world, at, &before, &now)
            };
            if is_older && !may_go_back(world) {
                return Err(("time", format!("{name}: the {field} went back from {before:?} to {now:?}")));
            }
        }
    }
    Ok(())
}

/// Whether a node that is at work twice is told that it has lost this to a value that was written without knowing of it. By what
/// the other has told, the hub may take an edit of its for late and stamp it anew, later than the next one there in view of it.
fn is_lost_beside_copy(world: &World, at: At, value: &Option<String>) -> bool {
    let is_told = |text: &String| conflicts(&world.nodes[at.0]).contains(text);
    world.judge.copied == Some(at) && value.as_ref().is_some_and(is_told)
}

/// Whether a node is told that it has lost what is not there any more of this.
fn is_told_lost(world: &World, at: At, before: &Option<String>, now: &Option<String>) -> bool {
    let [before, now] = [before, now].map(|value| value.clone().unwrap_or_default());
    let told = conflicts(&world.nodes[at.0]);
    words_in(b'v', before.as_bytes()).any(|word| !now.contains(&word) && told.contains(&word))
}

/// Whether a hub told that it refused a change of a record: what it gave its sender instead is the hub's.
fn is_refused(world: &mut World, uid: &Uid) -> bool {
    let pictures: Vec<Picture> = world.nodes.iter().map(cast::look).collect();
    hear_of_refusals(world, &pictures);
    world.oracle.is_refused(uid)
}

/// What a node has sent holds nothing that it should not, wherever it lies now.
fn are_bundles_decent(world: &mut World, at: At) -> Result<(), Complaint> {
    let peers: Vec<At> = world.remotes_of(at).into_iter().chain(world.nodes[at.0].hub).collect();
    for to in peers {
        let (remote, way) = if world.nodes[to.0].hub == Some(at) { (to, "down") } else { (at, "up") };
        let outbox = world.nodes[at.0].home().join("outbox").join(world.nodes[to.0].name);
        let relay = mailbox(world, remote).join(way);
        for file in [outbox, relay].iter().flat_map(|folder| files(folder)) {
            is_decent(world, (at, to), &file)?;
        }
    }
    Ok(())
}

/// A remote's folder on the relay: in that of its hub, unless that is the hub of all.
pub fn mailbox(world: &World, remote: At) -> PathBuf {
    let above = world.nodes[remote.0].hub.filter(|hub| world.nodes[hub.0].hub.is_some());
    let above = above.map_or_else(|| world.relay.folder().to_owned(), |hub| mailbox(world, hub));
    above.join(world.nodes[remote.0].name)
}

fn is_decent(world: &mut World, (from, to): (At, At), file: &Path) -> Result<(), Complaint> {
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if !name.ends_with(".bundle") || world.judge.read.contains(&name) {
        return Ok(());
    }
    let Some(content) = unpacked(&std::fs::read(file).expect("a bundle")) else { return Ok(()) };
    world.judge.read.insert(name.clone());
    if world.nodes[to.0].hub == Some(from) {
        secret::is_own(world, to, &name, &content)?;
    }
    let texts: BTreeSet<String> = words_in(b'v', &but_overruled(&content)).collect();
    if let Some(text) = texts.iter().find(|text| is_echo(world, (from, to), text)) {
        return Err(("echo", format!("{name} holds {text}, which its receiver has sent to its sender")));
    }
    world.judge.sent.entry((from, to)).or_default().extend(texts);
    Ok(())
}

/// An archive without what it says was overruled or refused: whoever said that is to hear of it.
fn but_overruled(archive: &[u8]) -> Vec<u8> {
    let (mut rest, mut kept) = (archive, Vec::new());
    while rest.len() >= 512 {
        let name = &rest[..100];
        let size = std::str::from_utf8(&rest[124..135]).ok().and_then(|size| usize::from_str_radix(size, 8).ok());
        let length = (512 + size.unwrap_or(0).next_multiple_of(512)).min(rest.len());
        let (member, others) = rest.split_at(length);
        if !name.starts_with(b"overruled/") && !name.starts_with(b"refused/") {
            kept.extend_from_slice(member);
        }
        rest = others;
    }
    kept
}

/// Whether a text goes back over the link that it came by. Where everything is asked for, where a record comes in whole, and
/// where one was held or brought back, that is right.
fn is_echo(world: &World, (from, to): (At, At), text: &str) -> bool {
    let climate = &world.climate;
    let in_part = world.shares_in_part(from.max(to));
    let goes_whole = climate.decisions || climate.backups || climate.sets || climate.absence || in_part;
    let came = || world.judge.sent.get(&(to, from)).is_some_and(|sent| sent.contains(text));
    !goes_whole && !world.judge.was_disturbed && came() && !world.oracle.was_any_deleted()
}

/// No number of a bundle is used twice for different content.
fn are_numbers_new(world: &mut World) -> Result<(), Complaint> {
    let folders: Vec<_> = world.nodes.iter().map(|node| node.home().join("outbox")).collect();
    let found =
        folders.iter().chain([&world.relay.folder().to_owned()]).flat_map(|folder| files(folder)).collect::<Vec<_>>();
    for file in found {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let parts: Vec<&str> = name.split('.').collect();
        let [from, to, epoch, sequence, digest, "bundle"] = parts[..] else { continue };
        if world.judge.repeated.contains(&format!("{from}.{to}.{epoch}")) {
            continue;
        }
        let number = format!("{from}.{to}.{epoch}.{sequence}");
        let known = world.judge.numbers.entry(number).or_insert_with(|| digest.to_owned());
        if known != digest {
            return Err(("numbers", format!("two bundles bear the number of {name}")));
        }
    }
    Ok(())
}
