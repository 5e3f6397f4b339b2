//! Sizes and durations as people write them: "256 KiB", "15 min".
//!
//! Owns their text forms. Invariant: what is printed parses to the same quantity, and no quantity is so large that
//! adding it to a size or a time can overflow. Leaves to the configuration which of them may be zero.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A size in bytes, at most `i64::MAX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ByteCount(u64);

/// A length of time in whole milliseconds, at most a hundred years; none by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span(u64);

/// Text that is no quantity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// Not a whole number followed by a unit.
    #[error("\"{text}\" is not a {kind}: write a whole number and a unit, like \"{example}\"")]
    Unreadable {
        /// The text, shortened.
        text: String,
        /// What it should have been.
        kind: &'static str,
        /// One that is right.
        example: &'static str,
    },
    /// A number with a word behind it that is no unit.
    #[error("\"{unit}\" is not a unit of a {kind}: use one of {units}")]
    Unit {
        /// The word, shortened.
        unit: String,
        /// What it should have been a unit of.
        kind: &'static str,
        /// Those that there are.
        units: String,
    },
    /// More than can be meant.
    #[error("\"{text}\" is too large for a {kind}: at most {most} can be given")]
    TooLarge {
        /// The text, shortened.
        text: String,
        /// What it should have been.
        kind: &'static str,
        /// The largest one.
        most: &'static str,
    },
}

struct Unit {
    /// The first is the one that is printed; the others are understood.
    names: &'static [&'static str],
    size: u64,
    /// Printed only from this many on, so that 24 h is not told as "1 day".
    from: u64,
}

const fn unit(names: &'static [&'static str], size: u64, from: u64) -> Unit {
    Unit { names, size, from }
}

struct Kind {
    name: &'static str,
    example: &'static str,
    max: u64,
    most: &'static str,
    /// Largest first; the last has size 1. Only the units with `from` above zero are printed.
    units: &'static [Unit],
}

const SECOND: u64 = 1_000;
const HOUR: u64 = 3_600 * SECOND;
const DAY: u64 = 24 * HOUR;
const YEAR: u64 = 365 * DAY;

const SIZES: Kind = Kind {
    name: "size",
    example: "256 KiB",
    max: i64::MAX as u64,
    most: "8388607 TiB",
    units: &[
        unit(&["TiB"], 1 << 40, 1),
        unit(&["GiB"], 1 << 30, 1),
        unit(&["GB"], 1_000_000_000, 0),
        unit(&["MiB"], 1 << 20, 1),
        unit(&["MB"], 1_000_000, 0),
        unit(&["KiB"], 1 << 10, 1),
        unit(&["kB", "KB"], 1_000, 0),
        unit(&["B"], 1, 1),
    ],
};

const TIMES: Kind = Kind {
    name: "length of time",
    example: "15 min",
    max: 100 * YEAR,
    most: "100 years",
    units: &[
        unit(&["years"], YEAR, 2),
        unit(&["year"], YEAR, 1),
        unit(&["weeks", "week"], 7 * DAY, 0),
        unit(&["days", "day", "d"], DAY, 2),
        unit(&["h", "hour", "hours"], HOUR, 1),
        unit(&["min"], 60 * SECOND, 1),
        unit(&["s"], SECOND, 1),
        unit(&["ms"], 1, 1),
    ],
};

fn shortened(text: &str) -> String {
    text.chars().take(40).collect()
}

impl Kind {
    fn parse(&self, text: &str) -> Result<u64, QuantityError> {
        let unreadable = || QuantityError::Unreadable { text: shortened(text), kind: self.name, example: self.example };
        let too_large = || QuantityError::TooLarge { text: shortened(text), kind: self.name, most: self.most };
        let trimmed = text.trim();
        let end = trimmed.find(|c: char| !c.is_ascii_digit()).ok_or_else(unreadable)?;
        let (digits, rest) = trimmed.split_at_checked(end).ok_or_else(unreadable)?;
        let name = rest.trim_start();
        // "1.5 MiB" and "-3 s" fail for their number, not for a unit that nobody has written.
        if digits.is_empty() || !name.starts_with(|c: char| c.is_alphabetic()) {
            return Err(unreadable());
        }
        let unit = self.units.iter().find(|unit| unit.names.contains(&name)).ok_or_else(|| self.no_unit(name))?;
        let number: u64 = digits.parse().map_err(|_| too_large())?;
        number.checked_mul(unit.size).filter(|product| *product <= self.max).ok_or_else(too_large)
    }

    fn no_unit(&self, name: &str) -> QuantityError {
        let units: Vec<&str> = self.units.iter().filter_map(|unit| unit.names.first().copied()).collect();
        QuantityError::Unit { unit: shortened(name), kind: self.name, units: units.join(", ") }
    }

    fn print(&self, amount: u64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = |unit: &&Unit| unit.from > 0 && amount.is_multiple_of(unit.size) && amount / unit.size >= unit.from;
        let (size, name) = match self.units.iter().find(fits).or(self.units.last()) {
            Some(Unit { names: [name, ..], size, .. }) => (*size, *name),
            _ => return Err(fmt::Error),
        };
        write!(f, "{} {name}", amount / size)
    }
}

