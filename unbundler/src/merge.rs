//! Merge: which of two histories of a record wins, field by field (DESIGN section 6).
//!
//! Pure. Owns the rules: a field's later stamp wins; a record lives when its latest field stamp is later than its
//! deletion; it is a conflict only when the loser's end had not seen the winner. Leaves to [`crate::place`] how a
//! result gets into the database.

use packhorse_shared::change::{FieldChange, RecordChange};
use packhorse_shared::clock::{BIRTHS_AHEAD, Reading, Stamp, WallTime};
use packhorse_shared::horizon::Horizon;
use packhorse_shared::id::{ColumnId, Cut, LinkId, NodeId};
use packhorse_shared::link::{Extent, Silence};
use packhorse_shared::marks::{Mark, Marks};
use packhorse_shared::replica::{Buried, Present, Remains, RemainsField, Whom};
use packhorse_shared::seam::{Saboteur, is_at_work};

use crate::told::Told;

mod count;
mod prefer;

pub use count::{Counted, count};
pub use prefer::{Decided, decide};

/// Where an incoming bundle stands against what is here.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// The link that brought it.
    pub link: LinkId,
    /// The link over which its changes need not go back.
    pub via: LinkId,
    /// The cut that its changes take here.
    pub cut: Cut,
    /// The cut of ours up to which its sender had seen our changes when it said this.
    pub seen: Cut,
    /// And up to which it may have seen those of the record that is looked at: it is not always known when that left its set, nor
    /// where the bundle ends that it acknowledges.
    pub may_have_seen: Cut,
    /// And up to which it has by now: what is held was said before.
    pub heard: Cut,
    /// Whether its sender is to tell everything that it has, and has not told all of it yet.
    pub awaits_answer: bool,
    /// Whether it may tell again what it told before, or has lost what it was told: one of the two comes from a backup, and not
    /// everything has been told since.
    pub tells_again: bool,
    /// Whether it may have seen what bears no mark here. Who made a record under the same key without having been told of ours
    /// has not.
    pub knew_genesis: bool,
    /// Our horizon: what a field without a mark counts as stamped with.
    pub horizon: Horizon,
    /// Up to where births may be missing, here or at the sender.
    pub births: Horizon,
    /// Up to where its sender may have left births out, having dropped them.
    pub left_out: Horizon,
    /// Up to where births may be missing at the sender, in what it says now.
    pub dropped: Horizon,
    /// Everything made up to here on the sender's side had come before.
    pub had: Reading,
    /// Everything made up to here on our side its sender had seen when it said this.
    pub known_to: Reading,
    /// Of what this node made and may have lost with a return to a backup, everything up to here has come back from its sender.
    pub returned: Reading,
    /// Up to where peers were told that everything had come from everywhere.
    pub told: Told,
    /// Its sender.
    pub sender: NodeId,
    /// The link to this node's own hub, if it has one.
    pub hub: Option<LinkId>,
    /// What is known here of what its sender was told.
    pub past: Past,
    /// How much this node's own hub is to be sent: everything, if one of the two has lost something.
    pub owed: Extent,
    /// What becomes of what it deletes.
    pub deletions: Deletions,
    /// The silence of its sender's that may count against what it says.
    pub silence: Silence,
}

/// What becomes of the deletions of a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deletions {
    /// They count like every other change.
    Count,
    /// A person has refused them.
    Refused,
}

