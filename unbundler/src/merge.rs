//! Merge: which of two histories of a record wins, field by field (DESIGN section 6).
//!
//! Pure. Owns the rules: a field's later stamp wins; a record lives when its latest field stamp is later than its
//! deletion; it is a conflict only when the loser's end had not seen the winner. Leaves to [`crate::place`] how a
//! result gets into the database.

use packhorse_shared::change::{FieldChange, RecordChange};
use packhorse_shared::clock::{Reading, Stamp};
use packhorse_shared::horizon::Horizon;
use packhorse_shared::id::{ColumnId, Cut, LinkId, NodeId};
use packhorse_shared::marks::{Mark, Marks};
use packhorse_shared::replica::{Buried, Present, Remains, RemainsField};

use crate::told::Told;

/// By how many milliseconds a birth may be ahead of the stamps of its record's fields: where many records are made at once,
/// each has a reading of its own.
const BIRTHS_AHEAD: u64 = 100;

/// Where an incoming bundle stands against what is here.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// The link that brought it.
    pub link: LinkId,
    /// The link over which its changes need not go back.
    pub via: LinkId,
    /// The cut that its changes take here.
    pub cut: Cut,
    /// The cut of ours up to which its sender had seen our changes.
    pub seen: Cut,
    /// Our horizon: what a field without a mark counts as stamped with.
    pub horizon: Horizon,
    /// Up to where births may be missing, here or at the sender.
    pub births: Horizon,
    /// Up to where births may be missing at the sender, in what it says now.
    pub dropped: Horizon,
    /// Everything made up to here on the sender's side had come before.
    pub had: Reading,
    /// Up to where peers were told that everything had come from everywhere.
    pub told: Told,
    /// Its sender.
    pub sender: NodeId,
    /// The link to this node's own hub, if it has one.
    pub hub: Option<LinkId>,
}

/// Who decides which numbers the records of a bundle have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authority {
    /// The sender, which is this node's hub.
    Sender,
    /// This node, for good: it is the root.
    Here,
    /// This node, until its own hub has decided.
    HereForNow,
}

impl Arrival {
    /// The mark of a change that it brought.
    pub fn mark(&self, stamp: Stamp) -> Mark {
        Mark { stamp, cut: self.cut, via: self.via }
    }

    /// Who decides which numbers its records have.
    pub fn authority(&self) -> Authority {
        match self.hub {
            None => Authority::Here,
            Some(hub) if hub == self.link => Authority::Sender,
            Some(_) => Authority::HereForNow,
        }
    }

    /// Whether a record that stands here and a change's, under one key, are the same. `columns`: those of its table.
    pub fn is_same_standing(&self, ours: &Present, theirs: &RecordChange, columns: &[ColumnId]) -> bool {
        self.is_known_by(ours, theirs.birth, columns) && !is_of_before(theirs, ours.birth)
    }

    /// Whether what is left of a record here and a change, under one key, are of the same.
    pub fn is_same_left(&self, ours: &Buried, theirs: &RecordChange) -> bool {
        let fields = ours.remains.fields.iter().map(|field| field.mark);
        let known = fields.chain(ours.remains.dead.map(Some));
        self.is_same(ours.birth, theirs.birth, known) && !is_of_before(theirs, ours.birth)
    }

    /// Whether a record that stands here is the one that its sender knows by a birth, or by none, under the same key.
    pub fn is_known_by(&self, ours: &Present, theirs: Option<Stamp>, columns: &[ColumnId]) -> bool {
        self.is_same(ours.birth, theirs, columns.iter().map(|column| ours.marks.get(*column)))
    }

    /// Two births are the same if they are equal; who has none may have dropped one, but not that of a record which was made
    /// after what is known of its own.
    fn is_same(&self, ours: Option<Stamp>, theirs: Option<Stamp>, known: impl Iterator<Item = Option<Mark>>) -> bool {
        let mut stamps = known.map(|mark| mark.map_or(self.horizon.stamp(), |mark| mark.stamp));
        match (ours, theirs) {
            (None, Some(birth)) => self.births.covers(birth) && !stamps.any(|stamp| is_before(stamp, birth)),
            (Some(birth), None) => self.births.covers(birth),
            (ours, theirs) => ours == theirs,
        }
    }

    /// Whether a stamp lies below our horizon and had come before: what is unknown here of such a change was forgotten.
    fn had_come(&self, stamp: Stamp) -> bool {
        self.is_below(stamp) && stamp.reading <= self.had
    }

    /// Whether a record that is not known here is an old one that was deleted, and not a new one: everything said of it
    /// had come before.
    pub fn is_forgotten(&self, change: &RecordChange) -> bool {
        let mut stamps = change.fields.iter().map(|field| field.stamp).chain(change.dead).chain(change.birth);
        stamps.all(|stamp| self.had_come(stamp))
    }

