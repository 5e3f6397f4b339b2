//! Numbers, sizes and times as people read them.

use jiff::Timestamp;
use packhorse_shared::clock::WallTime;
use packhorse_shared::value::Value;

/// "1 record", "2 records".
pub fn count(number: u64, one: &str, many: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {many}") }
}

/// "812 B", "1.3 KiB", "40 MiB".
pub fn bytes(size: u64) -> String {
    let mut value = size as f64;
    let mut unit = "B";
    for larger in ["KiB", "MiB", "GiB", "TiB"] {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = larger;
    }
    match unit {
        "B" => format!("{size} B"),
        _ if value < 10.0 => format!("{value:.1} {unit}"),
        _ => format!("{value:.0} {unit}"),
    }
}

/// How long ago something was, or how long it took: "12 s", "5 min", "3 h", "40 d".
pub fn span(millis: u64) -> String {
    let seconds = millis / 1000;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// RFC 3339 in UTC, to the second, as the JSON has it.
pub fn timestamp(time: WallTime) -> Option<String> {
    let seconds = i64::try_from(time.0 / 1000).ok()?;
    Timestamp::from_second(seconds).ok().map(|timestamp| timestamp.to_string())
}

/// A name from outside, safe to show on a terminal: control characters are escaped.
pub fn shown(name: &str) -> String {
    let mut shown = String::with_capacity(name.len());
    for c in name.chars() {
        if c.is_control() { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    shown
}

/// A value as SQL would write it; of one with more than so many characters the beginning.
pub fn brief_value(value: &Value, most: usize) -> String {
    let whole = value.to_string();
    match whole.char_indices().nth(most) {
        None => whole,
        Some((end, _)) => format!("{}... ({} in all, which --json shows)", &whole[..end], bytes(value.size())),
    }
}

/// The longest word of a message, in characters, and its longest line: what was typed, or met in a file, may be of any
/// length.
const WORD_MAX: usize = 256;
const LINE_MAX: usize = 1_500;

/// A line of a message, safe to show, and no longer than can be read: of what is longer the beginning and the end.
pub fn brief(line: &str) -> String {
    let words: Vec<String> = shown(line).split(' ').map(|word| shortened(word, WORD_MAX)).collect();
    shortened(&words.join(" "), LINE_MAX)
}

fn shortened(text: &str, most: usize) -> String {
    let length = text.chars().count();
    if length <= most {
        return text.to_owned();
    }
    let (first, last) = (most / 3, most / 6);
    let (begins, ends) = (text.chars().take(first), text.chars().skip(length - last));
    format!("{}...({length} characters)...{}", begins.collect::<String>(), ends.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_counts_read_well() {
        assert_eq!(bytes(812), "812 B");
        assert_eq!(bytes(1_300), "1.3 KiB");
        assert_eq!(bytes(40 << 20), "40 MiB");
        assert_eq!(count(1, "record", "records"), "1 record");
        assert_eq!(count(0, "record", "records"), "0 records");
    }

    #[test]
    fn spans_read_well() {
        let told = [0, 59_999, 60_000, 3_599_999, 3_600_000, 172_799_999, 172_800_000].map(span);
        assert_eq!(told, ["0 s", "59 s", "1 min", "59 min", "1 h", "47 h", "2 d"]);
    }

    #[test]
    fn times_are_utc_to_the_second() {
        assert_eq!(timestamp(WallTime(1_795_246_200_999)).as_deref(), Some("2026-11-21T07:30:00Z"));
        assert_eq!(timestamp(WallTime(u64::MAX)), None);
    }

    #[test]
    fn a_name_cannot_control_the_terminal() {
        assert_eq!(shown("a\u{1b}[2Jb"), "a\\u{1b}[2Jb");
    }

    #[test]
    fn a_message_is_no_longer_than_can_be_read_and_keeps_its_end() {
        let usual = format!("there is no database at {}: check the path", "x".repeat(200));
        assert_eq!(brief(&usual), usual);
        let told = brief(&format!("no set \"{}\": see `set list`", "ä".repeat(65_536)));
        let (begins, ends) = ("ä".repeat(84), "ä".repeat(40));
        assert_eq!(told, format!("no set \"{begins}...(65539 characters)...{ends}\": see `set list`"));
        let words = brief(&format!("first {}last", "a b\u{7} ".repeat(20_000)));
        assert!(words.chars().count() < LINE_MAX && words.starts_with("first a b\\u{7} "), "{words}");
        assert!(words.ends_with("a b\\u{7} last"), "{words}");
    }
}
