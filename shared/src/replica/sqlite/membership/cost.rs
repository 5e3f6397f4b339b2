//! What keeping memberships and looking at what links share costs, counted in steps of SQLite's virtual machine: it follows
//! what changed, not what there is, nor how many links there are.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rusqlite::Connection;

use crate::clock::{Reading, WallTime};
use crate::id::{Cut, Epoch, NetworkId, NodeId};
use crate::keys::{KeyNumber, NodeKeys};
use crate::link::{Link, Role};
use crate::replica::sqlite::{Choice, JournalWish, SqliteReplica, prepare};
use crate::replica::{Audience, ChangedRecord, Identity, Replica, Standings};
use crate::set::{BoundSet, Rows, Scope, SetTable};

const NOW: WallTime = WallTime(1_000_000);

/// A hub of as many companies, with a contact each, and the set of those whose manager is alice.
fn hub(folder: &std::path::Path, companies: u32) -> (Connection, SqliteReplica) {
    let path = folder.join("hub.db");
    let application = Connection::open(&path).unwrap();
    application
        .execute_batch(&format!(
            "CREATE TABLE companies (id INTEGER PRIMARY KEY, manager TEXT, name TEXT);
             CREATE TABLE contacts (id INTEGER PRIMARY KEY, company INTEGER REFERENCES companies (id), name TEXT);
             CREATE INDEX contacts_by_company ON contacts (company);
             WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {companies})
             INSERT INTO companies SELECT i, iif(i % 2, 'alice', 'bob'), i FROM n;
             INSERT INTO contacts SELECT id, id, id FROM companies"
        ))
        .unwrap();
    let identity = Identity { network: NetworkId(1), node: NodeId(2) };
    prepare(&path, identity, Reading(0), &Choice::Every, JournalWish::Keep).unwrap();
    // Every record has marks, and its change is behind the membership: a look at them all would show.
    application.execute_batch("UPDATE companies SET name = 'marked'; UPDATE contacts SET name = 'marked'").unwrap();
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

/// Counts the steps of a connection while something is done.
fn counted(
    of: impl Fn(&mut SqliteReplica) -> &mut Connection,
    replica: &mut SqliteReplica,
    work: impl FnOnce(&mut SqliteReplica),
) -> u64 {
    let count = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&count);
    let count_one = move || {
        counted.fetch_add(1, Ordering::Relaxed);
        false
    };
    of(replica).progress_handler(1, Some(count_one)).unwrap();
    work(replica);
    of(replica).progress_handler(0, None::<fn() -> bool>).unwrap();
    count.load(Ordering::Relaxed)
}

/// The steps that it takes to judge what one statement changed, and how many records are members then.
fn steps(application: &Connection, replica: &mut SqliteReplica, sql: &str) -> (u64, i64) {
    application.execute_batch(sql).unwrap();
    replica.harvest(NOW).unwrap();
    let steps = counted(|replica| &mut replica.writer, replica, |replica| drop(replica.snapshot(NOW).unwrap()));
    let members = "SELECT (SELECT count(*) FROM _packhorse_s_companies WHERE kind = 1)
                        + (SELECT count(*) FROM _packhorse_s_contacts WHERE kind = 1)";
    (steps, application.query_row(members, [], |row| row.get(0)).unwrap())
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

/// Gives a hub this many links: every other shares alice's companies, the others one company each.
fn add_links(replica: &mut SqliteReplica, links: u32) {
    let keys = NodeKeys::from_secret(KeyNumber(1), [1; 32]).public();
    for number in 1..=links {
        let state = Link::new(Role::Remote, NOW, Cut(0), Reading(0), Epoch(0));
        let link = replica.add_link(&format!("r{number}").parse().unwrap(), &keys, &state).unwrap();
        let one = SetTable { name: "companies".into(), columns: None, rows: Rows::Where(format!("id = {number}")) };
        let one = BoundSet { scope: Scope::Tables(vec![one]), params: BTreeMap::new() };
        let membership = replica.membership(&if number % 2 == 0 { alices() } else { one }).unwrap();
        replica.share(NOW, link, membership, None).unwrap();
    }
}

/// The steps that it takes to see how all links stand after every company has changed.
fn steps_of_look(companies: u32, links: u32) -> u64 {
    let folder = tempfile::tempdir().unwrap();
    let (application, mut replica) = hub(folder.path(), companies);
    add_links(&mut replica, links);
    application.execute_batch("UPDATE companies SET name = name || '!'").unwrap();
    drop(replica.snapshot(NOW).unwrap());
    counted(|replica| &mut replica.reader, &mut replica, look)
}

/// What `status` asks of the database about all links.
fn look(replica: &mut SqliteReplica) {
    let all = replica.all_sharing().unwrap();
    assert_eq!((replica.held().unwrap().len(), replica.conflicts().unwrap().len()), (0, 0));
    let snapshot = replica.glance().unwrap();
    let tables = all.iter().flat_map(|(link, tables)| tables.iter().map(|table| (link.id, table)));
    let companies: Vec<_> = tables.filter(|(_, table)| table.shape.name == "companies").collect();
    let audience = Audience::of(companies.iter().map(|(link, table)| (*link, table.rows)));
    let (mut shown, since) = (0, Cut(snapshot.cut().0 - 1));
    let mut show = |_: &dyn ChangedRecord, standings: &Standings| {
        shown += standings.shared.len();
        Ok(())
    };
    snapshot.changed_for(&audience, &companies[0].1.shape, since, snapshot.cut(), &mut show).unwrap();
    assert!(shown > all.len() / 2, "{shown} shown to {} links", all.len());
}

#[test]
fn a_look_at_many_links_costs_little_more_than_at_few_however_much_changed() {
    for companies in [100, 2_000] {
        let [few, many] = [10, 50].map(|links| steps_of_look(companies, links));
        let for_each = (many - few) / 40;
        assert!(for_each < 100, "{for_each} steps more for each link, of {few}, where {companies} records changed");
    }
}
