//! The transfer run over a relay in memory and over a folder: nothing is lost wherever it breaks off.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use packhorse_shared::seam::{OsDisk, Stop, Uninterrupted};

use crate::faulty::{Fault, Plan};
use crate::run_scene::{ByDigest, Files, Longest, MOST, MemoryDial, Mixed, NETWORK, Scene, Spool, bundles, joined};
use crate::{KnownRelays, Link, Location, Marker, NoKeys, OsDial, Outcome, Report, Role, Run, TransportError};

#[test]
fn both_ways_small_first_in_few_calls() {
    let (out, incoming) = (bundles(1, &[10, 300]), bundles(2, &[20, 400]));
    let scene = Scene::new(1).send(&out).receive(&incoming);
    let (report, _) = scene.run(Fault::None, None);
    let link = &report.links[0];
    assert_eq!((report.outcome(), link.sent.files, link.sent.bytes), (Outcome::Done, 2, 310));
    assert_eq!((link.received.files, link.received.bytes, link.retries), (2, 420, 0));
    let names = |files: &[crate::FileName]| files.iter().map(|name| name.as_str().to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(names(&link.sent_files), out.keys().cloned().collect());
    assert_eq!(names(&link.received_files), incoming.keys().cloned().collect());
    assert!(link.lying.is_some() && link.failed.is_empty());
    assert_eq!((scene.on_relay("alice/down"), scene.local("inbox")), (out, incoming));
    assert!(scene.on_relay("alice/up").is_empty() && scene.local("outbox/alice").is_empty());
    // Dial, marker, two listings, two puts, two gets, one removal of both.
    assert_eq!(report.calls, 9);
    let (again, _) = scene.run(Fault::None, None);
    assert_eq!((again.calls, again.links[0].unfetched.len()), (4, 2), "nothing to do costs four calls");
}

#[test]
fn missing_mailboxes_are_made_with_the_remotes_marker() {
    let scene = Scene::new(1);
    assert_eq!(scene.run(Fault::None, None).0.outcome(), Outcome::Done);
    let held = scene.relays[0].held();
    assert_eq!(held.mailboxes.keys().collect::<Vec<_>>(), ["alice/down", "alice/up"]);
    assert_eq!(held.markers.get("alice"), Some(&Marker::text(NETWORK).into_bytes()));
}

#[test]
fn damaged_files_go_to_quarantine_and_foreign_ones_stay() {
    let mut incoming = bundles(2, &[50]);
    let damaged: Files = [("0011.bundle".into(), b"cut".to_vec()), ("0022.bundle".into(), Vec::new())].into();
    let foreign: Files = [("notes.txt".into(), b"x".to_vec()), ("with space".into(), b"y".to_vec())].into();
    incoming.extend(damaged.clone());
    incoming.extend(foreign.clone());
    let endless: Files = [("0033.bundle".into(), vec![0; MOST as usize + 1])].into();
    incoming.extend(endless.clone());
    let foreign: Files = joined(foreign, endless);
    let scene = Scene::new(1).receive(&incoming);
    let (report, _) = scene.run(Fault::None, None);
    let too_large: Vec<&str> = report.links[0].too_large.iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!((too_large, report.links[0].failed.len()), (vec!["0033.bundle"], 0));
    assert_eq!((report.outcome(), report.links[0].rejected.len()), (Outcome::Done, 2));
    assert_eq!(report.links[0].left_alone, ["with space", "notes.txt"]);
    assert_eq!((scene.local("quarantine"), scene.on_relay("alice/up")), (damaged, foreign));
    assert_eq!(scene.local("inbox"), bundles(2, &[50]));
}

/// A kill, a failing call or a lost answer at every step of carrier, spool and disk.
#[test]
fn whatever_step_fails_nothing_is_lost_and_the_next_run_heals() {
    let (out, incoming) = (bundles(1, &[10, 40, 20_000]), bundles(2, &[20, 17_000]));
    let damaged: Files = [("0011.bundle".into(), b"cut".to_vec())].into();
    let received = joined(incoming.clone(), damaged.clone());
    for kind in [Fault::Before, Fault::After, Fault::DeadFrom] {
        for n in 1.. {
            let scene = Scene::new(1).send(&out).receive(&received);
            let (report, plan) = scene.run(kind(n), None);
            if plan.calls() < n {
                assert!(n > 25, "the sweep reached every step");
                break;
            }
            assert_eq!(joined(scene.local("outbox/alice"), complete(scene.on_relay("alice/down"))), out, "step {n}");
            let here = joined(scene.local("inbox"), scene.local("quarantine"));
            assert_eq!(joined(scene.on_relay("alice/up"), here), received, "step {n}: {report:?}");
            let (healed, _) = scene.run(Fault::None, None);
            assert_eq!(healed.outcome(), Outcome::Done, "step {n}: {healed:?}");
            assert_eq!((scene.on_relay("alice/down"), scene.local("inbox")), (out.clone(), incoming.clone()));
            assert_eq!(scene.local("quarantine"), damaged);
            assert!(scene.on_relay("alice/up").is_empty() && scene.local("outbox/alice").is_empty());
            assert!(scene.local("tmp").is_empty(), "step {n}");
        }
    }
}

fn complete(files: Files) -> Files {
    files.into_iter().filter(|(name, _)| !name.ends_with(".part")).collect()
}

/// What a tmp file began with may be a damaged copy that has been replaced since.
#[test]
fn a_resumed_file_that_proves_damaged_is_fetched_once_more_from_the_start() {
    let incoming = bundles(2, &[100]);
    let name = incoming.keys().next().unwrap();
    for begun in [&b"other bytes"[..], &[9; 100], &[2; 200], &[2; 100], &[2; 40]] {
        let scene = Scene::new(1).receive(&incoming);
        fs::write(scene.home.path().join("tmp").join(name), begun).unwrap();
        let (report, _) = scene.run(Fault::None, None);
        assert!(report.links[0].rejected.is_empty(), "{report:?}");
        assert_eq!(scene.local("inbox"), incoming);
    }
}

/// A bundle that has gone from the relay while it was fetched: what there is of it is taken if it is all, else removed.
#[test]
fn what_was_begun_and_is_lost_on_the_relay_is_taken_or_let_go() {
    let incoming = bundles(2, &[100]);
    let name = incoming.keys().next().unwrap();
    for (length, relays) in [(100, 1), (40, 1), (100, 2), (40, 2)] {
        let scene = Scene::new(relays).receive(&Files::new());
        fs::write(scene.home.path().join("tmp").join(name), &incoming[name][..length]).unwrap();
        fs::write(scene.home.path().join("tmp/sealing-1"), "a draft of ours").unwrap();
        let (report, _) = scene.run(Fault::None, None);
        assert_eq!(report.outcome(), Outcome::Done, "{report:?}");
        let taken = if length == 100 { incoming.clone() } else { Files::new() };
        assert_eq!((scene.local("inbox"), report.links[0].received.files), (taken.clone(), taken.len() as u64));
        // The other relay may still have what the first has lost.
        let kept = usize::from(length == 40 && relays == 2);
        assert_eq!(scene.local("tmp").len(), 1 + kept, "{length} bytes, {relays} relays");
    }
}

/// The disk is full: fetching stops, sending goes on, and the failure is not forgotten.
#[test]
fn a_full_disk_at_home_does_not_keep_back_what_is_to_be_sent() {
    let (out, incoming) = (bundles(1, &[500]), bundles(2, &[10, 20]));
    let scene = Scene::new(1).send(&out).receive(&incoming);
    fs::remove_dir(scene.home.path().join("tmp")).unwrap();
    let (report, _) = scene.run(Fault::None, None);
    let link = &report.links[0];
    assert_eq!((report.outcome(), link.errors.len(), link.retries), (Outcome::Failed, 1, 1), "{report:?}");
    assert!(matches!(link.errors[0], TransportError::Local { .. }), "{report:?}");
    assert_eq!((scene.on_relay("alice/down"), scene.on_relay("alice/up")), (out, incoming));
}

/// A relay on which one remote's link fails, or which is silent, costs the other links nothing.
#[test]
fn a_failing_link_is_reported_and_the_others_go_on() {
    let scene = Scene::new(1).send(&bundles(1, &[10]));
    let plan = Plan::new(Fault::None);
    let dial = Mixed(MemoryDial { relays: scene.relays.clone(), plan: plan.clone() });
    let spool = Spool { root: scene.home.path(), plan };
    let locked = Link {
        peer: "bob".parse().unwrap(),
        relays: vec![Location::parse("sftp://bob:secret@127.0.0.1/bob").unwrap()],
        ..scene.link.clone()
    };
    let run = Run {
        dial: &dial,
        spool: &spool,
        inspect: &ByDigest(&Files::new()),
        disk: &OsDisk,
        steps: &Uninterrupted,
        stopwatch: &scene.clock,
        random: &Longest,
        network: NETWORK,
        budget: None,
        stop: &Stop::default(),
        keyring: &NoKeys,
        known: &KnownRelays::new(),
    };
    let report = run.transfer(&[locked, scene.link.clone()]);
    assert!(matches!(report.links[0].errors[..], [TransportError::NoCredentials { .. }]));
    assert_eq!((report.links[1].outcome(), report.links[1].sent.files), (Outcome::Done, 1));
    assert!(!format!("{report:?}").contains("secret"));
}

#[test]
fn what_the_inbox_holds_is_only_cleared_from_the_relay() {
    let incoming = bundles(2, &[100]);
    let scene = Scene::new(1).receive(&incoming);
    let (name, content) = incoming.first_key_value().unwrap();
    fs::write(scene.home.path().join("inbox").join(name), content).unwrap();
    let (report, _) = scene.run(Fault::None, None);
    assert_eq!((report.links[0].received.bytes, scene.on_relay("alice/up").len()), (0, 0));
}

#[test]
fn a_taken_name_blocks_only_its_own_file_and_old_parts_are_cleared() {
    let out = bundles(1, &[10, 20]);
    let scene = Scene::new(1).send(&out).receive(&Files::new());
    let taken = out.keys().next().unwrap().clone();
    let there: Files = [(taken.clone(), b"cut".to_vec()), ("old.bundle.part".into(), b"x".to_vec())].into();
    scene.relays[0].held().mailboxes.insert("alice/down".into(), there);
    let (report, _) = scene.run(Fault::None, None);
    assert_eq!((report.links[0].sent.files, report.links[0].blocked[0].as_str()), (1, &*taken));
    assert_eq!(scene.local("outbox/alice").keys().collect::<Vec<_>>(), [&taken]);
    assert_eq!(scene.on_relay("alice/down").len(), 2);
}

#[test]
fn the_second_relay_is_used_when_the_first_is_silent_or_not_ours() {
    let out = bundles(1, &[10]);
    for silent in [true, false] {
        let scene = Scene::new(2).send(&out);
        scene.relays[0].held().silent = silent;
        scene.relays[0].held().markers.clear();
        let (report, _) = scene.run(Fault::None, None);
        let link = &report.links[0];
        assert_eq!((report.outcome(), link.relay.as_deref()), (Outcome::Done, Some("/relays/1")));
        assert_eq!(link.passed_over.len(), 1);
        assert!(scene.relays[0].held().mailboxes.is_empty(), "nothing is written where it is not ours");
        assert_eq!(scene.relays[1].held().mailboxes.get("alice/down"), Some(&out));
    }
}

#[test]
fn when_no_relay_answers_the_link_is_unreachable() {
    let scene = Scene::new(2).send(&bundles(1, &[10]));
    scene.relays.iter().for_each(|relay| relay.held().silent = true);
    let (report, _) = scene.run(Fault::None, None);
    assert_eq!((report.outcome(), report.links[0].errors.len()), (Outcome::Unreachable, 2));
    assert_eq!(scene.local("outbox/alice").len(), 1);
}

#[test]
fn the_budget_stops_between_chunks_and_later_runs_finish() {
    let (out, incoming) = (bundles(1, &[1000]), bundles(2, &[900, 20]));
    let mut scene = Scene::new(1).send(&out).receive(&incoming);
    scene.clock.per_look = Duration::from_millis(100);
    let (first, _) = scene.run(Fault::None, Some(Duration::from_secs(3)));
    assert_eq!((first.outcome(), first.work_left()), (Outcome::WorkLeft, true), "{first:?}");
    assert_eq!(first.links[0].received.files, 1, "small first");
    assert_eq!(scene.on_relay("alice/up").len(), 1, "what has come is cleared when the time is up");
    let mut moved = first.links[0].received.bytes;
    for _ in 0..20 {
        let (report, _) = scene.run(Fault::None, Some(Duration::from_secs(3)));
        moved += report.links[0].received.bytes;
        if report.outcome() == Outcome::Done {
            assert_eq!((scene.on_relay("alice/down"), scene.local("inbox")), (out, incoming));
            assert_eq!(moved, 920, "nothing travelled twice");
            return;
        }
    }
    panic!("never done");
}

#[test]
fn accept_off_leaves_incoming_on_the_relay() {
    let incoming = bundles(2, &[100]);
    let mut scene = Scene::new(1).send(&bundles(1, &[10])).receive(&incoming);
    scene.link.accept = false;
    let (report, _) = scene.run(Fault::None, None);
    assert_eq!((report.outcome(), report.links[0].sent.files), (Outcome::Done, 1));
    assert_eq!((scene.on_relay("alice/up"), scene.local("inbox").len()), (incoming, 0));
}

/// The two ends over a real folder, and then over one that is not mounted.
#[test]
fn hub_and_remote_meet_in_a_folder() {
    let share = tempfile::tempdir().unwrap();
    let root = share.path().join("relay");
    fs::create_dir(&root).unwrap();
    fs::write(root.join("packhorse.relay"), Marker::text(NETWORK)).unwrap();
    let (out, back) = (bundles(1, &[10, 150_000]), bundles(2, &[70_000]));
    let hub = Scene::new(1).send(&out);
    let remote = Scene::new(1);
    for (name, content) in &back {
        fs::create_dir_all(remote.home.path().join("outbox/hq")).unwrap();
        fs::write(remote.home.path().join("outbox/hq").join(name), content).unwrap();
    }
    let transfer = |scene: &Scene, peer: &str, role, path: PathBuf| {
        let spool = Spool { root: scene.home.path(), plan: Plan::new(Fault::None) };
        let relays = vec![Location::parse(path.to_str().unwrap()).unwrap()];
        let link = Link { peer: peer.parse().unwrap(), role, relays, accept: true, has_empty_mailbox: false };
        let steps = &Uninterrupted;
        let (dial, disk, stopwatch) = (&OsDial { disk: &OsDisk, steps }, &OsDisk, &scene.clock);
        Run {
            dial,
            spool: &spool,
            inspect: &ByDigest(&Files::new()),
            disk,
            steps,
            stopwatch,
            random: &Longest,
            network: NETWORK,
            budget: None,
            stop: &Stop::default(),
            keyring: &NoKeys,
            known: &KnownRelays::new(),
        }
        .transfer(&[link])
    };
    assert_eq!(transfer(&hub, "alice", Role::Remote, root.clone()).outcome(), Outcome::Done);
    fs::remove_file(root.join("alice/packhorse.relay")).unwrap();
    let report = transfer(&remote, "hq", Role::Hub, root.join("alice"));
    assert!(report.links[0].marker_restored, "{report:?}");
    assert_eq!(transfer(&hub, "alice", Role::Remote, root.clone()).outcome(), Outcome::Done);
    assert_eq!((remote.local("inbox"), hub.local("inbox")), (out, back));
    fs::remove_dir_all(&root).unwrap();
    let gone = transfer(&hub, "alice", Role::Remote, root);
    assert_eq!((gone.outcome(), gone.links[0].retries), (Outcome::Unreachable, 0), "{gone:?}");
    assert_eq!(fs::read_dir(share.path()).unwrap().count(), 0);
}

/// The scene with two files in the mailbox that newer ones in the outbox replace, and one that nothing replaces.
fn replaced() -> (Scene, Files, Files, Files) {
    let (old, new, other) = (bundles(1, &[30, 50]), bundles(2, &[20, 60]), bundles(3, &[40]));
    let mut scene = Scene::new(1).receive(&Files::new()).send(&new);
    scene.relays[0].held().mailboxes.insert("alice/down".into(), joined(old.clone(), other.clone()));
    scene.obsolete = old.clone();
    (scene, old, new, other)
}

#[test]
fn replaced_files_leave_the_relay_after_the_new_ones_are_there() {
    let (scene, _, new, other) = replaced();
    let (report, _) = scene.run(Fault::None, None);
    assert_eq!(scene.on_relay("alice/down"), joined(new.clone(), other));
    let lying = report.links[0].lying.clone().expect("it was listed");
    assert_eq!(lying.iter().map(ToString::to_string).collect::<Vec<_>>(), names(&scene.on_relay("alice/down")));
    assert_eq!(report.links[0].unfetched.len(), 3, "what lay there before");
}

fn names(files: &Files) -> Vec<String> {
    files.keys().cloned().collect()
}

/// Whatever breaks off: either all that is new is on the relay, or all that is old.
#[test]
fn replaced_files_stay_until_every_new_one_has_been_put() {
    for kind in [Fault::Before, Fault::After, Fault::DeadFrom] {
        for n in 1.. {
            let (scene, old, new, other) = replaced();
            let (report, plan) = scene.run(kind(n), None);
            if plan.calls() < n {
                assert!(n > 8, "the sweep reached every step");
                break;
            }
            let there = complete(scene.on_relay("alice/down"));
            let has = |files: &Files| files.keys().all(|name| there.contains_key(name));
            assert!(has(&other), "step {n}: {report:?}");
            assert!(has(&old) || has(&new), "step {n}: {report:?}");
            let (healed, _) = scene.run(Fault::None, None);
            assert_eq!(healed.outcome(), Outcome::Done, "step {n}: {healed:?}");
            assert_eq!(scene.on_relay("alice/down"), joined(new, other), "step {n}");
        }
    }
}

#[test]
fn replaced_files_stay_if_what_replaces_them_cannot_be_put() {
    let (scene, old, new, _) = replaced();
    let blocked = names(&new).remove(0);
    scene.relays[0].held().mailboxes.get_mut("alice/down").unwrap().insert(blocked, b"other bytes".to_vec());
    let (report, _) = scene.run(Fault::None, None);
    assert_eq!(report.links[0].blocked.len(), 1);
    assert!(names(&old).iter().all(|name| scene.on_relay("alice/down").contains_key(name)));
}

#[test]
fn what_has_been_replaced_is_not_sent_any_more() {
    let out = bundles(1, &[10, 20]);
    let mut scene = Scene::new(1).send(&out);
    let (name, content) = out.first_key_value().unwrap();
    scene.obsolete = [(name.clone(), content.clone())].into();
    scene.run(Fault::None, None);
    assert_eq!(scene.on_relay("alice/down").len(), 1);
    assert_eq!(scene.local("outbox/alice"), scene.obsolete);
}

#[test]
fn a_put_that_breaks_off_is_told_with_what_was_there_when_it_began() {
    let out = bundles(1, &[100]);
    let scene = Scene::new(1).send(&out);
    let told = |report: &Report| report.links[0].broken_off.values().copied().collect::<Vec<_>>();
    let one_attempt = Some(Duration::from_millis(500));
    let (first, _) = scene.run(Fault::Cut(1, 40), one_attempt);
    assert_eq!(told(&first), [0], "{first:?}");
    let (second, _) = scene.run(Fault::Cut(1, 80), one_attempt);
    assert!(told(&second)[0] >= 30, "{second:?}");
    assert_eq!(told(&scene.run(Fault::None, None).0), [0; 0]);
}
