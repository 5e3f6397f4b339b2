//! What a link shares, as a database knows it: tables, columns, and the membership by which rows are chosen.

use super::TableShape;
use crate::id::Cut;

/// The number of a membership: the records that are in a sync set with certain values of its parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MembershipId(pub i64);

/// A table that a link shares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedTable {
    /// What it looks like here.
    pub shape: TableShape,
    /// Those of [`TableShape::columns`] that are shared, by position, ascending. The key always is.
    pub columns: Vec<usize>,
    /// Which of its records.
    pub rows: SharedRows,
}

/// Which records of a table a link shares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SharedRows {
    /// All.
    All,
    /// The members of this.
    Members(MembershipId),
}

impl SharedTable {
    /// A table that is shared as it is.
    pub fn all(shape: TableShape) -> Self {
        Self { columns: (0..shape.columns.len()).collect(), rows: SharedRows::All, shape }
    }
}

/// Up to which cut of ours a link's peer was told what a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ToldOf {
    /// Up to here for sure.
    pub surely: Cut,
    /// And it may have been told up to here.
    pub maybe: Cut,
}

impl ToldOf {
    /// It was told up to here, and no further.
    pub fn exactly(cut: Cut) -> Self {
        Self { surely: cut, maybe: cut }
    }
}

/// How a record stands to what a link shares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Belonging {
    /// It is shared, and has to be sent whole if the peer has not had everything up to this cut.
    Since(Cut),
    /// It is shared no more since this cut, or never was although the peer has it.
    LeftAt(Cut),
    /// It died while it was shared; this was noticed at this cut.
    DiedAt(Cut),
}

impl Belonging {
    /// The cut at which it came to stand so.
    pub fn cut(self) -> Cut {
        match self {
            Self::Since(cut) | Self::LeftAt(cut) | Self::DiedAt(cut) => cut,
        }
    }
}

/// What a set on trial would move in one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trial {
    /// The table.
    pub table: String,
    /// What would come in.
    pub entering: Volume,
    /// What would leave.
    pub leaving: Volume,
}

/// So many records of about so many bytes before compression.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Volume {
    /// Records.
    pub records: u64,
    /// Bytes.
    pub bytes: u64,
}

/// What a peer has said of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spoken {
    /// All of it: it has it as it is here.
    Whole,
    /// A part.
    InPart,
    /// What it does not have in its tables.
    Limbo,
    /// What it may not: it is to be withdrawn.
    Beyond,
}