impl ByteCount {
    /// This many bytes.
    pub const fn bytes(count: u64) -> Self {
        Self(if count > SIZES.max { SIZES.max } else { count })
    }

    /// This many times 1024 bytes.
    pub const fn kib(count: u64) -> Self {
        Self::bytes(count.saturating_mul(1 << 10))
    }

    /// The number of bytes.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl Span {
    /// This many milliseconds.
    pub const fn from_millis(millis: u64) -> Self {
        Self(if millis > TIMES.max { TIMES.max } else { millis })
    }

    /// This many minutes.
    pub const fn minutes(count: u64) -> Self {
        Self::from_millis(count.saturating_mul(60 * SECOND))
    }

    /// This many hours.
    pub const fn hours(count: u64) -> Self {
        Self::from_millis(count.saturating_mul(HOUR))
    }

    /// This many years of 365 days.
    pub const fn years(count: u64) -> Self {
        Self::from_millis(count.saturating_mul(YEAR))
    }

    /// The number of milliseconds.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// The same as the standard library's type.
    pub const fn as_duration(self) -> Duration {
        Duration::from_millis(self.0)
    }
}

macro_rules! quantity_text {
    ($name:ident, $kind:ident) => {
        impl FromStr for $name {
            type Err = QuantityError;
            fn from_str(text: &str) -> Result<Self, QuantityError> {
                $kind.parse(text).map(Self)
            }
        }

        impl TryFrom<String> for $name {
            type Error = QuantityError;
            fn try_from(text: String) -> Result<Self, QuantityError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(quantity: $name) -> Self {
                quantity.to_string()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                $kind.print(self.0, f)
            }
        }
    };
}

quantity_text!(ByteCount, SIZES);
quantity_text!(Span, TIMES);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_the_documents_write_reads_and_prints_the_same() {
        for (text, bytes) in [("256 KiB", 256 << 10), ("1 MiB", 1 << 20), ("1000 B", 1000), ("0 B", 0)] {
            assert_eq!(text.parse(), Ok(ByteCount::bytes(bytes)));
            assert_eq!(ByteCount::bytes(bytes).to_string(), text);
        }
        for (text, millis) in [
            ("100 ms", 100),
            ("2 min", 120_000),
            ("15 min", 900_000),
            ("24 h", DAY),
            ("1 year", YEAR),
            ("2 years", 2 * YEAR),
            ("7 days", 7 * DAY),
            ("90 s", 90_000),
            ("0 ms", 0),
        ] {
            assert_eq!(text.parse(), Ok(Span::from_millis(millis)), "{text}");
            assert_eq!(Span::from_millis(millis).to_string(), text);
        }
    }

    #[test]
    fn other_spellings_are_understood() {
        assert_eq!(" 256KiB ".parse(), Ok(ByteCount::kib(256)));
        assert_eq!("2 kB".parse(), Ok(ByteCount::bytes(2000)));
        assert_eq!("1 day".parse::<Span>(), "24 hours".parse());
        assert_eq!("2 weeks".parse::<Span>(), "14 d".parse());
    }

    #[test]
    fn what_is_no_quantity_is_refused() {
        for bad in
            ["", " ", "KiB", "12", "-1 KiB", "1.5 MiB", "+1 B", "1 KiB 2", "1 kib", "١ B", "1 ä", "0x10 B", "1\u{0}B"]
        {
            assert!(bad.parse::<ByteCount>().is_err(), "{bad}");
        }
        for bad in ["", "min", "15", "15 minuten", "-1 s", "1 s 5 ms", "1e3 s", "1 KiB", "ä"] {
            assert!(bad.parse::<Span>().is_err(), "{bad}");
        }
    }

    #[test]
    fn what_would_overflow_is_too_large() {
        let parsed = |text: &str| text.parse::<ByteCount>();
        assert!(matches!(parsed("99999999999999999999999 B"), Err(QuantityError::TooLarge { .. })));
        assert!(matches!(parsed("18446744073709551615 TiB"), Err(QuantityError::TooLarge { .. })));
        assert!(parsed("8388607 TiB").is_ok());
        assert!(matches!("101 years".parse::<Span>(), Err(QuantityError::TooLarge { .. })));
        assert_eq!(Span::years(u64::MAX), "100 years".parse().unwrap());
    }

    #[test]
    fn a_wrong_unit_is_answered_with_the_right_ones() {
        let message = "5 minutos".parse::<Span>().unwrap_err().to_string();
        assert!(message.contains("minutos") && message.contains("min, s, ms"), "{message}");
    }

    proptest! {
        #[test]
        fn printing_and_parsing_are_inverse(amount in 0..=TIMES.max) {
            prop_assert_eq!(Span(amount).to_string().parse(), Ok(Span(amount)));
            prop_assert_eq!(ByteCount(amount).to_string().parse(), Ok(ByteCount(amount)));
        }

        #[test]
        fn no_text_panics(text in "\\PC*") {
            let _ = text.parse::<Span>();
            let _ = text.parse::<ByteCount>();
        }
    }
}