    /// Whether a change had not come before although others were told that everything of its time had, so that they would
    /// take it for known: its sender was silent for so long that nobody waited for it.
    pub fn is_late(&self, stamp: Stamp) -> bool {
        stamp.reading > self.had && self.is_past(stamp)
    }

    /// Whether everything said of a record is of such a time.
    pub fn is_all_past(&self, change: &RecordChange) -> bool {
        change.fields.iter().all(|field| self.is_past(field.stamp))
    }

    fn is_past(&self, stamp: Stamp) -> bool {
        self.is_below(stamp) || stamp.reading <= self.told.to_others(self.link)
    }

    fn is_below(&self, stamp: Stamp) -> bool {
        !self.horizon.is_none() && stamp <= self.horizon.stamp()
    }

    /// Whether its sender knew of a change of ours.
    pub fn knew(&self, ours: Mark) -> bool {
        ours.via == self.link || ours.cut <= self.seen
    }

    /// Whether it placed ours as well, and one node made both: changes that were held together are tried one by one.
    fn brought_both(&self, ours: Mark, theirs: Stamp) -> bool {
        ours.cut == self.cut && ours.stamp.node == theirs.node
    }
}

/// Whether a stamp is of a time when a record was not made yet.
pub(crate) fn is_before(stamp: Stamp, birth: Stamp) -> bool {
    stamp.reading.time().0.saturating_add(BIRTHS_AHEAD) < birth.reading.time().0
}

/// Whether a change without a birth, of a record that its sender may have dropped the birth of, speaks of a time before this
/// one was made.
fn is_of_before(theirs: &RecordChange, ours: Option<Stamp>) -> bool {
    let mut stamps = theirs.fields.iter().map(|field| field.stamp).chain(theirs.dead);
    ours.is_some_and(|birth| theirs.birth.is_none() && stamps.any(|stamp| is_before(stamp, birth)))
}

/// Which value of a field stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// The incoming one; its sender had seen ours, or there was none.
    Theirs,
    /// The incoming one, over one of ours that its sender had not seen.
    TheirsOverUnseen,
    /// Ours; it was known to the sender, or is the same change.
    Ours,
    /// Ours, over a change made without seeing it.
    OursOverBlind,
}

impl Field {
    /// Whether the incoming value stands.
    pub fn is_theirs(self) -> bool {
        matches!(self, Self::Theirs | Self::TheirsOverUnseen)
    }

    /// Whether the two were made without seeing each other.
    pub fn is_conflict(self) -> bool {
        matches!(self, Self::TheirsOverUnseen | Self::OursOverBlind)
    }
}

/// Weighs an incoming field against ours.
pub fn field(ours: Option<Mark>, theirs: Stamp, arrival: &Arrival) -> Field {
    let Some(ours) = ours else { return against_unmarked(theirs, arrival) };
    match (theirs > ours.stamp, arrival.knew(ours) || arrival.brought_both(ours, theirs)) {
        (true, true) => Field::Theirs,
        (true, false) => Field::TheirsOverUnseen,
        (false, false) if theirs < ours.stamp && theirs > Stamp::ZERO => Field::OursOverBlind,
        (false, _) => Field::Ours,
    }
}

/// A field without a mark counts as stamped at the horizon; without one, as older than every stamp. What comes below the
/// horizon and had not come before is the edit of a peer that was silent for so long that nobody waited for it.
fn against_unmarked(theirs: Stamp, arrival: &Arrival) -> Field {
    if theirs > arrival.horizon.stamp() {
        Field::Theirs
    } else if theirs == Stamp::ZERO || arrival.had_come(theirs) {
        Field::Ours
    } else {
        Field::OursOverBlind
    }
}

/// What becomes of a record that stands here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It goes on; nothing was said of a deletion.
    Lives,
    /// It was deleted there, but something here or with it is later: it lives, and goes back whole.
    Outlives,
    /// It was deleted there by a peer that was silent for so long that nobody waited for it, and what has become of it
    /// here since then is forgotten: it lives, and goes back whole.
    OutlivesUnseen,
    /// It was deleted there, later than anything known of it.
    Dies(Stamp),
}

/// Weighs an incoming deletion against the fields known here and those that came with it. One that had come before was
/// outlived, or is of a record whose number was given again.
pub fn fate(marks: &Marks, change: &RecordChange, arrival: &Arrival) -> Fate {
    let Some(dead) = change.dead.filter(|dead| !arrival.had_come(*dead)) else { return Fate::Lives };
    let incoming = change.fields.iter().map(|field| field.stamp);
    let latest = marks.latest_stamp().into_iter().chain(incoming).max();
    if latest.is_some_and(|latest| latest > dead) {
        Fate::Outlives
    } else if arrival.is_below(dead) {
        Fate::OutlivesUnseen
    } else {
        Fate::Dies(dead)
    }
}

