//! What was found out about a relay, in words.
//!
//! Owns what to change so that a server does what is asked of it. Names of settings are those of vsftpd, ProFTPD and
//! OpenSSH.

use std::error::Error as _;

use packhorse_transport::{Finding, Findings, Location, TransportError, Trial};
use serde::Serialize;

use crate::failure::Exit;
use crate::report::result;

/// A relay, as it is told.
#[derive(Serialize)]
pub(super) struct Told {
    relay: String,
    usable: bool,
    about: Vec<String>,
    trials: Vec<Tried>,
    #[serde(skip)]
    pub(super) exit: Exit,
}

/// One trial.
#[derive(Serialize)]
struct Tried {
    trial: &'static str,
    works: bool,
    says: String,
    hint: Option<String>,
}

impl Told {
    /// What was found at a relay.
    pub(super) fn of(location: &Location, findings: &Findings) -> Self {
        let exit = match findings {
            found if found.unreachable().is_some() => Exit::Unreachable,
            found if !found.is_usable() => Exit::Failed,
            found if found.found.iter().any(|(_, finding)| finding.is_blemish()) => Exit::Attention,
            _ => Exit::Done,
        };
        let trials = findings.found.iter().map(|(trial, finding)| Tried {
            trial: name(*trial),
            works: !finding.is_blemish(),
            says: words(*trial, finding),
            hint: hint(*trial, finding),
        });
        let (usable, about) = (findings.is_usable(), findings.about.clone());
        Self { relay: location.to_string(), usable, about, trials: trials.collect(), exit }
    }
}

/// Writes it for people.
pub(super) fn tell(told: &Told) {
    result(&told.relay);
    told.about.iter().for_each(|line| result(&format!("  {line}")));
    for tried in &told.trials {
        let verdict = if tried.works { "works" } else { "WRONG" };
        result(format!("  {:<16}{verdict}  {}", tried.trial, tried.says).trim_end());
        if let Some(hint) = &tried.hint {
            result(&format!("                  {hint}"));
        }
    }
    result(match told.exit {
        Exit::Done => "It does all that is asked of a relay.",
        Exit::Attention => "It can be used, and could do better.",
        _ => "It cannot be used so.",
    });
}

fn name(trial: Trial) -> &'static str {
    match trial {
        Trial::LogIn => "log in",
        Trial::Marker => "marker",
        Trial::Make => "make a mailbox",
        Trial::Put => "put",
        Trial::List => "list",
        Trial::Resume => "resume",
        Trial::Get => "get",
        Trial::Remove => "remove",
    }
}

fn words(trial: Trial, finding: &Finding) -> String {
    match (finding, trial) {
        (Finding::Works, Trial::Put) => "under its name once its size was confirmed".to_owned(),
        (Finding::Works, Trial::Resume) => "an upload goes on where it broke off".to_owned(),
        (Finding::Works, Trial::Get) => "as it was put, and from its middle on".to_owned(),
        (Finding::Works, _) => String::new(),
        (Finding::Ours, _) => "it is this network's".to_owned(),
        (Finding::Marked(network), _) => format!("it is that of network {network}"),
        (Finding::Unmarked, _) => "there is none: `packhorse init` makes it; or a share is not mounted".to_owned(),
        (Finding::NotListed, _) => "what was put is not listed yet".to_owned(),
        (Finding::StartsOver, _) => "an upload that breaks off is thrown away, and starts over".to_owned(),
        (Finding::CannotResume(error), _) => {
            format!("an upload that broke off cannot be gone on with: {}", with_cause(error))
        }
        (Finding::Alters, _) => "what was got is not what was put".to_owned(),
        (Finding::Fails(error), _) => with_cause(error),
    }
}

fn with_cause(error: &TransportError) -> String {
    error.source().map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
}

fn hint(trial: Trial, finding: &Finding) -> Option<String> {
    let hint = match finding {
        Finding::NotListed => "nothing is lost by that: bundles are found by a later call",
        Finding::StartsOver => "let the server keep it: vsftpd delete_failed_uploads=NO; ProFTPD HiddenStores off",
        Finding::CannotResume(_) => {
            "let the server go on with it: ProFTPD AllowStoreRestart on; vsftpd anon_other_write_enable=YES"
        }
        Finding::Alters => "have the server move files as they are (binary), and nothing on the way change them",
        Finding::Fails(TransportError::Unreachable { .. }) => {
            "check the address, and that the server runs, the line is there or the share is mounted"
        }
        Finding::Fails(TransportError::Failed { .. }) => return may(trial).map(str::to_owned),
        Finding::Fails(error) => return Some(error.next_step()),
        Finding::Works | Finding::Ours | Finding::Marked(_) | Finding::Unmarked => return None,
    };
    Some(hint.to_owned())
}

/// What an account must be allowed to.
fn may(trial: Trial) -> Option<&'static str> {
    Some(match trial {
        Trial::LogIn | Trial::Marker => "check the account, and whether it may read the folder",
        Trial::Make => {
            "let the account make folders there (the folder must be its own; a chroot's root never is), or make NAME/up and \
             NAME/down for each remote"
        }
        Trial::Put | Trial::Resume => {
            "let the account write and rename there, and see that there is space: vsftpd write_enable=YES, for an anonymous \
             one anon_upload_enable and anon_other_write_enable"
        }
        Trial::List | Trial::Get => "let the account list and read what it has put there: vsftpd anon_umask=022",
        Trial::Remove => "let the account remove files there; what is left there bears a name that begins with check-",
    })
}
