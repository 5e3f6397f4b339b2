//! Rights: what a remote may do to the records of a table that it shares (DESIGN section 6, deletes).
//!
//! Owns their form and whom they allow what. The hub enforces them on whatever arrives: what a remote's software did does not
//! count. Pure.

use serde::{Deserialize, Serialize};

use super::Scalar;
use crate::id::NodeName;
use crate::seam::{Saboteur, is_at_work};
use crate::value::Value;

/// Whose records a remote may delete, or write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Right {
    /// All that it shares.
    #[default]
    Any,
    /// Those that were made there, or of which the owner column names its user.
    Own,
    /// Those of which the owner column names its user.
    Assigned,
    /// None.
    None,
}

/// What a set says of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TableRights {
    /// Which records may be deleted.
    pub deletes: Right,
    /// Which records may be made and changed.
    pub writes: Right,
    /// The column that names whose a record is.
    pub owner_column: Option<String>,
    /// Columns that may be read and not written.
    pub read_only: Vec<String>,
}

/// What one remote may do to the records of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rights {
    /// What its set says.
    pub table: TableRights,
    /// The remote.
    pub remote: NodeName,
    /// Its user: the value of the set's parameter `user`, or the remote's name.
    pub user: Vec<Scalar>,
}

/// What of a record a right is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'v> {
    /// Whether the record was made at the remote, as far as that is remembered.
    pub made_there: bool,
    /// What the owner column holds.
    pub owner: Option<&'v Value>,
}

impl Rights {
    /// Whether a right extends to a record.
    pub fn allow(&self, right: Right, claim: Claim<'_>) -> bool {
        let is_assigned = || claim.owner.is_some_and(|owner| self.user.iter().any(|user| is_same(user, owner)));
        match right {
            Right::Any => true,
            Right::Own => claim.made_there || is_assigned(),
            Right::Assigned => is_assigned(),
            Right::None => false,
        }
    }

    /// Whether a column may be read and not written.
    pub fn is_read_only(&self, column: &str) -> bool {
        let counts = !is_at_work(Saboteur::WriteReadOnly);
        counts && self.table.read_only.iter().any(|name| name.eq_ignore_ascii_case(column))
    }
}

impl TableRights {
    /// Whether it leaves nothing to enforce.
    pub fn is_open(&self) -> bool {
        (self.deletes, self.writes) == (Right::Any, Right::Any) && self.read_only.is_empty()
    }
}

fn is_same(user: &Scalar, owner: &Value) -> bool {
    match (user, owner) {
        (Scalar::Text(user), Value::Text(owner)) => user.as_bytes() == owner,
        (Scalar::Integer(user), Value::Integer(owner)) => user == owner,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_right_extends_to_whose_records_it_says() {
        let user = vec![Scalar::Text("ada".to_owned()), Scalar::Integer(7)];
        let rights = Rights { table: TableRights::default(), remote: "alice".parse().unwrap(), user };
        let text = |text: &str| Value::Text(text.as_bytes().to_vec());
        let allowed = |right, made_there, owner: Option<&Value>| rights.allow(right, Claim { made_there, owner });
        for owner in [&text("ada"), &Value::Integer(7)] {
            assert!(allowed(Right::Assigned, false, Some(owner)) && allowed(Right::Own, false, Some(owner)));
            assert!(!allowed(Right::None, true, Some(owner)));
        }
        for owner in [None, Some(&Value::Null), Some(&text("Ada")), Some(&text("7")), Some(&Value::Integer(8))] {
            assert!(!allowed(Right::Assigned, true, owner) && !allowed(Right::Own, false, owner), "{owner:?}");
            assert!(allowed(Right::Own, true, owner) && allowed(Right::Any, false, owner), "{owner:?}");
        }
    }
}
