//! What a record's edits make of its marks. Pure.
//!
//! Invariant: run again after a kill, the same edits give the same marks, because what an unfinished run left bears a cut that
//! is not published. Leaves the stamps to `stamper`.

use super::coalesce::{Death, Edits, Taken};
use super::stamper::Stamper;
use crate::clock::{Stamp, WallTime};
use crate::id::ColumnId;
use crate::marks::Marks;
use crate::replica::{KeyKind, Present, Remains, RemainsField, Rules, TableShape};
use crate::value::Value;

/// What becomes of the marks of the record that stands under the key.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) enum MarksChange {
    Keep,
    Put(Present),
    Drop,
}

/// The births of what stood under a key before a harvest and of what stands now, or stood last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Births {
    pub before: Option<Stamp>,
    pub now: Option<Stamp>,
}

impl Births {
    /// Whether the key bears a number that was given again, so that the two are not one record.
    pub fn are_of_two(self) -> bool {
        self.before != self.now
    }
}

/// What is known of a key when its edits are folded.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Known {
    /// What stands, or stood before.
    pub present: Option<Present>,
    /// Whether this harvest, cut short before, wrote the tombstone.
    pub is_buried: bool,
    /// Of records that bear the numbers of others; the others have one of their own or none.
    pub births: Births,
}

/// What a harvest writes about one key.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) struct Folded {
    /// The birth of the record that died, and its tombstone.
    pub bury: Option<(Option<Stamp>, Remains)>,
    pub marks: MarksChange,
    /// What was left of a record with this natural key is overtaken by one that stands.
    pub unbury: bool,
}

/// Folds the edits into what is known of the key. `last`: the values that the record that died had, as far as they are known.
pub(in super::super) fn fold(
    table: &TableShape,
    known: Known,
    edits: &Edits,
    last: Vec<(ColumnId, Value)>,
    stamper: &mut Stamper,
) -> Folded {
    let Known { present: known, is_buried, births } = known;
    let birth = known.as_ref().and_then(|present| present.birth);
    let made_by_this_harvest = birth.is_some_and(|birth| stamper.has_made(birth));
    let assigned = table.key_kind == KeyKind::Assigned;
    let died = match edits.died.clone() {
        Some(death) => Some(death),
        // A birth under a number whose record was known means that the known one went unseen.
        None if assigned && !made_by_this_harvest && known.is_some() => edits.born.map(|born| Death::unseen(born.at)),
        None => None,
    };
    // Who stood before the one that this harvest, cut short, has marked was buried with the same step.
    // Under a natural key it may have been made again since, and has died once more.
    let is_news = |death: &Death| !is_buried || (!assigned && death.taken.all.is_some());
    let is_gone = assigned || births.are_of_two() || !edits.stands;
    let bury = died.filter(|death| is_gone && is_news(death) && !made_by_this_harvest);
    let bury = bury.map(|death| (birth.or(births.before), remains_of(table, &death, known.as_ref(), last, stamper)));
    if !edits.stands {
        return Folded { bury, marks: MarksChange::Drop, unbury: false };
    }
    let marks = marks_of_standing(table, known, made_by_this_harvest, edits, stamper);
    Folded { bury, unbury: !assigned && marks != MarksChange::Keep, marks }
}

/// What is left of a record that was deleted here: its last values, with the marks that they had or that the edits before
/// the deletion give them. Edits travel even if the record has since been deleted.
fn remains_of(
    table: &TableShape,
    death: &Death,
    known: Option<&Present>,
    last: Vec<(ColumnId, Value)>,
    stamper: &mut Stamper,
) -> Remains {
    // The clock may have been set back between an edit and the deletion, which is the later of the two.
    let mut remains = Remains::tombstone(stamper.mark(death.taken.latest().map_or(death.at, |at| at.max(death.at))));
    for (column, value) in last {
        let mark = match taken_at(&table.rules, &death.taken, column) {
            Some(at) => Some(stamper.mark(at)),
            None => known.and_then(|known| known.marks.get(column)),
        };
        remains.set(RemainsField::new(column, mark, value));
    }
    remains
}

fn marks_of_standing(
    table: &TableShape,
    known: Option<Present>,
    made_by_this_harvest: bool,
    edits: &Edits,
    stamper: &mut Stamper,
) -> MarksChange {
    if edits.taken.is_nothing() {
        return MarksChange::Keep;
    }
    let born = edits.born.filter(|_| table.key_kind == KeyKind::Assigned);
    let mut present = match (known, born) {
        (Some(known), Some(_)) if made_by_this_harvest => known,
        (_, Some(at)) => Present { birth: Some(stamper.birth(at)), marks: Marks::default() },
        (known, None) => known.unwrap_or(Present { birth: None, marks: Marks::default() }),
    };
    if let Some(at) = edits.taken.all {
        present.marks = Marks::of_all(stamper.mark(at));
    }
    for &column in edits.taken.fields.keys() {
        for column in table.rules.changing_with(column) {
            if let Some(at) = taken_at(&table.rules, &edits.taken, column) {
                present.marks.set(column, stamper.mark(at));
            }
        }
    }
    present.marks.fold(&table.column_ids());
    MarksChange::Put(present)
}

