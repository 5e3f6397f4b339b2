//! How often is looked for many links: as often as they differ in what they share and what their peers have.

use std::cell::Cell;
use std::collections::BTreeSet;

use packhorse_shared::clock::{Reading, Stamp, WallTime};
use packhorse_shared::horizon::Horizon;
use packhorse_shared::id::{ColumnId, Cut, LinkId, NodeId, TableId};
use packhorse_shared::link::{Extent, Role, Sweep};
use packhorse_shared::marks::{Mark, Marks};
use packhorse_shared::replica::{
    Affinity, Audience, Belonging, Buried, ChangedRecord, ColumnShape, KeyKind, Life, MembershipId, Overruled,
    Residence, Result, Rules, SharedRows, SharedTable, ShowSwept, ShowToMany, Snapshot, Standings, TableShape,
};
use packhorse_shared::value::{Key, Value};

use super::{Owed, Pending, pending, pending_of_all};

const RECORDS: i64 = 20;
/// The number of the one that lies before every cut.
pub(super) const OLD: i64 = 41;

/// A view in which every record of a table changed at the latest cut, each by another link; before every cut lies one more.
#[derive(Default)]
pub(super) struct View {
    looks: Cell<usize>,
    /// What the record that lies before every cut is one with.
    pub united: Vec<(Residence, Residence)>,
    pub horizon: Horizon,
    /// The columns of which its hub has not told everything.
    pub untold: BTreeSet<(TableId, ColumnId)>,
}

struct Changed {
    key: Key,
    marks: Marks,
}

impl ChangedRecord for Changed {
    fn key(&self) -> &Key {
        &self.key
    }
    fn birth(&self) -> Option<Stamp> {
        None
    }
    fn cut(&self) -> Cut {
        self.marks.latest_cut()
    }
    fn belonging(&self) -> Belonging {
        Belonging::Since(Cut(0))
    }
    fn life(&self) -> Life<'_> {
        Life::Present(&self.marks)
    }
    fn value(&self, _column: usize) -> Result<Value> {
        Ok(Value::Integer(1))
    }
}

impl Snapshot for View {
    fn cut(&self) -> Cut {
        Cut(9)
    }
    fn clock(&self) -> Reading {
        Reading(9)
    }
    fn changed_for(
        &self,
        audience: &Audience,
        _table: &TableShape,
        _since: Cut,
        _upto: Cut,
        show: &mut ShowToMany<'_>,
    ) -> Result<()> {
        self.looks.set(self.looks.get() + 1);
        let shared = audience.rows().iter().map(|rows| (*rows, Belonging::Since(Cut(0)))).collect();
        let standings = Standings { shared, apart: Vec::new() };
        (1..=RECORDS).try_for_each(|number| {
            let stamp = Stamp { reading: Reading::at(WallTime(number as u64)), node: NodeId(1) };
            let marks = Marks::of_all(Mark { stamp, cut: Cut(9), via: LinkId(number as u32) });
            show(&Changed { key: Key(vec![Value::Integer(number)]), marks }, &standings)
        })
    }
    fn must_be_judged(&self, _link: LinkId) -> Result<()> {
        Ok(())
    }
    fn boundary(&self, _link: LinkId, _tables: &[SharedTable], _since: Cut, _records: u64) -> Result<Cut> {
        Ok(self.cut())
    }
    fn horizon(&self) -> Horizon {
        self.horizon
    }
    fn births(&self) -> Horizon {
        Horizon::NONE
    }
    fn sweep(&self, _tables: &[SharedTable], _from: &Sweep, show: &mut ShowSwept<'_>) -> Result<Sweep> {
        let old = Changed { key: Key(vec![Value::Integer(OLD)]), marks: Marks::default() };
        show(0, &old).map(|_| Sweep::Done)
    }
    fn birth_of(&self, _table: &str, _key: &Key, _at: Option<Stamp>) -> Result<Option<Stamp>> {
        Ok(None)
    }
    fn given_birth(&self, _table: &str, _key: &Key) -> Result<Option<Stamp>> {
        Ok(None)
    }
    fn belonging(&self, _link: LinkId, _table: &SharedTable, _key: &Key) -> Result<Option<Belonging>> {
        Ok(Some(Belonging::Since(Cut(0))))
    }
    fn left_under(&self, _table: &TableShape, _key: &Key) -> Result<Vec<Buried>> {
        unreachable!("nobody asks")
    }

