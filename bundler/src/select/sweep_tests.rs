//! What is said beside the records before every cut to who asks for everything.

use packhorse_shared::clock::{Reading, Stamp, WallTime};
use packhorse_shared::horizon::Horizon;
use packhorse_shared::id::{ColumnId, NodeId, TableId};
use packhorse_shared::link::{Extent, Role, Sweep};
use packhorse_shared::replica::{Residence, SharedRows};
use packhorse_shared::value::{Key, Value};

use super::waiting_tests::{OLD, View, owed, table};
use super::{Owed, Portion, sweep};

fn residence(number: i64, birth: u64) -> Residence {
    let birth = Some(Stamp { reading: Reading(birth), node: NodeId(1) });
    Residence { key: Key(vec![Value::Integer(number)]), birth }
}

#[test]
fn a_word_whose_mark_was_dropped_is_told_with_the_record() {
    let (before, now) = (residence(10, 3), residence(OLD, 5));
    let mut view = View::default();
    view.united.push((before.clone(), now.clone()));
    let owed = Owed { extent: Extent::Everything, ..owed(1, 0) };
    let portion = Portion { records: 9, bytes: 999 };
    let (selection, _) = sweep(&view, &[table(SharedRows::All)], owed, &Sweep::Begin, portion).unwrap();
    let records: Vec<_> = selection.tables.iter().flat_map(|changes| &changes.records).collect();
    let [word, record] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!((&word.key, word.birth), (&before.key, before.birth));
    let said: Vec<_> = word.fields.iter().map(|field| (&field.value, field.refers_to)).collect();
    assert_eq!(said, [(&Value::Integer(OLD), now.birth)]);
    assert_eq!((&record.key, record.whole), (&now.key, true));
}

#[test]
fn what_may_be_the_default_of_a_column_that_its_hub_shares_only_now_is_told_as_older_than_everything() {
    let mut view = View::default();
    view.horizon = Horizon::before(Reading::at(WallTime(9_000)));
    let owed = Owed { peer: Role::Hub, extent: Extent::Everything, ..owed(1, 0) };
    let stamp = |view: &View| {
        let portion = Portion { records: 9, bytes: 999 };
        let (selection, _) = sweep(view, &[table(SharedRows::All)], owed, &Sweep::Begin, portion).unwrap();
        selection.tables[0].records[0].fields[0].stamp
    };
    assert_eq!(stamp(&view), view.horizon.stamp());
    view.untold.insert((TableId(1), ColumnId(1)));
    assert_eq!(stamp(&view), Stamp::ZERO);
}
