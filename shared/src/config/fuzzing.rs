//! What holds of the configuration's reader and of the edits, whatever stands in the file.
//!
//! Owns one property of any bytes, as a function that fails an assertion where it does not hold: nothing panics; what is
//! refused is refused in one line; an edit gives a configuration in which nothing but the thing named has changed.
//! The fuzz target and the property tests call the same function, and bring the bytes.

use std::collections::BTreeMap;
use std::path::Path;

use super::{
    AccessConfig, Config, ConfigError, EditError, RemoteConfig, add_remote, add_set_tables, remove_remote, remove_set,
    remove_set_table, set_accept, set_relay,
};
use crate::id::NodeName;
use crate::set::{Param, Rows, Scalar, Scope, SetTable};

/// No refusal says more.
const LINE_MAX: usize = 2_000;

/// What `packhorse.toml` may hold.
pub fn config(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let config = match parse(text) {
        Ok(config) => config,
        Err(error) => return is_one_line(&error.to_string()),
    };
    for name in config.set_names() {
        assert!(config.set(name).is_some(), "the set {name:?} has a name and nothing else");
    }
    let _ = config.references();
    remote_comes_and_goes(text, &config);
    set_comes_and_goes(text, &config);
    node_changes(text, &config);
}

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(Path::new("packhorse.toml"), text)
}

fn is_one_line(error: &str) {
    assert!(!error.chars().any(char::is_control), "a refusal with control characters: {error:?}");
    assert!(error.len() <= LINE_MAX, "a refusal of {} bytes", error.len());
}

/// The text after an edit, unless the file is written in a way that the edit does not know: then it is told.
fn edited(edit: Result<String, EditError>) -> Option<(String, Config)> {
    match edit {
        Ok(text) => {
            let config = parse(&text);
            assert!(config.is_ok(), "an edit leaves what cannot be read: {config:?}\n{text}");
            Some((text, config.ok()?))
        }
        Err(error) => {
            assert!(matches!(error, EditError::Form { .. }), "{error:?}");
            is_one_line(&error.to_string());
            None
        }
    }
}

fn remote_comes_and_goes(text: &str, config: &Config) {
    for name in config.remotes.keys() {
        let Some((_, less)) = edited(remove_remote(text, name)) else { continue };
        let mut expected = config.clone();
        expected.remotes.remove(name);
        assert_eq!(less, expected, "only {name} is gone");
    }
    let name = (0..).find_map(|at| {
        let name: NodeName = format!("new-{at}").parse().ok()?;
        (!config.remotes.contains_key(&name)).then_some(name)
    });
    let Some(name) = name else { return };
    let params = [("user".to_owned(), Param::One(Scalar::Text("\"'\n\\ä".to_owned())))];
    let remote = RemoteConfig {
        set: "sales".to_owned(),
        params: BTreeMap::from(params),
        relay: vec!["file:///srv/relay".to_owned()],
        sealed: false,
        access: AccessConfig { key: Some("a \"b\"".into()), ..AccessConfig::default() },
    };
    let Some((more_text, more)) = edited(add_remote(text, &name, &remote)) else { return };
    let mut expected = config.clone();
    expected.remotes.insert(name.clone(), remote);
    assert_eq!(more, expected, "only {name} is new");
    if let Some((_, back)) = edited(remove_remote(&more_text, &name)) {
        assert_eq!(back, *config, "{name} comes and goes");
    }
}

fn set_comes_and_goes(text: &str, config: &Config) {
    let named = config.set_names();
    let Some(name) = (0..).map(|at| format!("new {at}")).find(|name| !named.contains(&name.as_str())) else { return };
    let table = |name: &str, rows| SetTable { name: name.to_owned(), columns: None, rows };
    let tables = [table("a \"b\"", Rows::All), table("c", Rows::Where("x = 'ä\n'".to_owned()))];
    let Some((more, changed)) = edited(add_set_tables(text, &name, &tables)) else { return };
    assert_eq!(changed.set(&name), Some(Scope::Tables(tables.to_vec())), "only {name} is new");
    assert_eq!(changed.remotes, config.remotes);
    if let Some((_, fewer)) = edited(remove_set_table(&more, &name, "c")) {
        assert_eq!(fewer.set(&name), Some(Scope::Tables(tables.iter().take(1).cloned().collect())));
    }
    if let Some((_, back)) = edited(remove_set(&more, &name)) {
        assert_eq!(back, *config, "{name} comes and goes");
    }
}

fn node_changes(text: &str, config: &Config) {
    for relays in [&[][..], &["ftp://a/b".to_owned()], &["ftp://a/b".to_owned(), "file:///c".to_owned()]] {
        let Some((_, changed)) = edited(set_relay(text, relays)) else { continue };
        let mut expected = config.clone();
        expected.node.relay = relays.to_vec();
        assert_eq!(changed, expected, "only the relays change");
    }
    for accept in [true, false] {
        let Some((_, changed)) = edited(set_accept(text, accept)) else { continue };
        let mut expected = config.clone();
        expected.node.accept = accept;
        assert_eq!(changed, expected, "only that word changes");
    }
}
