//! What keeping a membership costs, counted in steps of SQLite's virtual machine: it follows what changed, not what there is.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rusqlite::Connection;

use crate::clock::{Reading, WallTime};
use crate::id::{NetworkId, NodeId};
use crate::replica::sqlite::{Choice, JournalWish, SqliteReplica, prepare};
use crate::replica::{Identity, Replica};
use crate::set::{BoundSet, Rows, Scope, SetTable};

const NOW: WallTime = WallTime(1_000_000);

/// A hub of as many companies, with a contact each, and the set of those whose manager is alice.
fn hub(folder: &std::path::Path, companies: u32) -> (Connection, SqliteReplica) {
    let path = folder.join("hub.db");
    let application = Connection::open(&path).unwrap();
    application
        .execute_batch(&format!(
            "CREATE TABLE companies (id INTEGER PRIMARY KEY, manager TEXT);
             CREATE TABLE contacts (id INTEGER PRIMARY KEY, company INTEGER REFERENCES companies (id));
             CREATE INDEX contacts_by_company ON contacts (company);
             WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {companies})
             INSERT INTO companies SELECT i, iif(i % 2, 'alice', 'bob') FROM n;
             INSERT INTO contacts SELECT id, id FROM companies"
        ))
        .unwrap();
    let identity = Identity { network: NetworkId(1), node: NodeId(2) };
    prepare(&path, identity, Reading(0), &Choice::Every, JournalWish::Keep).unwrap();
    // Every record has marks, and its change is behind the membership: a look at them all would show.
    application.execute_batch("UPDATE companies SET manager = manager || ''; UPDATE contacts SET id = id").unwrap();
    let mut replica = SqliteReplica::open(&path).unwrap();
    replica.harvest(NOW).unwrap();
    replica.membership(&alices()).unwrap();
    drop(replica.snapshot(NOW).unwrap());
    (application, replica)
}

fn alices() -> BoundSet {
    let table = |name: &str, rows| SetTable { name: name.to_owned(), columns: None, rows };
    let companies = table("companies", Rows::Where("manager = 'alice'".to_owned()));
    let contacts = table("contacts", Rows::Follow(vec!["company".to_owned()]));
    BoundSet { scope: Scope::Tables(vec![companies, contacts]), params: BTreeMap::new() }
}

/// The steps that it takes to judge what one statement changed, and how many records are members then.
fn steps(application: &Connection, replica: &mut SqliteReplica, sql: &str) -> (u64, i64) {
    application.execute_batch(sql).unwrap();
    replica.harvest(NOW).unwrap();
    let count = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&count);
    let count_one = move || {
        counted.fetch_add(1, Ordering::Relaxed);
        false
    };
    replica.writer.progress_handler(1, Some(count_one)).unwrap();
    drop(replica.snapshot(NOW).unwrap());
    replica.writer.progress_handler(0, None::<fn() -> bool>).unwrap();
    let members = "SELECT (SELECT count(*) FROM _packhorse_s_companies WHERE kind = 1)
                        + (SELECT count(*) FROM _packhorse_s_contacts WHERE kind = 1)";
    (count.load(Ordering::Relaxed), application.query_row(members, [], |row| row.get(0)).unwrap())
}

#[test]
fn a_company_that_moves_costs_the_same_among_many_as_among_few() {
    let moves = [
        ("UPDATE companies SET manager = 'bob' WHERE id = 51", -2),
        ("UPDATE companies SET manager = 'alice' WHERE id = 50", 0),
        ("UPDATE contacts SET company = 50 WHERE id = 52", 1),
        ("UPDATE contacts SET company = 54 WHERE id = 52", 0),
    ];
    let looked = [100, 10_000].map(|companies| {
        let folder = tempfile::tempdir().unwrap();
        let (application, mut replica) = hub(folder.path(), companies);
        moves.map(|(sql, members)| {
            let (steps, found) = steps(&application, &mut replica, sql);
            assert_eq!(found, i64::from(companies) + members, "{sql}, of {companies}");
            steps
        })
    });
    for ((few, many), (sql, _)) in looked[0].into_iter().zip(looked[1]).zip(moves) {
        assert!(few > 0 && many < 2 * few, "{sql}: {few} steps among 100, {many} among 10,000");
    }
}
