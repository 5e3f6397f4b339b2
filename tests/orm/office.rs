//! Three nodes with the application, and what it means that they have the same.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::{Value, json};

use super::process::{Process, shell, with_names};
use crate::support::{Scene, text};

/// Set by `scripts/test --require-servers`: what the tests need must be there.
const INSIST: &str = "PACKHORSE_TESTS_INSIST";

/// Names a Python with another Django, to be tried instead.
const CHOSEN: &str = "PACKHORSE_TESTS_DJANGO";

/// Where `scripts/django` puts it: Debian's package, or an environment of its own.
const PYTHONS: [&str; 2] = ["/usr/bin/python3", concat!(env!("CARGO_MANIFEST_DIR"), "/target/django/bin/python3")];

const APP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/orm/app");

/// All nodes: alice shares everything, bob what a representative has to know.
pub const NODES: [&str; 3] = ["hq", "alice", "bob"];

/// The tables that bob shares whole.
const WHOLE: [&str; 10] = [
    "django_migrations",
    "django_content_type",
    "auth_permission",
    "auth_group",
    "auth_group_permissions",
    "auth_user",
    "auth_user_groups",
    "auth_user_user_permissions",
    "trade_tag",
    "trade_product",
];

/// Those of bob's customers; who referred them may be somebody else's customer, and is not told.
const CUSTOMERS: &str = "id,made,changed,name,email,phone,active,discount,details,rep_id";

/// More rounds than any of the tests needs.
const ROUNDS_MAX: usize = 8;

/// A hub and two remotes with the application, which came to the remotes by packages.
pub struct Office {
    /// Where they are.
    pub scene: Scene,
    python: PathBuf,
    processes: RefCell<BTreeMap<String, Process>>,
}

impl Office {
    /// None where there is no Django.
    pub fn open() -> Option<Self> {
        let office = Self { scene: Scene::in_memory(), python: python()?, processes: RefCell::default() };
        std::fs::write(office.scene.database("hq"), office.founded()).expect("the hub's database");
        office.scene.init();
        office.configure();
        let scene = &office.scene;
        scene.remote("alice");
        let rep = office.does("hq", "print(user('bob').pk)");
        office.share_with_reps();
        let param = format!("rep:={rep}");
        scene.packhorse("hq", &["remote", "add", "bob", "--set", "reps", "--param", &param]).expect(0);
        scene.pack_and_restore("bob");
        Some(office)
    }

