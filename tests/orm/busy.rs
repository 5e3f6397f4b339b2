//! An application that does not stop writing while its node syncs.

use std::process::Stdio;
use std::time::{Duration, Instant};

use super::office::Office;
use super::process::{shell, with_names};

/// For how long the applications are at work.
const BUSY: &str = "4";

/// Django's own time-out is 5 s. Nothing in the application is done again that failed.
#[test]
fn an_application_that_writes_all_the_time_is_never_told_that_its_database_is_locked() {
    let Some(office) = Office::open() else { return };
    office.scene.let_deletions_through();
    let work = |node| with_names(&format!("print(keep_busy({BUSY}, '1.{node}@example.org'))"));
    let mut children = ["hq", "alice"].map(|node| {
        let mut command = office.manage(node);
        let child = command.args(shell(&work(node))).stdout(Stdio::piped()).stderr(Stdio::piped());
        child.spawn().expect("the application starts")
    });
    let (began, mut rounds) = (Instant::now(), 0);
    while children.iter_mut().any(|child| child.try_wait().expect("it is ours").is_none()) {
        assert!(began.elapsed() < Duration::from_secs(90), "the applications do not end");
        office.sync(&["alice", "hq"]);
        rounds += 1;
    }
    let made = children.map(|child| {
        let output = child.wait_with_output().expect("it is ours");
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{err}");
        out.trim().parse::<usize>().expect("a number")
    });
    assert!(rounds > 1 && made.iter().all(|count| *count > 10), "{rounds} rounds, {made:?} orders: they met");
    office.come_together();
    let counted =
        "print(*(Order.objects.filter(customer__email=f'1.{login}@example.org').count() for login in ['hq', 'alice']))";
    // Of every five that were made one was deleted; one was there before.
    let expected = made.map(|count| (1 + count - count / 5).to_string()).join(" ");
    assert_eq!(office.does("hq", counted), expected);
    assert_eq!(office.does("alice", counted), expected);
}
