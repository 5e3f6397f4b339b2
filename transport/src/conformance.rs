//! The contract of [`Carrier`] as a suite that every implementation passes.
//!
//! A test gives [`check`] a function that connects to a relay of its own, empty but for its root; each call is a new
//! connection to the same relay.

use packhorse_shared::id::NodeName;

use crate::carrier::{Carrier, Entry, Get, MARKER_MAX, Put, Sink, Source};
use crate::error::TransportError;
use crate::mailbox::{Mailbox, Way};
use crate::name::FileName;

/// Makes a new connection to the relay under test.
pub type Connect<'a> = dyn Fn() -> Box<dyn Carrier + 'a> + 'a;

/// What an implementation can do beyond the least.
#[derive(Clone, Copy, Debug)]
pub struct Abilities {
    /// Tells content apart, not only sizes.
    pub compares_content: bool,
}

/// Runs the whole suite; panics with the rule that was broken.
pub fn check(connect: &Connect<'_>, abilities: Abilities) {
    nothing_is_there_at_first(connect);
    a_put_file_is_listed_and_got(connect);
    putting_again_is_success_and_other_bytes_are_not(connect, abilities);
    a_broken_put_is_hidden_and_resumed(connect);
    a_foreign_part_is_not_built_upon(connect, abilities);
    a_get_resumes_anywhere(connect);
    a_refusing_sink_ends_a_get(connect);
    removing_is_idempotent(connect);
    markers_are_kept_apart(connect);
    a_marker_of_the_same_likeness_is_the_same(connect);
    the_root_takes_files_too(connect);
    only_an_empty_mailbox_is_removed(connect);
    one_that_is_beside_another_moves_files_at_the_same_time(connect);
}

fn mailbox() -> Mailbox {
    Mailbox::at_hub(&remote(), Way::Down)
}

fn remote() -> NodeName {
    "alice".parse().expect("a node's name")
}

fn name(text: &str) -> FileName {
    text.parse().expect("a file's name")
}

fn content(seed: u8, size: usize) -> Vec<u8> {
    (0..size).map(|at| (at as u8).wrapping_mul(31).wrapping_add(seed)).collect()
}

fn put(connect: &Connect<'_>, file: &str, bytes: &[u8]) -> Result<Put, TransportError> {
    connect().put(&mailbox(), &name(file), &mut { bytes })
}

fn got(connect: &Connect<'_>, file: &str, from: u64) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    match connect().get(&mailbox(), &name(file), from, &mut bytes).expect("a get") {
        Get::Ended => Some(bytes),
        Get::Absent => None,
    }
}

fn listed(connect: &Connect<'_>) -> Vec<Entry> {
    let mut files = connect().list(&mailbox()).expect("a listing").files;
    files.sort();
    files
}

/// A source that breaks at a place.
struct Breaking<'a>(&'a [u8], u64);

impl Source for Breaking<'_> {
    fn size(&self) -> u64 {
        self.0.size()
    }
    fn read_at(&mut self, offset: u64, into: &mut [u8]) -> Result<usize, TransportError> {
        let left = usize::try_from(self.1.saturating_sub(offset)).unwrap_or(usize::MAX);
        let most = into.len().min(left);
        match into.get_mut(..most).filter(|part| !part.is_empty()) {
            Some(part) => self.0.read_at(offset, part),
            None => Err(TransportError::BudgetOver),
        }
    }
}

/// A sink that takes so many bytes and no more.
struct Full(u64);

impl Sink for Full {
    fn take(&mut self, bytes: &[u8]) -> Result<(), TransportError> {
        self.0 = self.0.checked_sub(bytes.len() as u64).ok_or(TransportError::BudgetOver)?;
        Ok(())
    }
}

fn nothing_is_there_at_first(connect: &Connect<'_>) {
    let listing = connect().list(&mailbox()).expect("listing a missing mailbox is no error");
    assert_eq!(listing, crate::carrier::Listing::default(), "a missing mailbox is not present and empty");
    assert!(!connect().has_mailbox(&mailbox()).expect("asking is no error"));
    assert_eq!(got(connect, "nothing", 0), None, "getting what is absent is no error");
    connect().remove(&mailbox(), &[name("nothing")]).expect("removing what is absent is no error");
    connect().make_mailbox(&mailbox()).expect("a mailbox can be made");
    connect().make_mailbox(&mailbox()).expect("making it again is success");
    assert!(connect().has_mailbox(&mailbox()).expect("asking is no error"));
    assert!(connect().list(&mailbox()).expect("a listing").present);
}