    /// The database of the first day, made by the application's own migrations; once for all tests.
    fn founded(&self) -> &'static [u8] {
        static FOUNDED: OnceLock<Vec<u8>> = OnceLock::new();
        FOUNDED.get_or_init(|| {
            self.scene.run(self.manage("hq").args(["migrate", "-v", "0"])).expect(0);
            let found = with_names("found(['hq', 'alice', 'bob'])");
            self.scene.run(self.manage("hq").args(shell(&found))).expect(0);
            std::fs::read(self.scene.database("hq")).expect("the hub's database")
        })
    }

    /// What an administrator says of this application: what a tag is known by, and what Django's generic keys mean.
    fn configure(&self) {
        let types = "print(*(f'\"{one.pk}\" = \"{one.model_class()._meta.db_table}\"' for one in \
                     ContentType.objects.filter(app_label='trade')), sep=', ')";
        let said = format!(
            "\n[table.trade_tag]\nidentity = [\"name\"]\n\n[table.trade_customer]\ntitle = \"email\"\n\n\
             [table.trade_remark.references]\nobject_id = {{ type = \"content_type_id\", tables = {{ {} }} }}\n",
            self.does("hq", types)
        );
        let file = self.scene.home("hq").join("packhorse.toml");
        let words = std::fs::read_to_string(&file).expect("a configuration");
        std::fs::write(&file, words + &said).expect("written");
    }

    fn share_with_reps(&self) {
        let whole = WHOLE.iter().flat_map(|table| ["--table", table]);
        let own = [
            ["--table", "trade_customer", "--columns", CUSTOMERS, "--where", "rep_id = :rep"].as_slice(),
            &["--table", "trade_customer_tags", "--follow", "customer_id"],
            &["--table", "trade_order", "--follow", "customer_id"],
            &["--table", "trade_line", "--follow", "order_id"],
        ];
        let words: Vec<&str> = ["set", "add", "reps"].into_iter().chain(whole).chain(own.concat()).collect();
        self.scene.packhorse("hq", &words).expect(0);
    }

    /// `manage.py` at a node, whose words are still to come.
    pub fn manage(&self, node: &str) -> Command {
        let mut command = Command::new(&self.python);
        command.current_dir(APP).arg("-B").arg("manage.py").stdin(Stdio::null());
        command.env("TRADE_DATABASE", self.scene.database(node));
        command
    }

    /// Lets the application at a node do something; what it prints.
    #[track_caller]
    pub fn does(&self, node: &str, script: &str) -> String {
        let mut processes = self.processes.borrow_mut();
        let at_node = processes.entry(node.to_owned()).or_insert_with(|| Process::start(&mut self.manage(node)));
        at_node.does(script)
    }

    /// Lets nodes sync in this order; runs may tell of conflicts and of what is held.
    #[track_caller]
    pub fn sync(&self, nodes: &[&str]) {
        for node in nodes {
            let run = self.scene.packhorse(node, &["sync"]);
            assert!([0, 3].contains(&run.code), "{node}: {run:#?}");
        }
    }

    /// Lets all exchange everything; then all of them have the same, and it is sound.
    #[track_caller]
    pub fn come_together(&self) {
        for _ in 0..ROUNDS_MAX {
            self.sync(&["alice", "bob", "hq"]);
            if NODES.iter().all(|node| self.rests(node)) {
                break;
            }
        }
        NODES.iter().for_each(|node| self.scene.is_at_rest(node));
        self.agree();
    }

    fn rests(&self, node: &str) -> bool {
        let status = self.scene.packhorse(node, &["status", "--json"]).json();
        let links = status["links"].as_array().expect("links").iter();
        links.flat_map(|link| ["pending_changes", "unacknowledged", "held"].map(|what| &link[what])).all(|it| *it == 0)
    }

    /// What the application reads is sound, and the same at all nodes as far as they share it.
    #[track_caller]
    fn agree(&self) {
        let [hq, alice, bob] = NODES.map(|node| self.reads(node));
        assert_eq!(alice, hq, "alice and the hub");
        assert_eq!(bob["by_rep"]["bob"], hq["by_rep"]["bob"], "bob and the hub");
        for other in ["hq", "alice"] {
            assert_eq!(bob["by_rep"][other]["customers"], json!([]), "bob has nobody of {other}'s");
        }
    }

    /// All that the application knows, once Django has checked itself, its migrations and every record.
    #[track_caller]
    fn reads(&self, node: &str) -> Value {
        let script = "call_command('check', stdout=io.StringIO())\n\
                      call_command('migrate', check_unapplied=True, verbosity=0)\ninspect()\ntell()";
        serde_json::from_str(&self.does(node, script)).expect("JSON")
    }

    /// What a list of the program's shows at a node: `conflicts`, `held` or `notices`.
    #[track_caller]
    pub fn listed(&self, node: &str, what: &str) -> Vec<Value> {
        let run = self.scene.packhorse(node, &[what, "list", "--json"]).expect(0);
        run.json().as_array().expect("an array").clone()
    }
}

/// A Python that has Django. If there is none that is said aloud: past the test harness, which keeps back what a test says
/// that passes.
fn python() -> Option<PathBuf> {
    let chosen = std::env::var_os(CHOSEN).map(PathBuf::from);
    let candidates: Vec<PathBuf> = match chosen {
        Some(python) => vec![python],
        None => PYTHONS.map(PathBuf::from).to_vec(),
    };
    let found = candidates.into_iter().find(|python| has_django(python));
    if found.is_none() {
        assert!(std::env::var_os(INSIST).is_none(), "Django is needed, and `scripts/django` could not get it");
        let _ = writeln!(std::io::stderr(), "SKIPPED: there is no Django (scripts/django): no ORM is tried");
    }
    found
}

fn has_django(python: &Path) -> bool {
    let wanted = "import sys, sqlite3, django; sys.exit(django.VERSION < (3, 2))";
    let tried = Command::new(text(python)).args(["-c", wanted]).stderr(Stdio::null()).status();
    tried.is_ok_and(|status| status.success())
}
