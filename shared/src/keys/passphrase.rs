//! The passphrase of a package.
//!
//! Owns how one is made up: words that can be said on a telephone, of 84 bits from the system's randomness. Invariant: it is
//! shown by nothing but [`Passphrase::reveal`].

use std::fmt;
use std::io;

/// Sixteen consonants and four vowels, none of which is taken for another: six bits for each syllable.
const CONSONANTS: &[u8; 16] = b"bdfghjklmnprstvz";
const VOWELS: &[u8; 4] = b"aiou";

/// Of two syllables each.
const WORDS: usize = 7;

/// A passphrase, never empty.
#[derive(Clone, PartialEq, Eq)]
pub struct Passphrase(String);

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase")
    }
}

impl Passphrase {
    /// One that a person has given; None if that is nothing.
    pub fn given(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self(text.to_owned()))
    }

    /// A new one.
    ///
    /// # Errors
    /// If the system has no randomness to give.
    pub fn generate() -> io::Result<Self> {
        let mut lots = [0; 2 * WORDS];
        getrandom::fill(&mut lots).map_err(io::Error::other)?;
        let words = lots.chunks(2).map(|lots| lots.iter().flat_map(|lot| syllable(*lot)).collect::<String>());
        Ok(Self(words.collect::<Vec<_>>().join("-")))
    }

    /// What it is.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

/// The syllable of a number's lowest six bits.
fn syllable(lot: u8) -> [char; 2] {
    let letter = |letters: &[u8], at: u8| letters.get(usize::from(at)).copied().map_or('a', char::from);
    [letter(CONSONANTS, lot & 15), letter(VOWELS, lot >> 4 & 3)]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn syllables_are_all_different_and_passphrases_are_words() {
        let all: BTreeSet<[char; 2]> = (0..64).map(syllable).collect();
        assert_eq!(all.len(), 64);
        let made = Passphrase::generate().unwrap();
        let words: Vec<&str> = made.reveal().split('-').collect();
        assert!(words.len() == WORDS && words.iter().all(|word| word.len() == 4), "{}", made.reveal());
        assert_ne!(made, Passphrase::generate().unwrap());
        assert_eq!(format!("{made:?}"), "Passphrase");
        assert_eq!(Passphrase::given(""), None);
    }
}
