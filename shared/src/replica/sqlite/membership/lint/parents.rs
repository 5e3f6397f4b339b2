//! References by other columns than the parent's key: the set has to share those of the parent too.

use super::{Looked, in_set, is_shared};
use crate::replica::sqlite::catalogue::Catalogue;
use crate::set::{Finding, Rule, SetTable};

/// Names the references of a table to what the set leaves out of the parent.
pub(super) fn check(looked: &Looked<'_>, tables: &[SetTable], catalogue: &Catalogue, findings: &mut Vec<Finding>) {
    let shape = &looked.entry.shape;
    for parent in &shape.parents {
        let (Some(table), Some(entry)) = (in_set(tables, &parent.table), catalogue.named(&parent.table)) else {
            continue;
        };
        if !parent.columns.iter().all(|(here, _)| is_shared(looked.table, shape, here)) {
            continue;
        }
        for (here, there) in parent.columns.iter().filter(|(_, there)| !is_shared(table, &entry.shape, there)) {
            let name = &table.name;
            let wrong = format!("its {here} refers to {name} by {there}, which the `columns` of {name} leave out");
            let mend = format!("add {there} to the columns of {name}");
            findings.push(Finding::error(Rule::Reference, &looked.table.name, wrong, mend));
        }
    }
}
