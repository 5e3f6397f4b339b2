//! Lines that break within a run: how long it goes on, and from where.

use std::time::Duration;

use crate::Outcome;
use crate::backoff::ATTEMPTS;
use crate::faulty::Fault;
use crate::run_scene::{Scene, bundles, joined};

/// A line that breaks in the middle: the same run resumes, and no byte travels twice.
#[test]
fn a_cut_transfer_is_resumed_within_the_run() {
    let (out, incoming) = (bundles(1, &[100]), bundles(2, &[100]));
    for transfer in 1..=2 {
        for cut in [0, 1, 15, 16, 17, 64, 99] {
            let scene = Scene::new(1).send(&out).receive(&incoming);
            let (report, _) = scene.run(Fault::Cut(transfer, cut), None);
            let link = &report.links[0];
            assert_eq!((report.outcome(), link.retries), (Outcome::Done, 1), "{report:?}");
            // Both are of one size: the one with the earlier name goes first.
            let both = joined(out.clone(), incoming.clone());
            let cut = both.keys().nth(usize::from(transfer == 2)).unwrap();
            let cut_off: Vec<&str> = link.failed.iter().map(|attempt| attempt.name.as_str()).collect();
            assert_eq!(cut_off, [cut], "the file whose transfer was cut is named");
            assert!(link.sent.bytes <= 100 && link.received.bytes == 100, "{report:?}");
            assert_eq!((scene.on_relay("alice/down"), scene.local("inbox")), (out.clone(), incoming.clone()));
            assert_eq!(*scene.clock.now.lock().unwrap(), Duration::from_secs(1), "waited, but in virtual time");
        }
    }
}

/// A line that breaks again and again: as long as something comes further it is tried again, with the shortest pause.
#[test]
fn a_transfer_that_comes_further_each_time_is_gone_on_with_until_it_is_done() {
    let (out, incoming) = (bundles(1, &[100]), bundles(2, &[100]));
    for (scene, transfers) in [(Scene::new(1).send(&out), 7), (Scene::new(1).receive(&incoming), 4)] {
        let (report, _) = scene.run(Fault::CutEach(16), None);
        assert_eq!((report.outcome(), report.links[0].retries), (Outcome::Done, transfers - 1), "{report:?}");
        assert_eq!(*scene.clock.now.lock().unwrap(), Duration::from_secs(u64::from(transfers) - 1));
        assert!(scene.local("outbox/alice").is_empty() && scene.on_relay("alice/up").is_empty());
    }
}

#[test]
fn a_transfer_that_comes_no_further_is_given_up() {
    let scene = Scene::new(1).send(&bundles(1, &[100]));
    let (report, _) = scene.run(Fault::CutEach(0), None);
    assert_eq!((report.outcome(), report.links[0].retries), (Outcome::Failed, ATTEMPTS - 1), "{report:?}");
}