/// When a column was edited last, alone or with what changes together with it: that has one stamp.
fn taken_at(rules: &Rules, taken: &Taken, column: ColumnId) -> Option<WallTime> {
    let together = rules.together_with(column).iter().filter_map(|other| taken.when(*other));
    together.chain(taken.when(column)).max()
}

#[cfg(test)]
mod tests {
    use super::super::coalesce::Born;
    use super::*;
    use crate::clock::{Reading, WallTime};
    use crate::id::{Cut, LinkId, NodeId, TableId};
    use crate::marks::Mark;
    use crate::replica::{Affinity, ColumnShape};

    fn table(key_kind: KeyKind) -> TableShape {
        let column = |id| ColumnShape {
            id: ColumnId(id),
            name: format!("c{id}"),
            affinity: Affinity::Any,
            refers_to: None,
            pair: None,
        };
        TableShape {
            id: TableId(1),
            name: "t".into(),
            keys: vec!["id".into()],
            key_affinities: Vec::new(),
            key_kind,
            key_refers_to: vec![None],
            compared: Vec::new(),
            columns: vec![column(1), column(2)],
            parents: Vec::new(),
            identity: Vec::new(),
            rules: Rules::default(),
        }
    }

    fn stamper() -> Stamper {
        let floor = Reading::at(WallTime(100));
        Stamper {
            node: NodeId(7),
            published: Cut(4),
            cut: Cut(5),
            floor,
            now: WallTime(1_000),
            latest: floor,
            born: floor,
            first_row: 1,
        }
    }

    fn all(at: u64) -> Taken {
        Taken { all: Some(WallTime(at)), ..Taken::default() }
    }

    fn known_of(present: Option<Present>, is_buried: bool) -> Known {
        Known { present, is_buried, births: Births::default() }
    }

    fn death(at: u64, taken: Taken) -> Option<Death> {
        Some(Death { at: WallTime(at), row: Some(3), taken })
    }

    fn of_first(at: u64) -> Taken {
        Taken { fields: [(ColumnId(1), WallTime(at))].into(), ..Taken::default() }
    }

    fn born(at: u64) -> Edits {
        Edits { born: Some(Born { at: WallTime(at), row: 9 }), taken: all(at), stands: true, ..Edits::default() }
    }

    #[test]
    fn an_assigned_key_gives_a_birth_and_a_natural_one_none() {
        for (kind, has_birth) in [(KeyKind::Assigned, true), (KeyKind::Natural, false)] {
            let folded = fold(&table(kind), known_of(None, false), &born(200), Vec::new(), &mut stamper());
            let MarksChange::Put(present) = folded.marks else { panic!("{folded:?}") };
            assert_eq!(present.birth.is_some(), has_birth);
            assert_eq!(folded.bury, None);
        }
    }

    #[test]
    fn records_made_in_one_millisecond_have_births_of_their_own() {
        let (mut stamper, mut births) = (stamper(), std::collections::BTreeSet::new());
        let rows =
            [(200, 9), (200, 10), (150, 11), (200, 12), (1, 13), (1, 14), (200, 40_000), (200, 40_001), (200, 32_777)];
        for (at, row) in rows {
            let edits = Edits { born: Some(Born { at: WallTime(at), row }), ..born(at) };
            let folded = fold(&table(KeyKind::Assigned), known_of(None, false), &edits, Vec::new(), &mut stamper);
            let MarksChange::Put(present) = folded.marks else { panic!() };
            births.insert(present.birth);
            assert!(present.birth.map(|birth| birth.reading) <= Some(stamper.latest));
        }
        assert_eq!(births.len(), rows.len());
    }

    #[test]
    fn a_number_given_again_buries_the_old_birth_and_has_a_new_one() {
        let old = Stamp { reading: Reading(9), node: NodeId(3) };
        let known = Present { birth: Some(old), marks: Marks::default() };
        let edits = Edits { died: death(150, Taken::default()), ..born(200) };
        let folded = fold(&table(KeyKind::Assigned), known_of(Some(known), false), &edits, Vec::new(), &mut stamper());
        assert_eq!(folded.bury.map(|bury| bury.0), Some(Some(old)));
        let MarksChange::Put(present) = folded.marks else { panic!() };
        assert_ne!(present.birth, Some(old));
    }

    #[test]
    fn the_same_under_a_natural_key_is_an_edit_of_every_field() {
        let edits = Edits { died: death(150, Taken::default()), ..born(200) };
        let folded = fold(&table(KeyKind::Natural), known_of(None, false), &edits, Vec::new(), &mut stamper());
        assert_eq!(folded.bury, None);
        assert!(matches!(folded.marks, MarksChange::Put(_)));
    }

