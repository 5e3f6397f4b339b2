//! What everybody shares in a random story, as the configuration says it and as SQL does.

/// The companies of a manager with all that hangs on them.
pub const SCHEMA: &str = "
    CREATE TABLE companies (id INTEGER PRIMARY KEY, manager TEXT, part INTEGER, name TEXT, uid TEXT);
    CREATE TABLE contacts (id INTEGER PRIMARY KEY, company INTEGER NOT NULL REFERENCES companies(id), badge TEXT UNIQUE,
        name TEXT, uid TEXT);
    CREATE TABLE notes (id INTEGER PRIMARY KEY, contact INTEGER NOT NULL REFERENCES contacts(id) ON DELETE CASCADE,
        text TEXT, uid TEXT);
    CREATE TABLE tasks (id INTEGER PRIMARY KEY, company INTEGER REFERENCES companies(id),
        parent INTEGER REFERENCES tasks(id), text TEXT, uid TEXT);
    CREATE TABLE products (code TEXT PRIMARY KEY, owner TEXT, price INTEGER, uid TEXT);
    INSERT INTO companies VALUES (1, 'alice', 0, 'A', 'c1'), (2, 'bob', 1, 'B', 'c2'), (3, NULL, 0, 'C', 'c3'),
        (4, 'alice', 1, 'D', 'c4');
    INSERT INTO contacts VALUES (10, 1, 'b1', 'Ann', 'p1'), (20, 2, 'b2', 'Bea', 'p2'), (30, 3, 'b3', 'Cal', 'p3'),
        (40, 4, 'b4', 'Dan', 'p4');
    INSERT INTO notes VALUES (100, 10, 'of Ann', 'n1'), (200, 20, 'of Bea', 'n2'), (300, 30, 'of Cal', 'n3');
    INSERT INTO tasks VALUES (1, 1, NULL, 'root', 't1'), (2, NULL, 1, 'child', 't2'), (3, 2, 2, 'grandchild', 't3');
    INSERT INTO products VALUES ('p', NULL, 1, 'x1'), ('q', 'bob', 1, 'x2')";

pub const TABLES: [&str; 5] = ["companies", "contacts", "notes", "tasks", "products"];

/// The sets of managers at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sales {
    /// Whose companies alice has.
    pub alice: &'static str,
    /// Whether notes are shared.
    pub notes: bool,
    /// Whether everybody has the companies that nobody manages.
    pub free: bool,
}

impl Sales {
    pub fn condition(self) -> &'static str {
        if self.free { "(manager = :user OR manager IS NULL)" } else { "manager = :user" }
    }

    /// The set as the configuration has it.
    pub fn text(self) -> String {
        let notes = if self.notes { "[[set.sales.table]]\nname = \"notes\"\nfollow = \"contact\"\n" } else { "" };
        format!(
            "[[set.sales.table]]\nname = \"companies\"\nwhere = \"{}\"\n\
             [[set.sales.table]]\nname = \"contacts\"\nfollow = \"company\"\n{notes}\
             [[set.sales.table]]\nname = \"tasks\"\nfollow = [\"company\", \"parent\"]\ncolumns = [\"text\", \"uid\"]\n\
             [[set.sales.table]]\nname = \"products\"\nwhere = \"owner = :user OR owner IS NULL\"\n",
            self.condition()
        )
    }

    /// What alice is told in the configuration.
    pub fn of_alice(self) -> String {
        format!("[remote.alice]\nset = \"sales\"\nparams = {{ user = \"{}\" }}\n", self.alice)
    }

    /// The rows of a table that a manager has, as SQL on the hub's database.
    pub fn rows_of(self, table: &str, user: &str) -> String {
        let companies = format!("SELECT id FROM companies WHERE {}", self.condition());
        let contacts = format!("SELECT id FROM contacts WHERE company IN ({companies})");
        let rows = match table {
            "companies" => format!("* FROM companies WHERE id IN ({companies})"),
            "contacts" => format!("* FROM contacts WHERE id IN ({contacts})"),
            "notes" => format!("* FROM notes WHERE {} AND contact IN ({contacts})", self.notes),
            "tasks" => format!(
                "id, NULL, NULL, text, uid FROM tasks WHERE id IN (WITH RECURSIVE mine(id) AS (SELECT id FROM tasks \
                 WHERE company IN ({companies}) UNION SELECT tasks.id FROM tasks JOIN mine ON parent = mine.id) \
                 SELECT id FROM mine)"
            ),
            _ => format!("* FROM {table} WHERE owner = :user OR owner IS NULL"),
        };
        format!("SELECT {rows} ORDER BY 1").replace(":user", &format!("'{user}'"))
    }
}

/// The set of a remote of alice's: one part of her companies.
pub const PARTS: &str = "
[[set.parts.table]]
name = \"companies\"
where = \"part = :part\"
[[set.parts.table]]
name = \"contacts\"
follow = \"company\"
[[set.parts.table]]
name = \"notes\"
follow = \"contact\"
";

/// The rows of a table that part 1 has, as SQL on alice's database.
pub fn rows_of_part(table: &str) -> String {
    let rows = match table {
        "companies" => "part = 1",
        "contacts" => "company IN (SELECT id FROM companies WHERE part = 1)",
        "notes" => "contact IN (SELECT c.id FROM contacts c JOIN companies ON companies.id = c.company WHERE part = 1)",
        _ => "false",
    };
    format!("SELECT * FROM {table} WHERE {rows} ORDER BY 1")
}