/// Adds to what is left of a record what came of it. `column` translates a field's column; one that is not known here
/// was sorted out before.
pub fn gather(
    remains: &mut Remains,
    change: &RecordChange,
    column: impl Fn(&FieldChange) -> Option<ColumnId>,
    arrival: &Arrival,
) {
    for field in &change.fields {
        let Some(id) = column(field) else { continue };
        let later = match remains.get(id) {
            None => true,
            Some(known) => known.mark.is_none_or(|known| field.stamp > known.stamp),
        };
        if later {
            let mark = Some(arrival.mark(field.stamp));
            remains.set(RemainsField { column: id, mark, value: field.value.clone() });
        }
    }
    if change.dead > remains.dead.map(|mark| mark.stamp) {
        remains.dead = change.dead.map(|stamp| arrival.mark(stamp));
    }
}

/// Marks a record so that it goes whole to every link, its stamps unchanged: somebody is without it who ought to have
/// it. Fields without a mark get that of what they count as stamped with.
pub fn send_whole(marks: &mut Marks, columns: &[ColumnId], cut: Cut, horizon: Horizon) {
    for &column in columns {
        let stamp = marks.get(column).map_or(horizon.stamp(), |mark| mark.stamp);
        marks.set(column, Mark { stamp, cut, via: LinkId::LOCAL });
    }
    if columns.is_empty() {
        marks.for_each(|mark| *mark = Mark { cut, via: LinkId::LOCAL, ..*mark });
    }
    marks.fold(columns);
}

#[cfg(test)]
mod tests {
    use super::*;
    use packhorse_shared::clock::WallTime;
    use packhorse_shared::value::{Key, Value};

    const ARRIVAL: Arrival = Arrival {
        link: LinkId(2),
        via: LinkId(2),
        cut: Cut(50),
        seen: Cut(10),
        sender: NodeId(2),
        hub: None,
        horizon: Horizon::NONE,
        births: Horizon::NONE,
        dropped: Horizon::NONE,
        had: Reading(0),
        told: Told::NOTHING,
    };

    fn stamp(reading: u64, node: u64) -> Stamp {
        Stamp { reading: Reading(reading), node: NodeId(node) }
    }

    fn ours(reading: u64, cut: u64) -> Mark {
        Mark { stamp: stamp(reading, 1), cut: Cut(cut), via: LinkId::LOCAL }
    }

    fn change(dead: Option<u64>, fields: &[u64]) -> RecordChange {
        let field =
            |&reading: &u64| FieldChange { column: 0, value: Value::Null, stamp: stamp(reading, 2), refers_to: None };
        RecordChange {
            key: Key(vec![Value::Integer(1)]),
            birth: None,
            dead: dead.map(|reading| stamp(reading, 2)),
            whole: false,
            fields: fields.iter().map(field).collect(),
        }
    }

    #[test]
    fn the_later_stamp_wins_and_it_is_a_conflict_only_if_the_loser_was_not_seen() {
        assert_eq!(field(None, stamp(1, 2), &ARRIVAL), Field::Theirs);
        assert_eq!(field(Some(ours(5, 10)), stamp(6, 2), &ARRIVAL), Field::Theirs);
        assert_eq!(field(Some(ours(5, 11)), stamp(6, 2), &ARRIVAL), Field::TheirsOverUnseen);
        assert_eq!(field(Some(ours(7, 11)), stamp(6, 2), &ARRIVAL), Field::OursOverBlind);
        assert_eq!(field(Some(ours(7, 9)), stamp(7, 1), &ARRIVAL), Field::Ours);
    }

    #[test]
    fn what_comes_twice_changes_nothing_and_is_no_conflict() {
        let known = Mark { stamp: stamp(6, 2), cut: Cut(20), via: LinkId(2) };
        assert_eq!(field(Some(known), stamp(6, 2), &ARRIVAL), Field::Ours);
        let by_another_way = Mark { via: LinkId(3), ..known };
        assert_eq!(field(Some(by_another_way), stamp(6, 2), &ARRIVAL), Field::Ours);
    }

    #[test]
    fn what_one_node_made_and_was_held_together_is_no_conflict_in_either_order() {
        let placed = |reading| Mark { stamp: stamp(reading, 3), cut: ARRIVAL.cut, via: LinkId::LOCAL };
        assert_eq!(field(Some(placed(5)), stamp(6, 3), &ARRIVAL), Field::Theirs);
        assert_eq!(field(Some(placed(6)), stamp(5, 3), &ARRIVAL), Field::Ours);
        assert_eq!(field(Some(placed(5)), stamp(6, 2), &ARRIVAL), Field::TheirsOverUnseen, "of another node");
    }

