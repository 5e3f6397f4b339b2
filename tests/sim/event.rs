//! What can happen in a simulation, and the schedule of a seed.
//!
//! Invariant: every event has dice of its own, so that one can be left out of a schedule without changing what the others
//! do; that is what makes a failing schedule shrink.

use crate::dice::Dice;

/// What may happen in a story. A seed draws which of them do, so that each is also seen without the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Climate {
    /// Runs are killed, disks fail, the power goes.
    pub crashes: bool,
    /// The relay loses, doubles, delays and damages files.
    pub relay: bool,
    /// Clocks jump.
    pub clocks: bool,
    /// Databases and homes are put back from older copies; packages are made anew.
    pub backups: bool,
    /// Sets and their parameters change.
    pub sets: bool,
    /// Laptops are away for months.
    pub absence: bool,
    /// Clocks are too fast or too slow.
    pub drift: bool,
    /// Tables have policies.
    pub policies: bool,
    /// Remotes have rights.
    pub rights: bool,
    /// Remotes delete a great deal at once.
    pub purges: bool,
    /// People make one record of two, and discard what is held.
    pub decisions: bool,
    /// Some numbers are counters.
    pub counters: bool,
}

impl Climate {
    /// Nothing happens but what is told.
    pub const CALM: Self = Self {
        crashes: false,
        relay: false,
        clocks: false,
        backups: false,
        sets: false,
        absence: false,
        drift: false,
        policies: false,
        rights: false,
        purges: false,
        decisions: false,
        counters: false,
    };

    /// That of a seed.
    pub fn of(seed: u64) -> Self {
        let (mut dice, mut laws) = (Dice::new(seed, 11), Dice::new(seed, 18));
        // What a person decides is judged by less: so that is seen by itself.
        let decisions = Dice::new(seed, 24).percent(9);
        let mut is_law = |percent| laws.percent(percent) && !decisions;
        Self {
            crashes: dice.percent(60),
            relay: dice.percent(60),
            clocks: dice.percent(35),
            backups: dice.percent(30),
            sets: dice.percent(40),
            absence: dice.percent(40),
            drift: dice.percent(40),
            policies: is_law(32),
            rights: is_law(30),
            purges: is_law(10),
            decisions,
            counters: Dice::new(seed, 21).percent(40) && !decisions,
        }
    }
}

/// A kind of event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// An application's transaction.
    Edit,
    /// Two applications write the same field at the same moment.
    Clash,
    /// `sync`, `transfer`, `apply` or `bundle --now`.
    Run,
    /// The same, and something befalls it.
    Crash,
    /// A second run, or an application's transaction, in the middle of a run.
    TwoAtOnce,
    /// The relay does something to a file.
    Relay,
    /// Time passes.
    Time,
    /// A clock is set, forward or back.
    Clock,
    /// A copy of a node is kept.
    Keep,
    /// A copy is put back.
    PutBack,
    /// A remote's package is made again.
    PackAgain,
    /// A package is restored a second time elsewhere, and that installation speaks.
    Clone,
    /// A disk is copied, and both copies go on.
    CopiedDisk,
    /// A ledger is deleted or damaged.
    Ledger,
    /// Sets or parameters change.
    Sets,
    /// Policies or rights change.
    Laws,
    /// A hub and a remote write the same field without hearing of each other, maybe after a long silence.
    Dispute,
    /// A remote deletes a great deal at once.
    Purge,
    /// A remote does what it may not do, and speaks.
    Trespass,
    /// A person decides on what is held, or makes one record of two.
    Decide,
    /// Somebody adds to a number, or everybody at once.
    Add,
}

impl Kind {
    /// Every one.
    pub const ALL: [Self; 21] = [
        Self::Edit,
        Self::Clash,
        Self::Run,
        Self::Crash,
        Self::TwoAtOnce,
        Self::Relay,
        Self::Time,
        Self::Clock,
        Self::Keep,
        Self::PutBack,
        Self::PackAgain,
        Self::Clone,
        Self::CopiedDisk,
        Self::Ledger,
        Self::Sets,
        Self::Laws,
        Self::Dispute,
        Self::Purge,
        Self::Trespass,
        Self::Decide,
        Self::Add,
    ];
}

/// An event: its kind and its own dice.
#[derive(Clone, Debug)]
pub struct Event {
    /// Its place in the whole schedule.
    pub number: usize,
    /// What it is.
    pub kind: Kind,
    /// What else of it is drawn.
    pub dice: Dice,
}

/// The schedule of a seed.
pub fn schedule(seed: u64, climate: &Climate) -> Vec<Event> {
    let length = 30 + Dice::new(seed, 12).below(60);
    (0..usize::try_from(length).expect("a short story")).map(|number| event(seed, number, climate)).collect()
}

fn event(seed: u64, number: usize, climate: &Climate) -> Event {
    let mut dice = Dice::new(seed.wrapping_mul(1_000) + number as u64, 13);
    let kind = match dice.below(100) {
        0..=32 => Kind::Edit,
        33..=35 => Kind::Clash,
        36..=58 => Kind::Run,
        59..=72 if climate.crashes => Kind::Crash,
        59..=72 => Kind::Run,
        73..=76 => Kind::TwoAtOnce,
        77..=82 if climate.relay => Kind::Relay,
        83..=86 => Kind::Time,
        87 | 88 if climate.clocks => Kind::Clock,
        89..=91 if climate.backups => Kind::Keep,
        92 | 93 if climate.backups => Kind::PutBack,
        94 if climate.backups => Kind::PackAgain,
        95 if climate.crashes => Kind::Ledger,
        98 if climate.backups => Kind::Clone,
        99 if climate.backups => Kind::CopiedDisk,
        96 | 97 if climate.sets => Kind::Sets,
        _ => Kind::Edit,
    };
    let instead = match Dice::new(seed.wrapping_mul(1_000) + number as u64, 19).below(100) {
        0..=4 if climate.policies || climate.rights => Some(Kind::Laws),
        5..=19 if climate.policies => Some(Kind::Dispute),
        20..=34 if climate.purges => Some(Kind::Purge),
        35..=44 if climate.rights => Some(Kind::Trespass),
        45..=69 if climate.decisions => Some(Kind::Decide),
        45..=84 if climate.counters => Some(Kind::Add),
        _ => None,
    };
    // Dice of their own leave all other events of a seed as they were.
    Event { number, kind: instead.filter(|_| kind == Kind::Edit).unwrap_or(kind), dice }
}