    #[test]
    fn run_again_after_a_kill_it_comes_to_the_same_result() {
        for kind in [KeyKind::Assigned, KeyKind::Natural] {
            let first = fold(&table(kind), known_of(None, false), &born(200), Vec::new(), &mut stamper());
            let MarksChange::Put(present) = first.marks.clone() else { panic!() };
            let second = fold(&table(kind), known_of(Some(present), false), &born(200), Vec::new(), &mut stamper());
            assert_eq!(first, second);
        }
        let died = Edits { died: death(150, Taken::default()), ..Edits::default() };
        let again = fold(&table(KeyKind::Assigned), known_of(None, true), &died, Vec::new(), &mut stamper());
        assert_eq!(again.bury, None);
    }

    #[test]
    fn a_number_given_again_after_a_harvest_was_cut_short_is_another_record() {
        let old = Stamp { reading: Reading(9), node: NodeId(7) };
        let known = Present { birth: Some(old), marks: Marks::default() };
        let edited = Edits { taken: of_first(150), stands: true, ..Edits::default() };
        let first = fold(&table(KeyKind::Assigned), known_of(Some(known), false), &edited, Vec::new(), &mut stamper());
        let MarksChange::Put(marked) = first.marks else { panic!() };
        let given_again = Edits { died: death(160, Taken::default()), ..born(200) };
        let second =
            fold(&table(KeyKind::Assigned), known_of(Some(marked), false), &given_again, Vec::new(), &mut stamper());
        assert_eq!(second.bury.as_ref().map(|bury| bury.0), Some(Some(old)));
        let MarksChange::Put(present) = second.marks else { panic!() };
        assert_ne!(present.birth, Some(old));
        let again = fold(
            &table(KeyKind::Assigned),
            known_of(Some(present.clone()), false),
            &given_again,
            Vec::new(),
            &mut stamper(),
        );
        assert_eq!((again.bury, again.marks), (None, MarksChange::Put(present)));
    }

    #[test]
    fn nothing_but_over_logging_changes_nothing() {
        let edits = Edits { stands: true, ..Edits::default() };
        let folded = fold(&table(KeyKind::Assigned), known_of(None, false), &edits, Vec::new(), &mut stamper());
        assert_eq!(folded, Folded { bury: None, marks: MarksChange::Keep, unbury: false });
    }

    fn values() -> Vec<(ColumnId, Value)> {
        vec![(ColumnId(1), Value::Integer(1)), (ColumnId(2), Value::Null)]
    }

    fn known(at: u64) -> Present {
        let stamp = Stamp { reading: Reading(at), node: NodeId(3) };
        let mark = Mark { stamp, cut: Cut(2), via: LinkId(4) };
        let mut marks = Marks::default();
        marks.set(ColumnId(2), mark);
        Present { birth: Some(stamp), marks }
    }

    #[test]
    fn a_deletion_keeps_the_last_values_with_the_marks_that_they_had() {
        let edits = Edits { died: death(200, of_first(150)), ..Edits::default() };
        let mut stamper = stamper();
        let folded = fold(&table(KeyKind::Assigned), known_of(Some(known(9)), false), &edits, values(), &mut stamper);
        let Some((birth, remains)) = folded.bury else { panic!() };
        assert_eq!((birth, folded.marks), (known(9).birth, MarksChange::Drop));
        let marks: Vec<_> = remains.fields.iter().map(|field| field.mark).collect();
        // The edit that had not been harvested is one, as it would be of a record that stands.
        assert_eq!(marks, [Some(stamper.mark(WallTime(150))), known(9).marks.get(ColumnId(2))]);
        assert_eq!(remains.fields[0].value, Value::Integer(1));
        assert_eq!(remains.dead, Some(stamper.mark(WallTime(200))));
        let untouched = Edits { died: death(200, Taken::default()), ..Edits::default() };
        let folded = fold(&table(KeyKind::Assigned), known_of(None, false), &untouched, values(), &mut stamper);
        let Some((None, remains)) = folded.bury else { panic!() };
        assert!(remains.fields.len() == 2 && remains.fields.iter().all(|field| field.mark.is_none()));
    }

    #[test]
    fn a_deletion_is_never_earlier_than_the_edits_before_it() {
        for (edited, deleted) in [(300, 200), (20, 10), (9_000, 9_001)] {
            let edits = Edits { died: death(deleted, of_first(edited)), ..Edits::default() };
            let folded = fold(&table(KeyKind::Assigned), known_of(None, false), &edits, values(), &mut stamper());
            let Some((_, remains)) = folded.bury else { panic!() };
            assert!(!remains.living(), "{remains:?}");
        }
    }

    #[test]
    fn what_was_made_again_under_a_natural_key_after_a_harvest_was_cut_short_dies_with_its_values() {
        let edits = Edits { died: death(200, all(180)), ..Edits::default() };
        let folded = fold(&table(KeyKind::Natural), known_of(None, true), &edits, values(), &mut stamper());
        let Some((None, remains)) = folded.bury else { panic!() };
        assert!(remains.fields.iter().all(|field| field.mark == Some(stamper().mark(WallTime(180)))));
        let only_deleted = Edits { died: death(200, Taken::default()), ..Edits::default() };
        let folded = fold(&table(KeyKind::Natural), known_of(None, true), &only_deleted, values(), &mut stamper());
        assert_eq!(folded.bury, None);
    }
}
