//! The walk over the steps by which nodes are made and removed.

use packhorse_shared::seam::Step;

/// The steps that only making and removing nodes comes to.
pub const STEPS: [Step; 12] = [
    Step::InitHomeMade,
    Step::InitRelayMarked,
    Step::RemoteFolderMade,
    Step::RemoteLinkForgotten,
    Step::PackageDatabaseMade,
    Step::PackageDrafted,
    Step::PackageLinkOpened,
    Step::PackagePublished,
    Step::RestoreUnpacked,
    Step::RestoreHomeMade,
    Step::RestoreAdopted,
    Step::RestorePublished,
];