    #[test]
    fn both_ends_decide_alike_when_the_clocks_agree() {
        let (a, b) = (stamp(5, 1), stamp(5, 2));
        let at_a = field(Some(Mark { stamp: a, cut: Cut(1), via: LinkId::LOCAL }), b, &ARRIVAL);
        let at_b = field(Some(Mark { stamp: b, cut: Cut(1), via: LinkId::LOCAL }), a, &ARRIVAL);
        assert!(at_a.is_theirs() && !at_b.is_theirs());
    }

    #[test]
    fn a_record_dies_only_if_its_deletion_is_the_latest_word() {
        assert_eq!(fate(&Marks::default(), &change(None, &[9]), &ARRIVAL), Fate::Lives);
        assert_eq!(fate(&Marks::default(), &change(Some(5), &[]), &ARRIVAL), Fate::Dies(stamp(5, 2)));
        assert_eq!(fate(&Marks::of_all(ours(6, 1)), &change(Some(5), &[]), &ARRIVAL), Fate::Outlives);
        assert_eq!(fate(&Marks::of_all(ours(4, 1)), &change(Some(5), &[6]), &ARRIVAL), Fate::Outlives);
    }

    /// Births up to 100 s may have been dropped, here or at the sender.
    #[test]
    fn a_record_without_a_birth_is_none_that_was_born_after_what_is_known_of_it() {
        let at = |second: u64| Stamp { reading: Reading::at(WallTime(second * 1000)), node: NodeId(1) };
        let mark = |second| Mark { stamp: at(second), cut: Cut(1), via: LinkId::LOCAL };
        let arrival = Arrival { births: Horizon::before(at(100).reading), ..ARRIVAL };
        let columns = [ColumnId(1)];
        let standing = |second| Present { birth: None, marks: Marks::of_all(mark(second)) };
        let of = |birth, second: u64| RecordChange { birth, ..change(None, &[Reading::at(WallTime(second * 1000)).0]) };
        let theirs = of(Some(at(50)), 60);
        assert!(arrival.is_same_standing(&standing(60), &theirs, &columns));
        assert!(!arrival.is_same_standing(&standing(40), &theirs, &columns));
        let unmarked = Present { birth: None, marks: Marks::default() };
        assert!(!arrival.is_same_standing(&unmarked, &theirs, &columns), "nothing was ever dropped here");
        let dropped = Arrival { horizon: arrival.births, ..arrival };
        assert!(dropped.is_same_standing(&unmarked, &theirs, &columns));
        let left = |remains| Buried { birth: None, remains };
        assert!(arrival.is_same_left(&left(Remains::tombstone(mark(60))), &theirs));
        assert!(!arrival.is_same_left(&left(Remains::tombstone(mark(40))), &theirs));
        let mut remains = Remains::tombstone(mark(60));
        remains.set(RemainsField { column: ColumnId(1), mark: Some(mark(40)), value: Value::Null });
        assert!(!arrival.is_same_left(&left(remains), &theirs));
        let born = Present { birth: Some(at(50)), marks: Marks::of_all(mark(50)) };
        assert!(arrival.is_same_standing(&born, &of(None, 60), &columns));
        assert!(!arrival.is_same_standing(&born, &of(None, 40), &columns), "they speak of one before it");
    }

    #[test]
    fn gathering_is_the_same_in_any_order() {
        let column = |_: &FieldChange| Some(ColumnId(1));
        let parts = [change(None, &[7]), change(Some(5), &[]), change(None, &[6]), change(Some(4), &[])];
        for order in [[0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2]] {
            let mut remains = Remains::default();
            for at in order {
                gather(&mut remains, &parts[at], column, &ARRIVAL);
            }
            assert_eq!(remains.dead.map(|mark| mark.stamp), Some(stamp(5, 2)));
            assert_eq!(remains.latest_field(), Some(stamp(7, 2)));
            assert!(remains.living());
        }
    }

    #[test]
    fn a_record_sent_whole_keeps_its_stamps() {
        let columns = [ColumnId(1), ColumnId(2)];
        let mut marks = Marks::default();
        marks.set(ColumnId(1), ours(5, 3));
        send_whole(&mut marks, &columns, Cut(9), Horizon::NONE);
        assert_eq!(marks.get(ColumnId(1)).map(|mark| (mark.stamp, mark.cut)), Some((stamp(5, 1), Cut(9))));
        assert_eq!(marks.get(ColumnId(2)).map(|mark| (mark.stamp, mark.cut)), Some((Stamp::ZERO, Cut(9))));
    }
}
