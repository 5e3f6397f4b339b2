//! The faults that the walk is made with: what names none is refused, before anything is done.

use crate::support::Scene;

#[test]
fn a_fault_that_is_none_is_refused_in_words() {
    let scene = Scene::hub("CREATE TABLE t (id INTEGER PRIMARY KEY)");
    for (fault, words) in [
        ("", "it is written STEP[:N]=kill|full|io|wait"),
        ("bundle-numbered", "it is written STEP[:N]=kill|full|io|wait"),
        ("bundle-numbred=kill", "there is no step \\\"bundle-numbred\\\""),
        ("bundle-numbered=fire", "is not kill, full, io or wait"),
        ("bundle-numbered:0=io", "N is 1 or more"),
    ] {
        let home = scene.home("hq");
        let mut command = scene.command();
        command.arg("--home").arg(home).arg("sync").env("PACKHORSE_FAULT", fault);
        scene.run(&mut command).refused(2, &["PACKHORSE_FAULT", &words.replace('\\', ""), "unset it"]);
    }
}
