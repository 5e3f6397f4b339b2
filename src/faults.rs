//! Faults at the durable steps, for tests. Only builds with debug assertions have this file in them.
//!
//! `PACKHORSE_FAULT=STEP[:N]=kill|full|io|wait`: the N-th time (the first, if none is given) that the run reaches the step
//! it is ended at once, or the step fails as on a full or a broken disk, or it stands still there for as long as the file
//! that `PACKHORSE_WAIT` names exists. `PACKHORSE_STEPS=FILE`: the name of each step reached is appended to the file, a line
//! for each.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use packhorse_shared::seam::{Step, Steps};

use crate::failure::Failure;

const FAULT: &str = "PACKHORSE_FAULT";
const NOTED: &str = "PACKHORSE_STEPS";
const WAIT: &str = "PACKHORSE_WAIT";
/// How often it is looked whether a wait is over.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// The number of EIO on every system that has it.
const EIO: i32 = 5;

static PLAN: OnceLock<Plan> = OnceLock::new();

/// What happens where.
#[derive(Debug, Default)]
struct Plan {
    fault: Option<Fault>,
    noted: Option<PathBuf>,
    wait: Option<PathBuf>,
    reached: AtomicU64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Fault {
    step: Step,
    number: u64,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Kill,
    Full,
    Io,
    Wait,
}

/// Reads the plan from the environment.
pub fn plan() -> Result<(), Failure> {
    let fault = std::env::var_os(FAULT).map(|text| {
        let text = text.to_string_lossy();
        parse(&text).map_err(|why| Failure::usage(format!("{FAULT} cannot be {text:?}: {why}")).hint("unset it"))
    });
    let [noted, wait] = [NOTED, WAIT].map(|name| std::env::var_os(name).map(PathBuf::from));
    // Only main calls this, once.
    let _ = PLAN.set(Plan { fault: fault.transpose()?, noted, wait, reached: AtomicU64::new(0) });
    Ok(())
}

fn parse(text: &str) -> Result<Fault, String> {
    let (place, kind) = text.split_once('=').ok_or("it is written STEP[:N]=kill|full|io|wait")?;
    let kind = match kind {
        "kill" => Kind::Kill,
        "full" => Kind::Full,
        "io" => Kind::Io,
        "wait" => Kind::Wait,
        other => return Err(format!("\"{other}\" is not kill, full, io or wait")),
    };
    let (step, number) = place.split_once(':').unwrap_or((place, "1"));
    let number = number.parse().ok().filter(|number| *number > 0).ok_or("N is 1 or more")?;
    Ok(Fault { step: step.parse().map_err(|error| format!("{error}"))?, number, kind })
}

/// Does what the plan says.
pub struct Faults;

impl Steps for Faults {
    fn reached(&self, step: Step) -> io::Result<()> {
        let Some(plan) = PLAN.get() else { return Ok(()) };
        if let Some(file) = &plan.noted {
            let mut file = OpenOptions::new().create(true).append(true).open(file)?;
            file.write_all(format!("{step}\n").as_bytes())?;
        }
        let Some(fault) = plan.fault.filter(|fault| fault.step == step) else { return Ok(()) };
        if plan.reached.fetch_add(1, Ordering::Relaxed) + 1 != fault.number {
            return Ok(());
        }
        match fault.kind {
            // As a kill from outside: nothing is tidied up.
            Kind::Kill => std::process::abort(),
            Kind::Full => Err(io::ErrorKind::StorageFull.into()),
            Kind::Io => Err(io::Error::from_raw_os_error(EIO)),
            Kind::Wait => {
                while plan.wait.as_ref().is_some_and(|file| file.exists()) {
                    std::thread::sleep(LOOK_EVERY);
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_read_and_nonsense_is_told() {
        let fault = |number, kind| Fault { step: Step::BundleNumbered, number, kind };
        assert_eq!(parse("bundle-numbered=kill"), Ok(fault(1, Kind::Kill)));
        assert_eq!(parse("bundle-numbered:3=full"), Ok(fault(3, Kind::Full)));
        assert_eq!(parse("bundle-numbered:1=io"), Ok(fault(1, Kind::Io)));
        assert_eq!(parse("bundle-numbered=wait"), Ok(fault(1, Kind::Wait)));
        for wrong in ["", "bundle-numbered", "nowhere=kill", "bundle-numbered=fire", "bundle-numbered:0=io", ":=kill"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