    fn stands(&self, _table: &TableShape, _key: &Key) -> Result<bool> {
        Ok(true)
    }
    fn judged_at(&self, _cut: Cut) -> Result<Reading> {
        Ok(Reading(0))
    }
    fn terms_owed(&self, _link: LinkId, _since: Option<Cut>) -> Result<Option<(Vec<u8>, Cut)>> {
        Ok(None)
    }
    fn untold(&self) -> Result<BTreeSet<(TableId, ColumnId)>> {
        Ok(self.untold.clone())
    }
    fn overruled(&self, _link: LinkId, _table: &SharedTable, _since: Cut) -> Result<Vec<Overruled>> {
        Ok(Vec::new())
    }

    fn united(&self, _table: &TableShape, key: &Key) -> Result<Vec<(Residence, Residence)>> {
        let united = self.united.iter().filter(|(_, to)| to.key == *key);
        Ok(united.cloned().collect())
    }
}

pub(super) fn table(rows: SharedRows) -> SharedTable {
    let shape = TableShape {
        id: TableId(1),
        name: "t".to_owned(),
        keys: vec!["id".to_owned()],
        key_affinities: Vec::new(),
        key_kind: KeyKind::Assigned,
        key_refers_to: vec![None],
        compared: Vec::new(),
        columns: vec![ColumnShape {
            id: ColumnId(1),
            name: "a".to_owned(),
            affinity: Affinity::Any,
            refers_to: None,
            pair: None,
        }],
        parents: Vec::new(),
        identity: Vec::new(),
        rules: Rules::default(),
    };
    SharedTable { rows, ..SharedTable::all(shape) }
}

pub(super) fn owed(link: u32, since: u64) -> Owed {
    let since = Cut(since);
    Owed { link: LinkId(link), peer: Role::Remote, since, floor: since, extent: Extent::Changes }
}

/// What waits for links with these memberships and cuts, and how often was looked.
fn count(links: &[(SharedRows, u64)]) -> (Vec<Pending>, usize) {
    let tables: Vec<[SharedTable; 1]> = links.iter().map(|(rows, _)| [table(*rows)]).collect();
    let links: Vec<(&[SharedTable], Owed)> = std::iter::zip(&tables, links)
        .enumerate()
        .map(|(at, (tables, (_, since)))| (tables.as_slice(), owed(at as u32 + 1, *since)))
        .collect();
    let view = View::default();
    let all = pending_of_all(&view, &links).unwrap();
    let looks = view.looks.replace(0);
    let alone: Vec<Pending> = links.iter().map(|(tables, owed)| pending(&view, tables, *owed).unwrap()).collect();
    assert_eq!(all, alone);
    (all, looks)
}

#[test]
fn one_look_serves_all_links_whose_peers_have_the_same() {
    for links in [10, 1_000] {
        let (pending, looks) = count(&vec![(SharedRows::All, 5); links]);
        assert_eq!(looks, 1, "{links} links");
        let records: Vec<u64> = pending.iter().map(|pending| pending.records).collect();
        let expected: Vec<u64> = (1..=links).map(|link| RECORDS as u64 - u64::from(link as i64 <= RECORDS)).collect();
        assert_eq!(records, expected, "what came by a link is not owed to it");
        assert_eq!(pending[0].oldest, Some(WallTime(2)));
        assert_eq!(pending[1].oldest, Some(WallTime(1)));
    }
}

#[test]
fn one_look_serves_all_values_of_a_set() {
    let links: Vec<(SharedRows, u64)> = (0..1_000).map(|at| (SharedRows::Members(MembershipId(at % 300)), 5)).collect();
    assert_eq!(count(&links).1, 1);
}

#[test]
fn it_is_looked_once_for_each_cut_that_peers_have() {
    let links: Vec<(SharedRows, u64)> = (0..1_000).map(|at| (SharedRows::All, at % 4)).collect();
    assert_eq!(count(&links).1, 4);
    let mixed = [(SharedRows::All, 1), (SharedRows::Members(MembershipId(1)), 1), (SharedRows::All, 1)];
    assert_eq!(count(&mixed).1, 2, "a set and all of the table are not the same");
}
