//! The durable steps, each with a name: the places where a kill or a failing disk finds one thing done for good and the
//! next not begun.
//!
//! Owns the list of them and the seam by which a test stops a run at any of them. Invariant: every step is reached by
//! some path of the program, between the durable write that it names and the one that follows (the walk in `tests/steps`
//! goes to all of them). Leaves to the code of each step why stopping there does no harm.

use std::fmt;
use std::io;
use std::str::FromStr;

/// Tells whoever listens that a run has come to a step. An error stops the run there, as one of the disk would.
pub trait Steps: Sync {
    /// Called when everything before the step is durable and nothing after it is begun.
    fn reached(&self, step: Step) -> io::Result<()>;
}

/// Nobody listens: what everybody has who is not testing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Uninterrupted;

impl Steps for Uninterrupted {
    fn reached(&self, _step: Step) -> io::Result<()> {
        Ok(())
    }
}

/// A step's name is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no step \"{0}\"")]
pub struct UnknownStep(String);

macro_rules! steps {
    ($($(#[$about:meta])* $step:ident = $name:literal,)*) => {
        /// A durable step.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Step {
            $($(#[$about])* $step,)*
        }

        impl Step {
            /// Every step.
            pub const ALL: &[Self] = &[$(Self::$step,)*];

            /// Its name, which stays what it is.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$step => $name,)*
                }
            }
        }
    };
}

steps! {
    // Making a hub.
    /// The home is whole; no relay bears the network's marker and the database is not prepared.
    InitHomeMade = "init-home-made",
    /// A relay bears the marker; the database is not prepared.
    InitRelayMarked = "init-relay-marked",
    /// A remote's folder is on the relay; the configuration does not name the remote.
    RemoteFolderMade = "remote-folder-made",
    /// A remote's link is forgotten; the configuration still names the remote.
    RemoteLinkForgotten = "remote-link-forgotten",

    // Packages.
    /// A package's database is made in `tmp`; there is no package yet.
    PackageDatabaseMade = "package-database-made",
    /// The package is complete beside its final name; the link does not know the epoch that it speaks of.
    PackageDrafted = "package-drafted",
    /// The link has opened the package's epoch; the package does not bear its name.
    PackageLinkOpened = "package-link-opened",
    /// The package bears its name; the next one is not begun.
    PackagePublished = "package-published",
    /// A package is unpacked beside the database's final name; there is no home.
    RestoreUnpacked = "restore-unpacked",
    /// The home is made; the unpacked database does not belong to it.
    RestoreHomeMade = "restore-home-made",
    /// The unpacked database is the home's; it does not bear its name.
    RestoreAdopted = "restore-adopted",
    /// The database bears its name; it is not switched to the write-ahead log.
    RestorePublished = "restore-published",

    // Harvest.
    /// Some records' changes are stamped under a cut that is not published; their rows are in the log.
    HarvestChunkCommitted = "harvest-chunk-committed",
    /// All changes are stamped; their cuts are not published.
    HarvestUnpublished = "harvest-unpublished",
    /// The cuts are published; the log still holds the rows.
    HarvestPublished = "harvest-published",
    /// Rows that were harvested are gone from the log; more of them, or what the harvest was for, is to come.
    LogCleared = "log-cleared",

    // Seal.
    /// The horizon is raised; the stamps and tombstones below it are still there.
    HorizonRaised = "horizon-raised",
    /// Some of what lies below the horizon is dropped; more may follow.
    StampsForgotten = "stamps-forgotten",
    /// A bundle left by a run that was cut short is in the outbox; the others that it left are not looked at.
    LeftoverPublished = "leftover-published",
    /// What such a run left without a number is removed; the others are not looked at.
    LeftoverRemoved = "leftover-removed",
    /// A bundle is complete in `tmp` under a name that means nothing.
    BundleDrafted = "bundle-drafted",
    /// It bears its own name in `tmp`; the database does not know its number to be taken.
    BundleNamed = "bundle-named",
    /// The number is taken; the bundle is not in the outbox.
    BundleNumbered = "bundle-numbered",
    /// The bundle is in the outbox; the next one is not begun.
    BundlePublished = "bundle-published",
    /// It is noted that changes up to a cut do not concern the peer; the next link is not looked at.
    LinkSkipped = "link-skipped",

    // Transfer.
    /// A bundle is whole on the relay as a part; it has no name there.
    RelayPartWritten = "relay-part-written",
    /// It bears its name on the relay; it is still in the outbox.
    RelayPlaced = "relay-placed",
    /// It is gone from the outbox; the next is not begun.
    OutboxCleared = "outbox-cleared",
    /// A bundle is fetched to `tmp`, whole; the inbox does not hold it.
    BundleFetched = "bundle-fetched",
    /// It is in the inbox; the relay holds it too.
    InboxPublished = "inbox-published",
    /// A damaged one is in quarantine; the relay holds it too, and the sender is not asked again.
    FetchedQuarantined = "fetched-quarantined",
    /// What was fetched is gone from the relay; the next is not begun, and nothing is concluded from the run.
    RelayCleared = "relay-cleared",
    /// What the run shows of a link (a damaged bundle, a quiet line) is in its state; the next link is not looked at.
    TransferConcluded = "transfer-concluded",

    // Apply.
    /// What a bundle says of what is shared is taken over; its changes are not.
    TermsTakenOver = "terms-taken-over",
    /// A bundle's changes and the link's state are written in one transaction, which is not committed.
    ApplyUncommitted = "apply-uncommitted",
    /// They are committed; the bundle is in the inbox.
    ApplyCommitted = "apply-committed",
    /// The bundle is gone from the inbox; the next is not looked at.
    InboxCleared = "inbox-cleared",
    /// That an old bundle came is noted; it is in the inbox.
    OldNoted = "old-noted",
    /// What a bundle that has to wait acknowledges is noted; the next is not looked at.
    WaitingNoted = "waiting-noted",
    /// A run that ended with bundles waiting is counted; the next link is not.
    WaitingCounted = "waiting-counted",
    /// It is noted that a damaged bundle's sender is to be asked again; the bundle is in the inbox.
    SenderAsked = "sender-asked",

    // Quarantine.
    /// The reason is in quarantine; the bundle is not.
    ReasonWritten = "reason-written",
    /// The bundle is in quarantine; the next is not looked at.
    BundleQuarantined = "bundle-quarantined",
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Step {
    type Err = UnknownStep;

    fn from_str(text: &str) -> Result<Self, UnknownStep> {
        let found = Self::ALL.iter().copied().find(|step| step.name() == text);
        found.ok_or_else(|| UnknownStep(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_its_own_in_kebab_case_and_read_back() {
        let names: std::collections::BTreeSet<&str> = Step::ALL.iter().map(|step| step.name()).collect();
        assert_eq!(names.len(), Step::ALL.len());
        assert!(names.iter().all(|name| name.chars().all(|c| c.is_ascii_lowercase() || c == '-')));
        assert!(Step::ALL.iter().all(|step| step.to_string().parse() == Ok(*step)));
        assert_eq!("bundle".parse::<Step>().unwrap_err().to_string(), "there is no step \"bundle\"");
    }
}