fn a_put_file_is_listed_and_got(connect: &Connect<'_>) {
    for (file, size) in [("empty", 0), ("one", 1), ("larger", 200_000)] {
        let bytes = content(1, size);
        assert_eq!(put(connect, file, &bytes).expect("a put"), Put::Placed { moved: size as u64 }, "{file}");
        assert!(listed(connect).contains(&Entry { name: name(file), size: size as u64 }), "{file} is listed");
        assert_eq!(got(connect, file, 0), Some(bytes), "{file} comes back as it went");
    }
    let other = connect().list(&Mailbox::at_hub(&remote(), Way::Up)).expect("a listing");
    assert!(other.files.is_empty(), "the other mailbox is another");
}

fn putting_again_is_success_and_other_bytes_are_not(connect: &Connect<'_>, abilities: Abilities) {
    let bytes = content(2, 70_000);
    put(connect, "taken", &bytes).expect("a put");
    assert_eq!(put(connect, "taken", &bytes).expect("putting again is success"), Put::Already);
    let mut others = vec![content(2, 69_999), content(2, 70_001), Vec::new()];
    if abilities.compares_content {
        others.push(content(3, 70_000));
    }
    for other in others {
        let refused = put(connect, "taken", &other);
        assert!(matches!(refused, Err(TransportError::NameTaken { .. })), "other bytes are refused: {refused:?}");
    }
    assert_eq!(got(connect, "taken", 0), Some(bytes), "a refused put changes nothing");
}

fn a_broken_put_is_hidden_and_resumed(connect: &Connect<'_>) {
    let bytes = content(4, 150_000);
    for cut in [0, 1, 16, 65_535, 65_536, 65_537, 140_000] {
        let file = format!("broken-{cut}");
        let broken = connect().put(&mailbox(), &name(&file), &mut Breaking(&bytes, cut));
        assert!(matches!(broken, Err(TransportError::BudgetOver)), "the source's own error is handed on");
        let listing = connect().list(&mailbox()).expect("a listing");
        assert!(!listing.files.iter().any(|entry| entry.name == name(&file)), "an incomplete file is not listed");
        assert!(listing.foreign.is_empty(), "nor is it foreign");
        assert_eq!(got(connect, &file, 0), None, "nor got");
        let begun = listing.partials.iter().find(|entry| entry.name == name(&file)).map_or(0, |entry| entry.size);
        assert!(begun <= cut);
        // A server may still be writing what it had received when the line broke.
        let possible = bytes.len() as u64 - cut..=bytes.len() as u64 - begun;
        let resumed = put(connect, &file, &bytes).expect("a resumed put");
        assert!(
            matches!(resumed, Put::Placed { moved } if possible.contains(&moved)),
            "{resumed:?}, not in {possible:?}"
        );
        assert_eq!(got(connect, &file, 0).as_deref(), Some(&*bytes), "cut at {cut}");
        assert!(connect().list(&mailbox()).expect("a listing").partials.is_empty(), "nothing is left behind");
    }
}

fn a_foreign_part_is_not_built_upon(connect: &Connect<'_>, abilities: Abilities) {
    let (old, new) = (content(5, 150_000), content(6, 120_000));
    for cut in [70_000, 149_999] {
        let file = format!("foreign-{cut}");
        assert!(connect().put(&mailbox(), &name(&file), &mut Breaking(&old, cut)).is_err());
        if abilities.compares_content {
            put(connect, &file, &new).expect("a put over another's beginning");
            assert_eq!(got(connect, &file, 0).as_deref(), Some(&*new));
        }
        connect().remove_partials(&mailbox(), &[name(&file)]).expect("a partial can be removed");
        connect().remove_partials(&mailbox(), &[name(&file)]).expect("and again");
    }
    assert!(connect().list(&mailbox()).expect("a listing").partials.is_empty());
}

fn a_get_resumes_anywhere(connect: &Connect<'_>) {
    let bytes = content(7, 140_000);
    put(connect, "resumed", &bytes).expect("a put");
    for from in [0, 1, 65_536, 139_999, 140_000] {
        assert_eq!(got(connect, "resumed", from as u64).as_deref(), bytes.get(from..), "from {from}");
    }
    assert_eq!(got(connect, "resumed", 140_001), Some(Vec::new()), "beyond the end there is nothing");
}

fn a_refusing_sink_ends_a_get(connect: &Connect<'_>) {
    put(connect, "refused", &content(8, 100)).expect("a put");
    let ended = connect().get(&mailbox(), &name("refused"), 0, &mut Full(50));
    assert!(matches!(ended, Err(TransportError::BudgetOver)), "the sink's own error is handed on");
}

fn removing_is_idempotent(connect: &Connect<'_>) {
    let names: Vec<FileName> = listed(connect).into_iter().map(|entry| entry.name).collect();
    assert!(!names.is_empty());
    connect().remove(&mailbox(), &names).expect("several are removed in one call");
    assert!(listed(connect).is_empty());
    connect().remove(&mailbox(), &names).expect("removing again is success");
}

