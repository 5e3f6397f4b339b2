//! Masks: what differs from run to run in what a command says, replaced by a name for it.
//!
//! Invariant: two runs of the same case read the same afterwards, and nothing that people read for its meaning is lost.

use std::path::Path;

use packhorse_shared::bundle::BundleName;

/// How many characters of one word that was typed are kept; what is longer was made so on purpose.
const WORD_MAX: usize = 70;

/// The text with paths of the scene, ids, times, bundle names, process numbers and sizes of files masked.
pub fn masked(text: &str, folder: &Path) -> String {
    let real = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let text = text.replace(&*real.to_string_lossy(), "FOLDER").replace(&*folder.to_string_lossy(), "FOLDER");
    let mut told = String::new();
    let mut rest = text.as_str();
    while let Some(first) = rest.chars().next() {
        let is_part = |c: char| c.is_ascii_alphanumeric() || ".-:_".contains(c);
        let end = if is_part(first) { rest.find(|c| !is_part(c)).unwrap_or(rest.len()) } else { first.len_utf8() };
        let (part, after) = rest.split_at(end);
        told.push_str(&name(part, &told));
        rest = after;
    }
    without_sizes(&told)
}

/// The sizes of files, which stand in brackets.
fn without_sizes(text: &str) -> String {
    let is_size = |inside: &str| {
        let (number, unit) = inside.split_once(' ').unwrap_or_default();
        ["B", "KiB", "MiB"].contains(&unit) && number.parse::<f64>().is_ok()
    };
    let mut parts = text.split('(');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |told, part| match part.split_once(')') {
        Some((inside, after)) if is_size(inside) => format!("{told}(SIZE){after}"),
        _ => format!("{told}({part}"),
    })
}

/// What stands for a part of the text, which `before` comes before.
fn name(part: &str, before: &str) -> String {
    let bare = part.trim_end_matches(['.', ':', '-']);
    let tail = &part[bare.len()..];
    let is_number = !bare.is_empty() && bare.bytes().all(|byte| byte.is_ascii_digit());
    let is_hex = bare.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    let masked = match bare.parse::<BundleName>() {
        Ok(name) => format!("{}.{}.BUNDLE", name.from, name.to),
        Err(_) if bare.ends_with(".bundle.reason") => name_of_reason(bare),
        Err(_) if is_time(bare) => "TIME".to_owned(),
        Err(_) if is_hex && bare.len() == 16 => "ID".to_owned(),
        Err(_) if is_hex && bare.len() == 64 => "DIGEST".to_owned(),
        Err(_) if bare.starts_with("sealing-") => "sealing-ID".to_owned(),
        Err(_) if is_number && before.ends_with("process ") => "PID".to_owned(),
        Err(_) => bare.to_owned(),
    };
    masked + tail
}

fn name_of_reason(part: &str) -> String {
    let name = part.trim_end_matches(".reason").parse::<BundleName>();
    name.map_or_else(|_| part.to_owned(), |name| format!("{}.{}.BUNDLE.reason", name.from, name.to))
}

/// RFC 3339, to the second or finer.
fn is_time(part: &str) -> bool {
    let shape: String = part.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    shape.starts_with("0000-00-00T00:00:00") && shape.ends_with('Z')
}

/// A word that is longer than anybody reads, by its beginning, its end and its length.
pub fn shortened(word: &str) -> String {
    let length = word.chars().count();
    if length <= WORD_MAX {
        return word.to_owned();
    }
    let (first, last): (String, String) =
        (word.chars().take(10).collect(), word.chars().skip(length.saturating_sub(10)).collect());
    format!("{first}<{length}>{last}")
}

#[test]
fn what_differs_from_run_to_run_is_masked_and_the_rest_is_not() {
    let folder = Path::new("/tmp/.tmpX1");
    for (text, told) in [
        ("no database at /tmp/.tmpX1/a.db: check", "no database at FOLDER/a.db: check"),
        ("hq.alice.18f3c2a1.000042.9a41c07be2d65f18.bundle went", "hq.alice.BUNDLE went"),
        ("of network 00ff00ff00ff00ff, not", "of network ID, not"),
        ("at 2026-11-26T04:15:00Z.", "at TIME."),
        ("2026-11-26T04:15:00.123456Z  WARN", "TIME  WARN"),
        ("packhorse sync, process 4711: wait", "packhorse sync, process PID: wait"),
        ("os error 36, format 2, 12345678", "os error 36, format 2, 12345678"),
        ("sealed 1 record (431 B), (not (4.5 KiB)", "sealed 1 record (SIZE), (not (SIZE)"),
    ] {
        assert_eq!(masked(text, folder), told);
    }
    assert_eq!(shortened(&"x".repeat(100)), "xxxxxxxxxx<100>xxxxxxxxxx");
}
