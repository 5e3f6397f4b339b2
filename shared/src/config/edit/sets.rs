//! Edits of the sets in `packhorse.toml`.
//!
//! Owns how a set is written: a `[[set.NAME.table]]` section for each of its tables, in their order. Leaves to the callers
//! whether a set fits the database and who shares it.

use toml_edit::{Array, ArrayOfTables, DocumentMut, Item, RawString, Table, Value};

use super::{EditError, checked, form, implicit_table, keep_comments, last_empty_line, parsed, spaced, tables_of};
use super::{tables_in, texts};
use crate::set::{Rows, SetTable};

/// The configuration's text with more tables in a set: after those that it has, or at the end of the file.
pub fn add_set_tables(text: &str, set: &str, tables: &[SetTable]) -> Result<String, EditError> {
    let mut document = parsed(text)?;
    let is_new = document.get("set").and_then(|all| all.get(set)).is_none();
    let mut sections: Vec<Table> = tables.iter().map(section).collect();
    if is_new {
        place_at_end(&mut document, &mut sections, text);
    }
    let all = document.entry("set").or_insert_with(implicit_table);
    let all = all.as_table_mut().ok_or_else(|| form("`set` is not written as [set.NAME] tables"))?;
    let one = all.entry(set).or_insert_with(implicit_table).as_table_mut();
    let one = one.ok_or_else(|| form(&format!("the set \"{set}\" is not written as [[set.{set}.table]] sections")))?;
    let listed = one.entry("table").or_insert_with(|| Item::ArrayOfTables(ArrayOfTables::new()));
    let listed = listed.as_array_of_tables_mut();
    let listed =
        listed.ok_or_else(|| form(&format!("the tables of \"{set}\" are not written as [[set.{set}.table]]")))?;
    sections.into_iter().for_each(|section| listed.push(section));
    checked(document.to_string())
}

/// The comments at the end of the file belong before the new sections, not into them.
fn place_at_end(document: &mut DocumentMut, sections: &mut [Table], text: &str) {
    let last = tables_of(document).into_iter().max().unwrap_or(0);
    let before = document.trailing().as_str().unwrap_or_default().to_owned();
    for (place, section) in (last.saturating_add(1)..).zip(sections.iter_mut()) {
        section.set_position(Some(place));
    }
    if let Some(first) = sections.first_mut() {
        first.decor_mut().set_prefix(spaced(&before, text));
        document.set_trailing("");
    }
}

fn section(table: &SetTable) -> Table {
    let mut section = Table::new();
    section.insert("name", Item::Value(Value::from(table.name.as_str())));
    match &table.rows {
        Rows::All => {}
        Rows::Where(condition) => {
            section.insert("where", Item::Value(Value::from(condition.as_str())));
        }
        Rows::Follow(keys) => {
            section.extend(texts(keys).map(|keys| ("follow", keys)));
        }
    }
    if let Some(columns) = &table.columns {
        let columns: Array = columns.iter().map(String::as_str).collect();
        section.insert("columns", Item::Value(Value::Array(columns)));
    }
    section
}

/// The configuration's text without a set. The comment right above it goes with it; one that an empty line keeps apart stays.
pub fn remove_set(text: &str, set: &str) -> Result<String, EditError> {
    let mut document = parsed(text)?;
    let all = document.get_mut("set").and_then(Item::as_table_like_mut);
    let removed = all.and_then(|all| all.remove(set)).ok_or_else(|| EditError::UnknownSet(set.to_owned()))?;
    keep_what_is_about_others(&mut document, &sections_in(&removed));
    checked(document.to_string())
}

/// The configuration's text without one table of a set; its comments as in [`remove_set`].
pub fn remove_set_table(text: &str, set: &str, table: &str) -> Result<String, EditError> {
    let mut document = parsed(text)?;
    let one = document.get_mut("set").and_then(Item::as_table_like_mut).and_then(|all| all.get_mut(set));
    let one = one.and_then(Item::as_table_like_mut).ok_or_else(|| EditError::UnknownSet(set.to_owned()))?;
    let unknown = || EditError::NotInSet { set: set.to_owned(), table: table.to_owned() };
    let listed = one.get_mut("table").and_then(Item::as_array_of_tables_mut);
    let listed =
        listed.ok_or_else(|| form(&format!("the tables of \"{set}\" are not written as [[set.{set}.table]]")))?;
    let named = |section: &Table| section.get("name").and_then(Item::as_str).map(str::to_owned);
    let is_it = |section: &Table| named(section).is_some_and(|name| name.eq_ignore_ascii_case(table));
    let place = listed.iter().position(is_it).ok_or_else(unknown)?;
    let removed = listed.get(place).cloned().ok_or_else(unknown)?;
    listed.remove(place);
    keep_what_is_about_others(&mut document, &[removed]);
    checked(document.to_string())
}

