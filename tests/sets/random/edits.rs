//! What applications do to their databases in a random story.

use crate::mirror::dice::Dice;
use crate::support::Scene;

const MANAGERS: [&str; 3] = ["'alice'", "'bob'", "NULL"];

/// One application's next transaction at a node.
pub fn edit(scene: &Scene, node: &str, step: u64, dice: &mut Dice) -> String {
    let mut one_of = |table: &str| {
        let all = scene.sql(node, &format!("SELECT id FROM {table} ORDER BY id"));
        dice.pick(&all.lines().map(str::to_owned).collect::<Vec<_>>()).unwrap_or_else(|| "1".to_owned())
    };
    let (company, contact, note, task) = (one_of("companies"), one_of("contacts"), one_of("notes"), one_of("tasks"));
    let (other, another) = (one_of("contacts"), one_of("companies"));
    let (uid, manager) = (format!("{node}-{step:03}"), dice.pick(&MANAGERS).expect("managers"));
    // Its parents are no columns that all of them share.
    let (under, parent) =
        if ["hq", "carol"].contains(&node) { (company.as_str(), task.as_str()) } else { ("NULL", "NULL") };
    match dice.below(24) {
        0 | 1 => format!(
            "INSERT INTO companies (manager, part, name, uid) VALUES ({manager}, {}, 'new', '{uid}')",
            dice.below(2)
        ),
        2..=4 => {
            format!("INSERT INTO contacts (company, badge, name, uid) VALUES ({company}, 'b{uid}', 'new', '{uid}')")
        }
        5..=7 => format!("INSERT INTO notes (contact, text, uid) VALUES ({contact}, 'new', '{uid}')"),
        8 => format!("INSERT INTO tasks (company, parent, text, uid) VALUES ({under}, NULL, 'new', '{uid}')"),
        9 => format!("INSERT INTO tasks (company, parent, text, uid) VALUES (NULL, {parent}, 'new', '{uid}')"),
        10 => product(manager, &uid, dice),
        11 | 12 => format!("UPDATE companies SET manager = {manager} WHERE id = {company}"),
        13 => format!("UPDATE companies SET name = '{uid}', part = {} WHERE id = {company}", dice.below(2)),
        14 | 15 => format!("UPDATE contacts SET company = {company}, name = '{uid}' WHERE id = {contact}"),
        16 => format!("UPDATE notes SET text = '{uid}' WHERE id = {note}"),
        17 => format!("UPDATE notes SET contact = {contact} WHERE id = {note}"),
        18 => format!("UPDATE tasks SET company = {under}, text = '{uid}' WHERE id = {task}"),
        19 => format!(
            "CREATE TEMP TABLE swapped AS SELECT id, badge FROM contacts WHERE id IN ({contact}, {other}); \
             UPDATE contacts SET badge = NULL WHERE id IN ({contact}, {other}); \
             UPDATE contacts SET badge = (SELECT badge FROM swapped WHERE swapped.id <> contacts.id) \
             WHERE id IN ({contact}, {other})"
        ),
        20 => delete_company(&company, under),
        21 => format!("DELETE FROM contacts WHERE id = {contact}"),
        22 => format!("DELETE FROM notes WHERE id = {note}"),
        _ => again([&company, &another, &contact, &note], under, &uid, dice),
    }
}

fn product(owner: &str, uid: &str, dice: &mut Dice) -> String {
    let code = ["p", "q", "r", "s"][dice.below(4) as usize];
    match dice.below(4) {
        0 => format!("DELETE FROM products WHERE code = '{code}'"),
        1 => format!("UPDATE products SET price = price + 1 WHERE code = '{code}'"),
        2 => format!("UPDATE products SET owner = {owner} WHERE code = '{code}'"),
        _ => format!("INSERT INTO products VALUES ('{code}', {owner}, 1, '{uid}')"),
    }
}

/// All that hangs on a company, and the company.
fn delete_company(company: &str, under: &str) -> String {
    let tasks = match under {
        "NULL" => String::new(),
        _ => format!("UPDATE tasks SET company = NULL WHERE company = {company}; "),
    };
    format!(
        "DELETE FROM notes WHERE contact IN (SELECT id FROM contacts WHERE company = {company}); \
         DELETE FROM contacts WHERE company = {company}; \
         {tasks}DELETE FROM companies WHERE id = {company}"
    )
}

/// A number that is given again.
fn again([company, another, contact, note]: [&str; 4], under: &str, uid: &str, dice: &mut Dice) -> String {
    match dice.below(3) {
        0 => format!(
            "DELETE FROM notes WHERE id = {note}; INSERT INTO notes VALUES ({note}, {contact}, 'again', '{uid}')"
        ),
        1 => format!(
            "DELETE FROM contacts WHERE id = {contact}; \
             INSERT INTO contacts VALUES ({contact}, {another}, 'b{uid}', 'again', '{uid}')"
        ),
        _ => {
            let delete = delete_company(company, under);
            format!("{delete}; INSERT INTO companies VALUES ({company}, 'alice', 1, 'again', '{uid}')")
        }
    }
}
