//! `packhorse set lint`.

use clap::Args;
use packhorse_shared::set::Finding;
use serde::Serialize;

use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::lint::excerpt;
use crate::node::Node;
use crate::report::{json, note, result};
use crate::wording::brief;

const EXAMPLES: &str = "\
Examples:
  packhorse set lint
  packhorse set lint sales --json | jq -r '.[] | select(.severity == \"error\").wrong'

Sets are checked so whenever `set add` writes one, and by `remote add` and `remote pack`. The exit
status is 2 if there are errors. In JSON, `at` is the byte of the expression.";

/// Check sets against the database: expressions, columns, and references that can point outside a set
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Lint {
    /// The set; all if none is named
    name: Option<String>,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Told {
    set: String,
    severity: &'static str,
    rule: &'static str,
    table: String,
    expression: Option<String>,
    at: Option<usize>,
    wrong: String,
    mend: String,
}

impl Lint {
    /// Runs the command.
    pub fn run(self, context: Context<'_>) -> Result<Exit, Failure> {
        let node = Node::open(context)?;
        let names = match &self.name {
            Some(name) => vec![name.clone()],
            None => node.config.set_names().into_iter().map(str::to_owned).collect(),
        };
        let mut findings: Vec<(String, Finding)> = Vec::new();
        for name in names {
            let found = node.findings(&name)?;
            findings.extend(found.into_iter().map(|finding| (name.clone(), finding)));
        }
        if self.json {
            json(&findings.iter().map(|(set, finding)| told(set, finding)).collect::<Vec<_>>());
        } else {
            findings.iter().for_each(|(set, finding)| tell(set, finding));
        }
        if findings.is_empty() && !self.json {
            note("nothing is wrong");
        }
        let is_wrong = findings.iter().any(|(_, finding)| finding.is_error());
        Ok(if is_wrong { Exit::Usage } else { Exit::Done })
    }
}

fn told(set: &str, finding: &Finding) -> Told {
    Told {
        set: set.to_owned(),
        severity: finding.severity.name(),
        rule: finding.rule.name(),
        table: finding.table.clone(),
        expression: finding.place.as_ref().map(|place| place.text.clone()),
        at: finding.place.as_ref().map(|place| place.at),
        wrong: finding.wrong.clone(),
        mend: finding.mend.clone(),
    }
}

fn tell(set: &str, finding: &Finding) {
    let wrong = brief(&finding.wrong);
    result(&format!("{}: the set \"{set}\", table \"{}\": {wrong}", finding.severity.name(), finding.table));
    finding.place.iter().flat_map(excerpt).for_each(|line| result(&format!("  {line}")));
    result(&format!("  hint: {}", finding.mend));
}
