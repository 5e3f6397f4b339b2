//! Faults that are aimed at a point by its name, and the reading that is not SQLite's.

use std::fs;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

use packhorse_shared::seam::{Disk, Step, Steps};
use simulated_machine::fate::{self, Aim, End, Fault};
use simulated_machine::{SimDisk, SimSteps};

use crate::scene::{Scene, run};

fn step(step: Step, end: End) -> Aim {
    Aim { point: step.name(), end }
}

/// How far a run comes that goes on after a fault.
fn steps() -> Vec<bool> {
    let way = [Step::BundleDrafted, Step::BundleNamed, Step::BundleNamed, Step::BundlePublished];
    let (reached, _) = run(None, || way.map(|step| SimSteps.reached(step).is_ok()));
    reached.to_vec()
}

#[test]
fn an_aim_falls_the_first_time_that_a_run_comes_there_and_no_other_with_it() {
    let _scene = Scene::new(1);
    let full = step(Step::BundleNamed, End::Once(Fault::Full));
    let aims = vec![step(Step::LinkSkipped, End::Kill), step(Step::BundlePublished, End::Kill), full];
    fate::aim(aims);
    assert_eq!((steps(), fate::hit()), (vec![true, false, true, true], Some(full)));
    assert_eq!((steps(), fate::hit()), (vec![true; 4], None), "it is used up by one run");
    fate::aim(vec![step(Step::BundleNamed, End::Kill)]);
    assert_eq!(steps(), [true, false, false, false]);
    fate::aim(vec![step(Step::LinkSkipped, End::Kill)]);
    assert_eq!((steps(), fate::hit()), (vec![true; 4], None), "nobody comes there");
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    SimDisk.open(path)?.read_to_end(&mut content)?;
    Ok(content)
}

#[test]
fn what_is_opened_read_or_listed_through_the_disk_fails_where_it_is_told_to() {
    let scene = Scene::new(2);
    fs::write(scene.path("a"), "words").expect("a file");
    for point in ["disk-open", "disk-read", "disk-list"] {
        fate::aim(vec![Aim { point, end: End::Reading }]);
        let ((content, names), calls) = run(None, || (read(&scene.path("a")), SimDisk.list(&scene.path(""))));
        let failures = [content.as_ref().err(), names.as_ref().err()].into_iter().flatten();
        let failures: Vec<_> = failures.map(io::Error::raw_os_error).collect();
        assert_eq!((failures, calls), (vec![Some(5)], 0), "{point}");
        assert_eq!(names.is_err(), point == "disk-list");
        assert_eq!(read(&scene.path("a")).expect("it can be read again"), b"words");
    }
    let absent = SimDisk.list(&scene.path("b")).map(|names| names.len());
    assert_eq!(absent.expect_err("there is no such folder").kind(), ErrorKind::NotFound);
}