/// Every section in an item that was removed.
fn sections_in(item: &Item) -> Vec<Table> {
    let mut found = Vec::new();
    for table in tables_in(item) {
        found.push(table.clone());
        table.iter().for_each(|(_, below)| found.extend(sections_in(below)));
    }
    found
}

/// Keeps the comments above sections that were removed, as far as an empty line sets them apart.
fn keep_what_is_about_others(document: &mut DocumentMut, removed: &[Table]) {
    let mut removed: Vec<&Table> = removed.iter().filter(|table| table.position().is_some()).collect();
    removed.sort_by_key(|table| std::cmp::Reverse(table.position()));
    for table in removed {
        let prefix = table.decor().prefix().and_then(RawString::as_str).unwrap_or_default();
        let kept = prefix.get(..last_empty_line(prefix)).unwrap_or_default();
        let after = table.position().and_then(|at| tables_of(document).into_iter().filter(|place| *place > at).min());
        keep_comments(document, kept, after);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: &str = "[node]\nname = \"hq\"\ndatabase = \"../crm.db\"\n";

    fn table(name: &str, rows: Rows) -> SetTable {
        SetTable { name: name.to_owned(), columns: None, rows }
    }

    fn remade(text: &str, set: &str) -> Vec<SetTable> {
        let config = crate::config::Config::parse(std::path::Path::new("packhorse.toml"), text).unwrap();
        config.set(set).unwrap().tables().to_vec()
    }

    #[test]
    fn a_set_comes_to_the_end_and_its_tables_after_those_that_it_has() {
        let original = format!("{NODE}\n# mine\n[[set.a.table]]\nname = \"x\" # all\n\n# then\n[watch]\n# end\n");
        let more = [table("y \"z\"\n", Rows::Where("a = 'b' -- \\ \"c\"".to_owned()))];
        let added = add_set_tables(&original, "a", &more).unwrap();
        assert_eq!(remade(&added, "a")[1..], more);
        assert!(added.find("name = \"x\" # all").unwrap() < added.find("where = ").unwrap(), "{added}");
        assert!(added.find("where = ").unwrap() < added.find("# then\n[watch]\n# end").unwrap(), "{added}");
        let keys = vec!["d".to_owned(), "e,f".to_owned()];
        let last = [SetTable { columns: Some(vec!["g".to_owned()]), ..table("t", Rows::Follow(keys)) }];
        let set = add_set_tables(&added, "b c", &last).unwrap();
        assert!(set.starts_with(&added), "{set}");
        assert_eq!(remade(&set, "b c"), last);
        assert_eq!(remove_set(&set, "b c").unwrap().trim_end(), added.trim_end());
    }

    #[test]
    fn what_is_removed_takes_its_own_comment_along_and_no_other() {
        let original = format!(
            "{NODE}\n# about sets\n\n# about a\n[set.a]\n# about x\n[[set.a.table]]\nname = \"x\"\n\n# about y\n\
             [[set.a.table]]\nname = \"y\"\n\n# about remotes\n\n[remote.r]\nset = \"a\"\n"
        );
        let without_x = original.replace("# about x\n[[set.a.table]]\nname = \"x\"\n", "");
        assert_eq!(remove_set_table(&original, "a", "X").unwrap(), without_x);
        let none = format!("{NODE}\n# about sets\n\n# about remotes\n\n[remote.r]\nset = \"a\"\n");
        assert_eq!(remove_set(&original, "a").unwrap(), none);
    }

    #[test]
    fn what_is_written_otherwise_or_not_there_is_told() {
        let inline = format!("{NODE}[set]\na = {{ table = [{{ name = \"x\" }}] }}\n");
        let new = [table("y", Rows::All)];
        assert!(matches!(add_set_tables(&inline, "a", &new), Err(EditError::Form { .. })));
        assert!(matches!(remove_set_table(&inline, "a", "x"), Err(EditError::Form { .. })));
        assert_eq!(remove_set(&inline, "a").unwrap(), format!("{NODE}[set]\n"));
        assert!(matches!(remove_set(NODE, "a"), Err(EditError::UnknownSet(_))));
        let one = add_set_tables(NODE, "a", &new).unwrap();
        assert!(matches!(add_set_tables(&one, "a", &new), Err(EditError::Form { .. })));
        assert!(matches!(remove_set_table(&one, "a", "z"), Err(EditError::NotInSet { .. })));
        assert!(remade(&add_set_tables(&format!("{NODE}[set.a]\n"), "a", &new).unwrap(), "a") == new);
    }
}
