//! Both ways at once: over two connections where there is something for both, over one where that does for both or no second is
//! to be had; and what is not asked again.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};

use packhorse_shared::id::NetworkId;
use packhorse_shared::seam::{Stop, Uninterrupted};

use crate::carrier::{Bounded, Sink};
use crate::faulty::{Fault, Plan};
use crate::folder_tests::FailingDisk;
use crate::run_scene::{ByDigest, Files, Longest, MemoryDial, NETWORK, Scene, Spool, bundles};
use crate::{
    Approach, Carrier, Dial, KnownRelays, Link, Location, Marker, NoKeys, Outcome, Report, Run, TransportError,
};

/// A server that lets an account in so many times in all.
struct Lets {
    times: u32,
    dialled: AtomicU32,
    relay: MemoryDial,
}

impl Dial for Lets {
    fn dial<'a>(
        &'a self,
        location: &Location,
        approach: &Approach<'_>,
    ) -> Result<Box<dyn Carrier + 'a>, TransportError> {
        if self.dialled.fetch_add(1, Ordering::Relaxed) >= self.times {
            let (relay, user, said) = (location.to_string(), "alice".to_owned(), "too many connections".to_owned());
            return Err(TransportError::LoginRefused { relay, user, said });
        }
        match &self.relay.relays[..] {
            [relay] if relay.held().two_way => Ok(Box::new(relay.connect()?)),
            _ => self.relay.dial(&Location::parse("/relays/0")?, approach),
        }
    }
}

/// A run over a server, and how often it dialled.
fn run(scene: &Scene, times: u32) -> (Report, u32) {
    let plan = Plan::new(Fault::None);
    let relay = MemoryDial { relays: scene.relays.clone(), plan: plan.clone() };
    let dial = Lets { times, dialled: AtomicU32::default(), relay };
    let server = Link { relays: vec![Location::parse("sftp://alice@127.0.0.1/0").unwrap()], ..scene.link.clone() };
    let run = Run {
        dial: &dial,
        spool: &Spool { root: scene.home.path(), plan: plan.clone() },
        inspect: &ByDigest(&Files::new()),
        disk: &FailingDisk(plan),
        steps: &Uninterrupted,
        stopwatch: &scene.clock,
        random: &Longest,
        network: NETWORK,
        budget: None,
        stop: &Stop::default(),
        keyring: &NoKeys,
        known: &KnownRelays::new(),
    };
    let report = run.transfer(&[server]);
    (report, dial.dialled.into_inner())
}

#[test]
fn what_is_known_is_not_asked_again() {
    let mut scene = Scene::new(1).receive(&bundles(2, &[20]));
    scene.known = scene.run(Fault::None, None).0.known;
    scene.link.has_empty_mailbox = true;
    let (report, _) = scene.run(Fault::None, None);
    // Dial, one listing.
    assert_eq!((report.outcome(), report.calls, &report.known), (Outcome::Done, 2, &scene.known));
    assert!(report.links[0].lying.as_ref().is_some_and(BTreeSet::is_empty));
    let scene = scene.send(&bundles(1, &[10]));
    assert_eq!(
        scene.run(Fault::None, None).0.calls,
        4,
        "what is to be put is looked for, since it may have been begun"
    );

    scene.relays[0].held().markers.insert(String::new(), Marker::text(NetworkId(99)).into());
    let (report, _) = scene.run(Fault::None, None);
    assert!(matches!(report.links[0].errors[..], [TransportError::OtherNetwork { .. }]), "{report:?}");
    assert!(report.known.is_empty() || report.known == scene.known);
}

#[test]
fn what_was_found_before_the_line_broke_is_not_looked_for_again() {
    let mut scene = Scene::new(1).receive(&bundles(2, &[20]));
    scene.known = scene.run(Fault::None, None).0.known;
    scene.link.has_empty_mailbox = true;
    let scene = scene.receive(&bundles(2, &[400]));
    let (report, _) = scene.run(Fault::Cut(1, 100), None);
    // Dial, one listing, what broke off; dial, the rest of it, one removal.
    assert_eq!((report.outcome(), report.links[0].retries, report.calls), (Outcome::Done, 1, 6), "{report:?}");
    assert_eq!(scene.local("inbox").len(), 2);
}

#[test]
fn what_is_sent_and_what_is_fetched_have_a_connection_each() {
    for (times, dialled) in [(2, 2), (1, 2)] {
        let (out, incoming) = (bundles(1, &[10, 30_000]), bundles(2, &[20, 40_000]));
        let scene = Scene::new(1).send(&out).receive(&incoming);
        let (report, met) = run(&scene, times);
        assert_eq!((report.outcome(), met, report.links[0].retries), (Outcome::Done, dialled, 0), "{report:?}");
        assert_eq!((report.links[0].sent.files, report.links[0].received.files), (2, 2));
        assert_eq!((scene.on_relay("alice/down"), scene.local("inbox")), (out, incoming));
        assert!(scene.on_relay("alice/up").is_empty() && scene.local("outbox/alice").is_empty());
    }
}

#[test]
fn one_connection_does_for_both_ways_where_it_can() {
    for (out, incoming, besides) in [(30_000, 40_000, 1), (30_000, 400, 0), (300, 40_000, 0)] {
        let (out, incoming) = (bundles(1, &[10, out]), bundles(2, &[20, incoming]));
        let scene = Scene::new(1).send(&out).receive(&incoming);
        scene.relays[0].held().two_way = true;
        let (report, met) = run(&scene, 2);
        assert_eq!((report.outcome(), met, scene.relays[0].held().besides), (Outcome::Done, 1, besides), "{report:?}");
        assert_eq!((report.links[0].sent.files, report.links[0].received.files), (2, 2));
        assert_eq!((scene.on_relay("alice/down"), scene.local("inbox")), (out, incoming));
    }
}

#[test]
fn one_connection_is_enough_where_there_is_something_for_one_way_only() {
    let scene = Scene::new(1).receive(&bundles(2, &[20, 400]));
    let (report, met) = run(&scene, 2);
    assert_eq!((report.outcome(), met, report.links[0].received.files), (Outcome::Done, 1, 2), "{report:?}");
}

#[test]
fn one_connection_is_enough_for_what_is_moved_sooner_than_another_is_dialled() {
    for (out, incoming, dialled) in [(300, 40_000, 1), (30_000, 400, 2), (30_000, 40_000, 2)] {
        let (out, incoming) = (bundles(1, &[out]), bundles(2, &[incoming]));
        let scene = Scene::new(1).send(&out).receive(&incoming);
        let (report, met) = run(&scene, 2);
        assert_eq!((report.outcome(), met), (Outcome::Done, dialled), "{report:?}");
        assert_eq!((scene.on_relay("alice/down"), scene.local("inbox")), (out, incoming));
    }
}

#[test]
fn no_more_is_taken_than_was_listed() {
    let mut taken = Vec::new();
    let mut bounded = Bounded { sink: &mut taken, at: 2, whole: 10, relay: "relay".to_owned(), file: "file" };
    bounded.take(&[1; 5]).expect("it was listed");
    let refused = bounded.take(&[2; 4]).expect_err("there is no end of it");
    assert!(matches!(refused, TransportError::WrongSize { expected: 10, found: 11, .. }), "{refused}");
    bounded.take(&[3; 3]).expect("the rest");
    assert_eq!(taken, [1, 1, 1, 1, 1, 3, 3, 3]);
}
