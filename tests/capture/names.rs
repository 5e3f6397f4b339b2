//! Names that need quoting, encoding or care.

use super::{arrives, fields, owed, pair, records, sealed};
use crate::support::{Scene, sqlite};

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Tables of odd names, each with odd columns, a secondary key and one of its rows replaced.
#[test]
fn tables_and_columns_may_have_any_name() {
    let long = "a table whose name is long ".repeat(8);
    let names = [
        "order",
        "select",
        "old",
        "new",
        "rowid",
        "two words",
        " lead and trail ",
        "dou\"ble",
        "it's",
        "bra[ck]et",
        "semi;colon",
        "--dash",
        "/* comment */",
        "per%cent/slash",
        "..",
        "Größe",
        "表",
        "back`tick",
        "a.b",
        "main",
        "values",
        "k1",
        "log",
        "tab\tand\nnewline",
        &long,
    ];
    let columns = ["key", "group", "col umn", "q\"uo'te", "[b]", "s;c", "ü", "op", "cols", "at"];
    let list = columns.iter().skip(1).map(|column| quoted(column)).collect::<Vec<_>>().join(", ");
    let scene = Scene::new();
    for name in names {
        let (table, key) = (quoted(name), quoted(columns[0]));
        let sql = format!(
            "CREATE TABLE {table} ({key} INTEGER PRIMARY KEY, {list}, UNIQUE ({}, {}));
            INSERT INTO {table} ({key}, \"group\") VALUES (1, 'a'), (2, 'b'), (3, 'c');
                UPDATE {table} SET \"col umn\" = 1",
            quoted("group"),
            quoted("col umn")
        );
        sqlite(&scene.database("hq"), &sql);
    }
    scene.init();
    scene.remote("alice");
    for name in names {
        let (table, column) = (quoted(name), quoted("q\"uo'te"));
        scene.sql("hq", &format!("UPDATE {table} SET {column} = 'new' WHERE \"key\" = 1"));
        scene.sql("hq", &format!("UPDATE OR REPLACE {table} SET \"group\" = 'c' WHERE \"key\" = 2"));
        scene.sql("hq", &format!("INSERT INTO {table} (\"key\", \"ü\", \"[b]\") VALUES (9, 'x', 'y')"));
    }
    let told = sealed(&scene).expect("a bundle");
    for name in names {
        let found = records(&told, name);
        assert_eq!(found.len(), 4, "{name}: {found:?}");
        assert_eq!(fields(&found[0]), ["q\"uo'te"], "{name}");
    }
    arrives(&scene, &names);
    for name in names {
        assert_eq!(scene.sql("alice", &format!("SELECT count(*) FROM {}", quoted(name))), "3", "{name}");
    }
}

#[test]
fn odd_key_names_work_as_well() {
    let scene = pair(
        "CREATE TABLE t (\"pri mary\" TEXT, \"k\"\"2\" INTEGER, \"select\" BLOB, \"op\" TEXT,
        PRIMARY KEY (\"select\", \"pri mary\", \"k\"\"2\")) WITHOUT ROWID;
        INSERT INTO t VALUES ('a', 1, x'00', 'p'), ('b', 2, x'01', 'q')",
    );
    scene.sql(
        "hq",
        "UPDATE t SET \"k\"\"2\" = 7 WHERE op = 'p'; UPDATE t SET op = 'r' WHERE op = 'q';
        INSERT INTO t VALUES ('a', 1, x'00', 's')",
    );
    assert_eq!(owed(&scene), (3, 3, 0));
    arrives(&scene, &["t"]);
}

#[test]
fn names_that_resemble_our_own_do_not_clash() {
    let scene = pair(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, n); CREATE TABLE t_cut (id INTEGER PRIMARY KEY, n);
        CREATE TABLE m_t (id INTEGER PRIMARY KEY, n);
        CREATE TABLE insert_t (id INTEGER PRIMARY KEY, n); CREATE TABLE guard_insert_t (id INTEGER PRIMARY KEY, n);
            CREATE TABLE packhorse_log (id INTEGER PRIMARY KEY, n)",
    );
    let tables = ["t", "t_cut", "m_t", "insert_t", "guard_insert_t", "packhorse_log"];
    for table in tables {
        scene.sql("hq", &format!("INSERT INTO {table} VALUES (1, 'in {table}')"));
    }
    assert_eq!(owed(&scene), (6, 6, 0));
    arrives(&scene, &tables);
}

#[test]
fn a_name_is_written_in_any_case_by_the_application() {
    let scene = pair("CREATE TABLE People (Id INTEGER PRIMARY KEY, Name TEXT); INSERT INTO People VALUES (1, 'Ann')");
    scene.sql("hq", "UPDATE pEOPLE SET nAME = 'Anna'; INSERT INTO \"PEOPLE\" (ID, NAME) VALUES (2, 'Ben')");
    assert_eq!(owed(&scene), (2, 2, 0));
    arrives(&scene, &["People"]);
}
