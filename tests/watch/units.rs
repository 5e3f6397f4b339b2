//! The units that come with the program are what systemd takes, and wall the courier off.

use std::fs;
use std::path::Path;
use std::process::Command;

const UNITS: [&str; 2] = ["packhorse@.service", "packhorse-courier@.service"];

fn unit(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/systemd").join(name);
    fs::read_to_string(path).expect("a unit")
}

#[test]
fn systemd_takes_the_units() {
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        return eprintln!("SKIPPED: there is no systemd-analyze, so the units are not verified");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let paths = UNITS.map(|name| {
        let path = folder.path().join(name);
        // It looks whether the program is there.
        fs::write(&path, unit(name).replace("/usr/bin/packhorse", env!("CARGO_BIN_EXE_packhorse"))).expect("written");
        path
    });
    let verified = Command::new("systemd-analyze").arg("verify").args(&paths).output().expect("it runs");
    let told = String::from_utf8_lossy(&verified.stderr).into_owned();
    let of_ours = told.lines().filter(|line| line.contains("packhorse")).collect::<Vec<_>>();
    assert!(verified.status.success() && of_ours.is_empty(), "{told}");
}

#[test]
fn the_desk_has_no_network_and_the_courier_no_keys() {
    let [desk, courier] = UNITS.map(unit);
    for line in ["PrivateNetwork=yes", "watch --no-calls", "CapabilityBoundingSet=\n"] {
        assert!(desk.contains(line), "{line}");
    }
    for line in ["InaccessiblePaths=-%f/keys", "watch --courier", "ProtectSystem=strict", "CapabilityBoundingSet=\n"] {
        assert!(courier.contains(line), "{line}");
    }
}
