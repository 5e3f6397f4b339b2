//! Rust files as text: which there are, their functions, and their lines of code without tests and comments.

use std::path::Path;

/// A file.
pub struct Source {
    /// Its path below the root, with forward slashes.
    pub name: String,
    /// Its content.
    pub text: String,
}

/// Every Rust file of the workspace.
pub fn sources() -> Vec<Source> {
    let mut found = Vec::new();
    for folder in ["src", "tests", "shared", "bundler", "transport", "unbundler", "scripts"] {
        collect(Path::new(folder), &mut found);
    }
    assert!(found.len() > 50, "the tree is there");
    found
}

/// The files of a library that are not tests of it or made for tests.
pub fn production(library: &str) -> Vec<Source> {
    let mut found = Vec::new();
    collect(&Path::new(library).join("src"), &mut found);
    let modules: Vec<String> = found.iter().flat_map(Source::modules_of_tests).collect();
    found.retain(|source| !modules.contains(&source.name));
    assert!(!found.is_empty(), "{library}");
    found
}

fn collect(folder: &Path, found: &mut Vec<Source>) {
    for path in crate::support::files(&super::root().join(folder)) {
        let name = folder.join(path.file_name().expect("a file of a folder"));
        if path.is_dir() && !path.ends_with("target") {
            collect(&name, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            let text = std::fs::read_to_string(&path).expect("a source file");
            found.push(Source { name: name.to_string_lossy().replace('\\', "/"), text });
        }
    }
}

impl Source {
    /// The files of the modules that this one declares for tests only.
    fn modules_of_tests(&self) -> Vec<String> {
        let folder = self.name.rsplit_once('/').map_or("", |(folder, _)| folder);
        let lines: Vec<&str> = self.text.lines().collect();
        let declared = lines.windows(2).filter(|pair| is_test_gate(pair[0]));
        let names =
            declared.filter_map(|pair| pair[1].trim_start_matches("pub ").strip_prefix("mod ")?.strip_suffix(';'));
        names.flat_map(|name| [format!("{folder}/{name}.rs"), format!("{folder}/{name}/mod.rs")]).collect()
    }

    /// The lines of code with their numbers, without comments and the contents of texts, up to the tests at the end.
    pub fn code_lines(&self) -> Vec<(usize, String)> {
        let lines: Vec<&str> = self.text.lines().collect();
        let inline_tests = lines.windows(2).position(|pair| is_test_gate(pair[0]) && pair[1].trim_end().ends_with('{'));
        let end = inline_tests.unwrap_or(lines.len());
        let stripped = strip(&self.text);
        stripped.lines().take(end).enumerate().map(|(at, line)| (at + 1, line.to_owned())).collect()
    }

    /// The functions: name, line, and how many lines from the signature to the closing brace.
    pub fn functions(&self) -> Vec<(String, usize, usize)> {
        let stripped = strip(&self.text);
        let lines: Vec<&str> = stripped.lines().collect();
        let starts = lines.iter().enumerate().filter_map(|(at, line)| function_name(line).map(|name| (name, at)));
        starts.filter_map(|(name, at)| Some((name, at + 1, length(&lines[at..])?))).collect()
    }
}

fn is_test_gate(line: &str) -> bool {
    let line = line.trim();
    line == "#[cfg(test)]" || line == "#[cfg(any(test, feature = \"testing\"))]"
}

fn function_name(line: &str) -> Option<String> {
    let mut words = line
        .split_whitespace()
        .skip_while(|word| ["pub", "async", "const", "unsafe", "pub(crate)", "pub(super)"].contains(word));
    let name = words.next().filter(|word| *word == "fn").and_then(|_| words.next())?;
    Some(name.split(['(', '<']).next().unwrap_or(name).to_owned())
}

/// The lines up to the brace that closes the first one opened; None for a signature without a body.
fn length(lines: &[&str]) -> Option<usize> {
    let mut depth = 0usize;
    for (at, line) in lines.iter().enumerate() {
        for c in line.chars() {
            match c {
                '{' => depth += 1,
                '}' => {
                    depth = depth.checked_sub(1)?;
                    if depth == 0 {
                        return Some(at + 1);
                    }
                }
                ';' if depth == 0 => return None,
                _ => {}
            }
        }
    }
    None
}

/// The text with comments, texts and characters blanked out, line by line the same.
fn strip(text: &str) -> String {
    let bytes: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(&c) = bytes.get(at) {
        let rest = &bytes[at..];
        let skipped = match c {
            '/' if rest.get(1) == Some(&'/') => rest.iter().position(|c| *c == '\n').unwrap_or(rest.len()),
            '"' => 1 + quoted(&rest[1..]),
            'r' | 'b' if is_raw(&bytes, at) => raw(rest),
            '\'' => character(rest),
            _ => 0,
        };
        if skipped == 0 {
            out.push(c);
            at += 1;
        } else {
            out.extend(rest[..skipped].iter().filter(|c| **c == '\n'));
            at += skipped;
        }
    }
    out
}

/// How far a text in quotes goes after the opening one.
fn quoted(rest: &[char]) -> usize {
    let mut at = 0;
    while let Some(c) = rest.get(at) {
        match c {
            '\\' => at += 2,
            '"' => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

fn is_raw(text: &[char], at: usize) -> bool {
    let inside_a_word = at > 0 && (text[at - 1].is_alphanumeric() || text[at - 1] == '_');
    let hashes = text[at..].iter().skip_while(|c| ['b', 'r'].contains(c)).skip_while(|c| **c == '#');
    let opens = text[at..].iter().take(2).any(|c| *c == 'r');
    !inside_a_word && opens && hashes.take(1).any(|c| *c == '"')
}

fn raw(rest: &[char]) -> usize {
    let start = rest.iter().position(|c| *c == '"').unwrap_or(0);
    let hashes = rest[..start].iter().filter(|c| **c == '#').count();
    let close: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
    let body = &rest[start + 1..];
    let end = body.windows(close.len()).position(|window| window == close).unwrap_or(body.len());
    (start + 1 + end + close.len()).min(rest.len())
}

/// A character in quotes; a lifetime is none.
fn character(rest: &[char]) -> usize {
    match (rest.get(1), rest.get(2)) {
        (Some('\\'), _) => 1 + rest.iter().skip(3).position(|c| *c == '\'').map_or(0, |at| at + 3),
        (Some(_), Some('\'')) => 3,
        _ => 0,
    }
}
