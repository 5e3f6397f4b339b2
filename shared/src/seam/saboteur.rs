//! Saboteurs: faults planted on purpose, one at a time, to see whether the simulator is blind to them (tests/README.md,
//! "Saboteurs").
//!
//! Owns the list of them. Invariants: none is at work unless a test sets it to work, on that test's own thread; a build
//! without debug assertions has none in it. Leaves to the place where each is planted, in one line, what it spoils.

use std::fmt;

macro_rules! saboteurs {
    ($($(#[$about:meta])* $saboteur:ident = $name:literal,)*) => {
        /// A saboteur.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Saboteur {
            $($(#[$about])* $saboteur,)*
        }

        impl Saboteur {
            /// Every saboteur.
            pub const ALL: &[Self] = &[$(Self::$saboteur,)*];

            /// Its name, as tables and messages have it.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$saboteur => $name,)*
                }
            }
        }
    };
}

saboteurs! {
    // Clock and stamps.
    /// The clock goes back when the wall clock does.
    FollowWallClock = "follow-wall-clock",
    /// What peers' clocks show is not taken account of.
    IgnorePeersClock = "ignore-peers-clock",
    /// Two stamps of one reading count as equal.
    CompareWithoutNode = "compare-without-node",
    /// A change that comes is stamped anew.
    StampAnew = "stamp-anew",

    // Harvest and selection.
    /// Applying and packing begin without a harvest.
    SkipHarvest = "skip-harvest",
    /// Changes go back over the link that they came by.
    DropEchoRule = "drop-echo-rule",
    /// A part of a backlog counts as all of it.
    RaiseFloorWithPart = "raise-floor-with-part",
    /// Deletions are not told.
    KeepDeletionsSecret = "keep-deletions-secret",

    // Sets.
    /// Every record is in every set.
    ShareEverything = "share-everything",
    /// What follows a record that moves stays.
    LeaveFollowersBehind = "leave-followers-behind",
    /// What a hub withdraws stays.
    IgnoreWithdraw = "ignore-withdraw",
    /// Edits of a record that is withdrawn go with it.
    SkipLimbo = "skip-limbo",

    // Links.
    /// A bundle is applied whatever it builds on.
    SkipBaseCheck = "skip-base-check",
    /// A bundle's number is used again.
    ReuseSequence = "reuse-sequence",
    /// What a bundle says is acknowledged before it is applied for good.
    AcknowledgeBeforeCommit = "acknowledge-before-commit",
    /// A gap is never told.
    NeverAsk = "never-ask",
    /// Who comes from a backup does not notice.
    IgnoreOwnFuture = "ignore-own-future",
    /// Nobody fears that the last bundle is lost.
    NeverProbe = "never-probe",

    // Merge.
    /// A deletion wins over every edit.
    DeleteAlways = "delete-always",
    /// What was merged before counts as new when it comes again.
    ApplyAgain = "apply-again",
    /// Records are known by their numbers alone.
    IgnoreBirths = "ignore-births",
    /// Nobody is told that a number stands.
    NeverConfirm = "never-confirm",
    /// What cannot be placed is let go.
    DropHeld = "drop-held",
    /// What is held is not tried again.
    NeverRetry = "never-retry",
    /// A record dies although others refer to it.
    OrphanChildren = "orphan-children",
    /// Everything is forgotten that anybody has acknowledged.
    ForgetEarly = "forget-early",

    // Policies, rights and the brake.
    /// Whose value a table prefers does not count.
    IgnorePreference = "ignore-preference",
    /// Columns that change together have a stamp each.
    SplitGroups = "split-groups",
    /// Records that change as one are merged field by field.
    IgnoreGranularity = "ignore-granularity",
    /// Nobody was ever silent for too long.
    NeverStale = "never-stale",
    /// Whoever shares a record may change it.
    AllowChanges = "allow-changes",
    /// Whoever shares a table may make records in it.
    AllowMakings = "allow-makings",
    /// Whoever shares a record may delete it.
    AllowDeletions = "allow-deletions",
    /// What may only be read may be written.
    WriteReadOnly = "write-read-only",
    /// What is refused stays where it was written.
    KeepRefused = "keep-refused",
    /// Nobody is told at a remote what its hub has refused.
    RefuseSilently = "refuse-silently",
    /// However much a bundle deletes, it does not wait.
    SkipBrake = "skip-brake",
    /// What a person has refused counts.
    IgnoreWord = "ignore-word",

    // Counters.
    /// What a sender knows of is added to what it says once more.
    CountTwice = "count-twice",
    /// By how much a counter has changed is forgotten at once, and not when every peer knows of it.
    ForgetDifferences = "forget-differences",
    /// Of a counter the later value stands, whatever the earlier one had added.
    CompareCounters = "compare-counters",

    // Files.
    /// A name is given to a file without its folder being synced.
    ForgetFolderSync = "forget-folder-sync",
    /// A file is given its name without being synced.
    ForgetFileSync = "forget-file-sync",
    /// A transaction is not waited for until it is on the disk.
    DoNotWaitForDisk = "do-not-wait-for-disk",
    /// The removal of a rollback journal is not waited for, as SQLite has it by default.
    TrustDefault = "trust-default",
}

impl fmt::Display for Saboteur {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(debug_assertions)]
std::thread_local!(static AT_WORK: std::cell::Cell<Option<Saboteur>> = const { std::cell::Cell::new(None) });

/// Sets a saboteur to work on this thread, or none; tells which was.
#[cfg(debug_assertions)]
pub fn set_to_work(saboteur: Option<Saboteur>) -> Option<Saboteur> {
    AT_WORK.replace(saboteur)
}

/// Whether a saboteur is at work on this thread.
#[cfg(debug_assertions)]
pub fn is_at_work(saboteur: Saboteur) -> bool {
    AT_WORK.get() == Some(saboteur)
}

/// Whether a saboteur is at work: none ever is.
#[cfg(not(debug_assertions))]
pub const fn is_at_work(_saboteur: Saboteur) -> bool {
    false
}
