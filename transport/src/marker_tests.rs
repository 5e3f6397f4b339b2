//! Whose relay is it: the marker lost, damaged, another's, with and without our mailboxes beside it.

use std::fs;

use packhorse_shared::id::{NetworkId, NodeName};
use packhorse_shared::seam::OsDisk;

use crate::memory::MemoryRelay;
use crate::{Admission, FolderCarrier, Mailbox, Marked, Marker, Role, TransportError, admit, mark, prepare_remote};

const OURS: NetworkId = NetworkId(0x18f3);
const OTHERS: NetworkId = NetworkId(0x4711);

fn alice() -> NodeName {
    "alice".parse().unwrap()
}

fn evidence() -> Vec<[Mailbox; 2]> {
    vec![Mailbox::both(&"bob".parse().unwrap(), Role::Remote), Mailbox::both(&alice(), Role::Remote)]
}

/// Every way in which a file is cut or has a bit changed.
fn damaged() -> Vec<Vec<u8>> {
    let whole = Marker::text(OURS).into_bytes();
    let cut = (0..whole.len()).map(|size| whole.iter().take(size).copied().collect());
    let flipped = (0..whole.len() * 8).map(|bit| {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        bytes
    });
    cut.chain(flipped).chain([vec![b'x'; 5000], b"\xff\xfe".to_vec()]).collect()
}

#[test]
fn a_marker_reads_as_it_was_written_and_damage_is_seen() {
    assert_eq!(Marker::text(OURS), "packhorse relay 1\nnetwork 00000000000018f3\ncheck f8308d5aada85896\n");
    assert_eq!(Marker::read(Some(Marker::text(OURS).as_bytes())), Marker::Of(OURS));
    assert_eq!(Marker::read(None), Marker::Missing);
    for bytes in damaged() {
        assert_eq!(Marker::read(Some(&bytes)), Marker::Damaged, "{}", String::from_utf8_lossy(&bytes));
    }
}

#[test]
fn init_marks_a_folder_that_it_may_have_to_make() {
    let parent = tempfile::tempdir().unwrap();
    let root = parent.path().join("srv/relay");
    let mut carrier = FolderCarrier::new(&root, &OsDisk);
    assert_eq!(mark(&mut carrier, OURS).unwrap(), Marked::New);
    assert_eq!(mark(&mut carrier, OURS).unwrap(), Marked::Already);
    assert!(matches!(mark(&mut carrier, OTHERS), Err(TransportError::OtherNetwork { found: OURS, ours: OTHERS, .. })));
    assert_eq!(fs::read_to_string(root.join("packhorse.relay")).unwrap(), Marker::text(OURS));
    assert_eq!(fs::read_dir(&root).unwrap().count(), 1);
    fs::write(root.join("packhorse.relay"), "garbage").unwrap();
    assert!(matches!(mark(&mut carrier, OURS), Err(TransportError::DamagedMarker { .. })));
}

#[test]
fn a_remotes_folder_bears_a_marker_of_its_own() {
    let relay = tempfile::tempdir().unwrap();
    let mut carrier = FolderCarrier::new(relay.path(), &OsDisk);
    mark(&mut carrier, OURS).unwrap();
    assert_eq!(prepare_remote(&mut carrier, OURS, &alice()).unwrap(), Marked::New);
    assert_eq!(prepare_remote(&mut carrier, OURS, &alice()).unwrap(), Marked::Already);
    let mut own = FolderCarrier::open(&relay.path().join("alice"), &OsDisk).unwrap();
    assert_eq!(admit(&mut own, OURS, &[]).unwrap(), Admission::Marked);
    fs::remove_file(relay.path().join("alice/packhorse.relay")).unwrap();
    let hq: NodeName = "hq".parse().unwrap();
    assert_eq!(admit(&mut own, OURS, &[Mailbox::both(&hq, Role::Hub)]).unwrap(), Admission::Restored);
}

/// An unmounted share: nothing shows that it is ours, and nothing is written.
#[test]
fn without_marker_and_mailboxes_a_relay_is_refused_untouched() {
    let relay = MemoryRelay::default();
    let refused = admit(&mut relay.connect().unwrap(), OURS, &evidence());
    assert!(matches!(refused, Err(TransportError::NotARelay { .. })));
    assert!(relay.held().markers.is_empty());
    relay.held().mailboxes.insert("alice/up".into(), Default::default());
    assert!(admit(&mut relay.connect().unwrap(), OURS, &evidence()).is_err(), "one mailbox of two is no evidence");
    for bytes in damaged() {
        relay.held().markers.insert(String::new(), bytes.clone());
        let refused = admit(&mut relay.connect().unwrap(), OURS, &evidence());
        assert!(matches!(refused, Err(TransportError::DamagedMarker { .. })));
        assert_eq!(relay.held().markers.get(""), Some(&bytes));
    }
}

#[test]
fn a_lost_or_damaged_marker_beside_our_mailboxes_is_restored() {
    let relay = MemoryRelay::default();
    for mailbox in ["alice/up", "alice/down"] {
        relay.held().mailboxes.insert(mailbox.into(), Default::default());
    }
    for content in damaged().into_iter().map(Some).chain([None]) {
        relay.held().markers = content.into_iter().map(|bytes| (String::new(), bytes)).collect();
        assert_eq!(admit(&mut relay.connect().unwrap(), OURS, &evidence()).unwrap(), Admission::Restored);
        assert_eq!(admit(&mut relay.connect().unwrap(), OURS, &evidence()).unwrap(), Admission::Marked);
    }
    let theirs = Marker::text(OTHERS).into_bytes();
    relay.held().markers.insert(String::new(), theirs.clone());
    let refused = admit(&mut relay.connect().unwrap(), OURS, &evidence());
    assert!(matches!(refused, Err(TransportError::OtherNetwork { found: OTHERS, ours: OURS, .. })));
    assert_eq!(relay.held().markers.get(""), Some(&theirs), "another network's marker is never touched");
}