/// Whether a node knows what it has told a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Past {
    /// It does.
    Known,
    /// It comes from a backup, and the peer has not told it everything yet.
    Lost,
    /// It does, and the peer, its hub, comes from a backup of before it made its package: whom the hub deleted before that it
    /// has again.
    LostThere,
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
        let anew = if is_at_work(Saboteur::StampAnew) { Reading::at(WallTime(3_600_000)).0 } else { 0 };
        let stamp = Stamp { reading: Reading(stamp.reading.0 + anew), ..stamp };
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
    /// after what is known of its own. What we have dropped ourselves says nothing of what the sender means by having none.
    fn is_same(&self, ours: Option<Stamp>, theirs: Option<Stamp>, known: impl Iterator<Item = Option<Mark>>) -> bool {
        if is_at_work(Saboteur::IgnoreBirths) {
            return true;
        }
        let mut stamps = known.map(|mark| mark.map_or(self.horizon.stamp(), |mark| mark.stamp));
        match (ours, theirs) {
            (None, Some(birth)) => self.births.covers(birth) && !stamps.any(|stamp| is_before(stamp, birth)),
            (Some(birth), None) => self.left_out.covers(birth),
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
    /// take it for known: its sender was silent for so long that nobody waited for it, or brings back what was lost here before
    /// anybody knew of that.
    pub fn is_late(&self, stamp: Stamp) -> bool {
        stamp.reading > self.had.min(self.returned) && self.is_past(stamp)
    }

    /// The stamp of such a change: others take it for new, and it overrules nothing more than it has to.
    pub fn late_stamp(&self, stamp: Stamp) -> Stamp {
        let known = self.horizon.reading().max(self.told.to_others(self.link));
        Stamp { reading: known.max(stamp.reading).next(), ..stamp }
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
        self.has_seen(ours.cut, ours.via)
    }

    /// Whether its sender had seen what took this cut here, and had come by this link.
    pub fn has_seen(&self, cut: Cut, via: LinkId) -> bool {
        via == self.link || cut <= self.seen
    }

    /// Whether nobody knows if its sender had seen what took this cut here.
    pub fn is_in_doubt(&self, cut: Cut, via: LinkId) -> bool {
        !self.has_seen(cut, via) && cut <= self.may_have_seen
    }

    /// Whether its sender knows of a change of ours by now.
    pub fn knows(&self, ours: Mark) -> bool {
        ours.via == self.link || ours.cut <= self.heard
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
pub(crate) fn is_of_before(theirs: &RecordChange, ours: Option<Stamp>) -> bool {
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
    let is_tie = theirs.reading == ours.stamp.reading && is_at_work(Saboteur::CompareWithoutNode);
    let is_again = theirs == ours.stamp && is_at_work(Saboteur::ApplyAgain);
    match (theirs > ours.stamp && !is_tie || is_again, arrival.knew(ours) || arrival.brought_both(ours, theirs)) {
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
        if arrival.knew_genesis { Field::Theirs } else { Field::TheirsOverUnseen }
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

/// Weighs an incoming deletion against the fields known here, of these columns, and those that came with it. One that had come
/// before was outlived, or is of a record whose number was given again. Which number a record has is no edit of it, however late
/// that was decided: it outlives nothing.
pub fn fate(marks: &Marks, columns: &[ColumnId], change: &RecordChange, arrival: &Arrival) -> Fate {
    let Some(dead) = change.dead.filter(|dead| !arrival.had_come(*dead)) else { return Fate::Lives };
    let incoming = change.fields.iter().map(|field| field.stamp);
    let known = columns.iter().filter_map(|column| marks.get(*column)).map(|mark| mark.stamp);
    let existence = marks.latest_stamp().filter(|_| columns.is_empty());
    let latest = known.chain(existence).chain(incoming).max();
    if latest.is_some_and(|latest| latest > dead) && !is_at_work(Saboteur::DeleteAlways) {
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
            remains.set(RemainsField {
                column: id,
                mark,
                value: field.value.clone(),
                meant: Whom::of_birth(field.refers_to),
            });
        }
    }
    if change.dead > remains.dead.map(|mark| mark.stamp) {
        remains.dead = change.dead.map(|stamp| arrival.mark(stamp));
    }
}

/// The marks of what is left of a record.
pub fn marks_left(remains: &Remains) -> Marks {
    let mut marks = Marks::default();
    for field in &remains.fields {
        field.mark.into_iter().for_each(|mark| marks.set(field.column, mark));
    }
    marks
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

/// Marks a record that lives on although it was deleted, by a decision made now: one of its fields is edited anew, which is
/// later than its deletion, and it goes whole to every link. The others keep their stamps, so that an edit of them that is not
/// known here stands. `identity`: what it has in common with whatever it may turn out to be one with, which loses nothing by it.
pub fn live_on(marks: &mut Marks, columns: &[ColumnId], identity: &[ColumnId], decided: Mark, horizon: Horizon) {
    send_whole(marks, columns, decided.cut, horizon);
    marks.set(identity.first().or(columns.first()).copied().unwrap_or(ColumnId::EXISTENCE), decided);
    marks.fold(columns);
}

#[cfg(test)]
mod tests;
