//! The tables of a set as they are typed: every `--where`, `--follow` and `--columns` belongs to the `--table` before it.
//!
//! Owns the order of these options, which clap's derived structures do not keep.

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, Error, FromArgMatches};
use packhorse_shared::set::{Rows, SetTable};

/// The tables that were typed, in that order; whether one has to be.
#[derive(Clone, Debug)]
pub struct Tables<const REQUIRED: bool>(pub Vec<SetTable>);

const OPTIONS: [(&str, &str, &str); 4] = [
    ("table", "TABLE", "A table; several in one command: what follows belongs to the one before it"),
    ("where", "EXPR", "Its rows for which this SQL expression over its columns is true; :name is a parameter"),
    (
        "follow",
        "COLUMN",
        "Its rows whose foreign key refers to a record of the set; given again: any of them suffices. \
         The columns of one key of several are joined: a,b",
    ),
    ("columns", "A,B", "Of its columns only these, beside those of its key"),
];

impl<const REQUIRED: bool> Args for Tables<REQUIRED> {
    fn augment_args(command: Command) -> Command {
        OPTIONS.into_iter().fold(command, |command, (name, value, help)| {
            let arg = Arg::new(name).long(name).value_name(value).help(help).action(ArgAction::Append);
            command.arg(match name {
                "table" => arg.required(REQUIRED),
                "columns" => arg.value_delimiter(','),
                // An expression may begin with a minus.
                "where" => arg.allow_hyphen_values(true),
                _ => arg,
            })
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<const REQUIRED: bool> FromArgMatches for Tables<REQUIRED> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let mut typed: Vec<(usize, &str, String)> = Vec::new();
        for (name, _, _) in OPTIONS {
            let places = matches.indices_of(name).into_iter().flatten();
            let values = matches.get_many::<String>(name).into_iter().flatten();
            typed.extend(places.zip(values).map(|(place, value)| (place, name, value.clone())));
        }
        typed.sort();
        let mut tables: Vec<SetTable> = Vec::new();
        for (_, option, value) in typed {
            take(&mut tables, option, value)?;
        }
        Ok(Self(tables))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

fn take(tables: &mut Vec<SetTable>, option: &str, value: String) -> Result<(), Error> {
    if option == "table" {
        tables.push(SetTable { name: value, columns: None, rows: Rows::All });
        return Ok(());
    }
    let Some(table) = tables.last_mut() else {
        return Err(conflict(format!("--{option} \"{value}\" stands before any --table: put it after its table")));
    };
    match (option, &mut table.rows) {
        ("columns", _) => table.columns.get_or_insert_default().push(value),
        ("where", rows @ Rows::All) => *rows = Rows::Where(value),
        ("follow", rows @ Rows::All) => *rows = Rows::Follow(vec![value]),
        ("follow", Rows::Follow(keys)) => keys.push(value),
        ("where", Rows::Where(_)) => {
            return Err(conflict(format!("{} has --where twice: join the two with AND or OR", table.name)));
        }
        _ => return Err(conflict(format!("{} has both --where and --follow: keep one of them", table.name))),
    }
    Ok(())
}

fn conflict(message: String) -> Error {
    Error::raw(ErrorKind::ArgumentConflict, format!("{message}\n"))
}
