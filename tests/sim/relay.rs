//! The relay: a folder that loses, doubles, delays and damages what lies in it, and that may be away.

use std::fs;
use std::path::{Path, PathBuf};

use simulated_machine::PowerCut;

use crate::dice::Dice;
use crate::hiding;
use crate::node::files;

/// What is kept aside of it.
#[derive(Clone, Debug)]
pub struct Relay {
    folder: PathBuf,
    /// Files that come back later, or come again.
    aside: Vec<(PathBuf, Vec<u8>)>,
}

/// What a relay does to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mishap {
    /// It is gone.
    Lost,
    /// It is not there, and comes later: late, or out of order.
    Late,
    /// It is there, and comes once more later.
    Doubled,
    /// Its end is missing.
    Cut,
    /// One bit of it is another.
    Flipped,
    /// It is there, and the relay does not list it for a while.
    Hidden,
    /// What was hidden is listed.
    Listed,
    /// What was aside comes.
    Comes,
    /// The whole relay is away, or there again.
    Away,
    /// Its power goes: what was not synced there is lost or cut.
    PowerCut,
}

impl Mishap {
    /// Every one, the frequent ones more than once.
    pub const ALL: [Self; 16] = [
        Self::Lost,
        Self::Lost,
        Self::Late,
        Self::Cut,
        Self::Doubled,
        Self::Doubled,
        Self::Cut,
        Self::Flipped,
        Self::Hidden,
        Self::Hidden,
        Self::PowerCut,
        Self::Listed,
        Self::Listed,
        Self::Comes,
        Self::Away,
        Self::PowerCut,
    ];
}

impl Relay {
    /// A relay in this folder.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder, aside: Vec::new() }
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether it is there.
    pub fn is_there(&self) -> bool {
        self.folder.exists()
    }

    /// Whether there is a bundle whose name begins so.
    pub fn carries(&self, beginning: &str) -> bool {
        self.bundles().iter().any(|path| name(path).starts_with(beginning))
    }

    /// The bundle whose name begins so is lost.
    pub fn lose(&mut self, name: &str) {
        let is_it = |file: &PathBuf| file.file_name().is_some_and(|its| its.to_string_lossy().starts_with(name));
        let lost = files(&self.folder).into_iter().find(is_it);
        fs::remove_file(lost.expect("a bundle of that name")).expect("it goes");
        self.settle();
    }

    /// A person removes all that lies in a mailbox, or would come into it late: nobody else knows of it any more.
    pub fn empty(&mut self, mailbox: &Path) {
        self.aside.retain(|(path, _)| !path.starts_with(mailbox));
        for file in files(mailbox) {
            fs::remove_file(file).expect("what lies on the relay goes");
        }
        self.settle();
    }

    fn other_name(&self) -> PathBuf {
        self.folder.with_extension("away")
    }

    /// Something happens to a file: what, and to which.
    pub fn mishap(&mut self, dice: &mut Dice) -> Option<(Mishap, String)> {
        let mishap = dice.pick(&Mishap::ALL).expect("mishaps");
        if mishap == Mishap::PowerCut && self.is_there() {
            let lost = simulated_machine::power_cut(&[&self.folder], dice.throw());
            return (lost != PowerCut::default()).then(|| (mishap, format!("{lost:?}")));
        }
        let befell = self.befallen_by(mishap, dice);
        self.settle();
        befell
    }

    /// All that lies there is on its disk for certain.
    fn settle(&self) {
        simulated_machine::settle(&[&self.folder]);
    }

    fn befallen_by(&mut self, mishap: Mishap, dice: &mut Dice) -> Option<(Mishap, String)> {
        if mishap == Mishap::Away || !self.is_there() {
            let (from, to) = (self.folder.clone(), self.other_name());
            let (from, to) = if self.is_there() { (from, to) } else { (to, from) };
            fs::rename(from, to).expect("the relay moves");
            return Some((Mishap::Away, format!("there: {}", self.is_there())));
        }
        if mishap == Mishap::Comes {
            return (!self.aside.is_empty()).then(|| {
                let (path, content) = self.aside.remove(dice.below(self.aside.len() as u64) as usize);
                come(&path, &content);
                (mishap, name(&path))
            });
        }
        if mishap == Mishap::Listed {
            return (hiding::show_all() > 0).then(|| (mishap, "all".to_owned()));
        }
        let path = dice.pick(&self.bundles())?;
        self.befalls(&path, mishap, dice);
        Some((mishap, name(&path)))
    }

    fn bundles(&self) -> Vec<PathBuf> {
        let is_bundle = |path: &PathBuf| path.extension().is_some_and(|end| end == "bundle");
        files(&self.folder).into_iter().filter(is_bundle).collect()
    }

    fn befalls(&mut self, path: &Path, mishap: Mishap, dice: &mut Dice) {
        if mishap == Mishap::Hidden {
            return hiding::hide(name(path));
        }
        let mut content = fs::read(path).expect("a bundle");
        if matches!(mishap, Mishap::Late | Mishap::Doubled) {
            self.aside.push((path.to_owned(), content.clone()));
        }
        if matches!(mishap, Mishap::Lost | Mishap::Late) {
            return fs::remove_file(path).expect("a bundle");
        }
        let at = dice.below(content.len() as u64) as usize;
        match mishap {
            Mishap::Cut => content.truncate(at),
            Mishap::Flipped => content[at] ^= 1 << dice.below(8),
            _ => return,
        }
        fs::write(path, content).expect("a bundle");
    }

    /// The faults end: the relay is there and lists all, and what was late comes, or never does. Where it loses anything, the last that was
    /// sent may be among that.
    pub fn calm_down(&mut self, dice: &mut Dice, loses: bool) {
        if !self.is_there() {
            fs::rename(self.other_name(), &self.folder).expect("the relay comes back");
        }
        hiding::show_all();
        let bundles = self.bundles().into_iter().filter(|_| loses && dice.percent(30));
        bundles.for_each(|path| fs::remove_file(path).expect("a bundle"));
        for (path, content) in std::mem::take(&mut self.aside) {
            if dice.percent(50) {
                come(&path, &content);
            }
        }
        self.settle();
    }
}

fn come(path: &Path, content: &[u8]) {
    // The mailbox of a remote that is gone is gone with it.
    if path.parent().is_some_and(Path::exists) {
        fs::write(path, content).expect("a bundle");
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
