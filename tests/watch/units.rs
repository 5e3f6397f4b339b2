//! The units that come with the program are what systemd takes, and wall the courier off.

use std::fs;
use std::path::Path;
use std::process::Command;

const UNITS: [&str; 2] = ["packhorse@.service", "packhorse-courier@.service"];

fn unit(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/systemd").join(name);
    fs::read_to_string(path).expect("a unit")
}

/// What systemd says against our units, once each was altered; None where there is no systemd to ask.
fn said_against(alter: impl Fn(String) -> String) -> Option<Vec<String>> {
    let folder = tempfile::tempdir().expect("a folder");
    let paths = UNITS.map(|name| {
        let path = folder.path().join(name);
        // It looks whether the program is there.
        let unit = unit(name).replace("/usr/bin/packhorse", env!("CARGO_BIN_EXE_packhorse"));
        fs::write(&path, alter(unit)).expect("written");
        path
    });
    let verified = Command::new("systemd-analyze").arg("verify").args(&paths).output().ok()?;
    let told = String::from_utf8_lossy(&verified.stderr).into_owned();
    Some(told.lines().filter(|line| line.contains("packhorse")).map(str::to_owned).collect())
}

#[test]
fn systemd_takes_the_units() {
    // A container may have the program and nothing for it to ask.
    let broken = said_against(|unit| unit.replace("[Service]", "[Service]\nNoSuchKey=yes"));
    if broken.is_none_or(|said| said.is_empty()) {
        return eprintln!("SKIPPED: there is no systemd to ask, so the units are not verified");
    }
    assert_eq!(said_against(|unit| unit), Some(Vec::new()));
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
