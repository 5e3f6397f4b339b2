//! The shape of the tree itself: who may depend on whom, how long a page may be, and what a library must not do.

mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use source::{Source, production, sources};

/// The longest function.
const FUNCTION_LINES: usize = 70;

/// A page that can be read at one sitting; what is longer has to say why.
const FILE_LINES: usize = 400;

/// No file is longer than this, whatever it says.
const FILE_LINES_MAX: usize = 600;

/// Files that are over [`FILE_LINES`], and why they are not two.
const LONG_FILES: [(&str, &str); 1] = [("unbundler/src/place.rs", "one record's way into its table, step by step")];

const LIBRARIES: [&str; 4] = ["shared", "bundler", "transport", "unbundler"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Our own crates among the dependencies that a manifest names, in any of its sections.
fn own_dependencies(manifest: &Path) -> BTreeSet<String> {
    let text = std::fs::read_to_string(manifest).expect("a manifest");
    let mut section = "";
    let mut found = BTreeSet::new();
    for line in text.lines() {
        if line.starts_with('[') {
            section = line.trim_matches(['[', ']']);
        }
        let of_dependencies = section.ends_with("dependencies") && !section.starts_with("workspace");
        let name = line.split(['.', '=', ' ']).next().unwrap_or_default();
        if of_dependencies && name.starts_with("packhorse") {
            found.insert(name.to_owned());
        }
    }
    found
}

#[test]
fn the_parts_depend_on_shared_only_and_shared_on_none_of_them() {
    let expected: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("shared", &[][..]),
        ("bundler", &["packhorse-shared"]),
        ("transport", &["packhorse-shared"]),
        ("unbundler", &["packhorse-shared"]),
        (".", &["packhorse-bundler", "packhorse-shared", "packhorse-transport", "packhorse-unbundler"]),
    ]);
    for (crate_folder, allowed) in expected {
        let found = own_dependencies(&root().join(crate_folder).join("Cargo.toml"));
        assert_eq!(found, allowed.iter().map(|name| (*name).to_owned()).collect(), "{crate_folder}");
    }
}

#[test]
fn no_function_is_longer_than_70_lines() {
    let long: Vec<String> = sources()
        .iter()
        .flat_map(|source| source.functions().into_iter().map(move |function| (source, function)))
        .filter(|(_, (_, _, length))| *length > FUNCTION_LINES)
        .map(|(source, (name, line, length))| format!("{}:{line}: {name} has {length} lines", source.name))
        .collect();
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn no_file_is_longer_than_can_be_read_at_one_sitting() {
    for source in sources() {
        let length = source.text.lines().count();
        assert!(length <= FILE_LINES_MAX, "{} has {length} lines", source.name);
        let is_allowed = LONG_FILES.iter().any(|(name, _)| *name == source.name);
        assert!(length <= FILE_LINES || is_allowed, "{} has {length} lines: divide it", source.name);
        assert!(length > FILE_LINES || !is_allowed, "{} need not be in the list of long files", source.name);
    }
}

#[test]
fn no_module_has_a_name_that_says_nothing() {
    for source in sources() {
        let parts = source.name.trim_end_matches(".rs").split(['/', '_']);
        for part in parts {
            let says_nothing =
                ["util", "utils", "common", "helper", "helpers", "manager", "misc", "stuff"].contains(&part);
            assert!(!says_nothing, "{}", source.name);
        }
    }
}

#[test]
fn every_module_begins_with_what_it_is_for() {
    for source in sources() {
        assert!(source.text.starts_with("//! "), "{} does not begin with //!", source.name);
    }
}

/// What a library must not do outside its tests, and why.
const FORBIDDEN: [(&str, &str); 13] = [
    ("println!", "libraries never print"),
    ("print!", "libraries never print"),
    ("dbg!", "libraries never print"),
    ("process::exit", "libraries never exit"),
    ("process::abort", "libraries never exit"),
    ("env::var", "libraries never read the environment"),
    ("env::args", "libraries never read the environment"),
    ("env::current_dir", "libraries never read the environment"),
    (".unwrap()", "nothing from outside may panic"),
    ("panic!", "nothing from outside may panic"),
    ("todo!", "nothing is left unfinished"),
    ("unimplemented!", "nothing is left unfinished"),
    ("unreachable!", "nothing from outside may panic"),
];

#[test]
fn libraries_do_not_print_exit_panic_or_read_the_environment() {
    let mut found = Vec::new();
    for library in LIBRARIES {
        for source in production(library) {
            for (number, line) in source.code_lines() {
                let breaks = FORBIDDEN.iter().find(|(what, _)| line.contains(what));
                found.extend(breaks.map(|(what, why)| format!("{}:{number}: {what} ({why})", source.name)));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn the_checks_find_what_they_look_for() {
    let text = "//! A page.\n\npub fn long() {\n    let brace = '{';\n    // }\n    \"} {\";\n}\n\
                fn short() -> u8 { 1 }\n#[cfg(test)]\nmod tests {\n    fn f() { x.unwrap() }\n}\n";
    let source = Source { name: "a.rs".to_owned(), text: text.to_owned() };
    let names: Vec<_> = source.functions().into_iter().map(|(name, _, length)| (name, length)).collect();
    assert_eq!(names, [("long".to_owned(), 5), ("short".to_owned(), 1), ("f".to_owned(), 1)]);
    assert!(source.code_lines().iter().all(|(_, line)| !line.contains("unwrap")));
    assert!(source.code_lines().iter().any(|(_, line)| line.contains("short")));
}

#[test]
fn every_file_of_tests_is_declared() {
    for (folder, declaring) in [
        ("tests", "tests/main.rs"),
        ("tests/commands", "tests/commands.rs"),
        ("tests/commands/refusals", "tests/commands/refusals.rs"),
        ("tests/shape", "tests/shape.rs"),
        ("tests/steps", "tests/steps.rs"),
        ("tests/support", "tests/support/mod.rs"),
        ("tests/vectors", "tests/vectors.rs"),
    ] {
        let declaring = root().join(declaring);
        let declared: BTreeSet<String> = std::fs::read_to_string(&declaring)
            .expect("the declaring file")
            .lines()
            .filter_map(|line| {
                line.trim_start_matches("pub ").strip_prefix("mod ")?.strip_suffix(';').map(str::to_owned)
            })
            .collect();
        let there: BTreeSet<String> = crate::support::files(&root().join(folder))
            .into_iter()
            .filter(|path| path.extension().is_some_and(|end| end == "rs"))
            .filter_map(|path: PathBuf| path.file_stem().map(|stem| stem.to_string_lossy().into_owned()))
            .filter(|name| !["main", "mod"].contains(&name.as_str()))
            .collect();
        let undeclared: Vec<_> = there.difference(&declared).collect();
        assert!(undeclared.is_empty(), "{undeclared:?} are not declared in {}", declaring.display());
    }
}