fn markers_are_kept_apart(connect: &Connect<'_>) {
    let other: NodeName = "bob".parse().expect("a node's name");
    for remote in [None, Some(&other)] {
        assert_eq!(connect().read_marker(remote).expect("reading no marker is no error"), None);
        for text in ["first", "second, which is longer", "third"] {
            connect().write_marker(remote, text.as_bytes()).expect("a marker is replaced as a whole");
            let read = connect().read_marker(remote).expect("a marker");
            assert_eq!(read.as_deref(), Some(text.as_bytes()));
        }
    }
    let long = vec![b'x'; MARKER_MAX * 4];
    connect().write_marker(None, &long).expect("a marker");
    let read = connect().read_marker(None).expect("a marker").expect("one that is there");
    assert_eq!(read.len(), MARKER_MAX + 1, "no more than needed is read");
    for _ in 0..2 {
        connect().remove_marker().expect("a marker is taken away, and again");
        assert_eq!(connect().read_marker(None).expect("no marker"), None);
    }
    assert_eq!(connect().read_marker(Some(&other)).expect("a marker").as_deref(), Some(&b"third"[..]));
}

fn a_marker_of_the_same_likeness_is_the_same(connect: &Connect<'_>) {
    let likeness = || connect().marker_likeness().expect("what there is to know of the marker");
    assert_eq!(likeness(), None, "of what is not there there is nothing to know");
    connect().write_marker(None, b"first").expect("a marker");
    let first = likeness();
    assert_eq!(likeness(), first);
    connect().write_marker(None, b"second").expect("a marker");
    assert!(first.is_none() || likeness() != first);
    connect().remove_marker().expect("a marker is taken away");
}

fn the_root_takes_files_too(connect: &Connect<'_>) {
    let (root, file, bytes) = (Mailbox::root(), name("alice.rdb"), content(9, 90_000));
    assert!(connect().has_mailbox(&root).expect("asking is no error"), "the root is there");
    connect().put(&root, &file, &mut &bytes[..]).expect("a put");
    let listing = connect().list(&root).expect("a listing");
    assert!(listing.present && listing.files.iter().any(|entry| entry.name == file), "{listing:?}");
    let mut read = Vec::new();
    assert_eq!(connect().get(&root, &file, 40_000, &mut read).expect("a get"), Get::Ended);
    assert_eq!(Some(&*read), bytes.get(40_000..));
    connect().remove(&root, &[file]).expect("a remove");
    assert!(connect().list(&root).expect("a listing").files.iter().all(|entry| entry.name.as_str() != "alice.rdb"));
}

fn only_an_empty_mailbox_is_removed(connect: &Connect<'_>) {
    let carol: NodeName = "carol".parse().expect("a node's name");
    let [up, down] = [Way::Up, Way::Down].map(|way| Mailbox::at_hub(&carol, way));
    connect().remove_mailbox(&up).expect("removing what is absent is no error");
    connect().put(&up, &name("kept"), &mut &b"bytes"[..]).expect("a put");
    connect().make_mailbox(&down).expect("a mailbox");
    connect().remove_mailbox(&up).expect("what is not empty stays, and that is no error");
    assert!(connect().has_mailbox(&up).expect("asking is no error"));
    connect().remove(&up, &[name("kept")]).expect("a remove");
    for (mailbox, other) in [(&up, true), (&down, false)] {
        connect().remove_mailbox(mailbox).expect("a mailbox is removed");
        assert!(!connect().has_mailbox(mailbox).expect("asking is no error"));
        assert_eq!(connect().has_mailbox(&down).expect("asking is no error"), other);
    }
}

fn one_that_is_beside_another_moves_files_at_the_same_time(connect: &Connect<'_>) {
    let mut carrier = connect();
    let is_two_way = carrier.is_two_way();
    let (kept, fetched) = (content(3, 200_000), content(5, 300_000));
    put(connect, "fetched", &fetched).expect("a put");
    carrier.list(&mailbox()).expect("a listing");
    let beside = carrier.beside();
    assert_eq!(beside.is_some(), is_two_way);
    let Some(mut beside) = beside else { return };
    let mut got = Vec::new();
    std::thread::scope(|scope| {
        let putting = scope.spawn(|| beside.put(&mailbox(), &name("kept"), &mut &kept[..]));
        for file in ["fetched", "nothing", "fetched"] {
            got.clear();
            let found = carrier.get(&mailbox(), &name(file), 0, &mut got).expect("a get");
            assert_eq!((found == Get::Ended, got == fetched), (file == "fetched", file == "fetched"));
        }
        let placed = putting.join().expect("it does not panic").expect("a put");
        assert_eq!(placed, Put::Placed { moved: kept.len() as u64 });
    });
    drop(beside);
    got.clear();
    assert_eq!(carrier.get(&mailbox(), &name("kept"), 0, &mut got).expect("the first goes on"), Get::Ended);
    assert!(got == kept, "what was put is what is got");
    carrier.remove(&mailbox(), &["kept", "fetched"].map(name)).expect("a remove");
}
